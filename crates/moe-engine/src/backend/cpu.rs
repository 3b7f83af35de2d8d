//! The processor.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use half::{bf16, f16};
use moe_kernels::{
    self as kernels, Attention, Experts, ExpertsScratch, Heads, Matrix, Repack, Rope, Rounding,
    Routing,
};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, Slice};
use rayon::{ThreadPool, ThreadPoolBuilder};
use safeshards::Bytes;

use super::{Backend, Batch, Best, Capabilities};
use crate::cache::Pages;
use crate::weights::LinearWeights;
use crate::{Config, Error, Precision, Result};

/// The same with pages of any type.
macro_rules! each {
    ($store:expr, $pages:ident => $result:expr) => {
        match $store {
            Store::F32($pages) => $result,
            Store::Bf16($pages) => $result,
            Store::F16($pages) => $result,
        }
    };
}

/// Computes on the processor's cores, over the weights where they are mapped.
#[derive(Clone, Debug)]
pub struct Cpu {
    pool: Arc<ThreadPool>,
    precision: Precision,
    dense: Option<Repack>,
    heads: Heads,
    rope: Arc<Rope>,
    eps: f32,
    /// The keys that each layer sees.
    windows: Arc<[Option<usize>]>,
}

impl Cpu {
    /// A backend for models of this configuration; `threads` is the number of cores if `None`.
    ///
    /// # Errors
    /// [`Error::Option`] when the threads cannot be started.
    pub fn new(config: &Config, precision: Precision, threads: Option<usize>) -> Result<Self> {
        let wrong = |reason: String| Error::Option { option: "threads", reason };
        if threads == Some(0) {
            return Err(wrong("is 0, expected at least one".to_owned()));
        }
        let pool = ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
        let pool = pool.thread_name(|index| format!("moe-{index}")).build();
        Ok(Self {
            pool: Arc::new(pool.map_err(|error| wrong(error.to_string()))?),
            precision,
            dense: None,
            heads: config.heads,
            rope: Arc::new(Rope::new(&config.rope)?),
            eps: config.rms_norm_eps,
            windows: (0..config.layers.len()).map(|layer| config.window(layer)).collect(),
        })
    }

    /// Holds dense matrices in another form, each from its first use on: in anonymous memory, three quarters
    /// or a half of what they take in bf16. Matrices of fewer than 512 rows, the routers among them, and such
    /// as the form does not suit stay as they are.
    #[must_use]
    pub fn with_dense(mut self, dense: Option<Repack>) -> Self {
        self.dense = dense;
        self
    }

    /// Attention of these rows over what a layer has kept, whose last positions are theirs; afterwards the layer gives up
    /// what no later position sees.
    fn attend(
        &self,
        queries: &CpuBuffer,
        rows: Range<usize>,
        store: &mut Store,
        sinks: &[f32],
        y: &mut CpuBuffer,
    ) -> Result<()> {
        let mut out = y.values.slice_axis_mut(Axis(0), Slice::from(rows.clone()));
        each!(store, pages => {
            let attention = Attention {
                heads: self.heads,
                scale: 1.0 / (self.heads.dim as f32).sqrt(),
                sinks,
                window: pages.window(),
                rounding: self.rounding(),
            };
            let first = pages.len() - rows.len();
            let (spans, first_key) = pages.spans(pages.first_needed(first));
            attention.attend(queries.rows(rows), first, &spans, first_key, out.view_mut())?;
            drop(spans);
            pages.give_up();
        });
        Ok(())
    }

    /// Where the kernels round; [`Rounding`] says what each of them does.
    fn rounding(&self) -> Rounding {
        match self.precision {
            Precision::F32 => Rounding::None,
            Precision::Bf16 => Rounding::Bf16,
            Precision::F16 => Rounding::F16,
        }
    }
}

/// A matrix that may get another form.
#[derive(Debug)]
pub struct CpuLinear {
    stored: LinearWeights,
    repacked: OnceLock<Option<Matrix<Bytes>>>,
}

/// Rows of a matrix that is worth to repack. Routers have fewer, one for each expert: they are small, and
/// what they decide should not depend on the form.
pub(crate) const MANY_ROWS: usize = 512;

impl CpuLinear {
    /// The weights in the form that products are made with, once there is one.
    fn current(&self) -> &Matrix<Bytes> {
        self.repacked.get().and_then(Option::as_ref).unwrap_or(&self.stored.weight)
    }

