//! Rotary positions, caches of keys and values, attention.

use std::ffi::c_char;

use crate::sys::table::operators;
use crate::sys::{aclIntArray, aclTensor, aclTensorList};

operators! {
    /// Rotary positions, caches, attention.
    Attention {
        /// Rotates pairs by given cosines and sines.
        Transformer "8.3" fn aclnnRotaryPositionEmbedding(
            x: *const aclTensor, cos: *const aclTensor, sin: *const aclTensor, mode: i64,
            out: *mut aclTensor,
        );
        /// `aclnnRotaryPositionEmbedding` with a matrix of rotation.
        Transformer "8.5" fn aclnnRotaryPositionEmbeddingV2(
            x: *const aclTensor, cos: *const aclTensor, sin: *const aclTensor, mode: i64,
            rotate: *const aclTensor, out: *mut aclTensor,
        );
        /// Rotates queries and keys in place.
        Transformer "8.1" fn aclnnApplyRotaryPosEmb(
            queryRef: *mut aclTensor, keyRef: *mut aclTensor, cos: *const aclTensor,
            sin: *const aclTensor, layout: i64,
        );
        /// Rotates queries and keys in place; `rotaryMode` names the pairs.
        Transformer "8.3" fn aclnnApplyRotaryPosEmbV2(
            queryRef: *mut aclTensor, keyRef: *mut aclTensor, cos: *const aclTensor,
            sin: *const aclTensor, layout: i64, rotaryMode: *mut c_char,
        );
        /// Rotates queries and keys by rows of a table.
        Transformer "8.1" fn aclnnRopeWithSinCosCache(
            positions: *const aclTensor, queryIn: *const aclTensor, keyIn: *const aclTensor,
            cosSinCache: *const aclTensor, mropeSection: *const aclIntArray, headSize: i64,
            isNeoxStyle: bool, queryOut: *mut aclTensor, keyOut: *mut aclTensor,
        );
        /// Writes keys and values into pages.
        Transformer "8.3" fn aclnnScatterPaKvCache(
            key: *const aclTensor, keyCacheRef: *mut aclTensor, slotMapping: *const aclTensor,
            value: *const aclTensor, valueCacheRef: *mut aclTensor,
            compressLensOptional: *const aclTensor, compressSeqOffsetOptional: *const aclTensor,
            seqLensOptional: *const aclTensor, cacheModeOptional: *mut c_char,
            scatterModeOptional: *mut c_char, stridesOptional: *const aclIntArray,
            offsetsOptional: *const aclIntArray,
        );
        /// Writes keys into pages.
        Transformer "9.0" fn aclnnScatterPaCache(
            key: *const aclTensor, keyCacheRef: *mut aclTensor, slotMapping: *const aclTensor,
            compressLensOptional: *const aclTensor, compressSeqOffsetOptional: *const aclTensor,
            seqLensOptional: *const aclTensor, cacheMode: *mut c_char,
        );
        /// Writes rows at indices.
        Nn "8.1" fn aclnnScatterNdUpdate(
            varRef: *mut aclTensor, indices: *const aclTensor, updates: *const aclTensor,
        );
        /// Writes along an axis other than the first.
        Nn "8.1" fn aclnnInplaceScatterUpdate(
            data: *mut aclTensor, indices: *const aclTensor, updates: *const aclTensor, axis: i64,
        );
        /// Copies rows to indices along an axis.
        Nn "8.1" fn aclnnInplaceIndexCopy(
            selfRef: *mut aclTensor, dim: i64, index: *const aclTensor, source: *const aclTensor,
        );
        /// Attention for inference.
        Transformer "8.1" fn aclnnFusedInferAttentionScore(
            query: *const aclTensor, key: *const aclTensorList, value: *const aclTensorList,
            pseShift: *const aclTensor, attenMask: *const aclTensor,
            actualSeqLengths: *const aclIntArray, actualSeqLengthsKv: *const aclIntArray,
            deqScale1: *const aclTensor, quantScale1: *const aclTensor, deqScale2: *const aclTensor,
            quantScale2: *const aclTensor, quantOffset2: *const aclTensor,
            antiquantScale: *const aclTensor, antiquantOffset: *const aclTensor,
            blockTable: *const aclTensor, queryPaddingSize: *const aclTensor,
            kvPaddingSize: *const aclTensor, numHeads: i64, scaleValue: f64, preTokens: i64,
            nextTokens: i64, inputLayout: *mut c_char, numKeyValueHeads: i64, sparseMode: i64,
            innerPrecise: i64, blockSize: i64, antiquantMode: i64, softmaxLseFlag: bool,
            attentionOut: *const aclTensor, softmaxLse: *const aclTensor,
        );
        /// Attention for inference with scales of keys and values and a shared prefix.
        Transformer "8.1" fn aclnnFusedInferAttentionScoreV2(
            query: *const aclTensor, key: *const aclTensorList, value: *const aclTensorList,
            pseShiftOptional: *const aclTensor, attenMaskOptional: *const aclTensor,
            actualSeqLengthsOptional: *const aclIntArray,
            actualSeqLengthsKvOptional: *const aclIntArray, deqScale1Optional: *const aclTensor,
            quantScale1Optional: *const aclTensor, deqScale2Optional: *const aclTensor,
            quantScale2Optional: *const aclTensor, quantOffset2Optional: *const aclTensor,
            antiquantScaleOptional: *const aclTensor, antiquantOffsetOptional: *const aclTensor,
            blockTableOptional: *const aclTensor, queryPaddingSizeOptional: *const aclTensor,
            kvPaddingSizeOptional: *const aclTensor, keyAntiquantScaleOptional: *const aclTensor,
            keyAntiquantOffsetOptional: *const aclTensor,
            valueAntiquantScaleOptional: *const aclTensor,
            valueAntiquantOffsetOptional: *const aclTensor,
            keySharedPrefixOptional: *const aclTensor, valueSharedPrefixOptional: *const aclTensor,
            actualSharedPrefixLenOptional: *const aclIntArray, numHeads: i64, scaleValue: f64,
            preTokens: i64, nextTokens: i64, inputLayout: *mut c_char, numKeyValueHeads: i64,
            sparseMode: i64, innerPrecise: i64, blockSize: i64, antiquantMode: i64,
            softmaxLseFlag: bool, keyAntiquantMode: i64, valueAntiquantMode: i64,
            attentionOut: *const aclTensor, softmaxLse: *const aclTensor,
        );
        /// Attention for inference with rotary parts apart.
        Transformer "8.1" fn aclnnFusedInferAttentionScoreV3(
            query: *const aclTensor, key: *const aclTensorList, value: *const aclTensorList,
            pseShiftOptional: *const aclTensor, attenMaskOptional: *const aclTensor,
            actualSeqLengthsOptional: *const aclIntArray,
            actualSeqLengthsKvOptional: *const aclIntArray, deqScale1Optional: *const aclTensor,
            quantScale1Optional: *const aclTensor, deqScale2Optional: *const aclTensor,
            quantScale2Optional: *const aclTensor, quantOffset2Optional: *const aclTensor,
            antiquantScaleOptional: *const aclTensor, antiquantOffsetOptional: *const aclTensor,
            blockTableOptional: *const aclTensor, queryPaddingSizeOptional: *const aclTensor,
            kvPaddingSizeOptional: *const aclTensor, keyAntiquantScaleOptional: *const aclTensor,
            keyAntiquantOffsetOptional: *const aclTensor,
            valueAntiquantScaleOptional: *const aclTensor,
            valueAntiquantOffsetOptional: *const aclTensor,
            keySharedPrefixOptional: *const aclTensor, valueSharedPrefixOptional: *const aclTensor,
            actualSharedPrefixLenOptional: *const aclIntArray, queryRopeOptional: *const aclTensor,
            keyRopeOptional: *const aclTensor, keyRopeAntiquantScaleOptional: *const aclTensor,
            numHeads: i64, scaleValue: f64, preTokens: i64, nextTokens: i64,
            inputLayout: *mut c_char, numKeyValueHeads: i64, sparseMode: i64, innerPrecise: i64,
            blockSize: i64, antiquantMode: i64, softmaxLseFlag: bool, keyAntiquantMode: i64,
            valueAntiquantMode: i64, attentionOut: *const aclTensor, softmaxLse: *const aclTensor,
        );
        /// Attention for inference with learned sinks; not on the 950.
        Transformer "8.3" fn aclnnFusedInferAttentionScoreV4(
            query: *const aclTensor, key: *const aclTensorList, value: *const aclTensorList,
            pseShiftOptional: *const aclTensor, attenMaskOptional: *const aclTensor,
            actualSeqLengthsOptional: *const aclIntArray,
            actualSeqLengthsKvOptional: *const aclIntArray, deqScale1Optional: *const aclTensor,
            quantScale1Optional: *const aclTensor, deqScale2Optional: *const aclTensor,
            quantScale2Optional: *const aclTensor, quantOffset2Optional: *const aclTensor,
            antiquantScaleOptional: *const aclTensor, antiquantOffsetOptional: *const aclTensor,
            blockTableOptional: *const aclTensor, queryPaddingSizeOptional: *const aclTensor,
            kvPaddingSizeOptional: *const aclTensor, keyAntiquantScaleOptional: *const aclTensor,
            keyAntiquantOffsetOptional: *const aclTensor,
            valueAntiquantScaleOptional: *const aclTensor,
            valueAntiquantOffsetOptional: *const aclTensor,
            keySharedPrefixOptional: *const aclTensor, valueSharedPrefixOptional: *const aclTensor,
            actualSharedPrefixLenOptional: *const aclIntArray, queryRopeOptional: *const aclTensor,
            keyRopeOptional: *const aclTensor, keyRopeAntiquantScaleOptional: *const aclTensor,
            dequantScaleQueryOptional: *const aclTensor, learnableSinkOptional: *const aclTensor,
            numHeads: i64, scaleValue: f64, preTokens: i64, nextTokens: i64,
            inputLayout: *mut c_char, numKeyValueHeads: i64, sparseMode: i64, innerPrecise: i64,
            blockSize: i64, antiquantMode: i64, softmaxLseFlag: bool, keyAntiquantMode: i64,
            valueAntiquantMode: i64, queryQuantMode: i64, attentionOut: *const aclTensor,
            softmaxLse: *const aclTensor,
        );
        /// Attention for inference with learned sinks; the only one of its family on the 950.
        Transformer "9.0" fn aclnnFusedInferAttentionScoreV5(
            query: *const aclTensor, key: *const aclTensorList, value: *const aclTensorList,
            pseShiftOptional: *const aclTensor, attenMaskOptional: *const aclTensor,
            actualSeqLengthsOptional: *const aclIntArray,
            actualSeqLengthsKvOptional: *const aclIntArray, deqScale1Optional: *const aclTensor,
            quantScale1Optional: *const aclTensor, deqScale2Optional: *const aclTensor,
            quantScale2Optional: *const aclTensor, quantOffset2Optional: *const aclTensor,
            antiquantScaleOptional: *const aclTensor, antiquantOffsetOptional: *const aclTensor,
            blockTableOptional: *const aclTensor, queryPaddingSizeOptional: *const aclTensor,
            kvPaddingSizeOptional: *const aclTensor, keyAntiquantScaleOptional: *const aclTensor,
            keyAntiquantOffsetOptional: *const aclTensor,
            valueAntiquantScaleOptional: *const aclTensor,
            valueAntiquantOffsetOptional: *const aclTensor,
            keySharedPrefixOptional: *const aclTensor, valueSharedPrefixOptional: *const aclTensor,
            actualSharedPrefixLenOptional: *const aclIntArray, queryRopeOptional: *const aclTensor,
            keyRopeOptional: *const aclTensor, keyRopeAntiquantScaleOptional: *const aclTensor,
            dequantScaleQueryOptional: *const aclTensor, learnableSinkOptional: *const aclTensor,
            qStartIdxOptional: *const aclIntArray, kvStartIdxOptional: *const aclIntArray,
            numHeads: i64, scaleValue: f64, preTokens: i64, nextTokens: i64,
            inputLayout: *mut c_char, numKeyValueHeads: i64, sparseMode: i64, innerPrecise: i64,
            blockSize: i64, antiquantMode: i64, softmaxLseFlag: bool, keyAntiquantMode: i64,
            valueAntiquantMode: i64, queryQuantMode: i64, pseType: i64,
            attentionOut: *const aclTensor, softmaxLse: *const aclTensor,
        );
        /// Attention of prompts.
        Transformer "8.1" fn aclnnPromptFlashAttentionV3(
            query: *const aclTensor, key: *const aclTensor, value: *const aclTensor,
            pseShift: *const aclTensor, attenMask: *const aclTensor,
            actualSeqLengths: *const aclIntArray, actualSeqLengthsKv: *const aclIntArray,
            deqScale1: *const aclTensor, quantScale1: *const aclTensor, deqScale2: *const aclTensor,
            quantScale2: *const aclTensor, quantOffset2: *const aclTensor, numHeads: i64,
            scaleValue: f64, preTokens: i64, nextTokens: i64, inputLayout: *mut c_char,
            numKeyValueHeads: i64, sparseMode: i64, innerPrecise: i64,
            attentionOut: *const aclTensor,
        );
        /// Attention of one new token.
        Transformer "8.1" fn aclnnIncreFlashAttentionV4(
            query: *const aclTensor, key: *const aclTensorList, value: *const aclTensorList,
            pseShift: *const aclTensor, attenMask: *const aclTensor,
            actualSeqLengths: *const aclIntArray, dequantScale1: *const aclTensor,
            quantScale1: *const aclTensor, dequantScale2: *const aclTensor,
            quantScale2: *const aclTensor, quantOffset2: *const aclTensor,
            antiquantScale: *const aclTensor, antiquantOffset: *const aclTensor,
            blocktable: *const aclTensor, kvPaddingSize: *const aclTensor, numHeads: i64,
            scaleValue: f64, inputLayout: *mut c_char, numKeyValueHeads: i64, blockSize: i64,
            innerPrecise: i64, attentionOut: *const aclTensor,
        );
        /// Attention for training, with sinks.
        Transformer "8.5" fn aclnnFlashAttentionScoreV3(
            query: *const aclTensor, key: *const aclTensor, value: *const aclTensor,
            realShiftOptional: *const aclTensor, dropMaskOptional: *const aclTensor,
            paddingMaskOptional: *const aclTensor, attenMaskOptional: *const aclTensor,
            sinkOptional: *const aclTensor, prefixOptional: *const aclIntArray,
            qStartIdxOptional: *const aclIntArray, kvStartIdxOptional: *const aclIntArray,
            scaleValue: f64, keepProb: f64, preTokens: i64, nextTokens: i64, headNum: i64,
            inputLayout: *mut c_char, innerPrecise: i64, sparseMode: i64, pseType: i64,
            softmaxMaxOut: *const aclTensor, softmaxSumOut: *const aclTensor,
            softmaxOutOut: *const aclTensor, attentionOutOut: *const aclTensor,
        );
        /// Attention for training, with sequences of different lengths.
        Transformer "8.5" fn aclnnFlashAttentionVarLenScoreV3(
            query: *const aclTensor, queryRope: *const aclTensor, key: *const aclTensor,
            keyRope: *const aclTensor, value: *const aclTensor, realShiftOptional: *const aclTensor,
            dropMaskOptional: *const aclTensor, paddingMaskOptional: *const aclTensor,
            attenMaskOptional: *const aclTensor, prefixOptional: *const aclIntArray,
            actualSeqQLenOptional: *const aclIntArray, actualSeqKvLenOptional: *const aclIntArray,
            qStartIdxOptional: *const aclIntArray, kvStartIdxOptional: *const aclIntArray,
            scaleValue: f64, keepProb: f64, preTokens: i64, nextTokens: i64, headNum: i64,
            inputLayout: *mut c_char, innerPrecise: i64, sparseMode: i64, pseType: i64,
            softmaxMaxOut: *const aclTensor, softmaxSumOut: *const aclTensor,
            softmaxOutOut: *const aclTensor, attentionOutOut: *const aclTensor,
        );
    }
}
