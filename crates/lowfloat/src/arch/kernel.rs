//! The safe side of the kernels: lengths in, a function pointer for the level, bytes out.

use core::mem::MaybeUninit;

use super::level::Set;
use super::{Format, Level, portable, stream};

/// Converts the given count of elements from one address to another.
///
/// Safe to call with a source readable and a destination writable for that many elements, not
/// overlapping, of any alignment, on a CPU that has the level it belongs to.
pub(super) type Kernel = unsafe fn(*const u8, *mut u8, usize);

/// How results go to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Through the caches, for results that are used again soon.
    Cached,
    /// Around the caches, for results larger than they are: no line is read only to be
    /// overwritten.
    Streamed,
}

impl Writes {
    /// Results at least this large leave no room for anything else in the last-level cache of
    /// current CPUs (tens of MiB, shared), so they had better not go there.
    const STREAM_FROM: usize = 16 << 20;

    /// What fits a result of so many bytes.
    pub(crate) const fn for_len(bytes: usize) -> Self {
        if bytes >= Self::STREAM_FROM { Self::Streamed } else { Self::Cached }
    }
}

/// Converts as many elements as both slices hold, writing each of their bytes.
pub(crate) fn cast(
    level: Level,
    from: Format,
    to: Format,
    src: &[u8],
    dst: &mut [MaybeUninit<u8>],
    writes: Writes,
) {
    let n = usize::min(src.len() / from.size(), dst.len() / to.size());
    let Some(kernel) = kernel(level, from, to) else {
        return copy(src, dst);
    };
    let (src, dst) = (src.as_ptr(), dst.as_mut_ptr().cast::<u8>());
    match writes {
        // SAFETY: `n` elements lie in both slices, which cannot overlap; the level is proof that
        // the CPU has the instructions.
        Writes::Cached => unsafe { kernel(src, dst, n) },
        Writes::Streamed => {
            let fill = |first: usize, count: usize, buffer: *mut u8| {
                // SAFETY: first + count <= n elements.
                let src = unsafe { src.add(first * from.size()) };
                // SAFETY: as for cached writes; the buffer holds `count` elements.
                unsafe { kernel(src, buffer, count) };
            };
            // SAFETY: `n` elements fit the destination, and kernels write each of their bytes.
            unsafe { stream::run(dst, n, to.size(), fill) };
        }
    }
}

/// Copies as many bytes as both slices hold.
pub(crate) fn copy(src: &[u8], dst: &mut [MaybeUninit<u8>]) {
    let n = usize::min(src.len(), dst.len());
    // SAFETY: both slices hold `n` bytes and a shared and an exclusive borrow do not overlap.
    unsafe { core::ptr::copy_nonoverlapping(src.as_ptr(), dst.as_mut_ptr().cast(), n) };
}

fn kernel(level: Level, from: Format, to: Format) -> Option<Kernel> {
    match level.set() {
        Set::Portable => portable::kernel::<portable::Baseline>(from, to),
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => super::avx2::kernel(from, to),
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => super::avx512::kernel(from, to),
        #[cfg(target_arch = "aarch64")]
        // NEON is part of the target: the compiler has used it already.
        Set::Neon => portable::kernel::<portable::Baseline>(from, to),
    }
}
