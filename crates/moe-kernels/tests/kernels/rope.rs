use half::bf16;
use moe_kernels::{Error, Rope, Rounding, Yarn, reference, rotate};
use ndarray::Array2;

use crate::made::{bits, matrix, on_any_threads, rows, to_f64};

const GPT_OSS: Yarn = Yarn {
    head_dim: 64,
    theta: 150_000.0,
    factor: 32.0,
    beta_fast: 32.0,
    beta_slow: 1.0,
    original_context: 4096,
    truncate: false,
};

fn plain(yarn: &Yarn) -> reference::YarnScaling {
    reference::YarnScaling {
        head_dim: yarn.head_dim,
        theta: yarn.theta,
        factor: yarn.factor,
        beta_fast: yarn.beta_fast,
        beta_slow: yarn.beta_slow,
        original_context: yarn.original_context,
        truncate: yarn.truncate,
    }
}

#[test]
fn frequencies_are_those_of_transformers_within_a_unit_in_the_last_place() {
    // transformers 4.57.6 with torch 2.9.1, whose power is not correctly rounded for the third.
    let expected = [
        0x3F80_0000u32,
        0x3E66_D3FA,
        0x3D50_2195,
        0x3BDE_A840,
        0x39EF_543C,
        0x3798_9328,
        0x3689_928C,
        0x3578_1728,
    ];
    let rope = Rope::new(&Yarn { head_dim: 16, ..GPT_OSS }).unwrap();
    let units = bits(rope.inv_freq()).into_iter().zip(expected).map(|(a, b)| a.abs_diff(b));
    assert_eq!(units.collect::<Vec<_>>(), [0, 0, 1, 0, 0, 0, 0, 0]);
    assert_eq!(rope.concentration(), 1.346_573_6);
}

#[test]
fn frequencies_are_those_of_the_reference_to_the_bit() {
    for head_dim in [2, 16, 64, 80, 128] {
        for theta in [1e4, 150_000.0, 5e5] {
            for factor in [0.5, 1.0, 8.0, 32.0] {
                for truncate in [false, true] {
                    for original_context in [16, 1024, 4096] {
                        let yarn =
                            Yarn { head_dim, theta, factor, truncate, original_context, ..GPT_OSS };
                        let rope = Rope::new(&yarn).unwrap();
                        let expected = reference::inverse_frequencies(&plain(&yarn)).unwrap();
                        assert_eq!(bits(rope.inv_freq()), bits(&expected), "{yarn:?}");
                        assert_eq!(rope.concentration(), reference::concentration(factor) as f32);
                        assert_eq!(rope.head_dim(), head_dim);
                    }
                }
            }
        }
    }
}

#[test]
fn cosines_and_sines_are_within_two_roundings() {
    let rope = Rope::new(&GPT_OSS).unwrap();
    let concentration = f64::from(rope.concentration());
    for position in [0, 1, 7, 127, 4095, 4096, 32_768, 131_071] {
        let (mut cos, mut sin) = ([0.0; 32], [0.0; 32]);
        rope.cos_sin(position, &mut cos, &mut sin).unwrap();
        let expected = reference::cos_sin(rope.inv_freq(), concentration, position);
        let both = cos.iter().zip(&expected.0).chain(sin.iter().zip(&expected.1));
        for (found, expected) in both {
            let distance = (f64::from(*found) - expected).abs();
            assert!(distance <= 1.3e-7 * expected.abs(), "{position}: {found}, not {expected}");
        }
    }
    let error = rope.cos_sin(0, &mut [0.0; 31], &mut [0.0; 32]).unwrap_err();
    assert_eq!(error, Error::Length { argument: "cos of cos_sin", expected: 32, found: 31 });
    let error = rope.cos_sin(0, &mut [0.0; 32], &mut [0.0; 31]).unwrap_err();
    assert_eq!(error, Error::Length { argument: "sin of cos_sin", expected: 32, found: 31 });
}

fn run(positions: &[usize], x: &Array2<f32>, rounding: Rounding) -> Array2<f32> {
    let mut x = x.clone();
    rotate(&Rope::new(&GPT_OSS).unwrap(), positions, rounding, x.view_mut()).unwrap();
    x
}

