//! The simulator of this process.

use std::env;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ascend_acl::Ascend;
use ascend_acl::rt::{Device, Element};
use libloading::os::unix::{Library, RTLD_LAZY};

/// The libraries of the layout that this test program is for; laid out once. A child process is told where
/// they are by `ASCEND_ACL_PATH`.
pub(crate) fn ascend() -> Ascend {
    static LOADED: OnceLock<Ascend> = OnceLock::new();
    *LOADED.get_or_init(|| {
        if env::var_os("ASCEND_ACL_PATH").is_some() {
            return Ascend::load().unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let libraries = ascend_sim::layout::lay_out(folder.path(), crate::CANN).unwrap();
        let ascend = Ascend::load_from(libraries).unwrap();
        // It is loaded when it is first asked for, and the folder goes.
        ascend.dcmi().unwrap();
        ascend
    })
}

/// Device 0.
pub(crate) fn device() -> Device {
    Device::open(&ascend(), 0).unwrap()
}

static COUNTED: RwLock<()> = RwLock::new(());

/// Held by tests that others may run beside.
pub(crate) fn beside() -> RwLockReadGuard<'static, ()> {
    COUNTED.read().unwrap_or_else(PoisonError::into_inner)
}

/// Held by tests that look at the counters of the process, or forbid copies to all threads while they capture.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    COUNTED.write().unwrap_or_else(PoisonError::into_inner)
}

/// What the simulator counts, in the order of its documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Counters {
    pub(crate) executors: u64,
    pub(crate) tensors: u64,
    pub(crate) scalars: u64,
    pub(crate) lists: u64,
    pub(crate) arrays: u64,
    pub(crate) streams: u64,
    pub(crate) events: u64,
    pub(crate) contexts: u64,
    pub(crate) graphs: u64,
    pub(crate) device_bytes: u64,
    pub(crate) pinned_bytes: u64,
    pub(crate) launches: u64,
    pub(crate) allocations: u64,
    pub(crate) blocking_copies: u64,
    pub(crate) synchronises: u64,
    pub(crate) async_copies: u64,
    pub(crate) replays: u64,
    pub(crate) preparations: u64,
}

impl Counters {
    /// What is alive, without what was done.
    pub(crate) fn alive(self) -> Self {
        Self {
            launches: 0,
            allocations: 0,
            blocking_copies: 0,
            synchronises: 0,
            async_copies: 0,
            replays: 0,
            preparations: 0,
            ..self
        }
    }
}

/// Calls a function that only the simulator has.
fn simulator<F: Copy, R>(name: &str, call: impl FnOnce(F) -> R) -> R {
    let core = ascend().folder().unwrap().join("libascend_sim.so");
    // SAFETY: the library is loaded already: all others of the folder forward to it.
    let library = unsafe { Library::open(Some(core), RTLD_LAZY) }.unwrap();
    // SAFETY: the callers give the type of the function.
    let function = *unsafe { library.get::<F>(name.as_bytes()) }.unwrap();
    std::mem::forget(library);
    call(function)
}

/// The counts now.
pub(crate) fn counters() -> Counters {
    let mut counters = Counters::default();
    simulator("ascendSimCounters", |count: unsafe extern "C" fn(*mut Counters)| {
        // SAFETY: the structure is that of the simulator and can be written to.
        unsafe { count(&raw mut counters) }
    });
    counters
}

/// Begins to count what is done from 0 again.
pub(crate) fn reset_counters() {
    simulator("ascendSimResetCounters", |reset: unsafe extern "C" fn()| {
        // SAFETY: the function takes nothing.
        unsafe { reset() }
    });
}

/// Numbers of a type from f32.
pub(crate) trait FromF32: Element {
    fn from_f32(value: f32) -> Self;
}

impl FromF32 for f32 {
    fn from_f32(value: f32) -> Self {
        value
    }
}

impl FromF32 for half::bf16 {
    fn from_f32(value: f32) -> Self {
        Self::from_f32(value)
    }
}

impl FromF32 for half::f16 {
    fn from_f32(value: f32) -> Self {
        Self::from_f32(value)
    }
}

/// Numbers between -1 and 1, the same for the same seed.
pub(crate) fn noise<T: FromF32>(seed: u64, len: usize) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            // Xorshift (Marsaglia 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            T::from_f32((state >> 40) as f32 / (1 << 23) as f32 - 1.0)
        })
        .collect()
}
