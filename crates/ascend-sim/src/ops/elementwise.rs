//! Arithmetic, one element at a time, with broadcasting.
//!
//! Types of two inputs may differ: with a float among them the operation is in f32, with none in i64, wrapped where the output
//! is narrower. A float result has no integer output. There are no f64 kernels.

use super::access;
use super::check::{Check, FLOATS, NUMBERS};
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, Reject};
use crate::profile::Site;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// What a binary operator does to floats and to integers; without the latter, integers become floats.
struct Binary {
    float: fn(f32, f32, Factor) -> f32,
    integer: Option<fn(i64, i64, i64) -> i64>,
}

/// `alpha`, as a float.
type Factor = f32;

const ADD: Binary = Binary {
    float: |a, b, alpha| a + alpha * b,
    integer: Some(|a, b, alpha| a.wrapping_add(alpha.wrapping_mul(b))),
};
const SUB: Binary = Binary {
    float: |a, b, alpha| a - alpha * b,
    integer: Some(|a, b, alpha| a.wrapping_sub(alpha.wrapping_mul(b))),
};
const MUL: Binary = Binary { float: |a, b, _| a * b, integer: Some(|a, b, _| a.wrapping_mul(b)) };
const DIV: Binary = Binary { float: |a, b, _| a / b, integer: None };

const ONE: Scalar = Scalar { dtype: DataType::I64, real: 1.0, integer: 1 };

/// `out = self + alpha · other`.
pub(super) fn add(
    site: &Site,
    self_: Tensor,
    other: Tensor,
    alpha: Scalar,
    out: Tensor,
) -> Result<Kernel, Reject> {
    binary(Check::new(site, "aclnnAdd"), &ADD, self_, other, alpha, out)
}

/// `selfRef += alpha · other`.
pub(super) fn inplace_add(
    site: &Site,
    self_ref: Tensor,
    other: Tensor,
    alpha: Scalar,
) -> Result<Kernel, Reject> {
    let out = self_ref.clone();
    binary(Check::new(site, "aclnnInplaceAdd"), &ADD, self_ref, other, alpha, out)
}

/// `out = self − alpha · other`.
pub(super) fn sub(
    site: &Site,
    self_: Tensor,
    other: Tensor,
    alpha: Scalar,
    out: Tensor,
) -> Result<Kernel, Reject> {
    binary(Check::new(site, "aclnnSub"), &SUB, self_, other, alpha, out)
}

/// `out = self · other`.
pub(super) fn mul(
    site: &Site,
    self_: Tensor,
    other: Tensor,
    out: Tensor,
) -> Result<Kernel, Reject> {
    binary(Check::new(site, "aclnnMul"), &MUL, self_, other, ONE, out)
}

/// `selfRef *= other`.
pub(super) fn inplace_mul(site: &Site, self_ref: Tensor, other: Tensor) -> Result<Kernel, Reject> {
    let out = self_ref.clone();
    binary(Check::new(site, "aclnnInplaceMul"), &MUL, self_ref, other, ONE, out)
}

/// `out = self / other`; integers are divided as floats.
pub(super) fn div(
    site: &Site,
    self_: Tensor,
    other: Tensor,
    out: Tensor,
) -> Result<Kernel, Reject> {
    binary(Check::new(site, "aclnnDiv"), &DIV, self_, other, ONE, out)
}

/// `out = self + alpha · other` with a number on the right.
pub(super) fn adds(
    site: &Site,
    self_: Tensor,
    other: Scalar,
    alpha: Scalar,
    out: Tensor,
) -> Result<Kernel, Reject> {
    with_scalar(Check::new(site, "aclnnAdds"), &ADD, self_, other, alpha, out)
}

/// `out = self · other` with a number on the right.
pub(super) fn muls(
    site: &Site,
    self_: Tensor,
    other: Scalar,
    out: Tensor,
) -> Result<Kernel, Reject> {
    with_scalar(Check::new(site, "aclnnMuls"), &MUL, self_, other, ONE, out)
}

/// `selfRef *= other` with a number on the right.
pub(super) fn inplace_muls(site: &Site, self_ref: Tensor, other: Scalar) -> Result<Kernel, Reject> {
    let out = self_ref.clone();
    with_scalar(Check::new(site, "aclnnInplaceMuls"), &MUL, self_ref, other, ONE, out)
}

fn is_float(dtype: DataType) -> bool {
    FLOATS.contains(&dtype)
}

fn binary(
    check: Check,
    operation: &'static Binary,
    self_: Tensor,
    other: Tensor,
    alpha: Scalar,
    out: Tensor,
) -> Result<Kernel, Reject> {
    check.input("self", &self_)?;
    check.input("other", &other)?;
    check.output("out", &out)?;
    check.dtype("self", &self_, NUMBERS)?;
    check.dtype("other", &other, NUMBERS)?;
    check.dtype("out", &out, NUMBERS)?;
    let (a, b) = check.meet(["self", "other"], &self_, &other)?;
    check.shape("out", &out, &a.shape)?;
    let floats = is_float(a.dtype) || is_float(b.dtype);
    let integer = operation.integer.filter(|_| !floats);
    result_type(&check, integer.is_some(), alpha, &out)?;
    Ok(Kernel::new(Cost::of(&[&self_, &other, &out], out.len() as u64), move |mem| {
        if let Some(integer) = integer {
            let mut values = access::integers(mem, &a)?;
            for (value, other) in values.iter_mut().zip(access::integers(mem, &b)?) {
                *value = integer(*value, other, alpha.integer);
            }
            return access::write_integers(mem, &out, &values);
        }
        let mut values = access::floats(mem, &a)?;
        for (value, other) in values.iter_mut().zip(access::floats(mem, &b)?) {
            *value = (operation.float)(*value, other, alpha.float());
        }
        access::write_floats(mem, &out, &values)
    }))
}

fn with_scalar(
    check: Check,
    operation: &'static Binary,
    self_: Tensor,
    other: Scalar,
    alpha: Scalar,
    out: Tensor,
) -> Result<Kernel, Reject> {
    check.input("self", &self_)?;
    check.output("out", &out)?;
    check.dtype("self", &self_, NUMBERS)?;
    check.dtype("out", &out, NUMBERS)?;
    check.shape("out", &out, &self_.shape)?;
    let floats = is_float(self_.dtype) || fractional(other);
    let integer = operation.integer.filter(|_| !floats);
    result_type(&check, integer.is_some(), alpha, &out)?;
    Ok(Kernel::new(Cost::of(&[&self_, &out], out.len() as u64), move |mem| {
        if let Some(integer) = integer {
            let mut values = access::integers(mem, &self_)?;
            for value in &mut values {
                *value = integer(*value, other.integer, alpha.integer);
            }
            return access::write_integers(mem, &out, &values);
        }
        let mut values = access::floats(mem, &self_)?;
        for value in &mut values {
            *value = (operation.float)(*value, other.float(), alpha.float());
        }
        access::write_floats(mem, &out, &values)
    }))
}

fn fractional(scalar: Scalar) -> bool {
    is_float(scalar.dtype) || scalar.dtype == DataType::F64
}

/// A float result needs a float output, an integer result an `alpha` without a fraction.
fn result_type(check: &Check, integer: bool, alpha: Scalar, out: &Tensor) -> Result<(), Reject> {
    if integer {
        let got = format_args!("{} with integers", alpha.real);
        return check.require(!fractional(alpha), "alpha", got, "an integer");
    }
    let got = format_args!("{:?} for a float result", out.dtype);
    check.require(is_float(out.dtype), "out", got, format_args!("one of {FLOATS:?}"))
}

#[cfg(test)]
mod tests;
