//! Streams: tasks in order, each stream on a thread of its own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::capture::{self, Session};
use super::config::machine;
use super::context::{self, Context};
use super::failure::Failure;
use super::faults::CORE_EXCEPTION;
use super::group::Update;
use super::order::Before;
use super::registry::{Kind, Registry, pointer};
use super::work::{Run, Work};
use super::{device, thread, worker};
use crate::kernel::Fault;
use crate::sync::{lock, wait, wait_for};

/// A live `aclrtStream`.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) handle: u64,
    pub(crate) device: u32,
    /// The context that it belongs to.
    context: u64,
    pub(crate) is_default: bool,
    pub(super) queue: Mutex<Queue>,
    /// A task came, or the stream closes.
    pub(super) came: Condvar,
    /// A task is done.
    pub(super) done: Condvar,
    pub(super) cancelled: AtomicBool,
    stop_on_failure: AtomicBool,
    /// The last task that the host knows to be done.
    observed: AtomicU64,
    /// Simulated nanoseconds.
    simulated: AtomicU64,
    pub(super) capture: Mutex<Option<Arc<Session>>>,
    pub(super) update: Mutex<Option<Update>>,
}

#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a state of its own, and all combine")]
pub(super) struct Queue {
    pub(super) tasks: VecDeque<(u64, Work)>,
    /// Number of the last task that came, and of the last that is done.
    pub(super) submitted: u64,
    pub(super) completed: u64,
    /// Tasks that came before the next one, of this stream and of others.
    before: Before,
    pub(super) running: bool,
    pub(super) has_worker: bool,
    pub(super) closing: bool,
    /// A fault of `STOP_ON_FAILURE` happened: only what others wait for is run until the stream is aborted.
    pub(super) stopped: bool,
    /// The first fault that was not reported.
    pub(super) fault: Option<Fault>,
    aborts: u64,
}

/// Simulated time of the host: that of the last moment it waited for.
static HOST_TIME: AtomicU64 = AtomicU64::new(0);

/// Streams of a device, of CANN's documentation.
const MOST: usize = 1984;

fn streams() -> &'static Registry<Stream> {
    static STREAMS: OnceLock<Registry<Stream>> = OnceLock::new();
    STREAMS.get_or_init(|| Registry::new(Kind::Stream))
}

fn new(context: &Context, is_default: bool) -> Arc<Stream> {
    let stream = streams().insert_with(|handle| Stream {
        handle,
        device: context.device,
        context: context.handle,
        is_default,
        queue: Mutex::default(),
        came: Condvar::new(),
        done: Condvar::new(),
        cancelled: AtomicBool::new(false),
        stop_on_failure: AtomicBool::new(false),
        observed: AtomicU64::new(0),
        simulated: AtomicU64::new(0),
        capture: Mutex::default(),
        update: Mutex::default(),
    });
    stream.1
}

pub(super) fn create_default(context: &Arc<Context>) -> Arc<Stream> {
    new(context, true)
}

/// A stream that no program sees.
pub(super) fn create_hidden(context: &Arc<Context>) -> Arc<Stream> {
    new(context, true)
}

/// Makes a stream of the current context.
pub(crate) fn create() -> Result<u64, Failure> {
    let context = thread::usable_context()?;
    let taken = streams().all().iter().filter(|stream| stream.device == context.device).count();
    if taken >= MOST {
        let message =
            format!("device {} has {taken} streams, the most there can be", context.device);
        return Err(Failure::new(207_008, message));
    }
    Ok(new(&context, false).handle)
}

/// Streams that programs made and did not destroy.
pub(crate) fn made() -> u64 {
    streams().all().iter().filter(|stream| !stream.is_default).count() as u64
}

pub(super) fn of_context(context: u64) -> Vec<Arc<Stream>> {
    let mut all = streams().all();
    all.retain(|stream| stream.context == context);
    all
}

pub(super) fn of_device(device: u32) -> Vec<Arc<Stream>> {
    let mut all = streams().all();
    all.retain(|stream| stream.device == device);
    all
}

/// The stream of a handle, in the current context; null is its default stream. 107003 for one of another context.
pub(crate) fn find(handle: u64) -> Result<Arc<Stream>, Failure> {
    let context = thread::context()?;
    if handle == 0 {
        return Ok(context.default_stream());
    }
    let Some(stream) = streams().get(handle) else {
        let what = Kind::describe(pointer(handle));
        return Err(Failure::new(107_017, format!("stream is {what}")));
    };
    if stream.context != context.handle {
        let message = format!(
            "stream {:p} belongs to another context than the current one, of device {}",
            pointer(handle),
            context.device
        );
        return Err(Failure::new(107_003, message));
    }
    Ok(stream)
}

