//! The exported functions. Layouts of structures are those of the driver's interface.

use std::sync::atomic::{AtomicBool, Ordering};

use super::card::{cards, devices_on, exists, logical, place};
use super::reading::{self, chip};
use super::status::{Error, call};
use crate::abi::{Out, cores};
use crate::runtime::config::{config, machine};

interface! { call;
    "8.1" fn dcmi_init() {
        begin()
    }

    "8.1" fn dcmi_get_card_list(count: Out<i32>, list: Out<i32>, length: i32) {
        ready()?;
        fill(count, list, length, cards())
    }

    "8.1" fn dcmi_get_device_num_in_card(card: i32, count: Out<i32>) {
        ready()?;
        set(count, devices_on(card)?.cast_signed())
    }

    "8.1" fn dcmi_get_card_id_device_id_from_logicid(card: Out<i32>, device: Out<i32>, id: u32) {
        ready()?;
        let (card_id, device_id) = place(id)?;
        set(card, card_id)?;
        set(device, device_id)
    }

    "8.1" fn dcmi_get_device_logic_id(id: Out<i32>, card: i32, device: i32) {
        ready()?;
        set(id, logical(card, device)?.cast_signed())
    }

    "8.1" fn dcmi_get_device_phyid_from_logicid(id: u32, physical: Out<u32>) {
        ready()?;
        set(physical, exists(id)?)
    }

    "8.1" fn dcmi_get_device_logicid_from_phyid(physical: u32, id: Out<u32>) {
        ready()?;
        set(id, exists(physical)?)
    }

    "8.1" fn dcmi_get_all_device_count(count: Out<i32>) {
        ready()?;
        set(count, machine().devices.cast_signed())
    }

    "8.1" fn dcmi_get_driver_version(version: Out<u8>, length: u32) {
        ready()?;
        let text = format!("{}-simulated\0", env!("CARGO_PKG_VERSION"));
        if (length as usize) < text.len() {
            return Err(Error::InvalidParameter);
        }
        version.set_all("driver_ver", text.as_bytes()).map_err(|_| Error::InvalidParameter)
    }

    "8.1" fn dcmi_get_device_health(card: i32, device: i32, health: Out<u32>) {
        set(health, reading::health(open(card, device)?)?)
    }

    "8.1" fn dcmi_get_device_utilization_rate(card: i32, device: i32, kind: i32, rate: Out<u32>) {
        set(rate, utilisation(open(card, device)?, kind)?)
    }

    "8.1" fn dcmi_get_device_hbm_info(card: i32, device: i32, info: Out<HbmInfo>) {
        set(info, hbm(open(card, device)?)?)
    }

    "8.1" fn dcmi_get_device_power_info(card: i32, device: i32, power: Out<i32>) {
        set(power, reading::power(open(card, device)?)?)
    }

    "8.1" fn dcmi_get_device_temperature(card: i32, device: i32, temperature: Out<i32>) {
        set(temperature, reading::temperature(open(card, device)?)?)
    }

    "8.1" fn dcmi_get_device_frequency(card: i32, device: i32, kind: i32, frequency: Out<u32>) {
        open(card, device)?;
        set(frequency, megahertz(kind)?)
    }

    "8.1" fn dcmi_get_device_chip_info(card: i32, device: i32, info: Out<ChipInfo>) {
        open(card, device)?;
        set(info, ChipInfo::new())
    }

    "8.1" fn dcmi_get_device_chip_info_v2(card: i32, device: i32, info: Out<ChipInfoV2>) {
        open(card, device)?;
        set(info, ChipInfoV2::new())
    }

    "8.1" fn dcmi_get_device_resource_info(card: i32, device: i32, list: Out<Process>, count: Out<i32>) {
        processes(open(card, device)?, list, count)
    }

    "8.5" fn dcmiv2_init() {
        begin()
    }

    "8.5" fn dcmiv2_get_device_list(list: Out<i32>, count: Out<i32>, length: i32) {
        ready()?;
        fill(count, list, length, machine().devices)
    }

    "8.5" fn dcmiv2_get_device_utilization_rate(device: i32, kind: i32, rate: Out<u32>) {
        set(rate, utilisation(open_v2(device)?, kind)?)
    }

    "8.5" fn dcmiv2_get_device_hbm_info(device: i32, info: Out<HbmInfo>) {
        set(info, hbm(open_v2(device)?)?)
    }

    "8.5" fn dcmiv2_get_device_power_info(device: i32, power: Out<i32>) {
        set(power, reading::power(open_v2(device)?)?)
    }

    "8.5" fn dcmiv2_get_device_temperature(device: i32, temperature: Out<i32>) {
        set(temperature, reading::temperature(open_v2(device)?)?)
    }

