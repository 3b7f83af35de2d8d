//! A backend that is watched.

use std::sync::Mutex;
use std::time::Instant;

use moe_engine::Result;
use moe_engine::backend::{Backend, Batch, Best, Capabilities};
use moe_engine::weights::LinearWeights;
use moe_kernels::Experts;
use safeshards::Bytes;

use super::StepKind;

/// A backend that takes the time of every step of another one.
///
/// Steps are timed from outside, one at a time, so an accelerator that returns before it has computed shows its times
/// where the next reading waits for it: in [`StepKind::Read`].
#[derive(Debug)]
pub struct Profiled<B> {
    inner: B,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    seconds: [f64; StepKind::ALL.len()],
    /// The step before: it tells products apart.
    last: Option<StepKind>,
    gathered: bool,
}

impl<B: Backend> Profiled<B> {
    /// Around this one.
    pub fn new(inner: B) -> Self {
        Self { inner, spent: Mutex::new(Spent::default()) }
    }

    /// The seconds of every kind of step since the last call, in the order of [`StepKind::ALL`].
    pub fn take(&self) -> [f64; StepKind::ALL.len()] {
        self.spent
            .lock()
            .map_or([0.0; StepKind::ALL.len()], |mut spent| std::mem::take(&mut spent.seconds))
    }

    fn timed<R>(&self, kind: StepKind, step: impl FnOnce(&B) -> R) -> R {
        let begin = Instant::now();
        let result = step(&self.inner);
        let seconds = begin.elapsed().as_secs_f64();
        if let Ok(mut spent) = self.spent.lock() {
            spent.add(kind, seconds);
        }
        result
    }

    /// Which product this is: of the head after rows were gathered, of the router after a norm, else the one after
    /// attention.
    fn product(&self) -> StepKind {
        self.spent.lock().map_or(StepKind::Output, |spent| match spent.last {
            Some(StepKind::Norm) if spent.gathered => StepKind::Head,
            Some(StepKind::Norm) => StepKind::Router,
            _ => StepKind::Output,
        })
    }

    fn gathered(&self, gathered: bool) {
        if let Ok(mut spent) = self.spent.lock() {
            spent.gathered = gathered;
        }
    }
}

impl Spent {
    fn add(&mut self, kind: StepKind, seconds: f64) {
        if let Some(sum) = self.seconds.get_mut(kind as usize) {
            *sum += seconds;
        }
        self.last = Some(kind);
    }
}

