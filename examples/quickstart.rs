//! The whole way on a tiny model: make it, look at it, convert it, verify it, run it, also on a simulated NPU, measure it.

mod hub;
mod model;
mod terminal;

use std::env;
use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ascend_acl::Ascend;
use ascend_sim::layout::{Cann, lay_out};
use ckpt_convert::presets::gpt_oss::Shape;
use ckpt_convert::{
    CkptSink, ExecOptions, Executor, FloatTarget, Plan, PlanOptions, Policy, Report as Conversion,
    Source, Summary, VerifyOptions, side_files, verify,
};
use clap::Parser;
use hub_fetch::RepoId;
use lowfloat::DType;
use model::{is_synthetic, larger_shape, write_weights};
use moe_bench::{Grid, ModelFacts, Rates, Report, Schedule, Style, Thresholds, Watch};
use moe_engine::backend::{Backend, NpuOptions};
use moe_engine::{Generation, Model, Options, Precision, Request};
use terminal::{Outcome, bytes, rate, say};

/// Make a tiny gpt-oss checkpoint, inspect it, convert it to MindSpore, verify it, run it, on a simulated NPU too, and measure.
///
/// A model of the hub is downloaded first, as `download` does, with the same environment (`HF_ENDPOINT`, `HF_TOKEN`, …): the
/// same command goes on after an interruption, and what is there already does not come again.
#[derive(Parser)]
struct Args {
    /// Take this checkpoint instead of a tiny one; its conversion needs about as much room again. A folder, or, where there is
    /// none of that name, a repository of the hub (OWNER/NAME), which is downloaded into the folder to keep, or else into the
    /// current one, under its name
    #[arg(long, value_name = "FOLDER|REPO")]
    model: Option<PathBuf>,
    /// Keep what is made in this folder instead of a temporary one; nothing that is there is replaced
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Where the page of the measurement goes, in place of what is there [default: beside this program]
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

// cargo run --release --example quickstart
// cargo run --release --example quickstart -- --model gpt-oss-20b --keep somewhere --page report.html
// cargo run --release --example quickstart -- --model openai/gpt-oss-20b --keep somewhere
fn main() -> ExitCode {
    terminal::exit(run(&terminal::arguments::<Args>()))
}

fn run(args: &Args) -> Outcome {
    let temporary = tempfile::tempdir()?;
    let folder = args.keep.as_deref().unwrap_or(temporary.path());
    let page = match &args.page {
        Some(page) => page.clone(),
        None => env::current_exe()?.with_extension("html"),
    };
    let parent = page.parent().filter(|folder| !folder.as_os_str().is_empty());
    if parent.is_some_and(|folder| !folder.is_dir()) {
        return Err(format!("{}: there is no such folder", page.display()).into());
    }
    let (weights, repo) = weights(args, folder)?;
    let name = weights.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let converted = folder.join(format!("{name}-mindspore"));
    let made = [Some(&weights).filter(|_| args.model.is_none()), Some(&converted)];
    for made in made.into_iter().flatten() {
        if made.symlink_metadata().is_ok() {
            return Err(
                format!("{} is already there: keep in another folder", made.display()).into()
            );
        }
    }

    match (&args.model, &repo) {
        (None, _) => {
            say!("1. synthesize  a gpt-oss model with random weights, in the released layout")?;
            write_weights(&Shape::tiny(), &weights)?;
        }
        (Some(_), None) => say!("1. open        {}", weights.display())?,
        (Some(_), Some(repo)) => {
            say!("1. download    {repo}, since there is no folder of that name here")?;
            hub::fetch(repo, &weights).map_err(|error| {
                format!("cannot download {repo} (--model takes a folder, too): {error}")
            })?;
        }
    }

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
    say!(
        "   {} ({}, {})",
        report.files[0].name,
        bytes(report.bytes),
        rate(report.bytes, report.write_seconds)
    )?;

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
    let tokens = generate(&checkpoint, &prompt, 12)?;
    let expected = generate(&weights, &prompt, 12)?;
    if tokens != expected {
        return Err(format!("{tokens:?} from the checkpoint, {expected:?} from its source").into());
    }
    say!("   {prompt:?} goes on with {tokens:?}")?;

    if args.model.is_none() {
        say!("6. simulate    an Ascend NPU in memory, and run it there")?;
        match on_simulated_npu(&checkpoint, &prompt, 12) {
            Ok((device, tokens)) => say!("   {device}: {prompt:?} goes on with {tokens:?}")?,
            Err(error) => say!("   left out: {error}")?,
        }
    }

    let mut command = "cargo run --release --example quickstart".to_owned();
    let report = if let Some(model) = &args.model {
        say!("6. measure     on this machine")?;
        command = format!("{command} -- --model {}", model.display());
        measure_model(&weights, &name, is_synthetic(&weights), &command)?
    } else {
        say!("7. measure     a larger model on this machine, also of random weights")?;
        let larger = tempfile::tempdir_in(folder)?;
        write_weights(&larger_shape(), larger.path())?;
        measure_model(larger.path(), "small synthetic model", true, &command)?
    };
    say!("\n{}\n", report.to_text(Style::Plain, &Thresholds::default()).trim_end())?;
    fs::write(&page, report.to_html())
        .map_err(|error| format!("cannot write {}: {error}", page.display()))?;
    say!("The same as a page of charts: {}", page.display())?;
    say!("\nNext: cargo run --release --example convert -- --help")?;
    say!("      cargo run --release --example generate -- --help")?;
    say!("      cargo run --release --example bench -- --help")?;
    Ok(())
}

/// Where the model is or is going to be, and the repository that it comes from, if it does.
fn weights(args: &Args, folder: &Path) -> Result<(PathBuf, Option<RepoId>), Box<dyn Error>> {
    let Some(model) = &args.model else { return Ok((folder.join("tiny"), None)) };
    let missing = match fs::canonicalize(model) {
        Ok(path) => return Ok((path, None)),
        Err(error) => error,
    };
    let owned = model.to_str().filter(|name| name.contains('/'));
    match owned.map(str::parse::<RepoId>) {
        Some(Ok(repo)) if missing.kind() == ErrorKind::NotFound => {
            let into = args.keep.as_deref().unwrap_or(Path::new(""));
            Ok((into.join(repo.name()), Some(repo)))
        }
        _ => Err(format!("cannot open {}: {missing}", model.display()).into()),
    }
}

/// The most likely tokens after a prompt.
fn generate(path: &Path, prompt: &[u32], max_new: usize) -> Result<Vec<u32>, moe_engine::Error> {
    let model = Model::open(path, &Options { precision: Precision::F32, ..Options::default() })?;
    let request = Request { max_new, stop_tokens: Some(Vec::new()), ..Request::new(prompt) };
    Generation::new(&model, [request])?.map(|step| Ok(step?.token)).collect()
}

/// The device, and the most likely tokens after a prompt as it computes them, at bf16. Simulators are laid out for Linux only.
fn on_simulated_npu(
    path: &Path,
    prompt: &[u32],
    max_new: usize,
) -> Result<(String, Vec<u32>), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let ascend = Ascend::load_from(lay_out(folder.path(), Cann::V8_5)?)?;
    let options = Options { precision: Precision::Bf16, chunk: 64, ..Options::default() };
    let mut npu = NpuOptions::default();
    (npu.kv_positions, npu.sequences) = (Some(256), 1);
    let model = Model::open_npu(path, &ascend, &options, &npu, None)?;
    let request = Request { max_new, stop_tokens: Some(Vec::new()), ..Request::new(prompt) };
    let tokens = Generation::new(&model, [request])?.map(|step| Ok(step?.token));
    let tokens: Result<_, moe_engine::Error> = tokens.collect();
    Ok((model.backend().capabilities().device, tokens?))
}

