//! Products with weights of few bits, and how such weights are made.

use std::ffi::c_int;

use super::call::launch;
use super::check::Check;
use super::dtype::HALVES;
use super::tensor::Tensor;
use crate::error::Result;
use crate::rt::Stream;
use crate::sys::aclDataType;

/// `out = x @ ((weight + offset) * scale) + bias`: rows of f16 or bf16, a weight of int8 or int4.
///
/// Vendor limits, on A2 and A3: int4 is signed, two in a byte, the even one in the low four bits, and an even number of them in each row of memory;
/// groups are of a multiple of 32 rows, fewer than all; sizes up to 65,535. `aclnnWeightQuantBatchMatmulV3` where it is there, else `V2`.
#[derive(Debug, Clone, Copy)]
pub struct WeightQuantMatmul<'t, 'a> {
    /// `[M, K]`, f16 or bf16.
    pub x: &'t Tensor<'a>,
    /// `[K, N]`, int8 or int4.
    pub weight: &'t Tensor<'a>,
    /// Of the type of `x`: `[1]`, `[N]`, or `[G, N]` for groups of rows.
    pub scale: &'t Tensor<'a>,
    /// As the scale; what is added before scaling.
    pub offset: Option<&'t Tensor<'a>>,
    /// `[N]`: f16 beside f16, f32 beside bf16.
    pub bias: Option<&'t Tensor<'a>>,
    /// Rows of a group; `None` for scales by column or for the whole weight.
    pub group: Option<usize>,
}

const MOST: i64 = 65_535;

impl WeightQuantMatmul<'_, '_> {
    /// `out` `[M, N]` of the type of `x`.
    pub fn launch(&self, stream: &Stream, out: &Tensor) -> Result<()> {
        self.check(out)?;
        let Self { x, weight, scale, offset, bias, .. } = *self;
        let (none, precise): (Option<&Tensor>, c_int) = (None, 0);
        // Checked: below 65,535.
        let group = self.group.unwrap_or(0) as c_int;
        if stream.ascend().aclnn().matmul.aclnnWeightQuantBatchMatmulV3().is_ok() {
            return launch!(
                stream,
                matmul.aclnnWeightQuantBatchMatmulV3(
                    x, weight, scale, offset, none, none, bias, group, precise, out
                )
            );
        }
        launch!(
            stream,
            matmul.aclnnWeightQuantBatchMatmulV2(
                x, weight, scale, offset, none, none, bias, group, out
            )
        )
    }

    fn check(&self, out: &Tensor) -> Result<()> {
        let check = Check("aclnnWeightQuantBatchMatmul");
        let Self { x, weight, scale, offset, bias, group } = *self;
        check.rank("x", x, 2)?;
        check.dtype("x", x, HALVES)?;
        check.dtype("weight", weight, &[aclDataType::INT8, aclDataType::INT4])?;
        check.shape("weight", weight, &[x.dim(1), -1])?;
        let (depth, width) = (x.dim(1), weight.dim(1));
        check.require(
            (1..=MOST).contains(&depth) && (1..=MOST).contains(&width),
            "weight",
            || format!("of shape {:?}", weight.shape()),
            || format!("1 to {MOST} rows and columns"),
        )?;
        check.shape("out", out, &[x.dim(0), width])?;
        check.same_dtype(&[("x", x), ("scale", scale), ("out", out)])?;
        match group {
            None => {
                let fits =
                    scale.len() == 1 || scale.shape() == [width] || scale.shape() == [1, width];
                check.require(
                    fits,
                    "scale",
                    || format!("of shape {:?}", scale.shape()),
                    || format!("[1], [{width}] or [1, {width}]"),
                )?;
            }
            Some(group) => {
                let size = group as i64;
                check.require(
                    size % 32 == 0 && (32..depth).contains(&size),
                    "group",
                    || group.to_string(),
                    || format!("a multiple of 32 below {depth}"),
                )?;
                check.shape(
                    "scale",
                    scale,
                    &[depth.div_euclid(size) + i64::from(depth % size > 0), width],
                )?;
            }
        }
        if let Some(offset) = offset {
            check.same_shape(&[("scale", scale), ("offset", offset)])?;
            check.same_dtype(&[("x", x), ("offset", offset)])?;
        }
        if let Some(bias) = bias {
            check.shape("bias", bias, &[width])?;
            let wanted = if x.dtype() == aclDataType::FLOAT16 {
                aclDataType::FLOAT16
            } else {
                aclDataType::FLOAT
            };
            check.dtype("bias", bias, &[wanted])?;
        }
        Ok(())
    }
}

/// Packs int32 values from −8 to 7 into int4, of the same shape, or into int32 that hold eight each.
pub fn pack_int4(stream: &Stream, values: &Tensor, out: &Tensor) -> Result<()> {
    let check = Check("aclnnConvertWeightToINT4Pack");
    check.dtype("values", values, &[aclDataType::INT32])?;
    check.dtype("out", out, &[aclDataType::INT4, aclDataType::INT32])?;
    check.contiguous("values", values)?;
    launch!(stream, matmul.aclnnConvertWeightToINT4Pack(values, out))
}

/// Rows of f16 or bf16 to int8, each with a f32 scale of its own: `out` of the shape of `x`, `scales` without the last axis.
pub fn dynamic_quant(stream: &Stream, x: &Tensor, out: &Tensor, scales: &Tensor) -> Result<()> {
    let check = Check("aclnnDynamicQuant");
    check.dtype("x", x, HALVES)?;
    check.dtype("out", out, &[aclDataType::INT8, aclDataType::INT4])?;
    check.same_shape(&[("x", x), ("out", out)])?;
    check.dtype("scales", scales, &[aclDataType::FLOAT])?;
    let (rows, _) = x.shape().split_at(x.rank().saturating_sub(1));
    check.shape("scales", scales, rows)?;
    let none: Option<&Tensor> = None;
    launch!(stream, matmul.aclnnDynamicQuant(x, none, out, scales))
}

/// `out = (x @ weight) * scale * row_scale`: int8 by int8, `[M, K]` by `[K, N]`, with f32 or bf16 scales of columns, `[N]`, and f32
/// scales of rows, `[M]`, as [`dynamic_quant`] gives them; `out` f16 or bf16.
pub fn quant_matmul(
    stream: &Stream,
    x: &Tensor,
    weight: &Tensor,
    scale: &Tensor,
    row_scale: Option<&Tensor>,
    out: &Tensor,
) -> Result<()> {
    let check = Check("aclnnQuantMatmulV4");
    check.rank("x", x, 2)?;
    check.dtype("x", x, &[aclDataType::INT8])?;
    check.dtype("weight", weight, &[aclDataType::INT8])?;
    check.shape("weight", weight, &[x.dim(1), -1])?;
    check.dtype("out", out, HALVES)?;
    check.shape("out", out, &[x.dim(0), weight.dim(1)])?;
    check.shape("scale", scale, &[weight.dim(1)])?;
    if let Some(row_scale) = row_scale {
        check.shape("row_scale", row_scale, &[x.dim(0)])?;
        check.dtype("row_scale", row_scale, &[aclDataType::FLOAT])?;
    }
    let none: Option<&Tensor> = None;
    launch!(
        stream,
        matmul.aclnnQuantMatmulV4(x, weight, scale, none, row_scale, none, false, false, out)
    )
}
