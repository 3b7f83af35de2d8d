//! MXFP4 at every level of this CPU, against its definition.
#![allow(clippy::float_cmp)]

mod reference;

use std::ops::Range;

use lowfloat::arch::Level;
use lowfloat::mxfp4::{BLOCK, BLOCK_BYTES, Matrix};
use lowfloat::{DType, E2M1, Mxfp4Error, mxfp4, on_level};
use proptest::prelude::*;
use reference::{BF16, F16, Small};

const DENSE: [DType; 3] = [DType::F32, DType::BF16, DType::F16];

/// The little-endian bytes of a code under a scale.
fn element(code: u8, scale: u8, to: DType, magnitudes: &[f64]) -> Vec<u8> {
    let magnitude = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0][usize::from(code & 7)];
    let value = magnitude * 2f64.powi(i32::from(scale) - 127);
    let value = if code & 8 == 0 { value } else { -value };
    let small = |format: Small, nan: u16| {
        let bits = match scale {
            255 => nan,
            _ => format.nearest(magnitudes, value, false),
        };
        bits.to_le_bytes().to_vec()
    };
    match to {
        DType::F32 if scale == 255 => 0x7FC0_0000u32.to_le_bytes().to_vec(),
        DType::F32 => (value as f32).to_le_bytes().to_vec(),
        DType::BF16 => small(BF16, 0x7FC0),
        _ => small(F16, 0x7E00),
    }
}

/// All elements by scale and code.
fn table(to: DType) -> Vec<Vec<Vec<u8>>> {
    let magnitudes = if to == DType::F16 { F16.magnitudes() } else { BF16.magnitudes() };
    let row = |scale| (0..16).map(|code| element(code, scale, to, &magnitudes)).collect();
    (0..=255).map(row).collect()
}

fn code(block: &[u8], element: usize) -> u8 {
    (block[element / 2] >> (4 * (element % 2))) & 15
}

fn random_bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

#[test]
fn every_code_under_every_scale() {
    // Two blocks a scale, so that every code is in both nibbles.
    let scales: Vec<u8> = (0..=255).flat_map(|scale| [scale, scale]).collect();
    let half: Vec<u8> = (0..16).map(|code| code | ((15 - code) << 4)).collect();
    let other: Vec<u8> = (0..16).map(|code| (15 - code) | (code << 4)).collect();
    let blocks = [half, other].concat().repeat(256);
    for to in DENSE {
        let table = table(to);
        let expected: Vec<u8> = (0..scales.len() * BLOCK)
            .flat_map(|at| {
                let block = &blocks[at / BLOCK * BLOCK_BYTES..];
                table[usize::from(scales[at / BLOCK])][usize::from(code(block, at % BLOCK))].clone()
            })
            .collect();
        for level in Level::available() {
            let mut dst = vec![0xAA; expected.len()];
            on_level::dequantize_bytes(level, &blocks, &scales, to, &mut dst).unwrap();
            let size = to.size().unwrap();
            for (at, (got, want)) in dst.chunks(size).zip(expected.chunks(size)).enumerate() {
                let scale = scales[at / BLOCK];
                assert_eq!(got, want, "element {at}, scale {scale}, {to} on {level}");
            }
        }
    }
}

#[test]
fn the_published_known_answer() {
    let mut blocks = [0; BLOCK_BYTES];
    blocks[..8].copy_from_slice(&[0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE]);
    let mut dst = [1f32; BLOCK];
    mxfp4::dequantize(&blocks, &[0x7A], &mut dst).unwrap();
    for (at, value) in dst.iter().enumerate() {
        let code = E2M1::from_bits(if at < 16 { at as u8 } else { 0 });
        assert_eq!(value.to_bits(), (code.to_f32() / 32.0).to_bits());
    }
}

