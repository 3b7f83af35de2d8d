//! `aclnnPromptFlashAttentionV3` and `aclnnIncreFlashAttentionV4`, which the fused operator is made of.

use super::fused::BEFORE_950;
use super::inference::{Request, not_simulated};
use crate::kernel::{Kernel, NO_KERNEL, Reject};
use crate::ops::check::Check;
use crate::profile::Site;
use crate::tensor::Tensor;

/// Prompts: many queries for each batch. Packed sequences are for other shapes than are simulated, and are refused.
pub(crate) fn prompt_flash_attention_v3(
    site: &Site,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    pse_shift: Option<Tensor>,
    atten_mask: Option<Tensor>,
    actual_seq_lengths: Option<Vec<i64>>,
    actual_seq_lengths_kv: Option<Vec<i64>>,
    deq_scale1: Option<Tensor>,
    quant_scale1: Option<Tensor>,
    deq_scale2: Option<Tensor>,
    quant_scale2: Option<Tensor>,
    quant_offset2: Option<Tensor>,
    num_heads: i64,
    scale_value: f64,
    pre_tokens: i64,
    next_tokens: i64,
    input_layout: String,
    num_key_value_heads: i64,
    sparse_mode: i64,
    inner_precise: i64,
    attention_out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnPromptFlashAttentionV3");
    check.chip(BEFORE_950)?;
    not_simulated(
        &check,
        &[
            ("pseShift", pse_shift.is_some()),
            ("deqScale1", deq_scale1.is_some()),
            ("quantScale1", quant_scale1.is_some()),
            ("deqScale2", deq_scale2.is_some()),
            ("quantScale2", quant_scale2.is_some()),
            ("quantOffset2", quant_offset2.is_some()),
        ],
    )?;
    known_layout(&check, &input_layout, &["BSH", "BSND", "BNSD", "BNSD_BSND"])?;
    let request = Request {
        check,
        query,
        key: vec![key],
        value: vec![value],
        mask: atten_mask,
        query_lengths: actual_seq_lengths,
        key_lengths: actual_seq_lengths_kv,
        block_table: None,
        sink: None,
        heads: num_heads,
        scale: scale_value,
        pre_tokens,
        next_tokens,
        layout: input_layout,
        kv_heads: num_key_value_heads,
        sparse_mode,
        inner_precise,
        block_size: 0,
        lse_flag: false,
        out: attention_out,
        lse: None,
    };
    request.prepare()
}

/// Single tokens: one query for each batch, whose `actual_seq_lengths` are those of keys.
pub(crate) fn incre_flash_attention_v4(
    site: &Site,
    query: Tensor,
    key: Vec<Tensor>,
    value: Vec<Tensor>,
    pse_shift: Option<Tensor>,
    atten_mask: Option<Tensor>,
    actual_seq_lengths: Option<Vec<i64>>,
    dequant_scale1: Option<Tensor>,
    quant_scale1: Option<Tensor>,
    dequant_scale2: Option<Tensor>,
    quant_scale2: Option<Tensor>,
    quant_offset2: Option<Tensor>,
    antiquant_scale: Option<Tensor>,
    antiquant_offset: Option<Tensor>,
    blocktable: Option<Tensor>,
    kv_padding_size: Option<Tensor>,
    num_heads: i64,
    scale_value: f64,
    input_layout: String,
    num_key_value_heads: i64,
    block_size: i64,
    inner_precise: i64,
    attention_out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnIncreFlashAttentionV4");
    check.chip(BEFORE_950)?;
    not_simulated(
        &check,
        &[
            ("pseShift", pse_shift.is_some()),
            ("dequantScale1", dequant_scale1.is_some()),
            ("quantScale1", quant_scale1.is_some()),
            ("dequantScale2", dequant_scale2.is_some()),
            ("quantScale2", quant_scale2.is_some()),
            ("quantOffset2", quant_offset2.is_some()),
            ("antiquantScale", antiquant_scale.is_some()),
            ("antiquantOffset", antiquant_offset.is_some()),
            ("kvPaddingSize", kv_padding_size.is_some()),
        ],
    )?;
    known_layout(&check, &input_layout, &["BSH", "BSND", "BNSD"])?;
    let axis = if input_layout == "BNSD" { 2 } else { 1 };
    let got = format_args!("of shape {:?}", query.shape);
    check.tiling(query.shape.get(axis) == Some(&1), "query", got, "one token for each batch")?;
    let request = Request {
        check,
        query,
        key,
        value,
        mask: atten_mask,
        query_lengths: None,
        key_lengths: actual_seq_lengths,
        block_table: blocktable,
        sink: None,
        heads: num_heads,
        scale: scale_value,
        pre_tokens: 0,
        next_tokens: 0,
        layout: input_layout,
        kv_heads: num_key_value_heads,
        sparse_mode: 0,
        inner_precise,
        block_size,
        lse_flag: false,
        out: attention_out,
        lse: None,
    };
    request.prepare()
}

fn known_layout(check: &Check, layout: &str, known: &[&str]) -> Result<(), Reject> {
    if known.contains(&layout) {
        return Ok(());
    }
    let expected = format_args!("one of {known:?}: others are not simulated");
    Err(check.reject_as(NO_KERNEL, "inputLayout", format_args!("{layout:?}"), expected))
}
