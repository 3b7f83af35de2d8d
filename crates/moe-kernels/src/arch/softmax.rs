//! Scores to probabilities.

use super::Level;
use super::exp::exp;
use super::round::bf16;
use super::simd::{Kernel, Simd};

/// A softmax over scaled scores and a sink.
#[derive(Debug)]
pub(crate) struct Softmax<'a> {
    /// Products of a query with keys, which become probabilities.
    pub(crate) scores: &'a mut [f32],
    /// Factor of the products.
    pub(crate) scale: f32,
    /// One more logit, which is not scaled.
    pub(crate) sink: f32,
    /// Round products, logits, their distances from the largest, and probabilities to bf16.
    pub(crate) bf16: bool,
}

/// Turns scores into probabilities. The order of the sum is that of the scores alone.
pub(crate) fn softmax(level: Level, softmax: Softmax<'_>) {
    level.run(softmax);
}

impl Kernel for Softmax<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        if self.bf16 { self.rounded::<S, true>(simd) } else { self.rounded::<S, false>(simd) }
    }
}

impl Softmax<'_> {
    #[inline(always)]
    fn rounded<S: Simd, const BF16: bool>(self, simd: S) {
        let largest = logits::<BF16>(self.scores, self.scale, self.sink);
        let sink = exp(simd, step::<BF16>(self.sink - largest));
        let total = f64::from(sink) + exponentials::<S, BF16>(simd, self.scores, largest);
        let total = total as f32;
        for score in self.scores {
            *score = step::<BF16>(*score / total);
        }
    }
}

#[inline(always)]
fn step<const BF16: bool>(value: f32) -> f32 {
    if BF16 { bf16(value) } else { value }
}

/// Scales the scores and gives the largest of them and the sink.
#[inline(always)]
fn logits<const BF16: bool>(scores: &mut [f32], scale: f32, sink: f32) -> f32 {
    let mut largest = [sink; 16];
    let (chunks, rest) = scores.as_chunks_mut::<16>();
    for chunk in chunks {
        for (score, largest) in chunk.iter_mut().zip(&mut largest) {
            *score = step::<BF16>(step::<BF16>(*score) * scale);
            *largest = larger(*score, *largest);
        }
    }
    for score in rest {
        *score = step::<BF16>(step::<BF16>(*score) * scale);
        largest[0] = larger(*score, largest[0]);
    }
    let mut all = largest[0];
    for one in &largest[1..] {
        all = larger(*one, all);
    }
    all
}

/// The larger one; of NaN and a number the number.
#[inline(always)]
fn larger(new: f32, old: f32) -> f32 {
    if new > old { new } else { old }
}

/// Replaces logits by their exponentials, and gives the sum of these.
#[inline(always)]
fn exponentials<S: Simd, const BF16: bool>(simd: S, scores: &mut [f32], largest: f32) -> f64 {
    let mut sums = [0f64; 16];
    let (chunks, rest) = scores.as_chunks_mut::<16>();
    for chunk in chunks {
        // Apart from the sums, which take registers twice as wide.
        for score in &mut *chunk {
            *score = exp(simd, step::<BF16>(*score - largest));
        }
        for (score, sum) in chunk.iter().zip(&mut sums) {
            *sum += f64::from(*score);
        }
    }
    for (score, sum) in rest.iter_mut().zip(&mut sums) {
        *score = exp(simd, step::<BF16>(*score - largest));
        *sum += f64::from(*score);
    }
    let mut total = 0.0;
    for sum in sums {
        total += sum;
    }
    total
}
