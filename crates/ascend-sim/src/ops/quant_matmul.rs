//! Products of integers: `out = (x1 · x2 + bias) · scale · tokenScale`, summed exactly.
//!
//! Inputs are I8, or I4 (packed by two, or by eight into I32, in rows). A scale of 64 bits holds an f32 in its low half, as
//! `aclnnTransQuantParamV2` makes it. Scales by groups (K-G, G-B), floating point inputs of the 950 and `yOffset` are not
//! simulated, and refused.

use super::access;
use super::broadcast::{stretched, together};
use super::check::Check;
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, Reject};
use crate::profile::Site;
use crate::tensor::{FRACTAL_NZ, Tensor};

/// `offset` belongs to I8 outputs, `pertokenScaleOptional` is a factor for each row.
pub(super) fn quant_matmul_v4(
    site: &Site,
    x1: Tensor,
    x2: Tensor,
    scale: Tensor,
    offset: Option<Tensor>,
    pertoken_scale: Option<Tensor>,
    bias: Option<Tensor>,
    transpose_x1: bool,
    transpose_x2: bool,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnQuantMatmulV4");
    let names = Names { scale: "scale", token_scale: "pertokenScaleOptional", offset: "offset" };
    let (x1, x2) = (turned(&x1, transpose_x1), turned(&x2, transpose_x2));
    product(check, names, [x1, x2, scale, out], pertoken_scale, offset, bias)
}

/// As [`quant_matmul_v4`] with the scales named by their sides; what only groups need has to be null or 0.
pub(super) fn quant_matmul_v5(
    site: &Site,
    x1: Tensor,
    x2: Tensor,
    x1_scale: Option<Tensor>,
    x2_scale: Tensor,
    y_scale: Option<Tensor>,
    x1_offset: Option<Tensor>,
    x2_offset: Option<Tensor>,
    y_offset: Option<Tensor>,
    bias: Option<Tensor>,
    transpose_x1: bool,
    transpose_x2: bool,
    group_size: i64,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnQuantMatmulV5");
    for (name, tensor) in [("yScale", y_scale), ("x1Offset", x1_offset), ("yOffset", y_offset)] {
        check.require(tensor.is_none(), name, "given", "null in the simulator")?;
    }
    check.require(group_size == 0, "groupSize", group_size, "0 in the simulator")?;
    let names = Names { scale: "x2Scale", token_scale: "x1Scale", offset: "x2Offset" };
    let (x1, x2) = (turned(&x1, transpose_x1), turned(&x2, transpose_x2));
    product(check, names, [x1, x2, x2_scale, out], x1_scale, x2_offset, bias)
}

fn turned(tensor: &Tensor, transpose: bool) -> Tensor {
    if transpose { tensor.transposed() } else { tensor.clone() }
}

/// What the versions call their arguments.
#[derive(Clone, Copy)]
struct Names {
    scale: &'static str,
    token_scale: &'static str,
    offset: &'static str,
}

const INTEGERS: &[DataType] = &[DataType::I8, DataType::I4, DataType::I32];
/// Scales of 64 bits.
const PACKED: &[DataType] = &[DataType::U64, DataType::I64];
const MAX_EXTENT: i64 = 65535;

