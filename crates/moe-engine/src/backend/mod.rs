//! Where a model is computed.

mod cpu;

use std::fmt::Debug;
use std::ops::Range;

use moe_kernels::Experts;
use safeshards::Bytes;

use crate::weights::LinearWeights;
use crate::{Precision, Result};

pub(crate) use cpu::MANY_ROWS;
pub use cpu::{Cpu, CpuBuffer, CpuCache, CpuLinear};

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

/// The steps of a transformer with experts, on one device.
///
/// Weights are uploaded once; activations live in buffers of the device that the caller owns and passes in;
/// nothing is allocated by a step but what a buffer needs to grow. A buffer is `[rows, columns]`, a row a
/// token. A result in a row depends on the rows and the cache of its own sequence only, and is the same to
/// the bit whatever stands in the other rows.
///
/// The crate has one, [`Cpu`].
pub trait Backend: Debug + Send + Sync + Sized + 'static {
    /// A small vector: a norm's weight, sinks.
    type Vector: Debug + Send + Sync;
    /// A matrix with its bias.
    type Linear: Debug + Send + Sync;
    /// The experts of a layer.
    type Experts: Debug + Send + Sync;
    /// Activations.
    type Buffer: Debug + Send;
    /// The choice of experts for each row.
    type Routing: Debug + Send;
    /// Space that a step needs while it runs.
    type Scratch: Debug + Send;
    /// Keys and values of one layer of one sequence; a clone shares them until either goes on.
    type Cache: Debug + Clone + Send + Sync;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Does `work` where the steps are quickest to start, for example on its own threads.
    fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        work()
    }

    /// Makes a vector known to the device.
    fn upload_vector(&self, values: Vec<f32>) -> Result<Self::Vector>;
    /// Makes a matrix known to the device.
    fn upload_linear(&self, weights: LinearWeights) -> Result<Self::Linear>;
    /// Makes a layer's experts known to the device.
    fn upload_experts(&self, experts: Experts<Bytes>) -> Result<Self::Experts>;
    /// Weight bytes that a step reads: all of a matrix.
    fn linear_bytes(&self, weights: &Self::Linear) -> u64;
    /// Weight bytes of one of these experts.
    fn expert_bytes(&self, experts: &Self::Experts) -> u64;

    /// A buffer of `columns` columns and no rows.
    fn buffer(&self, columns: usize) -> Result<Self::Buffer>;
    /// Gives a buffer this many rows, with any contents.
    fn resize(&self, buffer: &mut Self::Buffer, rows: usize) -> Result<()>;
    /// No choices.
    fn routing(&self) -> Result<Self::Routing>;
    /// Scratch space.
    fn scratch(&self) -> Result<Self::Scratch>;
    /// An empty cache of a layer that sees `window` keys, or all; `width` values a position.
    fn cache(&self, window: Option<usize>, width: usize) -> Result<Self::Cache>;

    /// `x[row] = table[tokens[row]]`; `x` gets a row a token.
    fn embed(&self, table: &Self::Linear, tokens: &[u32], x: &mut Self::Buffer) -> Result<()>;
    /// `y = x / sqrt(mean(x²) + eps) · weight`, row by row, with the model's epsilon.
    fn rms_norm(&self, x: &Self::Buffer, weight: &Self::Vector, y: &mut Self::Buffer)
    -> Result<()>;
    /// `y = x · weightᵀ + bias`.
    fn linear(&self, x: &Self::Buffer, weights: &Self::Linear, y: &mut Self::Buffer) -> Result<()>;
    /// Several products of the same `x`: queries, keys and values.
    fn qkv(
        &self,
        x: &Self::Buffer,
        weights: [&Self::Linear; 3],
        y: [&mut Self::Buffer; 3],
    ) -> Result<()> {
        weights.into_iter().zip(y).try_for_each(|(weights, y)| self.linear(x, weights, y))
    }
    /// Rotates queries or keys to their positions, one a row.
    fn rope(&self, positions: &[usize], x: &mut Self::Buffer) -> Result<()>;
    /// Appends keys and values of these rows to a cache.
    fn append_kv(
        &self,
        cache: &mut Self::Cache,
        keys: &Self::Buffer,
        values: &Self::Buffer,
        rows: Range<usize>,
    ) -> Result<()>;
    /// Attention of these rows over the cache, whose last positions are theirs; afterwards the cache may
    /// give up what no later position sees.
    fn attend(
        &self,
        queries: &Self::Buffer,
        rows: Range<usize>,
        cache: &mut Self::Cache,
        sinks: &Self::Vector,
        y: &mut Self::Buffer,
    ) -> Result<()>;
    /// Chooses `count` experts a row by their logits.
    fn route(&self, logits: &Self::Buffer, count: usize, routing: &mut Self::Routing)
    -> Result<()>;
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
    /// `y[i] = x[rows[i]]`.
    fn gather(&self, x: &Self::Buffer, rows: &[usize], y: &mut Self::Buffer) -> Result<()>;

    /// The contents, row-major.
    fn read(&self, buffer: &Self::Buffer) -> Result<Vec<f32>>;
    /// The first row with a number that is not finite, and that number.
    fn first_not_finite(&self, buffer: &Self::Buffer) -> Result<Option<(usize, f32)>>;
    /// The experts of each row and their weights, row-major.
    fn read_routing(&self, routing: &Self::Routing) -> Result<(Vec<u32>, Vec<f32>)>;
    /// How many different experts were chosen.
    fn experts_chosen(&self, routing: &Self::Routing) -> Result<usize>;

    /// Positions in a cache.
    fn cache_len(&self, cache: &Self::Cache) -> usize;
    /// Bytes that a cache holds.
    fn cache_bytes(&self, cache: &Self::Cache) -> u64;
    /// Forgets positions from `len` on; false (and nothing is done) if the positions before are not all
    /// there any more that the next token would see.
    fn truncate(&self, cache: &mut Self::Cache, len: usize) -> Result<bool>;
    /// Keys and values as they are kept, `[positions, width]` each, and the first position kept.
    fn export(&self, cache: &Self::Cache) -> Result<(Vec<u8>, Vec<u8>, usize)>;
    /// Fills an empty cache with what [`export`](Self::export) gave of one of `len` positions; false if
    /// that cannot be.
    fn import(
        &self,
        cache: &mut Self::Cache,
        keys: &[u8],
        values: &[u8],
        first: usize,
        len: usize,
    ) -> Result<bool>;
}
