use lowfloat::{DType, bf16};
use moe_kernels::{CodedParts, Error, Int8Parts, Matrix, Repack, Rounding, Strips, linear};
use ndarray::{Array2, s};

use crate::made::{bits, dense, matrix, numbers, on_any_threads, shaped};

/// Weights as trained ones are: most near zero, a few outliers, zeros of both signs, and what a
/// damaged file might hold.
fn trained(rows: usize, cols: usize) -> Vec<f32> {
    let (a, b) = (numbers(rows * cols, 31), numbers(rows * cols, 32));
    let mut weights: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a * b * b.abs() * 0.03).collect();
    let odd = [0.0, -0.0, 1e-30, -1e20, f32::from_bits(0x0001_0000), 65536.0, -1e-12];
    for (i, odd) in odd.into_iter().cycle().enumerate().take(rows * cols / 40) {
        weights[(i * 97 + 13) % (rows * cols)] = odd;
    }
    weights
}

fn run(x: &Array2<f32>, w: &Matrix<Vec<u8>>, rounding: Rounding) -> Array2<f32> {
    let mut y = Array2::from_elem((x.nrows(), w.rows()), f32::NAN);
    linear(x.view(), w, None, rounding, y.view_mut()).unwrap();
    y
}

/// What products at bf16 are made from.
fn rounded(mut x: Array2<f32>) -> Array2<f32> {
    x.mapv_inplace(|x| bf16::from_f32(x).to_f32());
    x
}

#[test]
fn coded_weights_are_the_same_weights() {
    for cols in [128, 130, 200, 512, 2880] {
        let rows = 40;
        let (w, expected) = dense(DType::BF16, rows, cols, &trained(rows, cols));
        let coded = w.repacked(Repack::Coded).unwrap().unwrap();
        assert_eq!((coded.rows(), coded.cols()), (rows, cols));
        assert!(coded.byte_len() < w.byte_len(), "{cols}");
        for (row, expected) in expected.chunks_exact(cols).enumerate() {
            let mut decoded = vec![f32::NAN; cols];
            coded.decode_row(row, &mut decoded).unwrap();
            assert_eq!(bits(&decoded), bits(expected), "{cols}, row {row}");
        }
    }
}

#[test]
fn products_with_coded_weights_have_the_bits_of_those_with_the_weights_as_they_were() {
    for (rows, cols) in [(70, 300), (33, 2880), (5, 128)] {
        let (w, _) = dense(DType::BF16, rows, cols, &trained(rows, cols));
        let coded = w.repacked(Repack::Coded).unwrap().unwrap();
        for rounding in [Rounding::None, Rounding::Bf16, Rounding::F16] {
            for tokens in [1, 2, 3, 4, 5, 23] {
                let x = rounded(matrix(tokens, cols, 33));
                let (plain, coded) = (run(&x, &w, rounding), run(&x, &coded, rounding));
                assert_eq!(bits(&plain), bits(&coded), "{rows}x{cols}, {tokens}, {rounding:?}");
            }
        }
    }
}

#[test]
fn weights_with_too_many_upper_bytes_stay_as_they_are() {
    let any: Vec<u8> =
        (0..256 * 300).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let w = Matrix::dense(DType::BF16, 300, Strips::new(600, vec![any]).unwrap()).unwrap();
    assert!(w.repacked(Repack::Coded).unwrap().is_none());
    // Nothing to win either: no whole group of 128, not bf16, coded already.
    let small = dense(DType::BF16, 2, 100, &numbers(200, 1)).0;
    assert!(small.repacked(Repack::Coded).unwrap().is_none());
    let wide = dense(DType::F32, 2, 256, &numbers(512, 1)).0;
    assert!(wide.repacked(Repack::Coded).unwrap().is_none());
    let coded = dense(DType::BF16, 2, 256, &numbers(512, 1)).0;
    let coded = coded.repacked(Repack::Coded).unwrap().unwrap();
    assert!(coded.repacked(Repack::Coded).unwrap().is_none());
    assert!(coded.repacked(Repack::Int8).unwrap().is_none());
}

