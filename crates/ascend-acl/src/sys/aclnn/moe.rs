//! Routing to experts, and their products.

use std::ffi::c_char;

use crate::sys::table::operators;
use crate::sys::{aclIntArray, aclTensor, aclTensorList};

operators! {
    /// Experts.
    Moe {
        /// Softmax, then the `k` largest.
        Transformer "8.1" fn aclnnMoeGatingTopKSoftmax(
            x: *const aclTensor, finishedOptional: *const aclTensor, k: i64, yOut: *const aclTensor,
            expertIdxOut: *const aclTensor, rowIdxOut: *const aclTensor,
        );
        /// `renorm` 0: softmax, then the `k` largest; 1: the `k` largest, then softmax.
        Transformer "8.1" fn aclnnMoeGatingTopKSoftmaxV2(
            x: *const aclTensor, finishedOptional: *const aclTensor, k: i64, renorm: i64,
            outputSoftmaxResultFlag: bool, yOut: *const aclTensor, expertIdxOut: *const aclTensor,
            softmaxResultOutOptional: *const aclTensor,
        );
        /// The `k` largest by groups of experts.
        Transformer "8.5" fn aclnnMoeGatingTopK(
            x: *const aclTensor, biasOptional: *const aclTensor, k: i64, kGroup: i64,
            groupCount: i64, groupSelectMode: i64, renorm: i64, normType: i64, outFlag: bool,
            routedScalingFactor: f64, eps: f64, yOut: *const aclTensor,
            expertIdxOut: *const aclTensor, outOut: *const aclTensor,
        );
        /// Sorts rows by expert.
        Transformer "8.1" fn aclnnMoeInitRouting(
            x: *const aclTensor, rowIdx: *const aclTensor, expertIdx: *const aclTensor,
            activeNum: i64, expandedXOut: *const aclTensor, expandedRowIdxOut: *const aclTensor,
            expandedExpertIdxOut: *const aclTensor,
        );
        /// Sorts rows by expert; counts or their sums in int32.
        Transformer "8.1" fn aclnnMoeInitRoutingV2(
            x: *const aclTensor, expertIdx: *const aclTensor, activeNumOptional: i64,
            expertCapacityOptional: i64, expertNumOptional: i64, dropPadModeOptional: i64,
            expertTokensCountOrCumsumFlagOptional: i64,
            expertTokensBeforeCapacityFlagOptional: bool, expandedXOut: *const aclTensor,
            expandedRowIdxOut: *const aclTensor,
            expertTokensCountOrCumsumOutOptional: *const aclTensor,
            expertTokensBeforeCapacityOutOptional: *const aclTensor,
        );
        /// Sorts rows by expert; counts or their sums in int64, as grouped products take them.
        Transformer "8.5" fn aclnnMoeInitRoutingV3(
            x: *const aclTensor, expertIdx: *const aclTensor, scaleOptional: *const aclTensor,
            offsetOptional: *const aclTensor, activeNum: i64, expertCapacity: i64, expertNum: i64,
            dropPadMode: i64, expertTokensNumType: i64, expertTokensNumFlag: bool, quantMode: i64,
            activeExpertRangeOptional: *const aclIntArray, rowIdxType: i64,
            expandedXOut: *const aclTensor, expandedRowIdxOut: *const aclTensor,
            expertTokensCountOrCumsumOut: *const aclTensor, expandedScaleOut: *const aclTensor,
        );
        /// Where the rows of each expert end.
        Transformer "8.1" fn aclnnMoeComputeExpertTokens(
            sortedExperts: *const aclTensor, numExperts: i64, out: *const aclTensor,
        );
        /// Sums the rows of each token, in column order.
        Transformer "8.1" fn aclnnMoeFinalizeRouting(
            expandedX: *const aclTensor, x1: *const aclTensor, x2Optional: *const aclTensor,
            bias: *const aclTensor, scales: *const aclTensor, expandedRowIdx: *const aclTensor,
            expandedExpertIdx: *const aclTensor, out: *const aclTensor,
        );
        /// Sums the rows of each token, with scales, biases and residuals; `dropPadMode` names the
        /// order.
        Transformer "8.1" fn aclnnMoeFinalizeRoutingV2(
            expandedX: *const aclTensor, expandedRowIdx: *const aclTensor,
            x1Optional: *const aclTensor, x2Optional: *const aclTensor,
            biasOptional: *const aclTensor, scalesOptional: *const aclTensor,
            expertIdxOptional: *const aclTensor, dropPadMode: i64, out: *const aclTensor,
        );
        /// `aclnnMoeFinalizeRoutingV2` with zero, copying and constant experts.
        Transformer "9.0" fn aclnnMoeFinalizeRoutingV3(
            expandedX: *const aclTensor, expandedRowIdx: *const aclTensor,
            x1Optional: *const aclTensor, x2Optional: *const aclTensor,
            biasOptional: *const aclTensor, scalesOptional: *const aclTensor,
            expertIdxOptional: *const aclTensor, xOptional: *const aclTensor,
            a1Optional: *const aclTensor, a2Optional: *const aclTensor, vOptional: *const aclTensor,
            dropPadMode: i64, zeroExpertRange: *const aclIntArray,
            copyExpertRange: *const aclIntArray, constantExpertRange: *const aclIntArray,
            out: *const aclTensor,
        );
        /// Sorts tokens by expert.
        Transformer "8.1" fn aclnnMoeTokenPermute(
            tokens: *const aclTensor, indices: *const aclTensor, numOutTokens: i64,
            paddedMode: bool, permuteTokensOut: *const aclTensor,
            sortedIndicesOut: *const aclTensor,
        );
        /// Puts sorted tokens back and sums them.
        Transformer "8.1" fn aclnnMoeTokenUnpermute(
            permutedTokens: *const aclTensor, sortedIndices: *const aclTensor,
            probsOptional: *const aclTensor, paddedMode: bool,
            restoreShapeOptional: *const aclIntArray, out: *mut aclTensor,
        );
        /// Products of groups of rows, each with its own weight.
        Transformer "8.1" fn aclnnGroupedMatmul(
            x: *const aclTensorList, weight: *const aclTensorList,
            biasOptional: *const aclTensorList, scaleOptional: *const aclTensorList,
            offsetOptional: *const aclTensorList, antiquantScaleOptional: *const aclTensorList,
            antiquantOffsetOptional: *const aclTensorList, groupListOptional: *const aclIntArray,
            splitItem: i64, y: *const aclTensorList,
        );
        /// Grouped products with a group type.
        Transformer "8.1" fn aclnnGroupedMatmulV2(
            x: *const aclTensorList, weight: *const aclTensorList,
            biasOptional: *const aclTensorList, scaleOptional: *const aclTensorList,
            offsetOptional: *const aclTensorList, antiquantScaleOptional: *const aclTensorList,
            antiquantOffsetOptional: *const aclTensorList, groupListOptional: *const aclIntArray,
            splitItem: i64, groupType: i64, y: *const aclTensorList,
        );
        /// Grouped products with the groups in a device tensor.
        Transformer "8.1" fn aclnnGroupedMatmulV3(
            x: *const aclTensorList, weight: *const aclTensorList,
            biasOptional: *const aclTensorList, scaleOptional: *const aclTensorList,
            offsetOptional: *const aclTensorList, antiquantScaleOptional: *const aclTensorList,
            antiquantOffsetOptional: *const aclTensorList, groupListOptional: *const aclTensor,
            splitItem: i64, groupType: i64, y: *const aclTensorList,
        );
        /// Grouped products with quantisation and activation; `groupList` is int64 on the device.
        Transformer "8.1" fn aclnnGroupedMatmulV4(
            x: *const aclTensorList, weight: *const aclTensorList,
            biasOptional: *const aclTensorList, scaleOptional: *const aclTensorList,
            offsetOptional: *const aclTensorList, antiquantScaleOptional: *const aclTensorList,
            antiquantOffsetOptional: *const aclTensorList,
            perTokenScaleOptional: *const aclTensorList, groupListOptional: *const aclTensor,
            activationInputOptional: *const aclTensorList,
            activationQuantScaleOptional: *const aclTensorList,
            activationQuantOffsetOptional: *const aclTensorList, splitItem: i64, groupType: i64,
            groupListType: i64, actType: i64, out: *mut aclTensorList,
            activationFeatureOutOptional: *mut aclTensorList,
            dynQuantScaleOutOptional: *mut aclTensorList,
        );
        /// `aclnnGroupedMatmulV4` with tuning.
        Transformer "8.3" fn aclnnGroupedMatmulV5(
            x: *const aclTensorList, weight: *const aclTensorList,
            biasOptional: *const aclTensorList, scaleOptional: *const aclTensorList,
            offsetOptional: *const aclTensorList, antiquantScaleOptional: *const aclTensorList,
            antiquantOffsetOptional: *const aclTensorList,
            perTokenScaleOptional: *const aclTensorList, groupListOptional: *const aclTensor,
            activationInputOptional: *const aclTensorList,
            activationQuantScaleOptional: *const aclTensorList,
            activationQuantOffsetOptional: *const aclTensorList, splitItem: i64, groupType: i64,
            groupListType: i64, actType: i64, tuningConfigOptional: *mut aclIntArray,
            out: *mut aclTensorList, activationFeatureOutOptional: *mut aclTensorList,
            dynQuantScaleOutOptional: *mut aclTensorList,
        );
        /// `aclnnGroupedMatmulV5` with weights in `FRACTAL_NZ`.
        Transformer "8.5" fn aclnnGroupedMatmulWeightNz(
            x: *const aclTensorList, weight: *const aclTensorList,
            biasOptional: *const aclTensorList, scaleOptional: *const aclTensorList,
            offsetOptional: *const aclTensorList, antiquantScaleOptional: *const aclTensorList,
            antiquantOffsetOptional: *const aclTensorList,
            perTokenScaleOptional: *const aclTensorList, groupListOptional: *const aclTensor,
            activationInputOptional: *const aclTensorList,
            activationQuantScaleOptional: *const aclTensorList,
            activationQuantOffsetOptional: *const aclTensorList, splitItem: i64, groupType: i64,
            groupListType: i64, actType: i64, tuningConfigOptional: *mut aclIntArray,
            quantGroupSize: i64, out: *mut aclTensorList,
            activationFeatureOutOptional: *mut aclTensorList,
            dynQuantScaleOutOptional: *mut aclTensorList,
        );
        /// Sends tokens to the devices of their experts.
        Transformer "8.5" fn aclnnMoeDistributeDispatchV2(
            x: *const aclTensor, expertIds: *const aclTensor, scalesOptional: *const aclTensor,
            xActiveMaskOptional: *const aclTensor, expertScalesOptional: *const aclTensor,
            groupEp: *const c_char, epWorldSize: i64, epRankId: i64, moeExpertNum: i64,
            groupTp: *const c_char, tpWorldSize: i64, tpRankId: i64, expertShardType: i64,
            sharedExpertNum: i64, sharedExpertRankNum: i64, quantMode: i64, globalBs: i64,
            expertTokenNumsType: i64, commAlg: *const c_char, expandXOut: *mut aclTensor,
            dynamicScalesOut: *mut aclTensor, assistInfoForCombineOut: *mut aclTensor,
            expertTokenNumsOut: *mut aclTensor, epRecvCountsOut: *mut aclTensor,
            tpRecvCountsOut: *mut aclTensor, expandScalesOut: *mut aclTensor,
        );
        /// Brings tokens back from the devices of their experts.
        Transformer "8.5" fn aclnnMoeDistributeCombineV2(
            expandX: *const aclTensor, expertIds: *const aclTensor,
            assistInfoForCombine: *const aclTensor, epSendCounts: *const aclTensor,
            expertScales: *const aclTensor, tpSendCountsOptional: *const aclTensor,
            xActiveMaskOptional: *const aclTensor, activationScaleOptional: *const aclTensor,
            weightScaleOptional: *const aclTensor, groupListOptional: *const aclTensor,
            expandScalesOptional: *const aclTensor, sharedExpertXOptional: *const aclTensor,
            groupEp: *const c_char, epWorldSize: i64, epRankId: i64, moeExpertNum: i64,
            groupTp: *const c_char, tpWorldSize: i64, tpRankId: i64, expertShardType: i64,
            sharedExpertNum: i64, sharedExpertRankNum: i64, globalBs: i64, outDtype: i64,
            commQuantMode: i64, groupListType: i64, commAlg: *const c_char, xOut: *mut aclTensor,
        );
    }
}
