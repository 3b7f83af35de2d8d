use lowfloat::DType;
use moe_kernels::arch::Level;
use moe_kernels::{Activations, Error, Matrix, Rounding, Strips, linear, reference};
use ndarray::{Array2, ShapeBuilder, s};

use crate::made::{
    Packed, bits, dense, integers, matrix, numbers, on_any_threads, rows, shaped, to_bytes, to_f64,
};

const DENSE: [DType; 3] = [DType::F32, DType::BF16, DType::F16];

/// Weights of every kind, what they are in f32, and a name.
fn every_kind(
    rows: usize,
    cols: usize,
) -> impl Iterator<Item = (Matrix<Vec<u8>>, Vec<f32>, String)> {
    let values = numbers(rows * cols, 7);
    let dense = DENSE.into_iter().map(move |dtype| {
        let (matrix, decoded) = dense(dtype, rows, cols, &values);
        (matrix, decoded, format!("{dtype} {rows}x{cols}"))
    });
    let packed = cols.is_multiple_of(32).then(|| {
        let packed = Packed::new(rows, cols, 8);
        (packed.matrix(), packed.decoded, format!("MXFP4 {rows}x{cols}"))
    });
    dense.chain(packed)
}

fn run(x: &Array2<f32>, w: &Matrix<Vec<u8>>, bias: Option<&[f32]>) -> Array2<f32> {
    let mut y = Array2::from_elem((x.nrows(), w.rows()), f32::NAN);
    linear(x.view(), w, bias, Rounding::None, y.view_mut()).unwrap();
    y
}