#[test]
fn eight_bits_are_the_nearest_of_their_steps() {
    let cols = 96;
    let mut values = numbers(4 * cols, 34);
    // Blocks of other sizes; the largest just below and above what rounds to 128 steps.
    values[..32].iter_mut().for_each(|value| *value *= 1e30);
    values[32..64].fill(0.0);
    values[64] = 127.6 / 64.0;
    values[96] = 127.4 / 64.0;
    for dtype in [DType::F32, DType::BF16, DType::F16] {
        let values: Vec<f32> = match dtype {
            DType::F16 => values.iter().map(|value| value.clamp(-60000.0, 60000.0)).collect(),
            _ => values.clone(),
        };
        let (w, stored) = dense(dtype, 4, cols, &values);
        let int8 = w.repacked(Repack::Int8).unwrap().unwrap();
        assert_eq!(int8.byte_len(), 4 * (cols + cols / 32));
        for (row, stored) in stored.chunks_exact(cols).enumerate() {
            let mut decoded = vec![f32::NAN; cols];
            int8.decode_row(row, &mut decoded).unwrap();
            for (block, decoded) in stored.chunks_exact(32).zip(decoded.chunks_exact(32)) {
                let largest = block.iter().fold(0.0f32, |a, b| a.max(b.abs()));
                // The largest has at least 64 steps, rounded.
                let step = if largest == 0.0 { 0.0 } else { largest / 63.5 };
                for (weight, decoded) in block.iter().zip(decoded) {
                    assert!(
                        (weight - decoded).abs() <= step / 2.0,
                        "{weight} {decoded} of {largest}"
                    );
                }
            }
        }
    }
}

#[test]
fn products_with_eight_bits_are_those_with_the_decoded_weights() {
    for (rows, cols) in [(70, 160), (33, 2880)] {
        let (w, _) = dense(DType::BF16, rows, cols, &numbers(rows * cols, 35));
        let int8 = w.repacked(Repack::Int8).unwrap().unwrap();
        let mut decoded = vec![0.0; rows * cols];
        for (row, to) in decoded.chunks_exact_mut(cols).enumerate() {
            int8.decode_row(row, to).unwrap();
        }
        // bf16 holds them.
        let (same, exact) = dense(DType::BF16, rows, cols, &decoded);
        assert_eq!(bits(&exact), bits(&decoded));
        for rounding in [Rounding::None, Rounding::Bf16] {
            let x = rounded(matrix(23, cols, 36));
            let all = on_any_threads(|| run(&x, &int8, rounding));
            assert_eq!(bits(&all), bits(&run(&x, &same, rounding)), "{rows}x{cols}");
            for count in 1..7 {
                let part = run(&x.slice(s![3..3 + count, ..]).to_owned(), &int8, rounding);
                assert_eq!(bits(&part), bits(all.slice(s![3..3 + count, ..])), "{count}");
            }
        }
    }
}

#[test]
fn eight_bits_of_what_is_not_finite_are_refused_with_the_place() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = numbers(3 * 64, 37);
        values[64 + 40] = bad;
        let (w, _) = dense(DType::BF16, 3, 64, &values);
        assert_eq!(w.repacked(Repack::Int8).unwrap_err(), Error::NotFinite { row: 1, column: 40 });
    }
    let odd = dense(DType::F32, 3, 40, &numbers(120, 1)).0;
    assert!(odd.repacked(Repack::Int8).unwrap().is_none());
}