#[test]
fn any_length_at_any_alignment() {
    let blocks = random_bytes(67 * BLOCK_BYTES + 3, 1);
    let scales = random_bytes(67 + 3, 2);
    for to in DENSE {
        let size = to.size().unwrap();
        let table = table(to);
        for count in [0, 1, 2, 3, 5, 8, 64, 67] {
            for (at, offset) in [(0, 0), (1, 1), (3, 5)] {
                let blocks = &blocks[at..at + count * BLOCK_BYTES];
                let scales = &scales[at..at + count];
                let expected: Vec<u8> = (0..count * BLOCK)
                    .flat_map(|e| {
                        let code = code(&blocks[e / BLOCK * BLOCK_BYTES..], e % BLOCK);
                        table[usize::from(scales[e / BLOCK])][usize::from(code)].clone()
                    })
                    .collect();
                for level in Level::available() {
                    let mut dst = vec![0xAA; offset + count * BLOCK * size + 64];
                    let inner = &mut dst[offset..][..count * BLOCK * size];
                    on_level::dequantize_bytes(level, blocks, scales, to, inner).unwrap();
                    assert!(inner == expected, "{count} blocks to {to} on {level}");
                    let outside = dst[..offset].iter().chain(&dst[offset + expected.len()..]);
                    assert!(outside.copied().all(|byte| byte == 0xAA));
                }
            }
        }
    }
}

/// Owns what a [`Matrix`] borrows.
struct Packed {
    blocks: Vec<u8>,
    scales: Vec<u8>,
    rows: usize,
    columns: usize,
}

impl Packed {
    fn random(rows: usize, columns: usize, scales: Range<u8>) -> Self {
        let blocks = random_bytes(rows * columns / 2, rows as u64 + 7);
        let span = scales.end - scales.start;
        let random = random_bytes(rows * columns / BLOCK, columns as u64 + 3);
        let scales = random.iter().map(|byte| scales.start + byte % span).collect();
        Self { blocks, scales, rows, columns }
    }

    fn matrix(&self) -> Matrix<'_> {
        let Self { blocks, scales, rows, columns } = self;
        Matrix { blocks, scales, rows: *rows, columns: *columns }
    }

    fn check(&self, columns: Range<usize>, to: DType, stride: usize, offset: usize) {
        let (size, table) = (to.size().unwrap(), table(to));
        let len = if columns.is_empty() || self.rows == 0 {
            0
        } else {
            ((columns.len() - 1) * stride + self.rows) * size
        };
        let mut expected = vec![0xAA; len + 9];
        for (i, c) in columns.clone().enumerate() {
            for r in 0..self.rows {
                let block = (r * self.columns + c) / BLOCK;
                let code = code(&self.blocks[block * BLOCK_BYTES..], c % BLOCK);
                let value = &table[usize::from(self.scales[block])][usize::from(code)];
                expected[(i * stride + r) * size..][..size].copy_from_slice(value);
            }
        }
        for level in Level::available() {
            let mut dst = vec![0xAA; offset + len + 9];
            let inner = &mut dst[offset..];
            on_level::dequantize_transposed(
                level,
                self.matrix(),
                columns.clone(),
                to,
                inner,
                stride,
            )
            .unwrap();
            for (at, (got, want)) in inner.chunks(size).zip(expected.chunks(size)).enumerate() {
                let (c, r) = (at / stride, at % stride);
                assert_eq!(got, want, "{c} {r} of {columns:?} x {} to {to}, {level}", self.rows);
            }
        }
    }
}

#[test]
fn transposed_shapes_ranges_and_alignments() {
    for rows in [1, 31, 32, 33, 64, 255, 257, 300, 545] {
        let packed = Packed::random(rows, 160, 118..124);
        for to in DENSE {
            packed.check(0..160, to, rows, 0);
            packed.check(5..150, to, rows + 3, 1);
            packed.check(31..33, to, rows, 2);
            packed.check(64..65, to, rows + 32, 16);
            packed.check(7..7, to, rows, 0);
        }
    }
    // So far apart that the result is written around the caches.
    Packed::random(1030, 64, 118..124).check(0..64, DType::BF16, 140_000, 5);
    Packed::random(1030, 32, 118..124).check(0..32, DType::F32, 140_000, 4);
    Packed::random(0, 64, 118..124).check(0..64, DType::F32, 5, 0);
    Packed::random(3, 0, 118..124).check(0..0, DType::F32, 5, 0);
}

#[test]
fn transposed_under_every_scale() {
    for to in DENSE {
        Packed::random(64, 64, 0..255).check(0..64, to, 64, 0);
        // A tile has its own way where all of its scales are ordinary: each must be tried alone.
        for scale in 0..=255 {
            let mut packed = Packed::random(32, 32, 0..1);
            packed.scales.fill(scale);
            packed.check(0..32, to, 32, 0);
        }
        let mut nan = Packed::random(64, 32, 120..123);
        nan.scales[40] = 255;
        nan.check(0..32, to, 64, 0);
    }
}

