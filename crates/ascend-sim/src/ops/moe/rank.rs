//! Orders: largest first, and rows by expert.

use std::cmp::Ordering;

/// The indices of the `k` largest, largest first; of equals the first, NaN before all.
pub(super) fn largest(values: &[f32], k: usize) -> Vec<usize> {
    let mut order = (0..values.len()).collect::<Vec<_>>();
    order.sort_by(|&a, &b| descending(values[a], values[b]));
    order.truncate(k);
    order
}

fn descending(a: f32, b: f32) -> Ordering {
    b.partial_cmp(&a).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

/// Softmax in place, in f32: the largest is subtracted, sums go from first to last.
pub(super) fn softmax(values: &mut [f32]) {
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

/// The positions of a list of experts, by expert; those of one expert keep their order.
pub(super) fn by_expert(experts: &[i64]) -> Vec<usize> {
    let mut order = (0..experts.len()).collect::<Vec<_>>();
    order.sort_by_key(|&position| experts[position]);
    order
}
