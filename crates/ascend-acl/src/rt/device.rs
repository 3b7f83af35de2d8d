//! Devices, and which one a thread works with.

use std::cell::Cell;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, ThreadId};

use super::failures;
use super::garbage::{Garbage, Item};
use super::handle::Handle;
use super::runtime::Runtime;
use super::sync::lock;
use crate::codes::Class;
use crate::error::{Error, Failure, Result};
use crate::library::Ascend;
use crate::sys::{aclmdlRICaptureMode, aclrtMemMallocPolicy};

/// A device, open.
///
/// A clone is the same device; it is closed when the last clone is gone and nothing that belongs to it lives: every stream,
/// buffer, event, graph and communicator keeps its device open, so they may be dropped in any order.
///
/// CANN wants a current context on every thread. All functions of this module bind their device to the calling thread
/// where it is not bound already, so a device and what belongs to it may be used on any thread;
/// [`Device::bind`] is for programs that call [`sys`](crate::sys) functions themselves.
///
/// ```
/// use ascend_acl::Ascend;
/// use ascend_acl::rt::{Device, DeviceBuffer};
///
/// fn double(ascend: &Ascend) -> ascend_acl::Result<Vec<f32>> {
///     let device = Device::open(ascend, 0)?;
///     let buffer = DeviceBuffer::from_slice(&device, &[1.0_f32, 2.0])?;
///     buffer.to_vec()
/// }
/// ```
#[derive(Clone)]
pub struct Device {
    pub(crate) shared: Arc<Shared>,
}

/// What all that belongs to a device holds on to.
pub(crate) struct Shared {
    pub(crate) ascend: Ascend,
    id: i32,
    /// The device's default context, which all its threads share.
    context: Handle,
    /// Which opening of which device this is, never 0 and never twice.
    opening: u64,
    lost: OnceLock<Box<Failure>>,
    soc: OnceLock<String>,
    captures: Mutex<Vec<CaptureMark>>,
    garbage: Mutex<Vec<Garbage>>,
}

/// A capture that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CaptureMark {
    pub(crate) mode: aclmdlRICaptureMode,
    pub(crate) thread: ThreadId,
}

/// The devices that are open. A device that is being closed stays here until it is.
static OPEN: Mutex<Open> = Mutex::new(Vec::new());
static CLOSED: Condvar = Condvar::new();
static OPENINGS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The opening whose context is current on this thread; 0 for none that is known.
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

type Open = Vec<(i32, u64, Weak<Shared>)>;

/// Refuses while a device is open; none is opened as long as the result is held.
pub(super) fn none_open() -> Result<MutexGuard<'static, Open>> {
    let open = lock(&OPEN);
    let devices: Vec<_> = open.iter().map(|(id, ..)| *id).collect();
    if devices.is_empty() { Ok(open) } else { Err(Error::InUse { devices }) }
}

/// Whichever context is current on this thread now, it is not known any more.
pub(crate) fn forget_current() {
    CURRENT.set(0);
}

impl Device {
    /// Opens a device by its number among those that the process sees, beginning the runtime if need be. A device
    /// that is open already is shared.
    ///
    /// # Errors
    ///
    /// A call that fails; 107001 for a device that is not there. A device that was lost can be opened again as soon as
    /// everything that belongs to its old opening is dropped.
    pub fn open(ascend: &Ascend, id: i32) -> Result<Self> {
        let mut open = lock(&OPEN);
        Runtime::start(ascend)?;
        loop {
            match open.iter().find(|(other, ..)| *other == id) {
                None => break,
                Some((.., device)) => match device.upgrade() {
                    Some(shared) => return Ok(Self { shared }),
                    // It is being closed by another thread.
                    None => open = CLOSED.wait(open).unwrap_or_else(PoisonError::into_inner),
                },
            }
        }
        let shared = Arc::new(Shared::open(*ascend, id)?);
        open.push((id, shared.opening, Arc::downgrade(&shared)));
        Ok(Self { shared })
    }

    /// Makes the device current on the calling thread, for calls of [`sys`](crate::sys) functions.
    ///
    /// # Errors
    ///
    /// [`Error::ContextLost`] after a device fault.
    pub fn bind(&self) -> Result<()> {
        forget_current();
        self.shared.bind()
    }

