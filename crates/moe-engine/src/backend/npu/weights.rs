//! Weights as the device takes them.

use std::ops::Range;
use std::sync::PoisonError;

use ascend_acl::rt::DeviceBuffer;
use half::bf16;
use moe_kernels::{ExpertMatrix, Experts, Matrix};
use safeshards::Bytes;

use super::experts::NpuExperts;
use super::forms::{self, ExpertForm, Packed, Squares};
use super::steps::at;
use super::upload::Upload;
use super::{Npu, NpuLinear};
use crate::weights::LinearWeights;
use crate::{Error, Result};

/// Bytes of a number of the device.
pub(super) const HALF: usize = size_of::<bf16>();

impl Npu {
    /// The way to the device, as long as weights are uploaded.
    fn uploading<R>(&self, work: impl FnOnce(&mut Upload) -> Result<R>) -> Result<R> {
        let mut upload = self.upload.lock().unwrap_or_else(PoisonError::into_inner);
        if upload.is_none() {
            *upload = Some(at("uploading weights", Upload::new(&self.device))?);
        }
        match upload.as_mut() {
            Some(upload) => work(upload),
            None => Err(Error::Cancelled),
        }
    }

    /// Waits for weights that are still on their way, before the first step.
    pub(super) fn uploaded(&self) -> Result<()> {
        let mut upload = self.upload.lock().unwrap_or_else(PoisonError::into_inner);
        upload.take().map_or(Ok(()), |upload| at("uploading weights", upload.finish()))
    }

    pub(super) fn narrow(&self, values: &[f32]) -> Result<DeviceBuffer<bf16>> {
        let values: Vec<_> = values.iter().map(|&value| bf16::from_f32(value)).collect();
        at("uploading weights", DeviceBuffer::from_slice(&self.device, &values))
    }

    /// Rows of matrices below each other; `source` says which row of which of them each is, if it is not zeros, and `place` puts
    /// its elements.
    fn matrix(
        &self,
        (outputs, inputs): (usize, usize),
        source: impl Fn(usize) -> Option<(usize, usize)> + Sync,
        matrices: &[&Matrix<Bytes>],
        place: impl Fn(&[bf16], &mut [bf16]) + Sync,
    ) -> Result<DeviceBuffer<u8>> {
        self.uploading(|upload| {
            upload.rows(outputs, inputs * HALF, |row, bytes| {
                bytes.fill(0);
                let Some((matrix, row)) = source(row) else { return Ok(()) };
                let Some(matrix) = matrices.get(matrix) else { return Ok(()) };
                let from = row_of(matrix, row)?;
                // Pinned memory begins at a page, and rows are whole numbers.
                if let Ok(to) = bytemuck::try_cast_slice_mut(bytes) {
                    place(&from, to);
                }
                Ok(())
            })
        })
    }

    pub(super) fn linear_of(&self, weights: &LinearWeights) -> Result<NpuLinear> {
        let (outputs, inputs) = (weights.weight.rows(), weights.weight.cols());
        let same = |row| Some((0, row));
        let place = |from: &[bf16], to: &mut [bf16]| to.copy_from_slice(from);
        Ok(NpuLinear {
            weight: self.matrix((outputs, inputs), same, &[&weights.weight], place)?,
            outputs,
            inputs,
            bias: weights.bias.as_ref().map(|bias| self.narrow(bias)).transpose()?,
            is_part: false,
        })
    }

    /// Queries, keys and values below each other, each head as the device takes it.
    pub(super) fn fused(&self, weights: &[LinearWeights; 3]) -> Result<NpuLinear> {
        let heads = self.heads;
        let [query, kv] = [heads.query_width(), heads.kv_width()];
        let inputs = self.config.hidden;
        let first = heads.first_rows();
        let source = |row: usize| {
            let (matrix, row) = match row {
                row if row < query => (0, row),
                row if row < query + kv => (1, row - query),
                row => (2, row - query - kv),
            };
            heads.source(row).map(|row| (matrix, first[matrix] + row))
        };
        let matrices: Vec<_> = weights.iter().map(|weights| &weights.weight).collect();
        let place = |from: &[bf16], to: &mut [bf16]| to.copy_from_slice(from);
        let outputs = query + 2 * kv;
        let weight = self.matrix((outputs, inputs), source, &matrices, place)?;
        let bias: Vec<f32> = (0..outputs)
            .map(|row| {
                let bias = source(row).and_then(|(matrix, row)| {
                    weights[matrix].bias.as_ref().and_then(|bias| bias.get(row))
                });
                bias.copied().unwrap_or(0.0)
            })
            .collect();
        Ok(NpuLinear { weight, outputs, inputs, bias: Some(self.narrow(&bias)?), is_part: false })
    }

    /// What follows attention: its inputs are heads as the device has them.
    pub(super) fn output(&self, weights: &LinearWeights) -> Result<NpuLinear> {
        let (heads, outputs) = (self.heads, weights.weight.rows());
        let inputs = heads.query_width();
        let [begin, ..] = heads.first_rows();
        let columns = begin..begin + heads.heads.query * heads.heads.dim;
        let is_part = columns.len() < weights.weight.cols();
        let place = |from: &[bf16], to: &mut [bf16]| {
            heads.spread(from.get(columns.clone()).unwrap_or_default(), to);
        };
        let same = |row| Some((0, row));
        // Of all devices the first one adds it.
        let bias = weights.bias.as_ref().map(|bias| {
            if begin == 0 { self.narrow(bias) } else { self.narrow(&vec![0.0; bias.len()]) }
        });
        Ok(NpuLinear {
            weight: self.matrix((outputs, inputs), same, &[&weights.weight], place)?,
            outputs,
            inputs,
            bias: bias.transpose()?,
            is_part,
        })
    }

