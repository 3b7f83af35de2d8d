//! `aclnnMoeComputeExpertTokens`.

use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, Reject};
use crate::ops::access::{integers, write_integers};
use crate::ops::check::Check;
use crate::profile::Site;
use crate::tensor::Tensor;

/// For each expert, where its last row ends in a sorted list of experts: cumulative counts.
pub(crate) fn compute_expert_tokens(
    site: &Site,
    sorted_experts: Tensor,
    num_experts: i64,
    out: Tensor,
) -> Result<Kernel, Reject> {
    const MOST_EXPERTS: i64 = 2048;
    const MOST_ROWS: usize = 1 << 24;
    let check = Check::new(site, "aclnnMoeComputeExpertTokens");
    check.input("sortedExperts", &sorted_experts)?;
    check.output("out", &out)?;
    check.dtype("sortedExperts", &sorted_experts, &[DataType::I32])?;
    check.same_dtype("out", &out, "sortedExperts", &sorted_experts)?;
    let got = format_args!("of shape {:?}", sorted_experts.shape);
    let fits = sorted_experts.shape.len() == 1 && sorted_experts.len() < MOST_ROWS;
    check.tiling(fits, "sortedExperts", got, "one dimension of fewer than 2^24")?;
    let expected = format_args!("1 to {MOST_EXPERTS}");
    check.tiling((1..=MOST_EXPERTS).contains(&num_experts), "numExperts", num_experts, expected)?;
    let got = format_args!("of shape {:?}", out.shape);
    check.tiling(out.shape == [num_experts], "out", got, format_args!("[{num_experts}]"))?;
    let cost = Cost::of(&[&sorted_experts, &out], 0);
    Ok(Kernel::new(cost, move |mem| {
        let experts = integers(mem, &sorted_experts)?;
        let ends = (0..num_experts)
            .map(|expert| experts.partition_point(|&other| other <= expert) as i64)
            .collect::<Vec<_>>();
        write_integers(mem, &out, &ends)
    }))
}
