//! Where a model is computed.

mod cpu;
#[cfg(feature = "ascend")]
mod npu;

use std::fmt::Debug;
use std::ops::Range;

use moe_kernels::Experts;
use safeshards::Bytes;

use crate::weights::LinearWeights;
use crate::{Precision, Result};

pub(crate) use cpu::MANY_ROWS;
pub use cpu::{Cpu, CpuBuffer, CpuCache, CpuLinear, CpuPass};
#[cfg(feature = "ascend")]
pub use npu::*;

/// What a backend can do, known before the first token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Where it computes, for people: `cpu, 2 threads, avx512`.
    pub device: String,
    /// The precision that it was made for.
    pub precision: Precision,
    /// Steps that can run at the same time.
    pub threads: usize,
}

/// Tokens that go through the layers together, a row each.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Batch<'a> {
    /// The token of each row.
    pub tokens: &'a [u32],
    /// Its position in its sequence.
    pub positions: &'a [usize],
    /// The rows of each sequence: all rows in order, at least one for each.
    pub sequences: &'a [Range<usize>],
    /// Whether somebody reads what steps give before the last one is done.
    pub watched: bool,
}

impl<'a> Batch<'a> {
    /// A batch that nobody watches.
    #[must_use]
    pub fn new(tokens: &'a [u32], positions: &'a [usize], sequences: &'a [Range<usize>]) -> Self {
        Self { tokens, positions, sequences, watched: false }
    }
}

/// The greatest logits of a row: token ids and values, greatest first, equal ones by id.
pub type Best = Vec<(u32, f32)>;

