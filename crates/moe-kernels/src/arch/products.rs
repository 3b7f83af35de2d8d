//! Products of stored rows with packed vectors.

use super::dots::lane_sums;
use super::order::{Narrow, Wide};
use super::simd::{Kernel, Simd};
use super::source::{Bf16Row, CodedRow, Int8Row, Mxfp4Row, Source};
use super::{Level, Out};

/// Rows of weights of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stored<'a> {
    Bf16(&'a [Bf16Row<'a>]),
    Mxfp4(&'a [Mxfp4Row<'a>]),
    Coded(&'a [CodedRow<'a>]),
    Int8(&'a [Int8Row<'a>]),
}

/// Vectors in the order of the rows, each as many groups as a row, the last one filled with zeros.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Vectors<'a> {
    Wide(&'a [&'a [Wide]]),
    Narrow(&'a [&'a [Narrow]]),
}

/// Decoded rows, kept from one call to the next.
#[derive(Debug, Default)]
pub(crate) struct Panel {
    wide: Vec<Wide>,
    narrow: Vec<Narrow>,
}

/// The product of every row with every vector.
///
/// Sixteen lanes sum pairs as [`Order`](super::Order) states, then the lanes are summed as a tree. So a
/// product depends on its row and its vector only, not on what is computed beside it; and it is the
/// same whether vectors of bf16 are wide or narrow, but for subnormal numbers.
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
        Vectors::Wide(vectors) => {
            level.run(Products { rows, vectors, panel: &mut panel.wide, out });
        }
        Vectors::Narrow(vectors) => {
            level.run(Products { rows, vectors, panel: &mut panel.narrow, out });
        }
    }
}

/// A group of a vector.
trait Group: Copy {
    /// Registers of a group.
    const PARTS: usize;

    type Part<S: Simd>: Copy;

    fn part<S: Simd>(&self, simd: S, part: usize) -> Self::Part<S>;

    /// The sum and the product of two parts.
    fn mul_add<S: Simd>(simd: S, a: Self::Part<S>, b: Self::Part<S>, sum: S::Lanes) -> S::Lanes;

    /// The sum and the product of a step with pairs.
    fn step<S: Simd>(&self, simd: S, step: usize, pairs: S::Pairs, sum: S::Lanes) -> S::Lanes;

    /// The sum and the product with a group in `f32`.
    fn wide<S: Simd>(&self, simd: S, wide: &Wide, sum: S::Lanes) -> S::Lanes;

    fn of_pairs<S: Simd>(simd: S, pairs: [S::Pairs; 4]) -> Self;
}

impl Group for Wide {
    const PARTS: usize = 8;

    type Part<S: Simd> = S::Lanes;

    #[inline(always)]
    fn part<S: Simd>(&self, simd: S, part: usize) -> S::Lanes {
        simd.load(&self.0[part])
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::Lanes, b: S::Lanes, sum: S::Lanes) -> S::Lanes {
        simd.mul_add(a, b, sum)
    }

    #[inline(always)]
    fn step<S: Simd>(&self, simd: S, step: usize, pairs: S::Pairs, sum: S::Lanes) -> S::Lanes {
        let sum = simd.mul_add(simd.seconds(pairs), simd.load(&self.0[2 * step]), sum);
        simd.mul_add(simd.firsts(pairs), simd.load(&self.0[2 * step + 1]), sum)
    }

    #[inline(always)]
    fn wide<S: Simd>(&self, simd: S, wide: &Wide, mut sum: S::Lanes) -> S::Lanes {
        for part in 0..8 {
            sum = simd.mul_add(simd.load(&wide.0[part]), simd.load(&self.0[part]), sum);
        }
        sum
    }

    #[inline(always)]
    fn of_pairs<S: Simd>(simd: S, pairs: [S::Pairs; 4]) -> Self {
        let mut group = Self::ZERO;
        for step in 0..4 {
            simd.store(simd.seconds(pairs[step]), &mut group.0[2 * step]);
            simd.store(simd.firsts(pairs[step]), &mut group.0[2 * step + 1]);
        }
        group
    }
}

impl Group for Narrow {
    const PARTS: usize = 4;

    type Part<S: Simd> = S::Pairs;

    #[inline(always)]
    fn part<S: Simd>(&self, simd: S, part: usize) -> S::Pairs {
        simd.load_words(&self.0[part])
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::Pairs, b: S::Pairs, sum: S::Lanes) -> S::Lanes {
        simd.dot(a, b, sum)
    }

