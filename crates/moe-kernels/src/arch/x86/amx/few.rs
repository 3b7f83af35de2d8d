//! Products with few vectors, in the order of tiles.

use std::arch::asm;
use std::arch::x86_64::{__m512, _mm512_add_ps, _mm512_castsi512_ps};

use super::many;
use super::many::Scratch;
use super::tall::TiledPart;
use super::tile::Sums;
use super::transpose::transposed;
use super::{GROUPS, SIDE};
use crate::arch::Out;
use crate::arch::order::{Narrow, Wide};
use crate::arch::products::each_row;
use crate::arch::simd::Simd;
use crate::arch::source::Source;
use crate::arch::x86::avx512::Avx512;

/// At most [`ROWS`](many::ROWS) rows, of which the first is number `first`.
pub(super) struct Few<'a, 'o, W> {
    pub(super) simd: Avx512,
    pub(super) rows: &'a [W],
    pub(super) vectors: TiledPart<'a>,
    pub(super) scratch: &'a mut Scratch,
    pub(super) first: usize,
    pub(super) out: &'a mut Out<'o>,
}

impl<W: Source> Few<'_, '_, W> {
    /// The products with all vectors. `padded` begins with them, and may go on.
    #[inline(always)]
    pub(super) fn products<const V: usize>(&mut self, padded: [&[Narrow]; V]) {
        let mut wide = std::mem::take(&mut self.scratch.wide);
        wide.clear();
        for vector in padded {
            for group in vector {
                wide.push(widened(self.simd, group));
            }
        }
        let groups = padded[0].len();
        let mut vectors: [&[Wide]; V] = [&[]; V];
        for v in 0..V {
            vectors[v] = &wide[v * groups..][..groups];
        }
        for (block, rows) in self.rows.chunks(SIDE).enumerate() {
            self.sixteen(rows, &vectors, self.first + block * SIDE);
        }
        self.scratch.wide = wide;
    }

    /// Of at most sixteen rows.
    #[inline(always)]
    fn sixteen<const V: usize>(&mut self, rows: &[W], vectors: &[&[Wide]; V], first: usize) {
        let Self { simd, ref mut scratch, ref mut out, .. } = *self;
        let mut sums = [[0.0; SIDE]; V];
        // SAFETY: `simd` is proof of AVX-512.
        let zero = unsafe { watch(simd.splat(0.0)) };
        if V <= 2 {
            lanes::<W, 4, V>(simd, rows, vectors, zero, &mut scratch.lanes);
        } else {
            lanes::<W, 2, V>(simd, rows, vectors, zero, &mut scratch.lanes);
        }
        for (v, sums) in sums.iter_mut().enumerate() {
            simd.store(total(simd, zero, scratch.lanes.iter().skip(v).step_by(V)), sums);
        }
        if saw_subnormals(&sums) || sums.as_flattened().iter().any(|sum| sum.is_nan()) {
            let mut tiles = std::mem::take(&mut scratch.tiles);
            let vectors = self.vectors.with_tiles(&mut tiles);
            // SAFETY: as above.
            unsafe { many::products(rows, vectors, scratch, first, out) };
            scratch.tiles = tiles;
        } else {
            for (v, sums) in sums.iter().enumerate().take(self.vectors.narrow.len()) {
                out.put_rows(first, v, &sums[..rows.len()]);
            }
        }
    }
}

/// A group in `f32`.
#[inline(always)]
fn widened(simd: Avx512, group: &Narrow) -> Wide {
    let mut wide = Wide::ZERO;
    for step in 0..4 {
        let pairs = simd.load_words(&group.0[step]);
        simd.store(simd.seconds(pairs), &mut wide.0[2 * step]);
        simd.store(simd.firsts(pairs), &mut wide.0[2 * step + 1]);
    }
    wide
}

/// What every lane of every superblock adds, of sixteen rows, `[superblock][vector]`, each
/// `[row][lane]`.
#[inline(always)]
fn lanes<W: Source, const R: usize, const V: usize>(
    _: Avx512,
    rows: &[W],
    vectors: &[&[Wide]; V],
    zero: __m512,
    to: &mut Vec<Sums>,
) {
    if rows.len() < SIDE {
        to.clear();
    }
    to.resize(vectors[0].len().div_ceil(GROUPS) * V, Sums::ZERO);
    let (to, _) = to.as_chunks_mut::<V>();
    // What is missing is the first row, once more: less to compile.
    let mut whole = [rows[0]; SIDE];
    whole[..rows.len()].copy_from_slice(rows);
    for (block, rows) in whole.as_chunks::<R>().0.iter().take(rows.len().div_ceil(R)).enumerate() {
        // SAFETY: the first argument is proof of AVX-512.
        unsafe { some_rows(rows, vectors, zero, block * R, to) };
    }
}

