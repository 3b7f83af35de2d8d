//! MXFP4 to bf16 by tables; OCP Microscaling Formats v1.0, section 5.3.

use std::ops::RangeInclusive;

/// Scales with which every value of E2M1 is a normal bf16 or zero, and that the tables can apply:
/// 2⁻¹²⁵ to 2¹⁰⁰.
pub(super) const SCALES: RangeInclusive<u8> = 2..=LARGEST;

const LARGEST: u8 = 227;

/// The values of E2M1 as bf16, times 2¹⁰⁰. Both zeros are zero bits.
///
/// From these bits (`LARGEST` - scale) · 2⁷ is subtracted with saturation: that multiplies with the
/// scale and leaves zero what it is.
pub(super) const VALUES: [u16; 16] = {
    // 0, ½, 1, 1½, 2, 3, 4, 6
    let magnitudes = [0, 0x3F00, 0x3F80, 0x3FC0, 0x4000, 0x4040, 0x4080, 0x40C0];
    let mut values = [0; 16];
    let mut code = 1;
    while code < 8 {
        let value = magnitudes[code] + (100 << 7);
        values[code] = value;
        values[code + 8] = value | 0x8000;
        code += 1;
    }
    values
};

/// What is subtracted for a scale of zero.
pub(super) const OFFSET: u16 = (LARGEST as u16) << 7;

/// What is subtracted from [`VALUES`] to multiply with a scale.
#[inline(always)]
pub(super) const fn offset(scale: u8) -> u16 {
    OFFSET.wrapping_sub((scale as u16) << 7)
}

/// True where the tables can do all of these scales.
#[inline(always)]
pub(super) fn all_plain(scales: &[u8]) -> bool {
    let first = *SCALES.start();
    let plain = |scale: u8| scale.wrapping_sub(first) <= LARGEST - first;
    // Without an early end, so that it can be vectorised.
    let all = |scales: &[u8]| scales.iter().fold(true, |all, scale| all & plain(*scale));
    let (whole, rest) = scales.as_chunks::<16>();
    let whole = whole.iter().fold(true, |whole, scales| whole & all(scales));
    // The last sixteen again cost less than what is left one by one.
    whole & scales.last_chunk::<16>().map_or_else(|| all(rest), |last| all(last))
}

#[cfg(test)]
mod tests {
    use super::all_plain;

    #[test]
    fn one_scale_that_is_not_plain_is_found_wherever_it_stands() {
        for len in 0..50 {
            let mut scales = vec![2; len];
            scales.iter_mut().step_by(2).for_each(|scale| *scale = 227);
            assert!(all_plain(&scales), "{len}");
            for place in 0..len {
                for other in [0, 1, 228, 255] {
                    let kept = std::mem::replace(&mut scales[place], other);
                    assert!(!all_plain(&scales), "{other} at {place} of {len}");
                    scales[place] = kept;
                }
            }
        }
    }
}