    /// The number that the device was opened with.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.shared.id
    }

    /// The libraries.
    #[must_use]
    pub fn ascend(&self) -> Ascend {
        self.shared.ascend
    }

    /// The runtime.
    #[must_use]
    pub fn runtime(&self) -> Runtime {
        Runtime::of(self.shared.ascend)
    }

    /// The name of the chip, such as `Ascend910B3`.
    pub fn soc_name(&self) -> Result<&str> {
        if let Some(name) = self.shared.soc.get() {
            return Ok(name);
        }
        self.shared.bind()?;
        let name = self.runtime().soc_name()?;
        Ok(self.shared.soc.get_or_init(|| name))
    }

    /// The fault after which the device's context is of no use, if there was one.
    #[must_use]
    pub fn fault(&self) -> Option<&Failure> {
        self.shared.lost.get().map(|failure| &**failure)
    }

    /// Waits for all streams of the device.
    pub fn synchronise(&self) -> Result<()> {
        let shared = &self.shared;
        let synchronize = shared.ascend.acl().aclrtSynchronizeDevice()?;
        shared.may_wait("aclrtSynchronizeDevice")?;
        shared.bind()?;
        // SAFETY: the function takes nothing; the device is bound to this thread.
        let code = unsafe { synchronize() };
        shared.check("aclrtSynchronizeDevice", code)?;
        shared.sweep();
        Ok(())
    }

    /// Frees memory that was dropped while streams still used it, waiting for those streams. Allocation does this by itself
    /// before it gives up.
    pub fn reclaim(&self) -> Result<()> {
        self.shared.bind()?;
        self.shared.reclaim().map(drop)
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("id", &self.shared.id).finish_non_exhaustive()
    }
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Device {}

/// Allocations of so many bytes and fewer use small pages: a page of 2 MB for each norm's weight would waste
/// more than the weights take.
const SMALL: usize = 1 << 20;

impl Shared {
    fn open(ascend: Ascend, id: i32) -> Result<Self> {
        let set = ascend.acl().aclrtSetDevice()?;
        let current = ascend.acl().aclrtGetCurrentContext()?;
        // SAFETY: the function takes a number, and refuses one that is no device.
        let code = unsafe { set(id) };
        ascend.check("aclrtSetDevice", code)?;
        let mut context = ptr::null_mut();
        // SAFETY: `context` can be written to, and the function keeps no pointer to it.
        let code = unsafe { current(&raw mut context) };
        ascend.check("aclrtGetCurrentContext", code)?;
        let opening = OPENINGS.fetch_add(1, Ordering::Relaxed) + 1;
        CURRENT.set(opening);
        Ok(Self {
            ascend,
            id,
            context: Handle::new(context),
            opening,
            lost: OnceLock::new(),
            soc: OnceLock::new(),
            captures: Mutex::default(),
            garbage: Mutex::default(),
        })
    }

    pub(crate) fn id(&self) -> i32 {
        self.id
    }

    /// Makes the context current on the calling thread, which costs next to nothing where it is.
    ///
    /// Who changes the current context of a thread through `sys` functions has to bind it again: what is
    /// remembered here is only what this crate did.
    pub(crate) fn attach(&self) -> Result<()> {
        if CURRENT.get() == self.opening {
            return Ok(());
        }
        let set = self.ascend.acl().aclrtSetCurrentContext()?;
        // SAFETY: the context lives until the device is reset, which only happens when `self` is dropped.
        let code = unsafe { set(self.context.get()) };
        self.check("aclrtSetCurrentContext", code)?;
        CURRENT.set(self.opening);
        Ok(())
    }

    /// [`Shared::attach`], refused after a device fault.
    pub(crate) fn bind(&self) -> Result<()> {
        if let Some(cause) = self.lost.get() {
            return Err(Error::ContextLost { device: self.id, cause: cause.clone() });
        }
        self.attach()
    }

    /// Turns a code into a result, and remembers a device fault.
    pub(crate) fn check(&self, call: &'static str, code: i32) -> Result<()> {
        self.ascend.check(call, code).inspect_err(|error| self.notice(error))
    }

    /// Remembers a device fault.
    pub(crate) fn notice(&self, error: &Error) {
        if let Error::Call(failure) = error
            && failure.class() == Class::DeviceFault
        {
            let _ = self.lost.set(failure.clone());
        }
    }

    /// Allocates device memory, freeing first what is only waiting to be freed if there is not enough.
    pub(crate) fn allocate(&self, bytes: usize) -> Result<Handle> {
        self.bind()?;
        match self.try_allocate(bytes) {
            Err(error)
                if error.class() == Class::OutOfMemory && self.reclaim().unwrap_or(false) =>
            {
                self.try_allocate(bytes)
            }
            outcome => outcome,
        }
    }

