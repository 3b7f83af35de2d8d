//! Reduction over ranks: in their order, so that results do not depend on who comes first.
//!
//! Integers wrap. Floats of 16 and 8 bits are accumulated in f32 and rounded once, to nearest even; f32 and f64 in their own
//! type. The maximum and minimum of anything with a NaN is a NaN.

use lowfloat::{F8E4M3, F8E5M2, bf16, f16};

use super::dtype::{Element, Reduction};

/// Combines what the ranks gave: elements of one type, the same number from each.
pub(super) fn reduce(element: Element, reduction: Reduction, parts: &[&[u8]]) -> Vec<u8> {
    match element {
        Element::I8 => whole(parts, i8::from_le_bytes, i8::to_le_bytes, choose(reduction)),
        Element::I16 => whole(parts, i16::from_le_bytes, i16::to_le_bytes, choose(reduction)),
        Element::I32 => whole(parts, i32::from_le_bytes, i32::to_le_bytes, choose(reduction)),
        Element::I64 => whole(parts, i64::from_le_bytes, i64::to_le_bytes, choose(reduction)),
        Element::I128 => whole(parts, i128::from_le_bytes, i128::to_le_bytes, choose(reduction)),
        Element::U8 | Element::HiF8 | Element::E8M0 => {
            whole(parts, u8::from_le_bytes, u8::to_le_bytes, choose(reduction))
        }
        Element::U16 => whole(parts, u16::from_le_bytes, u16::to_le_bytes, choose(reduction)),
        Element::U32 => whole(parts, u32::from_le_bytes, u32::to_le_bytes, choose(reduction)),
        Element::U64 => whole(parts, u64::from_le_bytes, u64::to_le_bytes, choose(reduction)),
        Element::F64 => whole(parts, f64::from_le_bytes, f64::to_le_bytes, choose(reduction)),
        Element::F32 => whole(parts, f32::from_le_bytes, f32::to_le_bytes, choose(reduction)),
        Element::F16 => whole(
            parts,
            |bytes| f16::from_le_bytes(bytes).to_f32(),
            |value| f16::from_f32(value).to_le_bytes(),
            choose(reduction),
        ),
        Element::Bf16 => whole(
            parts,
            |bytes| bf16::from_le_bytes(bytes).to_f32(),
            |value| bf16::from_f32(value).to_le_bytes(),
            choose(reduction),
        ),
        Element::F8E4M3 => whole(
            parts,
            |[bits]| F8E4M3::from_bits(bits).to_f32(),
            |value| [F8E4M3::from_f32(value).to_bits()],
            choose(reduction),
        ),
        Element::F8E5M2 => whole(
            parts,
            |[bits]| F8E5M2::from_bits(bits).to_f32(),
            |value| [F8E5M2::from_f32(value).to_bits()],
            choose(reduction),
        ),
    }
}

/// Element by element over all ranks.
fn whole<T, const N: usize>(
    parts: &[&[u8]],
    read: impl Fn([u8; N]) -> T,
    write: impl Fn(T) -> [u8; N],
    combine: fn(T, T) -> T,
) -> Vec<u8> {
    let Some((first, rest)) = parts.split_first() else { return Vec::new() };
    let mut reduced = Vec::with_capacity(first.len());
    for (index, bytes) in first.as_chunks::<N>().0.iter().enumerate() {
        let others = rest.iter().filter_map(|part| part.as_chunks::<N>().0.get(index));
        let value = others.fold(read(*bytes), |value, bytes| combine(value, read(*bytes)));
        reduced.extend(write(value));
    }
    reduced
}

/// The function of two elements.
fn choose<T: Arithmetic>(reduction: Reduction) -> fn(T, T) -> T {
    match reduction {
        Reduction::Sum => T::sum,
        Reduction::Product => T::product,
        Reduction::Maximum => T::maximum,
        Reduction::Minimum => T::minimum,
    }
}

trait Arithmetic {
    fn sum(self, other: Self) -> Self;
    fn product(self, other: Self) -> Self;
    fn maximum(self, other: Self) -> Self;
    fn minimum(self, other: Self) -> Self;
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl Arithmetic for $integer {
            fn sum(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn product(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn maximum(self, other: Self) -> Self {
                self.max(other)
            }
            fn minimum(self, other: Self) -> Self {
                self.min(other)
            }
        }
    )*};
}