    /// The weights in the form that products are made with.
    fn in_form(&self, dense: Option<Repack>) -> Result<&Matrix<Bytes>> {
        if let Some(repack) = dense
            && self.repacked.get().is_none()
            && self.stored.weight.rows() >= MANY_ROWS
        {
            let repacked = self.stored.weight.repacked(repack)?;
            // Another thread may have been first; its result is the same.
            let _ = self.repacked.set(repacked.map(|matrix| matrix.map(Bytes::from)));
        }
        Ok(self.current())
    }
}

/// Rows of f32; the array may have more rows than are in use.
#[derive(Debug)]
pub struct CpuBuffer {
    values: Array2<f32>,
    rows: usize,
}

impl CpuBuffer {
    fn view(&self) -> ArrayView2<'_, f32> {
        self.values.slice_axis(Axis(0), Slice::from(..self.rows))
    }

    fn view_mut(&mut self) -> ArrayViewMut2<'_, f32> {
        self.values.slice_axis_mut(Axis(0), Slice::from(..self.rows))
    }

    fn rows(&self, rows: Range<usize>) -> ArrayView2<'_, f32> {
        self.values.slice_axis(Axis(0), Slice::from(rows))
    }

    fn set_rows(&mut self, rows: usize) {
        let columns = self.values.ncols();
        if self.values.nrows() < rows {
            self.values = Array2::zeros((rows, columns));
        }
        self.rows = rows;
    }
}

/// A batch on its way.
#[derive(Debug, Default)]
pub struct CpuPass {
    tokens: Vec<u32>,
    positions: Vec<usize>,
    sequences: Vec<Range<usize>>,
    /// Experts that each layer so far has chosen.
    chosen: Vec<usize>,
}

/// Keys and values of one sequence, layer after layer, in the type that goes with the precision.
#[derive(Clone, Debug)]
pub struct CpuCache(Vec<Store>);

#[derive(Clone, Debug)]
enum Store {
    F32(Pages<f32>),
    Bf16(Pages<bf16>),
    F16(Pages<f16>),
}

impl Backend for Cpu {
    type Vector = Vec<f32>;
    type Linear = CpuLinear;
    type Qkv = [CpuLinear; 3];
    type Experts = Experts<Bytes>;
    type Buffer = CpuBuffer;
    type Routing = Routing;
    type Scratch = ExpertsScratch;
    type Pass = CpuPass;
    type Cache = CpuCache;

    fn capabilities(&self) -> Capabilities {
        let threads = self.pool.current_num_threads();
        let level = kernels::arch::Level::current().name();
        let device = format!("cpu, {threads} threads, {level}");
        Capabilities { device, precision: self.precision, threads }
    }

    fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    fn upload_vector(&self, values: Vec<f32>) -> Result<Vec<f32>> {
        Ok(values)
    }

    fn upload_linear(&self, weights: LinearWeights) -> Result<CpuLinear> {
        Ok(CpuLinear { stored: weights, repacked: OnceLock::new() })
    }

    fn upload_qkv(&self, weights: [LinearWeights; 3]) -> Result<[CpuLinear; 3]> {
        Ok(weights.map(|stored| CpuLinear { stored, repacked: OnceLock::new() }))
    }

    fn upload_experts(&self, experts: Experts<Bytes>) -> Result<Experts<Bytes>> {
        Ok(experts)
    }

    fn linear_bytes(&self, weights: &CpuLinear) -> u64 {
        let bias = weights.stored.bias.as_ref().map_or(0, |bias| size_of_val(bias.as_slice()));
        (weights.current().byte_len() + bias) as u64
    }

    fn qkv_bytes(&self, weights: &[CpuLinear; 3]) -> u64 {
        weights.iter().map(|weights| self.linear_bytes(weights)).sum()
    }

    fn expert_bytes(&self, experts: &Experts<Bytes>) -> u64 {
        (experts.byte_len() / experts.count().max(1)) as u64
    }

    fn buffer(&self, columns: usize, _: usize) -> Result<CpuBuffer> {
        Ok(CpuBuffer { values: Array2::zeros((0, columns)), rows: 0 })
    }

