//! Bad weather, each kind in a process of its own, since the simulator reads its environment once.

use std::env;
use std::process::Command;
use std::thread;

use ascend_acl::codes::Class;
use ascend_acl::op;
use ascend_acl::rt::{Device, DeviceBuffer, HostBuffer, Stream};
use ascend_acl::{Ascend, Error};
use ascend_sim::layout::{Cann, Layout, lay_out};

use super::machine::{ascend, counters, device};

/// Runs an ignored test of this program with some variables set.
fn in_weather(test: &str, variables: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let libraries = lay_out(folder.path(), crate::CANN).unwrap();
    in_folder(test, &libraries, variables);
}

fn in_folder(test: &str, libraries: &std::path::Path, variables: &[(&str, &str)]) {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "--ignored", "--nocapture", &format!("simulated::weather::{test}")]);
    child.env("ASCEND_ACL_PATH", libraries);
    let output = child.envs(variables.iter().copied()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}\n{words}");
}

#[test]
fn memory_runs_out() {
    in_weather("child_memory", &[("ASCEND_SIM_HBM", "33554432"), ("ASCEND_SIM_WORKSPACE", "0")]);
}

#[test]
#[ignore = "a child of `memory_runs_out`"]
fn child_memory() {
    let device = device();
    let total = device.memory().unwrap().total;
    let stream = Stream::new(&device).unwrap();
    let error = DeviceBuffer::<u8>::new(&device, 2 * total).unwrap_err();
    assert_eq!(error.class(), Class::OutOfMemory, "{error}");
    // Twelve MB at a time, of 32: the third only fits once the first, which was in use when it was dropped, is freed.
    for _ in 0..10 {
        let buffer = DeviceBuffer::<f32>::new(&device, 3 << 20).unwrap();
        stream.fill_bytes(&buffer, 0).unwrap();
        drop(buffer);
    }
    stream.synchronise().unwrap();
    let rest = DeviceBuffer::<u8>::zeroed(&device, 16 << 20).unwrap();
    assert!(rest.to_vec().unwrap().iter().all(|byte| *byte == 0));
    drop((rest, stream));
    assert_eq!(counters().device_bytes, 0);
    assert!(ascend().take_drop_errors().is_empty());
}

#[test]
fn a_workspace_does_not_fit() {
    let variables = [("ASCEND_SIM_HBM", "33554432"), ("ASCEND_SIM_WORKSPACE", "67108864")];
    in_weather("child_workspace", &variables);
}

#[test]
#[ignore = "a child of `a_workspace_does_not_fit`"]
fn child_workspace() {
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let x = DeviceBuffer::from_slice(&device, &[1.0_f32; 64]).unwrap();
    let before = counters().alive();
    let error = op::scale_in_place(&stream, &x.tensor(&[64]).unwrap(), 2.0).unwrap_err();
    assert_eq!(error.class(), Class::OutOfMemory, "{error}");
    let dropped = ascend().take_drop_errors();
    assert!(dropped.is_empty(), "{dropped:?}");
    // The executor was prepared and never ran.
    assert_eq!(counters().alive(), before);
    assert_eq!(x.to_vec().unwrap(), [1.0; 64]);
}

#[test]
fn an_allocation_fails() {
    in_weather("child_allocation", &[("ASCEND_SIM_FAULTS", "malloc:2")]);
}

#[test]
#[ignore = "a child of `an_allocation_fails`"]
fn child_allocation() {
    let device = device();
    let first = DeviceBuffer::<f32>::zeroed(&device, 10).unwrap();
    let error = DeviceBuffer::<f32>::zeroed(&device, 10).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::OutOfMemory, Some(207_001)), "{error}");
    assert_eq!(first.to_vec().unwrap(), [0.0; 10]);
    assert!(DeviceBuffer::<f32>::zeroed(&device, 10).is_ok());
}

#[test]
fn a_kernel_faults() {
    in_weather("child_kernel", &[("ASCEND_SIM_FAULTS", "kernel:3")]);
}

#[test]
#[ignore = "a child of `a_kernel_faults`"]
fn child_kernel() {
    faults(507_015);
}

#[test]
fn the_device_is_lost() {
    in_weather("child_lost", &[("ASCEND_SIM_FAULTS", "lost:3")]);
}

#[test]
#[ignore = "a child of `the_device_is_lost`"]
fn child_lost() {
    faults(507_010);
}

