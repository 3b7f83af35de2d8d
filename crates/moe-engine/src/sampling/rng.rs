/// The generator behind all sampling: xoshiro256++ 1.0, seeded by `SplitMix64`.
///
/// Both are by David Blackman and Sebastiano Vigna (<https://prng.di.unimi.it>), in the public
/// domain. The numbers a seed gives are part of this crate's interface and never change.
///
/// ```
/// use moe_engine::sampling::Rng;
///
/// let mut rng = Rng::new(7);
/// let saved = rng.state();
/// let number = rng.next_u64();
/// let mut again = Rng::from_state(saved).expect("a state that a generator had");
/// assert_eq!(again.next_u64(), number);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The generator of a seed: its state is the first four numbers of `SplitMix64`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut split = seed;
        let mut next = || split_mix(&mut split);
        Self { state: [next(), next(), next(), next()] }
    }

    /// The generator with a state that [`Rng::state`] gave; `None` for all zeros, which no generator
    /// has.
    #[must_use]
    pub fn from_state(state: [u64; 4]) -> Option<Self> {
        (state != [0; 4]).then_some(Self { state })
    }

    /// The whole state, to go on from later.
    #[must_use]
    pub fn state(&self) -> [u64; 4] {
        self.state
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [s0, s1, s2, s3] = &mut self.state;
        let result = s0.wrapping_add(*s3).rotate_left(23).wrapping_add(*s0);
        let shifted = *s1 << 17;
        *s2 ^= *s0;
        *s3 ^= *s1;
        *s1 ^= *s2;
        *s0 ^= *s3;
        *s2 ^= shifted;
        *s3 = s3.rotate_left(45);
        result
    }

    /// A multiple of 2⁻⁵³ in [0, 1), from the upper 53 bits.
    pub fn next_f64(&mut self) -> f64 {
        // 53 bits are exact in an f64, and so is the division by a power of two.
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;

    /// The numbers that the reference code in C gives from this state; also in `rand_xoshiro`'s tests.
    #[test]
    fn xoshiro_gives_the_published_numbers() {
        let mut rng = Rng::from_state([1, 2, 3, 4]).unwrap();
        for expected in [
            41_943_041,
            58_720_359,
            3_588_806_011_781_223,
            3_591_011_842_654_386,
            9_228_616_714_210_784_205,
            9_973_669_472_204_895_162,
            14_011_001_112_246_962_877,
            12_406_186_145_184_390_807,
            15_849_039_046_786_891_736,
            10_450_023_813_501_588_000,
        ] {
            assert_eq!(rng.next_u64(), expected);
        }
    }

    /// The numbers listed for seed 1234567 at rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64.
    #[test]
    fn split_mix_gives_the_published_numbers() {
        let mut state = 1_234_567;
        for expected in [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ] {
            assert_eq!(split_mix(&mut state), expected);
        }
    }

    /// Kept for ever: who wrote down a seed must find the same text again.
    #[test]
    fn seeds_keep_their_numbers() {
        let first = |seed| {
            let mut rng = Rng::new(seed);
            [rng.next_u64(), rng.next_u64()]
        };
        assert_eq!(first(0), SEED_0);
        assert_eq!(first(42), SEED_42);
    }

    const SEED_0: [u64; 2] = [5_987_356_902_031_041_503, 7_051_070_477_665_621_255];
    const SEED_42: [u64; 2] = [15_021_278_609_987_233_951, 5_881_210_131_331_364_753];

    #[test]
    fn fractions_are_below_one() {
        let mut rng = Rng::new(1);
        let mean = (0..10_000).map(|_| rng.next_f64()).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.01);
        assert_eq!((u64::MAX >> 11) as f64 / (1_u64 << 53) as f64, 1.0 - f64::EPSILON / 2.0);
        assert_eq!(Rng::from_state([0; 4]), None);
    }
}
