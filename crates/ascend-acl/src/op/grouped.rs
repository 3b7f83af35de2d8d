//! Products of groups of rows, each with a weight of its own.

use super::argument::List;
use super::call::launch;
use super::check::Check;
use super::dtype::bits_of;
use super::routing::GroupList;
use super::tensor::Tensor;
use crate::error::{Error, Result};
use crate::rt::Stream;
use crate::sys::aclDataType;

/// Rows sorted by expert, each times the weight of its expert.
///
/// | rows | weights `[E, K, N]` | bias `[E, N]` | scale | chips |
/// | --- | --- | --- | --- | --- |
/// | bf16 | bf16 | f32 | | A2, A3 |
/// | f16 | f16 | f16 | | A2, A3 |
/// | bf16, f16 | int8 | as above | by column `[E, N]`, with an offset, which must be there | A2, A3 |
/// | bf16, f16 | int4 | as above | by column `[E, N]`, or by group `[E, G, N]`, then without an offset | A2, A3 |
/// | bf16, f16 | fp4 (E2M1) in blocks | bf16 | E8M0 `[E, K / 32, N]`: MXFP4 | 950 |
///
/// Scales and offsets of int8 and int4 have the type of the rows. A transposed weight is a view ([`Tensor::t`]). Rows beyond the groups are
/// not written. Vendor limits: `K` and `N` below 65,536, at most 1024 experts.
///
/// `aclnnGroupedMatmulV5` where it is there (CANN 8.3), else `V4`; weights in blocks go to `aclnnGroupedMatmulWeightNz` (8.5).
#[derive(Debug, Clone, Copy)]
pub struct GroupedMatmul<'t, 'a> {
    /// `[M, K]`.
    pub rows: &'t Tensor<'a>,
    /// `[E, K, N]`.
    pub weights: &'t Tensor<'a>,
    /// Rows of each expert, int64 `[E]`, on the device.
    pub groups: &'t Tensor<'a>,
    /// What the numbers in `groups` are.
    pub list: GroupList,
    /// See the table.
    pub bias: Option<&'t Tensor<'a>>,
    /// See the table; for weights of fewer bits than the rows have.
    pub scale: Option<&'t Tensor<'a>>,
    /// See the table.
    pub offset: Option<&'t Tensor<'a>>,
}

/// Inner dimensions are below this.
const INNER: i64 = 65_536;
/// Matrices in one tensor of weights.
const MOST_EXPERTS: i64 = 1024;
/// Elements that share a scale in MX formats (OCP Microscaling Formats 1.0).
const MX_GROUP: i64 = 32;
const NAME: &str = "aclnnGroupedMatmul";

impl GroupedMatmul<'_, '_> {
    /// `out[m] = rows[m] @ weights[e] + bias[e]`, `[M, N]`, of the type of the rows.
    pub fn launch(&self, stream: &Stream, out: &Tensor) -> Result<()> {
        self.check(out)?;
        let Self { rows, weights, groups, list, bias, scale, offset } = *self;
        let one = |tensor| [tensor];
        let (x, w, y) = (one(rows), one(weights), one(out));
        let (x, w, y) = (List(&x), List(&w), List(&y));
        let (bias, scale, offset) = (bias.map(one), scale.map(one), offset.map(one));
        let bias = bias.as_ref().map(|one| List(one));
        let scale = scale.as_ref().map(|one| List(one));
        let offset = offset.as_ref().map(|one| List(one));
        let none: Option<List<'_, '_>> = None;
        let no_tuning: Option<&[i64]> = None;
        let groups = Some(groups);
        // One output for all groups, groups of rows, no activation.
        let (split, by_rows, no_activation) = (3_i64, 0_i64, 0_i64);
        let kind = match list {
            GroupList::Ends => 0_i64,
            GroupList::Counts => 1,
        };
        if weights.is_nz() {
            let group = if weights.dtype() == aclDataType::FLOAT4_E2M1 { MX_GROUP } else { 0 };
            return launch!(
                stream,
                moe.aclnnGroupedMatmulWeightNz(
                    x,
                    w,
                    bias,
                    none,
                    none,
                    scale,
                    offset,
                    none,
                    groups,
                    none,
                    none,
                    none,
                    split,
                    by_rows,
                    kind,
                    no_activation,
                    no_tuning,
                    group,
                    y,
                    none,
                    none
                )
            );
        }
        if stream.ascend().aclnn().moe.aclnnGroupedMatmulV5().is_ok() {
            return launch!(
                stream,
                moe.aclnnGroupedMatmulV5(
                    x,
                    w,
                    bias,
                    none,
                    none,
                    scale,
                    offset,
                    none,
                    groups,
                    none,
                    none,
                    none,
                    split,
                    by_rows,
                    kind,
                    no_activation,
                    no_tuning,
                    y,
                    none,
                    none
                )
            );
        }
        launch!(
            stream,
            moe.aclnnGroupedMatmulV4(
                x,
                w,
                bias,
                none,
                none,
                scale,
                offset,
                none,
                groups,
                none,
                none,
                none,
                split,
                by_rows,
                kind,
                no_activation,
                y,
                none,
                none
            )
        )
    }

