//! Root mean square norms: `y = x / sqrt(mean(x²) + epsilon) · gamma` over the trailing dimensions that `gamma` has.
//!
//! In f32, one rounding at each output. The fused forms normalise the sum before it is rounded to `xOut`; what hardware
//! does there differs by a unit in the last place from one operator to the next, and nobody should rely on it.

use super::access;
use super::check::{Check, FLOATS, HALVES};
use crate::dtype::DataType;
use crate::kernel::{Cost, Fault, Kernel, Reject};
use crate::memory::Memory;
use crate::profile::Site;
use crate::tensor::Tensor;

/// The norm of `x`, and `rstdOut = 1 / sqrt(mean(x²) + epsilon)` in f32. `gamma` has the type of `x`, or f32 beside bf16.
pub(super) fn rms_norm(
    site: &Site,
    x: Tensor,
    gamma: Tensor,
    epsilon: f64,
    y_out: Tensor,
    rstd_out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnRmsNorm");
    check.input("x", &x)?;
    check.dtype("x", &x, FLOATS)?;
    check.input("gamma", &gamma)?;
    if !(x.dtype == DataType::Bf16 && gamma.dtype == DataType::F32) {
        check.same_dtype("gamma", &gamma, "x", &x)?;
    }
    let rows = Rows::new(check, "x", &x, gamma, epsilon, rstd_out)?;
    rows.like("yOut", &y_out, &x)?;
    let cost = Cost::of(&[&x, &rows.gamma, &y_out], 4 * x.len() as u64);
    Ok(Kernel::new(cost, move |mem| {
        rows.run(mem, |row| rows.read(mem, &x, row), |row, _, y| rows.write(mem, &y_out, row, y))
    }))
}

/// The norm of `x1 + x2`, and that sum; all of one type.
pub(super) fn add_rms_norm(
    site: &Site,
    x1: Tensor,
    x2: Tensor,
    gamma: Tensor,
    epsilon: f64,
    y_out: Tensor,
    rstd_out: Tensor,
    x_out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnAddRmsNorm");
    let names = ["x1", "x2", "yOut", "xOut"];
    sum_norm(check, names, FLOATS, [x1, x2, y_out, x_out], None, gamma, epsilon, rstd_out)
}

/// As [`add_rms_norm`]: the norm takes the place of `x1`, the sum that of `x2`.
pub(super) fn inplace_add_rms_norm(
    site: &Site,
    x1_ref: Tensor,
    x2_ref: Tensor,
    gamma: Tensor,
    epsilon: f64,
    rstd_out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnInplaceAddRmsNorm");
    let tensors = [x1_ref.clone(), x2_ref.clone(), x1_ref, x2_ref];
    let names = ["x1Ref", "x2Ref", "x1Ref", "x2Ref"];
    sum_norm(check, names, FLOATS, tensors, None, gamma, epsilon, rstd_out)
}

/// As [`add_rms_norm`] for the types of 16 bits, with the norm twice: `y1Out` in f32, `y2Out` rounded.
pub(super) fn add_rms_norm_cast(
    site: &Site,
    x1: Tensor,
    x2: Tensor,
    gamma: Tensor,
    epsilon: f64,
    y1_out: Tensor,
    y2_out: Tensor,
    rstd_out: Tensor,
    x_out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnAddRmsNormCast");
    check.output("y1Out", &y1_out)?;
    check.dtype("y1Out", &y1_out, &[DataType::F32])?;
    check.shape("y1Out", &y1_out, &x1.shape)?;
    let names = ["x1", "x2", "y2Out", "xOut"];
    sum_norm(check, names, HALVES, [x1, x2, y2_out, x_out], Some(y1_out), gamma, epsilon, rstd_out)
}