    #[inline(always)]
    fn step<S: Simd>(&self, simd: S, step: usize, pairs: S::Pairs, sum: S::Lanes) -> S::Lanes {
        simd.dot(pairs, simd.load_words(&self.0[step]), sum)
    }

    #[inline(always)]
    fn wide<S: Simd>(&self, simd: S, wide: &Wide, mut sum: S::Lanes) -> S::Lanes {
        for step in 0..4 {
            let pairs = simd.load_words(&self.0[step]);
            sum = simd.mul_add(simd.load(&wide.0[2 * step]), simd.seconds(pairs), sum);
            sum = simd.mul_add(simd.load(&wide.0[2 * step + 1]), simd.firsts(pairs), sum);
        }
        sum
    }

    #[inline(always)]
    fn of_pairs<S: Simd>(simd: S, pairs: [S::Pairs; 4]) -> Self {
        let mut group = Self::ZERO;
        for step in 0..4 {
            simd.store_pairs(pairs[step], &mut group.0[step]);
        }
        group
    }
}

/// Rows that are decoded together where they are used often: those of gpt-oss, in `f32`, are 184 KiB,
/// a part of a second-level cache.
pub(crate) const ROWS: usize = 16;

struct Products<'a, W, G> {
    rows: &'a [W],
    vectors: &'a [&'a [G]],
    panel: &'a mut Vec<G>,
    out: Out<'a>,
}

impl<W: Source, G: Group> Kernel for Products<'_, W, G> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        match *self.vectors {
            [] => {}
            [a] => self.few(simd, [a]),
            [a, b] => self.few(simd, [a, b]),
            [a, b, c] => self.few(simd, [a, b, c]),
            [a, b, c, d] => self.few(simd, [a, b, c, d]),
            _ => self.many(simd),
        }
    }
}

