//! `aclnnGroupedMatmul`: a product for each group of rows, with a matrix of its own.
//!
//! Simulated: groups of rows (`groupType` 0) and separate products (-1); f32, f16 and bf16; int8 by int8 with scales;
//! f16 or bf16 by int8 and int4; on the 950 f16 or bf16 by MXFP4. Refused with 561003, as what is not simulated: groups of
//! columns (2), int4 rows, int8 rows by int4, int8 results.

// Parameters, and their order, are those of the C prototypes.
#![allow(clippy::too_many_arguments)]

mod groups;
mod parameters;
mod product;
mod request;
mod scheme;
mod structure;

use self::groups::Groups;
use self::request::{Request, Version};
use crate::kernel::{Kernel, Reject};
use crate::profile::Site;
use crate::tensor::Tensor;

type List = Vec<Tensor>;

/// Version 1: matrices in a list, cumulative counts on the host, `split_item` tells the form.
pub(crate) fn grouped_matmul(
    site: &Site,
    x: List,
    weight: List,
    bias: Option<List>,
    scale: Option<List>,
    offset: Option<List>,
    antiquant_scale: Option<List>,
    antiquant_offset: Option<List>,
    group_list: Option<Vec<i64>>,
    split_item: i64,
    y: List,
) -> Result<Kernel, Reject> {
    let mut request = Request::new(site, "aclnnGroupedMatmul", Version::V1, x, weight, y);
    request.quantisation(bias, scale, offset, antiquant_scale, antiquant_offset);
    request.groups = group_list.map_or(Groups::None, Groups::Host);
    request.split_item = split_item;
    request.prepare()
}

/// Version 2: the axis of the groups is named, and matrices may be one tensor.
pub(crate) fn grouped_matmul_v2(
    site: &Site,
    x: List,
    weight: List,
    bias: Option<List>,
    scale: Option<List>,
    offset: Option<List>,
    antiquant_scale: Option<List>,
    antiquant_offset: Option<List>,
    group_list: Option<Vec<i64>>,
    split_item: i64,
    group_type: i64,
    y: List,
) -> Result<Kernel, Reject> {
    let mut request = Request::new(site, "aclnnGroupedMatmulV2", Version::V2, x, weight, y);
    request.quantisation(bias, scale, offset, antiquant_scale, antiquant_offset);
    request.groups = group_list.map_or(Groups::None, Groups::Host);
    request.split_item = split_item;
    request.group_type = group_type;
    request.prepare()
}

/// Version 3: counts lie on the device.
pub(crate) fn grouped_matmul_v3(
    site: &Site,
    x: List,
    weight: List,
    bias: Option<List>,
    scale: Option<List>,
    offset: Option<List>,
    antiquant_scale: Option<List>,
    antiquant_offset: Option<List>,
    group_list: Option<Tensor>,
    split_item: i64,
    group_type: i64,
    y: List,
) -> Result<Kernel, Reject> {
    let mut request = Request::new(site, "aclnnGroupedMatmulV3", Version::V3, x, weight, y);
    request.quantisation(bias, scale, offset, antiquant_scale, antiquant_offset);
    request.groups = group_list.map_or(Groups::None, Groups::Device);
    request.split_item = split_item;
    request.group_type = group_type;
    request.prepare()
}

