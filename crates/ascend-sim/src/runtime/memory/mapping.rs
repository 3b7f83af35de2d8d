//! Address ranges and pages of the operating system.
#![allow(
    unsafe_code,
    reason = "ranges that fault and pages that come when they are touched are asked of the operating system"
)]

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

/// Memory of `mmap`, unmapped when dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<AtomicU64>,
    bytes: usize,
    readable: bool,
}

// SAFETY: the mapping belongs to this value, and all access to it is through atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Pages of zeros, each of which takes memory when it is first written.
    pub(super) fn zeros(bytes: usize) -> io::Result<Self> {
        Self::new(bytes, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// Addresses that nothing lies at: any access faults.
    pub(super) fn unreachable(bytes: usize) -> io::Result<Self> {
        Self::new(bytes, libc::PROT_NONE)
    }

    fn new(bytes: usize, protection: i32) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping anywhere touches no memory that exists.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { start, bytes, readable: protection != libc::PROT_NONE })
    }

    /// The first address.
    pub(super) fn address(&self) -> u64 {
        self.start.addr().get() as u64
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The pages as words; none for addresses that nothing lies at.
    pub(super) fn words(&self) -> &[AtomicU64] {
        let words = if self.readable { self.bytes / size_of::<AtomicU64>() } else { 0 };
        // SAFETY: that many words are mapped, readable and writable, as long as `self` lives; pages are aligned
        // beyond words, every bit pattern is a word, and others refer to them as atomics too.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is that of the mapping, and nothing borrows from it any more. A failure would leave it
        // mapped, which harms nobody.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
