//! The sensors of one device, to be read again and again.

use std::ffi::c_int;
use std::fmt;

use super::device::{known, note, of_driver};
use super::telemetry::Telemetry;
use crate::rt::Device;
use crate::sys::{dcmi_freq_type, dcmi_rate};

/// The sensors of an open device, for whoever reads them while it works.
///
/// They are those of the driver's telemetry, DCMI. Where that is missing, or says nothing of its load, the runtime is asked
/// for the load; it knows neither power nor temperature. Readings may be taken on any thread.
///
/// ```
/// use ascend_acl::{Ascend, Sensors, rt::Device};
///
/// fn watts(ascend: &Ascend) -> ascend_acl::Result<Option<f64>> {
///     let sensors = Sensors::open(&Device::open(ascend, 0)?);
///     for missing in sensors.problems() {
///         eprintln!("{missing}");
///     }
///     Ok(sensors.read().power_w)
/// }
/// ```
#[derive(Clone)]
pub struct Sensors {
    device: Device,
    place: Option<Place>,
    problems: Vec<String>,
}

/// Where DCMI finds the device.
#[derive(Clone, Copy)]
struct Place {
    telemetry: Telemetry,
    card: c_int,
    chip: c_int,
}

/// Who tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SensorSource {
    /// DCMI, the telemetry of the driver.
    Dcmi,
    /// The runtime, ACL, which knows the load alone.
    Acl,
}

/// What the sensors of a device say at one moment; `None` for what they do not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// Watts that the device takes, to a tenth.
    pub power_w: Option<f64>,
    /// Degrees Celsius of the chip.
    pub temperature_c: Option<i32>,
    /// Load of the AI cores (cube cores) in per cent.
    pub ai_core: Option<i32>,
    /// Clock of the AI cores in MHz.
    pub ai_core_mhz: Option<u32>,
    /// Bytes of HBM in use on the card, by the system and by all processes; DCMI counts in MiB.
    pub hbm_used: Option<u64>,
    /// Clock of HBM in MHz.
    pub hbm_mhz: Option<u32>,
    /// Use of the bandwidth of HBM in per cent.
    pub hbm_bandwidth: Option<i32>,
}

impl Sensors {
    /// Finds the sensors of a device, and reads each once to learn which there are.
    #[must_use]
    pub fn open(device: &Device) -> Self {
        let mut problems = Vec::new();
        let telemetry = note(&mut problems, Telemetry::start(device.ascend()));
        let place = telemetry.and_then(|telemetry| {
            let found = telemetry.place(of_driver(device.id().cast_unsigned()));
            let (card, chip) = note(&mut problems, found)?;
            Some(Place { telemetry, card, chip })
        });
        let mut sensors = Self { device: device.clone(), place, problems: Vec::new() };
        sensors.look(&mut problems);
        sensors.problems = problems;
        sensors
    }

    /// What they say now. What cannot be read is `None`.
    #[must_use]
    pub fn read(&self) -> Reading {
        self.look(&mut Vec::new())
    }

    /// Who tells of most.
    #[must_use]
    pub fn source(&self) -> SensorSource {
        if self.place.is_some() { SensorSource::Dcmi } else { SensorSource::Acl }
    }

    /// What could not be read when the sensors were opened, and why; a sentence each.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The device whose sensors they are.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn look(&self, problems: &mut Vec<String>) -> Reading {
        let mut reading = self.place.map_or_else(Reading::default, |place| place.look(problems));
        if reading.ai_core.is_none() {
            let load = note(problems, self.device.utilisation());
            reading.ai_core = load.and_then(|load| known(load.cube));
        }
        reading
    }
}

impl Place {
    fn look(self, problems: &mut Vec<String>) -> Reading {
        let Self { telemetry, card, chip } = self;
        let mut rate = |what| note(problems, telemetry.rate(card, chip, what));
        let (ai_core, hbm_bandwidth) = (rate(dcmi_rate::AICORE), rate(dcmi_rate::HBM_BANDWIDTH));
        let hbm = note(problems, telemetry.hbm(card, chip));
        let clock = telemetry.frequency(card, chip, dcmi_freq_type::AICORE_CURRENT_);
        Reading {
            power_w: note(problems, telemetry.power(card, chip)),
            temperature_c: note(problems, telemetry.temperature(card, chip)),
            ai_core,
            ai_core_mhz: note(problems, clock),
            hbm_used: hbm.map(|hbm| Telemetry::bytes(hbm.memory_usage)),
            hbm_mhz: hbm.map(|hbm| hbm.freq),
            hbm_bandwidth,
        }
    }
}

impl fmt::Debug for Sensors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sensors")
            .field("device", &self.device.id())
            .field("source", &self.source())
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for SensorSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dcmi => "DCMI",
            Self::Acl => "ACL",
        })
    }
}
