//! Callbacks: the trio of subscription, launch and report.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::stream::Stream;
use super::work::Work;
use crate::sync::{lock, wait_for};

/// What a thread that reports runs.
pub(crate) type Call = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Desk {
    /// By stream, the thread that runs its callbacks.
    subscriptions: HashMap<u64, u64>,
    /// By thread, what waits to be run, and a number to tell when it is.
    waiting: HashMap<u64, VecDeque<Waiting>>,
    next: u64,
    /// Those that were run and that a stream waits for.
    done: HashSet<u64>,
}

struct Waiting {
    number: u64,
    call: Call,
    /// Whether the stream waits for it.
    blocks: bool,
}

static DESK: Mutex<Option<Desk>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

fn with<T>(use_it: impl FnOnce(&mut Desk) -> T) -> T {
    use_it(lock(&DESK).get_or_insert_default())
}

/// `aclrtSubscribeReport`.
pub(crate) fn subscribe(thread: u64, stream: &Stream) -> Result<(), Failure> {
    with(|desk| {
        if desk.subscriptions.contains_key(&stream.handle) {
            let message = "stream is subscribed already";
            return Err(Failure::new(107_011, message));
        }
        desk.subscriptions.insert(stream.handle, thread);
        desk.waiting.entry(thread).or_default();
        Ok(())
    })
}

/// `aclrtUnSubscribeReport`.
pub(crate) fn unsubscribe(thread: u64, stream: &Stream) -> Result<(), Failure> {
    with(|desk| {
        if desk.subscriptions.get(&stream.handle) != Some(&thread) {
            let message = format!("thread {thread} is not subscribed to the stream");
            return Err(Failure::new(107_012, message));
        }
        desk.subscriptions.remove(&stream.handle);
        if !desk.subscriptions.values().any(|other| *other == thread) {
            desk.waiting.remove(&thread);
        }
        Ok(())
    })
}

/// `aclrtLaunchCallback`: the stream hands the call to its thread, and waits for it if it blocks.
pub(crate) fn launch(stream: &Arc<Stream>, call: Call, blocks: bool) -> Result<(), Failure> {
    let thread = with(|desk| desk.subscriptions.get(&stream.handle).copied());
    let thread = thread.ok_or_else(|| {
        let message = "no thread is subscribed to the stream: aclrtSubscribeReport comes first";
        Failure::new(107_015, message)
    })?;
    let work = Work::new("aclrtLaunchCallback", move |run| {
        let number = with(|desk| {
            desk.next += 1;
            let number = desk.next;
            let waiting = desk.waiting.entry(thread).or_default();
            waiting.push_back(Waiting { number, call: Arc::clone(&call), blocks });
            number
        });
        CHANGED.notify_all();
        let mut desk = lock(&DESK);
        while blocks
            && !run.cancelled()
            && !desk.as_mut().is_some_and(|desk| desk.done.remove(&number))
        {
            desk = wait_for(&CHANGED, desk, Duration::from_millis(5));
        }
        Ok(())
    });
    stream.submit(work)
}

/// `aclrtProcessReport`: runs one callback of the calling thread; waits for it, `None` for ever.
pub(crate) fn process(thread: u64, longest: Option<Duration>) -> Result<(), Failure> {
    let end = longest.map(|longest| Instant::now() + longest);
    let mut desk = lock(&DESK);
    let Waiting { number, call, blocks } = loop {
        let waiting = desk.as_mut().and_then(|desk| desk.waiting.get_mut(&thread));
        let Some(waiting) = waiting else {
            let message = format!("thread {thread} is subscribed to no stream");
            return Err(Failure::new(107_012, message));
        };
        if let Some(found) = waiting.pop_front() {
            break found;
        }
        let left =
            end.map_or(Duration::from_secs(1), |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Err(Failure::new(107_019, "no callback came in time"));
        }
        desk = wait_for(&CHANGED, desk, left);
    };
    drop(desk);
    call();
    if blocks {
        with(|desk| desk.done.insert(number));
    }
    CHANGED.notify_all();
    Ok(())
}
