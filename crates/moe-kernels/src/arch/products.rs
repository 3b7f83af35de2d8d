//! Products of stored rows with packed vectors.

mod by_lane;
mod decoded;
mod few;
mod group;

use std::ops::Range;

use lowfloat::DType;

use super::dots::lane_sums;
use super::order::{Narrow, Wide};
use super::simd::{Kernel, Simd};
use super::source::{Bf16Row, CodedRow, Int8Row, Mxfp4Row, Source};
#[cfg(target_arch = "x86_64")]
use super::x86::amx;
use super::{Level, Out};
use by_lane::Strip;
pub(crate) use by_lane::by_lane;
pub(crate) use few::FEW;
use few::few_at_a_time;
pub(super) use group::Group;

/// Rows of weights of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stored<'a> {
    Bf16(&'a [Bf16Row<'a>]),
    Mxfp4(&'a [Mxfp4Row<'a>]),
    Coded(&'a [CodedRow<'a>]),
    Int8(&'a [Int8Row<'a>]),
    /// Dense weights of this type, little-endian.
    Decoded(DType, &'a [&'a [u8]]),
}

/// Vectors in the order of the rows, each as many groups as a row, the last one filled with zeros.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Vectors<'a> {
    Wide(&'a [&'a [Wide]]),
    /// The same, and lane by lane as well.
    ByLane(&'a [&'a [Wide]], &'a [&'a [f32]]),
    Narrow(&'a [&'a [Narrow]]),
    /// For tiles, which have an order of their own.
    #[cfg(target_arch = "x86_64")]
    Tiled(amx::TiledPart<'a>),
}

/// Decoded rows, kept from one call to the next.
#[derive(Debug, Default)]
pub(crate) struct Panel {
    wide: Vec<Wide>,
    narrow: Vec<Narrow>,
    strip: Strip,
    #[cfg(target_arch = "x86_64")]
    tiles: amx::Scratch,
}

/// The product of every row with every vector.
///
/// Sixteen lanes sum pairs as [`Order`](super::Order) states, then the lanes are summed as a tree. So a
/// product depends on its row and its vector only, not on what is computed beside it; and it is the
/// same whether vectors of bf16 are wide or narrow, but for subnormal numbers. Vectors for tiles meet rows
/// in the order that [`amx`] states.
pub(crate) fn products(
    level: Level,
    rows: Stored<'_>,
    vectors: Vectors<'_>,
    panel: &mut Panel,
    out: Out<'_>,
) {
    match rows {
        Stored::Bf16(rows) => of_rows(level, rows, vectors, panel, out),
        Stored::Mxfp4(rows) => of_rows(level, rows, vectors, panel, out),
        Stored::Coded(rows) => of_rows(level, rows, vectors, panel, out),
        Stored::Int8(rows) => of_rows(level, rows, vectors, panel, out),
        Stored::Decoded(dtype, rows) => decoded::products(level, dtype, rows, vectors, panel, out),
    }
}

fn of_rows<W: Source>(
    level: Level,
    rows: &[W],
    vectors: Vectors<'_>,
    panel: &mut Panel,
    out: Out<'_>,
) {
    match vectors {
        Vectors::Wide(vectors) => in_groups(level, rows, vectors, &mut panel.wide, out),
        Vectors::ByLane(vectors, lanes) if level.goes_by_lane(vectors.len()) => {
            let mut out = out;
            by_lane::products(level, rows, lanes, &mut panel.strip, &mut out);
            exact_rows(level, rows, 0, vectors, &mut out);
        }
        Vectors::ByLane(vectors, _) => few_at_a_time(level, rows, vectors, out),
        Vectors::Narrow(vectors) => in_groups(level, rows, vectors, &mut panel.narrow, out),
        #[cfg(target_arch = "x86_64")]
        Vectors::Tiled(vectors) => amx::products(rows, vectors, &mut panel.tiles, out),
    }
}

