//! Noise in the last bit of results, to show which tests ask for more than a device promises.

use crate::dtype::DataType;

/// Moves each float by one step up, one down, or not, by seed and place: the same place gets the same noise.
/// Zeros, infinities and NaN stay, and nothing becomes one of them.
pub(super) fn jitter(dtype: DataType, bytes: &mut [u8], seed: u64, first: u64) {
    let exponents: u32 = match dtype {
        DataType::F32 => 0x7F80_0000,
        DataType::F16 => 0x7C00,
        DataType::Bf16 => 0x7F80,
        _ => return,
    };
    let sign = if dtype == DataType::F32 { 1 << 31 } else { 1 << 15 };
    let width = super::width(dtype);
    for (place, element) in (first..).zip(bytes.chunks_exact_mut(width)) {
        let mut word = [0; 4];
        word[..width].copy_from_slice(element);
        let bits = u32::from_le_bytes(word);
        let moved = match noise(seed, place) {
            0 => bits.wrapping_add(1),
            1 => bits.wrapping_sub(1),
            _ => bits,
        };
        let ordinary = |bits: u32| bits & !sign != 0 && bits & exponents != exponents;
        if ordinary(bits) && ordinary(moved) {
            element.copy_from_slice(&moved.to_le_bytes()[..width]);
        }
    }
}

/// One of 0, 1, 2; a multiplicative hash (Knuth) with its high half folded down.
fn noise(seed: u64, place: u64) -> u64 {
    let mixed = (place ^ seed.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ mixed >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) % 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_at_most_and_by_place() {
        let plain = (1..=300u16).flat_map(|bits| (0x3F80 + bits).to_le_bytes()).collect::<Vec<_>>();
        let noisy = |seed, first| {
            let mut bytes = plain.clone();
            jitter(DataType::Bf16, &mut bytes, seed, first);
            bytes
        };
        let steps = |bytes: &[u8]| -> Vec<i32> {
            let pairs = bytes.as_chunks().0.iter().zip(plain.as_chunks().0);
            pairs
                .map(|(&a, &b)| i32::from(u16::from_le_bytes(a)) - i32::from(u16::from_le_bytes(b)))
                .collect()
        };
        let moved = steps(&noisy(1, 0));
        for step in -1..=1 {
            let count = moved.iter().filter(|&&moved| moved == step).count();
            assert!((70..130).contains(&count), "{step}: {count} of 300");
        }
        assert!(moved.iter().all(|moved| moved.abs() <= 1));
        assert_eq!(noisy(1, 0), noisy(1, 0));
        assert_ne!(noisy(1, 0), noisy(2, 0));
        assert_eq!(steps(&noisy(1, 7))[..100], moved[7..107]);
    }

    #[test]
    fn zeros_and_the_rest_stay() {
        for seed in 0..50 {
            let special = [0, 1 << 15, 0x7F80, 0xFF80, 0x7FC0];
            let mut bytes =
                special.iter().flat_map(|bits: &u16| bits.to_le_bytes()).collect::<Vec<_>>();
            let before = bytes.clone();
            jitter(DataType::Bf16, &mut bytes, seed, 0);
            assert_eq!(bytes, before);
            let mut edge = [1, 0, 0x7F, 0x7F];
            jitter(DataType::Bf16, &mut edge, seed, 0);
            assert_ne!(edge[..2], [0, 0]);
            assert_ne!(edge[2..], [0x80, 0x7F]);
            let mut whole = [3, 4];
            jitter(DataType::I8, &mut whole, seed, 0);
            assert_eq!(whole, [3, 4]);
        }
    }
}