#[test]
fn transposed_matrices_of_the_wrong_shape() {
    let packed = Packed::random(4, 64, 118..124);
    let mut dst = vec![0; 4 * 64 * 4];
    let mut run = |matrix, columns, to, len: usize, stride| {
        mxfp4::dequantize_transposed(matrix, columns, to, &mut dst[..len], stride).unwrap_err()
    };
    let good = packed.matrix();
    let unsupported = run(good, 0..64, DType::F8E4M3, 1024, 4);
    assert_eq!(unsupported, Mxfp4Error::Unsupported { dtype: DType::F8E4M3 });
    let ragged = run(Matrix { columns: 63, ..good }, 0..1, DType::F32, 1024, 4);
    assert_eq!(ragged, Mxfp4Error::Ragged { what: "columns", actual: 63 });
    let short = run(Matrix { rows: 5, ..good }, 0..64, DType::F32, 1024, 5);
    assert_eq!(short, Mxfp4Error::Length { what: "block bytes", expected: 160, actual: 128 });
    let huge = run(Matrix { rows: usize::MAX, ..good }, 0..1, DType::F32, 1024, usize::MAX);
    assert_eq!(huge, Mxfp4Error::Overflow { rows: usize::MAX, columns: 64 });
    let outside = run(good, 60..65, DType::F32, 1024, 4);
    assert_eq!(outside, Mxfp4Error::Columns { start: 60, end: 65, columns: 64 });
    #[allow(clippy::reversed_empty_ranges)]
    let backwards = run(good, 3..2, DType::F32, 1024, 4);
    assert_eq!(backwards, Mxfp4Error::Columns { start: 3, end: 2, columns: 64 });
    let stride = run(good, 0..64, DType::F32, 1024, 3);
    assert_eq!(stride, Mxfp4Error::Stride { stride: 3, rows: 4 });
    let length = run(good, 0..64, DType::F32, 1023, 4);
    let what = "destination bytes, at least";
    assert_eq!(length, Mxfp4Error::Length { what, expected: 1024, actual: 1023 });
    let overflow = run(good, 0..64, DType::F32, 1024, usize::MAX / 8);
    assert_eq!(overflow, Mxfp4Error::Overflow { rows: 64, columns: usize::MAX / 8 });
}

/// Quantises at every level, which must agree, and gives what the best level gave.
fn quantize(src: &[f32]) -> (Vec<u8>, Vec<u8>, mxfp4::QuantizeStats) {
    let bytes: &[u8] = bytemuck::cast_slice(src);
    let results = Level::available().map(|level| {
        let mut blocks = vec![0xAA; src.len() / 2];
        let mut scales = vec![0xAA; src.len() / BLOCK];
        let stats =
            on_level::quantize_bytes(level, DType::F32, bytes, &mut blocks, &mut scales).unwrap();
        (blocks, scales, stats)
    });
    let results: Vec<_> = results.collect();
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "levels differ");
    results.into_iter().next().unwrap()
}

/// Squared error and codes of a block under a scale, straight from the definition.
fn attempt(values: &[f32], scale: u8) -> (f64, Vec<u8>) {
    let unit = 2f64.powi(i32::from(scale) - 127);
    let mut error = 0.0;
    let codes = values.iter().map(|value| {
        let magnitude = f64::from(value.abs());
        let distance =
            |code: u8| (magnitude / unit - f64::from(E2M1::from_bits(code).to_f32())).abs();
        let best = (0..8).min_by(|a, b| {
            // Ties to the even code.
            distance(*a).total_cmp(&distance(*b)).then((a % 2).cmp(&(b % 2)))
        });
        let best = best.unwrap();
        let held = (f64::from(E2M1::from_bits(best).to_f32()) * unit) as f32;
        error += (magnitude - f64::from(held)).powi(2);
        best | if value.is_sign_negative() { 8 } else { 0 }
    });
    let codes = codes.collect();
    (error, codes)
}

