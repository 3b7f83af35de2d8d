//! The forms that the experts' weights can have on a device.

use std::fmt;
use std::str::FromStr;

use ascend_acl::op::Tensor;
use ascend_acl::rt::DeviceBuffer;
use ascend_acl::sys::aclDataType;
use half::bf16;
use lowfloat::mxfp4::{BLOCK, BLOCK_BYTES};
use moe_kernels::{ExpertMatrix, Matrix};
use rayon::prelude::*;
use safeshards::Bytes;

use crate::{Error, Result};

/// How the experts' weights lie on an NPU.
///
/// | | bits a weight | gpt-oss-20b | against MXFP4 weights | chips |
/// |---|---|---|---|---|
/// | `Bf16` | 16 | 38.2 GB | exact | all |
/// | `Int8` | 8, and a scale a column | 19.1 GB | rounded | 910B, 910C |
/// | `Int4` | 4, and a scale for 32 | 10.7 GB | rounded | 910B, 910C |
/// | `Mxfp4` | 4, and a scale for 32 | 10.2 GB | as they are | 950 |
///
/// How far rounding is from the weights, the model says when it is loaded ([`Npu::rounding_error`](super::Npu::rounding_error)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExpertForm {
    /// Every weight as a float of 16 bits.
    Bf16,
    /// Integers of eight bits, with a scale for each output of each expert.
    Int8,
    /// Integers of four bits, with a scale for each 32 inputs of each output.
    Int4,
    /// As the checkpoint has them.
    Mxfp4,
}

impl ExpertForm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bf16, Self::Int8, Self::Int4, Self::Mxfp4];

    /// The name: `bf16`, `int8`, `int4` or `mxfp4`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
            Self::Mxfp4 => "mxfp4",
        }
    }

    /// Whether results are those of the checkpoint's weights.
    #[must_use]
    pub fn is_exact(self) -> bool {
        matches!(self, Self::Bf16 | Self::Mxfp4)
    }

    /// Bytes of so many matrices `[outputs, inputs]`, scales and offsets included.
    pub(super) fn bytes(self, count: usize, outputs: usize, inputs: usize) -> u64 {
        let weights = (count * outputs * inputs) as u64;
        let columns = (count * outputs) as u64;
        let groups = columns * inputs.div_ceil(BLOCK) as u64;
        match self {
            Self::Bf16 => 2 * weights,
            // A scale and an offset.
            Self::Int8 => weights + 4 * columns,
            Self::Int4 => weights.div_ceil(2) + 2 * groups,
            Self::Mxfp4 => weights.div_ceil(2) + groups,
        }
    }
}

impl fmt::Display for ExpertForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ExpertForm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|form| form.name() == text).ok_or_else(|| {
            let reason = format!("{text:?} is none, expected bf16, int8, int4 or mxfp4");
            Error::Option { option: "experts", reason }
        })
    }
}

/// One projection of the experts, packed.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) form: ExpertForm,
    pub(super) count: usize,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    /// Whether a row is of one input; else of one output.
    pub(super) by_input: bool,
    pub(super) weight: DeviceBuffer<u8>,
    pub(super) scale: DeviceBuffer<u8>,
    /// Zeros, where an operator wants them.
    pub(super) offset: DeviceBuffer<bf16>,
    pub(super) bias: DeviceBuffer<f32>,
}

impl Packed {
    /// `[experts, inputs, outputs]`.
    pub(super) fn tensor(&self) -> ascend_acl::Result<Tensor<'_>> {
        let by_input = [self.count, self.inputs, self.outputs];
        let by_output = [self.count, self.outputs, self.inputs];
        let of = |dtype| {
            if self.by_input {
                self.weight.tensor_of(dtype, &by_input)
            } else {
                self.weight.tensor_of(dtype, &by_output)?.t()
            }
        };
        match self.form {
            ExpertForm::Bf16 => of(aclDataType::BF16),
            ExpertForm::Int8 => of(aclDataType::INT8),
            ExpertForm::Int4 => self.weight.tensor_of(aclDataType::INT4, &by_input),
            ExpertForm::Mxfp4 => {
                self.weight.tensor_of(aclDataType::FLOAT4_E2M1, &by_input)?.as_nz()
            }
        }
    }

    /// `[experts, outputs]`.
    pub(super) fn bias(&self) -> ascend_acl::Result<Tensor<'_>> {
        self.bias.tensor(&[self.count, self.outputs])
    }

    pub(super) fn scale(&self) -> ascend_acl::Result<Option<Tensor<'_>>> {
        let (columns, groups) = ([self.count, self.outputs], self.inputs / BLOCK);
        let by_group = [self.count, groups, self.outputs];
        let scale = match self.form {
            ExpertForm::Bf16 => return Ok(None),
            ExpertForm::Int8 => self.scale.tensor_of(aclDataType::BF16, &columns),
            ExpertForm::Int4 => self.scale.tensor_of(aclDataType::BF16, &by_group),
            ExpertForm::Mxfp4 => self.scale.tensor_of(aclDataType::FLOAT8_E8M0, &by_group),
        };
        scale.map(Some)
    }

    pub(super) fn offset(&self) -> ascend_acl::Result<Option<Tensor<'_>>> {
        let needed = self.form == ExpertForm::Int8;
        needed.then(|| self.offset.tensor(&[self.count, self.outputs])).transpose()
    }

    pub(super) fn bytes(&self) -> u64 {
        let Self { weight, scale, offset, bias, .. } = self;
        (weight.len() + scale.len() + 2 * offset.len() + 4 * bias.len()) as u64
    }
}

