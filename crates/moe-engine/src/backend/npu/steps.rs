//! The steps of the model as operators.

use std::sync::{Arc, MutexGuard, PoisonError};

use ascend_acl::op::{self, AddRmsNormOut, RotaryLayout, RotaryMode, Tensor};
use ascend_acl::rt::{DeviceBuffer, Reduction};
use half::bf16;
use moe_kernels::{ExpertMatrix, Experts, Matrix};
use safeshards::Bytes;

use super::capture::{Recorded, filled_up, widened};
use super::experts::{NpuExperts, NpuRouting, NpuScratch};
use super::forms::{self, ExpertForm, Packed, Squares};
use super::inputs::{GraphKey, Lengths, NpuPass};
use super::plan::{Embed, InOne, Rotate};
use super::upload::Upload;
use super::{Npu, NpuBuffer, NpuCache, NpuLinear, NpuVector};
use crate::backend::{Backend, Batch, Best, Capabilities};
use crate::weights::LinearWeights;
use crate::{Error, LayerKind, Precision, Result};

/// Bytes of a number of the device.
const HALF: usize = size_of::<bf16>();

/// Names the step in the error.
fn at<T>(step: &str, result: ascend_acl::Result<T>) -> Result<T> {
    result.map_err(Error::device(step))
}

impl Npu {
    /// Sums what all devices have, where there are others.
    pub(super) fn sum_over_devices(&self, y: &NpuBuffer) -> ascend_acl::Result<()> {
        let Some(comm) = &self.comm else { return Ok(()) };
        let part = y.data.slice(..y.rows * y.columns)?;
        comm.all_reduce(&self.stream, part, part, Reduction::Sum)
    }

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
    fn uploaded(&self) -> Result<()> {
        let mut upload = self.upload.lock().unwrap_or_else(PoisonError::into_inner);
        upload.take().map_or(Ok(()), |upload| at("uploading weights", upload.finish()))
    }