    /// The experts of this rank.
    pub(super) fn here(&self) -> Range<usize> {
        let all = self.config.experts;
        let (rank, ranks) =
            self.comm.as_ref().map_or((0, 1), |comm| (comm.rank() as usize, comm.size() as usize));
        rank * all / ranks..(rank + 1) * all / ranks
    }

    /// The experts of this rank.
    pub(super) fn experts_of(&self, experts: &Experts<Bytes>) -> Result<NpuExperts> {
        let here = self.here();
        let (hidden, inner) = (experts.hidden(), experts.intermediate());
        let up = (2 * inner, hidden);
        let part = (here.len() < experts.count()).then(|| {
            let number = |expert: usize| {
                if here.contains(&expert) { expert - here.start } else { here.len() - 1 }
            };
            let all = 0..experts.count();
            let numbers: Vec<_> = all.clone().map(|expert| number(expert) as i32).collect();
            let factors: Vec<_> = all
                .map(|expert| if here.contains(&expert) { bf16::ONE } else { bf16::ZERO })
                .collect();
            let numbers = DeviceBuffer::from_slice(&self.device, &numbers)?;
            Ok((numbers, DeviceBuffer::from_slice(&self.device, &factors)?))
        });
        Ok(NpuExperts {
            gate_up: self.packed(experts.gate_up(), experts.gate_up_bias(), &here, up)?,
            down: self.packed(experts.down(), experts.down_bias(), &here, (hidden, inner))?,
            swiglu: experts.swiglu(),
            count: experts.count(),
            part: at("uploading experts", part.transpose())?,
            here,
        })
    }

    fn packed(
        &self,
        matrix: &ExpertMatrix<Bytes>,
        bias: &[f32],
        here: &Range<usize>,
        (outputs, inputs): (usize, usize),
    ) -> Result<Packed> {
        let (form, count) = (self.plan.experts, here.len());
        let bias = bias.get(here.start * outputs..here.end * outputs).unwrap_or_default();
        let failed = |source| Error::device("uploading experts")(source);
        let floats = |len| DeviceBuffer::<bf16>::zeroed(&self.device, len).map_err(failed);
        let scales = |scales: &[u8]| DeviceBuffer::from_slice(&self.device, scales).map_err(failed);
        let by_input = match form {
            ExpertForm::Bf16 => matches!(matrix, ExpertMatrix::RowsIn(_)),
            ExpertForm::Int8 => false,
            ExpertForm::Int4 | ExpertForm::Mxfp4 => true,
        };
        let mut squares = Squares::default();
        let (weight, scale) = match form {
            ExpertForm::Bf16 => {
                let matrix = matrix.matrix();
                let rows = matrix.rows() / self.config.experts;
                let first = here.start * rows;
                let shape = (count * rows, matrix.cols());
                let place = |from: &[bf16], to: &mut [bf16]| to.copy_from_slice(from);
                (self.matrix(shape, |row| Some((0, first + row)), &[matrix], place)?, scales(&[])?)
            }
            ExpertForm::Int8 | ExpertForm::Int4 => {
                let (bytes, groups) = match form {
                    ExpertForm::Int8 => (outputs * inputs, 1),
                    _ => (outputs * inputs / 2, inputs / lowfloat::mxfp4::BLOCK),
                };
                let mut of_all = vec![bf16::ZERO; count * groups * outputs];
                let each = groups * outputs;
                let weight = self.uploading(|upload| {
                    upload.pieces(count * bytes, bytes, |expert, to| {
                        let exact = forms::exact(matrix, here.start + expert, (outputs, inputs))?;
                        let scales = &mut of_all[expert * each..(expert + 1) * each];
                        let of_expert = match form {
                            ExpertForm::Int8 => forms::int8(&exact, inputs, to, scales),
                            _ => forms::int4(&exact, (outputs, inputs), to, scales),
                        };
                        squares = squares.and(of_expert);
                        Ok(())
                    })
                })?;
                (weight, scales(bytemuck::cast_slice(&of_all))?)
            }
            ExpertForm::Mxfp4 => {
                let (bytes, each) = (outputs * inputs / 2, outputs * inputs / 32);
                let mut of_all = vec![0; count * each];
                let weight = self.uploading(|upload| {
                    upload.pieces(count * bytes, bytes, |expert, to| {
                        let scales = &mut of_all[expert * each..(expert + 1) * each];
                        let expert = here.start + expert;
                        forms::mxfp4(matrix.matrix(), expert, (outputs, inputs), to, scales);
                        Ok(())
                    })
                })?;
                (weight, scales(&of_all)?)
            }
        };
        let mut all = self.rounding.lock().unwrap_or_else(PoisonError::into_inner);
        *all = all.and(squares);
        Ok(Packed {
            form,
            count,
            outputs,
            inputs,
            by_input,
            weight,
            scale,
            offset: floats(if form == ExpertForm::Int8 { count * outputs } else { 0 })?,
            bias: DeviceBuffer::from_slice(&self.device, bias).map_err(failed)?,
        })
    }
}

/// A row as the device has numbers.
fn row_of(matrix: &Matrix<Bytes>, row: usize) -> Result<Vec<bf16>> {
    if let Some((lowfloat::DType::BF16, bytes)) = matrix.dense_row(row) {
        let halves = bytes.as_chunks::<HALF>().0;
        return Ok(halves.iter().map(|&half| bf16::from_le_bytes(half)).collect());
    }
    let mut wide = vec![0.0; matrix.cols()];
    matrix.decode_row(row, &mut wide)?;
    Ok(wide.into_iter().map(bf16::from_f32).collect())
}