/// Of `R` rows, of which the first is number `first`. A function of its own, so that its sums stay in
/// registers.
#[inline(never)]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn some_rows<W: Source, const R: usize, const V: usize>(
    rows: &[W; R],
    vectors: &[&[Wide]; V],
    zero: __m512,
    first: usize,
    to: &mut [[Sums; V]],
) {
    let simd = Avx512::new();
    let groups = rows[0].groups();
    let mut cut: [&[Wide]; V] = [&[]; V];
    for v in 0..V {
        cut[v] = &vectors[v][..groups];
    }
    let mut whole = *rows;
    for r in 0..R {
        whole[r] = rows[r].cut(groups);
    }
    // The rows that come next, if they lie there.
    let ahead = R * rows[0].row_bytes();
    let mut sums = [[[zero; 2]; V]; R];
    for group in 0..groups {
        each_row!(R, ROW => {
            whole[ROW].prefetch(simd, group, ahead);
            add_group(simd, whole[ROW].group(simd, group), &cut, group, &mut sums[ROW]);
        });
        if group % GROUPS == GROUPS - 1 {
            let to = &mut to[group / GROUPS];
            each_row!(R, ROW => {
                put(simd, &sums[ROW], first + ROW, to);
                sums[ROW] = [[zero; 2]; V];
            });
        }
    }
    if let Some(to) = to.get_mut(groups / GROUPS) {
        each_row!(R, ROW => {
            if let Some(pairs) = rows[ROW].tail(simd) {
                add_group(simd, pairs, vectors, groups, &mut sums[ROW]);
            }
            put(simd, &sums[ROW], first + ROW, to);
        });
    }
}

/// Adds the products of a row's group with that of all vectors: of each, those of the firsts and those of
/// the seconds.
#[inline(always)]
fn add_group<const V: usize>(
    simd: Avx512,
    pairs: [<Avx512 as Simd>::Pairs; 4],
    vectors: &[&[Wide]; V],
    group: usize,
    sums: &mut [[__m512; 2]; V],
) {
    for step in 0..4 {
        let (firsts, seconds) = (simd.firsts(pairs[step]), simd.seconds(pairs[step]));
        for v in 0..V {
            let vector = &vectors[v][group].0;
            sums[v][0] = simd.mul_add(firsts, simd.load(&vector[2 * step + 1]), sums[v][0]);
            sums[v][1] = simd.mul_add(seconds, simd.load(&vector[2 * step]), sums[v][1]);
        }
    }
}

/// The lanes of a row's superblock.
#[inline(always)]
fn put<const V: usize>(simd: Avx512, sums: &[[__m512; 2]; V], row: usize, to: &mut [Sums; V]) {
    for v in 0..V {
        simd.store(sum(simd, sums[v][0], sums[v][1]), &mut to[v].0[row]);
    }
}

/// The sums of all lanes in turn, of sixteen rows.
#[inline(always)]
fn total<'a>(simd: Avx512, zero: __m512, superblocks: impl Iterator<Item = &'a Sums>) -> __m512 {
    let mut total = zero;
    for sums in superblocks {
        // SAFETY: `simd` is proof of AVX-512.
        let lanes = unsafe { transposed(sums.0.each_ref().map(bytemuck::must_cast_ref)) };
        for lane in lanes {
            // SAFETY: as above.
            let lane = unsafe { _mm512_castsi512_ps(lane) };
            total = sum(simd, total, lane);
        }
    }
    // Once more, that a subnormal total is an operand too.
    sum(simd, total, zero)
}

#[inline(always)]
fn sum(_: Avx512, a: __m512, b: __m512) -> __m512 {
    // SAFETY: the first argument is proof of AVX-512.
    unsafe { _mm512_add_ps(a, b) }
}

/// Denormal operand, underflow.
const SUBNORMAL: u32 = 1 << 1 | 1 << 4;

/// Clears the flags of exceptions before `zero` can be used.
///
/// An `asm` block may leave them changed: The Rust Reference, inline assembly, rules.
#[inline]
#[target_feature(enable = "avx512f")]
fn watch(mut zero: __m512) -> __m512 {
    let mut control = 0u32;
    // SAFETY: CPUs with AVX-512 have MXCSR, and `control` is valid; nothing but flags is changed.
    unsafe {
        asm!(
            "stmxcsr [{control}]",
            "and dword ptr [{control}], -64",
            "ldmxcsr [{control}]",
            "/* {zero} */",
            control = in(reg) &raw mut control,
            zero = inout(zmm_reg) zero,
            options(nostack),
        );
    }
    zero
}

/// Whether, since [`watch`], an operation took or gave a subnormal number. All of them led to these sums.
#[inline(always)]
fn saw_subnormals<const V: usize>(sums: &[[f32; SIDE]; V]) -> bool {
    let mut control = 0u32;
    // SAFETY: CPUs with AVX-512 have MXCSR, and `control` is valid. The sums are named, so that they
    // are computed before.
    unsafe {
        asm!(
            "stmxcsr [{control}]",
            "/* {sums} */",
            control = in(reg) &raw mut control,
            sums = in(reg) sums,
            options(nostack, preserves_flags),
        );
    }
    control & SUBNORMAL != 0
}
