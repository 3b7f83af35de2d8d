//! Says whether a checkpoint would load and be right, and what is wrong with it.

mod terminal;

use std::error::Error;
use std::fmt::Write as _;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use ckpt_convert::{Finding, Severity, Source, Verification, VerifyOptions, verify};
use clap::Parser;
use terminal::{Progress, bytes, parse_bytes, rate};

/// Check a checkpoint: its structure, its checksum, its manifest, and its values.
///
/// A .ckpt file, several parts (their index or folder), or safetensors files. Exits with 0 only
/// when it would load and is right, as far as there is something to compare it with: without a
/// manifest or --against, changed values and a file cut between two tensors do not show.
#[derive(Parser)]
struct Args {
    /// The file, the index of several parts, or their folder
    #[arg(value_name = "CKPT")]
    path: PathBuf,
    /// What it was converted from: every value is compared with what that must give
    #[arg(long, value_name = "WEIGHTS_DIR")]
    against: Option<PathBuf>,
    /// The manifest of the conversion [default: manifest.json beside the checkpoint]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Threads that hash and compare [default: one a core]
    #[arg(long)]
    threads: Option<NonZero<usize>>,
    /// Memory for buffers
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, default_value = "256MiB")]
    memory: u64,
    /// Print one JSON object with all findings
    #[arg(long)]
    json: bool,
}

// cargo run --release --example verify -- out/gpt_oss_20b.ckpt
// cargo run --release --example verify -- out --against gpt-oss-20b
fn main() -> ExitCode {
    match run(&terminal::arguments::<Args>()) {
        Ok(true) => terminal::exit(Ok(())),
        Ok(false) => ExitCode::FAILURE,
        Err(error) => terminal::exit(Err(error)),
    }
}

fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    let source = args.against.as_ref().map(Source::open).transpose()?;
    let defaults = VerifyOptions::default();
    let options = VerifyOptions {
        against: source.as_ref(),
        manifest: args.manifest.clone(),
        threads: args.threads.unwrap_or(defaults.threads),
        memory: args.memory,
        ..defaults
    };
    let verification = verify(&args.path, &options, &Progress::new(args.json))?;
    let text = if args.json {
        let mut object = serde_json::to_value(&verification)?;
        object["right"] = verification.is_right().into();
        serde_json::to_string_pretty(&object)? + "\n"
    } else {
        describe(args, &verification)?
    };
    terminal::print(&text)?;
    Ok(verification.is_right())
}

fn describe(args: &Args, verification: &Verification) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let checked = verification.checked;
    let mut checks = vec!["structure".to_owned()];
    checks.extend(checked.crc.then(|| "checksum".to_owned()));
    checks.extend(checked.manifest.then(|| "manifest".to_owned()));
    checks.extend(checked.digests.then(|| "digests".to_owned()));
    if let Some(against) = args.against.as_ref().filter(|_| checked.values) {
        checks.push(format!("every value against {}", against.display()));
    }
    writeln!(text, "{}: checked {}", args.path.display(), checks.join(", "))?;
    for (severity, what, count) in [
        (Severity::Error, "error", verification.errors),
        (Severity::Warning, "warning", verification.warnings),
    ] {
        let mut findings = verification.findings.iter().filter(|f| f.severity == severity);
        group(&mut text, what, count, &mut findings)?;
    }
    text.push_str(&closing(args, verification));
    Ok(text)
}

/// Findings of one kind that are printed; --json has all.
const SHOWN: usize = 50;

fn group(
    text: &mut String,
    what: &str,
    count: u64,
    findings: &mut dyn Iterator<Item = &Finding>,
) -> std::fmt::Result {
    if count == 0 {
        return Ok(());
    }
    writeln!(text, "{}:", plural(count, what))?;
    let mut shown = 0;
    for finding in findings.take(SHOWN) {
        writeln!(text, "  {finding}")?;
        shown += 1;
    }
    match count - shown {
        0 => Ok(()),
        more => writeln!(text, "  … and {more} more (see --json)"),
    }
}

fn closing(args: &Args, verification: &Verification) -> String {
    let Verification { files, tensors, errors, checked, seconds, .. } = verification;
    let verdict = match (verification.is_right(), checked.digests || checked.values) {
        (true, true) => "right".to_owned(),
        (true, false) => "well-formed".to_owned(),
        (false, _) => format!("not right, {}", plural(*errors, "error")),
    };
    let read = match verification.bytes_read {
        0 => String::new(),
        read => format!(", {} read in {seconds:.1} s, {}", bytes(read), rate(read, *seconds)),
    };
    let unseen = match (checked.manifest || args.against.is_some(), checked.crc) {
        (true, _) => "",
        (false, true) => {
            "; there is no manifest and no --against: the checksum alone speaks for the values"
        }
        (false, false) => {
            "; there is no manifest and no --against: values were not checked, and a file cut \
             between two tensors cannot be told from a whole one"
        }
    };
    format!(
        "{verdict}: {}, {}, {}{read}{unseen}\n",
        plural(*tensors as u64, "tensor"),
        plural(files.len() as u64, "file"),
        bytes(verification.bytes),
    )
}

fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
