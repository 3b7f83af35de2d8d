//! The steps of the model as operators.

use std::sync::{Arc, MutexGuard, PoisonError};

use ascend_acl::op::{self, AddRmsNormOut, RotaryLayout, RotaryMode, Tensor};
use ascend_acl::rt::{DeviceBuffer, Reduction};
use half::bf16;
use moe_kernels::Experts;
use safeshards::Bytes;

use super::experts::{NpuExperts, NpuRouting, NpuScratch};
use super::inputs::NpuPass;
use super::plan::{Embed, InOne, Rotate};
use super::{Npu, NpuBuffer, NpuCache, NpuLinear, NpuVector};
use crate::backend::{Backend, Batch, Best, Capabilities};
use crate::weights::LinearWeights;
use crate::{Error, Precision, Result};

/// Names the step in the error.
pub(super) fn at<T>(step: &str, result: ascend_acl::Result<T>) -> Result<T> {
    result.map_err(Error::device(step))
}

impl Npu {
    /// Sums what all devices have, where there are others.
    pub(super) fn sum_over_devices(&self, y: &NpuBuffer) -> ascend_acl::Result<()> {
        let Some(comm) = &self.comm else { return Ok(()) };
        let part = y.data.slice(..y.rows * y.columns)?;
        comm.all_reduce(&self.stream, part, part, Reduction::Sum)
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

    fn results(&self) -> MutexGuard<'_, super::Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        self.fused(&weights)
    }

    fn upload_output(&self, weights: LinearWeights) -> Result<NpuLinear> {
        self.output(&weights)
    }

    fn upload_sinks(&self, values: Vec<f32>) -> Result<NpuVector> {
        let here = values.get(self.heads.queries()).unwrap_or_default();
        self.upload_vector(here.to_vec())
    }

    fn upload_experts(&self, experts: Experts<Bytes>) -> Result<NpuExperts> {
        self.experts_of(&experts)
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
        self.take_in(pass, batch, caches)
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
        for y in &mut y {
            y.rows = x.rows;
        }
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
        self.saved(cache, layer)
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
        self.restore(cache, layer, [keys, values], first, len)
    }
}
