//! What every first phase asks of its arguments, refused with one wording: operator, argument, what it got, what is
//! expected.

use std::fmt;

use crate::dtype::DataType;
use crate::kernel::{INVALID_PARAMETER, NO_KERNEL, NO_TILING, NULL_POINTER, Reject};
use crate::profile::{Cann, Site, Soc};
use crate::tensor::{FRACTAL_NZ, ND, Tensor};

/// Types of floating point that vector and cube units of every chip take.
pub(crate) const FLOATS: &[DataType] = &[DataType::F32, DataType::F16, DataType::Bf16];
/// The two of sixteen bits.
pub(crate) const HALVES: &[DataType] = &[DataType::F16, DataType::Bf16];
/// Types of indices.
pub(crate) const INDICES: &[DataType] = &[DataType::I32, DataType::I64];
/// What adds and multiplies: floats and integers.
pub(crate) const NUMBERS: &[DataType] = &[
    DataType::F32,
    DataType::F16,
    DataType::Bf16,
    DataType::I32,
    DataType::I64,
    DataType::I16,
    DataType::I8,
    DataType::U8,
];
/// What moves without being looked at.
pub(crate) const MOVABLE: &[DataType] = &[
    DataType::F32,
    DataType::F16,
    DataType::Bf16,
    DataType::I8,
    DataType::U8,
    DataType::I16,
    DataType::U16,
    DataType::I32,
    DataType::U32,
    DataType::I64,
    DataType::U64,
    DataType::F64,
    DataType::Bool,
];

/// Dimensions that `aclnn` tensors have at most.
const MAX_RANK: usize = 8;
/// `tensorData` of `aclCreateTensor` starts on such a boundary.
const ALIGNMENT: u64 = 32;

/// The checks of one operator at one site.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) operator: &'static str,
    pub(crate) soc: Soc,
    pub(crate) cann: Cann,
}

impl Check {
    /// Those of this operator, which is named as C names it.
    pub(crate) fn new(site: &Site, operator: &'static str) -> Self {
        Self { operator, soc: site.soc, cann: site.cann }
    }

