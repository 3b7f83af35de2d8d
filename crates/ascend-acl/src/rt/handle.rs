//! Handles of C, as names that any thread may hold.

use std::ffi::c_void;
use std::ptr;

/// What C gave for a stream, an event, a graph, a context, or an address in device or pinned memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Handle(*mut c_void);

// SAFETY: a handle is a number here. It is given back to C only, whose functions may be called on
// any thread; memory behind it is reached by the types that own it, with rules of their own.
unsafe impl Send for Handle {}
// SAFETY: as above; there is nothing behind a shared reference but the number.
unsafe impl Sync for Handle {}

impl Handle {
    pub(crate) const NULL: Self = Self(ptr::null_mut());

    pub(crate) fn new(raw: *mut c_void) -> Self {
        Self(raw)
    }

    pub(crate) fn get(self) -> *mut c_void {
        self.0
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// The address some bytes further on; for numbers that C takes apart, never followed here.
    pub(crate) fn at(self, bytes: usize) -> *mut c_void {
        self.0.wrapping_byte_add(bytes)
    }
}
