//! The operators by library, first release, name and parameters.

use super::zero;
use crate::tensor::Tensor;

operators! {
    math "8.1" aclnnInplaceZero(self_ref: Tensor) => zero::inplace_zero;
}
