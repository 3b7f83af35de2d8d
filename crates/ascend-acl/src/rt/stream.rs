//! Streams: tasks in order.

use std::ffi::c_void;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::block::Block;
use super::device::{Device, Shared};
use super::event::Event;
use super::garbage::{Garbage, Item};
use super::handle::Handle;
use super::recording::Recording;
use super::sync::lock;
use super::uses::{Progress, Use, Uses};
use super::workspace::Workspace;
use crate::codes::Class;
use crate::error::{Error, Result};
use crate::library::Ascend;
use crate::sys::{failure_mode, stream_flag};

/// A stream of a device: what is put on it runs in order, beside the host and beside other streams.
///
/// A task that fails stops the stream, so that nothing computes with its result; the failure is reported by the next call that
/// waits. A stream may be shared between threads: their tasks mix, each whole.
///
/// Dropping a stream waits for it.
#[derive(Debug)]
pub struct Stream {
    pub(super) device: Arc<Shared>,
    pub(super) progress: Arc<Progress>,
    pub(super) handle: Handle,
    pub(super) state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    workspace: Workspace,
    pub(super) mode: Mode,
}

impl State {
    pub(super) fn workspace_bytes(&self) -> usize {
        self.workspace.bytes()
    }
}

/// What becomes of tasks.
#[derive(Debug)]
pub(super) enum Mode {
    /// They run.
    Eager,
    /// They are written down for a graph.
    Capture(Recording),
    /// They take the place of tasks of a graph.
    Update(Recording),
}

/// What a task is put on a stream with.
pub(crate) struct Place {
    /// The stream.
    pub(crate) stream: *mut c_void,
    /// The workspace; null if none was asked for.
    pub(crate) workspace: *mut c_void,
}

/// A task on its way to a stream.
pub(crate) struct Task<'a, P> {
    /// Bytes of workspace.
    pub(crate) workspace: usize,
    /// The memory that it uses.
    pub(crate) used: Vec<&'a Arc<Block>>,
    /// What puts it there.
    pub(crate) payload: P,
}

impl Stream {
    /// A stream of a device.
    pub fn new(device: &Device) -> Result<Self> {
        let shared = Arc::clone(&device.shared);
        let acl = shared.ascend.acl();
        let create = acl.aclrtCreateStreamWithConfig()?;
        let set_mode = acl.aclrtSetStreamFailureMode()?;
        shared.bind()?;
        let mut handle = std::ptr::null_mut();
        let flags = stream_flag::FAST_LAUNCH | stream_flag::FAST_SYNC;
        // SAFETY: `handle` can be written to, and the function keeps no pointer to it.
        let code = unsafe { create(&raw mut handle, 0, flags) };
        shared.check("aclrtCreateStreamWithConfig", code)?;
        let progress = Arc::new(Progress::new(Handle::new(handle)));
        let stream = Self {
            device: shared,
            progress,
            handle: Handle::new(handle),
            state: Mutex::new(State { workspace: Workspace::default(), mode: Mode::Eager }),
        };
        // SAFETY: the stream was created just now.
        let code = unsafe { set_mode(handle, failure_mode::STOP_ON_FAILURE) };
        stream.device.check("aclrtSetStreamFailureMode", code)?;
        Ok(stream)
    }

    /// The device of the stream.
    #[must_use]
    pub fn device(&self) -> Device {
        Device { shared: Arc::clone(&self.device) }
    }

    /// The libraries.
    #[must_use]
    pub fn ascend(&self) -> Ascend {
        self.device.ascend
    }

    /// Waits for all that is on the stream, and reports what failed there.
    pub fn synchronise(&self) -> Result<()> {
        self.wait(None)
    }

    /// [`Stream::synchronise`] for so long at most, in whole milliseconds.
    ///
    /// # Errors
    ///
    /// [`Class::Timeout`] if it takes longer; the tasks go on.
    pub fn synchronise_for(&self, limit: Duration) -> Result<()> {
        self.wait(Some(i32::try_from(limit.as_millis()).unwrap_or(i32::MAX)))
    }

    fn wait(&self, limit: Option<i32>) -> Result<()> {
        self.device.may_wait("aclrtSynchronizeStream")?;
        self.device.bind()?;
        self.progress.synchronise(&self.device, limit)?;
        self.device.sweep();
        Ok(())
    }

    /// Whether nothing is on the stream. Does not wait; reports what failed.
    pub fn is_idle(&self) -> Result<bool> {
        self.device.may_wait("aclrtStreamQuery")?;
        self.device.bind()?;
        self.progress.is_idle(&self.device)
    }

    /// Drops what is on the stream and has not begun, and stops what has, where the driver can.
    pub fn abort(&self) -> Result<()> {
        let abort = self.device.ascend.acl().aclrtStreamAbort()?;
        self.device.attach()?;
        // SAFETY: the stream lives as long as `self`.
        let code = unsafe { abort(self.handle.get()) };
        self.device.check("aclrtStreamAbort", code)
    }