impl<B: Backend> Backend for Profiled<B> {
    type Vector = B::Vector;
    type Linear = B::Linear;
    type Qkv = B::Qkv;
    type Experts = B::Experts;
    type Buffer = B::Buffer;
    type Routing = B::Routing;
    type Scratch = B::Scratch;
    type Pass = B::Pass;
    type Cache = B::Cache;

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn weight_form(&self) -> &'static str {
        self.inner.weight_form()
    }

    fn is_queued(&self) -> bool {
        self.inner.is_queued()
    }

    fn memory_used(&self) -> Option<u64> {
        self.inner.memory_used()
    }

    fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.inner.run(work)
    }

    fn upload_vector(&self, values: Vec<f32>) -> Result<Self::Vector> {
        self.inner.upload_vector(values)
    }

    fn upload_sinks(&self, values: Vec<f32>) -> Result<Self::Vector> {
        self.inner.upload_sinks(values)
    }

    fn upload_linear(&self, weights: LinearWeights) -> Result<Self::Linear> {
        self.inner.upload_linear(weights)
    }

    fn upload_qkv(&self, weights: [LinearWeights; 3]) -> Result<Self::Qkv> {
        self.inner.upload_qkv(weights)
    }

    fn upload_output(&self, weights: LinearWeights) -> Result<Self::Linear> {
        self.inner.upload_output(weights)
    }

    fn upload_experts(&self, experts: Experts<Bytes>) -> Result<Self::Experts> {
        self.inner.upload_experts(experts)
    }

    fn linear_bytes(&self, weights: &Self::Linear) -> u64 {
        self.inner.linear_bytes(weights)
    }

    fn qkv_bytes(&self, weights: &Self::Qkv) -> u64 {
        self.inner.qkv_bytes(weights)
    }

    fn expert_bytes(&self, experts: &Self::Experts) -> u64 {
        self.inner.expert_bytes(experts)
    }

    fn buffer(&self, columns: usize, most: usize) -> Result<Self::Buffer> {
        self.inner.buffer(columns, most)
    }

    fn qkv_buffers(&self, most: usize) -> Result<[Self::Buffer; 3]> {
        self.inner.qkv_buffers(most)
    }

    fn routing(&self, most: usize) -> Result<Self::Routing> {
        self.inner.routing(most)
    }

    fn scratch(&self, most: usize) -> Result<Self::Scratch> {
        self.inner.scratch(most)
    }

    fn pass(&self, most: usize) -> Result<Self::Pass> {
        self.inner.pass(most)
    }

    fn cache(&self) -> Result<Self::Cache> {
        self.inner.cache()
    }

    fn begin(
        &self,
        pass: &mut Self::Pass,
        batch: &Batch<'_>,
        caches: &mut [&mut Self::Cache],
    ) -> Result<()> {
        self.gathered(false);
        // Watched, so that every step is one that can be timed.
        let mut batch = *batch;
        batch.watched = true;
        self.timed(StepKind::Cache, |inner| inner.begin(pass, &batch, caches))
    }

    fn through(
        &self,
        pass: &mut Self::Pass,
        steps: impl FnMut(&mut Self::Pass) -> Result<()>,
    ) -> Result<()> {
        self.inner.through(pass, steps)
    }

    fn embed(
        &self,
        pass: &mut Self::Pass,
        table: &Self::Linear,
        x: &mut Self::Buffer,
    ) -> Result<()> {
        self.timed(StepKind::Embed, |inner| inner.embed(pass, table, x))
    }

    fn rms_norm(
        &self,
        x: &Self::Buffer,
        weight: &Self::Vector,
        y: &mut Self::Buffer,
    ) -> Result<()> {
        self.timed(StepKind::Norm, |inner| inner.rms_norm(x, weight, y))
    }

    fn add_rms_norm(
        &self,
        x: &mut Self::Buffer,
        update: &Self::Buffer,
        weight: &Self::Vector,
        y: &mut Self::Buffer,
    ) -> Result<()> {
        self.timed(StepKind::Norm, |inner| inner.add_rms_norm(x, update, weight, y))
    }

    fn linear(&self, x: &Self::Buffer, weights: &Self::Linear, y: &mut Self::Buffer) -> Result<()> {
        self.timed(self.product(), |inner| inner.linear(x, weights, y))
    }

    fn qkv(&self, x: &Self::Buffer, weights: &Self::Qkv, y: [&mut Self::Buffer; 3]) -> Result<()> {
        self.timed(StepKind::Qkv, |inner| inner.qkv(x, weights, y))
    }

    fn rope(
        &self,
        pass: &mut Self::Pass,
        queries: &mut Self::Buffer,
        keys: &mut Self::Buffer,
    ) -> Result<()> {
        self.timed(StepKind::Rope, |inner| inner.rope(pass, queries, keys))
    }

    fn attention(
        &self,
        pass: &mut Self::Pass,
        layer: usize,
        qkv: [&Self::Buffer; 3],
        caches: &mut [&mut Self::Cache],
        sinks: &Self::Vector,
        y: &mut Self::Buffer,
    ) -> Result<()> {
        self.timed(StepKind::Attention, |inner| inner.attention(pass, layer, qkv, caches, sinks, y))
    }

    fn route(
        &self,
        pass: &mut Self::Pass,
        logits: &Self::Buffer,
        count: usize,
        routing: &mut Self::Routing,
    ) -> Result<()> {
        self.timed(StepKind::Router, |inner| inner.route(pass, logits, count, routing))
    }

    fn moe_ffn(
        &self,
        x: &Self::Buffer,
        experts: &Self::Experts,
        routing: &Self::Routing,
        scratch: &mut Self::Scratch,
        y: &mut Self::Buffer,
    ) -> Result<()> {
        self.timed(StepKind::Experts, |inner| inner.moe_ffn(x, experts, routing, scratch, y))
    }

    fn add(&self, x: &mut Self::Buffer, y: &Self::Buffer) -> Result<()> {
        self.timed(StepKind::Add, |inner| inner.add(x, y))
    }

    fn gather(
        &self,
        pass: &mut Self::Pass,
        x: &Self::Buffer,
        rows: &[usize],
        y: &mut Self::Buffer,
    ) -> Result<()> {
        self.gathered(true);
        self.timed(StepKind::Head, |inner| inner.gather(pass, x, rows, y))
    }

    fn read(&self, buffer: &Self::Buffer) -> Result<Vec<f32>> {
        self.timed(StepKind::Read, |inner| inner.read(buffer))
    }

    fn best(&self, logits: &Self::Buffer, count: usize, below: usize) -> Result<Vec<Best>> {
        self.timed(StepKind::Read, |inner| inner.best(logits, count, below))
    }

    fn first_not_finite(&self, buffer: &Self::Buffer) -> Result<Option<(usize, f32)>> {
        self.timed(StepKind::Read, |inner| inner.first_not_finite(buffer))
    }

    fn read_routing(&self, routing: &Self::Routing) -> Result<(Vec<u32>, Vec<f32>)> {
        self.inner.read_routing(routing)
    }

    fn experts_chosen(&self, pass: &Self::Pass, layer: usize) -> usize {
        self.inner.experts_chosen(pass, layer)
    }

    fn cache_len(&self, cache: &Self::Cache) -> usize {
        self.inner.cache_len(cache)
    }

    fn cache_bytes(&self, cache: &Self::Cache) -> u64 {
        self.inner.cache_bytes(cache)
    }

    fn truncate(&self, cache: &mut Self::Cache, len: usize) -> Result<bool> {
        self.inner.truncate(cache, len)
    }

    fn export(&self, cache: &Self::Cache, layer: usize) -> Result<(Vec<u8>, Vec<u8>, usize)> {
        self.inner.export(cache, layer)
    }

    fn import(
        &self,
        cache: &mut Self::Cache,
        layer: usize,
        keys: &[u8],
        values: &[u8],
        first: usize,
        len: usize,
    ) -> Result<bool> {
        self.inner.import(cache, layer, keys, values, first, len)
    }
}
