//! What the simulator counts.

use libloading::os::unix::{Library, RTLD_LAZY};

use super::machine::ascend;

/// In the order of the simulator's documentation.
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

/// Fails if anything on the device is alive.
#[track_caller]
pub(crate) fn assert_nothing_is_left() {
    assert_eq!(counters().alive(), Counters::default());
    let dropped = ascend().take_drop_errors();
    assert!(dropped.is_empty(), "{dropped:?}");
}
