//! Graphs.

use ascend_acl::codes::Class;
use ascend_acl::rt::{CaptureMode, DeviceBuffer, Event, Group, HostBuffer, Stream};
use ascend_acl::sys::aclDataType;
use ascend_acl::{Error, op};

use super::machine::{alone, ascend, counters, device, noise, reset_counters};

/// Some operators with a result, on memory of the caller.
fn work(stream: &Stream, x: &DeviceBuffer<f32>, y: &DeviceBuffer<f32>) -> ascend_acl::Result<()> {
    let (x, y) = (x.tensor(&[8, 16])?, y.tensor(&[8, 16])?);
    op::softmax(stream, &x, 1, &y)?;
    op::add_in_place(stream, &y, &x)?;
    op::mul_scalar(stream, &y, 0.5, &x)
}

#[test]
fn a_replay_is_what_runs_at_once() {
    let _alone = alone();
    let device = device();
    for mode in [CaptureMode::Global, CaptureMode::ThreadLocal, CaptureMode::Relaxed] {
        let stream = Stream::new(&device).unwrap();
        let numbers: Vec<f32> = noise(3, 128);
        let (eager, replayed) = (
            DeviceBuffer::from_slice(&device, &numbers).unwrap(),
            DeviceBuffer::from_slice(&device, &numbers).unwrap(),
        );
        let (y, z) =
            (DeviceBuffer::new(&device, 128).unwrap(), DeviceBuffer::new(&device, 128).unwrap());
        for _ in 0..5 {
            work(&stream, &eager, &y).unwrap();
        }
        // One run before the capture, as the documentation advises.
        work(&stream, &replayed, &z).unwrap();
        let (graph, ()) = stream.capture(mode, |_| work(&stream, &replayed, &z)).unwrap();
        let other = Stream::new(&device).unwrap();
        for run in 0..4 {
            graph.launch(if run % 2 == 0 { &stream } else { &other }).unwrap();
        }
        assert_eq!(replayed.to_vec().unwrap(), eager.to_vec().unwrap(), "{mode:?}");
        assert_eq!(z.to_vec().unwrap(), y.to_vec().unwrap(), "{mode:?}");
    }
}

#[test]
fn nothing_happens_between_replays_but_replays() {
    let _alone = alone();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let (x, y) = (
        DeviceBuffer::from_slice(&device, &noise::<f32>(4, 128)).unwrap(),
        DeviceBuffer::new(&device, 128).unwrap(),
    );
    work(&stream, &x, &y).unwrap();
    let (graph, ()) = stream.capture(CaptureMode::Global, |_| work(&stream, &x, &y)).unwrap();
    stream.synchronise().unwrap();
    reset_counters();
    for _ in 0..20 {
        graph.launch(&stream).unwrap();
    }
    let done = counters();
    assert_eq!(done.replays, 20);
    let rest = (done.launches, done.preparations, done.allocations, done.blocking_copies);
    assert_eq!((rest, done.synchronises), ((0, 0, 0, 0), 0));
}

#[test]
fn an_update_changes_later_runs_and_no_earlier_one() {
    let _alone = alone();
    let device = device();
    let (stream, updates) = (Stream::new(&device).unwrap(), Stream::new(&device).unwrap());
    let x = DeviceBuffer::from_slice(&device, &[1.0_f32; 64]).unwrap();
    let view = x.tensor(&[64]).unwrap();
    let (graph, group): (_, Group) = stream
        .capture(CaptureMode::Global, |capture| {
            let group = capture.group(|| op::scale_in_place(capture.stream(), &view, 2.0))?;
            op::add_scalar(capture.stream(), &view, 1.0, &view)?;
            Ok(group)
        })
        .unwrap();
    let mut want = 1.0_f32;
    for round in 0..8 {
        graph.launch(&stream).unwrap();
        want = want * if round == 0 { 2.0 } else { 0.25 * round as f32 } + 1.0;
        let factor = 0.25 * (round + 1) as f32;
        graph
            .update(&updates, |update| {
                update.group(&group, || op::scale_in_place(&updates, &view, factor))
            })
            .unwrap();
    }
    let got = x.to_vec().unwrap()[0];
    assert!((got - want).abs() < 1e-3, "{got} {want}");
}

#[test]
fn an_update_brings_its_memory_along() {
    let _alone = alone();
    let device = device();
    let (stream, updates) = (Stream::new(&device).unwrap(), Stream::new(&device).unwrap());
    let x = DeviceBuffer::from_slice(&device, &[1.0_f32; 64]).unwrap();
    let before = {
        let first = DeviceBuffer::from_slice(&device, &[1.0_f32; 64]).unwrap();
        let (graph, group) = stream
            .capture(CaptureMode::Global, |capture| {
                capture
                    .group(|| op::add_in_place(&stream, &x.tensor(&[64])?, &first.tensor(&[64])?))
            })
            .unwrap();
        drop(first);
        graph.launch(&stream).unwrap();
        for round in 0..4 {
            let next = DeviceBuffer::from_slice(&device, &[round as f32; 64]).unwrap();
            let change = || op::add_in_place(&updates, &x.tensor(&[64])?, &next.tensor(&[64])?);
            graph.update(&updates, |update| update.group(&group, change)).unwrap();
            // What the update referred to before is freed in time, what it refers to now is not.
            drop(next);
            graph.launch(&stream).unwrap();
        }
        assert_eq!(x.to_vec().unwrap()[0], 1.0 + 1.0 + 0.0 + 1.0 + 2.0 + 3.0);
        counters().alive()
    };
    stream.synchronise().unwrap();
    updates.synchronise().unwrap();
    assert!(counters().alive().device_bytes < before.device_bytes);
    assert_eq!(counters().graphs, 0);
}