/// The exact weights of one expert, `[outputs, inputs]`.
pub(super) fn exact(
    matrix: &ExpertMatrix<Bytes>,
    expert: usize,
    (outputs, inputs): (usize, usize),
) -> Result<Vec<f32>> {
    let mut weights = vec![0.0; outputs * inputs];
    match matrix {
        ExpertMatrix::RowsOut(matrix) => {
            weights
                .par_chunks_mut(inputs)
                .enumerate()
                .try_for_each(|(row, to)| matrix.decode_row(expert * outputs + row, to))?;
        }
        ExpertMatrix::RowsIn(matrix) => {
            let mut row = vec![0.0; outputs];
            for input in 0..inputs {
                matrix.decode_row(expert * inputs + input, &mut row)?;
                let column = weights.iter_mut().skip(input).step_by(inputs);
                column.zip(&row).for_each(|(to, &from)| *to = from);
            }
        }
    }
    Ok(weights)
}

/// Sums of squares, of what rounding changed and of all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Squares {
    pub(super) error: f64,
    pub(super) all: f64,
}

impl Squares {
    pub(super) fn add(&mut self, exact: f32, rounded: f32) {
        self.error += f64::from(exact - rounded).powi(2);
        self.all += f64::from(exact).powi(2);
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self { error: self.error + other.error, all: self.all + other.all }
    }
}

/// Weights `[outputs, inputs]` as bytes, with a scale of bf16 for each output.
pub(super) fn int8(weights: &[f32], inputs: usize, to: &mut [u8], scales: &mut [bf16]) -> Squares {
    let rows = weights.par_chunks(inputs).zip(to.par_chunks_mut(inputs)).zip(scales);
    let squares = rows.map(|((weights, to), scale)| {
        let largest = weights.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
        *scale = bf16::from_f32(largest / 127.0);
        let step = scale.to_f32();
        let mut squares = Squares::default();
        for (to, &weight) in to.iter_mut().zip(weights) {
            let code = rounded(weight, step, 127.0);
            *to = (code as i8).cast_unsigned();
            squares.add(weight, code * step);
        }
        squares
    });
    squares.reduce(Squares::default, Squares::and)
}

/// The nearest whole multiple of a step that has a code.
fn rounded(weight: f32, step: f32, most: f32) -> f32 {
    if step > 0.0 { (weight / step).round_ties_even().clamp(-most, most) } else { 0.0 }
}

/// What the largest weight of a group is divided by to get a step: seven uses all codes, six has the values of MXFP4 among
/// its multiples but for ½ and 1½.
const STEPS: [f32; 2] = [7.0, 6.0];

/// Weights `[outputs, inputs]` as nibbles `[inputs, outputs]`, the even output in the low one, with a scale for each 32
/// inputs `[inputs / 32, outputs]`.
pub(super) fn int4(
    weights: &[f32],
    (outputs, inputs): (usize, usize),
    to: &mut [u8],
    scales: &mut [bf16],
) -> Squares {
    let groups = to.par_chunks_mut(BLOCK * outputs / 2).zip(scales.par_chunks_mut(outputs));
    let squares = groups.enumerate().map(|(group, (to, scales))| {
        let mut squares = Squares::default();
        for (output, scale) in scales.iter_mut().enumerate() {
            let begin = output * inputs + group * BLOCK;
            let weights = &weights[begin..begin + BLOCK];
            let largest = weights.iter().fold(0.0_f32, |most, weight| most.max(weight.abs()));
            let tried = STEPS.map(|part| {
                let step = bf16::from_f32(largest / part);
                let mut squares = Squares::default();
                for &weight in weights {
                    squares.add(weight, rounded(weight, step.to_f32(), 7.0) * step.to_f32());
                }
                (step, squares)
            });
            let better = usize::from(tried[1].1.error < tried[0].1.error);
            let (step, of_group) = tried[better];
            (*scale, squares) = (step, squares.and(of_group));
            for (input, &weight) in weights.iter().enumerate() {
                let code = rounded(weight, step.to_f32(), 7.0) as i8;
                let nibble = code.cast_unsigned() & 0x0F;
                let at = input * outputs + output;
                let byte = &mut to[at / 2];
                *byte = if output % 2 == 0 {
                    (*byte & 0xF0) | nibble
                } else {
                    (*byte & 0x0F) | nibble << 4
                };
            }
        }
        squares
    });
    squares.reduce(Squares::default, Squares::and)
}

