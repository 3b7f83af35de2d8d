//! The loops of every level against plain ones.
#![expect(clippy::float_cmp, reason = "exactness is what is asked")]

use super::exp::exp;
use super::simd::{Kernel, Simd, sum};
use super::{Ahead, Level, Out, Rows, accumulate, bf16, dots};

/// Numbers without a pattern, about as many negative as positive.
pub(super) fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Every count of rows, vectors and columns that takes another path; a few of them for Miri, which would
/// take hours.
fn shapes() -> impl Iterator<Item = (usize, usize, usize)> {
    let counts = [1, 2, 3, 4, 5, 7, 8, 9, 17].into_iter();
    let counts = counts.filter(|count| !cfg!(miri) || [1, 5].contains(count));
    let columns = [1, 15, 16, 17, 32, 63, 64, 65, 80, 200].into_iter();
    let columns = columns.filter(|cols| !cfg!(miri) || [17, 64].contains(cols));
    counts.clone().flat_map(move |rows| {
        let (counts, columns) = (counts.clone(), columns.clone());
        counts.flat_map(move |vectors| columns.clone().map(move |cols| (rows, vectors, cols)))
    })
}

#[test]
fn dots_are_dots_on_every_level() {
    for (rows, vectors, cols) in shapes() {
        let data = numbers(rows * cols, 1);
        let x = numbers(vectors * cols, 2);
        let x: Vec<&[f32]> = x.chunks_exact(cols).collect();
        for level in Level::available() {
            let mut y = vec![f32::NAN; rows * vectors];
            let out = Out { data: &mut y, row_step: 1, vector_step: rows };
            dots(level, Rows::new(&data, cols), &x, out, &mut Ahead::default());
            for r in 0..rows {
                for (v, x) in x.iter().enumerate() {
                    let row = &data[r * cols..][..cols];
                    let exact: f64 =
                        row.iter().zip(*x).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    let found = f64::from(y[v * rows + r]);
                    let what = format!("{level} {rows}x{vectors}x{cols}: row {r}, vector {v}");
                    assert!((exact - found).abs() <= 2e-7 * cols as f64, "{what}: {found} {exact}");
                }
            }
        }
    }
}

#[test]
fn a_dot_is_the_same_alone_and_on_every_level_that_fuses() {
    for (rows, vectors, cols) in shapes() {
        let data = numbers(rows * cols, 3);
        let x = numbers(vectors * cols, 4);
        let x: Vec<&[f32]> = x.chunks_exact(cols).collect();
        let all = |level| {
            let mut y = vec![f32::NAN; rows * vectors];
            let out = Out { data: &mut y, row_step: vectors, vector_step: 1 };
            dots(level, Rows::new(&data, cols), &x, out, &mut Ahead::default());
            y
        };
        let fused = Level::available().filter(|level| *level != Level::PORTABLE).map(all);
        let fused: Vec<_> = fused.collect();
        assert!(fused.windows(2).all(|pair| pair[0] == pair[1]), "{rows}x{vectors}x{cols}");
        for level in Level::available() {
            let all = all(level);
            for (r, row) in data.chunks_exact(cols).enumerate() {
                for (v, x) in x.iter().enumerate() {
                    let mut one = [f32::NAN];
                    let out = Out { data: &mut one, row_step: 1, vector_step: 1 };
                    dots(level, Rows::new(row, cols), &[*x], out, &mut Ahead::default());
                    assert_eq!(one[0].to_bits(), all[r * vectors + v].to_bits(), "{level}");
                }
            }
        }
    }
}

/// Sums of rows as they are defined, rounded as the level rounds.
fn plain(level: Level, rows: Rows<'_>, factors: &[f32], out: &mut [f32]) {
    let fused = level != Level::PORTABLE || cfg!(target_arch = "aarch64");
    for (i, factor) in factors.iter().enumerate() {
        for (to, element) in out.iter_mut().zip(rows.row(i)) {
            *to = if fused { factor.mul_add(*element, *to) } else { factor * element + *to };
        }
    }
}

