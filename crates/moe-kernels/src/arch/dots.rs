//! Products of rows with vectors.

use super::simd::{Kernel, Simd, sum};
use super::{Ahead, Level, Rows};

/// Where the product of row `r` with vector `v` goes: `data[r·row_step + v·vector_step]`.
#[derive(Debug)]
pub(crate) struct Out<'a> {
    pub(crate) data: &'a mut [f32],
    pub(crate) row_step: usize,
    pub(crate) vector_step: usize,
}

impl Out<'_> {
    /// Writes products of rows and vectors, of which these are the first.
    #[inline(always)]
    pub(super) fn put<const R: usize, const V: usize>(
        &mut self,
        row: usize,
        vector: usize,
        products: [[f32; V]; R],
    ) {
        self.put_some(row, vector, &products, (R, V));
    }

    /// Writes those of the first rows and vectors only, if there are more.
    #[inline(always)]
    pub(super) fn put_some<const R: usize, const V: usize>(
        &mut self,
        row: usize,
        vector: usize,
        products: &[[f32; V]; R],
        (rows, vectors): (usize, usize),
    ) {
        for (r, products) in products.iter().enumerate().take(rows) {
            for (v, product) in products.iter().enumerate().take(vectors) {
                let at = (row + r) * self.row_step + (vector + v) * self.vector_step;
                if let Some(to) = self.data.get_mut(at) {
                    *to = *product;
                }
            }
        }
    }

    /// Writes the products of four rows with one vector.
    #[inline(always)]
    fn put_four(&mut self, row: usize, vector: usize, products: [f32; 4]) {
        let at = row * self.row_step + vector * self.vector_step;
        let side_by_side = if self.row_step == 1 { self.data.get_mut(at..at + 4) } else { None };
        match side_by_side.and_then(|places| places.first_chunk_mut()) {
            Some(places) => *places = products,
            None => self.put_rows(row, vector, &products),
        }
    }

    /// Writes the products of rows with one vector.
    #[inline(always)]
    pub(super) fn put_rows(&mut self, row: usize, vector: usize, products: &[f32]) {
        let at = row * self.row_step + vector * self.vector_step;
        let places = self.data.get_mut(at..).unwrap_or_default();
        for (to, product) in places.iter_mut().step_by(self.row_step.max(1)).zip(products) {
            *to = *product;
        }
    }
}

/// The product of every row with every vector, each as long as a row.
///
/// Lane `l` of sixteen sums the elements `l`, `l + 16`, … in order; then the lanes are summed as a
/// tree. So a product depends on its row and its vector only, not on what is computed beside it. What
/// will be read next is asked for meanwhile.
pub(crate) fn dots(
    level: Level,
    rows: Rows<'_>,
    vectors: &[&[f32]],
    out: Out<'_>,
    ahead: &mut Ahead<'_>,
) {
    level.run(Dots { rows, vectors, out, ahead });
}

struct Dots<'a, 'm> {
    rows: Rows<'a>,
    vectors: &'a [&'a [f32]],
    out: Out<'a>,
    ahead: &'a mut Ahead<'m>,
}

impl Kernel for Dots<'_, '_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        // As many sums at once as leave registers for a row and the vectors.
        if S::REGISTERS >= 32 {
            self.vectors::<S, 4, 4, 4>(simd);
        } else if S::REGISTERS >= 8 && self.rows.cols() == 16 * HELD {
            self.held(simd);
        } else if S::REGISTERS >= 8 {
            self.vectors::<S, 2, 2, 4>(simd);
        } else {
            self.vectors::<S, 1, 2, 2>(simd);
        }
    }
}

/// Chunks of sixteen elements of a vector that stays in registers: a head of gpt-oss has so many.
const HELD: usize = 4;

impl Dots<'_, '_> {
    /// One vector of [`HELD`] chunks at a time, with four rows, which are read once a vector and need no register of
    /// their own.
    #[inline(always)]
    fn held<S: Simd>(&mut self, simd: S) {
        let (rows, _) = self.rows.data().as_chunks::<16>();
        let (fours, _) = rows.as_chunks::<{ 4 * HELD }>();
        for (v, vector) in self.vectors.iter().enumerate() {
            let (chunks, _) = vector[..16 * HELD].as_chunks::<16>();
            let mut held = [simd.splat(0.0); HELD];
            for i in 0..HELD {
                held[i] = simd.load(&chunks[i]);
            }
            for (four, rows) in fours.iter().enumerate() {
                self.ahead.ask(simd, 2);
                let mut lanes = [simd.splat(0.0); 4];
                for i in 0..HELD {
                    for r in 0..4 {
                        let row = simd.load(&rows[r * HELD + i]);
                        lanes[r] = simd.mul_add(row, held[i], lanes[r]);
                    }
                }
                self.out.put_four(4 * four, v, simd.sums(lanes));
            }
            for row in 4 * fours.len()..self.rows.count() {
                let rows = [self.rows.row(row)];
                let products = products::<S, 1, 1>(simd, self.rows.cols(), &rows, &[*vector]);
                self.out.put(row, v, products);
            }
        }
    }

