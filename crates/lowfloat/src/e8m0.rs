//! The power-of-two scale of OCP MX blocks.

use core::fmt;

/// 8-bit scale e8m0 (OCP MX): `2^(bits - 127)`, without sign or zero; 255 is NaN.
///
/// ```
/// use lowfloat::E8M0;
///
/// assert_eq!(E8M0::from_bits(0x7A).to_f32(), 1.0 / 32.0);
/// assert_eq!(E8M0::from_exponent(-5), Some(E8M0::from_bits(0x7A)));
/// assert_eq!(E8M0::from_bits(0).to_f32(), 2f32.powi(-127)); // an f32 subnormal, exact
/// assert!(E8M0::NAN.to_f32().is_nan());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct E8M0(u8);

impl E8M0 {
    /// `2^0`.
    pub const ONE: Self = Self(127);
    /// The smallest scale, `2^-127`.
    pub const MIN: Self = Self(0);
    /// The largest scale, `2^127`.
    pub const MAX: Self = Self(254);
    /// Not a number: every value of a block with this scale is NaN.
    pub const NAN: Self = Self(255);

    /// The scale with this bit pattern.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The bit pattern.
    #[must_use]
    pub const fn to_bits(self) -> u8 {
        self.0
    }

    /// The scale `2^exponent`; `None` outside -127..=127.
    #[must_use]
    pub const fn from_exponent(exponent: i32) -> Option<Self> {
        match exponent {
            -127..=127 => Some(Self((exponent + 127).cast_unsigned() as u8)),
            _ => None,
        }
    }

    /// The exponent of two; `None` for NaN.
    #[must_use]
    pub const fn exponent(self) -> Option<i32> {
        if self.is_nan() { None } else { Some(self.0 as i32 - 127) }
    }

    /// The same value as an f32; exact.
    #[must_use]
    pub const fn to_f32(self) -> f32 {
        f32::from_bits(match self.0 {
            // 2^-127 is below the smallest normal f32.
            0 => 0x0040_0000,
            255 => 0x7FC0_0000,
            bits => (bits as u32) << 23,
        })
    }

    /// True for the one NaN pattern.
    #[must_use]
    pub const fn is_nan(self) -> bool {
        self.0 == 255
    }
}

impl Default for E8M0 {
    fn default() -> Self {
        Self::ONE
    }
}

impl fmt::Debug for E8M0 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exponent() {
            Some(exponent) => write!(f, "2^{exponent}"),
            None => f.write_str("NaN"),
        }
    }
}

impl fmt::Display for E8M0 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_f32(), f)
    }
}

impl From<E8M0> for f32 {
    fn from(value: E8M0) -> Self {
        value.to_f32()
    }
}
