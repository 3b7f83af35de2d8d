//! Vectors as tiles take them.

use std::ops::Range;

use rayon::prelude::*;

use super::tile::Tile;
use super::transpose::transposed;
use super::{Amx, FEW, GROUPS, SIDE};
use crate::arch::order::Narrow;
use crate::arch::simd::Simd;
use crate::arch::x86::avx512::Avx512;

/// Vectors in bf16, as they are and as tiles take them.
#[derive(Debug)]
pub(crate) struct Tiled<'a> {
    amx: Amx,
    narrow: Vec<&'a [Narrow]>,
    /// Superblock after superblock, of all vectors; nothing for few vectors.
    tiles: Vec<Tile>,
}

/// Consecutive ones of those.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TiledPart<'a> {
    pub(super) amx: Amx,
    pub(super) narrow: &'a [&'a [Narrow]],
    tiles: &'a [Tile],
    /// Vectors of a superblock, and which of them these are.
    all: usize,
    first: usize,
}

/// Superblocks that are worth a task: some microseconds.
const TASK: usize = 64;

impl<'a> Tiled<'a> {
    /// Vectors of equal length.
    pub(crate) fn new(amx: Amx, narrow: Vec<&'a [Narrow]>) -> Self {
        let mut tiles = Vec::new();
        if narrow.len() > FEW {
            tiles.resize(superblocks(&narrow) * narrow.len(), Tile::ZERO);
            tiles.par_chunks_mut(TASK).enumerate().for_each(|(task, tiles)| {
                fill(amx, tiles, task * TASK, &narrow);
            });
        }
        Self { amx, narrow, tiles }
    }

    /// Those at these places.
    pub(crate) fn part(&self, places: Range<usize>) -> TiledPart<'_> {
        TiledPart {
            amx: self.amx,
            first: places.start,
            narrow: &self.narrow[places],
            tiles: &self.tiles,
            all: self.narrow.len(),
        }
    }
}

impl<'a> TiledPart<'a> {
    /// The same vectors in tiles made now, where there are too few to have them.
    pub(super) fn with_tiles(self, tiles: &'a mut Vec<Tile>) -> Self {
        let Self { amx, narrow, .. } = self;
        tiles.clear();
        tiles.resize(superblocks(narrow) * narrow.len(), Tile::ZERO);
        fill(amx, tiles, 0, narrow);
        Self { amx, narrow, tiles, all: narrow.len(), first: 0 }
    }

    pub(super) fn superblocks(&self) -> usize {
        superblocks(self.narrow)
    }

    /// A superblock of these vectors, `[vector]`.
    pub(super) fn superblock(&self, superblock: usize) -> &'a [Tile] {
        &self.tiles[superblock * self.all + self.first..][..self.narrow.len()]
    }
}

fn superblocks(narrow: &[&[Narrow]]) -> usize {
    narrow.first().map_or(0, |vector| vector.len().div_ceil(GROUPS))
}

/// Some of all superblocks, of which the first is number `first`.
fn fill(_: Amx, tiles: &mut [Tile], first: usize, narrow: &[&[Narrow]]) {
    for (index, tile) in (first..).zip(tiles) {
        let vector = narrow[index % narrow.len()];
        let groups = vector.iter().skip(index / narrow.len() * GROUPS);
        // SAFETY: the proof of AMX is one of AVX-512.
        unsafe { fill_one(tile, groups) };
    }
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn fill_one<'a>(tile: &mut Tile, groups: impl Iterator<Item = &'a Narrow>) {
    let simd = Avx512::new();
    let mut steps = [&[0; SIDE]; SIDE];
    let (to, _) = steps.as_chunks_mut::<4>();
    for (to, group) in to.iter_mut().zip(groups) {
        *to = group.0.each_ref();
    }
    let lanes = transposed(steps.map(bytemuck::must_cast_ref));
    for lane in 0..SIDE {
        simd.store_pairs(lanes[lane], &mut tile.0[lane]);
    }
}
