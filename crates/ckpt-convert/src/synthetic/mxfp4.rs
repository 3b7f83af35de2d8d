use super::Granules;
use super::quantile::quantile;
use super::stream::Stream;

/// How MXFP4 weights of a given fan-in are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    /// The lowest of the three exponent bytes.
    pub(super) low_scale: u8,
    /// A lane whose low seven bits are above entry `j` has at least magnitude code `j + 1`.
    above: [i8; 7],
}

/// Scales are half, once and twice the middle one with probabilities 1/4, 1/2, 1/4: together they
/// multiply the deviation by `sqrt(1/16 + 1/2 + 1)`.
const SCALE_DEVIATION: f64 = 1.25;

/// Halfway between neighbouring e2m1 magnitudes 0, 0.5, 1, 1.5, 2, 3, 4, 6.
const BOUNDARIES: [f64; 7] = [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0];

impl Recipe {
    /// Weights of deviation `1 / sqrt(inputs)`: the middle scale is the power of two that leaves
    /// codes of a deviation between 1 and 2, where e2m1 neither starves nor overflows.
    pub(super) fn new(inputs: usize) -> Self {
        let deviation = 1.0 / ((inputs.max(1) as f64).sqrt() * SCALE_DEVIATION);
        // The exponent field of a normal f64, rebased from 1023 to the 127 of E8M0; at most 2^64
        // inputs keep it within 94..=126.
        let middle_scale = ((deviation.to_bits() >> 52) as u32).saturating_sub(1023 - 127) as u8;
        let codes = f64::from_bits(deviation.to_bits() & (u64::MAX >> 12) | 1023 << 52);
        let above = BOUNDARIES.map(|boundary| {
            let below = (0..128_u8).filter(|&lane| {
                let z = quantile(0.5 + (f64::from(lane) + 0.5) / 256.0);
                z * codes < boundary
            });
            below.count().saturating_sub(1) as i8
        });
        Self { low_scale: middle_scale.saturating_sub(1), above }
    }

    /// The e2m1 code that a random byte chooses.
    #[inline]
    pub(super) fn code(self, lane: u8) -> u8 {
        let choice = (lane & 0x7f).cast_signed();
        let mut code = (lane >> 4) & 8;
        for above in self.above {
            code += u8::from(choice > above);
        }
        code
    }

    /// How many of the three scales above the low one a random byte chooses.
    #[inline]
    pub(super) fn step(lane: u8) -> u8 {
        u8::from(lane >= 64) + u8::from(lane >= 192)
    }
}

/// A tensor of packed codes: eight bytes to two words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    stream: Stream,
    recipe: Recipe,
}

impl Blocks {
    pub(super) fn new(stream: Stream, inputs: usize) -> Self {
        Self { stream, recipe: Recipe::new(inputs) }
    }

    #[inline]
    fn pack<const N: usize>(
        &self,
        low: &[[u8; 8]; N],
        high: &[[u8; 8]; N],
        dst: &mut [[u8; 8]; N],
    ) {
        let halves = low.as_flattened().iter().zip(high.as_flattened());
        for (byte, (&low, &high)) in dst.as_flattened_mut().iter_mut().zip(halves) {
            *byte = self.recipe.code(low) | self.recipe.code(high) << 4;
        }
    }
}

impl Granules for Blocks {
    fn one(&self, index: u64) -> [u8; 8] {
        let word = |half| self.stream.word(index.wrapping_mul(2).wrapping_add(half)).to_le_bytes();
        let mut granule = [[0; 8]];
        self.pack(&[word(0)], &[word(1)], &mut granule);
        granule[0]
    }

    fn many(&self, first: u64, dst: &mut [[u8; 8]]) {
        // Sixty-four bytes at a time fill whole vector registers.
        let (runs, rest) = dst.as_chunks_mut::<8>();
        let mut index = first;
        for run in runs {
            let (mut low, mut high) = ([[0; 8]; 8], [[0; 8]; 8]);
            for (low, high) in low.iter_mut().zip(&mut high) {
                *low = self.stream.word(index.wrapping_mul(2)).to_le_bytes();
                *high = self.stream.word(index.wrapping_mul(2).wrapping_add(1)).to_le_bytes();
                index += 1;
            }
            self.pack(&low, &high, run);
        }
        for (index, granule) in (index..).zip(rest) {
            *granule = self.one(index);
        }
    }
}

/// A tensor of scales: eight bytes to a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scales {
    stream: Stream,
    low: u8,
}

impl Scales {
    pub(super) fn new(stream: Stream, inputs: usize) -> Self {
        Self { stream, low: Recipe::new(inputs).low_scale }
    }
}

impl Granules for Scales {
    #[inline]
    fn one(&self, index: u64) -> [u8; 8] {
        self.stream.word(index).to_le_bytes().map(|lane| self.low + Recipe::step(lane))
    }

    fn many(&self, first: u64, dst: &mut [[u8; 8]]) {
        let (runs, rest) = dst.as_chunks_mut::<8>();
        let mut index = first;
        for run in runs {
            for granule in run.iter_mut() {
                *granule = self.stream.word(index).to_le_bytes();
                index += 1;
            }
            for byte in run.as_flattened_mut() {
                *byte = self.low + Recipe::step(*byte);
            }
        }
        for (index, granule) in (index..).zip(rest) {
            *granule = self.one(index);
        }
    }
}
