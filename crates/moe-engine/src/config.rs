//! What a model is: its sizes and constants, from `config.json`.

mod fields;
mod hf;
mod original;

use std::fs;
use std::path::{Path, PathBuf};

use moe_kernels::{Heads, Swiglu, Yarn};
use serde_json::Value;

use crate::{Error, Result};

/// The name of the file that describes a model.
pub const CONFIG: &str = "config.json";

/// Which keys a layer's attention sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// The last [`Config::sliding_window`] positions, the token's own included.
    Sliding,
    /// Every position up to the token's own.
    Full,
}

impl LayerKind {
    /// The name: `sliding` or `full`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sliding => "sliding",
            Self::Full => "full",
        }
    }
}

/// The sizes and constants of a gpt-oss model.
///
/// ```
/// use moe_engine::{Config, LayerKind};
///
/// let text = r#"{
///     "model_type": "gpt_oss", "num_hidden_layers": 24, "num_local_experts": 32, "vocab_size": 201088
/// }"#;
/// let config = Config::from_json("config.json", text)?;
/// assert_eq!((config.hidden, config.experts, config.experts_per_token), (2880, 32, 4));
/// assert_eq!(config.layers[..2], [LayerKind::Sliding, LayerKind::Full]);
/// # Ok::<(), moe_engine::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// The kind of every layer, first to last.
    pub layers: Vec<LayerKind>,
    /// The width of the residual stream.
    pub hidden: usize,
    /// The width inside an expert.
    pub intermediate: usize,
    /// Rows of the embedding table and of the head; token ids are below it.
    pub vocab: usize,
    /// Attention heads and their size.
    pub heads: Heads,
    /// Experts of a layer.
    pub experts: usize,
    /// Experts that a token goes through.
    pub experts_per_token: usize,
    /// Keys that a sliding layer sees.
    pub sliding_window: usize,
    /// The largest number of positions.
    pub max_positions: usize,
    /// The epsilon inside the square root of `RMSNorm`.
    pub rms_norm_eps: f32,
    /// The experts' activation.
    pub swiglu: Swiglu,
    /// The rotary embedding.
    pub rope: Yarn,
    /// Tokens that end an answer; those of `generation_config.json` where there is one.
    pub eos: Vec<u32>,
}

impl Config {
    /// Reads the `config.json` of a folder, and the `generation_config.json` beside it if there is one.
    ///
    /// # Errors
    /// [`Error::Io`], and those of [`from_json`](Self::from_json).
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let path = folder.join(CONFIG);
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let mut config = Self::from_json(&path, &text)?;
        let path = folder.join("generation_config.json");
        match fs::read_to_string(&path) {
            Ok(text) => config.generation(&path, &text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("read", &path)(error)),
        }
        Ok(config)
    }

    /// Reads the text of a `config.json`: the form of transformers 4, that of transformers 5, or that of the
    /// release's `original/` folder. `path` is what errors call it.
    ///
    /// A key that is absent has the value that transformers gives it (those of gpt-oss-120b).
    ///
    /// # Errors
    /// [`Error::Config`] for the first key that is unknown, of another type, contradicted by another one, or
    /// has a value that is not gpt-oss.
    pub fn from_json(path: impl Into<PathBuf>, text: &str) -> Result<Self> {
        let path = path.into();
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Error::config(&path, "", format!("not JSON: {error}")))?;
        let Value::Object(map) = value else {
            return Err(Error::config(&path, "", "expected an object"));
        };
        // Only the `original/` form counts its experts under this name.
        let original = map.contains_key("num_experts") && !map.contains_key("model_type");
        let (config, chosen) = if original {
            (original::read(&path, map)?, "experts_per_token")
        } else {
            (hf::read(&path, map)?, "num_experts_per_tok")
        };
        config.check(&path, chosen)?;
        Ok(config)
    }

    /// Floats of the keys (or values) of one token in one layer.
    #[must_use]
    pub fn kv_width(&self) -> usize {
        self.heads.kv * self.heads.dim
    }

    /// The width of the queries of one token.
    #[must_use]
    pub fn query_width(&self) -> usize {
        self.heads.query * self.heads.dim
    }

    /// Keys that a layer sees; `None` for all.
    #[must_use]
    pub fn window(&self, layer: usize) -> Option<usize> {
        (self.layers.get(layer) == Some(&LayerKind::Sliding)).then_some(self.sliding_window)
    }

    fn generation(&mut self, path: &Path, text: &str) -> Result<()> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Error::config(path, "", format!("not JSON: {error}")))?;
        if let Some(value) = value.get("eos_token_id").filter(|value| !value.is_null()) {
            self.eos = fields::token_ids(path, "eos_token_id", value)?;
        }
        Ok(())
    }

    /// What must hold between the sizes; `chosen` is what the file calls the experts a token goes through.
    fn check(&self, path: &Path, chosen: &str) -> Result<()> {
        let Heads { query, kv, dim } = self.heads;
        let wrong = |field: &str, reason: String| Err(Error::config(path, field, reason));
        if query % kv != 0 {
            return wrong(
                "num_key_value_heads",
                format!("{query} query heads cannot share {kv} key and value heads evenly"),
            );
        }
        if dim % 2 != 0 {
            return wrong("head_dim", format!("{dim} is odd: rotary embeddings need pairs"));
        }
        if self.experts_per_token > self.experts {
            let (count, of) = (self.experts_per_token, self.experts);
            return wrong(chosen, format!("{count} of {of} experts"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
