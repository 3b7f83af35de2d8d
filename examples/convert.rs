//! Converts a checkpoint: safetensors to MindSpore `.ckpt`, and back.

mod terminal;

use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape};
use ckpt_convert::{
    CkptSink, ExecOptions, Executor, Experts, FloatTarget, Plan, PlanOptions, Policy, Report,
    Rules, SafetensorsSink, Sink, Source, Synthetic, side_files,
};
use clap::{Parser, ValueEnum};
use terminal::{Outcome, Progress, bytes, parse_bytes, rate, say};

/// Convert a checkpoint, streamed, within a memory budget, verified, resumable.
///
/// Reads the Hugging Face layout (with or without an index), OpenAI's `original/` layout, and
/// MindSpore `.ckpt` files; writes `.ckpt` or safetensors, with `model_config.json`,
/// `parameter_names.txt`, a manifest with a SHA-256 for each tensor, and the model's own small
/// files. With no arguments it converts a tiny synthetic model into a temporary folder.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Args {
    /// The folder or file to convert (several .ckpt files are parts of one), then the folder to
    /// write into [default: in the current folder, named after the input]
    #[arg(value_names = ["WEIGHTS_DIR", "OUT_DIR"], num_args = 0..)]
    paths: Vec<PathBuf>,
    /// What bf16, f16 and f32 tensors become: f32, bf16, f16, f64, keep, or in safetensors fp8
    /// (`f8_e4m3`, `f8_e5m2`); all others stay as they are
    #[arg(long, default_value = "f32")]
    dtype: FloatTarget,
    /// What becomes of the experts' weights
    #[arg(long, value_enum, default_value = "keep")]
    experts: ExpertsArg,
    /// REGEX=DTYPE: another type, as for --dtype, for some floats, f64 and fp8 included; integers
    /// never change (repeatable, the first match decides)
    #[arg(long, value_name = "REGEX=DTYPE")]
    dtype_rule: Vec<String>,
    /// REGEX=REPLACEMENT: new names, ${1} or \1 for groups, $$ for a dollar sign (repeatable, one
    /// after the other)
    #[arg(long, value_name = "REGEX=REPLACEMENT")]
    rename: Vec<String>,
    /// Take only tensors whose name matches (repeatable)
    #[arg(long, value_name = "REGEX")]
    include: Vec<String>,
    /// Leave out tensors whose name matches (repeatable)
    #[arg(long, value_name = "REGEX")]
    drop: Vec<String>,
    /// A TOML or JSON file of such rules, which come after those given here
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// The form of the result
    #[arg(long, value_enum, default_value = "ckpt")]
    format: Format,
    /// The most bytes a file may have, e.g. 2147483647 or 2GiB; tensors stay whole
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    max_file_size: Option<u64>,
    /// The name of the files [default: from the model]; not with --format safetensors, whose names
    /// are fixed
    #[arg(long)]
    name: Option<String>,
    /// End .ckpt files with a checksum; MindSpore before 2.3.0 cannot read them then
    #[arg(long)]
    crc: bool,
    /// Threads that read and transform [default: one a core]
    #[arg(long)]
    threads: Option<NonZero<usize>>,
    /// Memory for buffers
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, default_value = "256MiB")]
    memory: u64,
    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object (the plan with --dry-run, else the report) instead of lines
    #[arg(long)]
    json: bool,
    /// Write the report as JSON into a file
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    report: Option<PathBuf>,
    /// Do not read back and compare what was written
    #[arg(long)]
    no_verify: bool,
    /// Go on with an interrupted conversion
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Replace what is there
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ExpertsArg {
    /// As they are: MXFP4 blocks and scales as uint8
    Keep,
    /// MXFP4 made dense, in --dtype (bf16 with keep)
    Dequantize,
    /// Dense packed as MXFP4, to nearest where not exact
    Quantize,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    /// MindSpore checkpoint
    Ckpt,
    /// Hugging Face safetensors
    Safetensors,
    /// safetensors as MindSpore 2.4 and later load it
    MindsporeSafetensors,
}

