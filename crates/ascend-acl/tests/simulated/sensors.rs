//! Sensors, read while a device is open.

use std::thread;

use ascend_acl::rt::DeviceBuffer;
use ascend_acl::{SensorSource, Sensors};

use super::machine::{alone, device};

#[test]
fn every_sensor_of_a_card_is_read_on_any_thread() {
    let _alone = alone();
    let device = device();
    let sensors = Sensors::open(&device);
    assert_eq!((sensors.source(), sensors.problems()), (SensorSource::Dcmi, &[][..]));
    let before = sensors.read();
    let buffer = DeviceBuffer::<u8>::zeroed(&device, 256 << 20).unwrap();
    let reading = thread::scope(|scope| scope.spawn(|| sensors.read()).join().unwrap());
    drop(buffer);
    // What the simulator's Ascend910B3 may say.
    let watts = reading.power_w.unwrap();
    assert!((90.0..=300.0).contains(&watts), "{watts}");
    assert!((40..=65).contains(&reading.temperature_c.unwrap()), "{reading:?}");
    assert!((0..=100).contains(&reading.ai_core.unwrap()), "{reading:?}");
    assert!((0..=100).contains(&reading.hbm_bandwidth.unwrap()), "{reading:?}");
    assert_eq!((reading.ai_core_mhz, reading.hbm_mhz), (Some(1800), Some(1600)));
    assert!(reading.hbm_used > before.hbm_used, "{before:?} {reading:?}");
}
