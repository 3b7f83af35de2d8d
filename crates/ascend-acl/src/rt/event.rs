//! Events: places on streams that others wait for, and clocks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::device::{Device, Shared};
use super::garbage::{Garbage, Item};
use super::handle::Handle;
use super::sync::lock;
use super::uses::{Use, Uses};
use crate::error::{Error, Result};
use crate::sys::{aclrtEventRecordedStatus, event_flag};

/// A place on a stream: recorded by [`Stream::record`](super::Stream::record), waited for by
/// [`Stream::wait_event`](super::Stream::wait_event) or by the host.
///
/// An event that was never recorded counts as passed.
#[derive(Debug)]
pub struct Event {
    pub(super) device: Arc<Shared>,
    pub(super) handle: Handle,
    is_timed: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Tasks that record it or wait for it.
    uses: Uses,
    recorded: Option<Use>,
}

impl Event {
    /// An event without a clock, which is cheaper.
    pub fn new(device: &Device) -> Result<Self> {
        Self::create(&device.shared, false)
    }

    /// An event with a clock, for [`Event::elapsed_since`].
    pub fn timed(device: &Device) -> Result<Self> {
        Self::create(&device.shared, true)
    }

    pub(super) fn create(device: &Arc<Shared>, is_timed: bool) -> Result<Self> {
        let acl = device.ascend.acl();
        let flag = event_flag::SYNC | if is_timed { event_flag::TIME_LINE } else { 0 };
        // Before 8.1 there was only the older one, which counts an event as not passed until it is recorded.
        let (call, create) = match acl.aclrtCreateEventExWithFlag() {
            Ok(create) => ("aclrtCreateEventExWithFlag", create),
            Err(_) => ("aclrtCreateEventWithFlag", acl.aclrtCreateEventWithFlag()?),
        };
        device.bind()?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: `handle` can be written to, and the function keeps no pointer to it.
        let code = unsafe { create(&raw mut handle, flag) };
        device.check(call, code)?;
        let handle = Handle::new(handle);
        Ok(Self { device: Arc::clone(device), handle, is_timed, state: Mutex::default() })
    }

    /// Whether the place where it was recorded last is passed. Does not wait.
    pub fn has_passed(&self) -> Result<bool> {
        let Some(recorded) = self.recorded() else { return Ok(true) };
        if recorded.is_over() {
            return Ok(true);
        }
        let device = &self.device;
        let query = device.ascend.acl().aclrtQueryEventStatus()?;
        device.may_wait("aclrtQueryEventStatus")?;
        device.bind()?;
        let mut status = aclrtEventRecordedStatus::NOT_READY;
        // SAFETY: the event lives as long as `self`; `status` can be written to.
        let code = unsafe { query(self.handle.get(), &raw mut status) };
        device.check("aclrtQueryEventStatus", code)?;
        let passed = status == aclrtEventRecordedStatus::COMPLETE;
        if passed {
            recorded.progress.pass(recorded.task);
        }
        Ok(passed)
    }

    /// Waits until the place where it was recorded last is passed.
    ///
    /// # Errors
    ///
    /// A device fault that happened before that place on the stream.
    pub fn synchronise(&self) -> Result<()> {
        let Some(recorded) = self.recorded() else { return Ok(()) };
        if recorded.is_over() {
            return Ok(());
        }
        let device = &self.device;
        let synchronize = device.ascend.acl().aclrtSynchronizeEvent()?;
        device.may_wait("aclrtSynchronizeEvent")?;
        device.bind()?;
        // SAFETY: the event lives as long as `self`.
        let code = unsafe { synchronize(self.handle.get()) };
        device.check("aclrtSynchronizeEvent", code)?;
        recorded.progress.pass(recorded.task);
        Ok(())
    }

    /// The device time between two events, `earlier` and this one, both [`timed`](Event::timed) and passed.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for an event without a clock or one that was never recorded; 107007 if this one came first.
    pub fn elapsed_since(&self, earlier: &Self) -> Result<Duration> {
        for (argument, event) in [("earlier", earlier), ("self", self)] {
            if !event.is_timed || event.recorded().is_none() {
                let got = if event.is_timed {
                    "one that was never recorded"
                } else {
                    "one without a clock"
                };
                return Err(Error::Argument {
                    operation: "elapsed_since",
                    argument,
                    got: got.to_owned(),
                    expected: "a timed event that was recorded".to_owned(),
                });
            }
            event.synchronise()?;
        }
        let device = &self.device;
        let elapsed = device.ascend.acl().aclrtEventElapsedTime()?;
        device.bind()?;
        let mut milliseconds = 0.0;
        // SAFETY: both events live as long as the borrows; `milliseconds` can be written to.
        let code =
            unsafe { elapsed(&raw mut milliseconds, earlier.handle.get(), self.handle.get()) };
        device.check("aclrtEventElapsedTime", code)?;
        Ok(Duration::try_from_secs_f64(f64::from(milliseconds) / 1e3).unwrap_or_default())
    }

    pub(super) fn recorded(&self) -> Option<Use> {
        lock(&self.state).recorded.clone()
    }

    /// Notes a task that waits for it.
    pub(super) fn mark(&self, used: &Use) {
        lock(&self.state).uses.mark(&used.progress, used.task);
    }

    /// Notes the task that records it.
    pub(super) fn mark_recorded(&self, used: Use) {
        let mut state = lock(&self.state);
        state.uses.mark(&used.progress, used.task);
        state.recorded = Some(used);
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let uses = std::mem::take(&mut lock(&self.state).uses);
        self.device.discard(Garbage { uses, item: Item::Event(self.handle) });
    }
}
