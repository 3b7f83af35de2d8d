//! How much memory a weight takes in blocks: functions without phases, on the host alone.

use super::pointer::{Out, Raw};
use super::tensor::inner_null;
use crate::dtype::DataType;
use crate::ops::weight_format::matmul_weight_size;
use crate::runtime::failure::Failure;
use crate::runtime::handles::handles;

export! {
    "math";

    /// Elements that a weight of f16 or bf16 takes once `aclnnTransMatmulWeight` has put it into blocks.
    "8.1" fn aclnnCalculateMatmulWeightSize(tensor_shape: Raw, weight_tensor_size: Out<u64>) {
        size(tensor_shape, DataType::F16, weight_tensor_size)
    }

    /// The same for a type by its number: f16, bf16 or i8.
    "8.1" fn aclnnCalculateMatmulWeightSizeV2(
        tensor_shape: Raw,
        data_type: i32,
        weight_tensor_size: Out<u64>,
    ) {
        let dtype = DataType::of(data_type).ok_or_else(|| {
            Failure::parameter(format!("dataType is {data_type}, expected f16, bf16 or i8"))
        })?;
        size(tensor_shape, dtype, weight_tensor_size)
    }
}

fn size(tensor_shape: Raw, dtype: DataType, out: Out<u64>) -> Result<(), Failure> {
    let shape = handles().int_array(tensor_shape)?;
    let size = matmul_weight_size(&shape, dtype).ok_or_else(|| {
        Failure::parameter(format!(
            "a weight of {dtype:?} and shape {shape:?}, expected 2 to 6 extents above 0 of f16, bf16 or i8"
        ))
    })?;
    out.set("weightTensorSize", size).map_err(inner_null)
}
