//! The whole way on a tiny model: make it, look at it, convert it, verify it, run it, measure it.

mod model;
mod terminal;

use std::path::Path;
use std::process::ExitCode;

use ckpt_convert::presets::gpt_oss::Shape;
use ckpt_convert::{
    CkptSink, ExecOptions, Executor, Experts, FloatTarget, Plan, PlanOptions, Policy, Report,
    Source, Summary, VerifyOptions, side_files, verify,
};
use clap::Parser;
use lowfloat::DType;
use model::write_weights;
use moe_engine::{Generation, Metrics, Model, Options, Precision, Request};
use terminal::{Outcome, bytes, rate, say};

/// Make a tiny gpt-oss checkpoint, inspect it, convert it to MindSpore, verify it, run it, and measure.
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

    say!("5. run         the converted checkpoint, as the original, token by token")?;
    let prompt = [1, 2, 3];
    let (tokens, _) = generate(&checkpoint, Precision::F32, &prompt, 12)?;
    let (expected, _) = generate(&weights, Precision::F32, &prompt, 12)?;
    if tokens != expected {
        return Err(format!("{tokens:?} from the checkpoint, {expected:?} from its source").into());
    }
    say!("   {prompt:?} goes on with {tokens:?}")?;

    say!("6. measure     a larger model on this machine\n")?;
    measure(folder)?;
    say!("\nNext: cargo run --release --example convert -- --help")?;
    say!("      cargo run --release --example generate -- --help")?;
    Ok(())
}

/// The most likely tokens after a prompt, and how long they took.
fn generate(
    path: &Path,
    precision: Precision,
    prompt: &[u32],
    max_new: usize,
) -> Result<(Vec<u32>, Metrics), moe_engine::Error> {
    let model = Model::open(path, &Options { precision, ..Options::default() })?;
    let request = Request { max_new, stop_tokens: Some(Vec::new()), ..Request::new(prompt) };
    let mut generation = Generation::new(&model, [request])?;
    let steps = generation.by_ref().collect::<Result<Vec<_>, _>>()?;
    let tokens = steps.iter().map(|step| step.token).collect();
    Ok((tokens, generation.metrics().clone()))
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
    say!("\n   {:<22} {:>15} {:>15} {:>20}", "inference", "prefill", "decode", "first token")?;
    let prompt: Vec<_> = (0..256).collect();
    for precision in Precision::ALL {
        let (_, metrics) = generate(&weights, precision, &prompt, 64)?;
        say!(
            "   {:<22} {:>11.0} t/s {:>11.1} t/s {:>17.1} ms",
            format!("{precision}, 256 + 64 tokens"),
            metrics.prefill_rate(),
            metrics.decode_rate(),
            1000.0 * metrics.first_token.as_secs_f64(),
        )?;
    }
    Ok(())
}
