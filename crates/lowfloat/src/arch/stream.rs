//! Results written around the caches.
//!
//! A store to a line that is not in a cache first reads the line from memory. For results larger
//! than the caches that read is a third of all traffic; non-temporal stores of whole lines avoid
//! it. Any kernel can be run so: it fills a piece of a buffer that stays in the first-level cache,
//! and the piece is then stored line by line.

use core::mem::MaybeUninit;

use super::Writes;

/// Bytes of a cache line on every CPU with non-temporal stores that we use.
const LINE: usize = 64;
/// Half of the smallest first-level data cache in use, so that the source fits beside it.
const PIECE: usize = 8 << 10;

#[repr(align(64))]
struct Piece([MaybeUninit<u8>; PIECE]);

/// Has `fill` produce `n` units of `unit` bytes piece by piece, and writes them around the caches.
/// It is given the first unit, their count, and where they go.
///
/// # Safety
///
/// `dst` must be writable for `n` units, `unit` at least 1 and at most [`PIECE`] / 2, and `fill`
/// must initialise every byte of the units it is asked for.
pub(super) unsafe fn run(
    mut dst: *mut u8,
    n: usize,
    unit: usize,
    mut fill: impl FnMut(usize, usize, *mut u8),
) {
    let mut piece = Piece([MaybeUninit::uninit(); PIECE]);
    let buffer = piece.0.as_mut_ptr().cast::<u8>();
    // The first piece is short, so that the others start on a line where units can.
    let mut units = (PIECE - dst.addr() % LINE) / unit;
    let mut done = 0;
    while done < n {
        units = units.min(n - done);
        fill(done, units, buffer);
        // SAFETY: `fill` has written so many bytes, and as many remain at `dst`.
        unsafe { store(buffer, dst, units * unit) };
        // SAFETY: stays within the destination or at its end.
        dst = unsafe { dst.add(units * unit) };
        done += units;
        units = PIECE / unit;
    }
    finish();
}

/// Copies as many bytes as both slices hold. After streamed writes, [`finish`] is due.
pub(super) fn write(src: &[u8], dst: &mut [u8], writes: Writes) {
    let n = usize::min(src.len(), dst.len());
    match writes {
        Writes::Cached => dst[..n].copy_from_slice(&src[..n]),
        // SAFETY: both slices hold `n` bytes and cannot overlap.
        Writes::Streamed => unsafe { store(src.as_ptr(), dst.as_mut_ptr(), n) },
    }
}

/// Copies `len` bytes, whole lines of the destination around the caches.
///
/// # Safety
///
/// `src` must be readable and `dst` writable for `len` bytes, without overlap.
pub(super) unsafe fn store(src: *const u8, dst: *mut u8, len: usize) {
    let head = usize::min(dst.addr().wrapping_neg() % LINE, len);
    let lines = (len - head) / LINE;
    let tail = head + lines * LINE;
    // SAFETY: the first `head` of `len` bytes.
    unsafe { core::ptr::copy_nonoverlapping(src, dst, head) };
    for at in (head..tail).step_by(LINE) {
        // SAFETY: at + LINE <= tail <= len.
        let from = unsafe { src.add(at) };
        // SAFETY: as above.
        let to = unsafe { dst.add(at) };
        // SAFETY: a whole line lies on both sides, and `to` starts on a line.
        unsafe { store_line(from, to) };
    }
    // SAFETY: tail <= len.
    let from = unsafe { src.add(tail) };
    // SAFETY: as above.
    let to = unsafe { dst.add(tail) };
    // SAFETY: the last bytes of `len`.
    unsafe { core::ptr::copy_nonoverlapping(from, to, len - tail) };
}

/// # Safety
///
/// 64 bytes must be readable at `src` and writable at `dst`, which must be a multiple of 64.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(clippy::cast_ptr_alignment)]
unsafe fn store_line(src: *const u8, dst: *mut u8) {
    use core::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};

    let src = src.cast::<__m128i>();
    // The line is aligned, and the loads need no alignment.
    let dst = dst.cast::<__m128i>();
    for i in 0..LINE / 16 {
        // SAFETY: i < 4 vectors of the line.
        let from = unsafe { src.add(i) };
        // SAFETY: 16 readable bytes.
        let vector = unsafe { _mm_loadu_si128(from) };
        // SAFETY: i < 4 vectors of the line.
        let to = unsafe { dst.add(i) };
        // SAFETY: 16 writable bytes at a multiple of 16; `finish` orders the store before any
        // later one.
        unsafe { _mm_stream_si128(to, vector) };
    }
}

/// # Safety
///
/// 64 bytes must be readable at `src` and writable at `dst`.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
unsafe fn store_line(src: *const u8, dst: *mut u8) {
    // SAFETY: the caller vouches for a line on both sides.
    unsafe { core::ptr::copy_nonoverlapping(src, dst, LINE) };
}

/// Asks for the line at an address, which may be any, to be brought into the caches.
#[inline(always)]
pub(super) fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64, and a prefetch never faults.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Orders the stores before all later ones, as other threads that are told of the result expect.
pub(super) fn finish() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64.
    unsafe {
        core::arch::x86_64::_mm_sfence();
    }
}
