//! Copies, events and graphs.

use ascend_acl::op;
use ascend_acl::rt::{CaptureMode, Event, HostBuffer, Stream};

use super::Cases;
use super::bench::{Bench, Failure, close};

pub(super) const CASES: Cases = &[
    ("pinned memory there and back", there_and_back),
    ("streams in order by an event", ordered),
    ("a graph replayed", replayed),
    ("a graph updated", updated),
];

fn there_and_back(bench: &Bench) -> Result<(), Failure> {
    let numbers: Vec<f32> = (0..100_000).map(|at| at as f32).collect();
    let there = bench.out::<f32>(numbers.len())?;
    let up = bench.stream.upload(HostBuffer::from_slice(bench.device, &numbers)?, &there)?;
    let down = bench.stream.download(&there, HostBuffer::new(bench.device, numbers.len())?)?;
    let back = down.wait()?;
    if back[..] != numbers[..] || up.wait()?[..] != numbers[..] {
        return Err(Failure::Wrong("other numbers came back".to_owned()));
    }
    Ok(())
}

fn ordered(bench: &Bench) -> Result<(), Failure> {
    let (x, other) = (bench.floats::<f32>(&[4096], 1.0)?, Stream::new(bench.device)?);
    let (begin, end) = (Event::timed(bench.device)?, Event::timed(bench.device)?);
    let view = x.tensor()?;
    bench.stream.record(&begin)?;
    for _ in 0..20 {
        op::scale_in_place(bench.stream, &view, 2.0)?;
    }
    bench.stream.record(&end)?;
    other.wait_event(&end)?;
    for _ in 0..20 {
        op::scale_in_place(&other, &view, 0.5)?;
    }
    close("result", &x.there, &x.host)?;
    end.elapsed_since(&begin)?;
    Ok(())
}

fn replayed(bench: &Bench) -> Result<(), Failure> {
    let (x, stream) = (bench.floats::<f32>(&[64], 1.0)?, Stream::new(bench.device)?);
    let view = x.tensor()?;
    let work = || {
        op::scale_in_place(&stream, &view, 0.5)?;
        op::add_scalar(&stream, &view, 1.0, &view)
    };
    work()?;
    stream.synchronise()?;
    let (graph, ()) = stream.capture(CaptureMode::Global, |_| work())?;
    for _ in 0..3 {
        graph.launch(&stream)?;
    }
    let four_times = |x: &f32| (0..4).fold(*x, |x, _| x * 0.5 + 1.0);
    close("result", &x.there, &x.host.iter().map(four_times).collect::<Vec<_>>())
}

fn updated(bench: &Bench) -> Result<(), Failure> {
    let (x, stream) = (bench.floats::<f32>(&[64], 1.0)?, Stream::new(bench.device)?);
    let (view, updates) = (x.tensor()?, Stream::new(bench.device)?);
    op::scale_in_place(&stream, &view, 1.0)?;
    stream.synchronise()?;
    let (graph, group) = stream.capture(CaptureMode::Global, |capture| {
        capture.group(|| op::scale_in_place(&stream, &view, 2.0))
    })?;
    graph.launch(&stream)?;
    graph.update(&updates, |update| {
        update.group(&group, || op::scale_in_place(&updates, &view, 5.0))
    })?;
    graph.launch(&stream)?;
    close("result", &x.there, &x.host.iter().map(|x| x * 10.0).collect::<Vec<_>>())
}
