//! The parallel functions give what the others give.
#![cfg(feature = "rayon")]

use lowfloat::mxfp4::{self, BLOCK, Matrix};
use lowfloat::{CastError, DType, Mxfp4Error, cast_bytes, parallel};

fn random_bytes(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as u8
    };
    (0..len).map(next).collect()
}

#[test]
fn casts() {
    let bytes = random_bytes((3 << 20) + 1);
    for (from, to) in [
        (DType::BF16, DType::F32),
        (DType::F32, DType::F16),
        (DType::F64, DType::F8E4M3),
        (DType::U8, DType::U8),
        (DType::F6E2M3, DType::F6E2M3),
    ] {
        for elements in [0, 1, 16_384, 300_004] {
            let len =
                |dtype: DType| usize::try_from(dtype.bytes_for(elements & !3).unwrap()).unwrap();
            let src = &bytes[1..=len(from)];
            let (mut one, mut all) = (vec![0; len(to)], vec![0; len(to)]);
            cast_bytes(from, src, to, &mut one).unwrap();
            parallel::cast_bytes(from, src, to, &mut all).unwrap();
            assert!(one == all, "{elements} {from} to {to}");
        }
    }
    let error = parallel::cast_bytes(DType::BF16, &bytes[..4], DType::F32, &mut [0; 7]);
    assert!(matches!(error, Err(CastError::Length { expected: 8, actual: 7, .. })));
    let error = parallel::cast(&[1f32; 3], &mut [0f64; 2]);
    assert!(matches!(error, Err(CastError::Length { expected: 3, actual: 2, .. })));
}

#[test]
fn blocks() {
    let (rows, columns) = (300, 2880);
    let (packed, scales) = (random_bytes(rows * columns / 2), random_bytes(rows * columns / BLOCK));
    let matrix = Matrix { blocks: &packed, scales: &scales, rows, columns };
    for to in [DType::F32, DType::BF16] {
        let size = to.size().unwrap();
        let (mut one, mut all) = (vec![0; rows * columns * size], vec![0; rows * columns * size]);
        mxfp4::dequantize_bytes(&packed, &scales, to, &mut one).unwrap();
        parallel::dequantize_bytes(&packed, &scales, to, &mut all).unwrap();
        assert!(one == all);
        for (range, stride) in [(0..2880, 300), (77..2801, 303), (5..6, 300), (9..9, 1 << 40)] {
            let len = (range.len().max(1) - 1) * stride.min(1000) + rows;
            let (mut one, mut all) = (vec![7; len * size], vec![7; len * size]);
            mxfp4::dequantize_transposed(matrix, range.clone(), to, &mut one, stride).unwrap();
            parallel::dequantize_transposed(matrix, range, to, &mut all, stride).unwrap();
            assert!(one == all);
        }
    }
    let one_column =
        parallel::dequantize_transposed(matrix, 3..4, DType::F32, &mut [0; 1200], usize::MAX);
    assert_eq!(one_column, Ok(()));
}

#[test]
fn quantizing() {
    let mut values: Vec<f32> =
        random_bytes(BLOCK * 5000).into_iter().map(|byte| f32::from(byte) / 99.0).collect();
    let (mut blocks, mut scales) = (vec![0; values.len() / 2], vec![0; 5000]);
    let one = mxfp4::quantize(&values, &mut blocks, &mut scales).unwrap();
    let (mut b, mut s) = (vec![0; values.len() / 2], vec![0; 5000]);
    let bytes = bytemuck::cast_slice(&values);
    let all = parallel::quantize_bytes(DType::F32, bytes, &mut b, &mut s).unwrap();
    assert!(b == blocks && s == scales);
    assert_eq!((all.blocks, all.exact_blocks), (one.blocks, one.exact_blocks));
    assert!((all.sum_squared_error - one.sum_squared_error).abs() < 1e-9 * one.sum_squared_error);
    values[123_456] = f32::NAN;
    values[140_000] = f32::NAN;
    let bytes = bytemuck::cast_slice(&values);
    let error = parallel::quantize_bytes(DType::F32, bytes, &mut b, &mut s);
    assert!(matches!(error, Err(Mxfp4Error::NotFinite { index: 123_456, .. })));
}
