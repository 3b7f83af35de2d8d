//! Buffers, copies, views.

use ascend_acl::Error;
use ascend_acl::rt::{DeviceBuffer, Event, HostBuffer, Stream};

use super::machine::{beside, device, noise};

#[test]
fn numbers_come_back() {
    let _beside = beside();
    let device = device();
    let numbers: Vec<f32> = noise(1, 1000);
    let buffer = DeviceBuffer::from_slice(&device, &numbers).unwrap();
    assert_eq!(buffer.to_vec().unwrap(), numbers);
    let part = buffer.slice(10..20).unwrap();
    assert_eq!(part.to_vec().unwrap(), numbers[10..20]);
    part.write(&[0.5; 10]).unwrap();
    assert_eq!(
        buffer.to_vec().unwrap()[9..21],
        [&numbers[9..10], &[0.5; 10], &numbers[20..21]].concat()
    );
    assert!(
        DeviceBuffer::<i64>::zeroed(&device, 7).unwrap().to_vec().unwrap().iter().all(|x| *x == 0)
    );
}

#[test]
fn nothing_is_a_buffer_too() {
    let _beside = beside();
    let device = device();
    let buffer = DeviceBuffer::<f32>::new(&device, 0).unwrap();
    assert!(buffer.to_vec().unwrap().is_empty());
    buffer.write(&[]).unwrap();
    let host = HostBuffer::<f32>::new(&device, 0).unwrap();
    let stream = Stream::new(&device).unwrap();
    let host = stream.upload(host, &buffer).unwrap().wait().unwrap();
    assert!(host.is_empty());
}

#[test]
fn what_does_not_fit_is_refused_with_both_lengths() {
    let _beside = beside();
    let device = device();
    let buffer = DeviceBuffer::<u8>::new(&device, 10).unwrap();
    let error = buffer.write(&[0; 9]).unwrap_err();
    assert!(matches!(error, Error::Argument { .. }));
    assert_eq!(
        error.to_string(),
        "write: numbers is 9 numbers, expected 10, as many as on the device"
    );
    let error = buffer.slice(5..11).unwrap_err();
    assert!(error.to_string().contains("0..10"), "{error}");
    assert!(buffer.tensor(&[11]).is_err());
    assert!(buffer.tensor(&[usize::MAX, 2]).is_err());
    assert!(DeviceBuffer::<f64>::new(&device, usize::MAX / 4).is_err());
}

#[test]
fn copies_through_a_stream_give_the_pinned_memory_back() {
    let _beside = beside();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let numbers: Vec<f32> = noise(2, 500);
    let host = HostBuffer::from_slice(&device, &numbers).unwrap();
    let buffer = DeviceBuffer::new(&device, 500).unwrap();
    let copy = DeviceBuffer::new(&device, 500).unwrap();
    let up = stream.upload(host, &buffer).unwrap();
    stream.copy(&buffer, &copy).unwrap();
    let down = stream.download(&copy, HostBuffer::new(&device, 500).unwrap()).unwrap();
    assert_eq!(down.wait().unwrap()[..], numbers);
    assert_eq!(up.wait().unwrap()[..], numbers);
    stream.fill_bytes(&copy, 0).unwrap();
    assert!(copy.to_vec().unwrap().iter().all(|x| *x == 0.0));
}

#[test]
fn events_order_streams_and_tell_the_time() {
    let _beside = beside();
    let device = device();
    let (first, second) = (Stream::new(&device).unwrap(), Stream::new(&device).unwrap());
    let (begin, end) = (Event::timed(&device).unwrap(), Event::timed(&device).unwrap());
    let buffer = DeviceBuffer::<f32>::zeroed(&device, 1 << 16).unwrap();
    let copy = DeviceBuffer::<f32>::zeroed(&device, 1 << 16).unwrap();
    assert!(begin.has_passed().unwrap());
    first.record(&begin).unwrap();
    first.fill_bytes(&buffer, 1).unwrap();
    first.record(&end).unwrap();
    second.wait_event(&end).unwrap();
    second.copy(&buffer, &copy).unwrap();
    second.synchronise().unwrap();
    assert!(end.has_passed().unwrap());
    end.elapsed_since(&begin).unwrap();
    assert_eq!(copy.to_vec().unwrap()[77].to_bits(), 0x0101_0101);
    let untimed = Event::new(&device).unwrap();
    first.record(&untimed).unwrap();
    assert!(untimed.elapsed_since(&begin).unwrap_err().to_string().contains("without a clock"));
}
