//! Weights from rows to blocks, and from one element a word to packed nibbles.
//!
//! The handle of a tensor that is converted in place keeps its format here: who uses the blocks afterwards describes them by
//! a tensor of format `FRACTAL_NZ`.

use super::access;
use super::check::Check;
use super::nz::{block_width, blocked_storage};
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, Reject};
use crate::profile::{Site, Soc};
use crate::tensor::{FRACTAL_NZ, ND, Tensor};

const TYPES: &[DataType] = &[DataType::F16, DataType::Bf16, DataType::I8];

/// Elements that a weight of this shape takes in blocks: `aclnnCalculateMatmulWeightSizeV2`, and the first version with f16.
/// `None` for shapes of other than 2 to 6 dimensions, or types that have no blocks.
pub(crate) fn matmul_weight_size(shape: &[i64], dtype: DataType) -> Option<u64> {
    if !(2..=6).contains(&shape.len()) || !TYPES.contains(&dtype) {
        return None;
    }
    if shape.iter().any(|&extent| extent <= 0) {
        return None;
    }
    let storage = blocked_storage(shape, block_width(dtype));
    let elements = storage.iter().try_fold(1i64, |all, &extent| all.checked_mul(extent))?;
    u64::try_from(elements).ok()
}

/// Rows to blocks in the same memory, which has to have room for whole blocks; padding becomes zero.
pub(super) fn trans_matmul_weight(site: &Site, mm_weight_ref: Tensor) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnTransMatmulWeight");
    check.output("mmWeightRef", &mm_weight_ref)?;
    check.dtype("mmWeightRef", &mm_weight_ref, TYPES)?;
    check.rank("mmWeightRef", &mm_weight_ref, 2..=6)?;
    let strides = format_args!("of strides {:?}", mm_weight_ref.strides);
    let whole = mm_weight_ref.contiguous() && mm_weight_ref.offset == 0;
    check.require(whole, "mmWeightRef", strides, "a contiguous tensor from its first element")?;
    not_empty(&check, "mmWeightRef", &mm_weight_ref)?;
    let blocks = in_blocks(&mm_weight_ref);
    Ok(convert(mm_weight_ref, blocks))
}

/// Rows to blocks, blocks to rows, or a copy: as the formats of both tensors say.
pub(super) fn npu_format_cast(
    site: &Site,
    src_tensor: Tensor,
    dst_tensor: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnNpuFormatCast");
    for (name, tensor) in [("srcTensor", &src_tensor), ("dstTensor", &dst_tensor)] {
        if tensor.format == FRACTAL_NZ {
            check.nz(name, tensor)?;
        } else {
            check.output(name, tensor)?;
        }
        check.dtype(name, tensor, TYPES)?;
        check.rank(name, tensor, 2..=6)?;
        not_empty(&check, name, tensor)?;
    }
    check.same_dtype("dstTensor", &dst_tensor, "srcTensor", &src_tensor)?;
    check.shape("dstTensor", &dst_tensor, &src_tensor.shape)?;
    Ok(convert(src_tensor, dst_tensor))
}

/// One value of [−8, 7] an I32 to I4, or to I32 that hold eight, in rows or blocks.
pub(super) fn convert_weight_to_int4_pack(
    site: &Site,
    weight: Tensor,
    weight_int4_pack: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnConvertWeightToINT4Pack");
    check.input("weight", &weight)?;
    check.dtype("weight", &weight, &[DataType::I32])?;
    check.rank("weight", &weight, 2..=3)?;
    not_empty(&check, "weight", &weight)?;
    check.dtype("weightInt4Pack", &weight_int4_pack, &[DataType::I4, DataType::I32])?;
    let eight = weight_int4_pack.dtype == DataType::I32;
    let last = weight.shape[weight.shape.len() - 1];
    let multiple = if eight { 8 } else { 2 };
    let got = format_args!("of shape {:?}", weight.shape);
    let expected = format_args!("a last extent that is a multiple of {multiple}");
    check.require(last % multiple == 0, "weight", got, expected)?;
    let mut expected = weight.shape.clone();
    if eight {
        expected[weight.shape.len() - 1] = last / 8;
    }
    check.shape("weightInt4Pack", &weight_int4_pack, &expected)?;
    let contiguous = weight_int4_pack.contiguous();
    check.require(contiguous, "weightInt4Pack", "not contiguous", "a contiguous tensor")?;
    check.blocked("weightInt4Pack", &weight_int4_pack)?;
    let packed = if eight { weight_int4_pack.unpacked() } else { weight_int4_pack };
    if packed.format == FRACTAL_NZ {
        check.nz("weightInt4Pack", &packed)?;
        // The 950 cuts types of 4 bits into blocks of 16 by 16.
        let width = if check.soc == Soc::Ascend950 { 16 } else { block_width(DataType::I4) };
        let got = format_args!("of storage {:?}", packed.storage);
        let right = packed.storage.last() == Some(&width);
        check.require(right, "weightInt4Pack", got, format_args!("blocks {width} nibbles wide"))?;
    }
    Ok(convert(weight, packed))
}

fn not_empty(check: &Check, name: &str, tensor: &Tensor) -> Result<(), Reject> {
    check.require(tensor.len() > 0, name, "empty", "at least one element")
}

/// The same memory, in blocks.
fn in_blocks(tensor: &Tensor) -> Tensor {
    let storage = blocked_storage(&tensor.shape, block_width(tensor.dtype));
    Tensor { format: FRACTAL_NZ, storage, ..tensor.clone() }
}

fn convert(from: Tensor, to: Tensor) -> Kernel {
    Kernel::new(Cost::of(&[&from, &to], 0), move |mem| {
        let same = from.dtype == to.dtype;
        let elements = if same { access::elements(mem, &from)? } else { Vec::new() };
        let integers = if same { Vec::new() } else { access::integers(mem, &from)? };
        if to.format == FRACTAL_NZ {
            zero_blocks(mem, &to)?;
        }
        if same {
            access::write_elements(mem, &to, &elements)
        } else {
            access::write_integers(mem, &to, &integers)
        }
    })
}

/// Padding is part of what a kernel reads.
fn zero_blocks(
    mem: &dyn crate::memory::Memory,
    blocks: &Tensor,
) -> Result<(), crate::kernel::Fault> {
    let shape = blocks.storage.clone();
    let mut strides = vec![1; shape.len()];
    for dim in (1..shape.len()).rev() {
        strides[dim - 1] = strides[dim] * shape[dim];
    }
    let all = Tensor { format: ND, shape, strides, ..blocks.clone() };
    access::write_integers(mem, &all, &vec![0; all.len()])
}

#[cfg(test)]
mod tests;