    fn check(&self, out: &Tensor) -> Result<()> {
        let check = Check(NAME);
        let Self { rows, weights, groups, bias, .. } = *self;
        check.rank("rows", rows, 2)?;
        check.dtype(
            "rows",
            rows,
            &[aclDataType::FLOAT16, aclDataType::BF16, aclDataType::FLOAT],
        )?;
        check.shape("weights", weights, &[-1, rows.dim(1), -1])?;
        let (experts, width) = (weights.dim(0), weights.dim(2));
        check.require(
            rows.dim(1) < INNER && width < INNER && (1..=MOST_EXPERTS).contains(&experts),
            "weights",
            || format!("of shape {:?}", weights.shape()),
            || format!("1 to {MOST_EXPERTS} matrices of fewer than {INNER} rows and columns"),
        )?;
        check.shape("out", out, &[rows.dim(0), width])?;
        check.same_dtype(&[("rows", rows), ("out", out)])?;
        check.dtype("groups", groups, &[aclDataType::INT64])?;
        check.shape("groups", groups, &[experts])?;
        if let Some(bias) = bias {
            check.shape("bias", bias, &[experts, width])?;
            let types: &[_] = match (rows.dtype(), weights.dtype()) {
                (aclDataType::BF16, aclDataType::FLOAT4_E2M1) => {
                    &[aclDataType::BF16, aclDataType::FLOAT]
                }
                (aclDataType::FLOAT16, _) => &[aclDataType::FLOAT16],
                _ => &[aclDataType::FLOAT],
            };
            check.dtype("bias", bias, types)?;
        }
        self.check_scales(check, experts, width)
    }

    fn check_scales(&self, check: Check, experts: i64, width: i64) -> Result<()> {
        let Self { rows, weights, scale, offset, .. } = *self;
        let absent = |argument, given: bool| {
            let expected = || format!("none beside weights of type {:?}", weights.dtype());
            check.require(!given, argument, || "given".to_owned(), expected)
        };
        if weights.dtype() == rows.dtype() {
            absent("scale", scale.is_some())?;
            return absent("offset", offset.is_some());
        }
        let narrow = [aclDataType::INT8, aclDataType::INT4, aclDataType::FLOAT4_E2M1]
            .contains(&weights.dtype());
        if !narrow || bits_of(rows.dtype()) != Some(16) {
            let got = format!("of type {:?} beside rows of {:?}", weights.dtype(), rows.dtype());
            return Err(check.refuse(
                "weights",
                got,
                "the type of the rows, or INT8, INT4 or FLOAT4_E2M1 beside 16 bits",
            ));
        }
        let missing = |argument, expected: &str| -> Error {
            check.refuse(argument, "absent", format!("{expected} beside {:?}", weights.dtype()))
        };
        let scale = scale.ok_or_else(|| missing("scale", "given"))?;
        if weights.dtype() == aclDataType::FLOAT4_E2M1 {
            absent("offset", offset.is_some())?;
            check.dtype("scale", scale, &[aclDataType::FLOAT8_E8M0])?;
            check.shape("scale", scale, &[experts, rows.dim(1) / MX_GROUP, width])?;
            return check.require(
                rows.dim(1) % 64 == 0 && width % 64 == 0 && weights.is_nz(),
                "weights",
                || format!("of shape {:?}", weights.shape()),
                || "multiples of 64 rows and columns, in blocks (`as_nz`)".to_owned(),
            );
        }
        check.same_dtype(&[("rows", rows), ("scale", scale)])?;
        let by_group = weights.dtype() == aclDataType::INT4 && scale.rank() == 3;
        if by_group {
            absent("offset", offset.is_some())?;
            check.shape("scale", scale, &[experts, -1, width])?;
            return check.require(
                scale.dim(1) > 0 && rows.dim(1) % scale.dim(1) == 0,
                "scale",
                || format!("of shape {:?}", scale.shape()),
                || format!("a number of groups that divides {}", rows.dim(1)),
            );
        }
        check.shape("scale", scale, &[experts, width])?;
        // "Optional" is in its name only: int8 without it is refused on hardware.
        let needed = weights.dtype() == aclDataType::INT8;
        match offset {
            Some(offset) => {
                check.same_shape(&[("scale", scale), ("offset", offset)])?;
                check.same_dtype(&[("rows", rows), ("offset", offset)])
            }
            None if needed => Err(missing("offset", "given, zeros if nothing else,")),
            None => Ok(()),
        }
    }
}
