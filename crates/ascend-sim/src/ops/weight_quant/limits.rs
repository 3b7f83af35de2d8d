//! The weights, scales and biases that there are kernels for.

use super::super::check::Check;
use crate::dtype::DataType;
use crate::kernel::Reject;
use crate::profile::Soc;
use crate::tensor::{FRACTAL_NZ, Tensor};

/// What a scale is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Tensor,
    Column,
    /// So many rows of a column.
    Rows(usize),
}

/// What the scales are for, by their shape and the size of a group.
pub(super) fn groups(
    check: &Check,
    scale: &Tensor,
    size: i32,
    k: i64,
    n: i64,
) -> Result<Group, Reject> {
    if size == 0 {
        return match scale.shape[..] {
            [1] | [1, 1] => Ok(Group::Tensor),
            [columns] | [1, columns] if columns == n => Ok(Group::Column),
            _ => {
                let got = format_args!("of shape {:?}", scale.shape);
                Err(check.reject("antiquantScale", got, format_args!("[1], [{n}] or [1, {n}]")))
            }
        };
    }
    let size = i64::from(size);
    let allowed = size % 32 == 0 && (32..k).contains(&size);
    let expected = format_args!("0, or a multiple of 32 in [32, {}]", k - 1);
    check.require(allowed, "antiquantGroupSize", size, expected)?;
    check.shape("antiquantScale", scale, &[(k + size - 1) / size, n])?;
    Ok(Group::Rows(size as usize))
}

/// The weight by its elements: of the types that the chip takes, I32 unpacked.
pub(super) fn quantised(check: &Check, weight: Tensor) -> Result<Tensor, Reject> {
    let mut types = vec![DataType::I8, DataType::I4, DataType::I32];
    if check.soc == Soc::Ascend950 {
        types.push(DataType::F4E2M1);
    }
    check.dtype("weight", &weight, &types)?;
    check.rank("weight", &weight, 2..=2)?;
    check.blocked("weight", &weight)?;
    check.require(in_order(&weight), "weight", strides(&weight), "contiguous, or transposed")?;
    let weight = if weight.dtype == DataType::I32 { weight.unpacked() } else { weight };
    if weight.format == FRACTAL_NZ {
        check.nz("weight", &weight)?;
    }
    let inner = weight.shape[usize::from(!weight.exchanged())];
    let got = format_args!("{inner} elements wide");
    let whole = weight.dtype.bits() != 4 || inner % 2 == 0;
    check.require(whole, "weight", got, "an even number, two to a byte")?;
    Ok(weight)
}

/// What the kernels for blocks can do.
pub(super) fn in_blocks(
    check: &Check,
    x: &Tensor,
    weight: &Tensor,
    group: Group,
    k: i64,
    n: i64,
) -> Result<(), Reject> {
    if check.soc == Soc::Ascend950 {
        let got = "transposed in blocks";
        let plain = weight.dtype == DataType::I8 || !weight.exchanged();
        return check.require(plain, "weight", got, "rows of k for types of 4 bits");
    }
    let got = format_args!("{:?} in blocks with scales for {group:?}", weight.dtype);
    match (weight.dtype, group) {
        (DataType::I8, Group::Column) => Ok(()),
        (DataType::I4, Group::Column) => {
            check.require(weight.exchanged(), "weight", got, "a transposed weight")
        }
        (DataType::I4, Group::Rows(size)) => {
            check.require(!weight.exchanged(), "weight", got, "a weight that is not transposed")?;
            check.require(!x.exchanged(), "x", "transposed", "rows, beside groups in blocks")?;
            let sizes = size == 64 || size == 128;
            check.require(sizes, "antiquantGroupSize", size, "64 or 128 in blocks")?;
            check.require(k % size as i64 == 0, "k", k, format_args!("a multiple of {size}"))?;
            check.require(n % 64 == 0, "n", n, "a multiple of 64")
        }
        _ => Err(check.reject("weight", got, "I8 by columns, or I4 by columns or groups")),
    }
}

/// The types of a bias that go with those of the product.
pub(super) fn check_bias(
    check: &Check,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    n: i64,
) -> Result<(), Reject> {
    check.input("biasOptional", bias)?;
    let types: &[DataType] = match (x.dtype, check.soc, weight.dtype) {
        (DataType::F16, ..) => &[DataType::F16],
        (_, Soc::Ascend950, DataType::F4E2M1) => &[DataType::Bf16],
        (_, Soc::Ascend950, DataType::I4) => &[DataType::F32, DataType::Bf16],
        // Older notes allow bf16 here too; f32 is what all of them take.
        _ => &[DataType::F32],
    };
    check.dtype("biasOptional", bias, types)?;
    let right = bias.shape == [n] || bias.shape == [1, n];
    let got = format_args!("of shape {:?}", bias.shape);
    check.require(right, "biasOptional", got, format_args!("[{n}] or [1, {n}]"))
}

/// Contiguous, or the transpose of what is.
pub(super) fn in_order(tensor: &Tensor) -> bool {
    tensor.contiguous() || tensor.transposed().contiguous()
}

/// Shape and strides, for a refusal.
pub(super) fn strides(tensor: &Tensor) -> String {
    format!("of shape {:?} and strides {:?}", tensor.shape, tensor.strides)
}
