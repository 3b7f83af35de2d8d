//! Functions beside the operators, with one phase only.

use std::ffi::c_int;

use crate::sys::table::functions;
use crate::sys::{aclDataType, aclIntArray, aclTensor, aclnnStatus};

functions! {
    /// Sizes of converted weights.
    Sizes {
        /// Elements of a float16 weight in `FRACTAL_NZ`.
        Nn "8.1" fn aclnnCalculateMatmulWeightSize(
            tensorShape: *const aclIntArray, weightTensorSize: *mut u64,
        ) -> aclnnStatus;
        /// Elements of a weight of any type in `FRACTAL_NZ`.
        Nn "8.1" fn aclnnCalculateMatmulWeightSizeV2(
            tensorShape: *const aclIntArray, dataType: aclDataType, weightTensorSize: *mut u64,
        ) -> aclnnStatus;
        /// Storage shape and format for `aclnnNpuFormatCast`, the shape in memory that C++ must
        /// free
        /// with `delete[]`.
        Math "8.5" fn aclnnNpuFormatCastCalculateSizeAndFormat(
            srcTensor: *const aclTensor, dstFormat: c_int, additionalDtype: c_int,
            dstShape: *mut *mut i64, dstShapeSize: *mut u64, actualFormat: *mut c_int,
        ) -> aclnnStatus;
    }
}
