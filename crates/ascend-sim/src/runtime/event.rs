//! Events: marks on streams that others wait for, and clocks.

use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::capture::{self, Mark};
use super::config::machine;
use super::failure::Failure;
use super::order::Before;
use super::registry::{Kind, Registry, pointer};
use super::stream::Stream;
use super::thread;
use super::work::{Run, Work};
use crate::sync::{lock, wait_for};

/// Flags of `aclrtCreateEventWithFlag`.
pub(crate) const TIME_LINE: u32 = 8;
/// Recorded outside a capture, waited for inside: the two meet when the graph runs.
pub(crate) const EXTERNAL: u32 = 0x20;
const KNOWN_FLAGS: u32 = 0x7F;

/// A live `aclrtEvent`.
#[derive(Debug)]
pub(crate) struct Event {
    device: u32,
    flags: u32,
    /// Of `aclrtCreateEventExWithFlag`: complete until it is recorded.
    ex: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Records that were asked for, and those that happened.
    asked: u64,
    happened: u64,
    /// Whether the last one counts: none was, or it was reset.
    set: bool,
    /// Records that a reset took back when it ran.
    cleared: u64,
    /// When the last one happened.
    at: Option<(Instant, u64)>,
    /// What comes before whoever waits for it.
    before: Before,
    /// The task of the last record, which the host knows to be done with the event.
    task: Option<(std::sync::Weak<Stream>, u64)>,
    /// Where a capture recorded it.
    mark: Option<Mark>,
    waits_asked: u64,
    waits_done: u64,
}

fn events() -> &'static Registry<Event> {
    static EVENTS: OnceLock<Registry<Event>> = OnceLock::new();
    EVENTS.get_or_init(|| Registry::new(Kind::Event))
}

/// Events of a device, of CANN's documentation.
const MOST: usize = 65_536;

/// Makes an event of the current device.
pub(crate) fn create(flags: u32, ex: bool) -> Result<u64, Failure> {
    let context = thread::usable_context()?;
    if flags & !KNOWN_FLAGS != 0 {
        let message = format!("flag is {flags:#x}, expected bits of {KNOWN_FLAGS:#x}");
        return Err(Failure::parameter(message));
    }
    if events().len() >= MOST {
        return Err(Failure::new(
            207_007,
            format!("there are {MOST} events, the most there can be"),
        ));
    }
    let event = events().insert(Event {
        device: context.device,
        flags,
        ex,
        state: Mutex::default(),
        changed: Condvar::new(),
    });
    Ok(event)
}

/// The live event of a handle.
pub(crate) fn find(handle: u64) -> Result<Arc<Event>, Failure> {
    events().get(handle).ok_or_else(|| {
        let what = Kind::describe(pointer(handle));
        Failure::new(107_017, format!("event is {what}"))
    })
}

/// Ends an event; what waits for it still does.
pub(crate) fn destroy(handle: u64) -> Result<(), Failure> {
    find(handle)?;
    events().remove(handle);
    Ok(())
}

/// How many are alive.
pub(crate) fn made() -> u64 {
    events().len() as u64
}

impl Event {
    fn is_external(&self) -> bool {
        self.flags & EXTERNAL != 0
    }

    /// `aclrtRecordEvent`.
    pub(crate) fn record(self: &Arc<Self>, stream: &Arc<Stream>) -> Result<(), Failure> {
        stream.context()?.usable()?;
        let session = lock(&stream.capture).clone();
        if let Some(session) = session.as_ref().filter(|_| !self.is_external()) {
            let mark = session.mark(stream)?;
            lock(&self.state).mark = Some(mark);
            return Ok(());
        }
        if session.is_some() {
            // Recorded by every run of the graph.
            let event = Arc::clone(self);
            let work = Work::new("aclrtRecordEvent", move |run| {
                let ticket = lock(&event.state).ask();
                event.happen(ticket, run);
                Ok(())
            });
            return stream.submit(Work { always: true, ..work });
        }
        let ticket = {
            let mut state = lock(&self.state);
            state.mark = None;
            state.ask()
        };
        let event = Arc::clone(self);
        let work = Work::new("aclrtRecordEvent", move |run| {
            event.happen(ticket, run);
            Ok(())
        });
        let number = stream.push(Work { always: true, ..work })?;
        let mut state = lock(&self.state);
        state.before = stream.before();
        state.task = Some((Arc::downgrade(stream), number));
        Ok(())
    }

    fn happen(&self, ticket: u64, run: &Run<'_>) {
        let mut state = lock(&self.state);
        state.happened = state.happened.max(ticket);
        state.at = Some((Instant::now(), run.now()));
        drop(state);
        self.changed.notify_all();
    }

    /// `aclrtStreamWaitEvent`: holds the stream until the record that was asked for last has happened.
    pub(crate) fn hold(self: &Arc<Self>, stream: &Arc<Stream>) -> Result<(), Failure> {
        stream.context()?.usable()?;
        let mark = lock(&self.state).mark.clone();
        if capture::join(stream, mark.as_ref(), self.is_external())? {
            return Ok(());
        }
        let event = Arc::clone(self);
        let ticket = {
            let mut state = lock(&self.state);
            state.waits_asked += 1;
            if state.set { Some(state.asked) } else { None }
        };
        let external = self.is_external();
        let work = Work::new("aclrtStreamWaitEvent", move |run| {
            event.wait_on_stream(if external { None } else { ticket }, external, run);
            Ok(())
        });
        stream.submit(Work { always: true, ..work })?;
        if !external && lock(&stream.capture).is_none() {
            stream.follow(&lock(&self.state).before.clone());
        }
        Ok(())
    }

