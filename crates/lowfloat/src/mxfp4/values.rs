//! What each code means under each scale, as tables of bit patterns.

/// bf16 patterns by scale and code; f32 patterns are these followed by 16 zero bits.
pub(crate) static BF16: [[u16; 16]; 256] = table(7, 127, 0x7FC0);
/// f16 patterns by scale and code.
pub(crate) static F16: [[u16; 16]; 256] = table(10, 15, 0x7E00);

/// Twice the magnitudes of the codes.
const DOUBLED: [u32; 8] = [0, 1, 2, 3, 4, 6, 8, 12];

/// The table of a 16-bit format with so many stored mantissa bits and this exponent bias.
const fn table(mantissa: u32, bias: u32, nan: u16) -> [[u16; 16]; 256] {
    let mut table = [[nan; 16]; 256];
    let mut scale = 0;
    while scale < 255 {
        let mut code = 0;
        while code < 8 {
            let magnitude = pattern(DOUBLED[code], scale as u32, mantissa, bias);
            table[scale][code] = magnitude;
            table[scale][code + 8] = magnitude | 0x8000;
            code += 1;
        }
        scale += 1;
    }
    table
}

/// The pattern of `integer * 2^(scale - 128)`, rounded to nearest even.
const fn pattern(integer: u32, scale: u32, mantissa: u32, bias: u32) -> u16 {
    if integer == 0 {
        return 0;
    }
    let leading = integer.ilog2();
    // All biased by 128, so that nothing is negative.
    let exponent = leading + scale + bias;
    if exponent > 128 + 2 * bias {
        // Infinity: all exponent bits set.
        return ((2 * bias + 1) << mantissa) as u16;
    }
    if exponent > 128 {
        // At most four significant bits: exact. The leading one is not stored.
        let fraction = (integer << (mantissa - leading)) - (1 << mantissa);
        return (((exponent - 128) << mantissa) + fraction) as u16;
    }
    // A count of the smallest subnormal, 2^(1 - bias - mantissa).
    let (scale, unit) = (scale + bias + mantissa, 129);
    if scale >= unit {
        (integer << (scale - unit)) as u16
    } else {
        shift_to_even(integer, unit - scale) as u16
    }
}

/// `integer / 2^shift` of at most four bits, to nearest, ties to even; `shift` is at least 1.
const fn shift_to_even(integer: u32, shift: u32) -> u32 {
    if shift > 5 {
        return 0;
    }
    let odd = (integer >> shift) & 1;
    (integer + (1 << (shift - 1)) - 1 + odd) >> shift
}