/// Positions in no order, as of several sequences.
const POSITIONS: [usize; 11] = [5, 0, 1, 1, 130, 4096, 2, 9, 100_000, 3, 4];

#[test]
fn rotation_is_that_of_the_reference() {
    let x = matrix(POSITIONS.len(), 3 * 64, 1);
    let y = run(&POSITIONS, &x, Rounding::None);
    let rope = Rope::new(&GPT_OSS).unwrap();
    for (t, position) in POSITIONS.into_iter().enumerate() {
        let (cos, sin) =
            reference::cos_sin(rope.inv_freq(), reference::concentration(32.0), position);
        let x = to_f64(x.row(t).as_slice().unwrap());
        let expected = reference::rotate(&x, &cos, &sin).unwrap();
        for (y, expected) in y.row(t).iter().zip(expected) {
            assert!((f64::from(*y) - expected).abs() < 5e-7, "{position}: {y}, not {expected}");
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_batch_or_the_threads() {
    let x = matrix(POSITIONS.len(), 2 * 64, 2);
    let all = on_any_threads(|| run(&POSITIONS, &x, Rounding::None));
    for (t, row) in rows(&x) {
        assert_eq!(bits(&run(&POSITIONS[t..=t], &row, Rounding::None)), bits(all.row(t)));
    }
}

#[test]
fn bf16_rounds_every_step_and_f16_the_result() {
    let round = |value: f32| bf16::from_f32(value).to_f32();
    let x = matrix(POSITIONS.len(), 64, 3).mapv(round);
    let rope = Rope::new(&GPT_OSS).unwrap();
    let y = run(&POSITIONS, &x, Rounding::Bf16);
    for (t, position) in POSITIONS.into_iter().enumerate() {
        let (mut cos, mut sin) = ([0.0; 32], [0.0; 32]);
        rope.cos_sin(position, &mut cos, &mut sin).unwrap();
        for i in 0..32 {
            let (a, b) = (x[[t, i]], x[[t, i + 32]]);
            let (cos, sin) = (round(cos[i]), round(sin[i]));
            assert_eq!(y[[t, i]], round(round(a * cos) - round(b * sin)));
            assert_eq!(y[[t, i + 32]], round(round(b * cos) + round(a * sin)));
        }
    }
    let exact = run(&POSITIONS, &x, Rounding::None);
    let f16 = run(&POSITIONS, &x, Rounding::F16);
    assert_eq!(f16, exact.mapv(|value| Rounding::F16.round(value)));
}

#[test]
fn constants_that_cannot_be_are_refused_by_name() {
    let argument = |yarn: Yarn| match Rope::new(&yarn).unwrap_err() {
        Error::Count { argument, .. } | Error::Constant { argument, .. } => argument,
        other => panic!("{other}"),
    };
    assert_eq!(argument(Yarn { head_dim: 0, ..GPT_OSS }), "head_dim of YaRN");
    assert_eq!(argument(Yarn { head_dim: 15, ..GPT_OSS }), "head_dim of YaRN");
    assert_eq!(argument(Yarn { original_context: 0, ..GPT_OSS }), "original_context of YaRN");
    assert_eq!(argument(Yarn { theta: 1.0, ..GPT_OSS }), "theta of YaRN");
    assert_eq!(argument(Yarn { theta: f64::NAN, ..GPT_OSS }), "theta of YaRN");
    assert_eq!(argument(Yarn { factor: 0.0, ..GPT_OSS }), "factor of YaRN");
    assert_eq!(argument(Yarn { beta_fast: -1.0, ..GPT_OSS }), "beta_fast of YaRN");
    assert_eq!(argument(Yarn { beta_slow: f64::INFINITY, ..GPT_OSS }), "beta_slow of YaRN");
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let rope = Rope::new(&GPT_OSS).unwrap();
    let refused = |positions: &[usize], mut x: Array2<f32>| {
        rotate(&rope, positions, Rounding::None, x.view_mut()).unwrap_err()
    };
    assert_eq!(
        refused(&[0], Array2::zeros((2, 64))),
        Error::Length { argument: "positions of rotate", expected: 2, found: 1 }
    );
    let error = refused(&[0], Array2::zeros((1, 96)));
    assert!(matches!(error, Error::Count { argument: "columns of x of rotate", found: 96, .. }));
}
