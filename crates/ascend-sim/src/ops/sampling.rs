//! Filters of logits, and the choice of a token.

use super::access;
use super::check::{Check, FLOATS, HALVES};
use super::order::{float_key, in_order};
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, NULL_POINTER, Reject};
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

/// −∞ for what is not among the `k` largest of its row (or equal to the last of them), nor among those that make up
/// probability `p`; the largest always stays. A `k` below 1 or beyond the row filters nothing; either of both may be null.
pub(super) fn apply_top_k_top_p(
    site: &Site,
    logits: Tensor,
    p: Option<Tensor>,
    k: Option<Tensor>,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnApplyTopKTopP");
    if p.is_none() && k.is_none() {
        return Err(check.reject_as(NULL_POINTER, "p", "null like k", "one of both"));
    }
    check.input("logits", &logits)?;
    check.dtype("logits", &logits, FLOATS)?;
    check.rank("logits", &logits, 2..=2)?;
    check.output("out", &out)?;
    check.same_dtype("out", &out, "logits", &logits)?;
    check.shape("out", &out, &logits.shape)?;
    let rows = &logits.shape[..1];
    if let Some(p) = &p {
        check.input("p", p)?;
        check.same_dtype("p", p, "logits", &logits)?;
        check.shape("p", p, rows)?;
    }
    if let Some(k) = &k {
        check.input("k", k)?;
        check.dtype("k", k, &[DataType::I32])?;
        check.shape("k", k, rows)?;
    }
    let cost = Cost::of(&[&logits, &out], 8 * logits.len() as u64);
    let width = logits.shape[1] as usize;
    Ok(Kernel::new(cost, move |mem| {
        let mut values = access::floats(mem, &logits)?;
        let p = p.as_ref().map(|p| access::floats(mem, p)).transpose()?;
        let k = k.as_ref().map(|k| access::integers(mem, k)).transpose()?;
        for (row, values) in values.chunks_exact_mut(width.max(1)).enumerate() {
            filter(values, k.as_ref().map(|k| k[row]), p.as_ref().map(|p| p[row]));
        }
        access::write_converted(mem, &out, &values)
    }))
}

fn filter(values: &mut [f32], k: Option<i64>, p: Option<f32>) {
    let keys = values.iter().copied().map(float_key).collect::<Vec<_>>();
    let ascending = in_order(&keys, keys.len(), false);
    if let Some(k) = k.and_then(|k| usize::try_from(k).ok())
        && (1..values.len()).contains(&k)
    {
        let threshold = values[ascending[values.len() - k]];
        for value in &mut *values {
            if *value < threshold {
                *value = f32::NEG_INFINITY;
            }
        }
    }
    if let Some(p) = p {
        let mut sorted = ascending.iter().map(|&at| values[at]).collect::<Vec<_>>();
        softmax(&mut sorted);
        let mut sum = 0.0;
        for (&at, probability) in ascending.iter().zip(&sorted).take(values.len() - 1) {
            sum += probability;
            if sum <= 1.0 - p {
                values[at] = f32::NEG_INFINITY;
            }
        }
    }
}

fn softmax(values: &mut [f32]) {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for value in &mut *values {
        *value = (*value - largest).exp();
        sum += *value;
    }
    for value in values {
        *value /= sum;
    }
}

/// The largest `topK` that this operator filters by.
const MAX_TOP_K: i64 = 1024;
/// The longest row it takes.
const MAX_VOCABULARY: i64 = 1 << 20;