fn in_groups<W: Source, G: Group>(
    level: Level,
    rows: &[W],
    vectors: &[&[G]],
    panel: &mut Vec<G>,
    mut out: Out<'_>,
) {
    if vectors.len() <= level.few() {
        return few_at_a_time(level, rows, vectors, out);
    }
    let groups = vectors[0].len();
    for (block, rows) in rows.chunks(ROWS).enumerate() {
        let len = rows.len().next_multiple_of(4) * groups;
        if panel.len() < len {
            panel.resize(len, G::ZERO);
        }
        G::run(level, Decode { rows, panel });
        let first = block * ROWS;
        let products = PanelProducts { panel, first, rows: rows.len(), vectors, out: &mut out };
        G::run(level, products);
        exact_rows(level, rows, first, vectors, &mut out);
    }
}

/// The products of those rows that do not yield pairs; the first of all rows is number `first`.
fn exact_rows<W: Source, G: Group>(
    level: Level,
    rows: &[W],
    first: usize,
    vectors: &[&[G]],
    out: &mut Out<'_>,
) {
    for (i, row) in rows.iter().enumerate().filter(|(_, row)| !row.has_pairs()) {
        G::run(level, Exactly { row: *row, index: first + i, vectors, out });
    }
}

/// Rows that are decoded together where they are used often: those of gpt-oss, in `f32`, are 184 KiB,
/// a part of a second-level cache.
pub(crate) const ROWS: usize = 16;

/// Decodes rows to memory.
struct Decode<'a, W, G> {
    rows: &'a [W],
    panel: &'a mut [G],
}

impl<W: Source, G: Group> Kernel for Decode<'_, W, G> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut to = self.panel.iter_mut();
        for row in self.rows {
            let ahead = ROWS * row.row_bytes();
            for (group, to) in (0..row.groups()).zip(&mut to) {
                row.prefetch(simd, group, ahead);
                *to = G::of_pairs(simd, row.group(simd, group));
            }
            // A row without a tail takes no place for one.
            if let Some(tail) = row.tail(simd)
                && let Some(to) = to.next()
            {
                *to = G::of_pairs(simd, tail);
            }
        }
    }
}

/// Products of decoded rows, of which the first is number `first`. The panel has whole blocks of four rows;
/// what stands in those that are not rows does not matter.
struct PanelProducts<'a, 'o, G> {
    panel: &'a [G],
    first: usize,
    rows: usize,
    vectors: &'a [&'a [G]],
    out: &'a mut Out<'o>,
}

impl<G: Group> Kernel for PanelProducts<'_, '_, G> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        if S::REGISTERS >= 32 {
            self.vectors::<S, 4, 6>(simd);
        } else if S::REGISTERS >= 8 {
            self.vectors::<S, 2, 3>(simd);
        } else {
            self.vectors::<S, 1, 2>(simd);
        }
    }
}

impl<G: Group> PanelProducts<'_, '_, G> {
    #[inline(always)]
    fn vectors<S: Simd, const R: usize, const V: usize>(&mut self, simd: S) {
        let (blocks, rest) = self.vectors.as_chunks::<V>();
        for (block, vectors) in blocks.iter().enumerate() {
            self.blocks::<S, R, V>(simd, vectors, block * V);
        }
        let done = blocks.len() * V;
        let (pairs, last) = rest.as_chunks::<2>();
        for (pair, vectors) in pairs.iter().enumerate() {
            self.blocks::<S, R, 2>(simd, vectors, done + 2 * pair);
        }
        for vector in last {
            self.blocks::<S, R, 1>(simd, &[*vector], done + 2 * pairs.len());
        }
    }

