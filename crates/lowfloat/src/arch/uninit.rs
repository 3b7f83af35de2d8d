//! Views between initialised and uninitialised memory.

use core::mem::{MaybeUninit, size_of_val};
use core::slice;

use bytemuck::Pod;

/// Memory that already holds values, as a destination. What is written there must be initialised.
pub(crate) fn as_uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    let len = bytes.len();
    let start = bytes.as_mut_ptr().cast();
    // SAFETY: same address, length and lifetime, and `MaybeUninit<u8>` has the layout of `u8`.
    // Kernels write only initialised bytes through it, so the original slice stays valid.
    unsafe { slice::from_raw_parts_mut(start, len) }
}

/// The bytes of memory that holds nothing yet.
pub(crate) fn uninit_bytes<T: Pod>(slice: &mut [MaybeUninit<T>]) -> &mut [MaybeUninit<u8>] {
    let len = size_of_val(slice);
    let start = slice.as_mut_ptr().cast();
    // SAFETY: same memory and lifetime; uninitialised bytes are allowed on both sides, and any
    // byte written is allowed in a `Pod`.
    unsafe { slice::from_raw_parts_mut(start, len) }
}

/// # Safety
///
/// Every element must have been written.
pub(crate) unsafe fn assume_init<T>(slice: &mut [MaybeUninit<T>]) -> &mut [T] {
    let len = slice.len();
    let start = slice.as_mut_ptr().cast();
    // SAFETY: same memory, length and lifetime; the caller has initialised it.
    unsafe { slice::from_raw_parts_mut(start, len) }
}