fn convert(
    source: &Source,
    policy: &Policy,
    out: &Path,
) -> Result<Conversion, ckpt_convert::Error> {
    let plan = Plan::new(source, policy, &CkptSink::default(), &PlanOptions::default())?;
    let side = |manifest: &_| side_files(source, policy, manifest);
    Executor::new(unverified()).run(&plan, source, out, side, &())
}

fn unverified() -> ExecOptions {
    ExecOptions { verify: false, ..ExecOptions::default() }
}

/// One sequence and four together, in two precisions.
fn measure_model(
    path: &Path,
    name: &str,
    synthetic: bool,
    command: &str,
) -> Result<Report, Box<dyn Error>> {
    let grid = Grid { batches: vec![1, 4], prompts: vec![64], generate: 16 };
    let schedule = Schedule { warmup: 1, runs: 3, seed: 0 };
    let mut rates = Some(Rates::measure()?);
    let watch = Watch::start();
    let mut report: Option<Report> = None;
    for precision in [Precision::F32, Precision::Bf16] {
        let model = Model::open(path, &Options { precision, ..Options::default() })?;
        let report = report.get_or_insert_with(|| {
            let facts = ModelFacts::of(&model, name, synthetic);
            Report::new(command, facts, schedule, rates.take())
        });
        for case in grid.cases() {
            report.push(moe_bench::measure(&model, &case, &schedule, &mut ())?);
        }
    }
    let mut report = report.ok_or("nothing was measured")?;
    report.noise = watch.noise();
    Ok(report)
}