/// Rows and columns of a block of four-bit weights in the layout `FRACTAL_NZ`: 16 by 32 bytes.
const NZ: (usize, usize) = (16, 64);

/// Codes and scales of one expert as the 950 takes them: `[inputs, outputs]` in blocks of 16 inputs by 64 outputs, those of
/// the same outputs after one another; scales `[inputs / 32, outputs]`.
pub(super) fn mxfp4(
    matrix: &Matrix<Bytes>,
    expert: usize,
    (outputs, inputs): (usize, usize),
    to: &mut [u8],
    scales: &mut [u8],
) {
    let (rows, columns) = NZ;
    // A strip of 64 outputs is as long as all inputs.
    to.par_chunks_mut(inputs * columns / 2).enumerate().for_each(|(strip, to)| {
        for column in 0..columns {
            let row = expert * outputs + strip * columns + column;
            let Some((blocks, _)) = matrix.mxfp4_row(row) else { continue };
            for input in 0..inputs {
                let code = blocks[input / BLOCK * BLOCK_BYTES + input % BLOCK / 2];
                let code = if input % 2 == 0 { code & 0x0F } else { code >> 4 };
                let at = input / rows * rows * columns + input % rows * columns + column;
                let byte = &mut to[at / 2];
                *byte = if column % 2 == 0 {
                    (*byte & 0xF0) | code
                } else {
                    (*byte & 0x0F) | code << 4
                };
            }
        }
    });
    for output in 0..outputs {
        let Some((_, from)) = matrix.mxfp4_row(expert * outputs + output) else { continue };
        for (group, &scale) in from.iter().enumerate() {
            scales[group * outputs + output] = scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<f32> {
        let mut state = 7_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    #[test]
    fn eight_bits_are_near() {
        let weights = noise(4 * 96);
        let (mut codes, mut scales) = (vec![0; 4 * 96], vec![bf16::ZERO; 4]);
        let squares = int8(&weights, 96, &mut codes, &mut scales);
        for (at, (&weight, &code)) in weights.iter().zip(&codes).enumerate() {
            let step = scales[at / 96].to_f32();
            let value = f32::from(code.cast_signed()) * step;
            // Half a step, and a scale that was rounded down clips the largest.
            assert!((value - weight).abs() <= step, "{value} {weight}");
        }
        assert!((squares.error / squares.all).sqrt() < 0.01);
    }

    #[test]
    fn values_of_mxfp4_are_near_in_four_bits() {
        let magnitudes = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
        let (outputs, inputs) = (4, 64);
        let weights: Vec<f32> = (0..outputs * inputs)
            .map(|at| magnitudes[at * 5 % 8] * if at % 3 == 0 { -0.25 } else { 0.25 })
            .collect();
        let (mut codes, mut scales) = (vec![0; 128], vec![bf16::ZERO; 8]);
        let squares = int4(&weights, (outputs, inputs), &mut codes, &mut scales);
        assert!((squares.error / squares.all).sqrt() < 0.12, "{squares:?}");
        for output in 0..outputs {
            for input in 0..inputs {
                let at = input * outputs + output;
                let nibble = (codes[at / 2] >> (4 * (at % 2))) & 0x0F;
                let code = f32::from((nibble << 4).cast_signed() >> 4);
                let value = code * scales[input / BLOCK * outputs + output].to_f32();
                let weight = weights[output * inputs + input];
                assert!((value - weight).abs() <= 0.126, "{value} {weight}");
            }
        }
    }

    #[test]
    fn nothing_becomes_nothing() {
        let (mut codes, mut scales) = (vec![9; 32], vec![bf16::ONE; 1]);
        assert_eq!(int8(&[0.0; 32], 32, &mut codes, &mut scales), Squares::default());
        assert_eq!((codes, scales), (vec![0; 32], vec![bf16::ZERO]));
    }

    #[test]
    fn bytes_of_the_20b() {
        let gigabytes = |form: ExpertForm| {
            let layer = form.bytes(32, 5760, 2880) + form.bytes(32, 2880, 2880);
            24.0 * layer as f64 / 1e9
        };
        let sizes = ExpertForm::ALL.map(|form| (gigabytes(form) * 10.0).round() / 10.0);
        assert_eq!(sizes.map(|size| format!("{size}")), ["38.2", "19.1", "10.7", "10.2"]);
    }
}