/// The steps of a transformer with experts, on one device.
///
/// Weights are uploaded once; activations live in buffers of the device that the caller owns and passes in. A buffer is
/// `[rows, columns]`, a row a token. A result in a row depends on the rows and the cache of its own sequence only,
/// whatever stands in the other rows.
///
/// A batch is taken in by [`begin`](Self::begin), and goes through the layers within [`through`](Self::through). What the host
/// knows of it (tokens, positions, which rows are whose) reaches the steps through the [`Pass`](Self::Pass) alone, so a
/// device may run what it has recorded of an earlier batch instead.
///
/// [`Cpu`] is always there, and with the feature `ascend` an Ascend NPU.
pub trait Backend: Debug + Send + Sync + Sized + 'static {
    /// A small vector: a norm's weight, sinks.
    type Vector: Debug + Send + Sync;
    /// A matrix with its bias.
    type Linear: Debug + Send + Sync;
    /// The matrices of queries, keys and values.
    type Qkv: Debug + Send + Sync;
    /// The experts of a layer.
    type Experts: Debug + Send + Sync;
    /// Activations.
    type Buffer: Debug + Send;
    /// The choice of experts for each row.
    type Routing: Debug + Send;
    /// Space that a step needs while it runs.
    type Scratch: Debug + Send;
    /// What the host knows of a batch, and what is kept from one to the next.
    type Pass: Debug + Send;
    /// Keys and values of all layers of one sequence; a clone shares them until either goes on.
    type Cache: Debug + Clone + Send + Sync;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// The form that weights are rounded to on the device, if they are; sessions belong to it.
    fn weight_form(&self) -> &'static str {
        ""
    }

    /// Whether steps are only queued: reading waits for them, so little is read before the last one.
    fn is_queued(&self) -> bool {
        false
    }

    /// Bytes in use of the memory of an accelerator, by whomever; `None` where it has none of its own.
    fn memory_used(&self) -> Option<u64> {
        None
    }

    /// Does `work` where the steps are quickest to start, for example on its own threads.
    fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        work()
    }

    /// Makes a vector known to the device.
    fn upload_vector(&self, values: Vec<f32>) -> Result<Self::Vector>;
    /// Makes the sinks of a layer known to the device, one logit a query head.
    fn upload_sinks(&self, values: Vec<f32>) -> Result<Self::Vector> {
        self.upload_vector(values)
    }
    /// Makes a matrix known to the device.
    fn upload_linear(&self, weights: LinearWeights) -> Result<Self::Linear>;
    /// Makes the matrices of queries, keys and values known to the device.
    fn upload_qkv(&self, weights: [LinearWeights; 3]) -> Result<Self::Qkv>;
    /// Makes the matrix known to the device that follows attention.
    fn upload_output(&self, weights: LinearWeights) -> Result<Self::Linear> {
        self.upload_linear(weights)
    }
    /// Makes a layer's experts known to the device.
    fn upload_experts(&self, experts: Experts<Bytes>) -> Result<Self::Experts>;
    /// Weight bytes that a step reads: all of a matrix.
    fn linear_bytes(&self, weights: &Self::Linear) -> u64;
    /// Weight bytes of queries, keys and values.
    fn qkv_bytes(&self, weights: &Self::Qkv) -> u64;
    /// Weight bytes of one of these experts.
    fn expert_bytes(&self, experts: &Self::Experts) -> u64;

    /// A buffer of `columns` columns and no rows; it will never have more than `most` rows.
    fn buffer(&self, columns: usize, most: usize) -> Result<Self::Buffer>;
    /// Buffers for queries, keys and values, like [`buffer`](Self::buffer).
    fn qkv_buffers(&self, most: usize) -> Result<[Self::Buffer; 3]>;
    /// No choices.
    fn routing(&self, most: usize) -> Result<Self::Routing>;
    /// Scratch space.
    fn scratch(&self, most: usize) -> Result<Self::Scratch>;
    /// A pass without a batch.
    fn pass(&self, most: usize) -> Result<Self::Pass>;
    /// Empty caches of all layers.
    fn cache(&self) -> Result<Self::Cache>;

    /// Takes a batch in: its sequences' caches, in order, get room for the new rows.
    ///
    /// # Errors
    /// [`Error::CacheFull`](crate::Error::CacheFull) where there is no room; the caches are as before then.
    fn begin(
        &self,
        pass: &mut Self::Pass,
        batch: &Batch<'_>,
        caches: &mut [&mut Self::Cache],
    ) -> Result<()>;
    /// All steps from [`embed`](Self::embed) to the last [`add`](Self::add) for the batch taken in: what `steps` does, or the
    /// same recorded earlier, with the same buffers.
    fn through(
        &self,
        pass: &mut Self::Pass,
        mut steps: impl FnMut(&mut Self::Pass) -> Result<()>,
    ) -> Result<()> {
        steps(pass)
    }

    /// `x[row] = table[token of row]`; `x` gets a row a token.
    fn embed(
        &self,
        pass: &mut Self::Pass,
        table: &Self::Linear,
        x: &mut Self::Buffer,
    ) -> Result<()>;
    /// `y = x / sqrt(mean(x²) + eps) · weight`, row by row, with the model's epsilon.
    fn rms_norm(&self, x: &Self::Buffer, weight: &Self::Vector, y: &mut Self::Buffer)
    -> Result<()>;
    /// `x += update`, and `y` the norm of the sum.
    fn add_rms_norm(
        &self,
        x: &mut Self::Buffer,
        update: &Self::Buffer,
        weight: &Self::Vector,
        y: &mut Self::Buffer,
    ) -> Result<()> {
        self.add(x, update)?;
        self.rms_norm(x, weight, y)
    }
    /// `y = x · weightᵀ + bias`.
    fn linear(&self, x: &Self::Buffer, weights: &Self::Linear, y: &mut Self::Buffer) -> Result<()>;
    /// Queries, keys and values of `x`.
    fn qkv(&self, x: &Self::Buffer, weights: &Self::Qkv, y: [&mut Self::Buffer; 3]) -> Result<()>;
    /// Rotates queries and keys to the positions of their rows.
    fn rope(
        &self,
        pass: &mut Self::Pass,
        queries: &mut Self::Buffer,
        keys: &mut Self::Buffer,
    ) -> Result<()>;
    /// Appends keys and values to a layer's part of the caches, and attends to all that each sequence has there:
    /// `[queries, keys, values]` to `y`.
    fn attention(
        &self,
        pass: &mut Self::Pass,
        layer: usize,
        qkv: [&Self::Buffer; 3],
        caches: &mut [&mut Self::Cache],
        sinks: &Self::Vector,
        y: &mut Self::Buffer,
    ) -> Result<()>;
    /// Chooses `count` experts a row by their logits.
    fn route(
        &self,
        pass: &mut Self::Pass,
        logits: &Self::Buffer,
        count: usize,
        routing: &mut Self::Routing,
    ) -> Result<()>;
    /// The weighted sum of what the chosen experts make of each row.
    fn moe_ffn(
        &self,
        x: &Self::Buffer,
        experts: &Self::Experts,
        routing: &Self::Routing,
        scratch: &mut Self::Scratch,
        y: &mut Self::Buffer,
    ) -> Result<()>;
    /// `x += y`.
    fn add(&self, x: &mut Self::Buffer, y: &Self::Buffer) -> Result<()>;
    /// `y[i] = x[rows[i]]`, after the layers.
    fn gather(
        &self,
        pass: &mut Self::Pass,
        x: &Self::Buffer,
        rows: &[usize],
        y: &mut Self::Buffer,
    ) -> Result<()>;

    /// The contents, row-major.
    fn read(&self, buffer: &Self::Buffer) -> Result<Vec<f32>>;
    /// The `count` greatest of each row among the first `below` columns. NaN and +∞ are greater than all numbers.
    fn best(&self, logits: &Self::Buffer, count: usize, below: usize) -> Result<Vec<Best>>;
    /// The first row with a number that is not finite, and that number.
    fn first_not_finite(&self, buffer: &Self::Buffer) -> Result<Option<(usize, f32)>>;
    /// The experts of each row and their weights, row-major.
    fn read_routing(&self, routing: &Self::Routing) -> Result<(Vec<u32>, Vec<f32>)>;
    /// How many different experts of a layer the batch went to, or at most went to where only the device knows.
    fn experts_chosen(&self, pass: &Self::Pass, layer: usize) -> usize;

    /// Positions in a cache.
    fn cache_len(&self, cache: &Self::Cache) -> usize;
    /// Bytes that a cache holds.
    fn cache_bytes(&self, cache: &Self::Cache) -> u64;
    /// Forgets positions from `len` on; false if in some layer the positions before are not all there any more that the next
    /// token would see. The cache is of no use then.
    fn truncate(&self, cache: &mut Self::Cache, len: usize) -> Result<bool>;
    /// Keys and values of a layer as they are kept, `[positions, width]` each, and the first position kept.
    fn export(&self, cache: &Self::Cache, layer: usize) -> Result<(Vec<u8>, Vec<u8>, usize)>;
    /// Fills a layer of an empty cache with what [`export`](Self::export) gave of one of `len` positions, layer
    /// after layer; false if that cannot be.
    fn import(
        &self,
        cache: &mut Self::Cache,
        layer: usize,
        keys: &[u8],
        values: &[u8],
        first: usize,
        len: usize,
    ) -> Result<bool>;
}
