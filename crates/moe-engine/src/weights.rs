//! The model's tensors, viewed where they lie in the files.

mod check;
mod container;
mod gather;
mod layer;
mod pieces;
pub(crate) mod repacked;

use std::path::Path;

use lowfloat::DType;
use moe_kernels::{Experts, Matrix};
use safeshards::Bytes;

use crate::{Config, Result};
use container::Container;
use gather::Gather;

/// Types that dense weights can have.
pub(crate) const FLOATS: &[DType] = &[DType::BF16, DType::F16, DType::F32];

/// A matrix with its bias.
#[derive(Debug)]
pub struct LinearWeights {
    /// `[outputs, inputs]`.
    pub weight: Matrix<Bytes>,
    /// `[outputs]`.
    pub bias: Option<Vec<f32>>,
}

/// The weights of one layer.
#[derive(Debug)]
pub struct LayerWeights {
    /// `[hidden]`: the norm before attention.
    pub input_norm: Vec<f32>,
    /// `[query heads · dim, hidden]`.
    pub query: LinearWeights,
    /// `[kv heads · dim, hidden]`.
    pub key: LinearWeights,
    /// `[kv heads · dim, hidden]`.
    pub value: LinearWeights,
    /// One logit a query head.
    pub sinks: Vec<f32>,
    /// `[hidden, query heads · dim]`.
    pub output: LinearWeights,
    /// `[hidden]`: the norm before the experts.
    pub post_attention_norm: Vec<f32>,
    /// `[experts, hidden]`.
    pub router: LinearWeights,
    /// The experts.
    pub experts: Experts<Bytes>,
}

/// All weights of a model.
///
/// Matrices are views over the mapped files, packed as they are there; norms, biases and sinks are
/// copied to f32 (some 30 MB for gpt-oss-20b).
#[derive(Debug)]
pub struct Weights {
    /// `[vocab, hidden]`.
    pub embedding: Matrix<Bytes>,
    /// Layer after layer.
    pub layers: Vec<LayerWeights>,
    /// `[hidden]`: the norm before the head.
    pub norm: Vec<f32>,
    /// `[vocab, hidden]`.
    pub head: LinearWeights,
}

impl Weights {
    /// Views the weights of a checkpoint: a folder, an index or one file, in any of these forms:
    ///
    /// - safetensors with the hub's names, experts in MXFP4 or dense, in any number of shards;
    /// - safetensors with the names of the release's `original/` folder;
    /// - `MindSpore` `.ckpt` files with either names.
    ///
    /// Only headers and small tensors are read. As with every mapping, the files must stay as they are:
    /// one that somebody truncates ends the process (`SIGBUS`) at the next touch of a lost page.
    ///
    /// With `check` every weight but the codes of MXFP4 is read once, on all threads of the current pool.
    ///
    /// # Errors
    /// [`Error::Tensors`](crate::Error::Tensors) lists every tensor that is missing, unknown, or of
    /// another shape or type than `config` asks for; with `check`,
    /// [`Error::WeightNotFinite`](crate::Error::WeightNotFinite) names a tensor that holds NaN or an infinity.
    pub fn open(path: impl AsRef<Path>, config: &Config, check: bool) -> Result<Self> {
        let path = path.as_ref();
        let container = Container::open(path)?;
        if check {
            container.check_finite()?;
        }
        let mut gather = Gather::new(path, container);
        let original = gather.has("embedding.weight");
        let (hidden, vocab) = (config.hidden, config.vocab);
        let names = if original {
            ["embedding.weight", "norm.scale", "unembedding.weight"]
        } else {
            ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"]
        };
        let embedding = gather.matrix(names[0], vocab, hidden)?;
        let layers = (0..config.layers.len())
            .map(|layer| layer::gather(&mut gather, config, layer, original))
            .collect::<Result<Vec<_>>>()?;
        let norm = gather.vector(names[1], &[hidden])?;
        let head = gather.matrix(names[2], vocab, hidden)?;
        gather.finish()?;
        // Nothing was wrong, so nothing is absent.
        let layers: Option<Vec<_>> = layers.into_iter().collect();
        match (embedding, layers, norm, head) {
            (Some(embedding), Some(layers), Some(norm), Some(weight)) => {
                Ok(Self { embedding, layers, norm, head: LinearWeights { weight, bias: None } })
            }
            _ => Err(crate::Error::NoWeights { path: path.to_owned() }),
        }
    }
}
