//! A model made on the spot.

use std::error::Error;
use std::path::Path;

use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape, shard_files};
use ckpt_convert::{
    ExecOptions, Executor, Plan, PlanOptions, Policy, SafetensorsSink, Source, Synthetic,
    side_files,
};
use serde_json::Value;
use tempfile::TempDir;

/// A vocabulary of 380 tokens, which fits the tiny model.
const TOKENIZER: &str = include_str!("../../crates/moe-engine/tests/tokenizer/tiny.json");

/// The tiny one with a tokenizer, in a folder of its own.
pub(super) fn make() -> Result<TempDir, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    write_weights(&Shape::tiny(), folder.path())?;
    std::fs::write(folder.path().join("tokenizer.json"), TOKENIZER)?;
    Ok(folder)
}

/// Some 50 MB: more than the caches of a laptop, and measured within seconds.
pub fn larger_shape() -> Shape {
    Shape { layers: 4, hidden: 512, intermediate: 512, vocab: 16_384, experts: 16, ..Shape::tiny() }
}

/// Writes a checkpoint with random weights in the released layout.
pub fn write_weights(shape: &Shape, folder: &Path) -> Result<(), Box<dyn Error>> {
    let experts = ExpertFormat::Mxfp4;
    let source = Source::synthetic(Synthetic::new(shape.clone(), experts, 0));
    let policy = Policy::default();
    let options =
        PlanOptions { files: Some(shard_files(shape, experts)), ..PlanOptions::default() };
    let plan = Plan::new(&source, &policy, &SafetensorsSink::unmarked(), &options)?;
    let side = |manifest: &_| side_files(&source, &policy, manifest);
    let options = ExecOptions { verify: false, ..ExecOptions::default() };
    Executor::new(options).run(&plan, &source, folder, side, &())?;
    Ok(())
}

/// Whether a checkpoint was made from nothing: `synthesize` writes a manifest without source files.
pub fn is_synthetic(path: &Path) -> bool {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let manifest = std::fs::read_to_string(folder.join("manifest.json")).unwrap_or_default();
    let manifest: Value = serde_json::from_str(&manifest).unwrap_or_default();
    manifest["source_files"].as_array().is_some_and(Vec::is_empty)
}
