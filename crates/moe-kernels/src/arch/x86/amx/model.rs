//! What `TDPBF16PS` computes, one element at a time.
//!
//! Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, TDPBF16PS: rounding to nearest
//! even, subnormal operands and results are zero, whatever MXCSR says.

/// Two bf16, the first in the lower half.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair(pub(super) u32);

impl Pair {
    const fn first(self) -> f32 {
        f32::from_bits(self.0 << 16)
    }

    const fn second(self) -> f32 {
        f32::from_bits(self.0 & 0xFFFF_0000)
    }
}

/// `sum` and the products of a row of one tile with a column of the other.
#[inline(always)]
pub(super) fn dot(row: &[Pair], column: &[Pair], sum: f32) -> f32 {
    let (mut firsts, mut seconds) = (0.0, 0.0);
    for (a, b) in row.iter().zip(column) {
        firsts = mul_add(a.first(), b.first(), firsts);
        seconds = mul_add(a.second(), b.second(), seconds);
    }
    add(sum, add(firsts, seconds))
}

#[inline(always)]
fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    let (a, b, c) = (flushed(a), flushed(b), flushed(c));
    let sum = a.mul_add(b, c);
    // What is rounded up to the least normal number would, with an exponent without bounds, have been
    // rounded below it, unless it is within a quarter of the last place. Here f64 is exact.
    if sum.abs().to_bits() == f32::MIN_POSITIVE.to_bits() {
        let exact = f64::from(a).mul_add(f64::from(b), f64::from(c));
        let least = f64::from(f32::MIN_POSITIVE) * (1.0 - f64::from(f32::EPSILON) / 4.0);
        return if exact.abs() < least { 0f32.copysign(sum) } else { sum };
    }
    flushed(sum)
}

#[inline(always)]
fn add(a: f32, b: f32) -> f32 {
    flushed(flushed(a) + flushed(b))
}

/// Zero, of the same sign, for subnormal numbers.
#[inline(always)]
fn flushed(value: f32) -> f32 {
    if value.abs() < f32::MIN_POSITIVE { 0f32.copysign(value) } else { value }
}

#[cfg(test)]
mod tests {
    use super::{Pair, add, dot, mul_add};

    const LEAST: f32 = f32::MIN_POSITIVE;

    fn pair(first: f32, second: f32) -> Pair {
        Pair(first.to_bits() >> 16 | second.to_bits() & 0xFFFF_0000)
    }

    #[test]
    fn subnormal_numbers_are_zero_of_their_sign() {
        assert_eq!(mul_add(LEAST / 2.0, 1e30, 1.0).to_bits(), 1f32.to_bits());
        assert_eq!(mul_add(1.0, -LEAST, LEAST / 2.0).to_bits(), (-LEAST).to_bits());
        assert_eq!(mul_add(-LEAST, 0.5, 0.0).to_bits(), (-0f32).to_bits());
        assert_eq!(add(LEAST * 1.5, -LEAST).to_bits(), 0f32.to_bits());
        assert_eq!(add(-LEAST / 2.0, -0.0).to_bits(), (-0f32).to_bits());
        assert!(mul_add(LEAST / 2.0, f32::INFINITY, 0.0).is_nan());
    }

    #[test]
    fn what_rounds_to_the_least_normal_number_counts_only_if_it_would_without_bounds() {
        // 2⁻¹²⁶ less 2⁻¹⁵⁰ is a number of 24 bits if the exponent has no bounds; less 2⁻¹⁵¹ is
        // halfway to 2⁻¹²⁶, which is even.
        let ulp = 2f32.powi(-75);
        assert_eq!(mul_add(-ulp, ulp, LEAST).to_bits(), 0f32.to_bits());
        assert_eq!(mul_add(ulp, ulp, -LEAST).to_bits(), (-0f32).to_bits());
        assert_eq!(mul_add(-ulp, ulp / 2.0, LEAST).to_bits(), LEAST.to_bits());
        assert_eq!(mul_add(-ulp, ulp * 0.501, LEAST).to_bits(), 0f32.to_bits());
        assert_eq!(mul_add(ulp, ulp, LEAST).to_bits(), LEAST.to_bits());
    }

    #[test]
    fn firsts_and_seconds_are_apart_and_fused() {
        let big = 2f32.powi(24);
        let row = [pair(big, 1.0), pair(1.0, 1.0), pair(-big, 1.0)];
        let ones = [pair(1.0, 1.0); 3];
        // 2²⁴ + 1 rounds to even; with the seconds between them it would come out otherwise.
        assert_eq!(dot(&row, &ones, 0.0).to_bits(), 3f32.to_bits());
        assert_eq!(dot(&row, &ones, big).to_bits(), (big + 4.0).to_bits());
        // (1 + 2⁻⁷)² - 1 needs the bits that a rounded product lacks beside 2¹⁰.
        let odd = 1.0 + 2f32.powi(-7);
        let column = [pair(1.0, 0.0), pair(odd, 0.0)];
        let row = [pair(-1.0, 0.0), pair(odd, 0.0)];
        assert_eq!(dot(&row, &column, 0.0).to_bits(), (2f32.powi(-6) + 2f32.powi(-14)).to_bits());
    }
}
