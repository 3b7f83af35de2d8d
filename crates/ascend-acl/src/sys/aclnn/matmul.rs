//! Dense products, with whole and with quantised weights.

use std::ffi::c_int;

use crate::sys::table::operators;
use crate::sys::{aclScalar, aclTensor};

operators! {
    /// Dense products.
    Matmul {
        /// Product of tensors of one to six axes.
        Nn "8.1" fn aclnnMatmul(
            self: *const aclTensor, mat2: *const aclTensor, out: *mut aclTensor, cubeMathType: i8,
        );
        /// Product of two matrices.
        Nn "8.1" fn aclnnMm(
            self: *const aclTensor, mat2: *const aclTensor, out: *mut aclTensor, cubeMathType: i8,
        );
        /// `beta * self + alpha * mat1 @ mat2`; `self` may be a row.
        Nn "8.1" fn aclnnAddmm(
            self: *const aclTensor, mat1: *const aclTensor, mat2: *const aclTensor,
            beta: *const aclScalar, alpha: *const aclScalar, out: *mut aclTensor, cubeMathType: i8,
        );
        /// Products of two stacks of matrices.
        Nn "8.1" fn aclnnBatchMatMul(
            self: *const aclTensor, mat2: *const aclTensor, out: *mut aclTensor, cubeMathType: i8,
        );
        /// Converts a weight to `FRACTAL_NZ` in place; its size is that of
        /// `aclnnCalculateMatmulWeightSizeV2`.
        Math "8.1" fn aclnnTransMatmulWeight(mmWeightRef: *mut aclTensor);
        /// `aclnnMatmul` with a weight in `FRACTAL_NZ`.
        Nn "8.5" fn aclnnMatmulWeightNz(
            self: *const aclTensor, mat2: *const aclTensor, out: *mut aclTensor, cubeMathType: i8,
        );
        /// `aclnnAddmm` with a weight in `FRACTAL_NZ`.
        Nn "8.5" fn aclnnAddmmWeightNz(
            self: *const aclTensor, mat1: *const aclTensor, mat2: *const aclTensor,
            beta: *const aclScalar, alpha: *const aclScalar, out: *mut aclTensor, cubeMathType: i8,
        );
        /// `aclnnBatchMatMul` with a weight in `FRACTAL_NZ`.
        Nn "8.5" fn aclnnBatchMatMulWeightNz(
            self: *const aclTensor, mat2: *const aclTensor, out: *mut aclTensor, cubeMathType: i8,
        );
        /// Product with a weight in int8 or int4.
        Nn "8.1" fn aclnnWeightQuantBatchMatmulV2(
            x: *const aclTensor, weight: *const aclTensor, antiquantScale: *const aclTensor,
            antiquantOffsetOptional: *const aclTensor, quantScaleOptional: *const aclTensor,
            quantOffsetOptional: *const aclTensor, biasOptional: *const aclTensor,
            antiquantGroupSize: c_int, y: *const aclTensor,
        );
        /// `aclnnWeightQuantBatchMatmulV2` with a choice of precision.
        Nn "8.1" fn aclnnWeightQuantBatchMatmulV3(
            x: *const aclTensor, weight: *const aclTensor, antiquantScale: *const aclTensor,
            antiquantOffsetOptional: *const aclTensor, quantScaleOptional: *const aclTensor,
            quantOffsetOptional: *const aclTensor, biasOptional: *const aclTensor,
            antiquantGroupSize: c_int, innerPrecise: c_int, y: *const aclTensor,
        );
        /// `aclnnWeightQuantBatchMatmulV2` with a weight in `FRACTAL_NZ`.
        Nn "8.5" fn aclnnWeightQuantBatchMatmulNz(
            x: *const aclTensor, weight: *const aclTensor, antiquantScale: *const aclTensor,
            antiquantOffsetOptional: *const aclTensor, quantScaleOptional: *const aclTensor,
            quantOffsetOptional: *const aclTensor, biasOptional: *const aclTensor,
            antiquantGroupSize: c_int, y: *const aclTensor,
        );
        /// Packs int32 values into int4.
        Nn "8.1" fn aclnnConvertWeightToINT4Pack(
            weight: *const aclTensor, weightInt4Pack: *mut aclTensor,
        );
        /// Product of two quantised matrices.
        Nn "8.1" fn aclnnQuantMatmulV4(
            x1: *const aclTensor, x2: *const aclTensor, scale: *const aclTensor,
            offset: *const aclTensor, pertokenScaleOptional: *const aclTensor,
            bias: *const aclTensor, transposeX1: bool, transposeX2: bool, out: *const aclTensor,
        );
        /// Product of two quantised matrices, scaled in groups.
        Nn "8.5" fn aclnnQuantMatmulV5(
            x1: *const aclTensor, x2: *const aclTensor, x1Scale: *const aclTensor,
            x2Scale: *const aclTensor, yScale: *const aclTensor, x1Offset: *const aclTensor,
            x2Offset: *const aclTensor, yOffset: *const aclTensor, bias: *const aclTensor,
            transposeX1: bool, transposeX2: bool, groupSize: i64, out: *mut aclTensor,
        );
        /// Quantises each row to int8 with a scale of its own.
        Nn "8.1" fn aclnnDynamicQuant(
            x: *const aclTensor, smoothScalesOptional: *const aclTensor, yOut: *const aclTensor,
            scaleOut: *const aclTensor,
        );
    }
}
