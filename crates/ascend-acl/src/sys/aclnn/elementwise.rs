//! Norms, activations and arithmetic on elements.

use crate::sys::table::operators;
use crate::sys::{aclScalar, aclTensor};

operators! {
    /// Norms, activations, arithmetic.
    Elementwise {
        /// Root-mean-square norm over the last axes; `rstd` is f32 and not optional.
        Nn "8.1" fn aclnnRmsNorm(
            x: *const aclTensor, gamma: *const aclTensor, epsilon: f64, yOut: *const aclTensor,
            rstdOut: *const aclTensor,
        );
        /// Sum of two tensors and its norm; `gamma` has the type of the inputs.
        Nn "8.1" fn aclnnAddRmsNorm(
            x1: *const aclTensor, x2: *const aclTensor, gamma: *const aclTensor, epsilon: f64,
            yOut: *mut aclTensor, rstdOut: *mut aclTensor, xOut: *mut aclTensor,
        );
        /// Sum and norm, written over the inputs.
        Nn "8.3" fn aclnnInplaceAddRmsNorm(
            x1Ref: *mut aclTensor, x2Ref: *mut aclTensor, gamma: *const aclTensor, epsilon: f64,
            rstdOut: *const aclTensor,
        );
        /// Sum and norm, the latter in f32 too.
        Nn "8.3" fn aclnnAddRmsNormCast(
            x1: *const aclTensor, x2: *const aclTensor, gamma: *const aclTensor, epsilon: f64,
            y1Out: *const aclTensor, y2Out: *const aclTensor, rstdOut: *const aclTensor,
            xOut: *const aclTensor,
        );
        /// `self + alpha * other`.
        Math "8.1" fn aclnnAdd(
            self: *const aclTensor, other: *const aclTensor, alpha: *const aclScalar,
            out: *mut aclTensor,
        );
        /// `self + alpha * other` with a scalar.
        Math "8.1" fn aclnnAdds(
            self: *const aclTensor, other: *const aclScalar, alpha: *const aclScalar,
            out: *mut aclTensor,
        );
        /// `self += alpha * other`.
        Math "8.1" fn aclnnInplaceAdd(
            selfRef: *const aclTensor, other: *const aclTensor, alpha: *const aclScalar,
        );
        /// Product of elements.
        Math "8.1" fn aclnnMul(
            self: *const aclTensor, other: *const aclTensor, out: *mut aclTensor,
        );
        /// Product with a scalar.
        Math "8.1" fn aclnnMuls(
            self: *const aclTensor, other: *const aclScalar, out: *mut aclTensor,
        );
        /// Product of elements in place.
        Math "8.1" fn aclnnInplaceMul(selfRef: *mut aclTensor, other: *const aclTensor);
        /// Product with a scalar in place.
        Math "8.1" fn aclnnInplaceMuls(selfRef: *mut aclTensor, other: *const aclScalar);
        /// Quotient of elements.
        Math "8.1" fn aclnnDiv(
            self: *const aclTensor, other: *const aclTensor, out: *mut aclTensor,
        );
        /// `self - alpha * other`.
        Math "8.1" fn aclnnSub(
            self: *const aclTensor, other: *const aclTensor, alpha: *const aclScalar,
            out: *mut aclTensor,
        );
        /// Logistic function.
        Nn "8.1" fn aclnnSigmoid(self: *const aclTensor, out: *mut aclTensor);
        /// `x * sigmoid(x)`.
        Nn "8.1" fn aclnnSilu(self: *const aclTensor, out: *mut aclTensor);
        /// `x * sigmoid(beta * x)`.
        Nn "8.1" fn aclnnSwish(
            self: *const aclTensor, betaOptional: *const aclScalar, out: *mut aclTensor,
        );
        /// `silu` of the first half of an axis, times the second half.
        Nn "8.1" fn aclnnSwiGlu(x: *const aclTensor, dim: i64, out: *const aclTensor);
        /// The gated unit of gpt-oss: both halves clamped, the second biased.
        Nn "8.5" fn aclnnClippedSwiglu(
            x: *const aclTensor, groupIndexOptional: *const aclTensor, dim: i64, alpha: f64,
            limit: f64, bias: f64, interleaved: bool, out: *const aclTensor,
        );
        /// `aclnnClippedSwiglu` with a choice of clamps.
        Nn "head" fn aclnnClippedSwigluV2(
            x: *const aclTensor, groupIndexOptional: *const aclTensor, dim: i64, alpha: f64,
            limit: f64, bias: f64, interleaved: bool, clampMode: i64, out: *const aclTensor,
        );
        /// Limits to both sides.
        Math "8.1" fn aclnnClamp(
            self: *const aclTensor, clipValueMin: *const aclScalar, clipValueMax: *const aclScalar,
            out: *mut aclTensor,
        );
        /// A limit from below.
        Math "8.1" fn aclnnClampMin(
            self: *const aclTensor, clipValueMin: *const aclScalar, out: *mut aclTensor,
        );
        /// A limit from above.
        Math "8.1" fn aclnnClampMax(
            self: *const aclTensor, clipValueMax: *const aclScalar, out: *mut aclTensor,
        );
        /// Exponential.
        Math "8.1" fn aclnnExp(self: *const aclTensor, out: *mut aclTensor);
        /// Softmax along an axis.
        Nn "8.1" fn aclnnSoftmax(self: *const aclTensor, dim: i64, out: *mut aclTensor);
        /// Logarithm of the softmax along an axis.
        Nn "8.1" fn aclnnLogSoftmax(self: *const aclTensor, dim: i64, out: *mut aclTensor);
        /// Cosine.
        Math "8.1" fn aclnnCos(input: *const aclTensor, out: *mut aclTensor);
        /// Sine.
        Math "8.1" fn aclnnSin(self: *const aclTensor, out: *mut aclTensor);
    }
}
