//! Writes a checkpoint of a gpt-oss model with random weights in the released layout.

mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;

use ckpt_convert::presets::gpt_oss::config_json;
use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape, generation_config_json, shard_files};
use ckpt_convert::{
    ExecOptions, Executor, Plan, PlanOptions, Policy, SafetensorsSink, SideFile, Source, Synthetic,
};
use clap::{Parser, ValueEnum, value_parser};
use terminal::{Outcome, Progress, bytes, rate, say};

/// Write a gpt-oss checkpoint with random weights: true names, shapes, types and shards.
///
/// The values are sane (nothing overflows, logits are of ordinary size) and the same for the same
/// seed, so it serves for benchmarks and tests where the real weights are not at hand. With
/// `--experts bf16` the model is the same, its experts dense.
#[derive(Parser)]
struct Args {
    /// The folder to write into
    out: PathBuf,
    /// The model's sizes
    #[arg(long, value_enum, default_value = "tiny")]
    preset: Preset,
    /// Fewer (or more) layers than the preset has
    #[arg(long, value_parser = value_parser!(u64).range(1..=Shape::MAX_LAYERS as u64))]
    layers: Option<u64>,
    /// Which random values
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The form of the experts' weights
    #[arg(long, value_enum, default_value = "mxfp4")]
    experts: Experts,
    /// Replace what is there
    #[arg(long)]
    force: bool,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Preset {
    /// 4 layers, 8 experts: half a megabyte
    Tiny,
    /// openai/gpt-oss-20b: 13.8 GB
    #[value(name = "20b")]
    B20,
    /// openai/gpt-oss-120b: 65 GB
    #[value(name = "120b")]
    B120,
}

#[derive(Clone, Copy, ValueEnum)]
enum Experts {
    Mxfp4,
    Bf16,
}

// cargo run --release --example synthesize -- /tmp/tiny --preset tiny
// cargo run --release --example synthesize -- /tmp/gpt-oss-20b --preset 20b
fn main() -> ExitCode {
    terminal::exit(run(&terminal::arguments::<Args>()))
}

fn run(args: &Args) -> Outcome {
    let shape = match args.preset {
        Preset::Tiny => Shape::tiny(),
        Preset::B20 => Shape::b20(),
        Preset::B120 => Shape::b120(),
    };
    let layers = args.layers.map_or(shape.layers, |layers| layers as usize);
    let shape = shape.with_layers(layers);
    let experts = match args.experts {
        Experts::Mxfp4 => ExpertFormat::Mxfp4,
        Experts::Bf16 => ExpertFormat::Bf16,
    };
    let options =
        PlanOptions { files: Some(shard_files(&shape, experts)), ..PlanOptions::default() };

    let source = Source::synthetic(Synthetic::new(shape.clone(), experts, args.seed));
    let plan = Plan::new(&source, &Policy::default(), &SafetensorsSink::unmarked(), &options)?;
    let executor = Executor::new(ExecOptions {
        overwrite: args.force,
        verify: false,
        ..ExecOptions::default()
    });
    let report = executor.run(
        &plan,
        &source,
        &args.out,
        |_| Ok(side_files(&shape, experts)),
        &Progress::new(args.json),
    )?;

    if args.json {
        return Ok(say!("{}", serde_json::to_string_pretty(&report)?)?);
    }
    say!(
        "{}: {} tensors, {} parameters, {} in {} files, {}",
        args.out.display(),
        report.tensors,
        report.parameters,
        bytes(report.bytes),
        report.files.len(),
        rate(report.bytes, report.write_seconds),
    )?;
    Ok(())
}

fn side_files(shape: &Shape, experts: ExpertFormat) -> Vec<SideFile> {
    let file =
        |name: &str, text: String| SideFile { name: name.to_owned(), bytes: text.into_bytes() };
    vec![
        file("config.json", config_json(shape, experts)),
        file("generation_config.json", generation_config_json(shape)),
    ]
}
