//! What the examples share about running a model: which one, how, and on which tokens.

// Each example uses its own part.
#![allow(dead_code, unreachable_pub, unused_imports)]

mod device;
mod form;
mod sampling;
mod tiny;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use moe_engine::tokenizer::{HfTokenizer, Tokenizer, check_vocabulary};
use moe_engine::{Config, Options, Precision, locate};
use tempfile::TempDir;

use crate::terminal::Outcome;
pub use device::{DeviceArgs, Task};
pub use form::FormArgs;
pub use sampling::SamplingArgs;
pub use tiny::{is_synthetic, larger_shape, write_weights};

/// Which model, and how it is computed.
#[derive(Args, Debug)]
pub struct ModelArgs {
    /// A checkpoint: safetensors in the hub's or the original layout, or MindSpore .ckpt; a tiny synthetic
    /// model is made if there is none
    #[arg(long)]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// How activations are rounded: f32 (exact), bf16 or f16 [default: f32, on an NPU bf16]
    #[arg(long)]
    pub precision: Option<Precision>,
    #[command(flatten)]
    pub form: FormArgs,
    /// Threads that compute; all cores if not given
    #[arg(long)]
    pub threads: Option<usize>,
    /// Tokens that go through the layers together
    #[arg(long, default_value_t = Options::default().chunk)]
    pub chunk: usize,
    /// Read every weight first, and refuse NaN
    #[arg(long)]
    pub check: bool,
}

/// A checkpoint with the tokenizer that lies beside it, if one does.
pub struct Opened {
    path: PathBuf,
    options: Options,
    device: DeviceArgs,
    pub config: Config,
    pub tokenizer: Option<HfTokenizer>,
    /// Holds the synthetic model.
    _made: Option<TempDir>,
}

impl ModelArgs {
    /// Looks at the checkpoint; the weights stay where they are until [`Opened::run`].
    pub fn open(&self) -> Result<Opened, Box<dyn Error>> {
        let made = if self.model.is_some() { None } else { Some(tiny::make()?) };
        let made_path = made.as_ref().map(TempDir::path);
        let path = self.model.as_deref().or(made_path).unwrap_or(Path::new(""));
        let device = self.device.decided();
        let mut options = Options {
            precision: self.precision.unwrap_or_else(|| device.precision()),
            threads: self.threads,
            chunk: self.chunk,
            check: self.check,
            ..Options::default()
        };
        self.form.apply(&mut options)?;
        // The tokenizer stays where it is, also beside an `original/`.
        let beside = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let (path, folder) = locate(path)?;
        let config = Config::open(folder)?;
        let tokenizer = HfTokenizer::from_folder(beside)?;
        if let Some(tokenizer) = &tokenizer {
            check_vocabulary(tokenizer, config.vocab, &config.eos)?;
        }
        Ok(Opened { path, options, device, config, tokenizer, _made: made })
    }
}

impl Opened {
    /// Opens the model where it shall be computed, and does the task with it.
    pub fn run(&self, task: &impl Task) -> Outcome {
        self.device.run(&self.path, &self.options, task)
    }

    /// Whether several devices do the same.
    pub fn is_shared(&self) -> bool {
        self.device.is_shared()
    }

    pub fn tokenizer(&self) -> Option<&dyn Tokenizer> {
        self.tokenizer.as_ref().map(|tokenizer| tokenizer as &dyn Tokenizer)
    }

    /// The ids of a text; `special` turns control tokens that are written in it into such.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, Box<dyn Error>> {
        let Some(tokenizer) = self.tokenizer() else {
            return Err("this model has no tokenizer.json: give token ids instead of text".into());
        };
        let mut ids = Vec::new();
        if special {
            tokenizer.encode_with_special(text, &mut ids)?;
        } else {
            tokenizer.encode(text, &mut ids)?;
        }
        Ok(ids)
    }
}

/// Tokens by their ids.
#[derive(Args, Debug)]
pub struct TokenArgs {
    /// Token ids: 1,2,3
    #[arg(long, conflicts_with = "tokens_file")]
    pub tokens: Option<String>,
    /// A file of token ids, separated by commas or white space
    #[arg(long)]
    pub tokens_file: Option<PathBuf>,
}

impl TokenArgs {
    /// The ids that were given, if any.
    pub fn read(&self) -> Result<Option<Vec<u32>>, Box<dyn Error>> {
        match (&self.tokens, &self.tokens_file) {
            (Some(text), _) => {
                Ok(Some(parse_ids(text).map_err(|error| format!("--tokens: {error}"))?))
            }
            (None, Some(path)) => {
                let name = path.display();
                let text = fs::read_to_string(path);
                let text = text.map_err(|error| format!("cannot read {name}: {error}"))?;
                Ok(Some(parse_ids(&text).map_err(|error| format!("{name}: {error}"))?))
            }
            (None, None) => Ok(None),
        }
    }
}

/// Ids separated by commas or white space; brackets around them do no harm.
pub fn parse_ids(text: &str) -> Result<Vec<u32>, String> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    let id = |(index, word): (usize, &str)| {
        word.parse().map_err(|_| format!("{word:?}, number {} of them, is no token id", index + 1))
    };
    words.enumerate().map(id).collect()
}
