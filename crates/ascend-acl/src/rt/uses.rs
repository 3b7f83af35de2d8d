//! Which streams have work that uses something, and how far they are.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::device::Shared;
use super::handle::Handle;
use super::sync::lock;
use crate::error::{Error, Result};
use crate::sys::aclrtStreamStatus;

/// How far a stream is. It outlives the stream, so that what the stream used can be asked about it.
pub(crate) struct Progress {
    /// `None` once the stream is destroyed; held while the host waits for it.
    stream: Mutex<Option<Handle>>,
    /// The number of the last task that was put on the stream.
    put: AtomicU64,
    /// All tasks up to this one are known to be over.
    passed: AtomicU64,
    /// While the stream is captured nobody may wait for it: that would make the capture void.
    captured: AtomicBool,
}

impl Progress {
    pub(crate) fn new(stream: Handle) -> Self {
        Self {
            stream: Mutex::new(Some(stream)),
            put: AtomicU64::new(0),
            passed: AtomicU64::new(0),
            captured: AtomicBool::new(false),
        }
    }

    /// The number of the last task that was put on the stream.
    pub(crate) fn put(&self) -> u64 {
        self.put.load(Ordering::Acquire)
    }

    /// A task was put on the stream. What it uses was marked with its number before, and the number counts
    /// as put only now: who waits in between does not take the task to be over.
    pub(crate) fn set_put(&self, task: u64) {
        self.put.store(task, Ordering::Release);
    }

    pub(crate) fn has_passed(&self, task: u64) -> bool {
        self.passed.load(Ordering::Acquire) >= task
    }

    /// The host knows that all tasks up to this one are over.
    pub(crate) fn pass(&self, task: u64) {
        self.passed.fetch_max(task, Ordering::AcqRel);
    }

    pub(crate) fn set_captured(&self, captured: bool) {
        self.captured.store(captured, Ordering::Release);
    }

    /// Waits until a task is over: as long as it takes, and for the whole stream. After an error the task may
    /// still run: a poisoned context refuses to wait at all. What the stream used is kept then until the
    /// stream is destroyed.
    pub(crate) fn wait(&self, device: &Shared, task: u64) -> Result<()> {
        if self.has_passed(task) { Ok(()) } else { self.synchronise(device, None) }
    }

    /// Waits for the whole stream, so many milliseconds at most.
    pub(crate) fn synchronise(&self, device: &Shared, limit: Option<i32>) -> Result<()> {
        if self.captured.load(Ordering::Acquire) {
            return Err(Error::Capturing { call: "aclrtSynchronizeStream" });
        }
        let stream = lock(&self.stream);
        let Some(handle) = *stream else { return Ok(()) };
        let put = self.put();
        synchronise(device, handle, limit)?;
        self.pass(put);
        Ok(())
    }

    /// Whether the stream is idle.
    pub(crate) fn is_idle(&self, device: &Shared) -> Result<bool> {
        if self.captured.load(Ordering::Acquire) {
            return Err(Error::Capturing { call: "aclrtStreamQuery" });
        }
        let stream = lock(&self.stream);
        let Some(handle) = *stream else { return Ok(true) };
        let query = device.ascend.acl().aclrtStreamQuery()?;
        let put = self.put();
        let mut status = aclrtStreamStatus::NOT_READY;
        device.attach()?;
        // SAFETY: the stream is not destroyed, since its handle is still here, whose lock is held; `status`
        // can be written to.
        let code = unsafe { query(handle.get(), &raw mut status) };
        device.check("aclrtStreamQuery", code)?;
        let is_idle = status == aclrtStreamStatus::COMPLETE;
        if is_idle {
            self.pass(put);
        }
        Ok(is_idle)
    }

    /// Takes the stream away, to be destroyed.
    pub(crate) fn take(&self) -> Option<Handle> {
        lock(&self.stream).take()
    }

    /// The stream is destroyed: whatever was on it is over.
    pub(crate) fn end(&self) {
        self.pass(u64::MAX);
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("put", &self.put()).finish_non_exhaustive()
    }
}

fn synchronise(device: &Shared, stream: Handle, limit: Option<i32>) -> Result<()> {
    let acl = device.ascend.acl();
    device.attach()?;
    let (call, code) = match limit {
        None => {
            let synchronize = acl.aclrtSynchronizeStream()?;
            // SAFETY: the caller holds the lock of the `Progress` that has the handle, so the stream is
            // not destroyed.
            ("aclrtSynchronizeStream", unsafe { synchronize(stream.get()) })
        }
        Some(milliseconds) => {
            let synchronize = acl.aclrtSynchronizeStreamWithTimeout()?;
            // SAFETY: as above.
            let code = unsafe { synchronize(stream.get(), milliseconds) };
            ("aclrtSynchronizeStreamWithTimeout", code)
        }
    };
    device.check(call, code)
}

/// A task of a stream.
#[derive(Clone)]
pub(crate) struct Use {
    pub(crate) progress: Arc<Progress>,
    pub(crate) task: u64,
}

impl Use {
    pub(crate) fn is_over(&self) -> bool {
        self.progress.has_passed(self.task)
    }
}

impl fmt::Debug for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Use").field("task", &self.task).finish_non_exhaustive()
    }
}

/// The last tasks that use something, one for each stream.
#[derive(Debug, Default, Clone)]
pub(crate) struct Uses(Vec<Use>);

impl Uses {
    /// Notes a task.
    pub(crate) fn mark(&mut self, progress: &Arc<Progress>, task: u64) {
        match self.0.iter_mut().find(|used| Arc::ptr_eq(&used.progress, progress)) {
            Some(used) => used.task = used.task.max(task),
            None => self.0.push(Use { progress: Arc::clone(progress), task }),
        }
    }

    /// Notes all tasks of others.
    pub(crate) fn mark_all(&mut self, others: &Self) {
        for used in &others.0 {
            self.mark(&used.progress, used.task);
        }
    }

    /// Whether all of them are known to be over.
    pub(crate) fn are_over(&self) -> bool {
        self.0.iter().all(Use::is_over)
    }

    /// Waits for all of them.
    pub(crate) fn wait(&mut self, device: &Shared) -> Result<()> {
        let outcomes: Vec<_> =
            self.0.iter().map(|used| used.progress.wait(device, used.task)).collect();
        self.0.retain(|used| !used.is_over());
        outcomes.into_iter().collect()
    }
}