#[test]
fn accumulate_is_the_plain_loop_to_the_bit_on_every_level() {
    for (count, vectors, cols) in shapes() {
        let stride = cols + 5;
        let data = numbers(count * cols, 5);
        let rows = Rows::new(&data, cols);
        let factors = numbers(count * vectors, 6);
        let factors: Vec<&[f32]> = factors.chunks_exact(count).collect();
        let before = numbers(vectors * stride, 7);
        for level in Level::available() {
            let mut out = before.clone();
            accumulate(level, rows, &factors, &mut out, stride, &mut Ahead::default());
            let mut expected = before.clone();
            for (out, factors) in expected.chunks_exact_mut(stride).zip(&factors) {
                plain(level, rows, factors, &mut out[..cols]);
            }
            assert_eq!(out, expected, "{level} {count}x{vectors}x{cols}");
        }
    }
}

#[test]
fn no_row_and_no_vector_are_no_work() {
    for level in Level::available() {
        let mut out = [1.0; 2];
        dots(
            level,
            Rows::new(&[], 4),
            &[&[0.0; 4]],
            Out { data: &mut out, row_step: 1, vector_step: 1 },
            &mut Ahead::default(),
        );
        dots(
            level,
            Rows::new(&[0.0; 4], 4),
            &[],
            Out { data: &mut out, row_step: 1, vector_step: 1 },
            &mut Ahead::default(),
        );
        accumulate(level, Rows::new(&[], 2), &[&[]], &mut out, 2, &mut Ahead::default());
        accumulate(level, Rows::new(&[0.0; 2], 2), &[], &mut out, 2, &mut Ahead::default());
        assert_eq!(out, [1.0; 2]);
    }
}

/// Runs [`exp`](super::exp::exp) on a level.
struct Exps<'a>(&'a mut [f32]);

impl Kernel for Exps<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for x in self.0 {
            *x = exp(simd, *x);
        }
    }
}

#[test]
fn exp_is_within_a_rounding_of_the_exact_one() {
    for level in Level::available() {
        for i in -110_000..=95_000i32 {
            let x = i as f32 / 1000.0 + 0.000_123;
            let mut y = [x];
            level.run(Exps(&mut y));
            let exact = f64::from(x).exp();
            let found = f64::from(y[0]);
            if exact as f32 == f32::INFINITY {
                assert_eq!(y[0], f32::INFINITY, "{level} exp({x})");
            } else {
                let subnormal = if y[0] < f32::MIN_POSITIVE { 2f64.powi(-150) } else { 0.0 };
                let allowed = exact * 1.2e-7 + subnormal;
                assert!(
                    (found - exact).abs() <= allowed,
                    "{level} exp({x}) = {found}, not {exact}"
                );
            }
        }
    }
}

#[test]
fn exp_of_special_values() {
    for level in Level::available() {
        let mut y = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, f32::NAN];
        level.run(Exps(&mut y));
        assert_eq!(y[..6], [1.0, 1.0, f32::INFINITY, 0.0, f32::INFINITY, 0.0], "{level}");
        assert!(y[6].is_nan(), "{level}");
    }
}

#[test]
fn every_bf16_and_its_neighbours_round_as_in_half() {
    for high in 0..=u16::MAX {
        for low in [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF] {
            let value = f32::from_bits(u32::from(high) << 16 | low);
            let expected = half::bf16::from_f32(value).to_f32();
            assert_eq!(bf16(value).to_bits(), expected.to_bits(), "{value:e}");
        }
    }
}

/// Sums lanes with a level's own instructions.
struct Sums<'a> {
    lanes: &'a [[f32; 16]; 4],
    out: &'a mut [f32; 4],
}

impl Kernel for Sums<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let [a, b, c, d] = self.lanes;
        *self.out = simd.sums([simd.load(a), simd.load(b), simd.load(c), simd.load(d)]);
    }
}

#[test]
fn sums_of_lanes_are_the_same_tree_on_every_level() {
    let numbers = numbers(64 * 100, 8);
    let (lanes, _) = numbers.as_chunks::<16>();
    for lanes in lanes.as_chunks::<4>().0 {
        for level in Level::available() {
            let mut out = [f32::NAN; 4];
            level.run(Sums { lanes, out: &mut out });
            assert_eq!(out, lanes.each_ref().map(sum), "{level}");
        }
    }
}
