//! Products with a quantised weight: `y = x · ((weight + antiquantOffset) · antiquantScale) + bias`.
//!
//! The weight is I8 or I4 (packed by two, or by eight into I32), or e2m1 on the 950. Scales are for the whole weight, for each
//! column, or for each group of rows in a column. Weights are restored and summed in f32; one rounding at the output. Outputs
//! quantised to I8 (`quantScaleOptional`) and scales packed into 64 bits are not simulated, and refused.

mod limits;

use self::limits::{Group, check_bias, groups, in_blocks, in_order, quantised, strides};
use super::access;
use super::check::{Check, HALVES};
use super::matmul::product::{Extents, Major, Weight};
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, Reject, UNSUPPORTED_PRODUCT};
use crate::profile::{Site, Soc};
use crate::tensor::{FRACTAL_NZ, Tensor};

/// `weight` in rows or blocks, `antiquantGroupSize` 0 or the rows of a group.
pub(super) fn weight_quant_batch_matmul_v2(
    site: &Site,
    x: Tensor,
    weight: Tensor,
    antiquant_scale: Tensor,
    antiquant_offset: Option<Tensor>,
    quant_scale: Option<Tensor>,
    quant_offset: Option<Tensor>,
    bias: Option<Tensor>,
    antiquant_group_size: i32,
    y: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnWeightQuantBatchMatmulV2");
    no_output_scale(&check, quant_scale.as_ref(), quant_offset.as_ref())?;
    let scales = (antiquant_scale, antiquant_offset);
    product(&check, x, weight, scales, bias, antiquant_group_size, y)
}

/// As [`weight_quant_batch_matmul_v2`]; `innerPrecise` 0 asks for precision and 1 for speed, which is the same here.
pub(super) fn weight_quant_batch_matmul_v3(
    site: &Site,
    x: Tensor,
    weight: Tensor,
    antiquant_scale: Tensor,
    antiquant_offset: Option<Tensor>,
    quant_scale: Option<Tensor>,
    quant_offset: Option<Tensor>,
    bias: Option<Tensor>,
    antiquant_group_size: i32,
    inner_precise: i32,
    y: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnWeightQuantBatchMatmulV3");
    check.require((0..=1).contains(&inner_precise), "innerPrecise", inner_precise, "0 or 1")?;
    no_output_scale(&check, quant_scale.as_ref(), quant_offset.as_ref())?;
    let scales = (antiquant_scale, antiquant_offset);
    product(&check, x, weight, scales, bias, antiquant_group_size, y)
}

/// As [`weight_quant_batch_matmul_v2`] with the weight in blocks; the 950 alone has it.
pub(super) fn weight_quant_batch_matmul_nz(
    site: &Site,
    x: Tensor,
    weight: Tensor,
    antiquant_scale: Tensor,
    antiquant_offset: Option<Tensor>,
    quant_scale: Option<Tensor>,
    quant_offset: Option<Tensor>,
    bias: Option<Tensor>,
    antiquant_group_size: i32,
    y: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnWeightQuantBatchMatmulNz");
    if check.soc != Soc::Ascend950 {
        let got = format_args!("{:?}", check.soc);
        return Err(check.reject_as(UNSUPPORTED_PRODUCT, "the chip", got, "Ascend950"));
    }
    let got = format_args!("in format {}", weight.format);
    check.require(weight.format == FRACTAL_NZ, "weight", got, "FRACTAL_NZ (29)")?;
    no_output_scale(&check, quant_scale.as_ref(), quant_offset.as_ref())?;
    let scales = (antiquant_scale, antiquant_offset);
    product(&check, x, weight, scales, bias, antiquant_group_size, y)
}

fn no_output_scale(
    check: &Check,
    scale: Option<&Tensor>,
    offset: Option<&Tensor>,
) -> Result<(), Reject> {
    check.require(scale.is_none(), "quantScaleOptional", "given", "null in the simulator")?;
    check.require(offset.is_none(), "quantOffsetOptional", "given", "null in the simulator")
}

/// Extents that one kernel takes.
const MAX_EXTENT: i64 = 65535;

