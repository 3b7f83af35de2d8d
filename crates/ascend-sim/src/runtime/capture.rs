//! Captures: streams whose tasks are written down instead of run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self as std_thread, ThreadId};

use super::config::machine;
use super::context::Context;
use super::failure::Failure;
use super::graph::{self, Node, Slot};
use super::group;
use super::stream::Stream;
use super::work::{Captured, Work};
use super::{device, thread};
use crate::profile::Cann;
use crate::sync::lock;

/// An `aclmdlRICaptureMode`: which calls are refused while a capture goes on, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Blocking calls, to every thread.
    Global,
    /// Blocking calls, to the thread that began it.
    ThreadLocal,
    /// None but those that touch what is captured.
    Relaxed,
}

impl Mode {
    /// The mode of a number.
    pub(crate) fn of(number: i32) -> Result<Self, Failure> {
        Ok(match number {
            0 => Self::Global,
            1 => Self::ThreadLocal,
            2 => Self::Relaxed,
            _ => {
                let message = format!(
                    "mode is {number}, expected 0 (global), 1 (thread local) or 2 (relaxed)"
                );
                return Err(Failure::parameter(message));
            }
        })
    }

    /// Its number.
    pub(crate) fn number(self) -> i32 {
        self as i32
    }
}

/// A capture that goes on.
#[derive(Debug)]
pub(crate) struct Session {
    mode: Mode,
    thread: ThreadId,
    /// The stream that it began on.
    origin: u64,
    context: Arc<Context>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    nodes: Vec<Node>,
    branches: HashMap<u64, Branch>,
    groups: Vec<u64>,
    /// Why nothing will come of it.
    spoiled: Option<String>,
    over: bool,
}

/// A stream that takes part.
#[derive(Debug)]
struct Branch {
    stream: Weak<Stream>,
    /// The nodes that the next one follows.
    last: Vec<usize>,
    /// The nodes of a task group that is open.
    group: Option<Vec<Arc<Slot>>>,
}

/// A place in a capture, as an event keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    session: Weak<Session>,
    after: Vec<usize>,
}

impl Mark {
    /// The capture, if it still goes on.
    pub(super) fn session(&self) -> Option<Arc<Session>> {
        self.session.upgrade().filter(|session| !lock(&session.state).over)
    }
}

/// `ACL_ERROR_RT_STREAM_CAPTURED`.
const STREAM_CAPTURED: i32 = 107_027;
/// `ACL_ERROR_RT_STREAM_CAPTURE_INVALIDATED`.
const INVALIDATED: i32 = 507_903;

/// The status of a call that must not be made while a capture goes on, by release.
pub(crate) fn refusal() -> i32 {
    match machine().cann {
        Cann::V8_3 => 107_030,
        Cann::V8_5 => 107_041,
    }
}

/// Begins a capture on a stream.
pub(crate) fn begin(stream: &Arc<Stream>, mode: Mode) -> Result<(), Failure> {
    let context = stream.context()?;
    context.usable()?;
    if stream.is_default {
        return Err(Failure::new(107_031, "stream is the default one, which cannot be captured"));
    }
    let mut capture = lock(&stream.capture);
    if capture.is_some() {
        return Err(Failure::new(STREAM_CAPTURED, "stream is being captured already"));
    }
    let branch = Branch { stream: Arc::downgrade(stream), last: Vec::new(), group: None };
    let state = State { branches: [(stream.handle, branch)].into(), ..State::default() };
    let session = Arc::new(Session {
        mode,
        thread: std_thread::current().id(),
        origin: stream.handle,
        context,
        state: Mutex::new(state),
    });
    let device = device::of(stream.device)?;
    lock(&device.captures).push(Arc::downgrade(&session));
    *capture = Some(session);
    Ok(())
}

/// Ends a capture; the graph that came of it.
pub(crate) fn end(stream: &Arc<Stream>) -> Result<u64, Failure> {
    let session = lock(&stream.capture).clone();
    let session = session.ok_or_else(|| Failure::new(107_029, "stream is not being captured"))?;
    if session.origin != stream.handle {
        session.spoil("it was ended on a stream that it did not begin on");
        return Err(Failure::new(
            107_036,
            "the capture began on another stream, where it must end",
        ));
    }
    if session.mode != Mode::Relaxed && session.thread != std_thread::current().id() {
        session.spoil("it was ended by another thread");
        return Err(Failure::new(
            107_038,
            "the capture began on another thread, where it must end",
        ));
    }
    session.finish()
}