    fn narrow(&self, values: &[f32]) -> Result<DeviceBuffer<bf16>> {
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

    fn linear_of(&self, weights: &LinearWeights) -> Result<NpuLinear> {
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

    /// `y = x · weightᵀ + bias`.
    fn product(
        &self,
        x: &Tensor<'_>,
        weights: &NpuLinear,
        y: &Tensor<'_>,
    ) -> ascend_acl::Result<()> {
        let weight = weights.table()?.t()?;
        match &weights.bias {
            None => op::mm(&self.stream, x, &weight, y),
            Some(bias) => {
                let bias = bias.tensor(&[weights.outputs])?;
                if self.ways.product == InOne::Yes {
                    return op::addmm(&self.stream, &bias, x, &weight, y);
                }
                op::mm(&self.stream, x, &weight, y)?;
                op::add_in_place(&self.stream, y, &bias)
            }
        }
    }

    fn embed_rows(
        &self,
        pass: &NpuPass,
        table: &NpuLinear,
        x: &NpuBuffer,
    ) -> ascend_acl::Result<()> {
        let (stream, inputs) = (&self.stream, pass.inputs());
        let (tokens, positions) = (inputs.tokens()?, inputs.positions()?);
        let (out, table) = (x.tensor()?, table.table()?);
        match self.ways.embed {
            Embed::Embedding => op::embedding(stream, &table, &tokens, &out)?,
            Embed::IndexSelect => op::index_select(stream, &table, 0, &tokens, &out)?,
            Embed::Gather => op::gather(stream, &table, 0, &tokens, &out)?,
        }
        let size = self.heads.size;
        let angles = [(&self.constants.cos, &pass.cos), (&self.constants.sin, &pass.sin)];
        for (all, here) in angles {
            let all = all.tensor(&[all.len() / size, size])?;
            let here = here.tensor(&[inputs.rows(), size])?;
            op::index_select(stream, &all, 0, &positions, &here)?;
        }
        Ok(())
    }

    fn rotate_rows(
        &self,
        pass: &NpuPass,
        queries: &NpuBuffer,
        keys: &NpuBuffer,
    ) -> ascend_acl::Result<()> {
        let (stream, size) = (&self.stream, self.heads.size);
        let shape = [pass.inputs().rows(), 1, size];
        let (cos, sin) = (pass.cos.tensor(&shape)?, pass.sin.tensor(&shape)?);
        let (queries, keys) = (queries.heads(size)?, keys.heads(size)?);
        match self.ways.rotate {
            Rotate::Pair => op::rotate_pair(stream, &queries, &keys, &cos, &sin, RotaryLayout::Tnd),
            Rotate::Each => [queries, keys].iter().try_for_each(|x| {
                // Of four axes, as the operator's documentation has them.
                let [x, cos, sin] = [*x, cos, sin].map(|tensor| tensor.unsqueeze(0));
                let x = x?;
                op::rotate(stream, &x, &cos?, &sin?, RotaryMode::Half, &x)
            }),
        }
    }

    fn packed(
        &self,
        matrix: &ExpertMatrix<Bytes>,
        bias: &[f32],
        here: &std::ops::Range<usize>,
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

    /// The experts of this rank.
    fn here(&self) -> std::ops::Range<usize> {
        let all = self.config.experts;
        let (rank, ranks) =
            self.comm.as_ref().map_or((0, 1), |comm| (comm.rank() as usize, comm.size() as usize));
        rank * all / ranks..(rank + 1) * all / ranks
    }

    /// A session is saved whole.
    fn has_all_heads(&self) -> Result<()> {
        if self.heads.heads == self.config.heads {
            return Ok(());
        }
        let reason = "keys and values are shared by several devices: none has a whole session";
        Err(Error::Session { reason: reason.to_owned() })
    }

    fn results(&self) -> MutexGuard<'_, super::Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Backend for Npu {
    type Vector = NpuVector;
    type Linear = NpuLinear;
    type Qkv = NpuLinear;
    type Experts = NpuExperts;
    type Buffer = NpuBuffer;
    type Routing = NpuRouting;
    type Scratch = NpuScratch;
    type Pass = NpuPass;
    type Cache = NpuCache;

    fn capabilities(&self) -> Capabilities {
        let Self { plan, device, .. } = self;
        let chip = if device.ascend().is_simulated() { "simulated " } else { "" };
        let device =
            format!("npu:{}, {chip}{}, experts in {}", device.id(), plan.soc, plan.experts);
        Capabilities { device, precision: Precision::Bf16, threads: 1 }
    }

    fn weight_form(&self) -> &'static str {
        if self.plan.experts.is_exact() { "" } else { self.plan.experts.name() }
    }

    fn is_queued(&self) -> bool {
        true
    }

    fn memory_used(&self) -> Option<u64> {
        let memory = self.device.memory().ok()?;
        Some(memory.total.saturating_sub(memory.free) as u64)
    }

    fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    fn upload_vector(&self, values: Vec<f32>) -> Result<NpuVector> {
        let wide = at("uploading weights", DeviceBuffer::from_slice(&self.device, &values))?;
        Ok(NpuVector { narrow: Arc::new(self.narrow(&values)?), wide: Arc::new(wide) })
    }

    fn upload_linear(&self, weights: LinearWeights) -> Result<NpuLinear> {
        self.linear_of(&weights)
    }

    fn upload_qkv(&self, weights: [LinearWeights; 3]) -> Result<NpuLinear> {
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

    fn upload_output(&self, weights: LinearWeights) -> Result<NpuLinear> {
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

    fn upload_sinks(&self, values: Vec<f32>) -> Result<NpuVector> {
        let here = values.get(self.heads.queries()).unwrap_or_default();
        self.upload_vector(here.to_vec())
    }

    fn upload_experts(&self, experts: Experts<Bytes>) -> Result<NpuExperts> {
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

    fn linear_bytes(&self, weights: &NpuLinear) -> u64 {
        weights.bytes()
    }

    fn qkv_bytes(&self, weights: &NpuLinear) -> u64 {
        weights.bytes()
    }

    fn expert_bytes(&self, experts: &NpuExperts) -> u64 {
        (experts.gate_up.bytes() + experts.down.bytes()) / experts.here.len().max(1) as u64
    }

    fn buffer(&self, columns: usize, most: usize) -> Result<NpuBuffer> {
        let data = at("making room", DeviceBuffer::new(&self.device, columns * most))?;
        Ok(NpuBuffer { data: Arc::new(data), columns, rows: 0 })
    }

    fn qkv_buffers(&self, most: usize) -> Result<[NpuBuffer; 3]> {
        let [query, kv] = [self.heads.query_width(), self.heads.kv_width()];
        Ok([self.buffer(query, most)?, self.buffer(kv, most)?, self.buffer(kv, most)?])
    }

    fn routing(&self, most: usize) -> Result<NpuRouting> {
        let chosen = self.config.experts_per_token;
        at("making room", NpuRouting::new(&self.device, most, chosen))
    }

    fn scratch(&self, most: usize) -> Result<NpuScratch> {
        at("making room", NpuScratch::new(self, most))
    }

    fn pass(&self, most: usize) -> Result<NpuPass> {
        at("making room", NpuPass::new(self, most))
    }

    fn cache(&self) -> Result<NpuCache> {
        Ok(NpuCache::default())
    }

    fn begin(
        &self,
        pass: &mut NpuPass,
        batch: &Batch<'_>,
        caches: &mut [&mut NpuCache],
    ) -> Result<()> {
        self.uploaded()?;
        let counts: Vec<_> = batch.sequences.iter().map(std::ops::Range::len).collect();
        self.pools.grow(&self.stream, caches, &counts)?;
        let most = |kind| caches.iter().map(|cache| cache.table(kind).len()).max().unwrap_or(1);
        let mut blocks = [LayerKind::Full, LayerKind::Sliding].map(most);
        let mut rows = batch.tokens.len();
        let decodes = counts.iter().all(|&count| count == 1);
        let filled = filled_up(counts.len());
        pass.key = None;
        if self.graphs && decodes && !batch.watched && filled <= self.rows {
            rows = filled;
            let kinds = [LayerKind::Full, LayerKind::Sliding].map(|kind| self.pools.blocks(kind));
            blocks = [widened(blocks[0], kinds[0]), widened(blocks[1], kinds[1])];
            pass.key = Some(GraphKey { sequences: filled, blocks });
        }
        pass.lengths = Lengths::of(batch, caches, rows - batch.tokens.len());
        pass.rows = rows;
        let inputs = match pass.key {
            None => &mut pass.eager,
            Some(key) => {
                if !pass.graphs.contains_key(&key) {
                    let recorded = at("making room", Recorded::new(&self.device))?;
                    pass.graphs.insert(key, recorded);
                }
                match pass.graphs.get_mut(&key) {
                    Some(recorded) => &mut recorded.inputs,
                    None => &mut pass.eager,
                }
            }
        };
        let sent = inputs.send_batch(&self.stream, batch, caches, rows, blocks);
        at("sending a batch", sent)?;
        self.pools.give_up(caches);
        Ok(())
    }

    fn through(
        &self,
        pass: &mut NpuPass,
        steps: impl FnMut(&mut NpuPass) -> Result<()>,
    ) -> Result<()> {
        self.run_steps(pass, steps)
    }

    fn embed(&self, pass: &mut NpuPass, table: &NpuLinear, x: &mut NpuBuffer) -> Result<()> {
        x.rows = pass.rows;
        at("embedding", self.embed_rows(pass, table, x))
    }

    fn rms_norm(&self, x: &NpuBuffer, weight: &NpuVector, y: &mut NpuBuffer) -> Result<()> {
        y.rows = x.rows;
        let normed = || {
            let rstd = self.constants.rstd.tensor(&[x.rows, 1])?;
            let (x, y) = (x.tensor()?, y.tensor()?);
            let weight = weight.narrow.tensor(&[weight.narrow.len()])?;
            let eps = f64::from(self.config.rms_norm_eps);
            op::rms_norm(&self.stream, &x, &weight, eps, &y, &rstd)
        };
        at("norm", normed())
    }

    fn add_rms_norm(
        &self,
        x: &mut NpuBuffer,
        update: &NpuBuffer,
        weight: &NpuVector,
        y: &mut NpuBuffer,
    ) -> Result<()> {
        if self.ways.add_norm == InOne::No {
            self.add(x, update)?;
            return self.rms_norm(x, weight, y);
        }
        y.rows = x.rows;
        let normed = || {
            let rstd = self.constants.rstd.tensor(&[x.rows, 1])?;
            let (x, update, y) = (x.tensor()?, update.tensor()?, y.tensor()?);
            let weight = weight.narrow.tensor(&[weight.narrow.len()])?;
            let eps = f64::from(self.config.rms_norm_eps);
            let out = AddRmsNormOut { y: &y, rstd: &rstd, sum: &x };
            op::add_rms_norm(&self.stream, &x, &update, &weight, eps, out)
        };
        at("norm with residual", normed())
    }

    fn linear(&self, x: &NpuBuffer, weights: &NpuLinear, y: &mut NpuBuffer) -> Result<()> {
        y.rows = x.rows;
        let product = || {
            self.product(&x.tensor()?, weights, &y.tensor()?)?;
            if weights.is_part { self.sum_over_devices(y) } else { Ok(()) }
        };
        at("product", product())
    }

    fn qkv(&self, x: &NpuBuffer, weights: &NpuLinear, mut y: [&mut NpuBuffer; 3]) -> Result<()> {
        y.iter_mut().for_each(|y| y.rows = x.rows);
        let product = || {
            let fused = self.constants.fused.tensor(&[x.rows, weights.outputs])?;
            self.product(&x.tensor()?, weights, &fused)?;
            let [query, key, value] = &y;
            let parts = [query.tensor()?, key.tensor()?, value.tensor()?];
            op::split(&self.stream, &fused, 1, &parts.each_ref())
        };
        at("queries, keys and values", product())
    }

    fn rope(
        &self,
        pass: &mut NpuPass,
        queries: &mut NpuBuffer,
        keys: &mut NpuBuffer,
    ) -> Result<()> {
        at("rotary positions", self.rotate_rows(pass, queries, keys))
    }

    fn attention(
        &self,
        pass: &mut NpuPass,
        layer: usize,
        qkv: [&NpuBuffer; 3],
        _: &mut [&mut NpuCache],
        sinks: &NpuVector,
        y: &mut NpuBuffer,
    ) -> Result<()> {
        y.rows = qkv[0].rows;
        let attended = self.attention_of(pass, layer, qkv, sinks, y);
        attended.map_err(|source| Error::device(&format!("attention of layer {layer}"))(source))
    }

    fn route(
        &self,
        _: &mut NpuPass,
        logits: &NpuBuffer,
        _: usize,
        routing: &mut NpuRouting,
    ) -> Result<()> {
        at("choice of experts", self.choose(logits, routing))
    }

    fn moe_ffn(
        &self,
        x: &NpuBuffer,
        experts: &NpuExperts,
        routing: &NpuRouting,
        scratch: &mut NpuScratch,
        y: &mut NpuBuffer,
    ) -> Result<()> {
        y.rows = x.rows;
        at("experts", self.feed_forward(x, experts, routing, scratch, y))
    }

    fn add(&self, x: &mut NpuBuffer, y: &NpuBuffer) -> Result<()> {
        let add = || op::add_in_place(&self.stream, &x.tensor()?, &y.tensor()?);
        at("residual", add())
    }

    fn gather(
        &self,
        pass: &mut NpuPass,
        x: &NpuBuffer,
        rows: &[usize],
        y: &mut NpuBuffer,
    ) -> Result<()> {
        y.rows = rows.len();
        let (first, count) = (rows.first().copied().unwrap_or(0), rows.len());
        let in_order = rows.iter().copied().eq(first..first + count);
        let mut gather = || {
            // Rows of a replay are not those that the buffer remembers.
            let x = x.first(pass.rows)?;
            let y = y.tensor()?;
            if in_order {
                return op::copy(&self.stream, &x.slice(0, first..first + count)?, &y);
            }
            pass.chosen.send_rows(&self.stream, rows)?;
            op::index_select(&self.stream, &x, 0, &pass.chosen.tokens()?, &y)
        };
        at("rows of logits", gather())
    }

    fn read(&self, buffer: &NpuBuffer) -> Result<Vec<f32>> {
        let part = buffer.data.slice(..buffer.rows * buffer.columns);
        let values = part.and_then(|part| part.to_vec());
        Ok(at("reading results", values)?.into_iter().map(bf16::to_f32).collect())
    }

    fn best(&self, logits: &NpuBuffer, count: usize, below: usize) -> Result<Vec<Best>> {
        let best = self.greatest(&mut self.results(), logits, count, below);
        at("the greatest logits", best)
    }

    fn first_not_finite(&self, buffer: &NpuBuffer) -> Result<Option<(usize, f32)>> {
        let values = self.read(buffer)?;
        let mut wrong = values.iter().enumerate().filter(|(_, value)| !value.is_finite());
        Ok(wrong.next().map(|(at, &value)| (at / buffer.columns.max(1), value)))
    }

    fn read_routing(&self, routing: &NpuRouting) -> Result<(Vec<u32>, Vec<f32>)> {
        let all = routing.rows * routing.chosen;
        let read = || {
            let experts = routing.experts.slice(..all)?.to_vec()?;
            Ok((experts, routing.weights.slice(..all)?.to_vec()?))
        };
        let (experts, weights) = at("reading the choice of experts", read())?;
        let experts = experts.into_iter().map(i32::cast_unsigned).collect();
        Ok((experts, weights.into_iter().map(bf16::to_f32).collect()))
    }

    /// At most what all rows chose, and at most all.
    fn experts_chosen(&self, pass: &NpuPass, _: usize) -> usize {
        (pass.rows * self.config.experts_per_token).min(self.here().len())
    }

    fn cache_len(&self, cache: &NpuCache) -> usize {
        cache.len
    }

    fn cache_bytes(&self, cache: &NpuCache) -> u64 {
        self.pools.bytes(cache)
    }

    fn truncate(&self, cache: &mut NpuCache, len: usize) -> Result<bool> {
        Ok(self.pools.truncate(cache, len))
    }

    fn export(&self, cache: &NpuCache, layer: usize) -> Result<(Vec<u8>, Vec<u8>, usize)> {
        self.has_all_heads()?;
        let both = at("reading the cache", self.pools.read(cache, layer))?;
        let [keys, values] = both.map(|rows| {
            let rows = rows.chunks(self.heads.kv_width());
            let rows = rows.flat_map(|row| self.heads.gathered(row));
            rows.flat_map(bf16::to_le_bytes).collect::<Vec<u8>>()
        });
        let first = self.pools.layer(layer).map_or(0, |layer| cache.table(layer.kind).first());
        Ok((keys, values, first))
    }

    fn import(
        &self,
        cache: &mut NpuCache,
        layer: usize,
        keys: &[u8],
        values: &[u8],
        first: usize,
        len: usize,
    ) -> Result<bool> {
        self.has_all_heads()?;
        let Some(kind) = self.pools.layer(layer).map(|layer| layer.kind) else { return Ok(false) };
        let row = self.heads.heads.kv * self.heads.heads.dim;
        let whole = len.checked_sub(first).and_then(|rows| rows.checked_mul(row * HALF));
        let needed = match kind {
            LayerKind::Full => 0,
            LayerKind::Sliding => (len + 1).saturating_sub(self.config.sliding_window),
        };
        if whole != Some(keys.len()) || whole != Some(values.len()) || first > needed {
            return Ok(false);
        }
        self.pools.reserve(cache, kind, first, len)?;
        if cache.table(kind).first() != first && len > first {
            return Ok(false);
        }
        cache.len = len;
        let width = self.heads.kv_width();
        let spread = |bytes: &[u8]| {
            let halves = bytes.as_chunks::<HALF>().0.iter();
            let rows: Vec<_> = halves.map(|&half| bf16::from_le_bytes(half)).collect();
            let mut there = vec![bf16::ZERO; (len - first) * width];
            for (from, to) in rows.chunks(row).zip(there.chunks_mut(width)) {
                self.heads.spread(from, to);
            }
            there
        };
        let both = [spread(keys), spread(values)];
        at("filling the cache", self.pools.write(cache, layer, [&both[0], &both[1]]))?;
        Ok(true)
    }
}