/// Version 4: counts of three kinds, scales of rows.
pub(crate) fn grouped_matmul_v4(
    site: &Site,
    x: List,
    weight: List,
    bias: Option<List>,
    scale: Option<List>,
    offset: Option<List>,
    antiquant_scale: Option<List>,
    antiquant_offset: Option<List>,
    per_token_scale: Option<List>,
    group_list: Option<Tensor>,
    activation_input: Option<List>,
    activation_quant_scale: Option<List>,
    activation_quant_offset: Option<List>,
    split_item: i64,
    group_type: i64,
    group_list_type: i64,
    act_type: i64,
    out: List,
    activation_feature_out: Option<List>,
    dyn_quant_scale_out: Option<List>,
) -> Result<Kernel, Reject> {
    let mut request = Request::new(site, "aclnnGroupedMatmulV4", Version::V4, x, weight, out);
    request.quantisation(bias, scale, offset, antiquant_scale, antiquant_offset);
    request.per_token_scale = per_token_scale;
    request.groups = group_list.map_or(Groups::None, Groups::Device);
    request.activation = [activation_input, activation_quant_scale, activation_quant_offset];
    request.more_outputs = [activation_feature_out, dyn_quant_scale_out];
    request.split_item = split_item;
    request.group_type = group_type;
    request.list_type = group_list_type;
    request.act_type = act_type;
    request.prepare()
}

/// Version 5: version 4 with hints, which are without effect here.
pub(crate) fn grouped_matmul_v5(
    site: &Site,
    x: List,
    weight: List,
    bias: Option<List>,
    scale: Option<List>,
    offset: Option<List>,
    antiquant_scale: Option<List>,
    antiquant_offset: Option<List>,
    per_token_scale: Option<List>,
    group_list: Option<Tensor>,
    activation_input: Option<List>,
    activation_quant_scale: Option<List>,
    activation_quant_offset: Option<List>,
    split_item: i64,
    group_type: i64,
    group_list_type: i64,
    act_type: i64,
    tuning_config: Option<Vec<i64>>,
    out: List,
    activation_feature_out: Option<List>,
    dyn_quant_scale_out: Option<List>,
) -> Result<Kernel, Reject> {
    let mut request = Request::new(site, "aclnnGroupedMatmulV5", Version::V5, x, weight, out);
    request.quantisation(bias, scale, offset, antiquant_scale, antiquant_offset);
    request.per_token_scale = per_token_scale;
    request.groups = group_list.map_or(Groups::None, Groups::Device);
    request.activation = [activation_input, activation_quant_scale, activation_quant_offset];
    request.more_outputs = [activation_feature_out, dyn_quant_scale_out];
    request.split_item = split_item;
    request.group_type = group_type;
    request.list_type = group_list_type;
    request.act_type = act_type;
    request.tuning = tuning_config;
    request.prepare()
}

/// Version 5 for matrices in blocks: whatever their format says, they are read as `FRACTAL_NZ`.
pub(crate) fn grouped_matmul_weight_nz(
    site: &Site,
    x: List,
    weight: List,
    bias: Option<List>,
    scale: Option<List>,
    offset: Option<List>,
    antiquant_scale: Option<List>,
    antiquant_offset: Option<List>,
    per_token_scale: Option<List>,
    group_list: Option<Tensor>,
    activation_input: Option<List>,
    activation_quant_scale: Option<List>,
    activation_quant_offset: Option<List>,
    split_item: i64,
    group_type: i64,
    group_list_type: i64,
    act_type: i64,
    tuning_config: Option<Vec<i64>>,
    quant_group_size: i64,
    out: List,
    activation_feature_out: Option<List>,
    dyn_quant_scale_out: Option<List>,
) -> Result<Kernel, Reject> {
    let mut request = Request::new(site, "aclnnGroupedMatmulWeightNz", Version::Nz, x, weight, out);
    request.quantisation(bias, scale, offset, antiquant_scale, antiquant_offset);
    request.per_token_scale = per_token_scale;
    request.groups = group_list.map_or(Groups::None, Groups::Device);
    request.activation = [activation_input, activation_quant_scale, activation_quant_offset];
    request.more_outputs = [activation_feature_out, dyn_quant_scale_out];
    request.split_item = split_item;
    request.group_type = group_type;
    request.list_type = group_list_type;
    request.act_type = act_type;
    request.tuning = tuning_config;
    request.quant_group = quant_group_size;
    request.prepare()
}

#[cfg(test)]
mod tests;