    fn try_allocate(&self, bytes: usize) -> Result<Handle> {
        let malloc = self.ascend.acl().aclrtMalloc()?;
        let policy = if bytes <= SMALL {
            aclrtMemMallocPolicy::MALLOC_NORMAL_ONLY
        } else {
            aclrtMemMallocPolicy::MALLOC_HUGE_FIRST
        };
        let mut address = ptr::null_mut();
        // SAFETY: `address` can be written to, and the function keeps no pointer to it.
        let code = unsafe { malloc(&raw mut address, bytes, policy) };
        self.check("aclrtMalloc", code)?;
        Ok(Handle::new(address))
    }

    /// Frees something now if no task uses it, else later.
    pub(crate) fn discard(&self, garbage: Garbage) {
        if garbage.uses.are_over() && !self.is_capturing() {
            garbage.item.free(self);
        } else {
            lock(&self.garbage).push(garbage);
        }
    }

    /// Frees what is known not to be in use any more.
    pub(crate) fn sweep(&self) {
        if self.is_capturing() {
            return;
        }
        let mut over = Vec::new();
        lock(&self.garbage).retain_mut(|garbage| {
            let stays = !garbage.uses.are_over();
            if !stays {
                over.push(std::mem::replace(&mut garbage.item, Item::Memory(Handle::NULL)));
            }
            stays
        });
        for item in over {
            item.free(self);
        }
    }

    /// Waits for what is in use, then frees it; whether there was anything.
    fn reclaim(&self) -> Result<bool> {
        self.may_wait("aclrtSynchronizeStream")?;
        let garbage = std::mem::take(&mut *lock(&self.garbage));
        let any = !garbage.is_empty();
        let mut outcome = Ok(any);
        for mut garbage in garbage {
            if let Err(error) = garbage.uses.wait(self) {
                outcome = Err(error);
            }
            self.discard(garbage);
        }
        outcome
    }

    fn is_capturing(&self) -> bool {
        !lock(&self.captures).is_empty()
    }

    pub(crate) fn begin_capture(&self, mark: CaptureMark) {
        lock(&self.captures).push(mark);
    }

    pub(crate) fn end_capture(&self, mark: CaptureMark) {
        let mut captures = lock(&self.captures);
        if let Some(at) = captures.iter().position(|other| *other == mark) {
            captures.swap_remove(at);
        }
        drop(captures);
        self.sweep();
    }

    /// Refuses to let the host wait where a capture forbids it: the vendor would refuse it too, and make the
    /// capture void.
    pub(crate) fn may_wait(&self, call: &'static str) -> Result<()> {
        let here = thread::current().id();
        let forbids = |mark: &CaptureMark| match mark.mode {
            aclmdlRICaptureMode::GLOBAL => true,
            aclmdlRICaptureMode::RELAXED => false,
            _ => mark.thread == here,
        };
        if lock(&self.captures).iter().any(forbids) {
            return Err(Error::Capturing { call });
        }
        Ok(())
    }

    fn reset(&self) -> Result<()> {
        let acl = self.ascend.acl();
        // A device that does not answer any more is not revived by anything less.
        let is_gone = self.lost.get().is_some_and(|failure| failure.code == LOST_HEARTBEAT);
        let (call, reset) = if is_gone {
            ("aclrtResetDeviceForce", acl.aclrtResetDeviceForce()?)
        } else {
            ("aclrtResetDevice", acl.aclrtResetDevice()?)
        };
        // SAFETY: the device was set once for `self`, which is at its end: nothing of it is left.
        let code = unsafe { reset(self.id) };
        self.ascend.check(call, code)
    }
}

/// `ACL_ERROR_RT_LOST_HEARTBEAT`.
const LOST_HEARTBEAT: i32 = 507_010;

impl Drop for Shared {
    fn drop(&mut self) {
        let garbage = std::mem::take(&mut *lock(&self.garbage));
        let (streams, rest): (Vec<_>, Vec<_>) =
            garbage.into_iter().partition(|garbage| matches!(garbage.item, Item::Stream(_)));
        for garbage in streams.into_iter().chain(rest) {
            garbage.item.free(self);
        }
        if let Err(error) = self.reset()
            && error.class() != Class::DeviceFault
        {
            failures::record(error);
        }
        if CURRENT.get() == self.opening {
            forget_current();
        }
        lock(&OPEN).retain(|(_, opening, _)| *opening != self.opening);
        CLOSED.notify_all();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("id", &self.id).finish_non_exhaustive()
    }
}