/// A token of each row: the largest of `softmax(kept) / (q + eps)`, where kept are the `topK` largest and of those the
/// most probable until `topP` is reached. `q` holds samples of an exponential distribution, in the order of the sorted
/// row; null takes the largest. A `topK` outside `1..=min(row, 1024)` and a `topP` of 1 or more filter nothing.
///
/// `logitsTopKPSelect` gets the kept logits and −∞ elsewhere if `isNeedLogits`; else it is not written.
pub(super) fn top_k_top_p_sample(
    site: &Site,
    logits: Tensor,
    top_k: Tensor,
    top_p: Tensor,
    q: Option<Tensor>,
    eps: f64,
    is_need_logits: bool,
    top_k_guess: i64,
    logits_select_idx: Tensor,
    logits_top_kp_select: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnTopKTopPSample");
    check.chip(&[Soc::Ascend910B3, Soc::Ascend910B4, Soc::Ascend910_93])?;
    check.input("logits", &logits)?;
    check.dtype("logits", &logits, HALVES)?;
    check.rank("logits", &logits, 2..=2)?;
    let (rows, width) = (logits.shape[0], logits.shape[1]);
    let got = format_args!("of shape {:?}", logits.shape);
    let fits = rows > 0 && (1..=MAX_VOCABULARY).contains(&width);
    check.require(fits, "logits", got, "rows of 1 to 2^20")?;
    for (name, tensor, dtype) in [("topK", &top_k, DataType::I32), ("topP", &top_p, logits.dtype)] {
        check.input(name, tensor)?;
        check.dtype(name, tensor, &[dtype])?;
        check.shape(name, tensor, &[rows])?;
    }
    if let Some(q) = &q {
        check.input("q", q)?;
        check.dtype("q", q, &[DataType::F32])?;
        check.shape("q", q, &logits.shape)?;
    }
    check.require(top_k_guess > 0, "topKGuess", top_k_guess, "at least 1")?;
    check.output("logitsSelectIdx", &logits_select_idx)?;
    check.dtype("logitsSelectIdx", &logits_select_idx, &[DataType::I64])?;
    check.shape("logitsSelectIdx", &logits_select_idx, &[rows])?;
    check.output("logitsTopKPSelect", &logits_top_kp_select)?;
    check.dtype("logitsTopKPSelect", &logits_top_kp_select, &[DataType::F32])?;
    check.shape("logitsTopKPSelect", &logits_top_kp_select, &logits.shape)?;
    let cost = Cost::of(&[&logits, &logits], 8 * logits.len() as u64);
    let width = width as usize;
    Ok(Kernel::new(cost, move |mem| {
        let logits = access::floats(mem, &logits)?;
        let (top_k, top_p) = (access::integers(mem, &top_k)?, access::floats(mem, &top_p)?);
        let q = q.as_ref().map(|q| access::floats(mem, q)).transpose()?;
        let mut tokens = Vec::with_capacity(top_k.len());
        let mut selected = vec![f32::NEG_INFINITY; logits.len()];
        for (row, logits) in logits.chunks_exact(width).enumerate() {
            let kept = kept(logits, top_k[row], top_p[row]);
            let mut scores = kept.iter().map(|&at| logits[at]).collect::<Vec<_>>();
            softmax(&mut scores);
            if let Some(q) = &q {
                for (score, q) in scores.iter_mut().zip(&q[row * width..]) {
                    *score /= q + eps as f32;
                }
            }
            let keys = scores.iter().copied().map(float_key).collect::<Vec<_>>();
            let best = in_order(&keys, 1, true);
            tokens.extend(best.into_iter().map(|best| kept[best] as i64));
            for at in kept {
                selected[row * width + at] = logits[at];
            }
        }
        if is_need_logits {
            access::write_converted(mem, &logits_top_kp_select, &selected)?;
        }
        access::write_integers(mem, &logits_select_idx, &tokens)
    }))
}

/// Places of what the filters leave, the largest first; in their own order where nothing filters.
fn kept(logits: &[f32], top_k: i64, top_p: f32) -> Vec<usize> {
    let by_k = (1..=MAX_TOP_K.min(logits.len() as i64)).contains(&top_k);
    if !by_k && top_p >= 1.0 {
        return (0..logits.len()).collect();
    }
    let keys = logits.iter().copied().map(float_key).collect::<Vec<_>>();
    let mut places = in_order(&keys, if by_k { top_k as usize } else { logits.len() }, true);
    if top_p < 1.0 {
        let mut probabilities = places.iter().map(|&at| logits[at]).collect::<Vec<_>>();
        softmax(&mut probabilities);
        let mut before = 0.0;
        let enough = probabilities.iter().position(|probability| {
            let full = before > top_p;
            before += probability;
            full
        });
        places.truncate(enough.unwrap_or(places.len()).max(1));
    }
    places
}

#[cfg(test)]
mod tests;
