//! The whole way on a tiny model: make it, look at it, convert it, verify it, measure it.

mod terminal;

use std::path::Path;
use std::process::ExitCode;

use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape, shard_files};
use ckpt_convert::{
    CkptSink, ExecOptions, Executor, Experts, FloatTarget, Plan, PlanOptions, Policy, Report,
    SafetensorsSink, Source, Summary, Synthetic, VerifyOptions, side_files, verify,
};
use clap::Parser;
use lowfloat::DType;
use terminal::{Outcome, bytes, rate, say};

/// Make a tiny gpt-oss checkpoint, inspect it, convert it to MindSpore, verify it, and measure.
#[derive(Parser)]
struct Args {
    /// Keep the tiny model and its conversion in this folder instead of a temporary one; nothing
    /// that is there is replaced
    #[arg(long)]
    keep: Option<std::path::PathBuf>,
}

// cargo run --release --example quickstart
fn main() -> ExitCode {
    terminal::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Outcome {
    let temporary = tempfile::tempdir()?;
    let folder = args.keep.as_deref().unwrap_or(temporary.path());
    let (weights, converted) = (folder.join("tiny"), folder.join("tiny-mindspore"));
    for made in [&weights, &converted] {
        if made.symlink_metadata().is_ok() {
            return Err(
                format!("{} is already there: keep in another folder", made.display()).into()
            );
        }
    }

    say!("1. synthesize  a gpt-oss model with random weights, in the released layout")?;
    write_weights(&Shape::tiny(), &weights)?;

    say!("2. inspect")?;
    let source = Source::open(&weights)?;
    let summary = Summary::of(&source);
    say!(
        "   {} tensors, {} parameters, {} in {} files",
        summary.num_tensors,
        summary.parameters,
        bytes(summary.total_bytes),
        source.files().len(),
    )?;

    say!("3. convert     to a MindSpore checkpoint, floats as f32")?;
    let policy = Policy { floats: FloatTarget::To(DType::F32), ..Policy::default() };
    let report = convert(&source, &policy, &converted)?;
    let checkpoint = converted.join(&report.files[0].name);
    say!("   {} ({})", report.files[0].name, bytes(report.bytes))?;

    say!("4. verify      structure, digests, and every value against the source")?;
    let options = VerifyOptions { against: Some(&source), ..VerifyOptions::default() };
    let verification = verify(&checkpoint, &options, &())?;
    if !verification.is_right() {
        return Err(
            format!("the converted checkpoint is wrong: {:?}", verification.findings).into()
        );
    }
    say!("   {} tensors right, every value compared", verification.tensors)?;

    say!("5. measure     conversions of a larger model (durable writes, digests, no read-back)\n")?;
    measure(folder)?;
    say!("\nNext: cargo run --release --example convert -- --help")?;
    Ok(())
}

fn convert(source: &Source, policy: &Policy, out: &Path) -> Result<Report, ckpt_convert::Error> {
    let plan = Plan::new(source, policy, &CkptSink::default(), &PlanOptions::default())?;
    let side = |manifest: &_| side_files(source, policy, manifest);
    Executor::new(unverified()).run(&plan, source, out, side, &())
}

fn unverified() -> ExecOptions {
    ExecOptions { verify: false, ..ExecOptions::default() }
}

/// Measures on the disk of `folder`, and leaves nothing there.
fn measure(folder: &Path) -> Outcome {
    // About 130 MB: large enough for a rate, small enough for a laptop.
    let shape =
        Shape { hidden: 768, intermediate: 768, vocab: 16_384, experts: 16, ..Shape::tiny() };
    let scratch = tempfile::tempdir_in(folder)?;
    let weights = scratch.path().join("larger");
    write_weights(&shape, &weights)?;
    let source = Source::open(&weights)?;
    say!("   {:<22} {:>10} {:>10} {:>8} {:>11}", "conversion", "in", "out", "seconds", "out rate")?;
    let cases = [
        ("keep", FloatTarget::Keep, Experts::Keep),
        ("f32", FloatTarget::To(DType::F32), Experts::Keep),
        ("f16", FloatTarget::To(DType::F16), Experts::Keep),
        ("bf16, dense experts", FloatTarget::Keep, Experts::Dequantize),
        ("f32, dense experts", FloatTarget::To(DType::F32), Experts::Dequantize),
    ];
    for (name, floats, experts) in cases {
        let policy = Policy { floats, experts, ..Policy::default() };
        let out = tempfile::tempdir_in(folder)?;
        let report = convert(&source, &policy, out.path())?;
        say!(
            "   {name:<22} {:>10} {:>10} {:>8.2} {:>11}",
            bytes(report.source_bytes),
            bytes(report.bytes),
            report.write_seconds,
            rate(report.bytes, report.write_seconds),
        )?;
    }
    Ok(())
}
