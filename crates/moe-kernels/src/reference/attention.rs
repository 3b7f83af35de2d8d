//! Grouped-query attention with a sink per head and an optional sliding window.

use super::{check, dot, whole_rows};
use crate::{Error, Result};

/// Attention of one token, whose own key and value are the last of `keys` and `values`.
///
/// `q` and the result are `[query_heads · dim]` with `query_heads = sinks.len()`; `keys` and `values`
/// are `[tokens, kv_heads · dim]`. Query head `h` uses key head `h / (query_heads / kv_heads)`. A
/// `window` counts the token itself: with 1 it sees nothing else.
///
/// ```
/// use moe_kernels::reference::attend;
///
/// // Two query heads share one key head of one element; three tokens, of which the window shows two.
/// let (keys, values) = ([9.0, 0.0, 0.0], [9.0, 1.0, 2.0]);
/// let o = attend(&[5.0, 7.0], &keys, &values, &[f32::NEG_INFINITY, 0.0], 1, 0.5, Some(2))?;
/// assert_eq!(o, [1.5, 1.0]); // equal scores: 3 values over 2 keys, and over 2 keys and a sink
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn attend(
    q: &[f64],
    keys: &[f64],
    values: &[f64],
    sinks: &[f32],
    kv_heads: usize,
    scale: f64,
    window: Option<usize>,
) -> Result<Vec<f64>> {
    let dim = whole_rows("q of the reference attend", sinks.len(), q.len())?;
    let group = whole_rows("sinks of the reference attend", kv_heads, sinks.len())?;
    let tokens = whole_rows("keys of the reference attend", kv_heads * dim, keys.len())?;
    check("values of the reference attend", keys.len(), values.len())?;
    if window == Some(0) {
        return Err(Error::Count { argument: "window", expected: "at least 1", found: 0 });
    }

    let seen = window.unwrap_or(tokens).min(tokens);
    let mut o = Vec::with_capacity(q.len());
    for ((h, q), sink) in q.chunks_exact(dim).enumerate().zip(sinks) {
        let column = h / group * dim;
        let of_head = |rows: &'_ [f64]| -> Vec<Vec<f64>> {
            let rows = rows.chunks_exact(kv_heads * dim).skip(tokens - seen);
            rows.map(|row| row[column..column + dim].to_vec()).collect()
        };
        o.extend(attend_head(q, &of_head(keys), &of_head(values), *sink, scale)?);
    }
    Ok(o)
}

/// Attention of one head over the keys that it sees: `Σ w_j·values[j]` with
/// `w_j = e^{scale·q·keys[j]} / (Σ e^{scale·q·keys} + e^{sink})`.
///
/// `q` and the result are `[dim]`, `keys` and `values` `[seen]` of `[dim]`. The sink is a logit of
/// its own: not scaled, without a value; minus infinity means none.
///
/// ```
/// use moe_kernels::reference::attend_head;
///
/// let (keys, values) = ([vec![0.0], vec![1.0]], [vec![1.0], vec![-1.0]]);
/// let o = attend_head(&[3f64.ln()], &keys, &values, 4f32.ln(), 1.0)?;
/// assert!((o[0] - (1.0 - 3.0) / (1.0 + 3.0 + 4.0)).abs() < 1e-7); // ln 4 is rounded to f32
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn attend_head(
    q: &[f64],
    keys: &[Vec<f64>],
    values: &[Vec<f64>],
    sink: f32,
    scale: f64,
) -> Result<Vec<f64>> {
    check("values of the reference attend_head", keys.len(), values.len())?;
    for row in keys.iter().chain(values) {
        check("key or value of the reference attend_head", q.len(), row.len())?;
    }
    let scores: Vec<f64> = keys.iter().map(|key| dot(q, key) * scale).collect();
    let sink = f64::from(sink);
    let largest = scores.iter().copied().fold(sink, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
    let total = weights.iter().sum::<f64>() + (sink - largest).exp();
    let mut o = vec![0.0; q.len()];
    for (weight, value) in weights.iter().zip(values) {
        for (o, value) in o.iter_mut().zip(value) {
            *o += weight / total * value;
        }
    }
    Ok(o)
}

#[cfg(test)]
mod tests {
    use super::attend;
    use crate::Error;

    const NONE: f32 = f32::NEG_INFINITY;

    #[test]
    fn groups_of_query_heads_are_contiguous() {
        // One token: what a head gives is the value of its key head.
        let o = attend(&[0.0; 4], &[0.0; 2], &[1.0, 2.0], &[NONE; 4], 2, 1.0, None).unwrap();
        assert_eq!(o, [1.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn the_window_counts_the_token_itself() {
        let values = [1.0, 2.0, 3.0, 4.0];
        let mean = |window| attend(&[0.0], &[0.0; 4], &values, &[NONE], 1, 1.0, window).unwrap();
        assert_eq!(mean(Some(1)), [4.0]);
        assert_eq!(mean(Some(2)), [3.5]);
        assert_eq!(mean(Some(9)), [2.5]);
        assert_eq!(mean(None), [2.5]);
    }

    #[test]
    fn scores_of_hundreds_do_not_overflow() {
        let o = attend(&[1000.0], &[1.0, 0.0], &[1.0, 2.0], &[900.0], 1, 1.0, None).unwrap();
        assert_eq!(o, [1.0]);
        let o = attend(&[1.0], &[1.0], &[1.0], &[1000.0], 1, 1.0, None).unwrap();
        assert_eq!(o, [0.0]);
        let o = attend(&[1000.0], &[-1.0, -2.0], &[1.0, 2.0], &[NONE], 1, 1.0, None).unwrap();
        assert_eq!(o, [1.0]);
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let refused =
            |q: usize, keys: usize, values: usize, kv_heads, argument, expected, found| {
                let (q, keys, values) = (vec![0.0; q], vec![0.0; keys], vec![0.0; values]);
                let o = attend(&q, &keys, &values, &[0.0; 2], kv_heads, 1.0, None);
                assert_eq!(o, Err(Error::Length { argument, expected, found }));
            };
        refused(3, 2, 2, 1, "q of the reference attend", 4, 3);
        refused(2, 3, 3, 3, "sinks of the reference attend", 3, 2);
        refused(2, 3, 3, 0, "sinks of the reference attend", 1, 2);
        refused(2, 3, 3, 2, "keys of the reference attend", 4, 3);
        refused(2, 0, 0, 2, "keys of the reference attend", 2, 0);
        refused(2, 2, 4, 2, "values of the reference attend", 2, 4);
    }

    #[test]
    fn a_window_of_nothing_is_refused() {
        let o = attend(&[0.0], &[0.0], &[0.0], &[0.0], 1, 1.0, Some(0));
        assert!(matches!(o, Err(Error::Count { found: 0, .. })), "{o:?}");
    }
}