    /// Records an event: it passes when all that is on the stream now is over.
    ///
    /// # Errors
    ///
    /// [`Error::Capturing`] while the stream is captured; [`Error::Argument`] for an event of another device.
    pub fn record(&self, event: &Event) -> Result<()> {
        self.same_device("record", "event", &event.device)?;
        let record = self.device.ascend.acl().aclrtRecordEvent()?;
        self.put_eager("aclrtRecordEvent", |place, used| {
            event.mark_recorded(used);
            // SAFETY: event and stream live as long as the borrows; the event is kept until the task is over.
            let code = unsafe { record(event.handle.get(), place.stream) };
            self.device.check("aclrtRecordEvent", code)
        })
    }

    /// Lets what comes on this stream wait until an event has passed. The host does not wait.
    ///
    /// # Errors
    ///
    /// As [`Stream::record`].
    pub fn wait_event(&self, event: &Event) -> Result<()> {
        self.same_device("wait_event", "event", &event.device)?;
        if event.recorded().is_none_or(|recorded| recorded.is_over()) {
            return Ok(());
        }
        let wait = self.device.ascend.acl().aclrtStreamWaitEvent()?;
        self.put_eager("aclrtStreamWaitEvent", |place, used| {
            event.mark(&used);
            // SAFETY: event and stream live as long as the borrows; the event is kept until the task is over.
            let code = unsafe { wait(place.stream, event.handle.get()) };
            self.device.check("aclrtStreamWaitEvent", code)
        })
    }

    /// The bytes of the stream's workspace, which grows with the operators and is kept.
    #[must_use]
    pub fn workspace_bytes(&self) -> usize {
        lock(&self.state).workspace_bytes()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.device
    }

    /// Puts a task on the stream. The memory that it uses is neither freed nor written by the host before the
    /// task is over; in a capture, before the graph is gone.
    ///
    /// `put` must put exactly that on the stream which uses the memory in [`Task::used`] and the workspace, and nothing
    /// else.
    pub(crate) fn put<'a, P>(
        &self,
        prepare: impl FnOnce() -> Result<Task<'a, P>>,
        put: impl FnOnce(Place, P) -> Result<()>,
    ) -> Result<()> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let device = &self.device;
        device.bind()?;
        let outcome = match &mut state.mode {
            Mode::Eager => {
                let task = prepare()?;
                let workspace = state.workspace.of(device, task.workspace)?;
                let number = self.progress.put() + 1;
                for block in task.used.into_iter().chain(&workspace) {
                    block.mark(&self.progress, number);
                }
                let outcome = put(self.place(workspace.as_ref()), task.payload);
                self.progress.set_put(number);
                outcome
            }
            Mode::Capture(recording) | Mode::Update(recording) => {
                let (workspace, task) = recording.relaxed(device, |recording| {
                    let task = prepare()?;
                    Ok((recording.workspace.of(device, task.workspace)?, task))
                })?;
                recording.keep(task.used.into_iter().chain(&workspace));
                put(self.place(workspace.as_ref()), task.payload)
            }
        };
        outcome.map_err(|error| self.explain(error))
    }

    /// Puts something on the stream that has no place in a graph.
    pub(super) fn put_eager(
        &self,
        call: &'static str,
        put: impl FnOnce(Place, Use) -> Result<()>,
    ) -> Result<()> {
        let state = lock(&self.state);
        if !matches!(state.mode, Mode::Eager) {
            return Err(Error::Capturing { call });
        }
        self.device.bind()?;
        let task = self.progress.put() + 1;
        let used = Use { progress: Arc::clone(&self.progress), task };
        let outcome = put(self.place(None), used);
        self.progress.set_put(task);
        outcome
    }

    fn place(&self, workspace: Option<&Arc<Block>>) -> Place {
        let workspace = workspace.map_or(Handle::NULL, |block| block.address);
        Place { stream: self.handle.get(), workspace: workspace.get() }
    }

    /// Looks behind 361001, with which an operator says that the runtime refused it: the stream knows whether
    /// that was because of a device fault.
    fn explain(&self, error: Error) -> Error {
        const RUNTIME_REFUSED: i32 = 361_001;
        if error.code() == Some(RUNTIME_REFUSED)
            && self.device.may_wait("aclrtStreamQuery").is_ok()
            && let Err(cause) = self.progress.is_idle(&self.device)
            && cause.class() == Class::DeviceFault
        {
            return cause;
        }
        error
    }

    pub(crate) fn same_device(
        &self,
        operation: &'static str,
        argument: &'static str,
        other: &Arc<Shared>,
    ) -> Result<()> {
        if Arc::ptr_eq(&self.device, other) {
            return Ok(());
        }
        Err(Error::Argument {
            operation,
            argument,
            got: format!("one of device {}", other.id()),
            expected: format!("one of device {}, as the stream is", self.device.id()),
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let item = Item::Stream(Arc::clone(&self.progress));
        self.device.discard(Garbage { uses: Uses::default(), item });
        self.device.sweep();
    }
}