    /// A refusal with 161002.
    pub(crate) fn reject(
        &self,
        argument: &str,
        got: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Reject {
        self.reject_as(INVALID_PARAMETER, argument, got, expected)
    }

    /// A refusal with another status.
    pub(crate) fn reject_as(
        &self,
        status: i32,
        argument: &str,
        got: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Reject {
        let operator = self.operator;
        Reject { status, message: format!("{operator}: {argument} is {got}, expected {expected}") }
    }

    /// Refuses unless this holds.
    pub(crate) fn require(
        &self,
        holds: bool,
        argument: &str,
        got: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Result<(), Reject> {
        if holds { Ok(()) } else { Err(self.reject(argument, got, expected)) }
    }

    /// Refuses with 561002, as kernels do whose tiling does not fit the shapes, unless this holds.
    pub(crate) fn tiling(
        &self,
        holds: bool,
        argument: &str,
        got: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Result<(), Reject> {
        if holds { Ok(()) } else { Err(self.reject_as(NO_TILING, argument, got, expected)) }
    }

    /// Refuses with 561003 on a chip that has no such kernel.
    pub(crate) fn chip(&self, allowed: &[Soc]) -> Result<(), Reject> {
        if allowed.contains(&self.soc) {
            return Ok(());
        }
        let got = format_args!("{:?}", self.soc);
        Err(self.reject_as(NO_KERNEL, "the chip", got, format_args!("one of {allowed:?}")))
    }

    /// An input that operators read as rows: data, rank, strides, bounds, alignment, format ND.
    pub(crate) fn input(&self, name: &str, tensor: &Tensor) -> Result<(), Reject> {
        self.blocked(name, tensor)?;
        let got = format_args!("in format {}", tensor.format);
        self.require(tensor.format != FRACTAL_NZ, name, got, format_args!("ND ({ND})"))
    }

    /// As [`Check::input`], in blocks too.
    pub(crate) fn blocked(&self, name: &str, tensor: &Tensor) -> Result<(), Reject> {
        let rank = tensor.shape.len();
        self.require(
            rank <= MAX_RANK,
            name,
            format_args!("of {rank} dimensions"),
            format_args!("at most {MAX_RANK}"),
        )?;
        self.require(
            tensor.shape.iter().all(|&extent| extent >= 0),
            name,
            format_args!("of shape {:?}", tensor.shape),
            "no negative extents",
        )?;
        self.require(
            tensor.strides.len() == rank && tensor.strides.iter().all(|&stride| stride >= 0),
            name,
            format_args!("of strides {:?}", tensor.strides),
            format_args!("{rank} that are not negative"),
        )?;
        if tensor.len() == 0 {
            return Ok(());
        }
        if tensor.address == 0 {
            return Err(self.reject_as(NULL_POINTER, name, "without data", "a device address"));
        }
        self.require(
            tensor.address.is_multiple_of(ALIGNMENT),
            name,
            format_args!("at {:#x}", tensor.address),
            format_args!("an address aligned to {ALIGNMENT} bytes"),
        )?;
        self.bounds(name, tensor)
    }

    /// An output: an input that has a place of its own for every element.
    pub(crate) fn output(&self, name: &str, tensor: &Tensor) -> Result<(), Reject> {
        self.input(name, tensor)?;
        let repeated = tensor
            .shape
            .iter()
            .zip(&tensor.strides)
            .any(|(&extent, &stride)| extent > 1 && stride == 0);
        let got = format_args!("of shape {:?} and strides {:?}", tensor.shape, tensor.strides);
        self.require(!repeated, name, got, "a place of its own for every element")
    }

    /// The view lies inside the storage that was declared for it.
    fn bounds(&self, name: &str, tensor: &Tensor) -> Result<(), Reject> {
        if tensor.format == FRACTAL_NZ {
            // Blocks pad rows and columns; the memory itself says whether they are there.
            return Ok(());
        }
        let last = tensor
            .shape
            .iter()
            .zip(&tensor.strides)
            .try_fold(tensor.offset, |last, (&extent, &stride)| {
                last.checked_add((extent - 1).checked_mul(stride)?)
            });
        let elements = tensor.storage.iter().try_fold(1i64, |all, &extent| all.checked_mul(extent));
        let inside = matches!((last, elements), (Some(last), Some(all)) if last < all);
        self.require(
            tensor.offset >= 0 && inside,
            name,
            format_args!(
                "of shape {:?}, strides {:?} and offset {}",
                tensor.shape, tensor.strides, tensor.offset
            ),
            format_args!("a view inside its storage {:?}", tensor.storage),
        )
    }

    /// One of these types.
    pub(crate) fn dtype(
        &self,
        name: &str,
        tensor: &Tensor,
        allowed: &[DataType],
    ) -> Result<(), Reject> {
        self.require(
            allowed.contains(&tensor.dtype),
            name,
            format_args!("{:?}", tensor.dtype),
            format_args!("one of {allowed:?}"),
        )
    }

    /// The type of another argument.
    pub(crate) fn same_dtype(
        &self,
        name: &str,
        tensor: &Tensor,
        other_name: &str,
        other: &Tensor,
    ) -> Result<(), Reject> {
        self.require(
            tensor.dtype == other.dtype,
            name,
            format_args!("{:?}", tensor.dtype),
            format_args!("the type of {other_name}, {:?}", other.dtype),
        )
    }

    /// Exactly this shape.
    pub(crate) fn shape(
        &self,
        name: &str,
        tensor: &Tensor,
        expected: &[i64],
    ) -> Result<(), Reject> {
        self.require(
            tensor.shape == expected,
            name,
            format_args!("of shape {:?}", tensor.shape),
            format_args!("{expected:?}"),
        )
    }

    /// So many dimensions.
    pub(crate) fn rank(
        &self,
        name: &str,
        tensor: &Tensor,
        allowed: std::ops::RangeInclusive<usize>,
    ) -> Result<(), Reject> {
        self.require(
            allowed.contains(&tensor.shape.len()),
            name,
            format_args!("of {} dimensions", tensor.shape.len()),
            format_args!("{} to {}", allowed.start(), allowed.end()),
        )
    }

    /// The index of a dimension that may count from the end; a scalar counts as one dimension.
    pub(crate) fn dim(&self, name: &str, dim: i64, rank: usize) -> Result<usize, Reject> {
        let rank = rank.max(1) as i64;
        self.require(
            (-rank..rank).contains(&dim),
            name,
            dim,
            format_args!("a dimension in [{}, {}]", -rank, rank - 1),
        )?;
        Ok(if dim < 0 { dim + rank } else { dim } as usize)
    }
}

#[cfg(test)]
mod tests;
