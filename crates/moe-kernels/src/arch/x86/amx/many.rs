//! Products with many vectors.

use super::decode::decode;
use super::tall::TiledPart;
use super::tile::{Configured, Sums, Tile, split, starts};
use super::{Amx, SIDE};
use crate::arch::Out;
use crate::arch::order::Wide;
use crate::arch::source::Source;
use crate::arch::x86::avx512::Avx512;

/// Rows that are multiplied together: two tiles.
pub(super) const ROWS: usize = 2 * SIDE;

/// What is kept from one call to the next.
#[derive(Debug, Default)]
pub(in crate::arch) struct Scratch {
    /// A superblock of 32 rows, a lane in each tile: of a first-level cache of 48 KiB two thirds.
    /// Then sixteen rows, a row in each tile.
    weights: Vec<[Tile; SIDE]>,
    sums: Vec<[Sums; 2]>,
    /// Vectors that came without.
    pub(super) tiles: Vec<Tile>,
    /// Sums of single lanes.
    pub(super) lanes: Vec<Sums>,
    /// Few vectors in `f32`.
    pub(super) wide: Vec<Wide>,
}

/// The products of at most [`ROWS`] rows, of which the first is number `first`.
#[inline(never)]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn products<W: Source>(
    rows: &[W],
    vectors: TiledPart<'_>,
    scratch: &mut Scratch,
    first: usize,
    out: &mut Out<'_>,
) {
    let simd = Avx512::new();
    let count = vectors.narrow.len();
    let (tiles, height) = split(count);
    scratch.sums.clear();
    scratch.sums.resize(tiles, [Sums::ZERO; 2]);
    scratch.weights.resize(3, [Tile::ZERO; SIDE]);
    let Some((weights, [decoded, ..])) = scratch.weights.split_first_chunk_mut::<2>() else {
        return;
    };
    for superblock in 0..vectors.superblocks() {
        for (rows, weights) in rows.chunks(SIDE).zip(weights.iter_mut()) {
            decode(simd, rows, superblock, decoded, weights);
        }
        let vectors_of_it = vectors.superblock(superblock);
        multiply(vectors.amx, height, vectors_of_it, weights, &mut scratch.sums);
    }
    for (start, sums) in starts(count, height).zip(&scratch.sums) {
        for (half, sums) in sums.iter().enumerate() {
            let rows = rows.len().saturating_sub(half * SIDE).min(SIDE);
            for (v, sums) in sums.0.iter().enumerate().take(height) {
                out.put_rows(first + half * SIDE, start + v, &sums[..rows]);
            }
        }
    }
}

/// Not inlined, so that nothing else is done while tiles are configured.
#[inline(never)]
fn multiply(
    amx: Amx,
    height: usize,
    vectors: &[Tile],
    weights: &[[Tile; SIDE]; 2],
    sums: &mut [[Sums; 2]],
) {
    Configured::new(amx, height).multiply(vectors, weights, sums);
}
