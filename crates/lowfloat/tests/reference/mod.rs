//! The formats by their definition, in f64 and by search: slow, and nothing shared with the crate.
#![allow(dead_code, unreachable_pub)] // each test file uses its part
#![allow(clippy::float_cmp)]

use lowfloat::DType;

/// A binary format of at most 16 bits.
#[derive(Clone, Copy, Debug)]
pub struct Small {
    pub dtype: DType,
    pub mantissa: u32,
    pub bias: i32,
    /// Pattern of the largest finite magnitude.
    pub largest: u16,
    /// Pattern of the sign bit.
    pub sign: u16,
    /// Patterns above `largest` up to this one are infinite (e4m3 has none).
    pub infinity: Option<u16>,
}

pub const F16: Small = Small {
    dtype: DType::F16,
    mantissa: 10,
    bias: 15,
    largest: 0x7BFF,
    sign: 0x8000,
    infinity: Some(0x7C00),
};
pub const BF16: Small = Small {
    dtype: DType::BF16,
    mantissa: 7,
    bias: 127,
    largest: 0x7F7F,
    sign: 0x8000,
    infinity: Some(0x7F80),
};
pub const E4M3: Small =
    Small { dtype: DType::F8E4M3, mantissa: 3, bias: 7, largest: 0x7E, sign: 0x80, infinity: None };
pub const E5M2: Small = Small {
    dtype: DType::F8E5M2,
    mantissa: 2,
    bias: 15,
    largest: 0x7B,
    sign: 0x80,
    infinity: Some(0x7C),
};
pub const SMALL: [Small; 4] = [F16, BF16, E4M3, E5M2];

impl Small {
    /// Every pattern.
    pub fn patterns(self) -> impl Iterator<Item = u16> {
        0..=(self.sign | (self.sign - 1))
    }

    pub fn is_nan(self, bits: u16) -> bool {
        bits & !self.sign > self.infinity.unwrap_or(self.largest)
    }

    /// The number that a pattern stands for; of NaN, only the sign.
    pub fn value(self, bits: u16) -> f64 {
        let magnitude = i32::from(bits & !self.sign);
        let sign = if bits & self.sign == 0 { 1.0 } else { -1.0 };
        if self.is_nan(bits) {
            return f64::NAN.copysign(sign);
        }
        if Some(bits & !self.sign) == self.infinity {
            return f64::INFINITY * sign;
        }
        let fraction = f64::from(magnitude & ((1 << self.mantissa) - 1));
        let exponent = magnitude >> self.mantissa;
        let one = 2f64.powi(self.mantissa.cast_signed());
        sign * if exponent == 0 {
            fraction / one * 2f64.powi(1 - self.bias)
        } else {
            (1.0 + fraction / one) * 2f64.powi(exponent - self.bias)
        }
    }

    /// Finite magnitudes in order, and what the next would be: rounding to it is overflow.
    pub fn magnitudes(self) -> Vec<f64> {
        let mut values: Vec<f64> = (0..=self.largest).map(|bits| self.value(bits)).collect();
        let step = values[values.len() - 1] - values[values.len() - 2];
        values.push(values[values.len() - 1] + step);
        values
    }

    /// The nearest pattern, ties to even, of a value that is not NaN; `magnitudes` as above.
    pub fn nearest(self, magnitudes: &[f64], value: f64, saturate: bool) -> u16 {
        let above = magnitudes.partition_point(|magnitude| *magnitude < value.abs());
        let pattern = if above == 0 {
            0
        } else if above == magnitudes.len() {
            above - 1
        } else {
            let (low, high) = (magnitudes[above - 1], magnitudes[above]);
            // Exact: neighbours of so few bits, and a value between them.
            match (value.abs() - low).partial_cmp(&(high - value.abs())) {
                Some(core::cmp::Ordering::Less) => above - 1,
                Some(core::cmp::Ordering::Greater) => above,
                _ => above - (above % 2),
            }
        };
        let pattern = u16::try_from(pattern).unwrap();
        let pattern = if saturate { pattern.min(self.largest) } else { pattern };
        if value.is_sign_negative() { pattern | self.sign } else { pattern }
    }

    /// What a NaN becomes: sign and 52 payload bits (the first is the quiet bit).
    pub fn nan(self, negative: bool, payload: u64) -> u16 {
        let quiet = 1 << (self.mantissa - 1);
        let bits = match self.dtype {
            DType::F8E4M3 => 0x7F,
            DType::F8E5M2 => 0x7E,
            _ => self.infinity.unwrap() | quiet | (payload >> (52 - self.mantissa)) as u16,
        };
        if negative { bits | self.sign } else { bits }
    }

    /// 52 payload bits of a NaN, as conversions see them.
    pub fn payload(self, bits: u16) -> u64 {
        match self.dtype {
            DType::F8E4M3 | DType::F8E5M2 => 1 << 51,
            _ => u64::from(bits & ((1 << self.mantissa) - 1)) << (52 - self.mantissa),
        }
    }
}

pub fn f32_payload(bits: u32) -> u64 {
    u64::from(bits & 0x007F_FFFF) << 29
}

pub fn f64_payload(bits: u64) -> u64 {
    bits & 0x000F_FFFF_FFFF_FFFF
}

/// What a NaN becomes as f32.
pub fn f32_nan(negative: bool, payload: u64) -> u32 {
    let bits = 0x7FC0_0000 | (payload >> 29) as u32;
    if negative { bits | 1 << 31 } else { bits }
}

/// What a NaN becomes as f64.
pub fn f64_nan(negative: bool, payload: u64) -> u64 {
    let bits = 0x7FF8_0000_0000_0000 | payload;
    if negative { bits | 1 << 63 } else { bits }
}

/// The little-endian bytes of patterns.
pub fn bytes<const N: usize, T>(patterns: &[T], to_le: impl Fn(&T) -> [u8; N]) -> Vec<u8> {
    patterns.iter().flat_map(to_le).collect()
}

/// Bytes of patterns of a small format.
pub fn small_bytes(format: Small, patterns: &[u16]) -> Vec<u8> {
    if format.sign == 0x80 {
        patterns.iter().map(|bits| *bits as u8).collect()
    } else {
        bytes(patterns, |bits| bits.to_le_bytes())
    }
}
