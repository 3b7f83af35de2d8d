//! Indices, copies, shapes, sampling.

use crate::sys::table::operators;
use crate::sys::{aclDataType, aclIntArray, aclScalar, aclTensor, aclTensorList};

operators! {
    /// Indices, copies, shapes, sampling.
    Indexing {
        /// Rows of a table; an index outside of it is not an error.
        Nn "8.1" fn aclnnEmbedding(
            weight: *const aclTensor, indices: *const aclTensor, out: *const aclTensor,
        );
        /// Slices at indices along an axis.
        Nn "8.1" fn aclnnIndexSelect(
            self: *const aclTensor, dim: i64, index: *const aclTensor, out: *mut aclTensor,
        );
        /// Slices at indices along an axis.
        Nn "8.1" fn aclnnGatherV2(
            self: *const aclTensor, dim: i64, index: *const aclTensor, out: *mut aclTensor,
        );
        /// Index of the largest along an axis.
        Math "8.1" fn aclnnArgMax(
            self: *const aclTensor, dim: i64, keepdim: bool, out: *mut aclTensor,
        );
        /// The largest along an axis, and its index.
        Math "8.1" fn aclnnMaxDim(
            self: *const aclTensor, dim: i64, keepdim: bool, out: *mut aclTensor,
            indices: *mut aclTensor,
        );
        /// The `k` largest along an axis, and their int64 indices; `sorted` must be true.
        Math "8.1" fn aclnnTopk(
            self: *const aclTensor, k: i64, dim: i64, largest: bool, sorted: bool,
            valuesOut: *mut aclTensor, indicesOut: *mut aclTensor,
        );
        /// Sorts along an axis.
        Math "8.1" fn aclnnSort(
            self: *const aclTensor, stable: bool, dim: i64, descending: bool,
            valuesOut: *mut aclTensor, indicesOut: *mut aclTensor,
        );
        /// Running sums along an axis.
        Math "8.1" fn aclnnCumsum(
            self: *const aclTensor, dim: i64, dtype: aclDataType, out: *mut aclTensor,
        );
        /// Another element type.
        Math "8.1" fn aclnnCast(self: *const aclTensor, dtype: aclDataType, out: *mut aclTensor);
        /// Tensors one after another along an axis.
        Math "8.1" fn aclnnCat(tensors: *const aclTensorList, dim: i64, out: *mut aclTensor);
        /// Copies, with strides and another type if asked.
        Math "8.1" fn aclnnInplaceCopy(selfRef: *mut aclTensor, src: *const aclTensor);
        /// Axes in another order.
        Math "8.1" fn aclnnPermute(
            self: *const aclTensor, dims: *const aclIntArray, out: *mut aclTensor,
        );
        /// Parts of given sizes along an axis.
        Math "8.1" fn aclnnSplitWithSize(
            self: *const aclTensor, splitSize: *const aclIntArray, dim: i64,
            out: *mut aclTensorList,
        );
        /// Every so many elements of an axis.
        Math "8.1" fn aclnnSlice(
            self: *const aclTensor, dim: i64, start: i64, end: i64, step: i64, out: *mut aclTensor,
        );
        /// Every so many elements of several axes.
        Math "8.1" fn aclnnSliceV2(
            self: *const aclTensor, starts: *const aclIntArray, ends: *const aclIntArray,
            axes: *const aclIntArray, steps: *const aclIntArray, out: *mut aclTensor,
        );
        /// Copies side by side; writes out of bounds for some shapes in 8.5.0.
        Math "8.1" fn aclnnRepeat(
            self: *const aclTensor, repeats: *const aclIntArray, out: *mut aclTensor,
        );
        /// Axes of length one repeated.
        Math "8.1" fn aclnnExpand(
            self: *const aclTensor, size: *const aclIntArray, out: *mut aclTensor,
        );
        /// Fills with a scalar.
        Math "8.1" fn aclnnInplaceFillScalar(selfRef: *mut aclTensor, value: *const aclScalar);
        /// Fills with zeros.
        Math "8.1" fn aclnnInplaceZero(selfRef: *mut aclTensor);
        /// Numbers from `start` up to `end`, without it.
        Math "8.1" fn aclnnArange(
            start: *const aclScalar, end: *const aclScalar, step: *const aclScalar,
            out: *mut aclTensor,
        );
        /// Numbers from `start` up to `end`, with it.
        Math "8.1" fn aclnnRange(
            start: *const aclScalar, end: *const aclScalar, step: *const aclScalar,
            out: *mut aclTensor,
        );
        /// Draws from a distribution.
        Math "8.1" fn aclnnMultinomial(
            self: *const aclTensor, numsamples: i64, replacement: bool, seed: i64, offset: i64,
            out: *mut aclTensor,
        );
        /// Masks all but the `k` largest and the most probable.
        Nn "8.5" fn aclnnApplyTopKTopP(
            logits: *const aclTensor, p: *const aclTensor, k: *const aclTensor, out: *mut aclTensor,
        );
        /// Masks and draws in one.
        Nn "8.5" fn aclnnTopKTopPSample(
            logits: *const aclTensor, topK: *const aclTensor, topP: *const aclTensor,
            q: *const aclTensor, eps: f64, isNeedLogits: bool, topKGuess: i64,
            logitsSelectIdx: *const aclTensor, logitsTopKPSelect: *const aclTensor,
        );
        /// Another format, such as `FRACTAL_NZ`.
        Math "8.5" fn aclnnNpuFormatCast(srcTensor: *const aclTensor, dstTensor: *mut aclTensor);
    }
}