    /// `V` vectors at a time with `R` rows, the rest one at a time with `ALONE` rows.
    #[inline(always)]
    fn vectors<S: Simd, const R: usize, const V: usize, const ALONE: usize>(&mut self, simd: S) {
        let (blocks, rest) = self.vectors.as_chunks::<V>();
        for (block, vectors) in blocks.iter().enumerate() {
            self.rows::<S, R, V>(simd, vectors, block * V);
        }
        for (i, vector) in rest.iter().enumerate() {
            self.rows::<S, ALONE, 1>(simd, &[*vector], blocks.len() * V + i);
        }
    }

    /// These vectors, of which the first is number `first`, with `R` rows at a time.
    #[inline(always)]
    fn rows<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        vectors: &[&[f32]; V],
        first: usize,
    ) {
        let mut row = 0;
        while row + R <= self.rows.count() {
            let mut rows: [&[f32]; R] = [&[]; R];
            for (i, to) in rows.iter_mut().enumerate() {
                *to = self.rows.row(row + i);
            }
            self.ahead.ask(simd, R * V / 2);
            self.out.put(row, first, products::<S, R, V>(simd, self.rows.cols(), &rows, vectors));
            row += R;
        }
        while row < self.rows.count() {
            let rows = [self.rows.row(row)];
            self.out.put(row, first, products::<S, 1, V>(simd, self.rows.cols(), &rows, vectors));
            row += 1;
        }
    }
}

#[inline(always)]
fn products<S: Simd, const R: usize, const V: usize>(
    simd: S,
    len: usize,
    rows: &[&[f32]; R],
    vectors: &[&[f32]; V],
) -> [[f32; V]; R] {
    let mut row_chunks: [&[[f32; 16]]; R] = [&[]; R];
    for (to, row) in row_chunks.iter_mut().zip(rows) {
        *to = &row.as_chunks().0[..len / 16];
    }
    let mut vector_chunks: [&[[f32; 16]]; V] = [&[]; V];
    for (to, vector) in vector_chunks.iter_mut().zip(vectors) {
        *to = &vector.as_chunks().0[..len / 16];
    }

    let mut lanes = [[simd.splat(0.0); V]; R];
    for i in 0..len / 16 {
        let mut loaded = [simd.splat(0.0); V];
        for v in 0..V {
            loaded[v] = simd.load(&vector_chunks[v][i]);
        }
        for r in 0..R {
            let row = simd.load(&row_chunks[r][i]);
            for v in 0..V {
                lanes[r][v] = simd.mul_add(row, loaded[v], lanes[r][v]);
            }
        }
    }
    if len.is_multiple_of(16) {
        lane_sums(simd, lanes)
    } else {
        sums_with_tails(simd, lanes, len / 16 * 16, rows, vectors)
    }
}

/// The sums of the lanes of each.
#[inline(always)]
pub(super) fn lane_sums<S: Simd, const R: usize, const V: usize>(
    simd: S,
    lanes: [[S::Lanes; V]; R],
) -> [[f32; V]; R] {
    let mut products = [[0.0; V]; R];
    let (flat, to) = (lanes.as_flattened(), products.as_flattened_mut());
    let (fours, rest) = flat.as_chunks::<4>();
    let (to_fours, to_rest) = to.as_chunks_mut::<4>();
    for (four, to) in fours.iter().zip(to_fours) {
        *to = simd.sums(*four);
    }
    for (one, to) in rest.iter().zip(to_rest) {
        *to = simd.sums([*one; 4])[0];
    }
    products
}

/// The elements beyond whole chunks go to the first lanes.
#[inline(always)]
fn sums_with_tails<S: Simd, const R: usize, const V: usize>(
    simd: S,
    lanes: [[S::Lanes; V]; R],
    from: usize,
    rows: &[&[f32]; R],
    vectors: &[&[f32]; V],
) -> [[f32; V]; R] {
    let mut products = [[0.0; V]; R];
    for r in 0..R {
        for v in 0..V {
            let mut stored = [0.0; 16];
            simd.store(lanes[r][v], &mut stored);
            let tails = rows[r][from..].iter().zip(&vectors[v][from..]);
            for ((a, b), lane) in tails.zip(&mut stored) {
                *lane = simd.mul_add_one(*a, *b, *lane);
            }
            products[r][v] = sum(&stored);
        }
    }
    products
}
