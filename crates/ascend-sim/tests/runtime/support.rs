//! Turns, processes of their own, and short names for what most tests do.

use std::ffi::{CStr, c_void};
use std::process::Command;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::sys::*;

/// Calls a function of the simulator; the status.
macro_rules! acl {
    ($function:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: pointers are null or to live variables of the test, and handles are checked by the simulator.
        unsafe { $crate::sys::$function($($argument),*) }
    };
}

/// Calls a function that must succeed.
macro_rules! ok {
    ($function:ident($($argument:expr),* $(,)?)) => {{
        let status = acl!($function($($argument),*));
        assert_eq!(status, 0, "{}: {}", stringify!($function), $crate::support::message());
    }};
}

/// Calls a function that must fail with a status; the recent message.
macro_rules! fails {
    ($expected:literal, $function:ident($($argument:expr),* $(,)?)) => {{
        let status = acl!($function($($argument),*));
        let message = $crate::support::message();
        assert_eq!(status, $expected, "{}: {message}", stringify!($function));
        message
    }};
}

/// The recent message of this thread.
pub(crate) fn message() -> String {
    let text = acl!(aclGetRecentErrMsg());
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, so a C string until the next call on this thread.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A test's turn with device 0, initialised and set; at the end everything must be gone.
pub(crate) struct Turn {
    _lock: MutexGuard<'static, ()>,
    /// What tests that failed left behind.
    before: Counters,
}

pub(crate) fn turn() -> Turn {
    static LOCK: Mutex<()> = Mutex::new(());
    let lock = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let status = acl!(aclInit(std::ptr::null()));
    assert!(status == 0 || status == 100_002, "{}", message());
    ok!(aclrtSetDevice(0));
    message();
    Turn { _lock: lock, before: alive() }
}

impl Drop for Turn {
    fn drop(&mut self) {
        acl!(aclrtResetDeviceForce(0));
        if !std::thread::panicking() {
            assert_eq!(alive(), self.before, "the test left something behind");
        }
    }
}

/// What is alive.
fn alive() -> Counters {
    Counters {
        launches: 0,
        allocations: 0,
        blocking_copies: 0,
        synchronises: 0,
        async_copies: 0,
        replays: 0,
        preparations: 0,
        ..counters()
    }
}

pub(crate) fn counters() -> Counters {
    let mut counters = Counters::default();
    ok!(ascendSimCounters(&raw mut counters));
    counters
}

/// Runs the body in a process of its own, with these variables; `name` is the path of the test.
pub(crate) fn child(name: &str, variables: &[(&str, &str)], body: impl FnOnce()) {
    let Some(output) = run_child(name, variables) else {
        return body();
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(text.contains("1 passed"), "no test is called {name}: {text}");
}

/// The end of a process that runs the test of this name; `None` in that process.
pub(crate) fn run_child(name: &str, variables: &[(&str, &str)]) -> Option<std::process::Output> {
    const MARK: &str = "ASCEND_SIM_TEST_CHILD";
    if std::env::var(MARK).is_ok_and(|running| running == name) {
        return None;
    }
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(MARK, name);
    command.envs(variables.iter().copied());
    Some(command.output().unwrap())
}

pub(crate) fn stream() -> Raw {
    let mut stream = null_mut();
    ok!(aclrtCreateStream(&raw mut stream));
    stream
}

pub(crate) fn event() -> Raw {
    let mut event = null_mut();
    ok!(aclrtCreateEvent(&raw mut event));
    event
}

/// Device memory with huge pages first.
pub(crate) fn malloc(bytes: usize) -> Raw {
    let mut address = null_mut();
    ok!(aclrtMalloc(&raw mut address, bytes, 0));
    address
}

pub(crate) fn malloc_host(bytes: usize) -> Raw {
    let mut address = null_mut();
    ok!(aclrtMallocHost(&raw mut address, bytes));
    address
}

/// Pinned memory as bytes; the test sees to it that no copy runs while it writes.
pub(crate) fn pinned_bytes<'a>(address: Raw, bytes: usize) -> &'a mut [u8] {
    // SAFETY: the test allocated that many bytes, frees them after its last use, and orders its accesses with copies.
    unsafe { std::slice::from_raw_parts_mut(address.cast(), bytes) }
}

pub(crate) fn put(address: Raw, bytes: &[u8]) {
    ok!(aclrtMemcpy(address, bytes.len(), bytes.as_ptr().cast(), bytes.len(), 1));
}

pub(crate) fn get(address: Raw, count: usize) -> Vec<u8> {
    let mut bytes = vec![0xAA; count];
    ok!(aclrtMemcpy(bytes.as_mut_ptr().cast(), count, address, count, 2));
    bytes
}

/// A pointer so many bytes further on.
pub(crate) fn at(address: Raw, offset: usize) -> Raw {
    address.wrapping_byte_add(offset)
}

/// A contiguous tensor of f32.
pub(crate) fn tensor(shape: &[i64], data: Raw) -> Raw {
    let tensor = acl!(aclCreateTensor(
        shape.as_ptr(),
        shape.len() as u64,
        0,
        std::ptr::null(),
        0,
        2,
        shape.as_ptr(),
        shape.len() as u64,
        data
    ));
    assert!(!tensor.is_null(), "{}", message());
    tensor
}

/// A task on a stream that waits until the test opens it.
pub(crate) struct Gate(Box<Turnstile>);

#[derive(Default)]
struct Turnstile {
    reached: AtomicUsize,
    open: AtomicUsize,
    passed: AtomicUsize,
}

unsafe extern "C" fn wait_at_gate(gate: *mut c_void) {
    // SAFETY: `Gate` outlives its stream's work: tests open it and wait before they drop it.
    let Turnstile { reached, open, passed } = unsafe { &*gate.cast::<Turnstile>() };
    reached.fetch_add(1, Ordering::AcqRel);
    while open.load(Ordering::Acquire) == 0 {
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    passed.fetch_add(1, Ordering::AcqRel);
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Box::default())
    }

    /// Puts the gate on a stream.
    pub(crate) fn close(&self, stream: Raw) {
        let data = (&raw const *self.0).cast_mut().cast();
        ok!(aclrtLaunchHostFunc(stream, Some(wait_at_gate), data));
    }

    pub(crate) fn open(&self) {
        self.0.open.store(1, Ordering::Release);
    }

    /// Waits until a stream stands before it.
    pub(crate) fn reached(&self) {
        while self.0.reached.load(Ordering::Acquire) == 0 {
            std::thread::yield_now();
        }
    }

    /// How often a stream came through.
    pub(crate) fn passed(&self) -> usize {
        self.0.passed.load(Ordering::Acquire)
    }
}

/// An in-place zero of f32 elements, from its first phase to its launch; the workspace is the default 16 MiB.
pub(crate) struct Zero {
    pub(crate) tensor: Raw,
    pub(crate) executor: Raw,
    pub(crate) bytes: u64,
}

impl Zero {
    pub(crate) fn prepare(data: Raw, elements: i64) -> Self {
        let tensor = tensor(&[elements], data);
        let (mut bytes, mut executor) = (0, null_mut());
        ok!(aclnnInplaceZeroGetWorkspaceSize(tensor, &raw mut bytes, &raw mut executor));
        Self { tensor, executor, bytes }
    }

    pub(crate) fn launch(self, workspace: Raw, stream: Raw) {
        ok!(aclnnInplaceZero(workspace, self.bytes, self.executor, stream));
        ok!(aclDestroyTensor(self.tensor));
    }
}

/// What operators ask for as workspace by default.
pub(crate) const WORKSPACE: usize = 16 << 20;