    fn wait_on_stream(&self, ticket: Option<u64>, external: bool, run: &Run<'_>) {
        const LOOK: Duration = Duration::from_millis(5);
        let mut state = lock(&self.state);
        while !run.cancelled() {
            let waiting = match ticket {
                Some(ticket) => state.happened < ticket,
                None => external && state.happened <= state.cleared,
            };
            if !waiting {
                break;
            }
            state = wait_for(&self.changed, state, LOOK);
        }
        state.waits_done += 1;
        if let Some((_, simulated)) = state.at {
            run.wait_until(simulated);
        }
    }

    /// `aclrtResetEvent`: the event is as if never recorded.
    pub(crate) fn reset(self: &Arc<Self>, stream: &Arc<Stream>) -> Result<(), Failure> {
        let event = Arc::clone(self);
        let capturing = lock(&stream.capture).is_some();
        let work = Work::new("aclrtResetEvent", move |_| {
            let mut state = lock(&event.state);
            state.cleared = state.happened;
            Ok(())
        });
        stream.submit(Work { always: true, ..work })?;
        if !capturing {
            lock(&self.state).set = false;
        }
        Ok(())
    }

    /// Whether the last record has happened; what was never recorded has for an Ex-event only.
    pub(crate) fn is_complete(&self) -> Result<bool, Failure> {
        self.refuse_captured()?;
        let state = lock(&self.state);
        let complete = if state.set { state.happened >= state.asked } else { self.ex };
        if complete {
            state.observe();
        }
        Ok(complete)
    }

    /// Whether all waits for it are over.
    pub(crate) fn are_waits_over(&self) -> Result<bool, Failure> {
        self.refuse_captured()?;
        let state = lock(&self.state);
        Ok(state.waits_done >= state.waits_asked)
    }

    fn refuse_captured(&self) -> Result<(), Failure> {
        thread::usable_context()?;
        let mark = lock(&self.state).mark.clone();
        if let Some(session) = mark.and_then(|mark| mark.session()) {
            session.spoil("an event of it was queried or waited for by the host");
            return Err(Failure::new(107_028, "event was recorded by a capture that goes on"));
        }
        capture::may_synchronise_event(self.device)
    }

    /// Waits until the last record has happened.
    pub(crate) fn synchronise(&self, longest: Option<Duration>) -> Result<(), Failure> {
        self.refuse_captured()?;
        let end = longest.map(|longest| Instant::now() + longest);
        let mut state = lock(&self.state);
        if !state.set {
            if self.ex {
                return Ok(());
            }
            return Err(Failure::parameter(
                "event was never recorded, so this would wait for ever",
            ));
        }
        let ticket = state.asked;
        while state.happened < ticket {
            let left = end.map_or(Duration::from_secs(1), |end| {
                end.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return Err(Failure::new(507_047, "the event was not recorded in time"));
            }
            state = wait_for(&self.changed, state, left);
        }
        let stream = state.observe();
        drop(state);
        stream.map_or(Ok(()), |stream| stream.report())
    }

    /// Milliseconds from this event to a later one.
    pub(crate) fn elapsed(&self, later: &Self) -> Result<f32, Failure> {
        let (begin, begin_simulated) = self.time("startEvent")?;
        let (end, end_simulated) = later.time("endEvent")?;
        let reversed = || Failure::new(107_007, "endEvent happened before startEvent");
        let elapsed = if machine().time {
            Duration::from_nanos(end_simulated.checked_sub(begin_simulated).ok_or_else(reversed)?)
        } else {
            end.checked_duration_since(begin).ok_or_else(reversed)?
        };
        Ok(elapsed.as_secs_f32() * 1e3)
    }

    /// Microseconds on the clock of the device when it happened.
    pub(crate) fn timestamp(&self) -> Result<u64, Failure> {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        let (at, simulated) = self.time("event")?;
        if machine().time {
            return Ok(simulated / 1000);
        }
        Ok(at.saturating_duration_since(*FIRST.get_or_init(|| at)).as_micros() as u64)
    }

    fn time(&self, argument: &str) -> Result<(Instant, u64), Failure> {
        if self.flags & TIME_LINE == 0 {
            let message =
                format!("{argument} has flag {:#x}, expected one with TIME_LINE, 8", self.flags);
            return Err(Failure::new(107_006, message));
        }
        let state = lock(&self.state);
        if !state.set {
            return Err(Failure::new(107_006, format!("{argument} was never recorded")));
        }
        if state.happened < state.asked {
            return Err(Failure::new(507_006, format!("{argument} has not happened yet")));
        }
        state.at.ok_or_else(|| Failure::new(107_006, format!("{argument} has no time")))
    }
}

impl State {
    fn ask(&mut self) -> u64 {
        self.asked += 1;
        self.set = true;
        self.asked
    }

    /// The host knows now that the last record happened; its stream.
    fn observe(&self) -> Option<Arc<Stream>> {
        let (stream, number) = self.task.as_ref()?;
        let stream = stream.upgrade()?;
        stream.observe(*number);
        Some(stream)
    }
}