    fn qkv_buffers(&self, most: usize) -> Result<[CpuBuffer; 3]> {
        let Heads { query, kv, dim } = self.heads;
        let [query, kv] = [query, kv].map(|heads| heads * dim);
        Ok([self.buffer(query, most)?, self.buffer(kv, most)?, self.buffer(kv, most)?])
    }

    fn routing(&self, _: usize) -> Result<Routing> {
        Ok(Routing { experts: Array2::zeros((0, 0)), weights: Array2::zeros((0, 0)) })
    }

    fn scratch(&self, _: usize) -> Result<ExpertsScratch> {
        Ok(ExpertsScratch::default())
    }

    fn pass(&self, _: usize) -> Result<CpuPass> {
        Ok(CpuPass::default())
    }

    fn cache(&self) -> Result<CpuCache> {
        let Heads { kv, dim, .. } = self.heads;
        let stores = self.windows.iter().map(|&window| match self.precision {
            Precision::F32 => Store::F32(Pages::new(window, kv, dim)),
            Precision::Bf16 => Store::Bf16(Pages::new(window, kv, dim)),
            Precision::F16 => Store::F16(Pages::new(window, kv, dim)),
        });
        Ok(CpuCache(stores.collect()))
    }

    fn begin(&self, pass: &mut CpuPass, batch: &Batch<'_>, _: &mut [&mut CpuCache]) -> Result<()> {
        let CpuPass { tokens, positions, sequences, chosen } = pass;
        batch.tokens.clone_into(tokens);
        batch.positions.clone_into(positions);
        batch.sequences.clone_into(sequences);
        chosen.clear();
        Ok(())
    }

    fn embed(&self, pass: &mut CpuPass, table: &CpuLinear, x: &mut CpuBuffer) -> Result<()> {
        x.set_rows(pass.tokens.len());
        for (mut row, &token) in x.view_mut().outer_iter_mut().zip(&pass.tokens) {
            let Some(row) = row.as_slice_mut() else { continue };
            table.stored.weight.decode_row(token as usize, row)?;
            // The residual stream is rounded at bf16 only.
            if self.precision == Precision::Bf16 {
                self.rounding().apply(row);
            }
        }
        Ok(())
    }

    fn rms_norm(&self, x: &CpuBuffer, weight: &Vec<f32>, y: &mut CpuBuffer) -> Result<()> {
        y.set_rows(x.rows);
        Ok(kernels::rms_norm(x.view(), weight, self.eps, self.rounding(), y.view_mut())?)
    }

    fn linear(&self, x: &CpuBuffer, weights: &CpuLinear, y: &mut CpuBuffer) -> Result<()> {
        y.set_rows(x.rows);
        let (weight, bias) = (weights.in_form(self.dense)?, weights.stored.bias.as_deref());
        Ok(kernels::linear(x.view(), weight, bias, self.rounding(), y.view_mut())?)
    }

    fn qkv(&self, x: &CpuBuffer, weights: &[CpuLinear; 3], y: [&mut CpuBuffer; 3]) -> Result<()> {
        weights.iter().zip(y).try_for_each(|(weights, y)| self.linear(x, weights, y))
    }

    fn rope(
        &self,
        pass: &mut CpuPass,
        queries: &mut CpuBuffer,
        keys: &mut CpuBuffer,
    ) -> Result<()> {
        for x in [queries, keys] {
            kernels::rotate(&self.rope, &pass.positions, self.rounding(), x.view_mut())?;
        }
        Ok(())
    }

    fn attention(
        &self,
        pass: &mut CpuPass,
        layer: usize,
        [queries, keys, values]: [&CpuBuffer; 3],
        caches: &mut [&mut CpuCache],
        sinks: &Vec<f32>,
        y: &mut CpuBuffer,
    ) -> Result<()> {
        y.set_rows(queries.rows);
        for (rows, cache) in pass.sequences.iter().zip(caches) {
            let Some(store) = cache.0.get_mut(layer) else { continue };
            let (keys, values) = (keys.rows(rows.clone()), values.rows(rows.clone()));
            for (keys, values) in keys.outer_iter().zip(values.outer_iter()) {
                if let (Some(keys), Some(values)) = (keys.to_slice(), values.to_slice()) {
                    each!(store, pages => pages.append(keys, values));
                }
            }
            self.attend(queries, rows.clone(), store, sinks, y)?;
        }
        Ok(())
    }

