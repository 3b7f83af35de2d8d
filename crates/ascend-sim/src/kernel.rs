//! What the first phase of an operator makes, and the second one runs.

use std::fmt;
use std::sync::Arc;

use crate::memory::Memory;
use crate::tensor::Tensor;

/// The computation of a kernel, on the memory of its device.
pub(crate) type Work = dyn Fn(&dyn Memory) -> Result<(), Fault> + Send + Sync;

/// An operator with its arguments, ready for a stream.
#[derive(Clone)]
pub(crate) struct Kernel {
    /// Computes, when the stream comes to it: metadata is what phase one was given, data is what lies in memory then.
    pub(crate) run: Arc<Work>,
    /// For the time model.
    pub(crate) cost: Cost,
}

impl Kernel {
    /// A kernel of this work.
    pub(crate) fn new(
        cost: Cost,
        run: impl Fn(&dyn Memory) -> Result<(), Fault> + Send + Sync + 'static,
    ) -> Self {
        Self { run: Arc::new(run), cost }
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("cost", &self.cost).finish_non_exhaustive()
    }
}

/// What a kernel moves and computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Bytes read and written in device memory.
    pub(crate) bytes: u64,
    /// Multiplications and additions.
    pub(crate) flops: u64,
}

impl Cost {
    /// Each of these tensors moved once, and so many operations.
    pub(crate) fn of(tensors: &[&Tensor], flops: u64) -> Self {
        let bits = tensors.iter().map(|tensor| tensor.len() as u64 * tensor.dtype.bits());
        Self { bytes: bits.sum::<u64>() / 8, flops }
    }
}

/// Why the first phase refuses: an `aclnnStatus` and the text that `aclGetRecentErrMsg` will give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reject {
    pub(crate) status: i32,
    /// What, which argument, and what was expected; without the leading code.
    pub(crate) message: String,
}

/// `ACLNN_ERR_PARAM_NULLPTR`.
pub(crate) const NULL_POINTER: i32 = 161_001;
/// `ACLNN_ERR_PARAM_INVALID`.
pub(crate) const INVALID_PARAMETER: i32 = 161_002;
/// `ACLNN_ERR_INNER_FIND_KERNEL_ERROR`: the operator exists, but not for this chip and these types.
pub(crate) const NO_KERNEL: i32 = 561_003;
/// `ACLNN_ERR_RUNTIME_ERROR`, which operators of a single chip answer on others.
pub(crate) const UNSUPPORTED_PRODUCT: i32 = 361_001;
/// `ACLNN_ERR_INNER_TILING_ERROR`.
pub(crate) const NO_TILING: i32 = 561_002;
/// `ACLNN_ERR_INNER_NULLPTR`: what some operators answer when they cannot infer shapes.
pub(crate) const INNER_NULL: i32 = 561_103;

impl Reject {
    /// A parameter that the documentation does not allow.
    pub(crate) fn parameter(message: impl Into<String>) -> Self {
        Self { status: INVALID_PARAMETER, message: message.into() }
    }
}

/// Why a kernel fails on the device; the host hears of it when it synchronises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// An `ACL_ERROR_RT_*` code, 507015 (AI core exception) and 507035 (vector core exception) mostly.
    pub(crate) status: i32,
    pub(crate) message: String,
}

impl Fault {
    /// `ACL_ERROR_RT_AICORE_EXCEPTION`: a kernel of the cube unit went wrong.
    pub(crate) fn cube(message: impl Into<String>) -> Self {
        Self { status: 507_015, message: message.into() }
    }

    /// `ACL_ERROR_RT_VECTOR_CORE_EXCEPTION`: a kernel of the vector unit went wrong.
    pub(crate) fn vector(message: impl Into<String>) -> Self {
        Self { status: 507_035, message: message.into() }
    }
}