fn check_quantized(src: &[f32]) {
    let (blocks, scales, stats) = quantize(src);
    let mut squared_error = 0.0;
    for ((values, block), scale) in src.chunks(BLOCK).zip(blocks.chunks(BLOCK_BYTES)).zip(&scales) {
        let largest = values.iter().fold(0f32, |most, value| most.max(value.abs()));
        let exponent =
            if largest == 0.0 { -1000 } else { f64::from(largest).log2().floor() as i32 };
        let ocp = (exponent - 2 + 127).clamp(0, 254).cast_unsigned() as u8;
        let larger = (exponent - 1 + 127).clamp(0, 254).cast_unsigned() as u8;
        let ((low, _), (high, _)) = (attempt(values, ocp), attempt(values, larger));
        let expected = if high < low { larger } else { ocp };
        // Sums in another order may differ in the last bits.
        if (low - high).abs() > 1e-9 * low || low == high {
            assert_eq!(*scale, expected, "{values:?}: {low} or {high}");
        }
        let (error, codes) = attempt(values, *scale);
        squared_error += error;
        let got: Vec<u8> = (0..BLOCK).map(|at| code(block, at)).collect();
        assert_eq!(got, codes, "{values:?} under {scale}");
    }
    assert_eq!(stats.blocks, scales.len() as u64);
    let difference = (stats.sum_squared_error - squared_error).abs();
    assert!(difference <= 1e-9 * squared_error, "{stats:?}, {squared_error}");
}

proptest! {
    #[test]
    fn quantized_is_nearest(values in prop::collection::vec(-8f32..8.0, BLOCK * 3)) {
        check_quantized(&values);
    }

    #[test]
    fn quantized_bits(bits in prop::collection::vec(any::<u32>(), BLOCK), spread in 1u32..40) {
        // Magnitudes within a few powers of two, anywhere.
        let top = bits[0] % 254;
        let values: Vec<f32> = bits
            .iter()
            .map(|bits| {
                let exponent = top.saturating_sub((bits >> 9) % spread);
                f32::from_bits((bits & 0x807F_FFFF) | exponent << 23)
            })
            .collect();
        check_quantized(&values);
    }

    #[test]
    fn what_came_from_blocks_is_kept(
        blocks in prop::collection::vec(any::<u8>(), BLOCK_BYTES),
        scale in 0u8..=252,
    ) {
        let mut values = [0f32; BLOCK];
        mxfp4::dequantize(&blocks, &[scale], &mut values).unwrap();
        let (blocks, scales, stats) = quantize(&values);
        let mut again = [0f32; BLOCK];
        mxfp4::dequantize(&blocks, &scales, &mut again).unwrap();
        prop_assert_eq!(values.map(f32::to_bits), again.map(f32::to_bits));
        prop_assert_eq!(stats.exact_blocks, 1);
        prop_assert_eq!(stats.max_abs_error, 0.0);
    }
}

#[test]
fn every_representable_block_shape_is_kept_under_every_scale() {
    // The largest code decides the scale: try each as the largest, with all smaller ones and signs.
    for scale in 0..=254u8 {
        for largest in 0..8u8 {
            let codes = (0..BLOCK as u8).map(|at| (at % (largest + 1)) | (at & 8));
            let codes: Vec<u8> = codes.collect();
            let block: Vec<u8> = codes.chunks(2).map(|pair| pair[0] | (pair[1] << 4)).collect();
            let mut values = [0f32; BLOCK];
            mxfp4::dequantize(&block, &[scale], &mut values).unwrap();
            if values.iter().any(|value| value.is_infinite()) {
                continue;
            }
            let (blocks, scales, stats) = quantize(&values);
            assert_eq!(stats.exact_blocks, 1, "scale {scale}, largest code {largest}");
            let mut again = [0f32; BLOCK];
            mxfp4::dequantize(&blocks, &scales, &mut again).unwrap();
            assert_eq!(values.map(f32::to_bits), again.map(f32::to_bits));
        }
    }
}

#[test]
fn ties_and_their_neighbours() {
    for unit in [2f32.powi(-100), 1.0, 2f32.powi(100)] {
        for tie in [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0f32] {
            for value in [tie.next_down(), tie, tie.next_up()] {
                // Sixes and smallest codes keep the scale where it is.
                let mut values = [6.0 * unit; BLOCK];
                values[..8].fill(0.5 * unit);
                values[8..12].fill(value * unit);
                values[12..16].fill(-value * unit);
                check_quantized(&values);
            }
        }
    }
}

