//! Functions of one float: computed in f32, rounded once to the type of the output.

use super::access;
use super::check::{Check, FLOATS};
use crate::kernel::{Cost, Kernel, Reject};
use crate::profile::Site;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// `1 / (1 + exp(−x))`.
pub(super) fn sigmoid(site: &Site, self_: Tensor, out: Tensor) -> Result<Kernel, Reject> {
    each(Check::new(site, "aclnnSigmoid"), self_, out, logistic)
}

/// `x · sigmoid(x)`.
pub(super) fn silu(site: &Site, self_: Tensor, out: Tensor) -> Result<Kernel, Reject> {
    each(Check::new(site, "aclnnSilu"), self_, out, |x| x * logistic(x))
}

/// `x · sigmoid(beta · x)`, with 1 for a `beta` that is left out.
pub(super) fn swish(
    site: &Site,
    self_: Tensor,
    beta: Option<Scalar>,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let beta = beta.map_or(1.0, Scalar::float);
    each(Check::new(site, "aclnnSwish"), self_, out, move |x| x * logistic(beta * x))
}

/// `exp(x)`.
pub(super) fn exp(site: &Site, self_: Tensor, out: Tensor) -> Result<Kernel, Reject> {
    each(Check::new(site, "aclnnExp"), self_, out, f32::exp)
}

/// `cos(x)`.
pub(super) fn cos(site: &Site, input: Tensor, out: Tensor) -> Result<Kernel, Reject> {
    each(Check::new(site, "aclnnCos"), input, out, f32::cos)
}

/// `sin(x)`.
pub(super) fn sin(site: &Site, self_: Tensor, out: Tensor) -> Result<Kernel, Reject> {
    each(Check::new(site, "aclnnSin"), self_, out, f32::sin)
}

/// The logistic function, without an overflow on either side.
pub(super) fn logistic(x: f32) -> f32 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

fn each(
    check: Check,
    x: Tensor,
    out: Tensor,
    function: impl Fn(f32) -> f32 + Send + Sync + 'static,
) -> Result<Kernel, Reject> {
    check.input("self", &x)?;
    check.output("out", &out)?;
    check.dtype("self", &x, FLOATS)?;
    check.dtype("out", &out, FLOATS)?;
    check.shape("out", &out, &x.shape)?;
    Ok(Kernel::new(Cost::of(&[&x, &out], out.len() as u64), move |mem| {
        let mut values = access::floats(mem, &x)?;
        for value in &mut values {
            *value = function(*value);
        }
        access::write_floats(mem, &out, &values)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DataType;
    use crate::kernel::INVALID_PARAMETER;
    use crate::ops::testing::{A2, Device, refused};
    use crate::ops::vectors::cases;

    type Operator = fn(&Site, Tensor, Tensor) -> Result<Kernel, Reject>;

    #[test]
    fn as_torch_computes() {
        let operators: [(&str, Operator); 5] =
            [("sigmoid", sigmoid), ("silu", silu), ("exp", exp), ("cos", cos), ("sin", sin)];
        for (name, operator) in operators {
            for case in cases("elementwise", name) {
                let device = Device::default();
                let (x, out) = (case.input(&device, "self"), case.output(&device, "out"));
                device.run(operator(&A2, x, out.clone()));
                case.check(&device, "out", &out);
            }
        }
        for case in cases("elementwise", "swish") {
            let device = Device::default();
            let (x, out) = (case.input(&device, "self"), case.output(&device, "out"));
            let beta = case.has_argument("beta").then(|| case.scalar("beta"));
            device.run(swish(&A2, x, beta, out.clone()));
            case.check(&device, "out", &out);
        }
    }

    #[test]
    fn far_values_do_not_overflow() {
        assert_eq!(logistic(1e30), 1.0);
        assert_eq!(logistic(-1e30), 0.0);
        assert!(logistic(f32::NAN).is_nan());
    }

    #[test]
    fn other_shapes_and_types_are_refused() {
        let device = Device::default();
        let x = device.empty(DataType::Bf16, &[3, 4]);
        let other = device.empty(DataType::Bf16, &[4, 3]);
        refused(
            sigmoid(&A2, x.clone(), other),
            INVALID_PARAMETER,
            &["aclnnSigmoid", "out", "[3, 4]"],
        );
        let whole = device.empty(DataType::I32, &[3, 4]);
        refused(
            exp(&A2, whole.clone(), x.clone()),
            INVALID_PARAMETER,
            &["aclnnExp", "self", "I32"],
        );
        refused(silu(&A2, x.clone(), whole), INVALID_PARAMETER, &["aclnnSilu", "out", "I32"]);
        let repeated = Tensor { strides: vec![0, 1], ..x.clone() };
        refused(cos(&A2, x, repeated), INVALID_PARAMETER, &["aclnnCos", "out", "place"]);
    }
}
