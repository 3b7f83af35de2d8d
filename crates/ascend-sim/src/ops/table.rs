//! The operators by library, first release, name and parameters.

use super::{
    activation, attention, cast, clamp, cumsum, dynamic_quant, elementwise, fill, gather, grouped,
    kv, matmul, moe, moves, multinomial, norm, order, quant_matmul, rope, sampling, softmax, unary,
    weight_format, weight_quant, zero,
};
use crate::dtype::DataType;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

operators! {
    // Norms, arithmetic, activations
    nn "8.1" aclnnRmsNorm(
        x: Tensor, gamma: Tensor, epsilon: f64, y_out: Tensor, rstd_out: Tensor,
    ) => norm::rms_norm;
    nn "8.1" aclnnAddRmsNorm(
        x1: Tensor, x2: Tensor, gamma: Tensor, epsilon: f64, y_out: Tensor, rstd_out: Tensor,
        x_out: Tensor,
    ) => norm::add_rms_norm;
    nn "8.3" aclnnInplaceAddRmsNorm(
        x1_ref: Tensor, x2_ref: Tensor, gamma: Tensor, epsilon: f64, rstd_out: Tensor,
    ) => norm::inplace_add_rms_norm;
    nn "8.3" aclnnAddRmsNormCast(
        x1: Tensor, x2: Tensor, gamma: Tensor, epsilon: f64, y1_out: Tensor, y2_out: Tensor,
        rstd_out: Tensor, x_out: Tensor,
    ) => norm::add_rms_norm_cast;
    math "8.1" aclnnAdd(self_: Tensor, other: Tensor, alpha: Scalar, out: Tensor)
        => elementwise::add;
    math "8.1" aclnnAdds(self_: Tensor, other: Scalar, alpha: Scalar, out: Tensor)
        => elementwise::adds;
    math "8.1" aclnnInplaceAdd(self_ref: Tensor, other: Tensor, alpha: Scalar)
        => elementwise::inplace_add;
    math "8.1" aclnnMul(self_: Tensor, other: Tensor, out: Tensor) => elementwise::mul;
    math "8.1" aclnnMuls(self_: Tensor, other: Scalar, out: Tensor) => elementwise::muls;
    math "8.1" aclnnInplaceMul(self_ref: Tensor, other: Tensor) => elementwise::inplace_mul;
    math "8.1" aclnnInplaceMuls(self_ref: Tensor, other: Scalar) => elementwise::inplace_muls;
    math "8.1" aclnnDiv(self_: Tensor, other: Tensor, out: Tensor) => elementwise::div;
    math "8.1" aclnnSub(self_: Tensor, other: Tensor, alpha: Scalar, out: Tensor)
        => elementwise::sub;
    nn "8.1" aclnnSigmoid(self_: Tensor, out: Tensor) => unary::sigmoid;
    nn "8.1" aclnnSilu(self_: Tensor, out: Tensor) => unary::silu;
    nn "8.1" aclnnSwish(self_: Tensor, beta_optional: Option<Scalar>, out: Tensor)
        => unary::swish;
    nn "8.1" aclnnSwiGlu(x: Tensor, dim: i64, out: Tensor) => activation::swi_glu;
    nn "8.5" aclnnClippedSwiglu(
        x: Tensor, group_index_optional: Option<Tensor>, dim: i64, alpha: f64, limit: f64,
        bias: f64, interleaved: bool, out: Tensor,
    ) => activation::clipped_swiglu;
    nn "head" aclnnClippedSwigluV2(
        x: Tensor, group_index_optional: Option<Tensor>, dim: i64, alpha: f64, limit: f64,
        bias: f64, interleaved: bool, clamp_mode: i64, out: Tensor,
    ) => activation::clipped_swiglu_v2;
    math "8.1" aclnnClamp(
        self_: Tensor, clip_value_min: Scalar, clip_value_max: Scalar, out: Tensor,
    ) => clamp::clamp;
    math "8.1" aclnnClampMin(self_: Tensor, clip_value_min: Scalar, out: Tensor)
        => clamp::clamp_min;
    math "8.1" aclnnClampMax(self_: Tensor, clip_value_max: Scalar, out: Tensor)
        => clamp::clamp_max;
    math "8.1" aclnnExp(self_: Tensor, out: Tensor) => unary::exp;
    nn "8.1" aclnnSoftmax(self_: Tensor, dim: i64, out: Tensor) => softmax::softmax;
    nn "8.1" aclnnLogSoftmax(self_: Tensor, dim: i64, out: Tensor) => softmax::log_softmax;
    math "8.1" aclnnCos(input: Tensor, out: Tensor) => unary::cos;
    math "8.1" aclnnSin(self_: Tensor, out: Tensor) => unary::sin;

    // Products of matrices
    nn "8.1" aclnnMatmul(self_: Tensor, mat2: Tensor, out: Tensor, cube_math_type: i8)
        => matmul::matmul;
    nn "8.1" aclnnMm(self_: Tensor, mat2: Tensor, out: Tensor, cube_math_type: i8)
        => matmul::mm;
    nn "8.1" aclnnAddmm(
        self_: Tensor, mat1: Tensor, mat2: Tensor, beta: Scalar, alpha: Scalar, out: Tensor,
        cube_math_type: i8,
    ) => matmul::addmm;
    nn "8.1" aclnnBatchMatMul(self_: Tensor, mat2: Tensor, out: Tensor, cube_math_type: i8)
        => matmul::batch_mat_mul;
    math "8.1" aclnnTransMatmulWeight(mm_weight_ref: Tensor)
        => weight_format::trans_matmul_weight;
    nn "8.5" aclnnMatmulWeightNz(self_: Tensor, mat2: Tensor, out: Tensor, cube_math_type: i8)
        => matmul::matmul_weight_nz;
    nn "8.5" aclnnAddmmWeightNz(
        self_: Tensor, mat1: Tensor, mat2: Tensor, beta: Scalar, alpha: Scalar, out: Tensor,
        cube_math_type: i8,
    ) => matmul::addmm_weight_nz;
    nn "8.5" aclnnBatchMatMulWeightNz(
        self_: Tensor, mat2: Tensor, out: Tensor, cube_math_type: i8,
    ) => matmul::batch_mat_mul_weight_nz;
    math "8.5" aclnnNpuFormatCast(src_tensor: Tensor, dst_tensor: Tensor)
        => weight_format::npu_format_cast;
    nn "8.1" aclnnConvertWeightToINT4Pack(weight: Tensor, weight_int4_pack: Tensor)
        => weight_format::convert_weight_to_int4_pack;

    nn "8.1" aclnnWeightQuantBatchMatmulV2(
        x: Tensor, weight: Tensor, antiquant_scale: Tensor,
        antiquant_offset_optional: Option<Tensor>, quant_scale_optional: Option<Tensor>,
        quant_offset_optional: Option<Tensor>, bias_optional: Option<Tensor>,
        antiquant_group_size: i32, y: Tensor,
    ) => weight_quant::weight_quant_batch_matmul_v2;
    nn "8.1" aclnnWeightQuantBatchMatmulV3(
        x: Tensor, weight: Tensor, antiquant_scale: Tensor,
        antiquant_offset_optional: Option<Tensor>, quant_scale_optional: Option<Tensor>,
        quant_offset_optional: Option<Tensor>, bias_optional: Option<Tensor>,
        antiquant_group_size: i32, inner_precise: i32, y: Tensor,
    ) => weight_quant::weight_quant_batch_matmul_v3;
    nn "8.5" aclnnWeightQuantBatchMatmulNz(
        x: Tensor, weight: Tensor, antiquant_scale: Tensor,
        antiquant_offset_optional: Option<Tensor>, quant_scale_optional: Option<Tensor>,
        quant_offset_optional: Option<Tensor>, bias_optional: Option<Tensor>,
        antiquant_group_size: i32, y: Tensor,
    ) => weight_quant::weight_quant_batch_matmul_nz;
    nn "8.1" aclnnQuantMatmulV4(
        x1: Tensor, x2: Tensor, scale: Tensor, offset: Option<Tensor>,
        pertoken_scale_optional: Option<Tensor>, bias: Option<Tensor>, transpose_x1: bool,
        transpose_x2: bool, out: Tensor,
    ) => quant_matmul::quant_matmul_v4;
    nn "8.5" aclnnQuantMatmulV5(
        x1: Tensor, x2: Tensor, x1_scale: Option<Tensor>, x2_scale: Tensor,
        y_scale: Option<Tensor>, x1_offset: Option<Tensor>, x2_offset: Option<Tensor>,
        y_offset: Option<Tensor>, bias: Option<Tensor>, transpose_x1: bool, transpose_x2: bool,
        group_size: i64, out: Tensor,
    ) => quant_matmul::quant_matmul_v5;
    nn "8.1" aclnnDynamicQuant(
        x: Tensor, smooth_scales_optional: Option<Tensor>, y_out: Tensor, scale_out: Tensor,
    ) => dynamic_quant::dynamic_quant;

    // Indices, moves, sequences, sampling
    nn "8.1" aclnnEmbedding(weight: Tensor, indices: Tensor, out: Tensor) => gather::embedding;
    nn "8.1" aclnnIndexSelect(self_: Tensor, dim: i64, index: Tensor, out: Tensor)
        => gather::index_select;
    nn "8.1" aclnnGatherV2(self_: Tensor, dim: i64, index: Tensor, out: Tensor)
        => gather::gather_v2;
    math "8.1" aclnnArgMax(self_: Tensor, dim: i64, keepdim: bool, out: Tensor)
        => order::arg_max;
    math "8.1" aclnnMaxDim(
        self_: Tensor, dim: i64, keepdim: bool, out: Tensor, indices: Tensor,
    ) => order::max_dim;
    math "8.1" aclnnTopk(
        self_: Tensor, k: i64, dim: i64, largest: bool, sorted: bool, values_out: Tensor,
        indices_out: Tensor,
    ) => order::topk;
    math "8.1" aclnnSort(
        self_: Tensor, stable: bool, dim: i64, descending: bool, values_out: Tensor,
        indices_out: Tensor,
    ) => order::sort;
    math "8.1" aclnnCumsum(self_: Tensor, dim: i64, dtype: DataType, out: Tensor)
        => cumsum::cumsum;
    math "8.1" aclnnCast(self_: Tensor, dtype: DataType, out: Tensor) => cast::cast;
    math "8.1" aclnnCat(tensors: Vec<Tensor>, dim: i64, out: Tensor) => moves::cat;
    math "8.1" aclnnInplaceCopy(self_ref: Tensor, src: Tensor) => cast::inplace_copy;
    math "8.1" aclnnPermute(self_: Tensor, dims: Vec<i64>, out: Tensor) => moves::permute;
    math "8.1" aclnnSplitWithSize(
        self_: Tensor, split_size: Vec<i64>, dim: i64, out: Vec<Tensor>,
    ) => moves::split_with_size;
    math "8.1" aclnnSlice(
        self_: Tensor, dim: i64, start: i64, end: i64, step: i64, out: Tensor,
    ) => moves::slice;
    math "8.1" aclnnSliceV2(
        self_: Tensor, starts: Vec<i64>, ends: Vec<i64>, axes: Vec<i64>, steps: Vec<i64>,
        out: Tensor,
    ) => moves::slice_v2;
    math "8.1" aclnnRepeat(self_: Tensor, repeats: Vec<i64>, out: Tensor) => moves::repeat;
    math "8.1" aclnnExpand(self_: Tensor, size: Vec<i64>, out: Tensor) => moves::expand;
    math "8.1" aclnnInplaceFillScalar(self_ref: Tensor, value: Scalar)
        => fill::inplace_fill_scalar;
    math "8.1" aclnnArange(start: Scalar, end: Scalar, step: Scalar, out: Tensor)
        => fill::arange;
    math "8.1" aclnnRange(start: Scalar, end: Scalar, step: Scalar, out: Tensor) => fill::range;
    math "8.1" aclnnMultinomial(
        self_: Tensor, numsamples: i64, replacement: bool, seed: i64, offset: i64, out: Tensor,
    ) => multinomial::multinomial;
    nn "8.5" aclnnApplyTopKTopP(
        logits: Tensor, p: Option<Tensor>, k: Option<Tensor>, out: Tensor,
    ) => sampling::apply_top_k_top_p;
    nn "8.5" aclnnTopKTopPSample(
        logits: Tensor, top_k: Tensor, top_p: Tensor, q: Option<Tensor>, eps: f64,
        is_need_logits: bool, top_k_guess: i64, logits_select_idx: Tensor,
        logits_top_kp_select: Tensor,
    ) => sampling::top_k_top_p_sample;

    // Experts
    transformer "8.1" aclnnMoeGatingTopKSoftmax(
        x: Tensor, finished_optional: Option<Tensor>, k: i64, y_out: Tensor,
        expert_idx_out: Tensor, row_idx_out: Tensor,
    ) => moe::gating_top_k_softmax;
    transformer "8.1" aclnnMoeGatingTopKSoftmaxV2(
        x: Tensor, finished_optional: Option<Tensor>, k: i64, renorm: i64,
        output_softmax_result_flag: bool, y_out: Tensor, expert_idx_out: Tensor,
        softmax_result_out_optional: Option<Tensor>,
    ) => moe::gating_top_k_softmax_v2;
    transformer "8.5" aclnnMoeGatingTopK(
        x: Tensor, bias_optional: Option<Tensor>, k: i64, k_group: i64, group_count: i64,
        group_select_mode: i64, renorm: i64, norm_type: i64, out_flag: bool,
        routed_scaling_factor: f64, eps: f64, y_out: Tensor, expert_idx_out: Tensor,
        out_out: Tensor,
    ) => moe::gating_top_k;
    transformer "8.1" aclnnMoeInitRouting(
        x: Tensor, row_idx: Tensor, expert_idx: Tensor, active_num: i64, expanded_x_out: Tensor,
        expanded_row_idx_out: Tensor, expanded_expert_idx_out: Tensor,
    ) => moe::init_routing;
    transformer "8.1" aclnnMoeInitRoutingV2(
        x: Tensor, expert_idx: Tensor, active_num_optional: i64, expert_capacity_optional: i64,
        expert_num_optional: i64, drop_pad_mode_optional: i64,
        expert_tokens_count_or_cumsum_flag_optional: i64,
        expert_tokens_before_capacity_flag_optional: bool, expanded_x_out: Tensor,
        expanded_row_idx_out: Tensor, expert_tokens_count_or_cumsum_out_optional: Option<Tensor>,
        expert_tokens_before_capacity_out_optional: Option<Tensor>,
    ) => moe::init_routing_v2;
    transformer "8.5" aclnnMoeInitRoutingV3(
        x: Tensor, expert_idx: Tensor, scale_optional: Option<Tensor>,
        offset_optional: Option<Tensor>, active_num: i64, expert_capacity: i64, expert_num: i64,
        drop_pad_mode: i64, expert_tokens_num_type: i64, expert_tokens_num_flag: bool,
        quant_mode: i64, active_expert_range_optional: Option<Vec<i64>>, row_idx_type: i64,
        expanded_x_out: Tensor, expanded_row_idx_out: Tensor,
        expert_tokens_count_or_cumsum_out: Tensor, expanded_scale_out: Tensor,
    ) => moe::init_routing_v3;
    transformer "8.1" aclnnMoeComputeExpertTokens(
        sorted_experts: Tensor, num_experts: i64, out: Tensor,
    ) => moe::compute_expert_tokens;
    transformer "8.1" aclnnMoeFinalizeRouting(
        expanded_x: Tensor, x1: Tensor, x2_optional: Option<Tensor>, bias: Tensor, scales: Tensor,
        expanded_row_idx: Tensor, expanded_expert_idx: Tensor, out: Tensor,
    ) => moe::finalize_routing;
    transformer "8.1" aclnnMoeFinalizeRoutingV2(
        expanded_x: Tensor, expanded_row_idx: Tensor, x1_optional: Option<Tensor>,
        x2_optional: Option<Tensor>, bias_optional: Option<Tensor>,
        scales_optional: Option<Tensor>, expert_idx_optional: Option<Tensor>, drop_pad_mode: i64,
        out: Tensor,
    ) => moe::finalize_routing_v2;
    transformer "9.0" aclnnMoeFinalizeRoutingV3(
        expanded_x: Tensor, expanded_row_idx: Tensor, x1_optional: Option<Tensor>,
        x2_optional: Option<Tensor>, bias_optional: Option<Tensor>,
        scales_optional: Option<Tensor>, expert_idx_optional: Option<Tensor>,
        x_optional: Option<Tensor>, a1_optional: Option<Tensor>, a2_optional: Option<Tensor>,
        v_optional: Option<Tensor>, drop_pad_mode: i64, zero_expert_range: Option<Vec<i64>>,
        copy_expert_range: Option<Vec<i64>>, constant_expert_range: Option<Vec<i64>>, out: Tensor,
    ) => moe::finalize_routing_v3;
    transformer "8.1" aclnnMoeTokenPermute(
        tokens: Tensor, indices: Tensor, num_out_tokens: i64, padded_mode: bool,
        permute_tokens_out: Tensor, sorted_indices_out: Tensor,
    ) => moe::token_permute;
    transformer "8.1" aclnnMoeTokenUnpermute(
        permuted_tokens: Tensor, sorted_indices: Tensor, probs_optional: Option<Tensor>,
        padded_mode: bool, restore_shape_optional: Option<Vec<i64>>, out: Tensor,
    ) => moe::token_unpermute;
    transformer "8.1" aclnnGroupedMatmul(
        x: Vec<Tensor>, weight: Vec<Tensor>, bias_optional: Option<Vec<Tensor>>,
        scale_optional: Option<Vec<Tensor>>, offset_optional: Option<Vec<Tensor>>,
        antiquant_scale_optional: Option<Vec<Tensor>>,
        antiquant_offset_optional: Option<Vec<Tensor>>, group_list_optional: Option<Vec<i64>>,
        split_item: i64, y: Vec<Tensor>,
    ) => grouped::grouped_matmul;
    transformer "8.1" aclnnGroupedMatmulV2(
        x: Vec<Tensor>, weight: Vec<Tensor>, bias_optional: Option<Vec<Tensor>>,
        scale_optional: Option<Vec<Tensor>>, offset_optional: Option<Vec<Tensor>>,
        antiquant_scale_optional: Option<Vec<Tensor>>,
        antiquant_offset_optional: Option<Vec<Tensor>>, group_list_optional: Option<Vec<i64>>,
        split_item: i64, group_type: i64, y: Vec<Tensor>,
    ) => grouped::grouped_matmul_v2;
    transformer "8.1" aclnnGroupedMatmulV3(
        x: Vec<Tensor>, weight: Vec<Tensor>, bias_optional: Option<Vec<Tensor>>,
        scale_optional: Option<Vec<Tensor>>, offset_optional: Option<Vec<Tensor>>,
        antiquant_scale_optional: Option<Vec<Tensor>>,
        antiquant_offset_optional: Option<Vec<Tensor>>, group_list_optional: Option<Tensor>,
        split_item: i64, group_type: i64, y: Vec<Tensor>,
    ) => grouped::grouped_matmul_v3;
    transformer "8.1" aclnnGroupedMatmulV4(
        x: Vec<Tensor>, weight: Vec<Tensor>, bias_optional: Option<Vec<Tensor>>,
        scale_optional: Option<Vec<Tensor>>, offset_optional: Option<Vec<Tensor>>,
        antiquant_scale_optional: Option<Vec<Tensor>>,
        antiquant_offset_optional: Option<Vec<Tensor>>,
        per_token_scale_optional: Option<Vec<Tensor>>, group_list_optional: Option<Tensor>,
        activation_input_optional: Option<Vec<Tensor>>,
        activation_quant_scale_optional: Option<Vec<Tensor>>,
        activation_quant_offset_optional: Option<Vec<Tensor>>, split_item: i64, group_type: i64,
        group_list_type: i64, act_type: i64, out: Vec<Tensor>,
        activation_feature_out_optional: Option<Vec<Tensor>>,
        dyn_quant_scale_out_optional: Option<Vec<Tensor>>,
    ) => grouped::grouped_matmul_v4;
    transformer "8.3" aclnnGroupedMatmulV5(
        x: Vec<Tensor>, weight: Vec<Tensor>, bias_optional: Option<Vec<Tensor>>,
        scale_optional: Option<Vec<Tensor>>, offset_optional: Option<Vec<Tensor>>,
        antiquant_scale_optional: Option<Vec<Tensor>>,
        antiquant_offset_optional: Option<Vec<Tensor>>,
        per_token_scale_optional: Option<Vec<Tensor>>, group_list_optional: Option<Tensor>,
        activation_input_optional: Option<Vec<Tensor>>,
        activation_quant_scale_optional: Option<Vec<Tensor>>,
        activation_quant_offset_optional: Option<Vec<Tensor>>, split_item: i64, group_type: i64,
        group_list_type: i64, act_type: i64, tuning_config_optional: Option<Vec<i64>>,
        out: Vec<Tensor>, activation_feature_out_optional: Option<Vec<Tensor>>,
        dyn_quant_scale_out_optional: Option<Vec<Tensor>>,
    ) => grouped::grouped_matmul_v5;
    transformer "8.5" aclnnGroupedMatmulWeightNz(
        x: Vec<Tensor>, weight: Vec<Tensor>, bias_optional: Option<Vec<Tensor>>,
        scale_optional: Option<Vec<Tensor>>, offset_optional: Option<Vec<Tensor>>,
        antiquant_scale_optional: Option<Vec<Tensor>>,
        antiquant_offset_optional: Option<Vec<Tensor>>,
        per_token_scale_optional: Option<Vec<Tensor>>, group_list_optional: Option<Tensor>,
        activation_input_optional: Option<Vec<Tensor>>,
        activation_quant_scale_optional: Option<Vec<Tensor>>,
        activation_quant_offset_optional: Option<Vec<Tensor>>, split_item: i64, group_type: i64,
        group_list_type: i64, act_type: i64, tuning_config_optional: Option<Vec<i64>>,
        quant_group_size: i64, out: Vec<Tensor>,
        activation_feature_out_optional: Option<Vec<Tensor>>,
        dyn_quant_scale_out_optional: Option<Vec<Tensor>>,
    ) => grouped::grouped_matmul_weight_nz;
    transformer "8.5" aclnnMoeDistributeDispatchV2(
        x: Tensor, expert_ids: Tensor, scales_optional: Option<Tensor>,
        x_active_mask_optional: Option<Tensor>, expert_scales_optional: Option<Tensor>,
        group_ep: Option<String>, ep_world_size: i64, ep_rank_id: i64, moe_expert_num: i64,
        group_tp: Option<String>, tp_world_size: i64, tp_rank_id: i64, expert_shard_type: i64,
        shared_expert_num: i64, shared_expert_rank_num: i64, quant_mode: i64, global_bs: i64,
        expert_token_nums_type: i64, comm_alg: Option<String>, expand_x_out: Tensor,
        dynamic_scales_out: Option<Tensor>, assist_info_for_combine_out: Tensor,
        expert_token_nums_out: Tensor, ep_recv_counts_out: Tensor,
        tp_recv_counts_out: Option<Tensor>, expand_scales_out: Option<Tensor>,
    ) => moe::dispatch_v2;
    transformer "8.5" aclnnMoeDistributeCombineV2(
        expand_x: Tensor, expert_ids: Tensor, assist_info_for_combine: Tensor,
        ep_send_counts: Tensor, expert_scales: Tensor, tp_send_counts_optional: Option<Tensor>,
        x_active_mask_optional: Option<Tensor>, activation_scale_optional: Option<Tensor>,
        weight_scale_optional: Option<Tensor>, group_list_optional: Option<Tensor>,
        expand_scales_optional: Option<Tensor>, shared_expert_x_optional: Option<Tensor>,
        group_ep: Option<String>, ep_world_size: i64, ep_rank_id: i64, moe_expert_num: i64,
        group_tp: Option<String>, tp_world_size: i64, tp_rank_id: i64, expert_shard_type: i64,
        shared_expert_num: i64, shared_expert_rank_num: i64, global_bs: i64, out_dtype: i64,
        comm_quant_mode: i64, group_list_type: i64, comm_alg: Option<String>, x_out: Tensor,
    ) => moe::combine_v2;

    // Rotary embedding, caches, attention
    transformer "8.3" aclnnRotaryPositionEmbedding(
        x: Tensor, cos: Tensor, sin: Tensor, mode: i64, out: Tensor,
    ) => rope::rotary_position_embedding;
    transformer "8.5" aclnnRotaryPositionEmbeddingV2(
        x: Tensor, cos: Tensor, sin: Tensor, mode: i64, rotate: Option<Tensor>, out: Tensor,
    ) => rope::rotary_position_embedding_v2;
    transformer "8.1" aclnnApplyRotaryPosEmb(
        query_ref: Tensor, key_ref: Tensor, cos: Tensor, sin: Tensor, layout: i64,
    ) => rope::apply_rotary_pos_emb;
    transformer "8.3" aclnnApplyRotaryPosEmbV2(
        query_ref: Tensor, key_ref: Tensor, cos: Tensor, sin: Tensor, layout: i64,
        rotary_mode: String,
    ) => rope::apply_rotary_pos_emb_v2;
    transformer "8.1" aclnnRopeWithSinCosCache(
        positions: Tensor, query_in: Tensor, key_in: Tensor, cos_sin_cache: Tensor,
        mrope_section: Option<Vec<i64>>, head_size: i64, is_neox_style: bool, query_out: Tensor,
        key_out: Tensor,
    ) => rope::rope_with_sin_cos_cache;
    transformer "8.3" aclnnScatterPaKvCache(
        key: Tensor, key_cache_ref: Tensor, slot_mapping: Tensor, value: Tensor,
        value_cache_ref: Tensor, compress_lens_optional: Option<Tensor>,
        compress_seq_offset_optional: Option<Tensor>, seq_lens_optional: Option<Tensor>,
        cache_mode_optional: Option<String>, scatter_mode_optional: Option<String>,
        strides_optional: Option<Vec<i64>>, offsets_optional: Option<Vec<i64>>,
    ) => kv::scatter_pa_kv_cache;
    transformer "9.0" aclnnScatterPaCache(
        key: Tensor, key_cache_ref: Tensor, slot_mapping: Tensor,
        compress_lens_optional: Option<Tensor>, compress_seq_offset_optional: Option<Tensor>,
        seq_lens_optional: Option<Tensor>, cache_mode: Option<String>,
    ) => kv::scatter_pa_cache;
    nn "8.1" aclnnScatterNdUpdate(
        var_ref: Tensor, indices: Tensor, updates: Tensor,
    ) => kv::scatter_nd_update;
    nn "8.1" aclnnInplaceScatterUpdate(
        data: Tensor, indices: Tensor, updates: Tensor, axis: i64,
    ) => kv::inplace_scatter_update;
    nn "8.1" aclnnInplaceIndexCopy(
        self_ref: Tensor, dim: i64, index: Tensor, source: Tensor,
    ) => kv::inplace_index_copy;
    transformer "8.1" aclnnFusedInferAttentionScore(
        query: Tensor, key: Vec<Tensor>, value: Vec<Tensor>, pse_shift: Option<Tensor>,
        atten_mask: Option<Tensor>, actual_seq_lengths: Option<Vec<i64>>,
        actual_seq_lengths_kv: Option<Vec<i64>>, deq_scale1: Option<Tensor>,
        quant_scale1: Option<Tensor>, deq_scale2: Option<Tensor>, quant_scale2: Option<Tensor>,
        quant_offset2: Option<Tensor>, antiquant_scale: Option<Tensor>,
        antiquant_offset: Option<Tensor>, block_table: Option<Tensor>,
        query_padding_size: Option<Tensor>, kv_padding_size: Option<Tensor>, num_heads: i64,
        scale_value: f64, pre_tokens: i64, next_tokens: i64, input_layout: String,
        num_key_value_heads: i64, sparse_mode: i64, inner_precise: i64, block_size: i64,
        antiquant_mode: i64, softmax_lse_flag: bool, attention_out: Tensor,
        softmax_lse: Option<Tensor>,
    ) => attention::fused_infer_attention_score;
    transformer "8.1" aclnnFusedInferAttentionScoreV2(
        query: Tensor, key: Vec<Tensor>, value: Vec<Tensor>, pse_shift_optional: Option<Tensor>,
        atten_mask_optional: Option<Tensor>, actual_seq_lengths_optional: Option<Vec<i64>>,
        actual_seq_lengths_kv_optional: Option<Vec<i64>>, deq_scale1_optional: Option<Tensor>,
        quant_scale1_optional: Option<Tensor>, deq_scale2_optional: Option<Tensor>,
        quant_scale2_optional: Option<Tensor>, quant_offset2_optional: Option<Tensor>,
        antiquant_scale_optional: Option<Tensor>, antiquant_offset_optional: Option<Tensor>,
        block_table_optional: Option<Tensor>, query_padding_size_optional: Option<Tensor>,
        kv_padding_size_optional: Option<Tensor>, key_antiquant_scale_optional: Option<Tensor>,
        key_antiquant_offset_optional: Option<Tensor>,
        value_antiquant_scale_optional: Option<Tensor>,
        value_antiquant_offset_optional: Option<Tensor>,
        key_shared_prefix_optional: Option<Tensor>, value_shared_prefix_optional: Option<Tensor>,
        actual_shared_prefix_len_optional: Option<Vec<i64>>, num_heads: i64, scale_value: f64,
        pre_tokens: i64, next_tokens: i64, input_layout: String, num_key_value_heads: i64,
        sparse_mode: i64, inner_precise: i64, block_size: i64, antiquant_mode: i64,
        softmax_lse_flag: bool, key_antiquant_mode: i64, value_antiquant_mode: i64,
        attention_out: Tensor, softmax_lse: Option<Tensor>,
    ) => attention::fused_infer_attention_score_v2;
    transformer "8.1" aclnnFusedInferAttentionScoreV3(
        query: Tensor, key: Vec<Tensor>, value: Vec<Tensor>, pse_shift_optional: Option<Tensor>,
        atten_mask_optional: Option<Tensor>, actual_seq_lengths_optional: Option<Vec<i64>>,
        actual_seq_lengths_kv_optional: Option<Vec<i64>>, deq_scale1_optional: Option<Tensor>,
        quant_scale1_optional: Option<Tensor>, deq_scale2_optional: Option<Tensor>,
        quant_scale2_optional: Option<Tensor>, quant_offset2_optional: Option<Tensor>,
        antiquant_scale_optional: Option<Tensor>, antiquant_offset_optional: Option<Tensor>,
        block_table_optional: Option<Tensor>, query_padding_size_optional: Option<Tensor>,
        kv_padding_size_optional: Option<Tensor>, key_antiquant_scale_optional: Option<Tensor>,
        key_antiquant_offset_optional: Option<Tensor>,
        value_antiquant_scale_optional: Option<Tensor>,
        value_antiquant_offset_optional: Option<Tensor>,
        key_shared_prefix_optional: Option<Tensor>, value_shared_prefix_optional: Option<Tensor>,
        actual_shared_prefix_len_optional: Option<Vec<i64>>, query_rope_optional: Option<Tensor>,
        key_rope_optional: Option<Tensor>, key_rope_antiquant_scale_optional: Option<Tensor>,
        num_heads: i64, scale_value: f64, pre_tokens: i64, next_tokens: i64, input_layout: String,
        num_key_value_heads: i64, sparse_mode: i64, inner_precise: i64, block_size: i64,
        antiquant_mode: i64, softmax_lse_flag: bool, key_antiquant_mode: i64,
        value_antiquant_mode: i64, attention_out: Tensor, softmax_lse: Option<Tensor>,
    ) => attention::fused_infer_attention_score_v3;
    transformer "8.3" aclnnFusedInferAttentionScoreV4(
        query: Tensor, key: Vec<Tensor>, value: Vec<Tensor>, pse_shift_optional: Option<Tensor>,
        atten_mask_optional: Option<Tensor>, actual_seq_lengths_optional: Option<Vec<i64>>,
        actual_seq_lengths_kv_optional: Option<Vec<i64>>, deq_scale1_optional: Option<Tensor>,
        quant_scale1_optional: Option<Tensor>, deq_scale2_optional: Option<Tensor>,
        quant_scale2_optional: Option<Tensor>, quant_offset2_optional: Option<Tensor>,
        antiquant_scale_optional: Option<Tensor>, antiquant_offset_optional: Option<Tensor>,
        block_table_optional: Option<Tensor>, query_padding_size_optional: Option<Tensor>,
        kv_padding_size_optional: Option<Tensor>, key_antiquant_scale_optional: Option<Tensor>,
        key_antiquant_offset_optional: Option<Tensor>,
        value_antiquant_scale_optional: Option<Tensor>,
        value_antiquant_offset_optional: Option<Tensor>,
        key_shared_prefix_optional: Option<Tensor>, value_shared_prefix_optional: Option<Tensor>,
        actual_shared_prefix_len_optional: Option<Vec<i64>>, query_rope_optional: Option<Tensor>,
        key_rope_optional: Option<Tensor>, key_rope_antiquant_scale_optional: Option<Tensor>,
        dequant_scale_query_optional: Option<Tensor>, learnable_sink_optional: Option<Tensor>,
        num_heads: i64, scale_value: f64, pre_tokens: i64, next_tokens: i64, input_layout: String,
        num_key_value_heads: i64, sparse_mode: i64, inner_precise: i64, block_size: i64,
        antiquant_mode: i64, softmax_lse_flag: bool, key_antiquant_mode: i64,
        value_antiquant_mode: i64, query_quant_mode: i64, attention_out: Tensor,
        softmax_lse: Option<Tensor>,
    ) => attention::fused_infer_attention_score_v4;
    transformer "9.0" aclnnFusedInferAttentionScoreV5(
        query: Tensor, key: Vec<Tensor>, value: Vec<Tensor>, pse_shift_optional: Option<Tensor>,
        atten_mask_optional: Option<Tensor>, actual_seq_lengths_optional: Option<Vec<i64>>,
        actual_seq_lengths_kv_optional: Option<Vec<i64>>, deq_scale1_optional: Option<Tensor>,
        quant_scale1_optional: Option<Tensor>, deq_scale2_optional: Option<Tensor>,
        quant_scale2_optional: Option<Tensor>, quant_offset2_optional: Option<Tensor>,
        antiquant_scale_optional: Option<Tensor>, antiquant_offset_optional: Option<Tensor>,
        block_table_optional: Option<Tensor>, query_padding_size_optional: Option<Tensor>,
        kv_padding_size_optional: Option<Tensor>, key_antiquant_scale_optional: Option<Tensor>,
        key_antiquant_offset_optional: Option<Tensor>,
        value_antiquant_scale_optional: Option<Tensor>,
        value_antiquant_offset_optional: Option<Tensor>,
        key_shared_prefix_optional: Option<Tensor>, value_shared_prefix_optional: Option<Tensor>,
        actual_shared_prefix_len_optional: Option<Vec<i64>>, query_rope_optional: Option<Tensor>,
        key_rope_optional: Option<Tensor>, key_rope_antiquant_scale_optional: Option<Tensor>,
        dequant_scale_query_optional: Option<Tensor>, learnable_sink_optional: Option<Tensor>,
        q_start_idx_optional: Option<Vec<i64>>, kv_start_idx_optional: Option<Vec<i64>>,
        num_heads: i64, scale_value: f64, pre_tokens: i64, next_tokens: i64, input_layout: String,
        num_key_value_heads: i64, sparse_mode: i64, inner_precise: i64, block_size: i64,
        antiquant_mode: i64, softmax_lse_flag: bool, key_antiquant_mode: i64,
        value_antiquant_mode: i64, query_quant_mode: i64, pse_type: i64, attention_out: Tensor,
        softmax_lse: Option<Tensor>,
    ) => attention::fused_infer_attention_score_v5;
    transformer "8.1" aclnnPromptFlashAttentionV3(
        query: Tensor, key: Tensor, value: Tensor, pse_shift: Option<Tensor>,
        atten_mask: Option<Tensor>, actual_seq_lengths: Option<Vec<i64>>,
        actual_seq_lengths_kv: Option<Vec<i64>>, deq_scale1: Option<Tensor>,
        quant_scale1: Option<Tensor>, deq_scale2: Option<Tensor>, quant_scale2: Option<Tensor>,
        quant_offset2: Option<Tensor>, num_heads: i64, scale_value: f64, pre_tokens: i64,
        next_tokens: i64, input_layout: String, num_key_value_heads: i64, sparse_mode: i64,
        inner_precise: i64, attention_out: Tensor,
    ) => attention::prompt_flash_attention_v3;
    transformer "8.1" aclnnIncreFlashAttentionV4(
        query: Tensor, key: Vec<Tensor>, value: Vec<Tensor>, pse_shift: Option<Tensor>,
        atten_mask: Option<Tensor>, actual_seq_lengths: Option<Vec<i64>>,
        dequant_scale1: Option<Tensor>, quant_scale1: Option<Tensor>,
        dequant_scale2: Option<Tensor>, quant_scale2: Option<Tensor>,
        quant_offset2: Option<Tensor>, antiquant_scale: Option<Tensor>,
        antiquant_offset: Option<Tensor>, blocktable: Option<Tensor>,
        kv_padding_size: Option<Tensor>, num_heads: i64, scale_value: f64, input_layout: String,
        num_key_value_heads: i64, block_size: i64, inner_precise: i64, attention_out: Tensor,
    ) => attention::incre_flash_attention_v4;
    transformer "8.5" aclnnFlashAttentionScoreV3(
        query: Tensor, key: Tensor, value: Tensor, real_shift_optional: Option<Tensor>,
        drop_mask_optional: Option<Tensor>, padding_mask_optional: Option<Tensor>,
        atten_mask_optional: Option<Tensor>, sink_optional: Option<Tensor>,
        prefix_optional: Option<Vec<i64>>, q_start_idx_optional: Option<Vec<i64>>,
        kv_start_idx_optional: Option<Vec<i64>>, scale_value: f64, keep_prob: f64, pre_tokens: i64,
        next_tokens: i64, head_num: i64, input_layout: String, inner_precise: i64,
        sparse_mode: i64, pse_type: i64, softmax_max_out: Tensor, softmax_sum_out: Tensor,
        softmax_out_out: Option<Tensor>, attention_out_out: Tensor,
    ) => attention::flash_attention_score_v3;
    transformer "8.5" aclnnFlashAttentionVarLenScoreV3(
        query: Tensor, query_rope: Option<Tensor>, key: Tensor, key_rope: Option<Tensor>,
        value: Tensor, real_shift_optional: Option<Tensor>, drop_mask_optional: Option<Tensor>,
        padding_mask_optional: Option<Tensor>, atten_mask_optional: Option<Tensor>,
        prefix_optional: Option<Vec<i64>>, actual_seq_q_len_optional: Option<Vec<i64>>,
        actual_seq_kv_len_optional: Option<Vec<i64>>, q_start_idx_optional: Option<Vec<i64>>,
        kv_start_idx_optional: Option<Vec<i64>>, scale_value: f64, keep_prob: f64, pre_tokens: i64,
        next_tokens: i64, head_num: i64, input_layout: String, inner_precise: i64,
        sparse_mode: i64, pse_type: i64, softmax_max_out: Tensor, softmax_sum_out: Tensor,
        softmax_out_out: Option<Tensor>, attention_out_out: Tensor,
    ) => attention::flash_attention_var_len_score_v3;

    math "8.1" aclnnInplaceZero(self_ref: Tensor) => zero::inplace_zero;
}
