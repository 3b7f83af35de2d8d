//! Pointers that C programs pass: null or valid, and checked for null here.
#![allow(
    unsafe_code,
    reason = "what a C caller passes is a pointer; this module is where those to host memory are followed"
)]

use std::ffi::{CStr, c_char, c_void};

use crate::runtime::failure::Failure;
use crate::runtime::memory::HostSpan;

/// Where a result goes. Invariant: null, or valid for a write of `T`; values of this type come from C callers of the
/// exported functions, who promise it.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Out<T>(*mut T);

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Out<T> {}

impl<T> Out<T> {
    /// Writes the result.
    pub(crate) fn set(self, argument: &str, value: T) -> Result<(), Failure> {
        self.check(argument)?;
        // SAFETY: not null, so by the invariant valid for a write of `T`; and aligned for it.
        unsafe { self.0.write(value) };
        Ok(())
    }

    /// Refuses null, and an address that no `T` can have, for calls that must not begin without a place for their result.
    pub(crate) fn check(self, argument: &str) -> Result<(), Failure> {
        if self.0.is_null() {
            return Err(Failure::null(argument));
        }
        aligned(argument, self.0)
    }

    /// Writes the result if there is a place for it.
    pub(crate) fn set_if_wanted(self, value: T) {
        if !self.0.is_null() && self.0.is_aligned() {
            // SAFETY: not null, so by the invariant valid for a write of `T`; and aligned for it.
            unsafe { self.0.write(value) };
        }
    }
}

impl<T: Copy> Out<T> {
    /// The value there.
    pub(crate) fn get(self, argument: &str) -> Result<T, Failure> {
        self.check(argument)?;
        // SAFETY: not null; an argument that is read and written is initialised by its caller.
        Ok(unsafe { self.0.read() })
    }

    /// Writes the first `values.len()` of an array whose length the caller gave.
    pub(crate) fn set_all(self, argument: &str, values: &[T]) -> Result<(), Failure> {
        self.check(argument)?;
        for (index, value) in values.iter().enumerate() {
            // SAFETY: the caller of the exported function gave an array of at least this many.
            let place = unsafe { self.0.add(index) };
            // SAFETY: as above, valid for a write.
            unsafe { place.write(*value) };
        }
        Ok(())
    }
}

fn aligned<T>(argument: &str, pointer: *const T) -> Result<(), Failure> {
    if pointer.is_aligned() {
        return Ok(());
    }
    let alignment = align_of::<T>();
    let message = format!("{argument} is {pointer:p}, expected a multiple of {alignment}");
    Err(Failure::argument(message))
}

/// Where values come from. Invariant: null, or valid for reads of as many `T` as the call says.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct In<T>(*const T);

impl<T: Copy> In<T> {
    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Copies `count` values; null is allowed where there are none.
    pub(crate) fn values(self, argument: &str, count: u64) -> Result<Vec<T>, Failure> {
        if count == 0 {
            return Ok(Vec::new());
        }
        if self.0.is_null() {
            return Err(Failure::null(argument));
        }
        aligned(argument, self.0)?;
        if count > MOST_VALUES {
            return Err(Failure::argument(format!(
                "{argument} has {count} values, expected at most {MOST_VALUES}"
            )));
        }
        let count = count as usize;
        // SAFETY: not null, so by the invariant valid for reads of `count` values.
        Ok(unsafe { std::slice::from_raw_parts(self.0, count) }.to_vec())
    }
}

/// No array that a call takes is longer; a count beyond it is an uninitialised variable.
const MOST_VALUES: u64 = 1 << 24;

/// A pointer to host memory or to device memory, which its address tells. Invariant: if it is one to host memory, and
/// not null, it is valid for what the call does with as many bytes as the call says, until it returns or as long as they
/// are pinned.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Address(*mut c_void);

impl Address {
    /// Refuses null.
    pub(crate) fn check(self, argument: &str) -> Result<(), Failure> {
        if self.0.is_null() { Err(Failure::null(argument)) } else { Ok(()) }
    }

    /// So many bytes, as the call says.
    pub(crate) fn span(self, bytes: usize) -> HostSpan {
        // SAFETY: the invariant is what is asked for. A device address is never followed as one of the host: nothing
        // lies there.
        unsafe { HostSpan::new(self.0.expose_provenance(), bytes) }
    }

    /// The place so many bytes further on.
    pub(crate) fn offset(self, bytes: usize) -> Result<Self, Failure> {
        match self.0.addr().checked_add(bytes) {
            Some(_) => Ok(Self(self.0.wrapping_byte_add(bytes))),
            None => {
                Err(Failure::parameter(format!("{:p} and {bytes} bytes is no address", self.0)))
            }
        }
    }
}

/// A string. Invariant: null, or a C string.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Text(*const c_char);

impl Text {
    /// The string, `None` for null; what is not UTF-8 is replaced.
    pub(crate) fn get(self) -> Option<String> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: not null, so by the invariant a C string.
        let text = unsafe { CStr::from_ptr(self.0) };
        Some(text.to_string_lossy().into_owned())
    }
}

/// Memory of `malloc`, which the caller frees with `free`.
pub(crate) fn allocate_values(values: &[i64]) -> Result<*mut i64, Failure> {
    let bytes = size_of_val(values).max(1);
    // SAFETY: `malloc` has no requirements.
    let memory = unsafe { libc::malloc(bytes) }.cast::<i64>();
    if memory.is_null() {
        return Err(Failure::new(200_000, format!("no host memory for {bytes} bytes")));
    }
    // SAFETY: `malloc` gave at least this many bytes, aligned for any type, that nothing else refers to.
    unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), memory, values.len()) };
    Ok(memory)
}

/// An opaque pointer by its address.
pub(crate) type Raw = *mut c_void;
