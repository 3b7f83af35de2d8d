//! Measures inference.

mod measure;
mod model;
mod terminal;

use std::fs;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use measure::{Bench, Subject};
use model::{DeviceArgs, FormArgs};
use moe_bench::{Chip, Grid, Rates, Report, Schedule, Style, Thresholds, Watch};
use moe_engine::{Options, Precision};
use terminal::{Outcome, complain, print, say};

/// Measure inference: throughput, latency, memory, and how near to the machine's limit they come.
///
/// Without arguments: a small synthetic model with random weights and a short sweep, done within a minute. The sweep of
/// the published recipe is --batch 1,2,4 --seq 64,128,256,512 --generate 128. Ctrl-C ends the measuring; what is
/// complete is still shown.
#[derive(Parser)]
struct Args {
    /// A checkpoint, synthetic or real; a small synthetic one is made if there is none
    #[arg(long)]
    model: Option<PathBuf>,
    /// Sequences together
    #[arg(long, value_delimiter = ',', default_value = "1,2,4")]
    batch: Vec<usize>,
    /// Tokens of each prompt
    #[arg(long, value_delimiter = ',', default_value = "64,128,256")]
    seq: Vec<usize>,
    #[command(flatten)]
    device: DeviceArgs,
    /// How activations are rounded: f32, bf16, f16 [default: f32,bf16, on an NPU bf16]
    #[arg(long, value_delimiter = ',')]
    precision: Vec<Precision>,
    #[command(flatten)]
    form: FormArgs,
    /// Tokens that each sequence goes on with
    #[arg(long, default_value_t = 32)]
    generate: usize,
    /// Runs that do not count, first
    #[arg(long, default_value_t = 1)]
    warmup: usize,
    /// Runs that do
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// What the prompts' tokens are drawn with
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads that compute; all cores if not given
    #[arg(long)]
    threads: Option<usize>,
    /// Also take the time of every step of a token, of the first case
    #[arg(long)]
    profile: bool,
    /// Also print what a step would take of each Ascend chip by its data sheet; for a model on an NPU
    #[arg(long)]
    roofline: bool,
    /// From how many tokens a second on a throughput is green, and below how many it is red
    #[arg(long, value_names = ["GOOD", "POOR"], num_args = 2, default_values = ["20", "7"])]
    thresholds: Vec<f64>,
    /// Write everything as JSON; - for standard output, instead of the tables
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a row a case as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the tables as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write a page of charts that needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Compare with an earlier --json
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

// cargo run --release --example bench
// cargo run --release --example bench -- --model gpt-oss-20b --precision bf16 --html report.html
// cargo run --release --example bench -- --model gpt-oss-20b --device npu --roofline
fn main() -> ExitCode {
    terminal::exit(run(&terminal::arguments::<Args>()))
}

fn run(args: &Args) -> Outcome {
    // Everything that can be wrong with the arguments is found before minutes are spent.
    let baseline = args.baseline.as_ref().map(Report::read).transpose()?;
    for file in [&args.json, &args.csv, &args.markdown, &args.html].into_iter().flatten() {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(format!("{}: there is no such folder", file.display()).into());
        }
    }
    let device = args.device.decided();
    if args.roofline && !device.is_npu() {
        return Err("--roofline: of which NPU? give --device npu".into());
    }
    if device.is_npu() && args.profile {
        return Err("--profile: steps of an NPU are queued, and have no time of their own".into());
    }
    let subject = Subject::open(args.model.as_deref())?;
    let grid =
        Grid { batches: args.batch.clone(), prompts: args.seq.clone(), generate: args.generate };
    let schedule = Schedule { warmup: args.warmup, runs: args.runs, seed: args.seed };
    let interrupted = Arc::new(AtomicBool::new(false));
    let pressed = Arc::clone(&interrupted);
    if !device.is_shared() {
        ctrlc::set_handler(move || pressed.store(true, Ordering::Relaxed))?;
    }
    let precisions = match &args.precision[..] {
        [] if device.is_npu() => vec![Precision::Bf16],
        [] => vec![Precision::F32, Precision::Bf16],
        given => given.to_vec(),
    };
    let mut options = Options { threads: args.threads, ..Options::default() };
    args.form.apply(&mut options)?;
    let bench = Bench { subject: &subject, device: &device, options, schedule, interrupted };
    let keys = args.seq.first().copied().unwrap_or(0) + args.generate;
    if device.plans() {
        device.show_plan(subject.path(), &bench.options(device.precision()))?;
        if args.roofline {
            print(&format!("\n{}", bench.roofline(&args.batch, keys)?))?;
        }
        return Ok(());
    }
    let facts = bench.facts(precisions[0])?;
    // A chip is measured against its data sheet.
    let rates = if let Some(soc) = device.chip()? {
        Chip::of(&soc).map(|chip| chip.rates())
    } else {
        complain("measuring what the machine can do ...");
        Some(Rates::measure()?)
    };
    let mut report = Report::new(command(), facts, schedule, rates);
    let watch = Watch::start();
    for &precision in &precisions {
        bench.sweep(precision, &grid, &mut report)?;
        if args.profile {
            bench.profile(precision, &grid, &mut report)?;
        }
    }
    report.noise = watch.noise();
    write(args, &report)?;
    if args.roofline {
        print(&bench.roofline(&args.batch, keys)?)?;
    }
    if let Some(baseline) = baseline {
        say!("{}", report.compare(&baseline))?;
    }
    if bench.cancelled() { Err("interrupted: cases are missing".into()) } else { Ok(()) }
}

fn write(args: &Args, report: &Report) -> Outcome {
    let json = report.to_json()?;
    if args.json.as_deref() == Some(Path::new("-")) {
        print(&json)?;
    } else {
        let style = if stdout().is_terminal() { Style::Coloured } else { Style::Plain };
        let thresholds = Thresholds { good: args.thresholds[0], poor: args.thresholds[1] };
        print(&report.to_text(style, &thresholds))?;
    }
    let files = [
        (args.json.as_deref().filter(|file| *file != Path::new("-")), json),
        (args.csv.as_deref(), report.to_csv()),
        (args.markdown.as_deref(), report.to_markdown()),
        (args.html.as_deref(), report.to_html()),
    ];
    for (file, text) in files {
        if let Some(file) = file {
            fs::write(file, text)
                .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            complain(&format!("wrote {}", file.display()));
        }
    }
    Ok(())
}

/// What measures the same again.
fn command() -> String {
    let quoted = |argument: String| {
        let plain = |char: char| char.is_ascii_alphanumeric() || "-_./,=:".contains(char);
        let simple = !argument.is_empty() && argument.chars().all(plain);
        if simple { argument } else { format!("'{}'", argument.replace('\'', r"'\''")) }
    };
    let arguments: Vec<_> = std::env::args().skip(1).map(quoted).collect();
    format!("cargo run --release --example bench -- {}", arguments.join(" ")).trim_end().to_owned()
}
