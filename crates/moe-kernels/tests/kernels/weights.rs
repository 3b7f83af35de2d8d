use lowfloat::DType;
use moe_kernels::{Error, Matrix, Rounding, Strips, linear};
use ndarray::Array2;

use crate::made::Packed;

fn strips(row_bytes: usize, rows: usize) -> Strips<Vec<u8>> {
    Strips::new(row_bytes, vec![vec![0; row_bytes * rows]]).unwrap()
}

#[test]
fn rows_are_decoded_exactly() {
    let packed = Packed::new(3, 96, 1);
    let w = packed.matrix();
    assert_eq!((w.rows(), w.cols(), w.byte_len()), (3, 96, 3 * (48 + 3)));
    for (row, expected) in packed.decoded.chunks_exact(96).enumerate() {
        let mut decoded = [f32::NAN; 96];
        w.decode_row(row, &mut decoded).unwrap();
        assert_eq!(decoded, expected);
    }
    assert_eq!(w.decode_row(3, &mut [0.0; 96]), Err(Error::NoSuchRow { row: 3, rows: 3 }));
    assert_eq!(
        w.decode_row(0, &mut [0.0; 95]),
        Err(Error::Length { argument: "destination of a row", expected: 96, found: 95 })
    );
}

#[test]
fn every_scale_is_right_whatever_is_multiplied_with_it() {
    const COLS: usize = 96;
    let packed = Packed::new(256, COLS, 2);
    let mut scales = packed.scales.clone();
    // Every scale in the first block of a row, and once more in the last.
    for (row, scales) in scales.chunks_exact_mut(3).enumerate() {
        scales[if row % 2 == 0 { 0 } else { 2 }] = row as u8;
    }
    let strips = |bytes: &[u8], row| Strips::new(row, vec![bytes.to_vec()]).unwrap();
    let w = Matrix::mxfp4(COLS, strips(&packed.blocks, 48), strips(&scales, 3)).unwrap();
    // Ones, and so that the scaled sums are not lost beside the others.
    for tokens in [1, 2, 7] {
        for rounding in [Rounding::None, Rounding::F16] {
            let x = Array2::from_elem((tokens, COLS), 1.0);
            let mut y = Array2::zeros((tokens, 256));
            linear(x.view(), &w, None, rounding, y.view_mut()).unwrap();
            for row in 0..256 {
                let mut decoded = [0.0; COLS];
                w.decode_row(row, &mut decoded).unwrap();
                let sum: f64 = decoded.iter().copied().map(f64::from).sum();
                let size: f64 = decoded.iter().map(|weight| f64::from(weight.abs())).sum();
                for y in y.column(row) {
                    let near = (f64::from(*y) - sum).abs() <= 3e-7 * size;
                    // What is too large for f32 is infinite, or not a number where it cancels out.
                    let beyond = size > f64::from(f32::MAX) && !y.is_finite();
                    let nan = sum.is_nan() && y.is_nan();
                    assert!(near || beyond || nan, "scale of row {row}: {y}, not {sum}");
                }
            }
        }
    }
}

#[test]
fn types_without_kernels_are_refused() {
    for dtype in DType::ALL {
        let error = Matrix::dense(dtype, 1, strips(dtype.size().unwrap_or(1), 1)).err();
        match dtype {
            DType::F32 | DType::BF16 | DType::F16 => assert_eq!(error, None),
            dtype => assert_eq!(error, Some(Error::UnsupportedDType { dtype })),
        }
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused_by_name() {
    let dense =
        |cols, row_bytes| Matrix::dense(DType::BF16, cols, strips(row_bytes, 2)).unwrap_err();
    let row = "bytes of a row of weights";
    assert_eq!(dense(3, 5), Error::Length { argument: row, expected: 6, found: 5 });
    assert!(matches!(dense(0, 1), Error::Count { argument: "columns of weights", .. }));
    let expected = usize::MAX;
    assert_eq!(dense(usize::MAX, 2), Error::Length { argument: row, expected, found: 2 });

    let mxfp4 = |cols, blocks, scales| Matrix::mxfp4(cols, blocks, scales).unwrap_err();
    let count = mxfp4(48, strips(24, 1), strips(1, 1));
    assert!(matches!(count, Error::Count { argument: "columns of MXFP4 weights", found: 48, .. }));
    assert_eq!(
        mxfp4(64, strips(16, 2), strips(2, 2)),
        Error::Length { argument: "bytes of a row of blocks", expected: 32, found: 16 }
    );
    assert_eq!(
        mxfp4(64, strips(32, 2), strips(1, 2)),
        Error::Length { argument: "bytes of a row of scales", expected: 2, found: 1 }
    );
    assert_eq!(
        mxfp4(64, strips(32, 2), strips(2, 3)),
        Error::Length { argument: "rows of scales", expected: 2, found: 3 }
    );
}
