//! Products of matrices: f32 sums, one rounding at the output.
//!
//! `cubeMathType`: 0 keeps the type, 1 and 3 let f32 inputs lose bits (HF32: eleven bits of mantissa, as the cube unit takes
//! them), 2 makes f32 inputs f16. Inputs of 16 bits are exact in all; bf16 has no 2.
//!
//! The plain products read a weight in blocks as the release does: 8.3 takes it for rows, and the result is silently wrong;
//! from 8.5 on it is right.

pub(super) mod product;

use self::product::{Extents, Weight};
use super::access;
use super::broadcast::{stretched, together};
use super::check::{Check, FLOATS, HALVES};
use super::nz;
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, Reject};
use crate::profile::{Cann, Site};
use crate::scalar::Scalar;
use crate::tensor::{FRACTAL_NZ, Tensor};

/// `self · mat2` as numpy's `matmul`: vectors, matrices, and batches of them that broadcast.
pub(super) fn matmul(
    site: &Site,
    self_: Tensor,
    mat2: Tensor,
    out: Tensor,
    cube_math_type: i8,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnMatmul");
    check.rank("self", &self_, 1..=6)?;
    check.rank("mat2", &mat2, 1..=6)?;
    let (mut x, mut weight, mut result) = (self_, mat2, out);
    if x.shape.len() == 1 {
        x = x.unsqueezed(0);
        let at = result.shape.len() - usize::from(weight.shape.len() > 1).min(result.shape.len());
        result = result.unsqueezed(at);
    }
    if weight.shape.len() == 1 {
        weight = weight.unsqueezed(1);
        result = result.unsqueezed(result.shape.len());
    }
    let weight = plain(&check, weight);
    product(check, ["self", "mat2"], x, weight, result, cube_math_type, None)
}

/// `self · mat2` for two matrices.
pub(super) fn mm(
    site: &Site,
    self_: Tensor,
    mat2: Tensor,
    out: Tensor,
    cube_math_type: i8,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnMm");
    check.rank("self", &self_, 2..=2)?;
    check.rank("mat2", &mat2, 2..=2)?;
    let weight = plain(&check, mat2);
    product(check, ["self", "mat2"], self_, weight, out, cube_math_type, None)
}

/// `beta · self + alpha · (mat1 · mat2)`; `self` stretches to the product, and is not read where `beta` is 0.
pub(super) fn addmm(
    site: &Site,
    self_: Tensor,
    mat1: Tensor,
    mat2: Tensor,
    beta: Scalar,
    alpha: Scalar,
    out: Tensor,
    cube_math_type: i8,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnAddmm");
    check.rank("mat2", &mat2, 2..=2)?;
    let weight = plain(&check, mat2);
    sum_product(check, self_, mat1, weight, [beta, alpha], out, cube_math_type)
}

/// `self · mat2` for as many matrices, or one that all take.
pub(super) fn batch_mat_mul(
    site: &Site,
    self_: Tensor,
    mat2: Tensor,
    out: Tensor,
    cube_math_type: i8,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnBatchMatMul");
    check.rank("self", &self_, 3..=3)?;
    check.rank("mat2", &mat2, 3..=3)?;
    let weight = plain(&check, mat2);
    product(check, ["self", "mat2"], self_, weight, out, cube_math_type, None)
}

/// [`mm`] with `mat2` in blocks.
pub(super) fn matmul_weight_nz(
    site: &Site,
    self_: Tensor,
    mat2: Tensor,
    out: Tensor,
    cube_math_type: i8,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnMatmulWeightNz");
    check.rank("self", &self_, 2..=2)?;
    blocked(&check, &mat2, 2)?;
    product(check, ["self", "mat2"], self_, mat2, out, cube_math_type, None)
}

/// [`addmm`] with `mat2` in blocks.
pub(super) fn addmm_weight_nz(
    site: &Site,
    self_: Tensor,
    mat1: Tensor,
    mat2: Tensor,
    beta: Scalar,
    alpha: Scalar,
    out: Tensor,
    cube_math_type: i8,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnAddmmWeightNz");
    blocked(&check, &mat2, 2)?;
    sum_product(check, self_, mat1, mat2, [beta, alpha], out, cube_math_type)
}

/// [`batch_mat_mul`] with `mat2` in blocks.
pub(super) fn batch_mat_mul_weight_nz(
    site: &Site,
    self_: Tensor,
    mat2: Tensor,
    out: Tensor,
    cube_math_type: i8,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnBatchMatMulWeightNz");
    check.rank("self", &self_, 3..=3)?;
    blocked(&check, &mat2, 3)?;
    product(check, ["self", "mat2"], self_, mat2, out, cube_math_type, None)
}

/// What a plain product sees of its weight.
fn plain(check: &Check, weight: Tensor) -> Tensor {
    if weight.format == FRACTAL_NZ && check.cann == Cann::V8_3 {
        nz::mistaken_for_rows(&weight)
    } else {
        weight
    }
}

fn blocked(check: &Check, weight: &Tensor, rank: usize) -> Result<(), Reject> {
    check.rank("mat2", weight, rank..=rank)?;
    check.dtype("mat2", weight, HALVES)?;
    check.nz("mat2", weight)
}

