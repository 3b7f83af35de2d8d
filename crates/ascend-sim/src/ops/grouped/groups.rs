//! Which rows belong to which matrix.

use crate::dtype::DataType;
use crate::kernel::{Fault, Reject};
use crate::memory::Memory;
use crate::ops::access::integers;
use crate::ops::check::Check;
use crate::tensor::Tensor;

/// The list of groups, as it was given.
#[derive(Debug)]
pub(super) enum Groups {
    None,
    /// Cumulative counts.
    Host(Vec<i64>),
    /// Read when the kernel runs.
    Device(Tensor),
}

/// `groupListType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListType {
    Cumulative,
    Counts,
    /// Expert and count; those with rows first.
    Pairs,
}

/// Rows `start..end` go through the matrix of an expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) expert: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Groups {
    /// Checks what is known before the kernel runs.
    pub(super) fn check(
        &self,
        check: &Check,
        experts: i64,
        rows: i64,
        list_type: ListType,
    ) -> Result<(), Reject> {
        const NAME: &str = "groupListOptional";
        match self {
            Self::None => Ok(()),
            Self::Host(ends) => {
                let got = format_args!("{ends:?}");
                let expected = format_args!("{experts} numbers");
                check.require(ends.len() as i64 == experts, NAME, got, expected)?;
                let fits = cumulative(ends).is_some_and(|last| last <= rows);
                let expected = format_args!("cumulative counts of at most {rows} rows");
                check.require(fits, NAME, got, expected)
            }
            Self::Device(tensor) => {
                check.input(NAME, tensor)?;
                // Counts of aclnnMoeInitRoutingV2 are int32 and need a cast first.
                check.dtype(NAME, tensor, &[DataType::I64])?;
                match list_type {
                    ListType::Pairs => check.shape(NAME, tensor, &[experts, 2]),
                    _ => check.shape(NAME, tensor, &[experts]),
                }
            }
        }
    }

    /// The groups that have rows, as they are in memory now; `None` without a list.
    pub(super) fn spans(
        &self,
        mem: &dyn Memory,
        operator: &str,
        experts: usize,
        rows: usize,
        list_type: ListType,
    ) -> Result<Option<Vec<Span>>, Fault> {
        let list = match self {
            Self::None => return Ok(None),
            Self::Host(ends) => ends.clone(),
            Self::Device(tensor) => integers(mem, tensor)?,
        };
        let spans = match list_type {
            ListType::Cumulative => cumulative(&list).map(|_| {
                let starts = std::iter::once(0).chain(list.iter().copied());
                let spans = starts.zip(&list).enumerate();
                spans.map(|(expert, (start, &end))| span(expert as i64, start, end)).collect()
            }),
            ListType::Counts => consecutive((0..).zip(list.iter().copied())),
            ListType::Pairs => {
                let pairs = list.chunks_exact(2).map(|pair| (pair[0], pair[1]));
                consecutive(pairs)
            }
        };
        let fits =
            |spans: &Vec<Span>| spans.iter().all(|span| span.expert < experts && span.end <= rows);
        let spans: Vec<Span> = spans.filter(fits).ok_or_else(|| {
            let kind = format!("{list_type:?} groups of at most {rows} rows and {experts} experts");
            Fault::cube(format!("{operator}: groupList holds {list:?}, expected {kind}"))
        })?;
        Ok(Some(spans.into_iter().filter(|span| span.start < span.end).collect()))
    }
}

/// The last of numbers that never fall.
fn cumulative(ends: &[i64]) -> Option<i64> {
    let mut last = 0;
    for &end in ends {
        if end < last {
            return None;
        }
        last = end;
    }
    Some(last)
}

fn consecutive(counts: impl Iterator<Item = (i64, i64)>) -> Option<Vec<Span>> {
    let mut start = 0i64;
    counts
        .map(|(expert, count)| {
            if expert < 0 || count < 0 {
                return None;
            }
            let from = start;
            start = start.checked_add(count)?;
            Some(span(expert, from, start))
        })
        .collect()
}

fn span(expert: i64, start: i64, end: i64) -> Span {
    Span { expert: expert as usize, start: start as usize, end: end as usize }
}