#[test]
fn a_group_of_another_graph_is_refused() {
    let _alone = alone();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let x = DeviceBuffer::from_slice(&device, &[1.0_f32; 64]).unwrap();
    let view = x.tensor(&[64]).unwrap();
    let make = || {
        let record = |capture: &ascend_acl::rt::Capture<'_>| {
            capture.group(|| op::scale_in_place(&stream, &view, 2.0))
        };
        stream.capture(CaptureMode::Global, record).unwrap()
    };
    let ((first, group), (_second, other)) = (make(), make());
    let updates = Stream::new(&device).unwrap();
    let change = || op::scale_in_place(&updates, &view, 3.0);
    let error = first.update(&updates, |update| update.group(&other, change)).unwrap_err();
    assert!(error.to_string().contains("another graph"), "{error}");
    // Another operator than the one that was captured.
    let error = first
        .update(&updates, |update| {
            update.group(&group, || op::add_scalar(&updates, &view, 3.0, &view))
        })
        .unwrap_err();
    assert!(error.to_string().contains("107040"), "{error}");
    first.launch(&stream).unwrap();
    assert_eq!(x.to_vec().unwrap()[0], 2.0);
}

#[test]
fn what_a_capture_forbids_is_refused_and_the_capture_goes_on() {
    let _alone = alone();
    let device = device();
    let (stream, other) = (Stream::new(&device).unwrap(), Stream::new(&device).unwrap());
    let x = DeviceBuffer::from_slice(&device, &[1.0_f32; 64]).unwrap();
    let view = x.tensor(&[64]).unwrap();
    op::scale_in_place(&stream, &view, 1.0).unwrap();
    let event = Event::new(&device).unwrap();
    let mut up = HostBuffer::<f32>::new(&device, 64).ok();
    let mut down = HostBuffer::<f32>::new(&device, 64).ok();
    let (graph, ()) = stream
        .capture(CaptureMode::Global, |_| {
            let refused = |result: ascend_acl::Result<()>| {
                let error = result.unwrap_err();
                assert!(matches!(error, Error::Capturing { .. }), "{error}");
                assert_eq!(error.class(), Class::Capture);
            };
            refused(stream.synchronise());
            refused(other.synchronise());
            refused(stream.is_idle().map(drop));
            refused(stream.record(&event));
            refused(x.to_vec().map(drop));
            refused(x.write(&[0.0; 64]));
            refused(device.synchronise());
            refused(stream.upload(up.take().unwrap(), &x).map(drop));
            refused(stream.download(&x, down.take().unwrap()).map(drop));
            refused(stream.capture(CaptureMode::Global, |_| Ok(())).map(drop));
            op::scale_in_place(&stream, &view, 4.0)
        })
        .unwrap();
    graph.launch(&stream).unwrap();
    assert_eq!(x.to_vec().unwrap(), vec![4.0; 64]);
    assert!(ascend().take_drop_errors().is_empty());
}

#[test]
fn an_error_or_a_panic_ends_a_capture() {
    let _alone = alone();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let x = DeviceBuffer::from_slice(&device, &[1.0_f32; 64]).unwrap();
    let view = x.tensor(&[64]).unwrap();
    op::scale_in_place(&stream, &view, 1.0).unwrap();
    let wrong = x.tensor(&[8, 8]).unwrap();
    let failed = stream.capture(CaptureMode::Global, |_| {
        op::scale_in_place(&stream, &view, 3.0)?;
        op::exp(&stream, &view, &wrong)
    });
    assert!(matches!(failed.unwrap_err(), Error::Argument { operation: "aclnnExp", .. }));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = stream.capture(CaptureMode::Global, |_| -> ascend_acl::Result<()> {
            op::scale_in_place(&stream, &view, 3.0)?;
            std::panic::panic_any("on purpose")
        });
    }));
    assert!(panicked.is_err());
    op::scale_in_place(&stream, &view, 5.0).unwrap();
    assert_eq!(x.to_vec().unwrap()[0], 5.0);
    assert_eq!(counters().graphs, 0);
}

#[test]
fn a_graph_keeps_what_it_uses() {
    let _alone = alone();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let out = DeviceBuffer::<f32>::zeroed(&device, 64).unwrap();
    let graph = {
        let x = DeviceBuffer::from_slice(&device, &[7.0_f32; 64]).unwrap();
        let (graph, ()) = stream
            .capture(CaptureMode::Global, |_| {
                op::copy(&stream, &x.tensor(&[64])?, &out.tensor(&[64])?)
            })
            .unwrap();
        graph
    };
    // Would take the place of what was freed.
    let others: Vec<_> =
        (0..8).map(|_| DeviceBuffer::from_slice(&device, &[9.0_f32; 64]).unwrap()).collect();
    graph.launch(&stream).unwrap();
    // Waits for the run, since the graph uses it.
    assert_eq!(out.to_vec().unwrap(), vec![7.0; 64]);
    drop(others);
    graph.launch(&stream).unwrap();
    drop(graph);
    assert_eq!(out.tensor_of(aclDataType::FLOAT, &[64]).unwrap().len(), 64);
}
