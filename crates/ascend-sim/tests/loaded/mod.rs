//! The simulator as programs have it: libraries of a layout, opened by name, and their functions.

#![allow(dead_code, reason = "each test uses a part")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ascend_sim::layout::{Cann, lay_out};

pub(crate) type Raw = *mut c_void;

/// Libraries of the 8.5 layout, opened once and never closed.
#[derive(Debug)]
pub(crate) struct Loaded(Vec<usize>);

/// Lays out and opens the libraries; `variables` that are not set are set before. Only the first call of a process does.
pub(crate) fn loaded(variables: &[(&str, &str)]) -> &'static Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    LOADED.get_or_init(|| {
        for (name, value) in variables.iter().filter(|(name, _)| std::env::var_os(name).is_none()) {
            // SAFETY: readers of the standard library lock the environment as this does, and no C code of this process reads it before
            // the libraries below are loaded.
            unsafe { std::env::set_var(name, value) };
        }
        let folder = folder();
        let names = ["acl_rt", "nnopbase", "opapi_math", "opapi_nn", "hccl", "hcomm", "dcmi"];
        let path = |name| folder.join(format!("lib{name}.so"));
        Loaded(names.map(|name| open(&path(name))).to_vec())
    })
}

/// A laid-out folder that stays until the program ends; a child finds that of its parent.
fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("ASCEND_SIM_TEST_FOLDER") {
        return folder.into();
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
    lay_out(dir, Cann::V8_5).unwrap()
}

fn open(path: &Path) -> usize {
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the constructors of the simulator's libraries only load and bind.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    assert!(!handle.is_null(), "{}", path.display());
    handle as usize
}

impl Loaded {
    /// The address of a function.
    pub(crate) fn find(&self, name: &str) -> Option<Raw> {
        let name = CString::new(name).unwrap();
        self.0.iter().find_map(|library| {
            // SAFETY: the handle is of a library that is never closed, and the name a C string.
            let function = unsafe { libc::dlsym(*library as Raw, name.as_ptr()) };
            (!function.is_null()).then_some(function)
        })
    }

    /// The message of the last failure on this thread.
    pub(crate) fn message(&self) -> String {
        let function = self.find("aclGetRecentErrMsg").unwrap();
        // SAFETY: its prototype.
        let function: extern "C" fn() -> *const c_char = unsafe { std::mem::transmute(function) };
        text(function())
    }
}

/// A C string, empty for null.
pub(crate) fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the simulator's texts are C strings.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Calls a function by name with arguments that are as its prototype has them, and gives its status.
#[macro_export]
macro_rules! call {
    ($loaded:expr, $name:literal $(, $argument:expr => $type:ty)* $(,)?) => {{
        let function = $loaded.find($name).unwrap_or_else(|| panic!("no {}", $name));
        // SAFETY: the types given are those of the prototype.
        let function: unsafe extern "C" fn($($type),*) -> i32 = unsafe { std::mem::transmute(function) };
        #[allow(clippy::macro_metavars_in_unsafe, reason = "the arguments are expressions without unsafe operations")]
        // SAFETY: pointers given are null or valid, which is what these functions want.
        let status = unsafe { function($($argument),*) };
        status
    }};
}

/// As [`call!`], and the status must be 0.
#[macro_export]
macro_rules! ok {
    ($loaded:expr, $name:literal $($rest:tt)*) => {{
        let status = $crate::call!($loaded, $name $($rest)*);
        assert_eq!(status, 0, "{}: {}", $name, $loaded.message());
    }};
}

/// A stream and memory of a device, for this thread.
#[derive(Debug)]
pub(crate) struct Device<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) stream: Raw,
}

impl<'a> Device<'a> {
    /// Makes a device current.
    pub(crate) fn open(loaded: &'a Loaded, device: i32) -> Self {
        static INITIALISED: OnceLock<()> = OnceLock::new();
        INITIALISED.get_or_init(|| ok!(loaded, "aclInit", std::ptr::null() => *const c_char));
        ok!(loaded, "aclrtSetDevice", device => i32);
        let mut stream = std::ptr::null_mut();
        ok!(loaded, "aclrtCreateStream", &raw mut stream => *mut Raw);
        Self { loaded, stream }
    }

    /// Device memory with these bytes; at least one.
    pub(crate) fn buffer(&self, bytes: &[u8]) -> Raw {
        let loaded = self.loaded;
        let mut address = std::ptr::null_mut();
        ok!(loaded, "aclrtMalloc", &raw mut address => *mut Raw, bytes.len().max(1) => usize, 0 => i32);
        if !bytes.is_empty() {
            ok!(
                loaded, "aclrtMemcpy", address => Raw, bytes.len() => usize,
                bytes.as_ptr().cast() => *const c_void, bytes.len() => usize, 1 => i32
            );
        }
        address
    }

    /// Bytes of device memory.
    pub(crate) fn read(&self, address: Raw, count: usize) -> Vec<u8> {
        let loaded = self.loaded;
        let mut bytes = vec![0_u8; count];
        ok!(
            loaded, "aclrtMemcpy", bytes.as_mut_ptr().cast() => Raw, count => usize,
            address.cast_const() => *const c_void, count => usize, 2 => i32
        );
        bytes
    }

    /// Waits for the stream; its status.
    pub(crate) fn synchronise(&self) -> i32 {
        call!(self.loaded, "aclrtSynchronizeStream", self.stream => Raw)
    }

    /// Waits for the stream, where nothing must have gone wrong.
    pub(crate) fn finish(&self) {
        let status = self.synchronise();
        assert_eq!(status, 0, "{}", self.loaded.message());
    }
}