    /// The rows with some vectors, a stretch of groups after the other: what is in use at a time shares a
    /// first-level cache. In between sums wait in memory.
    #[inline(always)]
    fn blocks<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        vectors: &[&[G]; V],
        vector: usize,
    ) {
        let groups = vectors[0].len();
        for block in (0..self.rows).step_by(4 * R) {
            let rows = (block..usize::min(block + 4 * R, self.rows)).step_by(R);
            let mut sums = [[[[0.0; 16]; V]; R]; 4];
            for first in (0..groups).step_by(G::STRETCH) {
                let stretch = first..usize::min(first + G::STRETCH, groups);
                for (row, sums) in rows.clone().zip(&mut sums) {
                    let panel = &self.panel[row * groups..][..R * groups];
                    add_products::<S, G, R, V>(simd, panel, vectors, stretch.clone(), sums);
                }
            }
            for (row, sums) in rows.zip(&sums) {
                let mut lanes = [[simd.splat(0.0); V]; R];
                for r in 0..R {
                    for v in 0..V {
                        lanes[r][v] = simd.load(&sums[r][v]);
                    }
                }
                let products = lane_sums(simd, lanes);
                self.out.put_some(self.first + row, vector, &products, (self.rows - row, V));
            }
        }
    }
}

/// The products of a row that does not yield pairs.
struct Exactly<'a, 'o, W, G> {
    row: W,
    index: usize,
    vectors: &'a [&'a [G]],
    out: &'a mut Out<'o>,
}

impl<W: Source, G: Group> Kernel for Exactly<'_, '_, W, G> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        exactly(simd, self.row, self.index, self.vectors, self.out);
    }
}

/// As [`Exactly`] does.
#[inline(always)]
pub(super) fn exactly<S: Simd, W: Source, G: Group>(
    simd: S,
    row: W,
    index: usize,
    vectors: &[&[G]],
    out: &mut Out<'_>,
) {
    for (v, vector) in vectors.iter().enumerate() {
        let mut sums = [[simd.splat(0.0)]];
        for (group, elements) in vector.iter().enumerate() {
            sums[0][0] = elements.wide(simd, &row.wide(group), sums[0][0]);
        }
        out.put(index, v, lane_sums(simd, sums));
    }
}

/// The body for each of at most four rows, with its number as a constant: the optimiser keeps an array in
/// registers only where it sees every index, and it does not unroll every loop.
macro_rules! each_row {
    ($count:expr, $row:ident => $body:block) => {
        const { assert!($count <= 4) };
        if $count > 0 {
            const $row: usize = 0;
            $body
        }
        if $count > 1 {
            const $row: usize = 1;
            $body
        }
        if $count > 2 {
            const $row: usize = 2;
            $body
        }
        if $count > 3 {
            const $row: usize = 3;
            $body
        }
    };
}

pub(super) use each_row;

/// Adds the products of some groups of decoded rows, a panel of whole rows, to the sums.
#[inline(always)]
fn add_products<S: Simd, G: Group, const R: usize, const V: usize>(
    simd: S,
    panel: &[G],
    vectors: &[&[G]; V],
    stretch: Range<usize>,
    sums: &mut [[[f32; 16]; V]; R],
) {
    let groups = vectors[0].len();
    let len = stretch.len();
    let mut rows: [&[G]; R] = [&[]; R];
    for r in 0..R {
        rows[r] = &panel[r * groups + stretch.start..][..len];
    }
    let mut cut: [&[G]; V] = [&[]; V];
    for v in 0..V {
        cut[v] = &vectors[v][stretch.start..][..len];
    }
    let mut lanes = [[simd.splat(0.0); V]; R];
    for r in 0..R {
        for v in 0..V {
            lanes[r][v] = simd.load(&sums[r][v]);
        }
    }
    for group in 0..len {
        for part in 0..G::PARTS {
            let mut loaded = [rows[0][group].part(simd, part); R];
            for r in 1..R {
                loaded[r] = rows[r][group].part(simd, part);
            }
            for v in 0..V {
                let vector = cut[v][group].part(simd, part);
                for r in 0..R {
                    lanes[r][v] = G::mul_add(simd, loaded[r], vector, lanes[r][v]);
                }
            }
        }
    }
    for r in 0..R {
        for v in 0..V {
            simd.store(lanes[r][v], &mut sums[r][v]);
        }
    }
}
