use sha2::{Digest as _, Sha256};

/// The random words of one tensor, each computed from its place alone.
///
/// This is Wang Yi's wyrand (<https://github.com/wangyi-fudan/wyhash>, public domain) with its
/// state, which only counts, taken from the place of the word instead of the call before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    key: u64,
}

const DOMAIN: &[u8] = b"synthetic checkpoint 1\0";
const STEP: u64 = 0xa076_1d64_78bd_642f;
const MIX: u64 = 0xe703_7ed1_a0b4_28db;

impl Stream {
    pub(super) fn of(seed: u64, name: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(seed.to_le_bytes())
            .chain_update(name)
            .finalize();
        let mut key = [0; 8];
        key.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self { key: u64::from_le_bytes(key) }
    }

    #[inline]
    pub(super) fn word(self, index: u64) -> u64 {
        let state = self.key.wrapping_add(index.wrapping_add(1).wrapping_mul(STEP));
        let product = u128::from(state) * u128::from(state ^ MIX);
        (product >> 64) as u64 ^ product as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// wyrand as published: a state that each call moves on.
    #[test]
    fn words_are_wyrand_in_order() {
        let mut state = 42_u64;
        for index in 0..1000 {
            state = state.wrapping_add(STEP);
            let product = u128::from(state) * u128::from(state ^ MIX);
            let expected = (product >> 64) as u64 ^ product as u64;
            assert_eq!(Stream { key: 42 }.word(index), expected);
        }
    }

    #[test]
    fn seed_and_name_choose_the_stream() {
        let keys = [
            Stream::of(0, "a").key,
            Stream::of(1, "a").key,
            Stream::of(0, "b").key,
            Stream::of(0, "").key,
        ];
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key));
        }
    }
}
