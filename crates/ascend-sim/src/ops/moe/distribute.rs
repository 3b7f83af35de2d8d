//! `aclnnMoeDistributeDispatchV2` and `aclnnMoeDistributeCombineV2`, which send tokens between devices inside a
//! kernel. They are refused: collectives are simulated, kernels that talk to each other are not.

use crate::kernel::{Kernel, NO_KERNEL, Reject};
use crate::ops::check::Check;
use crate::profile::Site;
use crate::tensor::Tensor;

/// Refused with 561003.
pub(crate) fn dispatch_v2(
    site: &Site,
    _x: Tensor,
    _expert_ids: Tensor,
    _scales: Option<Tensor>,
    _x_active_mask: Option<Tensor>,
    _expert_scales: Option<Tensor>,
    _group_ep: Option<String>,
    _ep_world_size: i64,
    _ep_rank_id: i64,
    _moe_expert_num: i64,
    _group_tp: Option<String>,
    _tp_world_size: i64,
    _tp_rank_id: i64,
    _expert_shard_type: i64,
    _shared_expert_num: i64,
    _shared_expert_rank_num: i64,
    _quant_mode: i64,
    _global_bs: i64,
    _expert_token_nums_type: i64,
    _comm_alg: Option<String>,
    _expand_x: Tensor,
    _dynamic_scales: Option<Tensor>,
    _assist_info: Tensor,
    _expert_token_nums: Tensor,
    _ep_recv_counts: Tensor,
    _tp_recv_counts: Option<Tensor>,
    _expand_scales: Option<Tensor>,
) -> Result<Kernel, Reject> {
    Err(refusal(site, "aclnnMoeDistributeDispatchV2"))
}

/// Refused with 561003.
pub(crate) fn combine_v2(
    site: &Site,
    _expand_x: Tensor,
    _expert_ids: Tensor,
    _assist_info: Tensor,
    _ep_send_counts: Tensor,
    _expert_scales: Tensor,
    _tp_send_counts: Option<Tensor>,
    _x_active_mask: Option<Tensor>,
    _activation_scale: Option<Tensor>,
    _weight_scale: Option<Tensor>,
    _group_list: Option<Tensor>,
    _expand_scales: Option<Tensor>,
    _shared_expert_x: Option<Tensor>,
    _group_ep: Option<String>,
    _ep_world_size: i64,
    _ep_rank_id: i64,
    _moe_expert_num: i64,
    _group_tp: Option<String>,
    _tp_world_size: i64,
    _tp_rank_id: i64,
    _expert_shard_type: i64,
    _shared_expert_num: i64,
    _shared_expert_rank_num: i64,
    _global_bs: i64,
    _out_dtype: i64,
    _comm_quant_mode: i64,
    _group_list_type: i64,
    _comm_alg: Option<String>,
    _x_out: Tensor,
) -> Result<Kernel, Reject> {
    Err(refusal(site, "aclnnMoeDistributeCombineV2"))
}

fn refusal(site: &Site, operator: &'static str) -> Reject {
    let check = Check::new(site, operator);
    let expected = "aclnnMoeInitRoutingV3, aclnnMoeFinalizeRoutingV2 and HcclAlltoAllV";
    check.reject_as(NO_KERNEL, "the operator", "not simulated", expected)
}