/// Status (0 none, 1 active, 2 void) of the capture of a stream.
pub(crate) fn status(stream: &Stream) -> i32 {
    let session = lock(&stream.capture).clone();
    session.map_or(0, |session| if lock(&session.state).spoiled.is_some() { 2 } else { 1 })
}

impl Session {
    /// Makes the capture void.
    pub(crate) fn spoil(&self, why: &str) {
        lock(&self.state).spoiled.get_or_insert_with(|| why.to_owned());
    }

    /// Writes work down; its node.
    pub(super) fn record(&self, stream: &Stream, work: Work) -> Result<Arc<Slot>, Failure> {
        let mut state = lock(&self.state);
        state.intact()?;
        if let Captured::Refused(status, why) = work.captured {
            state.spoiled = Some(format!("{}: {why}", work.name));
            return Err(Failure::new(status, format!("{} in a captured stream: {why}", work.name)));
        }
        let node = state.nodes.len();
        let branch = state.branch(stream)?;
        let slot = Arc::new(Slot::new(work));
        if let Some(group) = &mut branch.group {
            group.push(Arc::clone(&slot));
        }
        let after = std::mem::replace(&mut branch.last, vec![node]);
        state.nodes.push(Node { slot: Arc::clone(&slot), after });
        Ok(slot)
    }

    /// Where the capture of a stream is now.
    pub(super) fn mark(self: &Arc<Self>, stream: &Stream) -> Result<Mark, Failure> {
        let mut state = lock(&self.state);
        state.intact()?;
        let after = state.branch(stream)?.last.clone();
        Ok(Mark { session: Arc::downgrade(self), after })
    }

    /// Begins a task group on a stream that takes part.
    pub(super) fn begin_group(&self, stream: &Stream) -> Result<(), Failure> {
        let mut state = lock(&self.state);
        state.intact()?;
        let branch = state.branch(stream)?;
        if branch.group.is_some() {
            return Err(Failure::new(107_033, "a task group is open on the stream already"));
        }
        branch.group = Some(Vec::new());
        Ok(())
    }

    /// Ends a task group; its handle.
    pub(super) fn end_group(&self, stream: &Stream) -> Result<u64, Failure> {
        let mut state = lock(&self.state);
        state.intact()?;
        let group = state.branch(stream)?.group.take();
        let slots =
            group.ok_or_else(|| Failure::new(107_033, "no task group is open on the stream"))?;
        let handle = group::create(slots);
        state.groups.push(handle);
        Ok(handle)
    }

    fn finish(self: &Arc<Self>) -> Result<u64, Failure> {
        let mut state = {
            let mut state = lock(&self.state);
            std::mem::replace(&mut *state, State { over: true, ..State::default() })
        };
        for stream in state.branches.values().filter_map(|branch| branch.stream.upgrade()) {
            *lock(&stream.capture) = None;
        }
        if let Ok(device) = device::of(self.context.device) {
            lock(&device.captures).retain(|other| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(self)));
        }
        let graph = self.check(&state).and_then(|()| {
            let nodes = std::mem::take(&mut state.nodes);
            graph::create(&self.context, nodes, state.groups.clone())
        });
        if graph.is_err() {
            group::forget(&state.groups);
        }
        graph
    }

    fn check(&self, state: &State) -> Result<(), Failure> {
        state.intact()?;
        if state.branches.values().any(|branch| branch.group.is_some()) {
            return Err(Failure::new(107_034, "a task group was begun and not ended"));
        }
        let Some(origin) = state.branches.get(&self.origin) else {
            return Err(Failure::new(INVALIDATED, "the stream of the capture is gone"));
        };
        let joined = graph::ancestors(&state.nodes, &origin.last);
        let open = |branch: &Branch| branch.last.iter().any(|node| !joined[*node]);
        if let Some((handle, _)) = state.branches.iter().find(|(_, branch)| open(branch)) {
            let message = format!(
                "stream {:p} was forked into the capture and not joined to the stream that it began on",
                super::registry::pointer(*handle)
            );
            return Err(Failure::new(107_025, message));
        }
        Ok(())
    }

    /// Whether the calling thread must not make blocking calls because of this capture.
    fn binds(&self) -> bool {
        let own = self.thread == std_thread::current().id();
        match (self.mode, thread::mode()) {
            (Mode::Relaxed, _) | (_, Mode::Relaxed) => false,
            (Mode::Global, Mode::Global) => true,
            (Mode::Global, Mode::ThreadLocal) | (Mode::ThreadLocal, _) => own,
        }
    }
}

impl State {
    fn intact(&self) -> Result<(), Failure> {
        match &self.spoiled {
            None => Ok(()),
            Some(why) => Err(Failure::new(INVALIDATED, format!("the capture is void: {why}"))),
        }
    }