/// The third launch faults: the call that waits says so, every later one says that the context is lost, and the device can be
/// opened again when all is dropped.
fn faults(code: i32) {
    {
        let device = device();
        let stream = Stream::new(&device).unwrap();
        let x = DeviceBuffer::from_slice(&device, &[1.0_f32; 64]).unwrap();
        let view = x.tensor(&[64]).unwrap();
        for _ in 0..5 {
            let _ = op::scale_in_place(&stream, &view, 2.0);
        }
        let error = stream.synchronise().unwrap_err();
        assert_eq!((error.class(), error.code()), (Class::DeviceFault, Some(code)), "{error}");
        assert!(error.to_string().contains("context must be dropped"), "{error}");
        let words = |error: Error| {
            assert_eq!(error.class(), Class::DeviceFault);
            assert!(matches!(error, Error::ContextLost { device: 0, .. }), "{error}");
            assert!(error.to_string().contains("is lost"), "{error}");
        };
        words(op::scale_in_place(&stream, &view, 2.0).unwrap_err());
        words(x.to_vec().unwrap_err());
        words(DeviceBuffer::<f32>::new(&device, 5).unwrap_err());
        words(HostBuffer::<f32>::new(&device, 5).unwrap_err());
        words(Stream::new(&device).unwrap_err());
        words(self::device().bind().unwrap_err());
        assert_eq!(device.fault().unwrap().code, code);
    }
    assert!(ascend().take_drop_errors().is_empty());
    assert_eq!(counters().alive(), super::machine::Counters::default());
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let x = DeviceBuffer::from_slice(&device, &[1.0_f32; 64]).unwrap();
    op::scale_in_place(&stream, &x.tensor(&[64]).unwrap(), 2.0).unwrap();
    assert_eq!(x.to_vec().unwrap(), [2.0; 64]);
}

#[test]
fn a_kernel_hangs() {
    in_weather("child_hang", &[("ASCEND_SIM_FAULTS", "hang:1")]);
}

#[test]
#[ignore = "a child of `a_kernel_hangs`"]
fn child_hang() {
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let x = DeviceBuffer::from_slice(&device, &[1.0_f32; 64]).unwrap();
    op::scale_in_place(&stream, &x.tensor(&[64]).unwrap(), 2.0).unwrap();
    let error = stream.synchronise_for(std::time::Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.class(), Class::Timeout, "{error}");
    assert!(!stream.is_idle().unwrap());
    // In use: it must not be freed, and is not.
    drop(x);
    assert!(counters().device_bytes > 0);
    stream.abort().unwrap();
    stream.synchronise().unwrap();
}

#[test]
fn half_of_the_symbols_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut layout = Layout::new(crate::CANN)
        .missing("aclnnAddmm")
        .missing("aclnnAddmmGetWorkspaceSize")
        .missing("aclnnFusedInferAttentionScoreV4")
        .missing("aclrtSynchronizeStreamWithTimeout")
        .missing("aclrtCreateEventExWithFlag")
        .missing("aclmdlRICaptureBegin")
        .missing("aclnnGroupedMatmulV5")
        .missing("aclnnWeightQuantBatchMatmulV3")
        .without("libhccl.so");
    if crate::CANN == Cann::V8_5 {
        layout = layout.without("libhcomm.so");
    }
    let libraries = layout.write(folder.path()).unwrap();
    in_folder("child_missing", &libraries, &[]);
}

#[test]
#[ignore = "a child of `half_of_the_symbols_are_missing`"]
fn child_missing() {
    use ascend_acl::rt::{CaptureMode, Comm, Event};
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let x = DeviceBuffer::from_slice(&device, &[1.0_f32; 64]).unwrap();
    let view = x.tensor(&[8, 8]).unwrap();
    let missing = |result: ascend_acl::Result<()>, name: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::MissingSymbol(_)), "{error}");
        assert_eq!(error.class(), Class::Unsupported);
        assert!(error.to_string().contains(name), "{error}");
    };
    missing(op::addmm(&stream, &view, &view, &view, &view), "aclnnAddmm");
    missing(stream.synchronise_for(std::time::Duration::from_secs(1)), "WithTimeout");
    missing(stream.capture(CaptureMode::Global, |_| Ok(())).map(drop), "aclmdlRICaptureBegin");
    assert!(matches!(
        Comm::all(std::slice::from_ref(&device)).unwrap_err(),
        Error::NotFound { .. }
    ));
    // The older function makes events.
    let event = Event::timed(&device).unwrap();
    op::mm(&stream, &view, &view, &x.tensor(&[8, 8]).unwrap()).unwrap();
    stream.record(&event).unwrap();
    event.synchronise().unwrap();
    let capabilities = op::Capabilities::of(&device).unwrap();
    assert!(!capabilities.has("aclnnAddmm"));
    assert_eq!(capabilities.used_by("router"), Some(&["aclnnMm", "aclnnAdd"][..]));
    assert_eq!(
        capabilities.used_by("attention with sinks").unwrap()[0],
        "aclnnFusedInferAttentionScoreV3"
    );
    // What stands in for the others computes the same.
    let stream = Stream::new(&device).unwrap();
    let mut done = 0;
    for case in crate::cases::all() {
        let stands_in = ["grouped product", "product, int", "attention, sinks made up for"];
        if stands_in.iter().any(|name| case.name.starts_with(name)) {
            match (case.run)(&crate::cases::Bench::new(&device, &stream)) {
                Ok(()) => done += 1,
                Err(crate::cases::Failure::NotHere(_)) => {}
                Err(failure) => panic!("{}: {failure}", case.name),
            }
        }
    }
    assert!(done >= 5, "{done}");
}

