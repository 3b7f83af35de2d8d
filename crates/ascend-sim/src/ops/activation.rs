//! Gated units: a tensor whose one half gates the other.

use super::access;
use super::check::{Check, FLOATS};
use super::unary::logistic;
use crate::dtype::DataType;
use crate::kernel::{Cost, Fault, Kernel, Reject};
use crate::memory::Memory;
use crate::profile::Site;
use crate::tensor::Tensor;

/// `silu(first half) · second half` along `dim`.
pub(super) fn swi_glu(site: &Site, x: Tensor, dim: i64, out: Tensor) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnSwiGlu");
    let gated = Gated::new(&check, x, dim, false, out)?;
    Ok(Kernel::new(gated.cost(), move |mem| {
        gated.run(mem, gated.rows, |gate, up| gate * logistic(gate) * up)
    }))
}

/// Elements of `groupIndex` at most.
const MAX_GROUPS: i64 = 8192;

/// `gate · sigmoid(alpha · gate) · (up + bias)` with `gate ≤ limit` and `−limit ≤ up ≤ limit`: the unit of gpt-oss.
///
/// Even indices along `dim` are gates and odd ones ups where `interleaved` is set, otherwise the halves are. `groupIndex` holds
/// counts of rows: rows beyond their sum are not computed, and poisoned here, as hardware leaves them unwritten.
pub(super) fn clipped_swiglu(
    site: &Site,
    x: Tensor,
    group_index: Option<Tensor>,
    dim: i64,
    alpha: f64,
    limit: f64,
    bias: f64,
    interleaved: bool,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnClippedSwiglu");
    clipped(&check, x, group_index, dim, [alpha, limit, bias], interleaved, out)
}

/// As [`clipped_swiglu`]; of the modes of clamping only that one, 0, is known here.
pub(super) fn clipped_swiglu_v2(
    site: &Site,
    x: Tensor,
    group_index: Option<Tensor>,
    dim: i64,
    alpha: f64,
    limit: f64,
    bias: f64,
    interleaved: bool,
    clamp_mode: i64,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnClippedSwigluV2");
    check.require(clamp_mode == 0, "clampMode", clamp_mode, "0")?;
    clipped(&check, x, group_index, dim, [alpha, limit, bias], interleaved, out)
}

fn clipped(
    check: &Check,
    x: Tensor,
    group_index: Option<Tensor>,
    dim: i64,
    [alpha, limit, bias]: [f64; 3],
    interleaved: bool,
    out: Tensor,
) -> Result<Kernel, Reject> {
    if let Some(groups) = &group_index {
        check.input("groupIndex", groups)?;
        check.dtype("groupIndex", groups, &[DataType::I64])?;
        check.rank("groupIndex", groups, 1..=1)?;
        let got = format_args!("of {} elements", groups.shape[0]);
        check.require(
            (1..=MAX_GROUPS).contains(&groups.shape[0]),
            "groupIndex",
            got,
            "1 to 8192",
        )?;
    }
    check.require(limit >= 0.0, "limit", limit, "not negative")?;
    let gated = Gated::new(check, x, dim, interleaved, out)?;
    let [alpha, limit, bias] = [alpha, limit, bias].map(|value| value as f32);
    Ok(Kernel::new(gated.cost(), move |mem| {
        let rows = match &group_index {
            None => gated.rows,
            Some(groups) => {
                access::poison(mem, &gated.out)?;
                let counts = access::integers(mem, groups)?;
                let sum = counts.iter().try_fold(0i64, |sum, count| sum.checked_add(*count));
                sum.and_then(|sum| usize::try_from(sum).ok()).unwrap_or(0).min(gated.rows)
            }
        };
        gated.run(mem, rows, |gate, up| {
            let gate = if gate > limit { limit } else { gate };
            let up = if up > limit { limit } else { up };
            let up = if up < -limit { -limit } else { up };
            gate * logistic(alpha * gate) * (up + bias)
        })
    }))
}

/// A tensor seen as rows of pairs.
struct Gated {
    x: Tensor,
    out: Tensor,
    interleaved: bool,
    /// The dimensions before `dim`, those after it, and half of `dim` itself.
    rows: usize,
    inner: usize,
    half: usize,
}

impl Gated {
    fn new(
        check: &Check,
        x: Tensor,
        dim: i64,
        interleaved: bool,
        out: Tensor,
    ) -> Result<Self, Reject> {
        check.input("x", &x)?;
        check.output("out", &out)?;
        check.dtype("x", &x, FLOATS)?;
        check.same_dtype("out", &out, "x", &x)?;
        check.rank("x", &x, 1..=8)?;
        let dim = check.dim("dim", dim, x.shape.len())?;
        let extent = x.shape[dim];
        let got = format_args!("of shape {:?}", x.shape);
        check.require(extent % 2 == 0, "x", got, format_args!("an even extent in dim {dim}"))?;
        let mut expected = x.shape.clone();
        expected[dim] = extent / 2;
        check.shape("out", &out, &expected)?;
        let count = |extents: &[i64]| extents.iter().product::<i64>() as usize;
        let (rows, inner) = (count(&x.shape[..dim]), count(&x.shape[dim + 1..]));
        Ok(Self { x, out, interleaved, rows, inner, half: extent as usize / 2 })
    }

    fn cost(&self) -> Cost {
        Cost::of(&[&self.x, &self.out], 8 * self.out.len() as u64)
    }

    /// Combines gate and up of the first so many rows.
    fn run(
        &self,
        mem: &dyn Memory,
        rows: usize,
        unit: impl Fn(f32, f32) -> f32,
    ) -> Result<(), Fault> {
        let width = self.half * self.inner;
        for row in 0..rows {
            let x = access::floats_at(mem, &self.x, row * 2 * width, 2 * width)?;
            let y = (0..width).map(|at| {
                let (gate, up) = if self.interleaved {
                    let gate = at / self.inner * 2 * self.inner + at % self.inner;
                    (gate, gate + self.inner)
                } else {
                    (at, at + width)
                };
                unit(x[gate], x[up])
            });
            let y = y.collect::<Vec<_>>();
            access::write_floats_at(mem, &self.out, row * width, &y)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
