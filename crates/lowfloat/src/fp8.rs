//! The two 8-bit floats.

use core::cmp::Ordering;
use core::fmt;

use crate::rounding;

macro_rules! fp8 {
    (
        $(#[$doc:meta])* $name:ident, $widen:ident, $narrow:ident,
        max: $max:literal, min_positive: $min_positive:literal, smallest: $smallest:literal,
        nan: $nan:literal, saturating: $saturating:literal, wrapping: $wrapping:literal
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(transparent)]
        pub struct $name(u8);

        impl $name {
            /// Positive zero.
            pub const ZERO: Self = Self(0);
            /// One.
            pub const ONE: Self = Self(Self::BIAS << Self::MANTISSA_BITS);
            /// The largest finite value.
            pub const MAX: Self = Self($max);
            /// The lowest finite value.
            pub const MIN: Self = Self($max | 0x80);
            /// The smallest positive normal value.
            pub const MIN_POSITIVE: Self = Self($min_positive);
            /// The smallest positive value, a subnormal.
            pub const MIN_POSITIVE_SUBNORMAL: Self = Self($smallest);
            /// The NaN that conversions give, with the sign bit clear.
            pub const NAN: Self = Self($nan);

            /// The element with this bit pattern.
            #[must_use]
            pub const fn from_bits(bits: u8) -> Self {
                Self(bits)
            }

            /// The bit pattern.
            #[must_use]
            pub const fn to_bits(self) -> u8 {
                self.0
            }

            /// The same value as an f32; exact. A NaN becomes the quiet NaN of its sign.
            #[must_use]
            pub fn to_f32(self) -> f32 {
                f32::from_bits(rounding::$widen(self.0))
            }

            #[doc = $wrapping]
            #[must_use]
            pub fn from_f32(value: f32) -> Self {
                Self(rounding::$narrow::<false>(value.to_bits()))
            }

            #[doc = $saturating]
            #[must_use]
            pub fn from_f32_saturating(value: f32) -> Self {
                Self(rounding::$narrow::<true>(value.to_bits()))
            }

            /// True for every NaN pattern.
            #[must_use]
            pub const fn is_nan(self) -> bool {
                self.0 & 0x7F > Self::LARGEST_NUMBER
            }

            /// True for numbers that are neither infinite nor NaN.
            #[must_use]
            pub const fn is_finite(self) -> bool {
                self.0 & 0x7F <= $max
            }

            /// True where the sign bit is set, also of zeros and NaNs.
            #[must_use]
            pub const fn is_sign_negative(self) -> bool {
                self.0 & 0x80 != 0
            }
        }

        impl PartialEq for $name {
            /// As numbers: a NaN equals nothing, the zeros equal each other.
            fn eq(&self, other: &Self) -> bool {
                self.to_f32() == other.to_f32()
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                self.to_f32().partial_cmp(&other.to_f32())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.to_f32(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.to_f32(), f)
            }
        }

        impl From<$name> for f32 {
            fn from(value: $name) -> Self {
                value.to_f32()
            }
        }
    };
}

fp8! {
    /// 8-bit float e4m3fn (OCP OFP8): four exponent bits with bias 7, three mantissa bits, no
    /// infinities, one NaN pattern a sign; finite values up to ±448.
    ///
    /// ```
    /// use lowfloat::F8E4M3;
    ///
    /// assert_eq!(F8E4M3::from_f32(0.3).to_f32(), 0.3125);
    /// assert_eq!(F8E4M3::MAX.to_f32(), 448.0);
    /// assert!(F8E4M3::from_f32(1e3).is_nan());
    /// assert_eq!(F8E4M3::from_f32_saturating(1e3), F8E4M3::MAX);
    /// ```
    F8E4M3, e4m3_to_f32, f32_to_e4m3,
    max: 0x7E, min_positive: 0x08, smallest: 0x01, nan: 0x7F,
    saturating: "The nearest value, ties to even; beyond the largest finite one, and for infinities, ±448.",
    wrapping: "The nearest value, ties to even; beyond the largest finite one, and for infinities, NaN."
}

fp8! {
    /// 8-bit float e5m2 (OCP OFP8): five exponent bits with bias 15, two mantissa bits, infinities
    /// and NaNs as in IEEE 754; finite values up to ±57344.
    ///
    /// ```
    /// use lowfloat::F8E5M2;
    ///
    /// assert_eq!(F8E5M2::from_f32(0.3).to_f32(), 0.3125);
    /// assert_eq!(F8E5M2::from_f32(1e6), F8E5M2::INFINITY);
    /// assert_eq!(F8E5M2::from_f32_saturating(1e6).to_f32(), 57344.0);
    /// ```
    F8E5M2, e5m2_to_f32, f32_to_e5m2,
    max: 0x7B, min_positive: 0x04, smallest: 0x01, nan: 0x7E,
    saturating: "The nearest value, ties to even; beyond the largest finite one, and for infinities, ±57344.",
    wrapping: "The nearest value, ties to even; beyond the largest finite one, infinity."
}

impl F8E4M3 {
    /// Exponent bias.
    pub const BIAS: u8 = 7;
    /// Stored mantissa bits.
    pub const MANTISSA_BITS: u32 = 3;
    const LARGEST_NUMBER: u8 = 0x7E;
}

impl F8E5M2 {
    /// Exponent bias.
    pub const BIAS: u8 = 15;
    /// Stored mantissa bits.
    pub const MANTISSA_BITS: u32 = 2;
    /// Positive infinity.
    pub const INFINITY: Self = Self(0x7C);
    /// Negative infinity.
    pub const NEG_INFINITY: Self = Self(0xFC);
    const LARGEST_NUMBER: u8 = 0x7C;
}
