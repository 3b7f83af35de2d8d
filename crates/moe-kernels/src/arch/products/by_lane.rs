//! Many vectors where registers are few: one lane of the sixteen after the other.
//!
//! A register has an element of eight or sixteen rows, and meets the same element of several vectors. Of a lane
//! all elements of sixteen rows and of some vectors share a first-level cache, and sums stay in registers from
//! the first to the last. Elements of a lane come in the order of the groups, so the sums are those of
//! registers that have the lanes of a row.

use super::{ROWS, Source};
use crate::arch::order::Wide;
use crate::arch::simd::{Kernel, Simd};
use crate::arch::{GROUP, Level, Out};

/// Vectors whose sums of every lane wait in a second-level cache, 48 KiB.
const TOGETHER: usize = 48;

/// Elements of a lane in a group.
const STEPS: usize = GROUP / 16;

/// Sixteen rows lane by lane: of every lane its elements in turn, each of all rows.
#[derive(Debug, Default)]
pub(in crate::arch) struct Strip {
    elements: Vec<[f32; ROWS]>,
    /// Of every lane and vector, those of all rows.
    sums: Vec<[f32; ROWS]>,
}

/// A vector lane by lane, `[lane, element]`.
pub(crate) fn by_lane(groups: &[Wide], to: &mut [f32]) {
    let steps = groups.len() * STEPS;
    if steps == 0 {
        return;
    }
    for (lane, to) in to.chunks_exact_mut(steps).enumerate().take(16) {
        for (group, to) in groups.iter().zip(to.as_chunks_mut::<STEPS>().0) {
            for (part, to) in group.0.iter().zip(to) {
                *to = part[lane];
            }
        }
    }
}

/// The products of rows that yield pairs with vectors that are [`by_lane`], each of so many groups; those of other
/// rows mean nothing.
pub(super) fn products<W: Source>(
    level: Level,
    rows: &[W],
    vectors: &[&[f32]],
    strip: &mut Strip,
    out: &mut Out<'_>,
) {
    let groups = vectors.first().map_or(0, |vector| vector.len() / GROUP);
    let Strip { elements, sums } = strip;
    if elements.len() < groups * GROUP {
        elements.resize(groups * GROUP, [0.0; ROWS]);
    }
    let elements = &mut elements[..groups * GROUP];
    for (block, rows) in rows.chunks(ROWS).enumerate() {
        level.run_wide(Decode { rows, elements });
        let first = block * ROWS;
        let next = Next::after(rows);
        level.run_wide(Products { elements, first, rows: rows.len(), next, vectors, sums, out });
    }
}

/// Where the rows stand that are decoded next, if they follow.
#[derive(Clone, Copy, Debug)]
struct Next {
    rows: [*const u8; ROWS],
    /// Lines of a first-level cache, of 64 bytes.
    lines: usize,
}

impl Next {
    fn after<W: Source>(rows: &[W]) -> Self {
        let mut next = [std::ptr::null(); ROWS];
        for (next, row) in next.iter_mut().zip(rows) {
            *next = row.start().wrapping_add(ROWS * row.row_bytes());
        }
        Self { rows: next, lines: rows.first().map_or(0, |row| row.row_bytes() / 64) }
    }
}

/// Decodes at most sixteen rows; there is something or other in place of those that are missing.
struct Decode<'a, W> {
    rows: &'a [W],
    elements: &'a mut [[f32; ROWS]],
}

impl<W: Source> Kernel for Decode<'_, W> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let mut rows = [self.rows[0]; ROWS];
        rows[..self.rows.len()].copy_from_slice(self.rows);
        let whole = rows[0].groups();
        let steps = self.elements.len() / 16;
        let mut decoded = [[[0; 16]; ROWS]; 4];
        for group in 0..whole {
            for row in 0..ROWS {
                let pairs = rows[row].group(simd, group);
                for step in 0..4 {
                    simd.store_pairs(pairs[step], &mut decoded[step][row]);
                }
            }
            put(simd, &decoded, self.elements, (group * STEPS, steps));
        }
        if whole * STEPS < steps {
            for row in 0..ROWS {
                let Some(pairs) = rows[row].tail(simd) else { continue };
                for step in 0..4 {
                    simd.store_pairs(pairs[step], &mut decoded[step][row]);
                }
            }
            put(simd, &decoded, self.elements, (whole * STEPS, steps));
        }
    }
}

/// Puts a group of all rows in its place: from element `first` on in each lane of `steps` elements.
#[inline(always)]
fn put<S: Simd>(
    simd: S,
    decoded: &[[[u32; 16]; ROWS]; 4],
    elements: &mut [[f32; ROWS]],
    (first, steps): (usize, usize),
) {
    for (step, rows) in decoded.iter().enumerate() {
        let mut pairs = [simd.load_words(&rows[0]); 16];
        for row in 1..ROWS {
            pairs[row] = simd.load_words(&rows[row]);
        }
        let lanes = simd.transpose(pairs);
        for lane in 0..16 {
            let to = &mut elements[lane * steps + first + 2 * step..][..2];
            simd.store(simd.seconds(lanes[lane]), &mut to[0]);
            simd.store(simd.firsts(lanes[lane]), &mut to[1]);
        }
    }
}

