//! Arithmetic on elements.

use super::argument::Scalar;
use super::call::launch;
use super::check::Check;
use super::dtype::is_float;
use super::tensor::Tensor;
use crate::error::Result;
use crate::rt::Stream;

/// The scalar of the kind that a tensor's type takes.
fn scalar(value: f32, like: &Tensor) -> Scalar {
    if is_float(like.dtype()) { Scalar::Float(value) } else { Scalar::Int(value as i64) }
}

fn binary(name: &'static str, a: &Tensor, b: &Tensor, out: &Tensor) -> Result<()> {
    let check = Check(name);
    check.broadcast(("a", a), ("b", b), out)?;
    check.plain("a", a)?;
    check.plain("b", b)
}

fn unary(name: &'static str, x: &Tensor, out: &Tensor) -> Result<()> {
    let check = Check(name);
    check.same_shape(&[("x", x), ("out", out)])?;
    check.plain("x", x)
}

/// `out = a + b`. Shapes broadcast; types are promoted by the vendor's rules.
///
/// ```
/// use ascend_acl::op;
/// use ascend_acl::rt::{Device, DeviceBuffer, Stream};
///
/// fn sum(device: &Device) -> ascend_acl::Result<Vec<f32>> {
///     let stream = Stream::new(device)?;
///     let a = DeviceBuffer::from_slice(device, &[1.0_f32, 2.0, 3.0])?;
///     let b = DeviceBuffer::from_slice(device, &[0.5_f32])?;
///     let out = DeviceBuffer::<f32>::new(device, 3)?;
///     op::add(&stream, &a.tensor(&[3])?, &b.tensor(&[1])?, &out.tensor(&[3])?)?;
///     out.to_vec() // waits for the stream, since that uses the buffer
/// }
/// ```
pub fn add(stream: &Stream, a: &Tensor, b: &Tensor, out: &Tensor) -> Result<()> {
    add_scaled(stream, a, b, scalar(1.0, a), out)
}

/// `out = a + alpha * b`.
pub fn add_scaled(
    stream: &Stream,
    a: &Tensor,
    b: &Tensor,
    alpha: impl Into<Scalar>,
    out: &Tensor,
) -> Result<()> {
    binary("aclnnAdd", a, b, out)?;
    let alpha = alpha.into();
    launch!(stream, elementwise.aclnnAdd(a, b, alpha, out))
}

/// `x += y`, with the shape of `x`.
pub fn add_in_place(stream: &Stream, x: &Tensor, y: &Tensor) -> Result<()> {
    binary("aclnnInplaceAdd", x, y, x)?;
    let alpha = scalar(1.0, x);
    launch!(stream, elementwise.aclnnInplaceAdd(x, y, alpha))
}

/// `out = x + value`.
pub fn add_scalar(
    stream: &Stream,
    x: &Tensor,
    value: impl Into<Scalar>,
    out: &Tensor,
) -> Result<()> {
    unary("aclnnAdds", x, out)?;
    let (value, alpha) = (value.into(), scalar(1.0, x));
    launch!(stream, elementwise.aclnnAdds(x, value, alpha, out))
}

/// `out = a - b`.
pub fn sub(stream: &Stream, a: &Tensor, b: &Tensor, out: &Tensor) -> Result<()> {
    binary("aclnnSub", a, b, out)?;
    let alpha = scalar(1.0, a);
    launch!(stream, elementwise.aclnnSub(a, b, alpha, out))
}

/// `out = a * b`.
pub fn mul(stream: &Stream, a: &Tensor, b: &Tensor, out: &Tensor) -> Result<()> {
    binary("aclnnMul", a, b, out)?;
    launch!(stream, elementwise.aclnnMul(a, b, out))
}

/// `out = x * value`.
pub fn mul_scalar(
    stream: &Stream,
    x: &Tensor,
    value: impl Into<Scalar>,
    out: &Tensor,
) -> Result<()> {
    unary("aclnnMuls", x, out)?;
    let value = value.into();
    launch!(stream, elementwise.aclnnMuls(x, value, out))
}

/// `x *= y`, with the shape of `x`.
pub fn mul_in_place(stream: &Stream, x: &Tensor, y: &Tensor) -> Result<()> {
    binary("aclnnInplaceMul", x, y, x)?;
    launch!(stream, elementwise.aclnnInplaceMul(x, y))
}

/// `x *= value`.
pub fn scale_in_place(stream: &Stream, x: &Tensor, value: impl Into<Scalar>) -> Result<()> {
    unary("aclnnInplaceMuls", x, x)?;
    let value = value.into();
    launch!(stream, elementwise.aclnnInplaceMuls(x, value))
}

/// `out = a / b`.
pub fn div(stream: &Stream, a: &Tensor, b: &Tensor, out: &Tensor) -> Result<()> {
    binary("aclnnDiv", a, b, out)?;
    launch!(stream, elementwise.aclnnDiv(a, b, out))
}

/// `out = min(max(x, low), high)`; a side may be open.
pub fn clamp(
    stream: &Stream,
    x: &Tensor,
    low: Option<Scalar>,
    high: Option<Scalar>,
    out: &Tensor,
) -> Result<()> {
    unary("aclnnClamp", x, out)?;
    Check("aclnnClamp").same_dtype(&[("x", x), ("out", out)])?;
    match (low, high) {
        (Some(low), Some(high)) => launch!(stream, elementwise.aclnnClamp(x, low, high, out)),
        (Some(low), None) => launch!(stream, elementwise.aclnnClampMin(x, low, out)),
        (None, Some(high)) => launch!(stream, elementwise.aclnnClampMax(x, high, out)),
        (None, None) => {
            Err(Check("aclnnClamp").refuse("low and high", "absent both", "at least one of them"))
        }
    }
}

macro_rules! functions {
    ($($(#[$meta:meta])* $name:ident: $operator:ident;)*) => {$(
        $(#[$meta])*
        pub fn $name(stream: &Stream, x: &Tensor, out: &Tensor) -> Result<()> {
            unary(stringify!($operator), x, out)?;
            launch!(stream, elementwise.$operator(x, out))
        }
    )*};
}

functions! {
    /// `out = e^x`.
    exp: aclnnExp;
    /// `out = cos(x)`.
    cos: aclnnCos;
    /// `out = sin(x)`.
    sin: aclnnSin;
    /// `out = 1 / (1 + e^-x)`.
    sigmoid: aclnnSigmoid;
    /// `out = x * sigmoid(x)`.
    silu: aclnnSilu;
}

/// `out = x * sigmoid(beta * x)`.
pub fn swish(stream: &Stream, x: &Tensor, beta: f32, out: &Tensor) -> Result<()> {
    unary("aclnnSwish", x, out)?;
    let beta = Scalar::Float(beta);
    launch!(stream, elementwise.aclnnSwish(x, beta, out))
}