#[test]
fn half_precision_sources_quantize_like_f32() {
    let values: Vec<f32> =
        random_bytes(BLOCK * 100, 5).iter().map(|b| f32::from(*b) / 77.0).collect();
    for from in [DType::F16, DType::BF16] {
        let mut src = vec![0; values.len() * 2 + 1];
        lowfloat::cast_bytes(DType::F32, bytemuck::cast_slice(&values), from, &mut src[1..])
            .unwrap();
        let mut wide = vec![0f32; values.len()];
        let bytes = bytemuck::cast_slice_mut(&mut wide);
        lowfloat::cast_bytes(from, &src[1..], DType::F32, bytes).unwrap();
        let (blocks, scales, stats) = quantize(&wide);
        let (mut b, mut s) = (vec![0; blocks.len()], vec![0; scales.len()]);
        let same = mxfp4::quantize_bytes(from, &src[1..], &mut b, &mut s).unwrap();
        assert_eq!((b, s, same), (blocks, scales, stats));
    }
}

#[test]
fn extremes_quantize() {
    check_quantized(&[f32::MAX; BLOCK]);
    check_quantized(&[f32::from_bits(1); BLOCK]);
    check_quantized(&[-f32::MIN_POSITIVE; BLOCK]);
    let (blocks, scales, stats) = quantize(&[-0.0; BLOCK]);
    assert_eq!((blocks, scales, stats.exact_blocks), (vec![0x88; BLOCK_BYTES], vec![0], 1));
    let mut values = [0f32; BLOCK];
    let (blocks, scales, _) = quantize(&[f32::MAX; BLOCK]);
    mxfp4::dequantize(&blocks, &scales, &mut values).unwrap();
    assert!(values.iter().all(|value| value.is_finite()));
}

#[test]
fn what_is_not_finite_is_named() {
    for (at, bad) in [(0, f32::NAN), (31, f32::INFINITY), (1056, f32::NEG_INFINITY)] {
        let mut src = vec![1f32; 34 * BLOCK];
        src[at] = bad;
        src[33 * BLOCK + 31] = f32::NAN;
        let error = mxfp4::quantize(&src, &mut vec![0; 34 * BLOCK_BYTES], &mut [0; 34]);
        assert!(
            matches!(error, Err(Mxfp4Error::NotFinite { index, .. }) if index == at),
            "{error:?}"
        );
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let length = |what, expected, actual| Err(Mxfp4Error::Length { what, expected, actual });
    let mut dst = [0f32; 64];
    assert_eq!(mxfp4::dequantize(&[0; 31], &[0; 2], &mut dst), length("block bytes", 32, 31));
    let wrong = length("destination elements", 64, 63);
    assert_eq!(mxfp4::dequantize(&[0; 32], &[0; 2], &mut dst[..63]), wrong);
    let wrong = length("destination bytes", 128, 127);
    assert_eq!(mxfp4::dequantize_bytes(&[0; 32], &[0; 2], DType::F16, &mut [0; 127]), wrong);
    let unsupported = Err(Mxfp4Error::Unsupported { dtype: DType::F64 });
    assert_eq!(mxfp4::dequantize_bytes(&[], &[], DType::F64, &mut []), unsupported);
    let ragged = mxfp4::quantize(&[0f32; 33], &mut [0; 16], &mut [0]).unwrap_err();
    assert_eq!(ragged, Mxfp4Error::Ragged { what: "source elements", actual: 33 });
    let ragged = mxfp4::quantize_bytes(DType::F16, &[0; 65], &mut [0; 16], &mut [0]).unwrap_err();
    assert_eq!(ragged, Mxfp4Error::Ragged { what: "source elements", actual: 32 });
    let short = mxfp4::quantize(&[0f32; 64], &mut [0; 16], &mut [0; 2]).unwrap_err();
    assert_eq!(short, Mxfp4Error::Length { what: "block bytes", expected: 32, actual: 16 });
    let short = mxfp4::quantize(&[0f32; 64], &mut [0; 32], &mut [0]).unwrap_err();
    assert_eq!(short, Mxfp4Error::Length { what: "scales", expected: 2, actual: 1 });
}