// cargo run --release --example convert -- gpt-oss-20b gpt-oss-20b-mindspore
// cargo run --release --example convert -- gpt-oss-20b out --dtype keep --max-file-size 2147483647
// cargo run --release --example convert -- out back --format safetensors --dtype keep
fn main() -> ExitCode {
    let args = terminal::arguments::<Args>();
    terminal::exit(if args.paths.is_empty() { demo(&args) } else { run(&args, &args.paths) })
}

/// Converts a model made on the spot, into a folder that stays for a look.
fn demo(args: &Args) -> Outcome {
    let folder = tempfile::Builder::new().prefix("ascend-moe-").tempdir()?.keep();
    let (weights, out) = (folder.join("tiny"), folder.join("tiny-mindspore"));
    if !args.json {
        say!(
            "No arguments: converting a tiny synthetic model in {} (see --help)\n",
            folder.display()
        )?;
    }
    let source = Source::synthetic(Synthetic::new(Shape::tiny(), ExpertFormat::Mxfp4, 0));
    let plan = Plan::new(
        &source,
        &Policy::default(),
        &SafetensorsSink::unmarked(),
        &PlanOptions::default(),
    )?;
    let policy = Policy::default();
    let side = |manifest: &_| side_files(&source, &policy, manifest);
    Executor::default().run(&plan, &source, &weights, side, &())?;
    run(args, &[weights, out])
}

fn run(args: &Args, paths: &[PathBuf]) -> Outcome {
    let (inputs, out) = match paths {
        [one] => (
            paths,
            one.file_name().map_or_else(|| "converted".into(), |_| default_output(one, args)),
        ),
        [inputs @ .., out] => (inputs, out.clone()),
        [] => return Err("nothing to convert".into()),
    };
    let source = Source::open_parts(inputs)?;
    if !args.json {
        say!(
            "[1/4] {}: {} tensors, {} parameters, {} in {} files",
            inputs[0].display(),
            source.tensors().len(),
            source.parameters(),
            bytes(source.total_bytes()),
            source.files().len(),
        )?;
    }

    let policy = policy(args)?;
    let options =
        PlanOptions { stem: args.name.clone(), max_file_size: args.max_file_size, files: None };
    let plan = Plan::new(&source, &policy, sink(args)?.as_ref(), &options)?;
    if args.dry_run && args.json {
        return Ok(say!("{}", serde_json::to_string_pretty(&plan.to_json(&source))?)?);
    }
    if !args.json {
        say!(
            "[2/4] plan: {} tensors, {} as {}",
            plan.tensors.len(),
            bytes(plan.total_bytes()),
            plan.format
        )?;
    }
    if args.dry_run {
        return Ok(print_plan(&plan)?);
    }
    if !args.json {
        for tensor in plan.tensors.iter().take(10) {
            say!("      {} {} {:?}", tensor.name, tensor.dtype, tensor.shape)?;
        }
        say!("      … {} in all", plan.tensors.len())?;
    }

    let defaults = ExecOptions::default();
    let executor = Executor::new(ExecOptions {
        threads: args.threads.unwrap_or(defaults.threads),
        memory: args.memory,
        verify: !args.no_verify,
        resume: args.resume,
        overwrite: args.force,
        ..defaults
    });
    let side = |manifest: &_| side_files(&source, &policy, manifest);
    let report = executor.run(&plan, &source, &out, side, &Progress::new(args.json))?;
    if let Some(path) = &args.report {
        std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print_report(&report, &out)?;
    }
    Ok(())
}

/// `gpt-oss-20b` becomes `gpt-oss-20b-ckpt` in the current folder.
fn default_output(input: &Path, args: &Args) -> PathBuf {
    let name = input.file_stem().unwrap_or_default().to_string_lossy();
    let form = args.format.to_possible_value().map(|value| value.get_name().to_owned());
    PathBuf::from(format!("{name}-{}", form.unwrap_or_default()))
}

