//! The threads that run streams.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::config::mix;
use super::device;
use super::exception;
use super::failure::Failure;
use super::faults::LOST_HEARTBEAT;
use super::stream::{Stream, delays};
use super::work::{Run, Work};
use crate::kernel::Fault;
use crate::sync::{lock, wait};

/// Starts the thread of a stream.
pub(super) fn start(stream: Arc<Stream>) -> Result<(), Failure> {
    let name = format!("ascend-sim-{}", stream.id());
    thread::Builder::new().name(name).spawn(move || run(&stream)).map(drop).map_err(|error| {
        Failure::new(207_005, format!("the host has no thread for a stream: {error}"))
    })
}

fn run(stream: &Stream) {
    while let Some((number, work)) = next(stream) {
        delay(stream, number);
        let outcome = if may_run(stream, &work) { perform(stream, &work) } else { Ok(()) };
        // Before the host hears that it is done: what the task holds is free then.
        drop(work);
        finish(stream, number, outcome);
    }
}

fn next(stream: &Stream) -> Option<(u64, Work)> {
    let mut queue = lock(&stream.queue);
    loop {
        if let Some(task) = queue.tasks.pop_front() {
            queue.running = true;
            return Some(task);
        }
        if queue.closing {
            queue.has_worker = false;
            return None;
        }
        queue = wait(&stream.came, queue);
    }
}

fn may_run(stream: &Stream, work: &Work) -> bool {
    work.always || !lock(&stream.queue).stopped
}

fn perform(stream: &Stream, work: &Work) -> Result<(), Fault> {
    let device = device::of(stream.device).ok();
    if !work.always && device.is_some_and(device::Device::is_lost) {
        let message = format!("{} was to run on a lost device", work.name);
        return Err(Fault { status: LOST_HEARTBEAT, message });
    }
    let begin = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| (work.run)(&Run::new(stream))));
    let outcome = outcome.unwrap_or_else(|_| {
        let message = format!("a defect of the simulator: {} panicked", work.name);
        Err(Fault { status: 507_899, message })
    });
    Run::new(stream).spend(work, false);
    if let Some(device) = device.filter(|_| work.launch) {
        let nanoseconds = begin.elapsed().as_nanos() as u64;
        device.busy.fetch_add(nanoseconds, Ordering::Relaxed);
    }
    outcome.map_err(|fault| {
        let message = format!("{} on stream {}: {}", work.name, stream.id(), fault.message);
        Fault { message, ..fault }
    })
}

fn finish(stream: &Stream, number: u64, outcome: Result<(), Fault>) {
    if let Err(fault) = &outcome {
        exception::tell(stream, number, fault);
    }
    let mut queue = lock(&stream.queue);
    queue.running = false;
    if let Err(fault) = outcome
        && !stream.cancelled.load(Ordering::Acquire)
    {
        queue.fault.get_or_insert(fault);
        queue.stopped |= stream.stops_on_failure();
    }
    // Tasks that an abort dropped are done too.
    queue.completed = match queue.tasks.front() {
        Some((next, _)) => next - 1,
        None => queue.submitted.max(number),
    };
    stream.cancelled.store(false, Ordering::Release);
    drop(queue);
    stream.done.notify_all();
}

/// A task in four waits up to two milliseconds, by seed, stream and number: streams that nothing orders overtake each
/// other.
fn delay(stream: &Stream, number: u64) {
    let Some(seed) = delays() else { return };
    let chance = mix(seed ^ mix(stream.handle) ^ number);
    if chance.is_multiple_of(4) {
        thread::sleep(Duration::from_micros((chance >> 8) % 2000));
    }
}