    "8.5" fn dcmiv2_get_device_frequency(device: i32, kind: i32, frequency: Out<u32>) {
        open_v2(device)?;
        set(frequency, megahertz(kind)?)
    }

    "8.5" fn dcmiv2_get_device_chip_info(device: i32, info: Out<ChipInfoV2>) {
        open_v2(device)?;
        set(info, ChipInfoV2::new())
    }
}

/// `dcmi_hbm_info`: MB, MHz, MB, degrees, percent.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct HbmInfo {
    size: u64,
    frequency: u32,
    usage: u64,
    temperature: i32,
    bandwidth_rate: u32,
}

/// `dcmi_chip_info`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct ChipInfo {
    kind: [u8; 32],
    name: [u8; 32],
    version: [u8; 32],
    cores: u32,
}

/// `dcmi_chip_info_v2`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct ChipInfoV2 {
    first: ChipInfo,
    npu_name: [u8; 32],
}

/// `dcmi_proc_mem_info`: bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Process {
    id: i32,
    memory: std::ffi::c_ulong,
}

impl ChipInfo {
    fn new() -> Self {
        let name = field(chip().name);
        Self { kind: field("Ascend"), name, version: field("V1"), cores: cores().0 as u32 }
    }
}

impl ChipInfoV2 {
    fn new() -> Self {
        Self { first: ChipInfo::new(), npu_name: field(chip().name) }
    }
}

fn field(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    let length = text.len().min(31);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    bytes
}

static READY: AtomicBool = AtomicBool::new(false);

fn begin() -> Result<(), Error> {
    config().map_err(|_| Error::Inner)?;
    READY.store(true, Ordering::Release);
    Ok(())
}

fn ready() -> Result<(), Error> {
    if READY.load(Ordering::Acquire) { Ok(()) } else { Err(Error::NotReady) }
}

fn open(card: i32, device: i32) -> Result<u32, Error> {
    ready()?;
    logical(card, device)
}

fn open_v2(device: i32) -> Result<u32, Error> {
    ready()?;
    exists(u32::try_from(device).map_err(|_| Error::InvalidParameter)?)
}

fn set<T>(place: Out<T>, value: T) -> Result<(), Error> {
    place.set("", value).map_err(|_| Error::InvalidParameter)
}

/// The numbers from 0 on, if the list has room for them.
fn fill(count: Out<i32>, list: Out<i32>, length: i32, numbers: u32) -> Result<(), Error> {
    if length < numbers.cast_signed() {
        return Err(Error::InvalidParameter);
    }
    let all: Vec<i32> = (0..numbers.cast_signed()).collect();
    list.set_all("", &all).map_err(|_| Error::InvalidParameter)?;
    set(count, numbers.cast_signed())
}

/// By `DCMI_UTILIZATION_RATE_*`: there is no DDR on these cards, and the processors beside the cores do nothing here.
fn utilisation(logical: u32, kind: i32) -> Result<u32, Error> {
    match kind {
        2 | 10 | 12 | 13 => reading::utilisation(logical),
        3 | 4 => Ok(0),
        6 => {
            let hbm = reading::hbm(logical)?;
            Ok((100 * hbm.used / hbm.total.max(1)) as u32)
        }
        1 | 5 => Err(Error::NotSupported),
        _ => Err(Error::InvalidParameter),
    }
}

/// By `dcmi_freq_type`: control processors 2, HBM 6, cores now 7, cores at most 9, vector cores 12.
fn megahertz(kind: i32) -> Result<u32, Error> {
    match kind {
        2 => Ok(2000),
        6 => Ok(chip().hbm_clock),
        7 | 9 | 12 => Ok(chip().core_clock),
        1 => Err(Error::NotSupported),
        _ => Err(Error::InvalidParameter),
    }
}

fn hbm(logical: u32) -> Result<HbmInfo, Error> {
    let memory = reading::hbm(logical)?;
    Ok(HbmInfo {
        size: memory.total,
        frequency: chip().hbm_clock,
        usage: memory.used,
        temperature: reading::temperature(logical)? + 2,
        bandwidth_rate: reading::utilisation(logical)?,
    })
}

/// This process, if it has memory of the device.
fn processes(logical: u32, list: Out<Process>, count: Out<i32>) -> Result<(), Error> {
    count.check("").map_err(|_| Error::InvalidParameter)?;
    let memory = reading::allocated(logical)?;
    if memory == 0 {
        return set(count, 0);
    }
    set(list, Process { id: std::process::id().cast_signed(), memory })?;
    set(count, 1)
}
