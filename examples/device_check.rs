//! Checks every operator of `ascend-acl` on a device against a plain computation on the host.

mod terminal;

use std::process::ExitCode;

use ascend_acl::rt::{Device, Stream};
use ascend_acl::{Ascend, Error};
use clap::Parser;

#[path = "../crates/ascend-acl/tests/cases/mod.rs"]
mod cases;

use cases::{Bench, Case, Failure};

#[derive(Parser)]
#[command(about)]
struct Args {
    /// The device
    #[arg(long, default_value_t = 0)]
    device: i32,
    /// Only cases whose name has this in it
    #[arg(long, default_value = "")]
    only: String,
}

/// On a machine with an Ascend NPU and CANN:
///
/// ```sh
/// cargo run --release --example device_check
/// ```
///
/// On the simulator, which any Linux machine can be:
///
/// ```sh
/// cargo build -p ascend-sim
/// cargo run -p ascend-sim --bin ascend-sim-layout -- target/sim
/// ASCEND_ACL_PATH=target/sim/8.5 cargo run --example device_check
/// ```
///
/// Ends with 0 if every case passed that this release and this chip have, with 1 if one did not, and with 2 if there is
/// no device.
fn main() -> ExitCode {
    let args = terminal::arguments::<Args>();
    match check(&args) {
        Ok(failed) => ExitCode::from(u8::from(failed > 0)),
        Err(error) => {
            eprintln!("{error}");
            eprintln!("`cargo run --example npu_info` says what is there and what is missing");
            ExitCode::from(2)
        }
    }
}

fn check(args: &Args) -> Result<usize, Error> {
    let ascend = Ascend::load()?;
    let mut device = Device::open(&ascend, args.device)?;
    println!("device {}, {}", device.id(), device.soc_name()?);
    let (mut passed, mut failed, mut left_out) = (0, 0, 0);
    for case in cases::all().iter().filter(|case| case.name.contains(&args.only)) {
        match run(case, &device) {
            Ok(()) => {
                passed += 1;
                println!("pass  {}", case.name);
            }
            Err(why @ (Failure::Missing(_) | Failure::NotHere(_))) => {
                left_out += 1;
                println!("-     {}: {why}", case.name);
            }
            Err(why) => {
                failed += 1;
                println!("FAIL  {}: {why}", case.name);
            }
        }
        // What comes after a device fault is not to blame for it.
        if device.fault().is_some() {
            drop(device);
            device = Device::open(&ascend, args.device)?;
        }
    }
    println!("{passed} passed, {failed} failed, {left_out} not on this chip or in this release");
    for error in ascend.take_drop_errors() {
        println!("while tidying up: {error}");
    }
    Ok(failed)
}

fn run(case: &Case, device: &Device) -> Result<(), Failure> {
    let stream = Stream::new(device)?;
    (case.run)(&Bench::new(device, &stream))?;
    stream.synchronise()?;
    Ok(())
}
