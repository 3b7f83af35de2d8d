//! What transformers computes in f32 with tiny gpt-oss models, kept in files.
//!
//! A set is a folder of checkpoints (`mxfp4`, perhaps `bf16` with the same values), `golden.safetensors` and
//! `golden.json`. `.ci/judges/golden.py` makes them and describes their tensors. Prompts and answers
//! are such that no router decision and no token is near a tie: an engine in f32 has to agree on all.

mod distance;
mod file;
mod prompt;

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use serde_json::Value;

use self::file::File;
pub use self::{distance::Distance, prompt::Prompt};

/// A golden set.
///
/// ```
/// use testkit::golden::{Distance, Golden};
///
/// let sets = testkit::golden::committed();
/// let set: &Golden = &sets[0];
/// assert!(set.checkpoint("mxfp4").unwrap().join("config.json").is_file());
///
/// let prompt = &set.prompts()[0];
/// let ours = prompt.logits.clone(); // what the engine under test gives
/// let distance = Distance::between(&prompt.logits, &ours, set.vocab());
/// distance.assert_within("logits", 2e-4, 1e-5);
/// ```
#[derive(Clone)]
pub struct Golden {
    path: PathBuf,
    notes: Value,
    inv_freq: Vec<f32>,
    rope: Rope,
    prompts: Vec<Prompt>,
}

/// Rotary tables at some positions.
#[derive(Clone, Debug)]
pub struct Rope {
    /// The positions, `[p]`.
    pub positions: Vec<u32>,
    /// Cosines times the concentration, `[p, head_dim / 2]`.
    pub cos: Vec<f32>,
    /// Sines times the concentration, `[p, head_dim / 2]`.
    pub sin: Vec<f32>,
    /// The concentration: what cosines and sines are multiplied by.
    pub attention_factor: f32,
}

impl Golden {
    /// Reads a set.
    ///
    /// # Panics
    ///
    /// When a file is missing, or the tensors do not fit together.
    #[must_use]
    pub fn open(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let place = path.display();
        let notes = fs::read(path.join("golden.json"));
        let notes = notes.unwrap_or_else(|error| panic!("{place}: golden.json: {error}"));
        let notes: Value = serde_json::from_slice(&notes)
            .unwrap_or_else(|error| panic!("{place}: golden.json: {error}"));
        let file = File::read(&path.join("golden.safetensors"));
        let names = (0..).map(|i| format!("p{i}"));
        let names = names.take_while(|name| file.holds(&format!("{name}.tokens")));
        let prompts: Vec<Prompt> = names.map(|name| Prompt::read(&file, &name)).collect();
        assert!(!prompts.is_empty(), "{place}: no prompts");
        let rope = Rope {
            positions: file.u32s("rope_pos"),
            cos: file.f32s("rope_cos"),
            sin: file.f32s("rope_sin"),
            attention_factor: notes["rope_attention_factor"].as_f64().expect("a number") as f32,
        };
        let inv_freq = file.f32s("inv_freq");
        Self { path, notes, inv_freq, rope, prompts }
    }

    /// The name of the folder.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The folder of a checkpoint, `mxfp4` or `bf16`, if the set has it.
    #[must_use]
    pub fn checkpoint(&self, form: &str) -> Option<PathBuf> {
        Some(self.path.join(form)).filter(|path| path.is_dir())
    }

    /// All checkpoints of the set, with their names.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<(&'static str, PathBuf)> {
        let named = ["mxfp4", "bf16"].into_iter();
        named.filter_map(|form| Some((form, self.checkpoint(form)?))).collect()
    }

    /// The rotary frequencies after `YaRN`, `[head_dim / 2]`.
    #[must_use]
    pub fn inv_freq(&self) -> &[f32] {
        &self.inv_freq
    }

    /// Rotary tables at some positions.
    #[must_use]
    pub fn rope(&self) -> &Rope {
        &self.rope
    }

    /// The prompts.
    #[must_use]
    pub fn prompts(&self) -> &[Prompt] {
        &self.prompts
    }

    /// Tokens in the vocabulary.
    #[must_use]
    pub fn vocab(&self) -> usize {
        self.prompts[0].gen_last_logits.len()
    }

    /// `golden.json`: how the set was made, and with which versions.
    #[must_use]
    pub fn notes(&self) -> &Value {
        &self.notes
    }
}

/// The sets in this repository, in the order of their names.
///
/// # Panics
///
/// As [`Golden::open`] does, and when there are none.
#[must_use]
pub fn committed() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a directory entry").path()).collect();
    paths.retain(|path| path.is_dir());
    paths.sort();
    assert!(!paths.is_empty(), "{}: no golden sets", folder.display());
    paths.into_iter().map(Golden::open).collect()
}

impl fmt::Debug for Golden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Golden")
            .field("path", &self.path)
            .field("vocab", &self.vocab())
            .field("prompts", &self.prompts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