#[test]
fn parts_can_be_stored_and_put_together_again() {
    let (w, _) = dense(DType::BF16, 40, 200, &trained(40, 200));
    let x = shaped(1, 200, numbers(200, 38));
    assert_eq!(w.dense_row(39).map(|(dtype, row)| (dtype, row.len())), Some((DType::BF16, 400)));
    assert_eq!(w.dense_row(40), None);
    let coded = w.repacked(Repack::Coded).unwrap().unwrap();
    assert_eq!(coded.dense_row(0), None);
    let parts = coded.coded_parts().unwrap();
    assert!(!parts.escapes.is_empty() && coded.int8_parts().is_none());
    let again = Matrix::coded(200, parts.clone()).unwrap();
    assert_eq!(run(&x, &again, Rounding::None), run(&x, &coded, Rounding::None));

    let (w, _) = dense(DType::BF16, 40, 64, &numbers(40 * 64, 39));
    let x = shaped(1, 64, numbers(64, 38));
    let int8 = w.repacked(Repack::Int8).unwrap().unwrap();
    let parts = int8.int8_parts().unwrap();
    assert!(int8.coded_parts().is_none());
    let again = Matrix::int8(64, parts.clone()).unwrap();
    assert_eq!(run(&x, &again, Rounding::None), run(&x, &int8, Rounding::None));
}

#[test]
fn parts_that_do_not_fit_are_refused_by_name() {
    let strips = |bytes, rows| Strips::new(bytes, vec![vec![0; bytes * rows]]).unwrap();
    let coded = |cols, rows, escapes: usize, ends| {
        let parts = CodedParts { rows, table: [0; 16], escapes: vec![0; escapes], ends };
        Matrix::coded(cols, parts).unwrap_err()
    };
    let length = |argument, expected, found| Error::Length { argument, expected, found };
    assert_eq!(coded(128, strips(191, 1), 0, vec![0]), length("bytes of a coded row", 192, 191));
    assert_eq!(coded(129, strips(192, 1), 0, vec![0]), length("bytes of a coded row", 194, 192));
    assert_eq!(coded(128, strips(192, 2), 0, vec![0]), length("ends of escapes", 2, 1));
    assert_eq!(coded(128, strips(192, 1), 3, vec![1]), length("bytes of escapes", 4, 3));
    let count = coded(128, strips(192, 2), 4, vec![2, 1]);
    assert!(matches!(count, Error::Count { argument: "ends of escapes", .. }));
    let count = coded(0, strips(192, 1), 0, vec![0]);
    assert!(matches!(count, Error::Count { argument: "columns of coded weights", .. }));

    // Of 200 columns the last 72 are no whole group.
    let escaped = |columns: &[u32], ends| {
        let escapes = columns.iter().flat_map(|column| (column << 8).to_le_bytes()).collect();
        let rows = strips(192 + 144, 2);
        Matrix::coded(200, CodedParts { rows, table: [0; 16], escapes, ends })
    };
    assert!(escaped(&[0, 127, 0, 5], vec![2, 4]).is_ok());
    for (columns, ends, found) in [
        (&[128][..], [1, 1], 128),
        (&[5, 0xFF_FFFF], [1, 2], 0xFF_FFFF),
        (&[3, 2], [2, 2], 2),
        (&[1, 7, 7], [1, 3], 7),
    ] {
        let expected = "one of a whole group, after the one before";
        let error = Error::Count { argument: "column of an escape", expected, found };
        assert_eq!(escaped(columns, ends.to_vec()).unwrap_err(), error);
    }

    let int8 = |cols, codes, scales| Matrix::int8(cols, Int8Parts { codes, scales }).unwrap_err();
    let count = int8(48, strips(48, 1), strips(1, 1));
    assert!(matches!(count, Error::Count { argument: "columns of int8 weights", found: 48, .. }));
    assert_eq!(int8(64, strips(63, 1), strips(2, 1)), length("bytes of a row of codes", 64, 63));
    assert_eq!(int8(64, strips(64, 1), strips(3, 1)), length("bytes of a row of scales", 2, 3));
    assert_eq!(int8(64, strips(64, 1), strips(2, 2)), length("rows of scales", 1, 2));
}
