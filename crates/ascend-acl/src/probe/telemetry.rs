//! The driver's telemetry, DCMI, which may be absent or closed to the user.

use std::ffi::{c_char, c_int, c_uint};

use super::cstr::text;
use crate::error::Result;
use crate::library::Ascend;
use crate::sys::{Dcmi, dcmi_chip_info, dcmi_freq_type, dcmi_hbm_info, dcmi_rate};

/// DCMI, started.
#[derive(Clone, Copy)]
pub(super) struct Telemetry {
    ascend: Ascend,
    dcmi: &'static Dcmi,
}

/// What DCMI says of one device.
#[derive(Default)]
pub(super) struct OnDevice {
    pub(super) card: i32,
    pub(super) chip: i32,
    pub(super) name: Option<String>,
    pub(super) health: Option<&'static str>,
    pub(super) power_w: Option<f64>,
    pub(super) temperature_c: Option<i32>,
    pub(super) hbm_bytes: Option<u64>,
    pub(super) hbm_used_bytes: Option<u64>,
    pub(super) hbm_bandwidth: Option<i32>,
    pub(super) ai_core: Option<i32>,
    pub(super) problems: Vec<String>,
}

/// `dcmi_hbm_info` counts in these.
const MEGABYTE: u64 = 1 << 20;

impl Telemetry {
    pub(super) fn start(ascend: Ascend) -> Result<Self> {
        let dcmi = ascend.dcmi()?;
        let init = dcmi.dcmi_init()?;
        // SAFETY: the function takes nothing, and may be called again.
        let code = unsafe { init() };
        ascend.check_dcmi("dcmi_init", code)?;
        Ok(Self { ascend, dcmi })
    }

    pub(super) fn driver_version(&self) -> Option<String> {
        let get = self.dcmi.dcmi_get_driver_version().ok()?;
        let mut version = [0_u8; 256];
        // SAFETY: the array has as many bytes as the function is told.
        let code = unsafe { get(version.as_mut_ptr().cast::<c_char>(), version.len() as c_uint) };
        let version = text(&version);
        (code == 0 && !version.is_empty()).then_some(version)
    }

    /// Card and chip of a device, by the driver's number.
    pub(super) fn place(&self, logical: u32) -> Result<(c_int, c_int)> {
        let find = self.dcmi.dcmi_get_card_id_device_id_from_logicid()?;
        let (mut card, mut chip) = (0, 0);
        // SAFETY: both numbers can be written to.
        let code = unsafe { find(&raw mut card, &raw mut chip, logical) };
        self.ascend.check_dcmi("dcmi_get_card_id_device_id_from_logicid", code)?;
        Ok((card, chip))
    }

    /// What is known of a device, by the driver's number; `None` if it has none of that number.
    pub(super) fn card(&self, logical: u32) -> Option<OnDevice> {
        let (card, chip) = self.place(logical).ok()?;
        let mut found = OnDevice { card, chip, ..OnDevice::default() };
        found.health = found.note(self.health(card, chip)).flatten();
        found.name = found.note(self.name(card, chip));
        found.power_w = found.note(self.power(card, chip));
        found.temperature_c = found.note(self.temperature(card, chip));
        if let Some(hbm) = found.note(self.hbm(card, chip)) {
            found.hbm_bytes = Some(Self::bytes(hbm.memory_size));
            found.hbm_used_bytes = Some(Self::bytes(hbm.memory_usage));
        }
        found.hbm_bandwidth = found.note(self.rate(card, chip, dcmi_rate::HBM_BANDWIDTH));
        found.ai_core = found.note(self.rate(card, chip, dcmi_rate::AICORE));
        Some(found)
    }

    /// In the words of `npu-smi`.
    fn health(&self, card: c_int, chip: c_int) -> Result<Option<&'static str>> {
        let get = self.dcmi.dcmi_get_device_health()?;
        let mut health: c_uint = 0;
        // SAFETY: the number can be written to.
        let code = unsafe { get(card, chip, &raw mut health) };
        self.ascend.check_dcmi("dcmi_get_device_health", code)?;
        Ok(["OK", "Warning", "Alarm", "Critical"].get(health as usize).copied())
    }

    fn name(&self, card: c_int, chip: c_int) -> Result<String> {
        let get = self.dcmi.dcmi_get_device_chip_info()?;
        let mut info = dcmi_chip_info {
            chip_type: [0; 32],
            chip_name: [0; 32],
            chip_ver: [0; 32],
            aicore_cnt: 0,
        };
        // SAFETY: the structure can be written to.
        let code = unsafe { get(card, chip, &raw mut info) };
        self.ascend.check_dcmi("dcmi_get_device_chip_info", code)?;
        Ok(text(&info.chip_name))
    }

    pub(super) fn power(&self, card: c_int, chip: c_int) -> Result<f64> {
        let get = self.dcmi.dcmi_get_device_power_info()?;
        let mut tenths = 0;
        // SAFETY: the number can be written to.
        let code = unsafe { get(card, chip, &raw mut tenths) };
        self.ascend.check_dcmi("dcmi_get_device_power_info", code)?;
        Ok(f64::from(tenths) / 10.0)
    }

    pub(super) fn temperature(&self, card: c_int, chip: c_int) -> Result<i32> {
        let get = self.dcmi.dcmi_get_device_temperature()?;
        let mut degrees = 0;
        // SAFETY: the number can be written to.
        let code = unsafe { get(card, chip, &raw mut degrees) };
        self.ascend.check_dcmi("dcmi_get_device_temperature", code)?;
        Ok(degrees)
    }

    pub(super) fn hbm(&self, card: c_int, chip: c_int) -> Result<dcmi_hbm_info> {
        let get = self.dcmi.dcmi_get_device_hbm_info()?;
        let mut info = dcmi_hbm_info::default();
        // SAFETY: the structure can be written to.
        let code = unsafe { get(card, chip, &raw mut info) };
        self.ascend.check_dcmi("dcmi_get_device_hbm_info", code)?;
        Ok(info)
    }

    pub(super) fn rate(&self, card: c_int, chip: c_int, what: c_int) -> Result<i32> {
        let get = self.dcmi.dcmi_get_device_utilization_rate()?;
        let mut percent: c_uint = 0;
        // SAFETY: the number can be written to.
        let code = unsafe { get(card, chip, what, &raw mut percent) };
        self.ascend.check_dcmi("dcmi_get_device_utilization_rate", code)?;
        Ok(i32::try_from(percent).unwrap_or(i32::MAX))
    }

    /// MHz of a clock.
    pub(super) fn frequency(&self, card: c_int, chip: c_int, clock: dcmi_freq_type) -> Result<u32> {
        let get = self.dcmi.dcmi_get_device_frequency()?;
        let mut megahertz: c_uint = 0;
        // SAFETY: the number can be written to.
        let code = unsafe { get(card, chip, clock, &raw mut megahertz) };
        self.ascend.check_dcmi("dcmi_get_device_frequency", code)?;
        Ok(megahertz)
    }

    /// Bytes of a size in `dcmi_hbm_info`.
    pub(super) fn bytes(size: u64) -> u64 {
        size.saturating_mul(MEGABYTE)
    }
}

impl OnDevice {
    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.problems.push(error.to_string())).ok()
    }
}
