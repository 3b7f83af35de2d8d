//! `aclnnMoeFinalizeRoutingV3`: experts that compute nothing.

use super::finalize::Combine;
use crate::kernel::{Fault, Kernel, NO_TILING, NULL_POINTER, Reject};
use crate::memory::Memory;
use crate::ops::access::floats;
use crate::ops::check::Check;
use crate::profile::Site;
use crate::tensor::Tensor;

/// As the second version; in ranges of experts, those that answer nothing, the token itself, or `a1 · x + a2 · v`.
pub(crate) fn finalize_routing_v3(
    site: &Site,
    expanded_x: Tensor,
    expanded_row_idx: Tensor,
    x1: Option<Tensor>,
    x2: Option<Tensor>,
    bias: Option<Tensor>,
    scales: Option<Tensor>,
    expert_idx: Option<Tensor>,
    x: Option<Tensor>,
    a1: Option<Tensor>,
    a2: Option<Tensor>,
    v: Option<Tensor>,
    drop_pad_mode: i64,
    zero_expert_range: Option<Vec<i64>>,
    copy_expert_range: Option<Vec<i64>>,
    constant_expert_range: Option<Vec<i64>>,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnMoeFinalizeRoutingV3");
    let kinds = Kinds {
        zero: range(&check, "zeroExpertRange", zero_expert_range)?,
        copy: range(&check, "copyExpertRange", copy_expert_range)?,
        constant: range(&check, "constantExpertRange", constant_expert_range)?,
        x,
        a1,
        a2,
        v,
    };
    kinds.check(&check, &out, expert_idx.is_some())?;
    let combine = Combine {
        expanded_x,
        expanded_row_idx,
        x1,
        x2,
        bias,
        scales,
        expert_idx,
        mode: drop_pad_mode,
        out,
    };
    combine.prepare(check, NO_TILING, Some(kinds))
}

/// A range that nobody gave has no experts.
fn range(
    check: &Check,
    name: &str,
    range: Option<Vec<i64>>,
) -> Result<std::ops::Range<i64>, Reject> {
    match range.as_deref() {
        None | Some([]) => Ok(0..0),
        Some(&[start, end]) if 0 <= start && start < end => Ok(start..end),
        Some(other) => {
            let got = format_args!("{other:?}");
            Err(check.reject_as(NO_TILING, name, got, "[start, end) with 0 <= start < end"))
        }
    }
}

pub(super) struct Kinds {
    zero: std::ops::Range<i64>,
    copy: std::ops::Range<i64>,
    constant: std::ops::Range<i64>,
    x: Option<Tensor>,
    a1: Option<Tensor>,
    a2: Option<Tensor>,
    v: Option<Tensor>,
}

impl Kinds {
    fn check(&self, check: &Check, out: &Tensor, experts_given: bool) -> Result<(), Reject> {
        let ranges = [&self.zero, &self.copy, &self.constant];
        if ranges.iter().all(|range| range.is_empty()) {
            return Ok(());
        }
        let needs = |given: bool, name: &str| {
            let expected = "given where a range of experts needs it";
            if given { Ok(()) } else { Err(check.reject_as(NULL_POINTER, name, "null", expected)) }
        };
        needs(experts_given, "expertIdxOptional")?;
        for (at, one) in ranges.iter().enumerate() {
            for other in &ranges[at + 1..] {
                let apart = one.is_empty()
                    || other.is_empty()
                    || one.end <= other.start
                    || other.end <= one.start;
                let got = format_args!("{one:?} and {other:?}");
                check.tiling(apart, "a range of experts", got, "ranges that do not overlap")?;
            }
        }
        if !self.copy.is_empty() || !self.constant.is_empty() {
            needs(self.x.is_some(), "xOptional")?;
        }
        if !self.constant.is_empty() {
            needs(self.a1.is_some(), "a1Optional")?;
            needs(self.a2.is_some(), "a2Optional")?;
            needs(self.v.is_some(), "vOptional")?;
        }
        let width = out.shape.last().copied().unwrap_or(0);
        let constants = vec![self.constant.end - self.constant.start, width];
        for (name, tensor, expected) in [
            ("xOptional", &self.x, &out.shape),
            ("a1Optional", &self.a1, &constants),
            ("a2Optional", &self.a2, &constants),
            ("vOptional", &self.v, &constants),
        ] {
            let Some(tensor) = tensor else { continue };
            check.input(name, tensor)?;
            check.same_dtype(name, tensor, "out", out)?;
            let got = format_args!("of shape {:?}", tensor.shape);
            check.tiling(tensor.shape == *expected, name, got, format_args!("{expected:?}"))?;
        }
        Ok(())
    }

    pub(super) fn read(&self, mem: &dyn Memory) -> Result<Values, Fault> {
        let values = |tensor: &Option<Tensor>| match tensor {
            Some(tensor) => floats(mem, tensor),
            None => Ok(Vec::new()),
        };
        Ok(Values {
            zero: self.zero.clone(),
            copy: self.copy.clone(),
            constant: self.constant.clone(),
            x: values(&self.x)?,
            a1: values(&self.a1)?,
            a2: values(&self.a2)?,
            v: values(&self.v)?,
        })
    }
}

pub(super) struct Values {
    zero: std::ops::Range<i64>,
    copy: std::ops::Range<i64>,
    constant: std::ops::Range<i64>,
    x: Vec<f32>,
    a1: Vec<f32>,
    a2: Vec<f32>,
    v: Vec<f32>,
}

impl Values {
    /// What an expert in one of the ranges answers, `Some(None)` for nothing; `None` for an expert that computes.
    #[allow(clippy::option_option)]
    pub(super) fn answer(&self, expert: i64, row: usize, width: usize) -> Option<Option<Vec<f32>>> {
        if self.zero.contains(&expert) {
            return Some(None);
        }
        if self.copy.contains(&expert) {
            return Some(Some(self.x[row * width..][..width].to_vec()));
        }
        self.constant.contains(&expert).then(|| {
            let from = (expert - self.constant.start) as usize * width;
            let answer = (0..width).map(|at| {
                self.a1[from + at] * self.x[row * width + at]
                    + self.a2[from + at] * self.v[from + at]
            });
            Some(answer.collect())
        })
    }
}