fn product(
    check: &Check,
    x: Tensor,
    weight: Tensor,
    (scale, offset): (Tensor, Option<Tensor>),
    bias: Option<Tensor>,
    group_size: i32,
    y: Tensor,
) -> Result<Kernel, Reject> {
    check.input("x", &x)?;
    check.dtype("x", &x, HALVES)?;
    check.rank("x", &x, 2..=2)?;
    check.require(in_order(&x), "x", strides(&x), "contiguous, or transposed")?;
    let weight = quantised(check, weight)?;
    let (m, k, n) = (x.shape[0], x.shape[1], weight.shape[1]);
    check.shape("weight", &weight, &[k, n])?;
    for (name, extent) in [("k", k), ("n", n)] {
        check.require((1..=MAX_EXTENT).contains(&extent), name, extent, "1 to 65535")?;
    }
    check.require(m >= 1, "m", m, "at least 1")?;
    let group = groups(check, &scale, group_size, k, n)?;
    let mx = check.soc == Soc::Ascend950 && scale.dtype == DataType::E8M0;
    check.input("antiquantScale", &scale)?;
    if mx {
        let right = weight.dtype == DataType::F4E2M1 && group_size == 32;
        let got = format_args!("E8M0 with {:?} and groups of {group_size}", weight.dtype);
        check.require(right, "antiquantScale", got, "F4E2M1 and groups of 32")?;
    } else {
        check.same_dtype("antiquantScale", &scale, "x", &x)?;
    }
    if let Some(offset) = &offset {
        check.input("antiquantOffsetOptional", offset)?;
        check.same_dtype("antiquantOffsetOptional", offset, "x", &x)?;
        check.shape("antiquantOffsetOptional", offset, &scale.shape)?;
        let integers = weight.dtype != DataType::F4E2M1;
        check.require(integers, "antiquantOffsetOptional", "given with F4E2M1", "null")?;
    }
    if weight.format == FRACTAL_NZ {
        in_blocks(check, &x, &weight, group, k, n)?;
    }
    if let Some(bias) = &bias {
        check_bias(check, &x, &weight, bias, n)?;
    }
    check.output("y", &y)?;
    check.same_dtype("y", &y, "x", &x)?;
    check.shape("y", &y, &[m, n])?;
    let extents = Extents { rows: m as usize, depth: k as usize, columns: n as usize };
    let cost = Cost::of(&[&x, &weight, &scale, &y], extents.flops());
    let rows = Weight::new(&weight);
    Ok(Kernel::new(cost, move |mem| {
        let scale = access::floats(mem, &scale)?;
        let offset = offset.as_ref().map(|offset| access::floats(mem, offset)).transpose()?;
        let restore = |value: f32, depth: usize, column: usize| {
            let at = match group {
                Group::Tensor => 0,
                Group::Column => column,
                Group::Rows(size) => depth / size * extents.columns + column,
            };
            (value + offset.as_ref().map_or(0.0, |offset| offset[at])) * scale[at]
        };
        let whole = restored(&rows, mem, extents, restore)?;
        let x = access::floats(mem, &x)?;
        let width = if rows.major == Major::Depth { extents.columns } else { extents.depth };
        let tile =
            |first: usize, count: usize| Ok(whole[first * width..][..count * width].to_vec());
        let mut out = super::matmul::product::multiply(&x, extents, rows.major, tile)?;
        if let Some(bias) = &bias {
            let bias = access::floats(mem, bias)?;
            for row in out.chunks_exact_mut(extents.columns) {
                for (value, bias) in row.iter_mut().zip(&bias) {
                    *value += bias;
                }
            }
        }
        access::write_floats(mem, &y, &out)
    }))
}

/// The weight in f32, in the order of its memory.
fn restored(
    rows: &Weight,
    mem: &dyn crate::memory::Memory,
    extents: Extents,
    restore: impl Fn(f32, usize, usize) -> f32,
) -> Result<Vec<f32>, crate::kernel::Fault> {
    let (count, width) = match rows.major {
        Major::Depth => (extents.depth, extents.columns),
        Major::Column => (extents.columns, extents.depth),
    };
    let mut weight = rows.rows(mem, 0, 0, count)?;
    for (row, values) in weight.chunks_exact_mut(width).enumerate() {
        for (at, value) in values.iter_mut().enumerate() {
            let (depth, column) = if rows.major == Major::Depth { (row, at) } else { (at, row) };
            *value = restore(*value, depth, column);
        }
    }
    Ok(weight)
}

#[cfg(test)]
mod tests;
