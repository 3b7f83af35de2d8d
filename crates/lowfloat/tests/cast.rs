//! Every conversion at every level of this CPU, against the formats' definitions.
#![allow(clippy::float_cmp)]

mod reference;

use lowfloat::arch::Level;
use lowfloat::{DType, on_level};
use reference::{BF16, E4M3, E5M2, SMALL, Small, bytes, f32_nan, f64_nan, small_bytes};

/// Compares one conversion with the bytes it should give, at every level.
fn check(from: DType, src: &[u8], to: DType, expected: &[u8], saturate: bool) {
    let cast = if saturate { on_level::cast_bytes_saturating } else { on_level::cast_bytes };
    let (from_size, to_size) = (from.size().unwrap(), to.size().unwrap());
    for level in Level::available() {
        let mut dst = vec![0xAA; expected.len()];
        cast(level, from, src, to, &mut dst).unwrap();
        let same = dst.chunks(to_size).zip(expected.chunks(to_size)).zip(src.chunks(from_size));
        for ((got, want), source) in same {
            assert_eq!(got, want, "{from} {source:02X?} to {to} on {level}, saturate: {saturate}");
        }
    }
}

/// What becomes of values with these payloads (where they are NaN) in a small format.
fn expect_small(format: Small, values: &[(f64, u64)], saturate: bool) -> Vec<u8> {
    let magnitudes = format.magnitudes();
    let patterns: Vec<u16> = values
        .iter()
        .map(|(value, payload)| {
            if value.is_nan() {
                return format.nan(value.is_sign_negative(), *payload);
            }
            format.nearest(&magnitudes, *value, saturate)
        })
        .collect();
    small_bytes(format, &patterns)
}

fn expect_f32(value: f64, payload: u64) -> u32 {
    if value.is_nan() {
        f32_nan(value.is_sign_negative(), payload)
    } else {
        (value as f32).to_bits()
    }
}

fn expect_f64(value: f64, payload: u64) -> u64 {
    if value.is_nan() { f64_nan(value.is_sign_negative(), payload) } else { value.to_bits() }
}

/// Checks the conversions of some source to every format that rounds.
fn check_to_small(from: DType, src: &[u8], values: &[(f64, u64)]) {
    for format in SMALL {
        if format.dtype != from {
            check(from, src, format.dtype, &expect_small(format, values, false), false);
            if format.sign == 0x80 {
                check(from, src, format.dtype, &expect_small(format, values, true), true);
            }
        }
    }
}

#[test]
fn all_patterns_of_16_and_8_bits() {
    for from in SMALL {
        let patterns: Vec<u16> = from.patterns().collect();
        let src = small_bytes(from, &patterns);
        let values: Vec<(f64, u64)> =
            patterns.iter().map(|bits| (from.value(*bits), from.payload(*bits))).collect();
        check_to_small(from.dtype, &src, &values);

        let wide = values.iter().zip(&patterns).map(|((value, payload), bits)| {
            if from.dtype == DType::BF16 {
                return u32::from(*bits) << 16;
            }
            expect_f32(*value, *payload)
        });
        let wide: Vec<u32> = wide.collect();
        check(from.dtype, &src, DType::F32, &bytes(&wide, |bits| bits.to_le_bytes()), false);

        let wide = values.iter().map(|(value, payload)| expect_f64(*value, *payload));
        let wide: Vec<u64> = wide.collect();
        check(from.dtype, &src, DType::F64, &bytes(&wide, |bits| bits.to_le_bytes()), false);
    }
}

fn check_f32(patterns: &[u32]) {
    let src = bytes(patterns, |bits| bits.to_le_bytes());
    let value = |bits: u32| {
        let value = f64::from(f32::from_bits(bits));
        if value.is_nan() { f64::NAN.copysign(f64::from(bits.cast_signed())) } else { value }
    };
    let values: Vec<(f64, u64)> =
        patterns.iter().map(|bits| (value(*bits), reference::f32_payload(*bits))).collect();
    check_to_small(DType::F32, &src, &values);
    let wide: Vec<u64> =
        values.iter().map(|(value, payload)| expect_f64(*value, *payload)).collect();
    check(DType::F32, &src, DType::F64, &bytes(&wide, |bits| bits.to_le_bytes()), false);
}

fn check_f64(patterns: &[u64]) {
    let src = bytes(patterns, |bits| bits.to_le_bytes());
    let value = |bits: u64| {
        let value = f64::from_bits(bits);
        if value.is_nan() { f64::NAN.copysign(bits.cast_signed() as f64) } else { value }
    };
    let values: Vec<(f64, u64)> =
        patterns.iter().map(|bits| (value(*bits), reference::f64_payload(*bits))).collect();
    check_to_small(DType::F64, &src, &values);
    let narrow: Vec<u32> =
        values.iter().map(|(value, payload)| expect_f32(*value, *payload)).collect();
    check(DType::F64, &src, DType::F32, &bytes(&narrow, |bits| bits.to_le_bytes()), false);
}

