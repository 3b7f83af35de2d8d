//! Who may be dropped when, and what stays behind.

use std::thread;

use ascend_acl::op;
use ascend_acl::rt::{CaptureMode, Device, DeviceBuffer, Event, HostBuffer, Stream};

use super::machine::{alone, ascend, beside, counters, device, noise};

/// Everything there is, with work under way.
struct Everything {
    device: Option<Device>,
    stream: Option<Stream>,
    other: Option<Stream>,
    buffer: Option<DeviceBuffer<f32>>,
    event: Option<Event>,
    graph: Option<ascend_acl::rt::Graph>,
    transfer: Option<ascend_acl::rt::Transfer<f32>>,
    host: Option<HostBuffer<f32>>,
}

impl Everything {
    fn new() -> Self {
        let device = device();
        let (stream, other) = (Stream::new(&device).unwrap(), Stream::new(&device).unwrap());
        let buffer = DeviceBuffer::from_slice(&device, &noise::<f32>(1, 4096)).unwrap();
        let event = Event::timed(&device).unwrap();
        let x = buffer.tensor(&[4096]).unwrap();
        op::scale_in_place(&stream, &x, 0.5).unwrap();
        let record = |_: &ascend_acl::rt::Capture<'_>| op::scale_in_place(&stream, &x, 2.0);
        let (graph, ()) = stream.capture(CaptureMode::Global, record).unwrap();
        graph.launch(&stream).unwrap();
        stream.record(&event).unwrap();
        other.wait_event(&event).unwrap();
        op::scale_in_place(&other, &x, 2.0).unwrap();
        let host = HostBuffer::new(&device, 4096).unwrap();
        let transfer = other.download(&buffer, host).unwrap();
        Self {
            host: Some(HostBuffer::new(&device, 16).unwrap()),
            device: Some(device),
            stream: Some(stream),
            other: Some(other),
            buffer: Some(buffer),
            event: Some(event),
            graph: Some(graph),
            transfer: Some(transfer),
        }
    }

    fn drop_one(&mut self, which: usize) {
        match which {
            0 => drop(self.device.take()),
            1 => drop(self.stream.take()),
            2 => drop(self.other.take()),
            3 => drop(self.buffer.take()),
            4 => drop(self.event.take()),
            5 => drop(self.graph.take()),
            6 => drop(self.transfer.take()),
            _ => drop(self.host.take()),
        }
    }
}

#[test]
fn any_order_of_dropping_will_do() {
    let _alone = alone();
    let before = counters().alive();
    for round in 0..40_usize {
        let mut everything = Everything::new();
        let mut order: Vec<usize> = (0..8).collect();
        // A permutation for each round (Fisher and Yates, with a generator of Lehmer's).
        let mut state = round as u64 * 48_271 + 11;
        for at in (1..order.len()).rev() {
            state = state * 48_271 % 0x7FFF_FFFF;
            order.swap(at, state as usize % (at + 1));
        }
        for which in order {
            everything.drop_one(which);
        }
        assert_eq!(counters().alive(), before, "round {round}");
    }
    assert!(ascend().take_drop_errors().is_empty());
}

#[test]
fn any_thread_may_drop() {
    let _alone = alone();
    let before = counters().alive();
    let everything = Everything::new();
    thread::spawn(move || drop(everything)).join().unwrap();
    assert_eq!(counters().alive(), before);
    assert!(ascend().take_drop_errors().is_empty());
}

#[test]
fn memory_outlives_the_work_that_uses_it() {
    let _beside = beside();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let out = DeviceBuffer::<f32>::new(&device, 1 << 14).unwrap();
    for round in 0..50 {
        // Dropped while the stream still computes with it.
        let x = DeviceBuffer::from_slice(&device, &vec![round as f32; 1 << 14]).unwrap();
        let (from, to) = (x.tensor(&[1 << 14]).unwrap(), out.tensor(&[1 << 14]).unwrap());
        op::add_scalar(&stream, &from, 1.0, &to).unwrap();
    }
    assert_eq!(out.to_vec().unwrap(), vec![50.0; 1 << 14]);
}

#[test]
fn a_second_thread_needs_nothing() {
    let _beside = beside();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let x = DeviceBuffer::from_slice(&device, &[1.0_f32; 100]).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    op::add_scalar(
                        &stream,
                        &x.tensor(&[100]).unwrap(),
                        1.0,
                        &x.tensor(&[100]).unwrap(),
                    )
                    .unwrap();
                }
            });
        }
    });
    assert_eq!(x.to_vec().unwrap(), vec![101.0; 100]);
}

#[test]
fn ten_thousand_times_leaves_nothing() {
    let _alone = alone();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let x = DeviceBuffer::from_slice(&device, &[1.0_f32; 16]).unwrap();
    let view = x.tensor(&[16]).unwrap();
    op::add_in_place(&stream, &view, &view).unwrap();
    stream.synchronise().unwrap();
    let before = counters().alive();
    for round in 0..10_000 {
        let event = Event::new(&device).unwrap();
        let buffer = DeviceBuffer::<f32>::new(&device, 16).unwrap();
        op::add_scalar(&stream, &view, 1.0, &buffer.tensor(&[16]).unwrap()).unwrap();
        stream.record(&event).unwrap();
        if round % 16 == 0 {
            let host = HostBuffer::new(&device, 16).unwrap();
            drop(stream.download(&buffer, host).unwrap());
        }
        if round % 100 == 0 {
            drop(Stream::new(&device).unwrap());
            stream.synchronise().unwrap();
        }
    }
    stream.synchronise().unwrap();
    assert_eq!(counters().alive(), before);
    assert!(ascend().take_drop_errors().is_empty());
}

#[test]
fn opening_again_is_the_same_device() {
    let _beside = beside();
    let device = device();
    assert_eq!(device, self::device());
    let again = thread::spawn(self::device).join().unwrap();
    assert_eq!(device, again);
    assert!(Device::open(&ascend(), 1234).unwrap_err().code().is_some());
    assert!(device.runtime().finalise().unwrap_err().to_string().contains("[0"));
    assert!(device.memory().unwrap().total > 0);
    assert!(device.utilisation().unwrap().cube >= 0);
}

#[test]
fn waiting_has_a_limit() {
    let _beside = beside();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    stream.synchronise_for(std::time::Duration::from_secs(10)).unwrap();
    assert!(stream.is_idle().unwrap());
}