/// Puts work on a stream of the current context, as every call that takes a stream does: onto its queue, into the
/// graph that is being captured there, or into the task group that is being updated there.
///
/// Fails with 107002, 107003, 107017, the status of a fault that poisoned the context, or one of captures.
pub(crate) fn enqueue(stream: u64, work: Work) -> Result<(), Failure> {
    find(stream)?.submit(work)
}

impl Stream {
    /// Its context; 107002 if that has ended.
    pub(crate) fn context(&self) -> Result<Arc<Context>, Failure> {
        context::find(self.context)
            .ok_or_else(|| Failure::new(107_002, "the context of the stream was destroyed"))
    }

    /// Puts work on the stream, by way of capture and update.
    pub(crate) fn submit(self: &Arc<Self>, work: Work) -> Result<(), Failure> {
        self.context()?.usable()?;
        let session = lock(&self.capture).clone();
        if let Some(session) = session {
            return session.record(self, work).map(drop);
        }
        if let Some(update) = &mut *lock(&self.update) {
            return update.take(work);
        }
        self.push(work).map(drop)
    }

    /// Puts work on the queue; its number.
    pub(super) fn push(self: &Arc<Self>, mut work: Work) -> Result<u64, Failure> {
        let mut queue = lock(&self.queue);
        if queue.closing {
            return Err(Failure::new(107_017, "stream is being destroyed"));
        }
        let number = queue.submitted + 1;
        if let Some(other) = self.claim(&work, number, &queue.before) {
            let message = format!(
                "{} and {other} on another stream use the same workspace, and nothing orders them",
                work.name
            );
            work.run =
                Arc::new(move |_| Err(Fault { status: CORE_EXCEPTION, message: message.clone() }));
        }
        queue.submitted = number;
        queue.before.add(self.handle, number);
        queue.tasks.push_back((number, work));
        self.simulated_host();
        if !queue.has_worker {
            worker::start(Arc::clone(self))?;
            queue.has_worker = true;
        }
        drop(queue);
        self.came.notify_one();
        Ok(number)
    }

    fn claim(&self, work: &Work, number: u64, before: &Before) -> Option<String> {
        let device = device::of(self.device).ok()?;
        let mut scratch = lock(&device.scratch);
        let finished = |stream, number| {
            // A stream that is gone was waited for.
            streams()
                .get(stream)
                .is_none_or(|stream| stream.observed.load(Ordering::Acquire) >= number)
        };
        let mut conflict = None;
        for range in &work.scratch {
            let found = scratch.claim(range, (self.handle, number, &work.name), before, finished);
            conflict = conflict.or(found);
        }
        conflict
    }

    /// What comes before a task that would be put on the stream now.
    pub(super) fn before(&self) -> Before {
        lock(&self.queue).before.clone()
    }

    /// Lets all that comes after follow something of other streams.
    pub(super) fn follow(&self, before: &Before) {
        let mut queue = lock(&self.queue);
        queue.before.merge(before);
        queue.before.prune(|stream| streams().get(stream).is_some());
    }

    /// Waits for what is on the stream now, for so long at most; then reports a fault.
    pub(crate) fn synchronise(&self, longest: Option<Duration>) -> Result<(), Failure> {
        capture::may_synchronise(self)?;
        self.context()?.usable()?;
        self.drain(longest)?;
        self.report()
    }