/// Products of decoded rows, of which the first is number `first`.
struct Products<'a, 'o> {
    elements: &'a [[f32; ROWS]],
    first: usize,
    rows: usize,
    next: Next,
    vectors: &'a [&'a [f32]],
    sums: &'a mut Vec<[f32; ROWS]>,
    out: &'a mut Out<'o>,
}

impl Kernel for Products<'_, '_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { elements, first, rows, next, vectors, sums, out } = self;
        let steps = elements.len() / 16;
        for (block, vectors) in vectors.chunks(TOGETHER).enumerate() {
            let count = vectors.len();
            sums.resize(16 * count, [0.0; ROWS]);
            // What comes next is needed once.
            let lines = if block == 0 { next.lines } else { 0 };
            for (lane, sums) in sums.chunks_exact_mut(count).enumerate() {
                let (elements, at) = (&elements[lane * steps..][..steps], lane * steps);
                lane_of(simd, elements, vectors, at, sums, (next.rows[lane], lines));
            }
            for v in 0..count {
                let mut of_lanes = [[0.0; ROWS]; 16];
                for lane in 0..16 {
                    of_lanes[lane] = sums[lane * count + v];
                }
                out.put_rows(first, block * TOGETHER + v, &sum(&of_lanes)[..rows]);
            }
        }
    }
}

/// The sums of a lane of all rows with each vector, where it begins `at`; meanwhile asks for so many lines of what is
/// needed next.
#[inline(always)]
fn lane_of<S: Simd>(
    simd: S,
    elements: &[[f32; ROWS]],
    vectors: &[&[f32]],
    at: usize,
    sums: &mut [[f32; ROWS]],
    (mut next, lines): (*const u8, usize),
) {
    let most = if S::REGISTERS >= 8 { 6 } else { 2 };
    let groups = elements.len() / STEPS;
    // As many vectors at a time as registers allow, and about as many every time.
    let times = vectors.len().div_ceil(most);
    let lines = lines.div_ceil((groups * times).max(1));
    for time in 0..times {
        let part = time * vectors.len() / times..(time + 1) * vectors.len() / times;
        let (vectors, sums) = (&vectors[part.clone()], &mut sums[part]);
        match vectors.len() {
            1 => add::<S, 1>(simd, elements, vectors, at, sums, (next, lines)),
            2 => add::<S, 2>(simd, elements, vectors, at, sums, (next, lines)),
            3 if most > 2 => add::<S, 3>(simd, elements, vectors, at, sums, (next, lines)),
            4 if most > 2 => add::<S, 4>(simd, elements, vectors, at, sums, (next, lines)),
            5 if most > 2 => add::<S, 5>(simd, elements, vectors, at, sums, (next, lines)),
            6 if most > 2 => add::<S, 6>(simd, elements, vectors, at, sums, (next, lines)),
            _ => {}
        }
        next = next.wrapping_add(64 * lines * groups);
    }
}

/// The same with `V` vectors, whose sums have a register each.
#[inline(always)]
fn add<S: Simd, const V: usize>(
    simd: S,
    elements: &[[f32; ROWS]],
    vectors: &[&[f32]],
    at: usize,
    sums: &mut [[f32; ROWS]],
    (next, lines): (*const u8, usize),
) {
    let mut cut: [&[f32]; V] = [&[]; V];
    for v in 0..V {
        cut[v] = &vectors[v][at..][..elements.len()];
    }
    let mut of_rows = [simd.splat(0.0); V];
    for (group, elements) in elements.as_chunks::<STEPS>().0.iter().enumerate() {
        for line in 0..lines {
            simd.prefetch(next.wrapping_add(64 * (group * lines + line)));
        }
        for step in 0..STEPS {
            let rows = simd.load(&elements[step]);
            for v in 0..V {
                let element = cut[v][group * STEPS + step];
                of_rows[v] = simd.mul_add(rows, simd.splat(element), of_rows[v]);
            }
        }
    }
    for v in 0..V {
        simd.store(of_rows[v], &mut sums[v]);
    }
}

/// The sums of all lanes, as [`sum`](crate::arch::simd::sum) has them.
#[inline(always)]
fn sum(lanes: &[[f32; ROWS]; 16]) -> [f32; ROWS] {
    let mut sums = [0.0; ROWS];
    for row in 0..ROWS {
        let mut four = [0.0; 4];
        for i in 0..4 {
            four[i] =
                (lanes[i][row] + lanes[i + 8][row]) + (lanes[i + 4][row] + lanes[i + 12][row]);
        }
        sums[row] = (four[0] + four[2]) + (four[1] + four[3]);
    }
    sums
}
