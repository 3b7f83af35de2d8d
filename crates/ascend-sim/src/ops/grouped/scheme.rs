//! Which types go with which.

use super::request::{Request, Version};
use crate::dtype::DataType::{self, Bf16, F4E2M1, F16, F32, I4, I8, I32};
use crate::kernel::{NO_KERNEL, Reject};
use crate::profile::Soc;

/// How products are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Floats by floats of one type.
    Plain,
    /// int8 by int8, sums scaled by column and perhaps by row.
    Int8,
    /// Floats by int8 or int4 with scales of columns, or of groups of rows of a column.
    Weight,
    /// Floats by FP4 with a power of two for 32 rows of a column.
    Mx,
}

/// The types of a bias.
pub(super) fn bias_types(request: &Request) -> &'static [DataType] {
    let on_950 = request.check.soc == Soc::Ascend950;
    match (request.x[0].dtype, on_950) {
        (I8, _) => &[I32],
        (Bf16, true) => &[Bf16, F32],
        (F16, true) if request.weight[0].dtype == F16 => &[F16, F32],
        (F16, _) => &[F16],
        // Beside bf16 too: on Atlas A2 and A3 nothing else goes with it.
        _ => &[F32],
    }
}

impl Scheme {
    pub(super) fn of(request: &Request) -> Result<Self, Reject> {
        let check = &request.check;
        let (x, weight) = (request.x[0].dtype, request.weight[0].dtype);
        let on_950 = check.soc == Soc::Ascend950;
        let scheme = match (x, weight) {
            (F16, F16) | (Bf16, Bf16) => Self::Plain,
            (F32, F32) if on_950 || request.version >= Version::V2 => Self::Plain,
            (I8, I8) => Self::Int8,
            (F16 | Bf16, I8) => Self::Weight,
            (F16 | Bf16, I4) if request.version >= Version::V4 => Self::Weight,
            (F16 | Bf16, F4E2M1) if on_950 && request.version == Version::Nz => Self::Mx,
            (I8 | I4, I4) => {
                let got = format_args!("{weight:?} beside {x:?}");
                let expected = "rows of floats: this product is not simulated";
                return Err(check.reject_as(NO_KERNEL, "weight", got, expected));
            }
            _ => {
                let got = format_args!("{weight:?} beside x of {x:?}");
                let expected = if on_950 {
                    "the type of x, I8, I4, or in blocks F4E2M1"
                } else {
                    "the type of x, I8 or I4: no chip before the 950 takes weights of FP8 or FP4"
                };
                return Err(check.reject("weight", got, expected));
            }
        };
        // On Atlas A2 and A3 f32 is for one tensor of each.
        if x == F32 && !on_950 {
            let one = request.weight.len() == 1;
            check.require(one, "weight", "a list of F32", "one tensor where the type is F32")?;
        }
        if scheme == Self::Weight && request.version == Version::Nz {
            let expected = "aclnnGroupedMatmulV5: weights of integers in blocks are not simulated";
            return Err(check.reject_as(NO_KERNEL, "weight", format_args!("{weight:?}"), expected));
        }
        scheme.outputs(request)?;
        scheme.absent(request)?;
        Ok(scheme)
    }

    fn outputs(self, request: &Request) -> Result<(), Reject> {
        let check = &request.check;
        for out in &request.out {
            if self != Self::Int8 {
                check.same_dtype("out", out, "x", &request.x[0])?;
                continue;
            }
            if out.dtype == I8 || request.version < Version::V4 {
                let expected = "version 4 or later, and F16, BF16 or I32: int8 is not simulated";
                let got = format_args!("{:?}", out.dtype);
                return Err(check.reject_as(NO_KERNEL, "out", got, expected));
            }
            check.dtype("out", out, &[F16, Bf16, I32])?;
        }
        Ok(())
    }

    /// What a scheme has no use for must not be given.
    fn absent(self, request: &Request) -> Result<(), Reject> {
        let integer = self == Self::Int8;
        let dequantised = matches!(self, Self::Weight | Self::Mx);
        for (name, list, wanted) in [
            ("scaleOptional", &request.scale, integer),
            ("offsetOptional", &request.offset, false),
            ("perTokenScaleOptional", &request.per_token_scale, integer),
            ("antiquantScaleOptional", &request.antiquant_scale, dequantised),
            ("antiquantOffsetOptional", &request.antiquant_offset, self == Self::Weight),
        ] {
            let expected = format_args!("null beside these types");
            request.check.require(list.is_none() || wanted, name, "given", expected)?;
        }
        Ok(())
    }
}