    fn branch(&mut self, stream: &Stream) -> Result<&mut Branch, Failure> {
        let missing = || Failure::new(107_029, "stream takes no part in the capture");
        self.branches.get_mut(&stream.handle).ok_or_else(missing)
    }
}

/// Lets a stream that waits for an event follow the place where a capture recorded it, and so join the capture. False if
/// no capture is concerned, or if the wait is one for the graph to do.
pub(super) fn join(
    stream: &Arc<Stream>,
    mark: Option<&Mark>,
    external: bool,
) -> Result<bool, Failure> {
    let mut own = lock(&stream.capture);
    let marked = mark.and_then(|mark| Some((mark.session()?, &mark.after)));
    let Some((session, after)) = marked else {
        let Some(session) = own.as_ref().filter(|_| !external) else {
            return Ok(false);
        };
        session.spoil("it waits for an event that was not recorded in it");
        return Err(Failure::new(
            107_024,
            "a captured stream waits for an event that the capture did not record; EXTERNAL events can be",
        ));
    };
    if let Some(own) = own.as_ref().filter(|own| !Arc::ptr_eq(own, &session)) {
        own.spoil("it waits for an event of another capture");
        return Err(Failure::new(107_032, "stream and event belong to different captures"));
    }
    if stream.is_default {
        session.spoil("a default stream waits for an event of it");
        return Err(Failure::new(
            107_031,
            "stream is the default one, which cannot join a capture",
        ));
    }
    let mut state = lock(&session.state);
    state.intact()?;
    let branch = state.branches.entry(stream.handle).or_insert_with(|| Branch {
        stream: Arc::downgrade(stream),
        last: Vec::new(),
        group: None,
    });
    for node in after {
        if !branch.last.contains(node) {
            branch.last.push(*node);
        }
    }
    drop(state);
    *own = Some(session);
    Ok(true)
}

fn captures(device: u32) -> Vec<Arc<Session>> {
    let Ok(device) = device::of(device) else { return Vec::new() };
    let mut captures = lock(&device.captures);
    captures.retain(|session| session.strong_count() > 0);
    captures.iter().filter_map(Weak::upgrade).collect()
}

/// Refuses a blocking call where a capture binds the thread, and makes that capture void.
pub(crate) fn may_block(device: u32, what: &str) -> Result<(), Failure> {
    let sessions = captures(device);
    let mut binding = sessions.iter().filter(|session| session.binds()).peekable();
    let Some(mode) = binding.peek().map(|session| session.mode) else {
        return Ok(());
    };
    binding.for_each(|session| session.spoil(what));
    let message = format!("{what} while a stream of the device is captured in mode {mode:?}");
    Err(Failure::new(refusal(), message))
}

/// Refuses an allocation where a capture in global mode binds the thread, unless `ASCEND_SIM_CAPTURE_MALLOC=1`.
pub(crate) fn may_allocate(device: u32) -> Result<(), Failure> {
    if machine().capture_malloc { Ok(()) } else { may_block(device, "memory was allocated") }
}

/// Refuses to wait for a stream, or to query it.
pub(super) fn may_synchronise(stream: &Stream) -> Result<(), Failure> {
    if let Some(session) = lock(&stream.capture).as_ref() {
        session.spoil("a stream of it was queried or waited for");
        return Err(Failure::new(STREAM_CAPTURED, "stream is being captured"));
    }
    may_synchronise_event(stream.device)
}

/// Refuses to wait for what is not captured, where a capture binds the thread.
pub(super) fn may_synchronise_event(device: u32) -> Result<(), Failure> {
    may_block(device, "a stream or an event was queried or waited for")
        .map_err(|failure| Failure { status: STREAM_CAPTURED, ..failure })
}

/// Refuses to wait for a device of which a stream is captured.
pub(super) fn may_synchronise_device(device: u32) -> Result<(), Failure> {
    let sessions = captures(device);
    if sessions.is_empty() {
        return Ok(());
    }
    for session in &sessions {
        session.spoil("the device was waited for");
    }
    Err(Failure::new(STREAM_CAPTURED, "a stream of the device is being captured"))
}

/// Begins a task group on a captured stream.
pub(crate) fn begin_group(stream: &Stream) -> Result<(), Failure> {
    session(stream)?.begin_group(stream)
}

/// Ends it; its handle.
pub(crate) fn end_group(stream: &Stream) -> Result<u64, Failure> {
    session(stream)?.end_group(stream)
}

fn session(stream: &Stream) -> Result<Arc<Session>, Failure> {
    lock(&stream.capture)
        .clone()
        .ok_or_else(|| Failure::new(107_029, "stream is not being captured"))
}
