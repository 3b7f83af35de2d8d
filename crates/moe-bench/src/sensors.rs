//! The sensors of accelerators, read while a run goes on.

mod energy;
mod sampler;

use serde::{Deserialize, Serialize};

use crate::Spread;

pub use sampler::Sampler;
pub(crate) use sampler::Samples;

/// The sensors of one device. They are read on a thread of their own.
pub trait Sensors: Send + Sync {
    /// The device, for people: `npu:0`.
    fn device(&self) -> String;

    /// What they say now; `None` for what they do not tell.
    fn read(&self) -> Reading;
}

/// A value of each sensor of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sensed<T> {
    /// Power in watts.
    pub power_w: T,
    /// Temperature in degrees Celsius.
    pub temperature_c: T,
    /// Load of the AI cores in per cent.
    pub ai_core_percent: T,
    /// Clock of the AI cores in MHz.
    pub ai_core_mhz: T,
    /// Memory of the device in use, by whomever, in bytes.
    pub hbm_used_bytes: T,
    /// Clock of that memory in MHz.
    pub hbm_mhz: T,
    /// Use of its bandwidth in per cent.
    pub hbm_bandwidth_percent: T,
}

/// What the sensors say at one moment.
pub type Reading = Sensed<Option<f64>>;

/// Where the readings of one sensor lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sampled {
    /// The smallest.
    pub min: f64,
    /// The middle one.
    pub median: f64,
    /// The largest.
    pub max: f64,
    /// How many there are.
    pub samples: usize,
}

/// What the sensors of one device said over all counted runs of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeviceSensed {
    /// The device: `npu:0`.
    pub device: String,
    /// Each sensor; `None` for those that said nothing.
    pub sensed: Sensed<Option<Sampled>>,
    /// Joules of each run: the integral of the device's power over the time of the run; empty without power.
    pub joules: Vec<f64>,
}

/// Where the readings of a report come from, and what is missing among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SensorFacts {
    /// Who tells, for people: `DCMI`, `simulated DCMI`.
    pub source: String,
    /// Milliseconds from one reading to the next.
    pub interval_ms: u64,
    /// The devices.
    pub devices: Vec<String>,
    /// What cannot be read and why, a sentence each.
    pub missing: Vec<String>,
}

impl Sampled {
    /// Of values in any order; `None` if there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let Spread { min, median, max, .. } = Spread::of(values);
        let samples = values.len();
        (samples > 0).then_some(Self { min, median, max, samples })
    }
}

impl<T> Sensed<T> {
    /// Of every sensor, what is found for it.
    pub(crate) fn each(mut find: impl FnMut(fn(&Reading) -> Option<f64>) -> T) -> Self {
        Self {
            power_w: find(|reading| reading.power_w),
            temperature_c: find(|reading| reading.temperature_c),
            ai_core_percent: find(|reading| reading.ai_core_percent),
            ai_core_mhz: find(|reading| reading.ai_core_mhz),
            hbm_used_bytes: find(|reading| reading.hbm_used_bytes),
            hbm_mhz: find(|reading| reading.hbm_mhz),
            hbm_bandwidth_percent: find(|reading| reading.hbm_bandwidth_percent),
        }
    }
}

impl DeviceSensed {
    /// Of some runs, the devices in the same order in each.
    pub(crate) fn of_runs(sampler: &Sampler, runs: &[Samples]) -> Vec<Self> {
        let devices = sampler.devices().into_iter().enumerate();
        let sensed = |(index, device)| {
            let readings = || runs.iter().flat_map(move |run| run.within(index));
            let sensed =
                Sensed::each(|of| Sampled::of(&readings().filter_map(of).collect::<Vec<_>>()));
            let joules: Option<Vec<_>> = runs.iter().map(|run| run.joules(index)).collect();
            Self { device, sensed, joules: joules.unwrap_or_default() }
        };
        devices.map(sensed).collect()
    }

    /// The most readings that any of its sensors gave.
    #[must_use]
    pub fn samples(&self) -> usize {
        let Sensed {
            power_w,
            temperature_c,
            ai_core_percent,
            ai_core_mhz,
            hbm_used_bytes,
            hbm_mhz,
            hbm_bandwidth_percent,
        } = self.sensed;
        let all = [power_w, temperature_c, ai_core_percent, ai_core_mhz, hbm_used_bytes, hbm_mhz];
        let all = all.into_iter().chain([hbm_bandwidth_percent]).flatten();
        all.map(|sampled| sampled.samples).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_middle() {
        assert_eq!(Sampled::of(&[]), None);
        let sampled = Sampled::of(&[3.0, 1.0, 2.0]);
        assert_eq!(sampled, Some(Sampled { min: 1.0, median: 2.0, max: 3.0, samples: 3 }));
    }

    #[test]
    fn every_sensor_keeps_its_place() {
        let reading = Sensed {
            power_w: Some(1.0),
            temperature_c: Some(2.0),
            ai_core_percent: Some(3.0),
            ai_core_mhz: Some(4.0),
            hbm_used_bytes: Some(5.0),
            hbm_mhz: Some(6.0),
            hbm_bandwidth_percent: None,
        };
        assert_eq!(Sensed::each(|of| of(&reading)), reading);
    }
}
