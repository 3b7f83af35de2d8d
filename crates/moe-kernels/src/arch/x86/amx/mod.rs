//! Tiles: Intel's AMX with products of bf16, in server CPUs since 2023.
//!
//! `TDPBF16PS` multiplies a tile of sixteen vectors with a tile of sixteen rows, 32 elements of each:
//! Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2. Of every vector and row
//! it sums the first elements of the pairs in turn, the second ones in turn, fused and from zero; adds
//! the two sums; and adds that to what was there. Subnormal numbers, given or resulting, are zero.
//!
//! # Order of sums
//!
//! [`Order`](crate::arch::Order) cuts a row into steps of sixteen pairs. Sixteen steps are a
//! superblock; the last one is filled with zeros. A tile has one lane of a superblock, that is a pair
//! of each step. The tiles of a superblock are lanes 0 to 15, and so a product is the sum of what the
//! instruction gives for lane after lane of superblock after superblock.
//!
//! Few vectors are multiplied in this order with AVX-512, whose lanes are those of a superblock; so
//! rows are read as they lie. Where the two could differ (a subnormal number occurred, or NaN) tiles
//! do it again. So a product is the same to the bit beside any others.
//!
//! # How it was tested
//!
//! Rust has no stable intrinsics for tiles; their instructions are in [`tile`] as assembly. On a CPU
//! without them the tests run this machine code under an emulator of these instructions. Its speed
//! was not measured.

mod cpu;
mod decode;
mod few;
mod many;
mod model;
mod tall;
mod tile;
mod transpose;

#[cfg(all(test, target_os = "linux"))]
mod emulator;
#[cfg(test)]
mod tests;

use few::Few;
pub(in crate::arch) use many::Scratch;
pub(crate) use tall::{Tiled, TiledPart};

use super::avx512::Avx512;
use crate::arch::Out;
use crate::arch::products::exactly;
use crate::arch::source::Source;

/// Proof that the CPU has tiles and products of bf16 with them, that the process may use them, and
/// of what [`Avx512`] proves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amx(());

/// Rows of a tile, and lanes of a register.
const SIDE: usize = 16;

/// Groups of a superblock.
const GROUPS: usize = 4;

/// As many vectors as are multiplied without tiles.
const FEW: usize = 4;

impl Amx {
    /// The proof, where it holds.
    pub(in crate::arch) fn detect() -> Option<Self> {
        cpu::detected().then_some(Self(()))
    }
}

/// The product of every row with every vector; at most [`ROWS`](many::ROWS) rows.
pub(in crate::arch) fn products<W: Source>(
    rows: &[W],
    vectors: TiledPart<'_>,
    scratch: &mut Scratch,
    out: Out<'_>,
) {
    // SAFETY: vectors in tiles are proof of AMX, which is proof of AVX-512.
    unsafe { run(rows, vectors, scratch, out) }
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn run<W: Source>(rows: &[W], vectors: TiledPart<'_>, scratch: &mut Scratch, mut out: Out<'_>) {
    let simd = Avx512::new();
    for (block, rows) in rows.chunks(many::ROWS).enumerate() {
        let first = block * many::ROWS;
        let mut few = Few { simd, rows, vectors, scratch: &mut *scratch, first, out: &mut out };
        match *vectors.narrow {
            [] => {}
            [a] => few.products([a]),
            [a, b] => few.products([a, b]),
            // One of them twice: less to compile.
            [a, b, c] => few.products([a, b, c, c]),
            [a, b, c, d] => few.products([a, b, c, d]),
            _ => many::products(rows, vectors, scratch, first, &mut out),
        }
        for (i, row) in rows.iter().enumerate().filter(|(_, row)| !row.has_pairs()) {
            exactly(simd, *row, first + i, vectors.narrow, &mut out);
        }
    }
}