fn sum_product(
    check: Check,
    self_: Tensor,
    mat1: Tensor,
    weight: Tensor,
    [beta, alpha]: [Scalar; 2],
    out: Tensor,
    cube_math_type: i8,
) -> Result<Kernel, Reject> {
    check.rank("mat1", &mat1, 2..=2)?;
    check.input("self", &self_)?;
    check.same_dtype("self", &self_, "mat1", &mat1)?;
    let added = check.stretch("self", &self_, &out.shape)?;
    let sum = Sum { added, beta: beta.float(), alpha: alpha.float() };
    product(check, ["mat1", "mat2"], mat1, weight, out, cube_math_type, Some(sum))
}

/// What is added to a product.
struct Sum {
    added: Tensor,
    beta: f32,
    alpha: f32,
}

fn product(
    check: Check,
    [x_name, weight_name]: [&str; 2],
    x: Tensor,
    weight: Tensor,
    out: Tensor,
    cube_math_type: i8,
    sum: Option<Sum>,
) -> Result<Kernel, Reject> {
    check.input(x_name, &x)?;
    check.blocked(weight_name, &weight)?;
    check.output("out", &out)?;
    check.dtype(x_name, &x, FLOATS)?;
    check.same_dtype(weight_name, &weight, x_name, &x)?;
    check.same_dtype("out", &out, x_name, &x)?;
    let narrow = narrowing(&check, x.dtype, cube_math_type)?;
    let (x_batch, x_matrix) = x.shape.split_at(x.shape.len() - 2);
    let (weight_batch, weight_matrix) = weight.shape.split_at(weight.shape.len() - 2);
    let got = format_args!("of shape {:?}", weight.shape);
    let expected = format_args!("{} rows, the depth of {x_name}", x_matrix[1]);
    check.require(weight_matrix[0] == x_matrix[1], weight_name, got, expected)?;
    let batch = together(x_batch, weight_batch).ok_or_else(|| {
        check.reject(weight_name, got, format_args!("a batch that meets {x_batch:?}"))
    })?;
    let one_weight = weight_batch.iter().product::<i64>() == 1;
    if weight.format == FRACTAL_NZ {
        let got = format_args!("a batch of {weight_batch:?} in blocks");
        let same = one_weight || weight_batch == batch;
        check.require(same, weight_name, got, format_args!("{batch:?} or one matrix"))?;
    }
    let in_batch = |matrix: &[i64]| [&batch[..], matrix].concat();
    check.shape("out", &out, &in_batch(&[x_matrix[0], weight_matrix[1]]))?;
    let extents = Extents {
        rows: x_matrix[0] as usize,
        depth: x_matrix[1] as usize,
        columns: weight_matrix[1] as usize,
    };
    let matrices = batch.iter().product::<i64>() as usize;
    let cost = Cost::of(&[&x, &weight, &out], matrices as u64 * extents.flops());
    let x = stretched(&x, &in_batch(x_matrix)).unwrap_or(x);
    let weight = if one_weight || weight.format == FRACTAL_NZ {
        weight
    } else {
        stretched(&weight, &in_batch(weight_matrix)).unwrap_or(weight)
    };
    let weight = Weight::new(&weight);
    Ok(Kernel::new(cost, move |mem| {
        let mut values = Vec::with_capacity(out.len());
        for matrix in 0..matrices {
            let size = extents.rows * extents.depth;
            let mut rows = access::floats_at(mem, &x, matrix * size, size)?;
            narrow(&mut rows);
            let matrix = if one_weight { 0 } else { matrix };
            values.extend(weight.multiply(mem, &rows, extents, matrix, narrow)?);
        }
        if let Some(sum) = &sum {
            for value in &mut values {
                *value *= sum.alpha;
            }
            if sum.beta != 0.0 {
                for (value, added) in values.iter_mut().zip(access::floats(mem, &sum.added)?) {
                    *value += sum.beta * added;
                }
            }
        }
        access::write_floats(mem, &out, &values)
    }))
}

/// What the cube unit makes of its inputs.
fn narrowing(check: &Check, dtype: DataType, cube_math_type: i8) -> Result<fn(&mut [f32]), Reject> {
    check.require(
        (0..=3).contains(&cube_math_type),
        "cubeMathType",
        cube_math_type,
        "0 (KEEP_DTYPE), 1 (ALLOW_FP32_DOWN_PRECISION), 2 (USE_FP16) or 3 (USE_HF32)",
    )?;
    let bf16_as_f16 = dtype == DataType::Bf16 && cube_math_type == 2;
    check.require(!bf16_as_f16, "cubeMathType", "2 (USE_FP16) with bf16", "another")?;
    Ok(match (dtype, cube_math_type) {
        (DataType::F32, 1 | 3) => {
            |values| values.iter_mut().for_each(|value| *value = hf32(*value))
        }
        (DataType::F32, 2) => |values| {
            for value in values {
                *value = half::f16::from_f32(*value).to_f32();
            }
        },
        _ => |_| {},
    })
}

/// The nearest number with eleven bits of mantissa after the point, even ones where two are as near.
fn hf32(value: f32) -> f32 {
    const DROPPED: u32 = 23 - 11;
    if !value.is_finite() {
        return value;
    }
    let bits = value.to_bits();
    let half = (1 << (DROPPED - 1)) - 1 + (bits >> DROPPED & 1);
    f32::from_bits((bits + half) >> DROPPED << DROPPED)
}

#[cfg(test)]
mod tests;
