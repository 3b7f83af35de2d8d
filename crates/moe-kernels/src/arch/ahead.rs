//! Memory that is asked for before it is read.

use super::simd::Simd;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Bytes that will be read soon. Kernels ask for a few lines of them now and then: a CPU keeps track of some tens
/// that are on their way, and waits if there are more.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ahead<'a>(&'a [u8]);

impl<'a> Ahead<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Asks for the next lines.
    #[inline(always)]
    pub(super) fn ask<S: Simd>(&mut self, simd: S, lines: usize) {
        let (now, later) = self.0.split_at(usize::min(lines * LINE, self.0.len()));
        for line in now.chunks(LINE) {
            simd.prefetch(line.as_ptr());
        }
        self.0 = later;
    }
}