#[test]
fn it_is_the_reference_for_every_kind_of_weights_and_odd_sizes() {
    for (outputs, cols) in [
        (1, 1),
        (3, 17),
        (5, 16),
        (33, 96),
        (64, 31),
        (100, 64),
        (40, 256),
        (17, 2880),
        (1111, 33),
        (1111, 160),
    ] {
        for (w, decoded, name) in every_kind(outputs, cols) {
            let bias = numbers(outputs, 9);
            for tokens in [1, 2, 3, 4, 5, 8, 9] {
                let x = matrix(tokens, cols, 10);
                let y = run(&x, &w, Some(&bias));
                for (x, y) in x.outer_iter().zip(y.outer_iter()) {
                    let x = to_f64(x.as_slice().unwrap());
                    let expected = reference::linear(&x, &decoded, Some(&bias)).unwrap();
                    let size: f64 = x.iter().map(|x| x.abs()).sum::<f64>() + 1.0;
                    for (y, expected) in y.iter().zip(expected) {
                        let distance = (f64::from(*y) - expected).abs();
                        assert!(distance < 3e-7 * size, "{name}, {tokens}: {y}, not {expected}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_batch_or_the_threads() {
    for (outputs, cols) in [(70, 96), (33, 45), (40, 256), (21, 640)] {
        for (w, _, name) in every_kind(outputs, cols) {
            let x = matrix(23, cols, 11);
            let all = on_any_threads(|| run(&x, &w, None));
            for (t, row) in rows(&x) {
                assert_eq!(bits(&run(&row, &w, None)), bits(all.row(t)), "{name}, token {t}");
            }
            for count in 2..9 {
                let some = run(&x.slice(s![3..3 + count, ..]).to_owned(), &w, None);
                assert_eq!(bits(&some), bits(all.slice(s![3..3 + count, ..])), "{name}, {count}");
            }
        }
    }
}

/// Of a checkpoint that was converted without a loss the results are those of the original, but for tiles, which
/// have no place for f32.
#[test]
fn bf16_held_in_f32_and_f16_gives_the_same_bits() {
    for (outputs, cols) in [(33, 96), (5, 17), (40, 256), (21, 650)] {
        // Values that all three types hold.
        let values = numbers(outputs * cols, 23);
        let values: Vec<f32> = values.iter().map(|value| (value * 100.0).round() / 64.0).collect();
        let [f32s, bf16s, f16s] = DENSE.map(|dtype| dense(dtype, outputs, cols, &values).0);
        for tokens in [1, 2, 3, 5, 12] {
            let x = matrix(tokens, cols, 24).mapv(|x| half::bf16::from_f32(x).to_f32());
            for rounding in [Rounding::None, Rounding::Bf16] {
                if rounding == Rounding::Bf16 && Level::current().name() == "amx" {
                    continue;
                }
                let run = |w: &Matrix<Vec<u8>>| {
                    let mut y = Array2::from_elem((tokens, outputs), f32::NAN);
                    linear(x.view(), w, None, rounding, y.view_mut()).unwrap();
                    bits(&y)
                };
                let expected = run(&bf16s);
                assert_eq!(run(&f32s), expected, "f32 {outputs}x{cols}, {tokens}");
                assert_eq!(run(&f16s), expected, "f16 {outputs}x{cols}, {tokens}");
            }
        }
    }
}

#[test]
fn activations_of_eight_bits_are_near_and_the_same_in_any_batch() {
    for (outputs, cols) in [(33, 96), (40, 256), (17, 2880)] {
        let packed = Packed::new(outputs, cols, 8);
        let w = packed.matrix().with_activations(Activations::Int8);
        let x = matrix(11, cols, 25);
        for rounding in [Rounding::None, Rounding::F16, Rounding::Bf16] {
            let x = x.mapv(|x| rounding.round(x));
            let run = |x: &Array2<f32>| {
                let mut y = Array2::from_elem((x.nrows(), outputs), f32::NAN);
                linear(x.view(), &w, None, rounding, y.view_mut()).unwrap();
                y
            };
            let all = on_any_threads(|| run(&x));
            for (t, row) in rows(&x) {
                assert_eq!(bits(&run(&row)), bits(all.row(t)), "{outputs}x{cols}, token {t}");
            }
            let (mut apart, mut size) = (0.0, 0.0);
            for (x, y) in x.outer_iter().zip(all.outer_iter()) {
                let x = to_f64(x.as_slice().unwrap());
                let expected = reference::linear(&x, &packed.decoded, None).unwrap();
                for (y, expected) in y.iter().zip(expected) {
                    apart += (f64::from(*y) - expected).powi(2);
                    size += expected.powi(2);
                }
            }
            // Half a step of a 127th, evenly distributed, beside evenly distributed values: 4e-3.
            let distance = (apart / size).sqrt();
            assert!((1e-3..8e-3).contains(&distance), "{outputs}x{cols} {rounding:?}: {distance}");
        }
    }
}

/// Integers of sixteen bits, where they take the place of bf16, are much nearer than bf16 itself.
#[test]
fn bf16_activations_are_products_of_bf16_in_any_batch() {
    for (outputs, cols) in [(33, 96), (40, 256), (17, 2880)] {
        let packed = Packed::new(outputs, cols, 8);
        let w = packed.matrix();
        let x = matrix(11, cols, 26).mapv(|x| half::bf16::from_f32(x * x * x).to_f32());
        let run = |x: &Array2<f32>| {
            let mut y = Array2::from_elem((x.nrows(), outputs), f32::NAN);
            // Sums are rounded too; what is looked at is what was rounded.
            linear(x.view(), &w, None, Rounding::Bf16, y.view_mut()).unwrap();
            y
        };
        let all = on_any_threads(|| run(&x));
        let mut other = 0;
        for (t, row) in rows(&x) {
            assert_eq!(bits(&run(&row)), bits(all.row(t)), "{outputs}x{cols}, token {t}");
            let x = to_f64(row.as_slice().unwrap());
            let expected = reference::linear(&x, &packed.decoded, None).unwrap();
            for (y, expected) in all.row(t).iter().zip(expected) {
                let rounded = half::bf16::from_f64(expected).to_f32();
                other += usize::from(*y != rounded);
                assert!((y - rounded).abs() <= expected.abs() as f32 / 100.0 + 1e-4);
            }
        }
        assert!(other * 50 <= all.len(), "{other} of {} rounded to another neighbour", all.len());
    }
}

#[test]
fn more_results_than_a_block_are_in_their_places() {
    // 1000 · 2100 elements of results are two blocks.
    let (tokens, outputs) = (1000, 2100);
    let (w, _) = dense(DType::F32, outputs, 2, &integers(outputs * 2, 12));
    let x = shaped(tokens, 2, integers(tokens * 2, 13));
    let y = run(&x, &w, None);
    for t in [0, 1, 500, 999] {
        let alone = run(&x.slice(s![t..=t, ..]).to_owned(), &w, None);
        assert_eq!(alone.row(0), y.row(t));
    }
}

#[test]
fn rows_may_be_cut_into_pieces_anywhere() {
    let (outputs, cols) = (40, 64);
    let x = matrix(3, cols, 14);
    let packed = Packed::new(outputs, cols, 15);
    let whole = run(&x, &packed.matrix(), None);
    for cuts in [vec![0, 40], vec![0, 1, 40], vec![0, 13, 13, 39, 40], (0..=40).collect()] {
        let pieces = |bytes: &[u8]| {
            let row = bytes.len() / outputs;
            let pieces = cuts.windows(2).map(|cut| bytes[cut[0] * row..cut[1] * row].to_vec());
            Strips::new(row, pieces.collect()).unwrap()
        };
        let w = Matrix::mxfp4(cols, pieces(&packed.blocks), pieces(&packed.scales)).unwrap();
        assert_eq!(run(&x, &w, None), whole, "{cuts:?}");
    }
}

#[test]
fn bytes_may_begin_anywhere() {
    let (outputs, cols) = (9, 33);
    let values = numbers(outputs * cols, 16);
    let x = matrix(2, cols, 17);
    for dtype in DENSE {
        let (aligned, _) = dense(dtype, outputs, cols, &values);
        let expected = run(&x, &aligned, None);
        for shift in 1..4 {
            let bytes = to_bytes(dtype, &values);
            let shifted = [vec![0xFF; shift], bytes.clone()].concat();
            let strips = Strips::new(bytes.len() / outputs, vec![&shifted[shift..]]).unwrap();
            let w = Matrix::dense(dtype, cols, strips).unwrap();
            let mut y = Array2::zeros((2, outputs));
            linear(x.view(), &w, None, Rounding::None, y.view_mut()).unwrap();
            assert_eq!(y, expected, "{dtype}, {shift}");
        }
    }
}

#[test]
fn bf16_is_rounded_once_after_the_bias_and_f16_not_at_all() {
    let (outputs, cols) = (30, 48);
    let (w, decoded) = dense(DType::BF16, outputs, cols, &integers(outputs * cols, 18));
    // Sums of integers are exact in f32, and too large for bf16; so is the bias.
    let x = shaped(4, cols, integers(4 * cols, 19)).mapv(|value| value * 37.0);
    let bias: Vec<f32> = numbers(outputs, 20);
    let mut roundings_differ = 0;
    for tokens in [1, 4] {
        let x = x.slice(s![..tokens, ..]).to_owned();
        let mut y = Array2::zeros((tokens, outputs));
        linear(x.view(), &w, Some(&bias), Rounding::Bf16, y.view_mut()).unwrap();
        let mut unrounded = Array2::zeros((tokens, outputs));
        linear(x.view(), &w, Some(&bias), Rounding::F16, unrounded.view_mut()).unwrap();
        for t in 0..tokens {
            let x = to_f64(x.row(t).as_slice().unwrap());
            let sums = reference::linear(&x, &decoded, None).unwrap();
            for r in 0..outputs {
                let sum = sums[r] as f32;
                assert_eq!(unrounded[[t, r]], sum + bias[r]);
                assert_eq!(y[[t, r]], half::bf16::from_f32(sum + bias[r]).to_f32());
                let twice = half::bf16::from_f32(sum).to_f32() + bias[r];
                roundings_differ += usize::from(half::bf16::from_f32(twice).to_f32() != y[[t, r]]);
            }
        }
    }
    assert!(roundings_differ > 0, "the data cannot tell one rounding from two");
}

#[test]
fn a_scale_of_255_makes_its_outputs_nan() {
    let mut packed = Packed::new(4, 64, 21);
    packed.scales[5] = 255; // the second block of row 2
    let y = run(&matrix(2, 64, 22), &packed.matrix(), None);
    for (index, y) in y.indexed_iter() {
        assert_eq!(y.is_nan(), index.1 == 2, "{index:?}");
    }
}

#[test]
fn nothing_to_do_is_nothing_done() {
    let (w, _) = dense(DType::F32, 2, 3, &[1.0; 6]);
    assert_eq!(run(&Array2::zeros((0, 3)), &w, None).dim(), (0, 2));
    let none = Matrix::dense(DType::F32, 3, Strips::new(12, vec![Vec::new()]).unwrap()).unwrap();
    assert_eq!(run(&Array2::zeros((2, 3)), &none, None).dim(), (2, 0));
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let (w, _) = dense(DType::F32, 2, 3, &[1.0; 6]);
    let refused = |x: Array2<f32>, bias: Option<&[f32]>, mut y: Array2<f32>| {
        linear(x.view(), &w, bias, Rounding::None, y.view_mut()).unwrap_err()
    };
    let zeros = |rows, cols| Array2::zeros((rows, cols));
    assert_eq!(
        refused(zeros(1, 4), None, zeros(1, 2)),
        Error::Shape { argument: "x of linear", expected: [1, 3], found: [1, 4] }
    );
    assert_eq!(
        refused(zeros(2, 3), None, zeros(1, 2)),
        Error::Shape { argument: "y of linear", expected: [2, 2], found: [1, 2] }
    );
    assert_eq!(
        refused(zeros(1, 3), Some(&[0.0; 3]), zeros(1, 2)),
        Error::Length { argument: "bias of linear", expected: 2, found: 3 }
    );
    assert_eq!(
        refused(Array2::zeros((2, 3).f()), None, zeros(2, 2)),
        Error::NotRowMajor { argument: "x of linear", strides: [1, 2] }
    );
    assert_eq!(
        refused(zeros(2, 3), None, Array2::zeros((2, 2).f())),
        Error::NotRowMajor { argument: "y of linear", strides: [1, 2] }
    );
}