    fn route(
        &self,
        pass: &mut CpuPass,
        logits: &CpuBuffer,
        count: usize,
        routing: &mut Routing,
    ) -> Result<()> {
        *routing = kernels::route(logits.view(), count, self.rounding())?;
        pass.chosen.push(routing.experts.iter().collect::<HashSet<_>>().len());
        Ok(())
    }

    fn moe_ffn(
        &self,
        x: &CpuBuffer,
        experts: &Experts<Bytes>,
        routing: &Routing,
        scratch: &mut ExpertsScratch,
        y: &mut CpuBuffer,
    ) -> Result<()> {
        y.set_rows(x.rows);
        Ok(experts.forward(x.view(), routing, self.rounding(), scratch, y.view_mut())?)
    }

    fn add(&self, x: &mut CpuBuffer, y: &CpuBuffer) -> Result<()> {
        Ok(kernels::add(x.view_mut(), y.view(), self.rounding())?)
    }

    fn gather(
        &self,
        _: &mut CpuPass,
        x: &CpuBuffer,
        rows: &[usize],
        y: &mut CpuBuffer,
    ) -> Result<()> {
        y.set_rows(rows.len());
        let x = x.view();
        for (mut to, &row) in y.view_mut().outer_iter_mut().zip(rows) {
            if row < x.nrows() {
                to.assign(&x.row(row));
            }
        }
        Ok(())
    }

    fn read(&self, buffer: &CpuBuffer) -> Result<Vec<f32>> {
        Ok(buffer.view().iter().copied().collect())
    }

    fn best(&self, logits: &CpuBuffer, count: usize, below: usize) -> Result<Vec<Best>> {
        let view = logits.view();
        Ok(view.outer_iter().map(|row| best(row.iter().copied().take(below), count)).collect())
    }

    fn first_not_finite(&self, buffer: &CpuBuffer) -> Result<Option<(usize, f32)>> {
        let mut rows =
            buffer.view().into_iter().enumerate().filter(|(_, value)| !value.is_finite());
        Ok(rows.next().map(|(index, &value)| (index / buffer.values.ncols().max(1), value)))
    }

    fn read_routing(&self, routing: &Routing) -> Result<(Vec<u32>, Vec<f32>)> {
        let experts = routing.experts.iter().copied().collect();
        Ok((experts, routing.weights.iter().copied().collect()))
    }

    fn experts_chosen(&self, pass: &CpuPass, layer: usize) -> usize {
        pass.chosen.get(layer).copied().unwrap_or(0)
    }

    fn cache_len(&self, cache: &CpuCache) -> usize {
        cache.0.first().map_or(0, |store| each!(store, pages => pages.len()))
    }

    fn cache_bytes(&self, cache: &CpuCache) -> u64 {
        cache.0.iter().map(|store| each!(store, pages => pages.bytes() as u64)).sum()
    }

    fn truncate(&self, cache: &mut CpuCache, len: usize) -> Result<bool> {
        let mut whole = true;
        for store in &mut cache.0 {
            whole &= each!(store, pages => pages.truncate(len));
        }
        Ok(whole)
    }

    fn export(&self, cache: &CpuCache, layer: usize) -> Result<(Vec<u8>, Vec<u8>, usize)> {
        let store = cache.0.get(layer);
        Ok(store.map(|store| each!(store, pages => pages.export())).unwrap_or_default())
    }

    fn import(
        &self,
        cache: &mut CpuCache,
        layer: usize,
        keys: &[u8],
        values: &[u8],
        first: usize,
        len: usize,
    ) -> Result<bool> {
        let Some(store) = cache.0.get_mut(layer) else { return Ok(false) };
        Ok(each!(store, pages => pages.import(keys, values, first, len)))
    }
}

/// The `count` greatest, greatest first, equal ones in order; NaN before all.
fn best(logits: impl Iterator<Item = f32>, count: usize) -> Best {
    let rank = |value: f32| if value.is_nan() { f32::INFINITY } else { value };
    let mut all: Best = (0..).zip(logits).collect();
    let order = |left: &(u32, f32), right: &(u32, f32)| {
        rank(right.1).total_cmp(&rank(left.1)).then(left.0.cmp(&right.0))
    };
    if count < all.len() {
        all.select_nth_unstable_by(count, order);
        all.truncate(count);
    }
    all.sort_unstable_by(order);
    all
}