    /// Waits for what is on the stream now; reports no fault.
    pub(super) fn drain(&self, longest: Option<Duration>) -> Result<(), Failure> {
        let end = longest.map(|longest| Instant::now() + longest);
        let mut queue = lock(&self.queue);
        let (target, aborts) = (queue.submitted, queue.aborts);
        while queue.completed < target {
            queue = match end {
                None => wait(&self.done, queue),
                Some(end) => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        let open = target - queue.completed;
                        let message = format!("{open} tasks of the stream are not done in time");
                        return Err(Failure::new(507_046, message));
                    }
                    wait_for(&self.done, queue, left)
                }
            };
            if queue.aborts != aborts {
                return Err(Failure::new(107_023, "the stream was aborted by another thread"));
            }
        }
        drop(queue);
        self.observe(target);
        Ok(())
    }

    /// Waits for one task.
    pub(super) fn wait_for(&self, number: u64) {
        let mut queue = lock(&self.queue);
        while queue.completed < number {
            queue = wait(&self.done, queue);
        }
        drop(queue);
        self.observe(number);
    }

    /// The host knows that a task is done.
    pub(super) fn observe(&self, number: u64) {
        self.observed.fetch_max(number, Ordering::AcqRel);
        HOST_TIME.fetch_max(self.simulated_now(), Ordering::AcqRel);
    }

    /// Reports the first fault since the last report.
    pub(super) fn report(&self) -> Result<(), Failure> {
        let fault = lock(&self.queue).fault.take();
        match fault {
            None => Ok(()),
            Some(fault) => Err(self.context()?.report(&fault)),
        }
    }

    /// Whether all is done; reports a fault.
    pub(crate) fn query(&self) -> Result<bool, Failure> {
        capture::may_synchronise(self)?;
        self.context()?.usable()?;
        let (submitted, completed) = {
            let queue = lock(&self.queue);
            (queue.submitted, queue.completed)
        };
        if completed < submitted {
            return Ok(false);
        }
        self.observe(submitted);
        self.report().map(|()| true)
    }

    /// Drops the tasks that wait, and asks the one that runs to end.
    pub(crate) fn abort(&self) {
        let dropped: Vec<_> = {
            let mut queue = lock(&self.queue);
            queue.aborts += 1;
            queue.stopped = false;
            let dropped = queue.tasks.drain(..).collect();
            if queue.running {
                self.cancelled.store(true, Ordering::Release);
            } else {
                queue.completed = queue.submitted;
            }
            dropped
        };
        for (_, work) in dropped.iter().filter(|(_, work)| work.always) {
            // Others wait for events; those of an aborted stream count as recorded.
            let _ = (work.run)(&Run::new(self));
        }
        self.done.notify_all();
    }

    /// Takes no more tasks, and ends the worker; waits for it to come so far if asked.
    pub(super) fn close(&self, waits: bool) {
        if waits {
            let _ = self.drain(None);
        }
        lock(&self.queue).closing = true;
        self.came.notify_all();
        streams().remove(self.handle);
    }

    /// `aclrtDestroyStream`: waits for its tasks.
    pub(crate) fn destroy(&self, by_force: bool) -> Result<(), Failure> {
        if self.is_default {
            return Err(Failure::parameter("stream is a default one, which its context ends"));
        }
        if let Some(session) = lock(&self.capture).as_ref() {
            session.spoil("a stream of it was destroyed");
            return Err(Failure::new(107_027, "stream is being captured"));
        }
        if by_force {
            self.abort();
        }
        self.close(!by_force);
        Ok(())
    }

    pub(crate) fn set_stop_on_failure(&self, stop: bool) {
        self.stop_on_failure.store(stop, Ordering::Relaxed);
    }

    pub(super) fn stops_on_failure(&self) -> bool {
        self.stop_on_failure.load(Ordering::Relaxed)
    }

    /// Whether the task that runs should end.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// The number of the stream, small and unique.
    pub(crate) fn id(&self) -> i32 {
        ((self.handle & 0xFFFF_FFFF_FFFF) / 64) as i32
    }

    pub(super) fn simulated_now(&self) -> u64 {
        self.simulated.load(Ordering::Acquire)
    }

    pub(super) fn simulated_wait(&self, until: u64) {
        self.simulated.fetch_max(until, Ordering::AcqRel);
    }

    pub(super) fn simulated_pass(&self, nanoseconds: u64) {
        self.simulated.fetch_add(nanoseconds, Ordering::AcqRel);
    }

    /// A task that the host puts on an idle stream begins no earlier than the host.
    fn simulated_host(&self) {
        self.simulated_wait(HOST_TIME.load(Ordering::Acquire));
    }
}

/// Waits for all streams of the current device; the first fault is reported.
pub(crate) fn synchronise_device(longest: Option<Duration>) -> Result<(), Failure> {
    let context = thread::usable_context()?;
    capture::may_synchronise_device(context.device)?;
    let end = longest.map(|longest| Instant::now() + longest);
    let streams = of_device(context.device);
    for stream in &streams {
        stream.drain(end.map(|end| end.saturating_duration_since(Instant::now())))?;
    }
    let reports: Vec<_> = streams.iter().map(|stream| stream.report()).collect();
    reports.into_iter().collect()
}

/// Whether tasks are delayed, and with which seed.
pub(super) fn delays() -> Option<u64> {
    machine().delay
}
