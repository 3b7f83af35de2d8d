//! One line for what every layer has.

use std::collections::{BTreeMap, BTreeSet};

use lowfloat::DType;
use serde::Serialize;

use super::{TensorSummary, Totals};
use crate::presets::gpt_oss::Group;

/// Tensors whose names differ only in numbers, of the same type and shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Pattern {
    /// The names together, as a shell would expand them: `model.layers.{0..23}.mlp.router.bias`,
    /// `{0..22..2}` for even numbers, `{0..3,5}` for some; more than eight runs are cut short with
    /// `…`.
    pub name: String,
    /// The type of their elements.
    #[serde(serialize_with = "super::as_name")]
    pub dtype: DType,
    /// The shape of each.
    pub shape: Vec<usize>,
    /// The part of the model that they belong to.
    #[serde(serialize_with = "super::as_name")]
    pub group: Group,
    /// What they add up to.
    #[serde(flatten)]
    pub totals: Totals,
    /// The names that `name` stands for: more than there are tensors where not every layer (or
    /// expert) has one.
    pub names: u64,
}

/// What tensors must share to be folded, in the order of the result: by part of the model, then by
/// name.
type Key<'a> = (Group, Vec<Part<'a>>, DType, &'a [usize]);

/// What lies between the dots of a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Number,
    Text(&'a str),
}

#[derive(Default)]
struct Folded {
    totals: Totals,
    /// The numbers found at each [`Part::Number`].
    numbers: Vec<BTreeSet<u64>>,
}

pub(super) fn fold(tensors: &[TensorSummary]) -> Vec<Pattern> {
    let mut patterns = BTreeMap::<Key<'_>, Folded>::new();
    for tensor in tensors {
        let mut found = Vec::new();
        let parts = tensor.name.split('.').map(|part| match number(part) {
            Some(number) => {
                found.push(number);
                Part::Number
            }
            None => Part::Text(part),
        });
        let key = (tensor.group, parts.collect(), tensor.dtype, &tensor.shape[..]);
        let folded = patterns.entry(key).or_default();
        folded.totals.add(tensor);
        folded.numbers.resize_with(found.len(), BTreeSet::new);
        folded.numbers.iter_mut().zip(found).for_each(|(set, number)| {
            set.insert(number);
        });
    }
    patterns.into_iter().map(|(key, folded)| pattern(key, &folded)).collect()
}

fn pattern((group, parts, dtype, shape): Key<'_>, folded: &Folded) -> Pattern {
    let mut numbers = folded.numbers.iter();
    let parts: Vec<_> = parts
        .iter()
        .map(|part| match part {
            Part::Number => numbers.next().map(range).unwrap_or_default(),
            Part::Text(text) => (*text).to_owned(),
        })
        .collect();
    let counts = folded.numbers.iter().map(|set| set.len() as u64);
    Pattern {
        name: parts.join("."),
        dtype,
        shape: shape.to_vec(),
        group,
        totals: folded.totals,
        names: counts.fold(1, u64::saturating_mul),
    }
}

/// Only what prints back as it was read: `007` is text.
fn number(part: &str) -> Option<u64> {
    let digits = part.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (part == "0" || !part.starts_with('0'));
    plain.then(|| part.parse().ok())?
}

/// Runs that are written out before the rest is cut short.
const MAX_RUNS: usize = 8;

fn range(numbers: &BTreeSet<u64>) -> String {
    let numbers: Vec<_> = numbers.iter().copied().collect();
    match (&numbers[..], step(&numbers)) {
        ([], _) => String::new(),
        ([only], _) => only.to_string(),
        ([first, .., last], Some(1)) => format!("{{{first}..{last}}}"),
        ([first, _, .., last], Some(step)) => format!("{{{first}..{last}..{step}}}"),
        _ => format!("{{{}}}", runs(&numbers)),
    }
}

/// The distance between all neighbours, where it is the same.
fn step(numbers: &[u64]) -> Option<u64> {
    let mut steps = numbers.windows(2).map(|pair| pair[1] - pair[0]);
    let first = steps.next()?;
    steps.all(|step| step == first).then_some(first)
}

fn runs(numbers: &[u64]) -> String {
    let mut runs: Vec<_> = numbers
        .chunk_by(|a, b| b - a == 1)
        .map(|run| match run {
            [first, _, .., last] => format!("{first}..{last}"),
            run => run.iter().map(u64::to_string).collect::<Vec<_>>().join(","),
        })
        .collect();
    if runs.len() > MAX_RUNS {
        runs.splice(MAX_RUNS - 1..runs.len() - 1, ["…".to_owned()]);
    }
    runs.join(",")
}
