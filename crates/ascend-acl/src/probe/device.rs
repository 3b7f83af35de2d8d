//! Devices: what the runtime says of them, and what the driver's telemetry adds.

use std::env;
use std::ffi::CStr;
use std::ptr;

use super::telemetry::{OnDevice, Telemetry};
use super::version::Version;
use crate::error::Result;
use crate::library::Ascend;
use crate::sys::{aclDeviceInfo, aclrtDeviceStatus, aclrtMemAttr, aclrtUtilizationInfo};

/// A device that the process sees.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Device {
    /// Number for `aclrtSetDevice`.
    pub id: i32,
    /// Name of the chip as the driver gives it, such as `910B3`.
    pub name: Option<String>,
    /// `OK`, `Warning`, `Alarm` or `Critical`, as `npu-smi info` says it.
    pub health: Option<&'static str>,
    /// Whether the runtime finds the device in order.
    pub in_order: Option<bool>,
    /// Watts.
    pub power_w: Option<f64>,
    /// Degrees Celsius.
    pub temperature_c: Option<i32>,
    /// Memory.
    pub hbm: Hbm,
    /// Load.
    pub utilisation: Utilisation,
    /// Cube cores ("AI cores").
    pub ai_cores: Option<i64>,
    /// Vector cores.
    pub vector_cores: Option<i64>,
    /// Card number of the driver.
    pub card: Option<i32>,
    /// Number of the chip on the card.
    pub chip: Option<i32>,
    /// What could not be found out, and why.
    pub problems: Vec<String>,
}

/// Memory of a device in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Hbm {
    /// What a program can have at most.
    pub total: Option<u64>,
    /// What is left of that.
    pub free: Option<u64>,
    /// What is on the card, system included.
    pub on_card: Option<u64>,
    /// What is in use on the card, by the system and by all processes.
    pub used_on_card: Option<u64>,
}

/// Load of a device in per cent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Utilisation {
    /// Cube cores.
    pub cube: Option<i32>,
    /// Vector cores.
    pub vector: Option<i32>,
    /// AI CPUs.
    pub ai_cpu: Option<i32>,
    /// Bandwidth of the memory.
    pub hbm_bandwidth: Option<i32>,
}

/// All devices, and the driver's version.
pub(super) fn devices(
    ascend: Ascend,
    problems: &mut Vec<String>,
) -> (Vec<Device>, Option<Version>) {
    let count = note(problems, count(ascend)).unwrap_or(0);
    let telemetry = note(problems, Telemetry::start(ascend));
    let one = |id: u32| {
        let mut device = Device::of(ascend, id);
        let card = telemetry.as_ref().and_then(|telemetry| telemetry.card(of_driver(id)));
        if let Some(card) = card {
            device.add(&card);
        }
        device
    };
    let devices = (0..count).map(one).collect();
    let driver = telemetry.and_then(|telemetry| telemetry.driver_version());
    (devices, driver.map(|version| Version::new("driver (DCMI)", version)))
}

/// Name of the chip.
pub(super) fn soc(ascend: Ascend) -> Option<String> {
    let get = ascend.acl().aclrtGetSocName().ok()?;
    // SAFETY: the function takes nothing.
    let name = unsafe { get() };
    if name.is_null() {
        return None;
    }
    // SAFETY: what is not null is a string that lives as long as the runtime.
    let name = unsafe { CStr::from_ptr(name) };
    Some(name.to_string_lossy().into_owned()).filter(|name| !name.is_empty())
}

fn count(ascend: Ascend) -> Result<u32> {
    let get = ascend.acl().aclrtGetDeviceCount()?;
    let mut count = 0;
    // SAFETY: the number can be written to.
    let code = unsafe { get(&raw mut count) };
    ascend.check("aclrtGetDeviceCount", code)?;
    Ok(count)
}

/// The driver's number of a device that the process sees; DCMI does not know of the choice of visible devices.
pub(super) fn of_driver(id: u32) -> u32 {
    visible().and_then(|ids| ids.get(id as usize).copied()).unwrap_or(id)
}

/// `ASCEND_RT_VISIBLE_DEVICES`: the driver's numbers of devices 0, 1, …
fn visible() -> Option<Vec<u32>> {
    let list = env::var("ASCEND_RT_VISIBLE_DEVICES").ok()?;
    list.split(',').map(|id| id.trim().parse().ok()).collect()
}

