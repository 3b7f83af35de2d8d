//! Where sequences begin and end.

use crate::kernel::{NO_TILING, Reject};
use crate::ops::check::Check;

/// A sequence of queries and its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) batch: usize,
    /// Where it begins among packed queries.
    pub(super) query_start: usize,
    pub(super) queries: usize,
    /// Where it begins among packed keys.
    pub(super) key_start: usize,
    pub(super) keys: usize,
}

/// Lengths of each batch from cumulative ones: not negative, never falling, the last equal to the tokens there are.
pub(super) fn cumulative(
    check: &Check,
    name: &str,
    list: Option<&[i64]>,
    tokens: i64,
) -> Result<Vec<usize>, Reject> {
    let expected = format_args!("cumulative lengths that end with {tokens}");
    let Some(list) = list.filter(|list| !list.is_empty()) else {
        return Err(check.reject_as(NO_TILING, name, "null", expected));
    };
    let mut start = 0;
    let mut lengths = Vec::with_capacity(list.len());
    for &end in list {
        check.tiling(end >= start, name, format_args!("{list:?}"), expected)?;
        lengths.push((end - start) as usize);
        start = end;
    }
    check.tiling(start == tokens, name, format_args!("{list:?}"), expected)?;
    Ok(lengths)
}

/// Lengths of each batch: one for all, or at least one for each; `most` without a list, and at most.
pub(super) fn separate(
    check: &Check,
    name: &str,
    list: Option<&[i64]>,
    batch: i64,
    most: impl Fn(usize) -> i64,
) -> Result<Vec<usize>, Reject> {
    let list = list.filter(|list| !list.is_empty());
    let mut lengths = Vec::with_capacity(batch as usize);
    for at in 0..batch as usize {
        let most = most(at);
        let tokens = match list {
            None => most,
            Some(&[one]) => one,
            Some(list) => {
                let got = format_args!("{} lengths", list.len());
                let expected = format_args!("1 or at least {batch}");
                check.tiling(list.len() as i64 >= batch, name, got, expected)?;
                list[at]
            }
        };
        let expected = format_args!("0 to {most}");
        check.tiling((0..=most).contains(&tokens), name, tokens, expected)?;
        lengths.push(tokens as usize);
    }
    Ok(lengths)
}

/// Pairs lengths; starts count up, as in packed layouts.
pub(super) fn sequences(queries: &[usize], keys: &[usize]) -> Vec<Sequence> {
    let (mut query_start, mut key_start) = (0, 0);
    let pairs = queries.iter().zip(keys).enumerate();
    pairs
        .map(|(batch, (&queries, &keys))| {
            let sequence = Sequence { batch, query_start, queries, key_start, keys };
            query_start += queries;
            key_start += keys;
            sequence
        })
        .collect()
}
