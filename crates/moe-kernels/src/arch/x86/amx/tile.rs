//! The instructions on tiles.

use std::arch::asm;
use std::marker::PhantomData;

use super::{Amx, SIDE};

/// A kilobyte: pairs of sixteen steps of a vector's or of rows' superblock.
///
/// Of a vector `[lane][step]`, of sixteen rows and one lane `[step][row]`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Tile(pub(super) [[u32; SIDE]; SIDE]);

/// Sums of up to sixteen vectors and sixteen rows, `[vector][row]`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Sums(pub(super) [[f32; SIDE]; SIDE]);

impl Tile {
    pub(super) const ZERO: Self = Self([[0; SIDE]; SIDE]);
}

impl Sums {
    pub(super) const ZERO: Self = Self([[0.0; SIDE]; SIDE]);
}

/// Bytes of a [`Tile`], and between rows of a tile that holds the same lane of several vectors.
const TILE: usize = size_of::<Tile>();

/// Bytes of a row of a tile.
const LINE: usize = TILE / SIDE;

/// What `LDTILECFG` reads.
#[derive(Debug)]
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Config {
    /// Tiles 0 to 3 are sums, 4 and 5 vectors, 6 and 7 rows of weights.
    fn new(vectors: usize) -> Self {
        let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
        row_bytes[..8].fill(LINE as u16);
        rows[..6].fill(vectors as u8);
        rows[6..8].fill(SIDE as u8);
        Self { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
    }
}

/// Tiles while they are configured. Nothing but the methods may run in this time, for any function
/// may configure them otherwise: System V ABI, AMD64 supplement, section 3.2.
#[derive(Debug)]
pub(super) struct Configured {
    vectors: usize,
    /// The state is the thread's.
    thread: PhantomData<*const ()>,
}

impl Configured {
    /// Tiles of so many vectors, from 1 to 16.
    #[inline]
    pub(super) fn new(_: Amx, vectors: usize) -> Self {
        let vectors = vectors.clamp(1, SIDE);
        let config = Config::new(vectors);
        // SAFETY: the proof says that the instruction is there; it reads 64 bytes, which are valid.
        unsafe {
            asm!(
                "ldtilecfg [{config}]",
                config = in(reg) &raw const config,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, readonly, preserves_flags),
            );
        }
        Self { vectors, thread: PhantomData }
    }

    /// Adds to sums of all vectors and 32 rows what a superblock adds. `sums` is as many tiles as
    /// [`starts`] says.
    #[inline]
    pub(super) fn multiply(
        &self,
        vectors: &[Tile],
        weights: &[[Tile; SIDE]; 2],
        sums: &mut [[Sums; 2]],
    ) {
        let mut starts = starts(vectors.len(), self.vectors);
        let mut next = || starts.next().and_then(|start| vectors.get(start..start + self.vectors));
        let (pairs, last) = sums.as_chunks_mut::<2>();
        for sums in pairs {
            if let (Some(first), Some(second)) = (next(), next()) {
                self.two(first, second, weights, sums);
            }
        }
        for sums in last {
            if let Some(vectors) = next() {
                self.one(vectors, weights, sums);
            }
        }
    }

    /// Two tiles of vectors.
    #[inline]
    fn two(
        &self,
        first: &[Tile],
        second: &[Tile],
        weights: &[[Tile; SIDE]; 2],
        sums: &mut [[Sums; 2]; 2],
    ) {
        debug_assert!(first.len() == self.vectors && second.len() == self.vectors);
        // SAFETY: `self` was made with a proof, and the tiles are configured. In each round a line of
        // as many vectors as the tiles have rows is read from both, and a tile from both halves of
        // the weights; there are sixteen of each. The sums are four tiles, of which not
        // more than the configured rows are read and written.
        unsafe {
            asm!(
                "tileloadd tmm0, [{sums} + {line}*1]",
                "tileloadd tmm1, [{sums} + {line}*1 + 1024]",
                "tileloadd tmm2, [{sums} + {line}*1 + 2048]",
                "tileloadd tmm3, [{sums} + {line}*1 + 3072]",
                "2:",
                "tileloadd tmm4, [{first} + {tile}*1]",
                "tileloadd tmm6, [{weights} + {line}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{weights} + {line}*1 + 16384]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{second} + {tile}*1]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {first}, {line}",
                "add {second}, {line}",
                "add {weights}, {tile}",
                "dec {lanes:e}",
                "jnz 2b",
                "tilestored [{sums} + {line}*1], tmm0",
                "tilestored [{sums} + {line}*1 + 1024], tmm1",
                "tilestored [{sums} + {line}*1 + 2048], tmm2",
                "tilestored [{sums} + {line}*1 + 3072], tmm3",
                first = inout(reg) first.as_ptr() => _,
                second = inout(reg) second.as_ptr() => _,
                weights = inout(reg) weights.as_ptr() => _,
                sums = in(reg) sums.as_mut_ptr(),
                lanes = inout(reg) SIDE => _,
                line = in(reg) LINE,
                tile = in(reg) TILE,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }

    /// One tile of vectors.
    #[inline]
    fn one(&self, vectors: &[Tile], weights: &[[Tile; SIDE]; 2], sums: &mut [Sums; 2]) {
        debug_assert!(vectors.len() == self.vectors);
        // SAFETY: as above, with one tile of vectors and two of sums.
        unsafe {
            asm!(
                "tileloadd tmm0, [{sums} + {line}*1]",
                "tileloadd tmm1, [{sums} + {line}*1 + 1024]",
                "2:",
                "tileloadd tmm4, [{vectors} + {tile}*1]",
                "tileloadd tmm6, [{weights} + {line}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{weights} + {line}*1 + 16384]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "add {vectors}, {line}",
                "add {weights}, {tile}",
                "dec {lanes:e}",
                "jnz 2b",
                "tilestored [{sums} + {line}*1], tmm0",
                "tilestored [{sums} + {line}*1 + 1024], tmm1",
                vectors = inout(reg) vectors.as_ptr() => _,
                weights = inout(reg) weights.as_ptr() => _,
                sums = in(reg) sums.as_mut_ptr(),
                lanes = inout(reg) SIDE => _,
                line = in(reg) LINE,
                tile = in(reg) TILE,
                out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Configured {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the value exists only where the instruction does.
        unsafe {
            asm!(
                "tilerelease",
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, nomem, preserves_flags),
            );
        }
    }
}

/// How many tiles vectors need, and how many each tile has: about the same, for the time of a product is
/// that of its vectors.
#[inline]
pub(super) fn split(vectors: usize) -> (usize, usize) {
    let tiles = vectors.div_ceil(SIDE).max(1);
    (tiles, vectors.div_ceil(tiles))
}

/// The first vector of each tile. The last tile begins so early that it is full.
#[inline]
pub(super) fn starts(vectors: usize, height: usize) -> impl Iterator<Item = usize> {
    let last = vectors.saturating_sub(height);
    (0..vectors.div_ceil(height.max(1))).map(move |tile| usize::min(tile * height, last))
}
