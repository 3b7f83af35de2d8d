//! Which sessions belong to a model.

use moe_kernels::{Activations, Matrix, Repack};
use safeshards::Bytes;

use super::Options;
use crate::weights::{LayerWeights, Weights};
use crate::{Config, LayerKind, Result};

/// A number that two models share only if their sessions can be exchanged.
///
/// It is made of all that decides on keys and values: the precision, the configuration, and of the weights
/// norms, sinks and the first rows of the large matrices, which differ between any two trainings. How weights are
/// stored does not matter, but where eight bits of them, or of activations, are used.
pub(super) fn fingerprint(
    config: &Config,
    weights: &Weights,
    options: &Options,
    weight_form: &str,
) -> Result<u64> {
    let mut hash = Fnv::new();
    hash.bytes(options.precision.name().as_bytes());
    hash.bytes(weight_form.as_bytes());
    if options.dense == Some(Repack::Int8) {
        hash.bytes(b"int8");
    }
    if options.activations == Activations::Int8 {
        hash.bytes(b"int8 activations");
    }
    hash.config(config);
    hash.first_row(&weights.embedding)?;
    for layer in &weights.layers {
        let LayerWeights { input_norm, sinks, post_attention_norm, .. } = layer;
        for values in [input_norm, sinks, post_attention_norm] {
            hash.floats(values);
        }
        for linear in [&layer.query, &layer.key, &layer.value, &layer.output, &layer.router] {
            hash.first_row(&linear.weight)?;
        }
    }
    hash.floats(&weights.norm);
    Ok(hash.0)
}

/// FNV-1a, <https://www.rfc-editor.org/rfc/rfc9923.html>: the same in every version and on every machine.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn floats(&mut self, values: &[f32]) {
        for value in values {
            self.bytes(&value.to_le_bytes());
        }
    }

    fn first_row(&mut self, matrix: &Matrix<Bytes>) -> Result<()> {
        let mut row = vec![0.0; matrix.cols()];
        matrix.decode_row(0, &mut row)?;
        self.floats(&row);
        Ok(())
    }

    /// All but what only ends a sequence.
    fn config(&mut self, config: &Config) {
        let Config { layers, heads, swiglu, rope, .. } = config;
        let sizes = [
            config.hidden,
            config.intermediate,
            config.vocab,
            heads.query,
            heads.kv,
            heads.dim,
            config.experts,
            config.experts_per_token,
            config.sliding_window,
            rope.original_context,
            usize::from(rope.truncate),
            layers.len(),
        ];
        let kinds = layers.iter().map(|&kind| usize::from(kind == LayerKind::Full));
        for size in sizes.into_iter().chain(kinds) {
            self.bytes(&(size as u64).to_le_bytes());
        }
        for value in [rope.theta, rope.factor, rope.beta_fast, rope.beta_slow] {
            self.bytes(&value.to_le_bytes());
        }
        self.floats(&[config.rms_norm_eps, swiglu.alpha, swiglu.limit]);
    }
}