fn policy(args: &Args) -> Result<Policy, ckpt_convert::Error> {
    let mut rules = Rules::default();
    args.include.iter().try_for_each(|rule| rules.add_include(rule))?;
    args.drop.iter().try_for_each(|rule| rules.add_drop(rule))?;
    args.rename.iter().try_for_each(|rule| rules.add_rename(rule))?;
    args.dtype_rule.iter().try_for_each(|rule| rules.add_dtype(rule))?;
    args.rules.iter().try_for_each(|file| rules.add_file(file))?;
    let experts = match args.experts {
        ExpertsArg::Keep => Experts::Keep,
        ExpertsArg::Dequantize => Experts::Dequantize,
        ExpertsArg::Quantize => Experts::Quantize,
    };
    Ok(Policy { floats: args.dtype, experts, rules })
}

fn sink(args: &Args) -> Result<Box<dyn Sink>, &'static str> {
    match args.format {
        Format::Ckpt => Ok(Box::new(CkptSink { crc: args.crc })),
        _ if args.crc => {
            Err("--crc is of .ckpt files; the manifest holds digests for every format")
        }
        Format::Safetensors if args.name.is_some() => Err(
            "--name has no effect with --format safetensors: its readers want model.safetensors",
        ),
        Format::Safetensors => Ok(Box::new(SafetensorsSink::hugging_face())),
        Format::MindsporeSafetensors => Ok(Box::new(SafetensorsSink::mindspore())),
    }
}

fn print_plan(plan: &Plan) -> io::Result<()> {
    for file in &plan.files {
        say!("{} ({}, {} bytes)", file.name, bytes(file.bytes), file.bytes)?;
        for tensor in &plan.tensors[file.tensors.clone()] {
            say!("  {} {} {:?} {} bytes", tensor.name, tensor.dtype, tensor.shape, tensor.bytes)?;
        }
    }
    plan.dropped.iter().try_for_each(|name| say!("left out: {name}"))?;
    plan.warnings.iter().try_for_each(|warning| say!("note: {warning}"))?;
    say!("total: {} bytes; nothing was written", plan.total_bytes())
}

fn print_report(report: &Report, out: &Path) -> io::Result<()> {
    let resumed = match report.resumed_bytes {
        0 => String::new(),
        resumed => format!(", {} of it earlier", bytes(resumed)),
    };
    say!(
        "[3/4] written: {}{resumed} in {:.1} s, {}",
        bytes(report.bytes),
        report.write_seconds,
        rate(report.bytes - report.resumed_bytes, report.write_seconds),
    )?;
    match report.verify_seconds {
        Some(seconds) => {
            say!("[4/4] read back and equal: {seconds:.1} s, {}", rate(report.bytes, seconds))?;
        }
        None => say!("[4/4] not read back (--no-verify)")?,
    }
    if let Some(packing) = report.packing {
        say!(
            "      MXFP4: {} of {} blocks exact, largest error {:.3e}, relative RMS error {:.3e}",
            packing.exact_blocks,
            packing.blocks,
            packing.max_abs_error,
            packing.relative_rms_error,
        )?;
    }
    report.dropped.iter().try_for_each(|name| say!("      left out: {name}"))?;
    report.warnings.iter().try_for_each(|warning| say!("      note: {warning}"))?;
    say!("\n{}", out.display())?;
    let sizes = report.files.iter().map(|file| (&file.name, Some(file.bytes)));
    let mut entries: Vec<_> =
        sizes.chain(report.side_files.iter().map(|name| (name, None))).collect();
    entries.sort();
    for (index, (name, size)) in entries.iter().enumerate() {
        let branch = if index + 1 == entries.len() { "└──" } else { "├──" };
        let size = size.or_else(|| std::fs::metadata(out.join(name)).ok().map(|file| file.len()));
        say!("{branch} {name}  {}", bytes(size.unwrap_or(0)))?;
    }
    Ok(())
}