/// Patterns that matter whatever the format: zeros, ends of ranges, infinities, NaNs of each kind.
const SPECIAL: [u32; 16] = [
    0x0000_0000,
    0x0000_0001,
    0x007F_FFFF,
    0x0080_0000,
    0x0080_0001,
    0x3F80_0000,
    0x7F7F_FFFF,
    0x7F80_0000,
    0x7F80_0001,
    0x7F80_2000,
    0x7F81_0000,
    0x7FBF_FFFF,
    0x7FC0_0000,
    0x7FC0_0001,
    0x7FD2_3456,
    0x7FFF_FFFF,
];

#[test]
fn f32_at_every_boundary() {
    let mut patterns: Vec<u32> = SPECIAL.to_vec();
    for format in SMALL {
        for pair in format.magnitudes().windows(2) {
            for value in [pair[0], f64::midpoint(pair[0], pair[1]), pair[1]] {
                let bits = (value as f32).to_bits();
                patterns.extend([bits.saturating_sub(1), bits, bits + 1]);
            }
        }
    }
    let negative: Vec<u32> = patterns.iter().map(|bits| bits | 1 << 31).collect();
    check_f32(&patterns);
    check_f32(&negative);
}

#[test]
fn f64_at_every_boundary_rounds_once() {
    let mut patterns: Vec<u64> = vec![0, 1, 1 << 52, f64::MAX.to_bits(), f64::INFINITY.to_bits()];
    patterns.extend(
        [1, 1 << 28, 1 << 29, 1 << 41, 1 << 50, 1 << 51, (1 << 52) - 1]
            .map(|nan| f64::INFINITY.to_bits() | nan),
    );
    for format in SMALL {
        for pair in format.magnitudes().windows(2) {
            for value in [pair[0], f64::midpoint(pair[0], pair[1]), pair[1]] {
                let bits = value.to_bits();
                // A neighbour in f64, and one that an f32 in between would round onto the tie.
                for offset in [1, 1 << 27] {
                    patterns.extend([bits.saturating_sub(offset), bits, bits + offset]);
                }
            }
        }
    }
    let negative: Vec<u64> = patterns.iter().map(|bits| bits | 1 << 63).collect();
    check_f64(&patterns);
    check_f64(&negative);
}

#[test]
fn double_rounding_is_not() {
    // 1 + 2^-8 is half-way between two bf16; an f32 does not see the 2^-40 that decides.
    let src = (1.0 + 2f64.powi(-8) + 2f64.powi(-40)).to_le_bytes();
    check(DType::F64, &src, DType::BF16, &0x3F81u16.to_le_bytes(), false);
    let src = (1.0 + 2f64.powi(-11) + 2f64.powi(-40)).to_le_bytes();
    check(DType::F64, &src, DType::F16, &0x3C01u16.to_le_bytes(), false);
}

#[test]
fn random_patterns() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let patterns: Vec<u64> = (0..20_000).map(|_| next()).collect();
    check_f64(&patterns);
    check_f32(&patterns.iter().map(|bits| *bits as u32).collect::<Vec<_>>());
    // Of random f64, few are within the range of an f32: give the others such exponents.
    let near: Vec<u64> = patterns
        .iter()
        .map(|bits| (bits & !(0x7FF << 52)) | ((1023 - 160 + (bits >> 7) % 320) << 52))
        .collect();
    check_f64(&near);
}

#[test]
fn known_values() {
    for (format, value, bits) in [
        (BF16, 1.0, 0x3F80),
        (BF16, -2.5, 0xC020),
        (reference::F16, 65504.0, 0x7BFF),
        (reference::F16, 65519.9, 0x7BFF),
        (reference::F16, 65520.0, 0x7C00),
        (E4M3, 464.0, 0x7E),
        (E4M3, 465.0, 0x7F),
        (E5M2, 61439.0, 0x7B),
        (E5M2, 61440.0, 0x7C),
        (E5M2, -0.0, 0x80),
    ] {
        let value: f32 = value;
        let expected = small_bytes(format, &[bits]);
        check(DType::F32, &value.to_le_bytes(), format.dtype, &expected, false);
    }
}

mod random {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn f32(patterns in prop::collection::vec(any::<u32>(), 0..200)) {
            super::check_f32(&patterns);
        }

        #[test]
        fn f64(patterns in prop::collection::vec(any::<u64>(), 0..200)) {
            super::check_f64(&patterns);
        }
    }
}
