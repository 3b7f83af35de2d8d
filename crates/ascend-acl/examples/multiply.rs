//! Multiplies two small matrices on the first Ascend device, or says what is missing.

use std::process::ExitCode;

use ascend_acl::rt::{Device, DeviceBuffer, Stream};
use ascend_acl::{Ascend, Sensors, op};

/// ```sh
/// cargo run -p ascend-acl --example multiply
/// # On a machine without a device, on a simulated one:
/// cargo run -p ascend-sim --bin ascend-sim-layout -- target/sim
/// ASCEND_ACL_PATH=target/sim/8.5 cargo run -p ascend-acl --example multiply
/// ```
fn main() -> ExitCode {
    match multiply() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            for advice in ascend_acl::probe().advice {
                eprintln!("{advice}");
            }
            ExitCode::FAILURE
        }
    }
}

fn multiply() -> ascend_acl::Result<()> {
    let ascend = Ascend::load()?;
    let device = Device::open(&ascend, 0)?;
    let simulated = if ascend.is_simulated() { "simulated " } else { "" };
    println!("{simulated}{}", device.soc_name()?);

    let stream = Stream::new(&device)?;
    let x = DeviceBuffer::from_slice(&device, &[1.0_f32, 2.0, 3.0, 4.0])?;
    let swap = DeviceBuffer::from_slice(&device, &[0.0_f32, 1.0, 1.0, 0.0])?;
    let out = DeviceBuffer::<f32>::new(&device, 4)?;
    op::mm(&stream, &x.tensor(&[2, 2])?, &swap.tensor(&[2, 2])?, &out.tensor(&[2, 2])?)?;
    println!("columns swapped: {:?}", out.to_vec()?);

    let reading = Sensors::open(&device).read();
    println!("power {:?} W, {:?} °C", reading.power_w, reading.temperature_c);
    Ok(())
}
