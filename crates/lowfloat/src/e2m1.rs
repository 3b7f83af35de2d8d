//! The 4-bit float of MXFP4.

use core::cmp::Ordering;
use core::fmt;

use crate::rounding;

/// 4-bit float e2m1 (OCP MX) in the low nibble of a byte: ±0, 0.5, 1, 1.5, 2, 3, 4, 6.
///
/// ```
/// use lowfloat::E2M1;
///
/// assert_eq!(E2M1::from_bits(5).to_f32(), 3.0);
/// assert_eq!(E2M1::from_f32(-2.5), E2M1::from_f32(-2.0)); // ties to even
/// assert_eq!(E2M1::from_f32(100.0), E2M1::MAX);
/// ```
#[derive(Clone, Copy, Default, bytemuck::NoUninit, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct E2M1(u8);

impl E2M1 {
    /// Positive zero.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(2);
    /// The largest value, 6.
    pub const MAX: Self = Self(7);
    /// The lowest value, -6.
    pub const MIN: Self = Self(15);
    /// The smallest positive value, 0.5, a subnormal.
    pub const MIN_POSITIVE_SUBNORMAL: Self = Self(1);
    /// The magnitudes of codes 0 to 7; code + 8 is the same with a minus.
    pub const MAGNITUDES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];

    /// The element with this code; the upper nibble is ignored.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0xF)
    }

    /// The code, 0..=15; bit 3 is the sign.
    #[must_use]
    pub const fn to_bits(self) -> u8 {
        self.0
    }

    /// The same value as an f32; exact.
    #[must_use]
    pub const fn to_f32(self) -> f32 {
        let sign = (self.0 as u32 & 8) << 28;
        f32::from_bits(Self::MAGNITUDES[self.0 as usize & 7].to_bits() | sign)
    }

    /// The nearest value, ties to even, saturating at ±6. The format has no NaN: one becomes ±6.
    #[must_use]
    pub fn from_f32(value: f32) -> Self {
        Self(rounding::f32_to_e2m1(value.to_bits()))
    }
}

impl PartialEq for E2M1 {
    /// As numbers: the zeros equal each other.
    fn eq(&self, other: &Self) -> bool {
        self.to_f32() == other.to_f32()
    }
}

impl PartialOrd for E2M1 {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.to_f32().partial_cmp(&other.to_f32())
    }
}

impl fmt::Debug for E2M1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_f32(), f)
    }
}

impl fmt::Display for E2M1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_f32(), f)
    }
}

impl From<E2M1> for f32 {
    fn from(value: E2M1) -> Self {
        value.to_f32()
    }
}