fn sum_norm(
    check: Check,
    names: [&'static str; 4],
    types: &[DataType],
    [x1, x2, y_out, x_out]: [Tensor; 4],
    wide: Option<Tensor>,
    gamma: Tensor,
    epsilon: f64,
    rstd_out: Tensor,
) -> Result<Kernel, Reject> {
    check.input(names[0], &x1)?;
    check.input(names[1], &x2)?;
    check.input("gamma", &gamma)?;
    check.dtype(names[0], &x1, types)?;
    check.same_dtype("gamma", &gamma, names[0], &x1)?;
    let rows = Rows::new(check, names[0], &x1, gamma, epsilon, rstd_out)?;
    check.same_dtype(names[1], &x2, names[0], &x1)?;
    check.shape(names[1], &x2, &x1.shape)?;
    rows.like(names[2], &y_out, &x1)?;
    rows.like(names[3], &x_out, &x1)?;
    let cost = Cost::of(&[&x1, &x2, &rows.gamma, &y_out, &x_out], 5 * x1.len() as u64);
    Ok(Kernel::new(cost, move |mem| {
        let sum = |row| {
            let mut sum = rows.read(mem, &x1, row)?;
            for (value, other) in sum.iter_mut().zip(rows.read(mem, &x2, row)?) {
                *value += other;
            }
            Ok(sum)
        };
        rows.run(mem, sum, |row, x, y| {
            rows.write(mem, &x_out, row, x)?;
            if let Some(wide) = &wide {
                rows.write(mem, wide, row, y)?;
            }
            rows.write(mem, &y_out, row, y)
        })
    }))
}

/// The rows of a norm: what is normalised together.
struct Rows {
    check: Check,
    /// Elements of a row, and how many rows there are.
    width: usize,
    count: usize,
    gamma: Tensor,
    epsilon: f32,
    rstd: Tensor,
}

impl Rows {
    fn new(
        check: Check,
        name: &str,
        x: &Tensor,
        gamma: Tensor,
        epsilon: f64,
        rstd: Tensor,
    ) -> Result<Self, Reject> {
        check.rank(name, x, 1..=8)?;
        check.rank("gamma", &gamma, 1..=x.shape.len())?;
        let leading = x.shape.len() - gamma.shape.len();
        check.shape("gamma", &gamma, &x.shape[leading..])?;
        check.output("rstdOut", &rstd)?;
        check.dtype("rstdOut", &rstd, &[DataType::F32])?;
        let mut expected = x.shape[..leading].to_vec();
        expected.resize(x.shape.len(), 1);
        check.shape("rstdOut", &rstd, &expected)?;
        check.require(epsilon >= 0.0, "epsilon", epsilon, "not negative")?;
        let (width, count) = (gamma.len(), rstd.len());
        Ok(Self { check, width, count, gamma, epsilon: epsilon as f32, rstd })
    }

    fn like(&self, name: &str, out: &Tensor, x: &Tensor) -> Result<(), Reject> {
        self.check.output(name, out)?;
        self.check.same_dtype(name, out, "x", x)?;
        self.check.shape(name, out, &x.shape)
    }

    fn read(&self, mem: &dyn Memory, x: &Tensor, row: usize) -> Result<Vec<f32>, Fault> {
        access::floats_at(mem, x, row * self.width, self.width)
    }

    fn write(
        &self,
        mem: &dyn Memory,
        out: &Tensor,
        row: usize,
        values: &[f32],
    ) -> Result<(), Fault> {
        access::write_floats_at(mem, out, row * self.width, values)
    }

    /// Normalises row after row: `x` gives one, `then` takes it with its norm.
    fn run(
        &self,
        mem: &dyn Memory,
        x: impl Fn(usize) -> Result<Vec<f32>, Fault>,
        then: impl Fn(usize, &[f32], &[f32]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let gamma = access::floats(mem, &self.gamma)?;
        let mut rstd = Vec::with_capacity(self.count);
        for row in 0..self.count {
            let x = x(row)?;
            let squares = x.iter().map(|value| value * value).sum::<f32>();
            let scale = 1.0 / (squares / self.width as f32 + self.epsilon).sqrt();
            let y = x.iter().zip(&gamma).map(|(x, gamma)| x * scale * gamma).collect::<Vec<_>>();
            then(row, &x, &y)?;
            rstd.push(scale);
        }
        access::write_floats(mem, &self.rstd, &rstd)
    }
}

#[cfg(test)]
mod tests;