#[test]
fn delays_and_jitter_change_nothing() {
    for variables in [[("ASCEND_SIM_DELAY", "3")], [("ASCEND_SIM_JITTER", "5")]] {
        in_weather("child_operators", &variables);
    }
    let seeded = [("ASCEND_SIM_WORKSPACE", "seed:9"), ("ASCEND_SIM_DELAY", "8")];
    in_weather("child_operators", &seeded);
}

#[test]
fn every_chip_computes_what_the_host_does() {
    let chips: &[&str] = match crate::CANN {
        Cann::V8_3 => &["Ascend910B4", "Ascend910_9392"],
        Cann::V8_5 => &["Ascend910B4", "Ascend910_9392", "Ascend950PR"],
    };
    for chip in chips {
        in_weather("child_operators", &[("ASCEND_SIM_SOC", chip)]);
    }
}

#[test]
#[ignore = "a child of others"]
fn child_operators() {
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let mut wrong = Vec::new();
    for case in crate::cases::all() {
        match (case.run)(&crate::cases::Bench::new(&device, &stream)) {
            Ok(()) | Err(crate::cases::Failure::Missing(_) | crate::cases::Failure::NotHere(_)) => {
            }
            Err(failure) => wrong.push(format!("{}: {failure}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn several_devices() {
    in_weather("child_devices", &[("ASCEND_SIM_DEVICES", "2")]);
}

#[test]
#[ignore = "a child of `several_devices`"]
fn child_devices() {
    let (first, second) = (device(), Device::open(&ascend(), 1).unwrap());
    let stream = Stream::new(&first).unwrap();
    let here = DeviceBuffer::from_slice(&first, &[1.0_f32; 16]).unwrap();
    let there = DeviceBuffer::from_slice(&second, &[2.0_f32; 16]).unwrap();
    let (a, b) = (here.tensor(&[16]).unwrap(), there.tensor(&[16]).unwrap());
    let error = op::add(&stream, &a, &b, &a).unwrap_err();
    assert!(error.to_string().contains("device 1"), "{error}");
    assert!(stream.copy(&here, &there).is_err());
    // One thread, two devices by turns; and a thread for each.
    let other = Stream::new(&second).unwrap();
    for _ in 0..10 {
        op::scale_in_place(&stream, &a, 2.0).unwrap();
        op::scale_in_place(&other, &b, 2.0).unwrap();
    }
    assert_eq!(here.to_vec().unwrap(), [1024.0; 16]);
    assert_eq!(there.to_vec().unwrap(), [2048.0; 16]);
    thread::scope(|scope| {
        for device in [&first, &second] {
            scope.spawn(move || {
                let stream = Stream::new(device).unwrap();
                let x = DeviceBuffer::from_slice(device, &[3.0_f32; 16]).unwrap();
                op::scale_in_place(&stream, &x.tensor(&[16]).unwrap(), 2.0).unwrap();
                assert_eq!(x.to_vec().unwrap(), [6.0; 16]);
            });
        }
    });
}

#[test]
fn the_runtime_ends_and_begins_again() {
    in_weather("child_runtime", &[]);
}

#[test]
#[ignore = "a child of `the_runtime_ends_and_begins_again`"]
fn child_runtime() {
    let ascend: Ascend = ascend();
    // Another library of the process was first.
    let init = ascend.acl().aclInit().unwrap();
    // SAFETY: null stands for the default settings.
    assert_eq!(unsafe { init(std::ptr::null()) }, 0);
    let runtime = ascend_acl::rt::Runtime::start(&ascend).unwrap();
    let device = device();
    assert!(matches!(runtime.finalise(), Err(Error::InUse { .. })));
    let buffer = DeviceBuffer::<u8>::zeroed(&device, 5).unwrap();
    drop(device);
    assert!(matches!(runtime.finalise(), Err(Error::InUse { .. })));
    drop(buffer);
    runtime.finalise().unwrap();
    let device = self::device();
    assert_eq!(DeviceBuffer::<u8>::zeroed(&device, 5).unwrap().to_vec().unwrap(), [0; 5]);
}
