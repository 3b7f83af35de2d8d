//! The sensors of the NPUs that a measurement runs on.

use std::error::Error;

use ascend_acl::rt::Device;
use ascend_acl::{Ascend, SensorSource};
use moe_bench::{Reading, Sampler, Sensors};

/// Those of one NPU.
struct Npu(ascend_acl::Sensors);

impl Sensors for Npu {
    fn device(&self) -> String {
        format!("npu:{}", self.0.device().id())
    }

    fn read(&self) -> Reading {
        let read = self.0.read();
        Reading {
            power_w: read.power_w,
            temperature_c: read.temperature_c.map(f64::from),
            ai_core_percent: read.ai_core.map(f64::from),
            ai_core_mhz: read.ai_core_mhz.map(f64::from),
            hbm_used_bytes: read.hbm_used.map(|bytes| bytes as f64),
            hbm_mhz: read.hbm_mhz.map(f64::from),
            hbm_bandwidth_percent: read.hbm_bandwidth.map(f64::from),
        }
    }
}

/// Reads the sensors of these NPUs; what they do not tell is said in the report.
pub(crate) fn of_npus(devices: &[i32]) -> Result<Sampler, Box<dyn Error>> {
    let ascend = Ascend::load()?;
    let open = |&id| Ok(ascend_acl::Sensors::open(&Device::open(&ascend, id)?));
    let opened: Vec<_> = devices.iter().map(open).collect::<ascend_acl::Result<_>>()?;
    let missing: Vec<_> = opened.iter().flat_map(ascend_acl::Sensors::problems).cloned().collect();
    let by_driver = opened.iter().all(|sensors| sensors.source() == SensorSource::Dcmi);
    let source = if by_driver { SensorSource::Dcmi } else { SensorSource::Acl };
    let simulated = if ascend.is_simulated() { "simulated " } else { "" };
    let sensors = opened.into_iter().map(|sensors| Box::new(Npu(sensors)) as Box<dyn Sensors>);
    Ok(Sampler::new(format!("{simulated}{source}"), sensors.collect()).missing(missing))
}