macro_rules! floats {
    ($($float:ty)*) => {$(
        impl Arithmetic for $float {
            fn sum(self, other: Self) -> Self {
                self + other
            }
            fn product(self, other: Self) -> Self {
                self * other
            }
            fn maximum(self, other: Self) -> Self {
                if self.is_nan() || other.is_nan() { Self::NAN } else { self.max(other) }
            }
            fn minimum(self, other: Self) -> Self {
                if self.is_nan() || other.is_nan() { Self::NAN } else { self.min(other) }
            }
        }
    )*};
}

integers!(i8 i16 i32 i64 i128 u8 u16 u32 u64);
floats!(f32 f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_wrap() {
        let (a, b) = ([100, 200], [100, 100]);
        assert_eq!(reduce(Element::U8, Reduction::Sum, &[&a, &b]), [200, 44]);
        assert_eq!(reduce(Element::I8, Reduction::Maximum, &[&a, &b]), [100, 100]);
        assert_eq!(reduce(Element::U8, Reduction::Maximum, &[&a, &b]), [100, 200]);
        assert_eq!(reduce(Element::I8, Reduction::Minimum, &[&a, &b]), [100, 200]);
        assert_eq!(reduce(Element::U8, Reduction::Product, &[&a, &b]), [16, 32]);
        let wide = i128::MAX.to_le_bytes();
        let one = 1_i128.to_le_bytes();
        assert_eq!(reduce(Element::I128, Reduction::Sum, &[&wide, &one]), i128::MIN.to_le_bytes());
    }

    /// 1 + 2^-8 + 2^-8 is 1 + 2^-7 in f32, which bf16 has; rounded after each step it would stay 1.
    #[test]
    fn half_precision_is_rounded_once() {
        let one = bf16::from_f32(1.0).to_le_bytes();
        let small = bf16::from_f32(1.0 / 256.0).to_le_bytes();
        let sum = reduce(Element::Bf16, Reduction::Sum, &[&one, &small, &small]);
        assert_eq!(sum, bf16::from_f32(1.0 + 1.0 / 128.0).to_le_bytes());
        let sum = reduce(Element::Bf16, Reduction::Sum, &[&one, &small]);
        assert_eq!(sum, one);
        let half = |value| f16::from_f32(value).to_le_bytes();
        let product = reduce(Element::F16, Reduction::Product, &[&half(3.0), &half(-0.5)]);
        assert_eq!(product, half(-1.5));
        let eighth = |value| [F8E4M3::from_f32(value).to_bits()];
        let sum =
            reduce(Element::F8E4M3, Reduction::Sum, &[&eighth(16.0), &eighth(1.0), &eighth(1.0)]);
        assert_eq!(sum, eighth(18.0));
        let eighth = |value| [F8E5M2::from_f32(value).to_bits()];
        assert_eq!(
            reduce(Element::F8E5M2, Reduction::Minimum, &[&eighth(2.0), &eighth(-3.0)]),
            eighth(-3.0)
        );
    }

    /// 2^24 + 1 - 2^24: in this order 0, in another 1.
    #[test]
    fn ranks_are_taken_in_order() {
        let [big, one, minus] = [16_777_216.0_f32, 1.0, -16_777_216.0].map(f32::to_le_bytes);
        assert_eq!(
            reduce(Element::F32, Reduction::Sum, &[&big, &one, &minus]),
            0.0_f32.to_le_bytes()
        );
        assert_eq!(
            reduce(Element::F32, Reduction::Sum, &[&big, &minus, &one]),
            1.0_f32.to_le_bytes()
        );
    }

    #[test]
    fn nan_is_kept() {
        let [nan, one] = [f32::NAN, 1.0].map(f32::to_le_bytes);
        for reduction in [Reduction::Maximum, Reduction::Minimum, Reduction::Sum] {
            for parts in [[&nan[..], &one], [&one, &nan]] {
                let result = reduce(Element::F32, reduction, &parts);
                assert!(f32::from_le_bytes(result.try_into().unwrap()).is_nan());
            }
        }
    }
}
