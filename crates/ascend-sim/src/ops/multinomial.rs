//! Random draws by weight.

use super::access;
use super::check::{Check, FLOATS};
use super::order::{float_key, in_order};
use crate::dtype::DataType;
use crate::kernel::{Cost, Fault, Kernel, Reject};
use crate::profile::Site;
use crate::tensor::Tensor;

/// Categories that `aclnnMultinomial` chooses among, at most.
const MAX_CATEGORIES: i64 = 1 << 24;

/// `numsamples` indices of each row, by weights that need not sum to 1; the same for the same seed and offset.
///
/// The generator is not that of the device: only the distribution is the same.
pub(super) fn multinomial(
    site: &Site,
    self_: Tensor,
    numsamples: i64,
    replacement: bool,
    seed: i64,
    offset: i64,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnMultinomial");
    check.input("self", &self_)?;
    check.output("out", &out)?;
    check.dtype("self", &self_, FLOATS)?;
    check.dtype("out", &out, &[DataType::I64])?;
    check.rank("self", &self_, 1..=2)?;
    let (rows, width) = self_.shape.split_at(self_.shape.len() - 1);
    let got = format_args!("{} categories wide", width[0]);
    check.require((1..=MAX_CATEGORIES).contains(&width[0]), "self", got, "1 to 2^24")?;
    let most = if replacement { i64::MAX } else { width[0] };
    let expected = format_args!("1 to {most}");
    check.require((1..=most).contains(&numsamples), "numsamples", numsamples, expected)?;
    check.shape("out", &out, &[rows, &[numsamples]].concat())?;
    let (width, samples) = (width[0] as usize, numsamples as usize);
    let cost = Cost::of(&[&self_, &out], self_.len() as u64);
    Ok(Kernel::new(cost, move |mem| {
        let weights = access::floats(mem, &self_)?;
        let mut chosen = Vec::with_capacity(out.len());
        for (row, weights) in weights.chunks_exact(width).enumerate() {
            let sum = weights.iter().map(|&weight| f64::from(weight)).sum::<f64>();
            if weights.iter().any(|weight| !weight.is_finite() || *weight < 0.0) || sum <= 0.0 {
                let message = format!("aclnnMultinomial: row {row} is no distribution");
                return Err(Fault::vector(message));
            }
            let uniform = |at: usize| unit(seed, offset, (row * width.max(samples) + at) as u64);
            if replacement {
                chosen.extend((0..samples).map(|at| inverse(weights, uniform(at) * sum) as i64));
            } else {
                // The largest w / e, with e exponential: each is chosen as if those before it were gone.
                let race = weights.iter().enumerate().map(|(at, &weight)| {
                    float_key(-(f64::from(weight) / -uniform(at).ln()) as f32)
                });
                let race = race.collect::<Vec<_>>();
                chosen.extend(in_order(&race, samples, false).into_iter().map(|at| at as i64));
            }
        }
        access::write_integers(mem, &out, &chosen)
    }))
}

/// The category that a point of the running sum falls into.
fn inverse(weights: &[f32], point: f64) -> usize {
    let mut sum = 0.0;
    let found = weights.iter().position(|&weight| {
        sum += f64::from(weight);
        weight > 0.0 && sum > point
    });
    found.or_else(|| weights.iter().rposition(|&weight| weight > 0.0)).unwrap_or(0)
}

/// A number in (0, 1) for a place of a sequence: `SplitMix64` of seed, offset and place.
fn unit(seed: i64, offset: i64, place: u64) -> f64 {
    let mixed = mix(mix(seed.cast_unsigned()) ^ offset.cast_unsigned()).wrapping_add(place);
    ((mix(mixed) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

#[cfg(test)]
mod tests;
