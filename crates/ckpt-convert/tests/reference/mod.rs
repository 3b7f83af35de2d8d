//! What conversions should give, written for clarity and independent of the crate's kernels.

use ckpt_convert::FloatTarget;
use half::{bf16, f16};
use lowfloat::DType;
use testkit::{Tensor, Tensors};

/// Every bf16, f16 and f32 tensor in the target type.
pub(crate) fn cast(tensors: &Tensors, target: FloatTarget) -> Tensors {
    let one = |(name, tensor): (&String, &Tensor)| {
        let float = matches!(tensor.dtype, DType::BF16 | DType::F16 | DType::F32);
        let tensor = match target {
            FloatTarget::To(dtype) if float => narrowed(&values(tensor), dtype, &tensor.shape),
            _ => tensor.clone(),
        };
        (name.clone(), tensor)
    };
    tensors.iter().map(one).collect()
}

/// The tensors with MXFP4 pairs made dense, in the target type (bf16 for `Keep`).
pub(crate) fn dense(tensors: &Tensors, target: FloatTarget) -> Tensors {
    let dtype = match target {
        FloatTarget::To(dtype) => dtype,
        FloatTarget::Keep => DType::BF16,
    };
    let mut out = Tensors::new();
    for (name, tensor) in &cast(tensors, target) {
        if name.ends_with("scales") {
            continue;
        }
        let Some(stem) = name.strip_suffix("blocks") else {
            out.insert(name.clone(), tensor.clone());
            continue;
        };
        let transposed = stem.ends_with('_');
        let scales = &tensors[&format!("{stem}scales")];
        let [experts, rows, groups] = scales.shape[..] else {
            panic!("{name}: {:?}", scales.shape)
        };
        let columns = 32 * groups;
        let mut dense = vec![0.0; experts * rows * columns];
        for expert in 0..experts {
            for row in 0..rows {
                for column in 0..columns {
                    let block = (expert * rows + row) * groups + column / 32;
                    let byte = tensor.bytes[16 * block + column % 32 / 2];
                    let code = if column % 2 == 0 { byte & 15 } else { byte >> 4 };
                    let value = e2m1(code) * 2_f32.powi(i32::from(scales.bytes[block]) - 127);
                    let place = if transposed {
                        (expert * columns + column) * rows + row
                    } else {
                        (expert * rows + row) * columns + column
                    };
                    dense[place] = value;
                }
            }
        }
        let shape = if transposed { [experts, columns, rows] } else { [experts, rows, columns] };
        let name = stem.trim_end_matches(['_', '.']).to_owned();
        out.insert(name, narrowed(&dense, dtype, &shape));
    }
    out
}

fn e2m1(code: u8) -> f32 {
    let magnitude = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0][usize::from(code & 7)];
    if code & 8 == 0 { magnitude } else { -magnitude }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    match tensor.dtype {
        DType::F32 => tensor
            .bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect(),
        DType::BF16 => tensor
            .bytes
            .chunks_exact(2)
            .map(|b| bf16::from_le_bytes(b.try_into().unwrap()).to_f32())
            .collect(),
        DType::F16 => tensor
            .bytes
            .chunks_exact(2)
            .map(|b| f16::from_le_bytes(b.try_into().unwrap()).to_f32())
            .collect(),
        other => panic!("no float: {other}"),
    }
}

fn narrowed(values: &[f32], dtype: DType, shape: &[usize]) -> Tensor {
    let bytes = match dtype {
        DType::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DType::BF16 => {
            values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect()
        }
        DType::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
        other => panic!("no float: {other}"),
    };
    Tensor { dtype, shape: shape.to_vec(), bytes }
}