impl<W: Source, G: Group> Products<'_, W, G> {
    /// Decodes in registers.
    #[inline(always)]
    fn few<S: Simd, const V: usize>(&mut self, simd: S, vectors: [&[G]; V]) {
        // As many sums at once as hide the latency of an addition and leave registers.
        if S::REGISTERS >= 32 {
            self.few_rows::<S, 4, V>(simd, vectors);
        } else if V == 1 {
            self.few_rows::<S, 2, V>(simd, vectors);
        } else {
            self.few_rows::<S, 1, V>(simd, vectors);
        }
    }

    #[inline(always)]
    fn few_rows<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, vectors: [&[G]; V]) {
        let (blocks, rest) = self.rows.as_chunks::<R>();
        for (block, rows) in blocks.iter().enumerate() {
            if rows.iter().all(|row| row.has_pairs()) {
                let products = in_registers::<S, W, G, R, V>(simd, rows, &vectors);
                self.out.put(block * R, 0, products);
            } else {
                for (i, row) in rows.iter().enumerate() {
                    self.alone(simd, *row, block * R + i, &vectors);
                }
            }
        }
        for (i, row) in rest.iter().enumerate() {
            self.alone(simd, *row, blocks.len() * R + i, &vectors);
        }
    }

    #[inline(always)]
    fn alone<S: Simd, const V: usize>(
        &mut self,
        simd: S,
        row: W,
        index: usize,
        vectors: &[&[G]; V],
    ) {
        let products = if row.has_pairs() {
            in_registers::<S, W, G, 1, V>(simd, &[row], vectors)
        } else {
            [in_f32(simd, row, vectors)]
        };
        self.out.put(index, 0, products);
    }

    /// Decodes to memory.
    #[inline(always)]
    fn many<S: Simd>(&mut self, simd: S) {
        for (block, rows) in self.rows.chunks(ROWS).enumerate() {
            self.panel.clear();
            for row in rows {
                for group in 0..row.groups() {
                    row.prefetch(simd, group, ROWS * row.row_bytes());
                    self.panel.push(G::of_pairs(simd, row.group(simd, group)));
                }
                if let Some(tail) = row.tail(simd) {
                    self.panel.push(G::of_pairs(simd, tail));
                }
            }
            if S::REGISTERS >= 32 {
                self.panel_products::<S, 4, 6>(simd, block * ROWS, rows.len());
            } else if S::REGISTERS >= 8 {
                self.panel_products::<S, 2, 2>(simd, block * ROWS, rows.len());
            } else {
                self.panel_products::<S, 1, 2>(simd, block * ROWS, rows.len());
            }
            for (i, row) in rows.iter().enumerate().filter(|(_, row)| !row.has_pairs()) {
                for (v, vector) in self.vectors.iter().enumerate() {
                    let product = in_f32(simd, *row, &[*vector]);
                    self.out.put(block * ROWS + i, v, [product]);
                }
            }
        }
    }

    /// Of all vectors with the decoded rows, of which the first is number `first`.
    #[inline(always)]
    fn panel_products<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        first: usize,
        rows: usize,
    ) {
        let (blocks, rest) = self.vectors.as_chunks::<V>();
        for (block, vectors) in blocks.iter().enumerate() {
            self.panel_rows::<S, R, V>(simd, first, rows, vectors, block * V);
        }
        let done = blocks.len() * V;
        let (pairs, last) = rest.as_chunks::<2>();
        for (pair, vectors) in pairs.iter().enumerate() {
            self.panel_rows::<S, R, 2>(simd, first, rows, vectors, done + 2 * pair);
        }
        for vector in last {
            self.panel_rows::<S, R, 1>(simd, first, rows, &[*vector], done + 2 * pairs.len());
        }
    }

    #[inline(always)]
    fn panel_rows<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        first: usize,
        rows: usize,
        vectors: &[&[G]; V],
        vector: usize,
    ) {
        let groups = vectors[0].len();
        let mut row = 0;
        while row + R <= rows {
            let panel = &self.panel[row * groups..][..R * groups];
            let products = of_panel::<S, G, R, V>(simd, panel, groups, vectors);
            self.out.put(first + row, vector, products);
            row += R;
        }
        while row < rows {
            let panel = &self.panel[row * groups..][..groups];
            let products = of_panel::<S, G, 1, V>(simd, panel, groups, vectors);
            self.out.put(first + row, vector, products);
            row += 1;
        }
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

/// The products of rows that are decoded on the way.
#[inline(always)]
fn in_registers<S: Simd, W: Source, G: Group, const R: usize, const V: usize>(
    simd: S,
    rows: &[W; R],
    vectors: &[&[G]; V],
) -> [[f32; V]; R] {
    let groups = rows[0].groups();
    let mut cut: [&[G]; V] = [&[]; V];
    for v in 0..V {
        cut[v] = &vectors[v][..groups];
    }
    let mut whole = *rows;
    for r in 0..R {
        whole[r] = rows[r].cut(groups);
    }
    // The rows that come next, if they lie there.
    let ahead = R * rows[0].row_bytes();
    let mut sums = [[simd.splat(0.0); V]; R];
    for group in 0..groups {
        each_row!(R, ROW => {
            whole[ROW].prefetch(simd, group, ahead);
            let pairs = whole[ROW].group(simd, group);
            for step in 0..4 {
                for v in 0..V {
                    sums[ROW][v] = cut[v][group].step(simd, step, pairs[step], sums[ROW][v]);
                }
            }
        });
    }
    each_row!(R, ROW => {
        if let Some(pairs) = rows[ROW].tail(simd) {
            for step in 0..4 {
                for v in 0..V {
                    sums[ROW][v] = vectors[v][groups].step(simd, step, pairs[step], sums[ROW][v]);
                }
            }
        }
    });
    lane_sums(simd, sums)
}

/// The products of a row that does not yield pairs.
#[inline(always)]
fn in_f32<S: Simd, W: Source, G: Group, const V: usize>(
    simd: S,
    row: W,
    vectors: &[&[G]; V],
) -> [f32; V] {
    let mut sums = [[simd.splat(0.0); V]];
    for group in 0..vectors[0].len() {
        let wide = row.wide(group);
        for v in 0..V {
            sums[0][v] = vectors[v][group].wide(simd, &wide, sums[0][v]);
        }
    }
    let [products] = lane_sums(simd, sums);
    products
}

/// The products of decoded rows.
#[inline(always)]
fn of_panel<S: Simd, G: Group, const R: usize, const V: usize>(
    simd: S,
    panel: &[G],
    groups: usize,
    vectors: &[&[G]; V],
) -> [[f32; V]; R] {
    let mut rows: [&[G]; R] = [&[]; R];
    for r in 0..R {
        rows[r] = &panel[r * groups..][..groups];
    }
    let mut cut: [&[G]; V] = [&[]; V];
    for v in 0..V {
        cut[v] = &vectors[v][..groups];
    }
    let mut sums = [[simd.splat(0.0); V]; R];
    for group in 0..groups {
        for part in 0..G::PARTS {
            let mut loaded = [rows[0][group].part(simd, part); R];
            for r in 1..R {
                loaded[r] = rows[r][group].part(simd, part);
            }
            for v in 0..V {
                let vector = cut[v][group].part(simd, part);
                for r in 0..R {
                    sums[r][v] = G::mul_add(simd, loaded[r], vector, sums[r][v]);
                }
            }
        }
    }
    lane_sums(simd, sums)
}