pub(super) fn note<T>(problems: &mut Vec<String>, result: Result<T>) -> Option<T> {
    result.map_err(|error| problems.push(error.to_string())).ok()
}

impl Device {
    fn of(ascend: Ascend, id: u32) -> Self {
        let mut problems = Vec::new();
        let hbm = note(&mut problems, hbm(ascend, id.cast_signed())).unwrap_or_default();
        let load = note(&mut problems, utilisation(ascend, id.cast_signed())).unwrap_or_default();
        let in_order = note(&mut problems, in_order(ascend, id.cast_signed()));
        let ai_cores = note(&mut problems, capability(ascend, id, aclDeviceInfo::AI_CORE_NUM));
        let vectors = note(&mut problems, capability(ascend, id, aclDeviceInfo::VECTOR_CORE_NUM));
        Self {
            id: id.cast_signed(),
            name: None,
            health: None,
            in_order,
            power_w: None,
            temperature_c: None,
            hbm,
            utilisation: load,
            ai_cores,
            vector_cores: vectors,
            card: None,
            chip: None,
            problems,
        }
    }

    fn add(&mut self, card: &OnDevice) {
        self.card = Some(card.card);
        self.chip = Some(card.chip);
        self.name.clone_from(&card.name);
        self.health = card.health;
        self.power_w = card.power_w;
        self.temperature_c = card.temperature_c;
        self.hbm.on_card = card.hbm_bytes;
        self.hbm.used_on_card = card.hbm_used_bytes;
        self.utilisation.hbm_bandwidth = card.hbm_bandwidth;
        self.utilisation.cube = self.utilisation.cube.or(card.ai_core);
        self.problems.extend(card.problems.iter().cloned());
    }
}

/// Memory, for which the thread has to be bound to the device.
fn hbm(ascend: Ascend, id: i32) -> Result<Hbm> {
    let acl = ascend.acl();
    let (set, info, reset) =
        (acl.aclrtSetDevice()?, acl.aclrtGetMemInfo()?, acl.aclrtResetDevice()?);
    // SAFETY: the function takes any number.
    let code = unsafe { set(id) };
    ascend.check("aclrtSetDevice", code)?;
    let (mut free, mut total) = (0, 0);
    // SAFETY: both numbers can be written to.
    let code = unsafe { info(aclrtMemAttr::HBM_MEM, &raw mut free, &raw mut total) };
    let found = ascend.check("aclrtGetMemInfo", code);
    // SAFETY: the function takes any number; this gives back what was taken above.
    let code = unsafe { reset(id) };
    found?;
    ascend.check("aclrtResetDevice", code)?;
    Ok(Hbm { total: Some(total as u64), free: Some(free as u64), ..Hbm::default() })
}

fn utilisation(ascend: Ascend, id: i32) -> Result<Utilisation> {
    let get = ascend.acl().aclrtGetDeviceUtilizationRate()?;
    let mut load = aclrtUtilizationInfo {
        cubeUtilization: -1,
        vectorUtilization: -1,
        aicpuUtilization: -1,
        memoryUtilization: -1,
        utilizationExtend: ptr::null_mut(),
    };
    // SAFETY: the structure can be written to, and its pointer is null as it must be.
    let code = unsafe { get(id, &raw mut load) };
    ascend.check("aclrtGetDeviceUtilizationRate", code)?;
    Ok(Utilisation {
        cube: known(load.cubeUtilization),
        vector: known(load.vectorUtilization),
        ai_cpu: known(load.aicpuUtilization),
        hbm_bandwidth: None,
    })
}

/// A load, which is negative where it is not known.
pub(super) fn known(percent: i32) -> Option<i32> {
    (percent >= 0).then_some(percent)
}

fn in_order(ascend: Ascend, id: i32) -> Result<bool> {
    let get = ascend.acl().aclrtQueryDeviceStatus()?;
    let mut status = aclrtDeviceStatus::END;
    // SAFETY: the number can be written to.
    let code = unsafe { get(id, &raw mut status) };
    ascend.check("aclrtQueryDeviceStatus", code)?;
    Ok(status == aclrtDeviceStatus::NORMAL)
}

fn capability(ascend: Ascend, id: u32, what: aclDeviceInfo) -> Result<i64> {
    let get = ascend.acl().aclGetDeviceCapability()?;
    let mut value = 0;
    // SAFETY: the number can be written to.
    let code = unsafe { get(id, what, &raw mut value) };
    ascend.check("aclGetDeviceCapability", code)?;
    Ok(value)
}