fn product(
    check: Check,
    names: Names,
    [x1, x2, scale, out]: [Tensor; 4],
    token_scale: Option<Tensor>,
    offset: Option<Tensor>,
    bias: Option<Tensor>,
) -> Result<Kernel, Reject> {
    let (x1, x2) = (operand(&check, "x1", x1)?, operand(&check, "x2", x2)?);
    check.same_dtype("x2", &x2, "x1", &x1)?;
    let rows_only = format_args!("in format {}", x1.format);
    check.require(x1.format != FRACTAL_NZ, "x1", rows_only, "rows")?;
    let (x1_batch, x1_matrix) = x1.shape.split_at(x1.shape.len() - 2);
    let (x2_batch, x2_matrix) = x2.shape.split_at(x2.shape.len() - 2);
    let [m, k, n] = [x1_matrix[0], x1_matrix[1], x2_matrix[1]];
    let got = format_args!("of shape {:?}", x2.shape);
    check.require(x2_matrix[0] == k, "x2", got, format_args!("{k} rows, the depth of x1"))?;
    check.require(k <= MAX_EXTENT, "x1", format_args!("{k} deep"), "at most 65535")?;
    let batch = together(x1_batch, x2_batch)
        .ok_or_else(|| check.reject("x2", got, format_args!("a batch that meets {x1_batch:?}")))?;
    let with_batch = |matrix: [i64; 2]| [&batch[..], &matrix].concat();
    check.output("out", &out)?;
    check.shape("out", &out, &with_batch([m, n]))?;
    let four_bits = x1.dtype == DataType::I4;
    combination(&check, names, four_bits, &scale, token_scale.as_ref(), bias.as_ref(), &out)?;
    let columns = |name: &str, tensor: &Tensor| {
        check.input(name, tensor)?;
        let got = format_args!("of shape {:?}", tensor.shape);
        let right = tensor.shape == [1] || tensor.shape == [n];
        check.require(right, name, got, format_args!("[1] or [{n}]"))
    };
    columns(names.scale, &scale)?;
    if let Some(offset) = &offset {
        columns(names.offset, offset)?;
        check.dtype(names.offset, offset, &[DataType::F32])?;
        let got = format_args!("given for {:?}", out.dtype);
        check.require(out.dtype == DataType::I8, names.offset, got, "null, but for I8")?;
    }
    if let Some(token_scale) = &token_scale {
        check.input(names.token_scale, token_scale)?;
        check.shape(names.token_scale, token_scale, &[m])?;
    }
    if let Some(bias) = &bias {
        check.input("bias", bias)?;
        check.shape("bias", bias, &[n])?;
    }
    let cost = Cost::of(&[&x1, &x2, &out], 2 * out.len() as u64 * k as u64);
    let left = stretched(&x1, &with_batch([m, k])).unwrap_or(x1);
    let one_right = x2_batch.iter().product::<i64>() == 1 || x2.format == FRACTAL_NZ;
    let right = if one_right { x2 } else { stretched(&x2, &with_batch([k, n])).unwrap_or(x2) };
    let matrices = batch.iter().product::<i64>() as usize;
    let [m, k, n] = [m, k, n].map(|extent| extent as usize);
    Ok(Kernel::new(cost, move |mem| {
        let left = access::integers(mem, &left)?;
        let right = access::integers(mem, &right)?;
        let scale = factors(mem, &scale)?;
        let optional = |tensor: &Option<Tensor>| {
            tensor.as_ref().map(|tensor| access::floats(mem, tensor)).transpose()
        };
        let (token_scale, offset) = (optional(&token_scale)?, optional(&offset)?);
        let whole_bias = bias.as_ref().is_some_and(|bias| bias.dtype == DataType::I32);
        let bias = optional(&bias)?;
        let pick =
            |values: &[f32], column: usize| values[if values.len() == 1 { 0 } else { column }];
        let mut sums = Vec::with_capacity(matrices * m * n);
        for row in 0..matrices * m {
            let start = if right.len() == k * n { 0 } else { row / m * k * n };
            let mut sum = vec![0i64; n];
            for (depth, x) in left[row * k..][..k].iter().enumerate() {
                for (sum, weight) in sum.iter_mut().zip(&right[start + depth * n..]) {
                    *sum += x * weight;
                }
            }
            sums.extend(sum);
        }
        if out.dtype == DataType::I32 {
            let with_bias = sums
                .iter()
                .enumerate()
                .map(|(at, sum)| sum + bias.as_ref().map_or(0, |bias| bias[at % n] as i64));
            return access::write_integers(mem, &out, &with_bias.collect::<Vec<_>>());
        }
        let values = sums.iter().enumerate().map(|(at, &sum)| {
            let (row, column) = (at / n % m, at % n);
            let bias = bias.as_ref().map_or(0.0, |bias| bias[column]);
            let sum = if whole_bias { (sum + bias as i64) as f32 } else { sum as f32 };
            let scaled =
                sum * pick(&scale, column) * token_scale.as_ref().map_or(1.0, |scales| scales[row]);
            let scaled = if whole_bias { scaled } else { scaled + bias };
            scaled + offset.as_ref().map_or(0.0, |offset| pick(offset, column))
        });
        access::write_floats(mem, &out, &values.collect::<Vec<_>>())
    }))
}

/// A factor of the product by its elements.
fn operand(check: &Check, name: &str, tensor: Tensor) -> Result<Tensor, Reject> {
    check.dtype(name, &tensor, INTEGERS)?;
    check.rank(name, &tensor, 2..=6)?;
    check.blocked(name, &tensor)?;
    check.require(tensor.len() > 0, name, "empty", "at least one element")?;
    let packed = tensor.dtype != DataType::I8;
    let tensor = if tensor.dtype == DataType::I32 { tensor.unpacked() } else { tensor };
    if tensor.format == FRACTAL_NZ {
        check.require(!packed, name, "of 4 bits in blocks", "rows")?;
        check.nz(name, &tensor)?;
        check.rank(name, &tensor, 2..=2)?;
    }
    let rank = tensor.shape.len();
    let inner = tensor.shape[rank - if tensor.exchanged() { 2 } else { 1 }];
    let got = format_args!("{inner} nibbles wide");
    check.require(!packed || inner % 2 == 0, name, got, "an even number")?;
    Ok(tensor)
}

/// The combinations of types that have kernels.
fn combination(
    check: &Check,
    names: Names,
    four_bits: bool,
    scale: &Tensor,
    token_scale: Option<&Tensor>,
    bias: Option<&Tensor>,
    out: &Tensor,
) -> Result<(), Reject> {
    use DataType::{Bf16, F16, F32, I8, I32};
    let by_token = token_scale.is_some();
    if let Some(token_scale) = token_scale {
        check.dtype(names.token_scale, token_scale, &[F32])?;
    }
    let outputs: &[DataType] = match (four_bits, by_token) {
        (true, false) => &[F16],
        (_, true) => &[Bf16, F16],
        (false, false) => &[F16, I8, Bf16, I32],
    };
    check.dtype("out", out, outputs)?;
    let scales: &[DataType] = match (out.dtype, by_token) {
        (F16, false) | (I8, _) => PACKED,
        (F16, true) => &[F32],
        _ => &[F32, Bf16],
    };
    check.dtype(names.scale, scale, scales)?;
    if let Some(bias) = bias {
        let biases: &[DataType] = match (out.dtype, by_token) {
            (F16, false) | (I8 | I32, _) => &[I32],
            (F16, true) => &[I32, F16, F32],
            _ => &[I32, Bf16, F32],
        };
        check.dtype("bias", bias, biases)?;
    }
    Ok(())
}

/// Scales as f32: those of 64 bits hold one in their low half.
fn factors(
    mem: &dyn crate::memory::Memory,
    scale: &Tensor,
) -> Result<Vec<f32>, crate::kernel::Fault> {
    if !PACKED.contains(&scale.dtype) {
        return access::floats(mem, scale);
    }
    let bits = access::integers(mem, scale)?;
    Ok(bits.into_iter().map(|bits| f32::from_bits(bits as u32)).collect())
}

#[cfg(test)]
mod tests;
