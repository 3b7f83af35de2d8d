//! Downloads a model from the Hugging Face hub or a mirror.

mod terminal;

use std::error::Error;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, value_parser};
use hub_fetch::{
    CancelToken, Download, FileState, Filter, Hub, Options, Outcome, Pattern, Plan, RepoId, Report,
    Retry, Revision, Selection, Settings, check,
};
use terminal::{Progress, bytes, parse_bytes, rate, say};

/// Download a model from the Hugging Face hub: resumed, in parallel, verified.
///
/// By default the files that an engine needs from the top folder: configuration, tokenizer, chat
/// template, safetensors and their index. What came stays when it is interrupted (Ctrl-C, a lost
/// network, a crash): the same command goes on from there. A file has its name only when its digest
/// is the hub's.
///
/// Environment: `HF_ENDPOINT` (a mirror), `HF_TOKEN` or the token of `hf auth login`, `HF_HOME`,
/// `HF_HUB_DOWNLOAD_TIMEOUT` (seconds of silence, 10), `HF_HUB_OFFLINE` (as --check), `HTTPS_PROXY`,
/// `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`.
///
/// Exits with 0 when everything is there and right, 1 when not, 2 when the arguments are wrong, 130
/// after Ctrl-C.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Args {
    /// The repository, OWNER/NAME
    #[arg(default_value = "openai/gpt-oss-20b")]
    repo: RepoId,
    /// The folder to download into [default: in the current folder, named after the repository]
    #[arg(long, value_name = "DIR")]
    local_dir: Option<PathBuf>,
    /// A branch, a tag or a commit
    #[arg(long, default_value = "main")]
    revision: Revision,
    /// Download these files instead of the default ones, e.g. 'original/*' or '*' (* is anything, /
    /// included)
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    include: Vec<Pattern>,
    /// Leave these files out
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    exclude: Vec<Pattern>,
    /// Connections
    #[arg(long, value_name = "N", default_value = "8")]
    jobs: NonZero<usize>,
    /// The most bytes that one request asks for
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, default_value = "64MiB")]
    piece: u64,
    /// How often a request may fail in a row
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = value_parser!(u32).range(1..))]
    tries: u32,
    /// Hash files again that were verified when they came
    #[arg(long)]
    verify: bool,
    /// Compare the folder with what was downloaded into it, without the network
    #[arg(long, conflicts_with_all = ["dry_run", "force"])]
    check: bool,
    /// Replace files that are there and are not the hub's
    #[arg(long)]
    force: bool,
    /// Say what would be downloaded, and download nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

// cargo run --release --example download
// cargo run --release --example download -- openai/gpt-oss-120b --local-dir models/120b --dry-run
// HF_ENDPOINT=https://hf-mirror.com cargo run --release --example download
fn main() -> ExitCode {
    let cancel = CancelToken::default();
    match run(&terminal::arguments::<Args>(), &cancel) {
        Ok(true) => terminal::exit(Ok(())),
        Ok(false) => ExitCode::FAILURE,
        Err(error) if cancel.is_cancelled() => {
            terminal::complain(&format!("{error}"));
            // What shells give to a program that Ctrl-C ended: 128 and the number of SIGINT.
            ExitCode::from(130)
        }
        Err(error) => terminal::exit(Err(error)),
    }
}

/// True when all is there and right.
fn run(args: &Args, cancel: &CancelToken) -> Result<bool, Box<dyn Error>> {
    let on_interrupt = cancel.clone();
    ctrlc::set_handler(move || on_interrupt.cancel())?;
    let folder = args.local_dir.clone().unwrap_or_else(|| args.repo.name().into());
    let progress = Progress::new(args.json);
    let settings = Settings::from_env()?;
    if args.check || (settings.offline && !args.dry_run) {
        return look(args, &folder, cancel, &progress);
    }
    let hub = Hub::new(settings)?
        .with_retry(Retry::default().tries(args.tries))
        .with_cancel(cancel.clone());
    let filter = Filter::from_patterns(args.include.clone(), args.exclude.clone());
    let listing = hub.list(&args.repo, &args.revision, &progress)?;
    let selection = hub.select(&listing, &filter, &progress)?;
    let mut options = Options::default();
    (options.jobs, options.piece) = (args.jobs, args.piece);
    (options.overwrite, options.rehash) = (args.force, args.verify);
    let download = Download::new(&hub, &selection, &folder, options);
    let plan = download.plan()?;
    if args.dry_run && args.json {
        say!("{}", serde_json::to_string_pretty(&plan)?)?;
        return Ok(true);
    }
    if !args.json {
        introduce(args, &hub, &selection, &plan)?;
    }
    if args.dry_run {
        list(&plan)?;
        return Ok(true);
    }
    let report = download.run(&progress)?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        close(&report)?;
    }
    Ok(true)
}

/// Compares a folder with its record.
fn look(
    args: &Args,
    folder: &Path,
    cancel: &CancelToken,
    progress: &Progress,
) -> Result<bool, Box<dyn Error>> {
    let check = check(folder, args.verify, cancel, progress)?;
    let right = check.findings.is_empty();
    if args.json {
        say!("{}", serde_json::to_string_pretty(&check)?)?;
        return Ok(right);
    }
    check.findings.iter().try_for_each(|finding| say!("{finding}"))?;
    say!(
        "{}: {} at {}, {} files, {}: {}",
        folder.display(),
        check.repo,
        check.commit,
        check.files,
        bytes(check.bytes),
        if right { "all there".to_owned() } else { format!("{} not right", check.findings.len()) },
    )?;
    Ok(right)
}

fn introduce(args: &Args, hub: &Hub, selection: &Selection, plan: &Plan) -> io::Result<()> {
    say!(
        "{} at {} ({}) from {}: {} files, {}",
        args.repo,
        args.revision,
        &selection.commit[..12],
        hub.settings().endpoint,
        plan.files.len(),
        bytes(plan.bytes),
    )?;
    if !selection.left_out.is_empty() {
        say!("left out: {} (--include takes them)", left_out(selection))?;
    }
    let unknown = selection.files.iter().filter(|file| file.digest.is_none()).count();
    if unknown > 0 {
        say!("note: the hub tells no digest of {unknown} files; only their size is checked")?;
    }
    Ok(())
}

/// `README.md, original/ (3 files, 13.76 GB)`
fn left_out(selection: &Selection) -> String {
    let mut groups: Vec<(&str, usize, u64)> = Vec::new();
    for entry in &selection.left_out {
        let name = entry.name.find('/').map_or(&entry.name[..], |slash| &entry.name[..=slash]);
        let size = entry.size.unwrap_or(0);
        match groups.last_mut() {
            Some(group) if group.0 == name => {
                *group = (name, group.1 + 1, group.2.saturating_add(size));
            }
            _ => groups.push((name, 1, size)),
        }
    }
    let text = groups.iter().map(|(name, count, size)| {
        let files = if *count == 1 { "file" } else { "files" };
        let folder = || format!("{name} ({count} {files}, {})", bytes(*size));
        if name.ends_with('/') { folder() } else { (*name).to_owned() }
    });
    text.collect::<Vec<_>>().join(", ")
}

fn list(plan: &Plan) -> io::Result<()> {
    for planned in &plan.files {
        let state = match &planned.state {
            FileState::Present => "there".to_owned(),
            FileState::Unproven => "there, to be hashed".to_owned(),
            FileState::Partial { have } => format!("{} there", bytes(*have)),
            FileState::Outdated => "another version there, to be replaced".to_owned(),
            FileState::Foreign { reason } => format!("another file there ({reason}): --force"),
            _ => "to be downloaded".to_owned(),
        };
        say!(
            "{} ({}, {} bytes): {state}",
            planned.file.name,
            bytes(planned.file.size),
            planned.file.size
        )?;
    }
    let free = plan.free.map_or_else(String::new, |free| format!(", {} free", bytes(free)));
    say!("to come: {} bytes{free}; nothing was downloaded", plan.missing)
}

fn close(report: &Report) -> io::Result<()> {
    for file in &report.files {
        let outcome = match file.outcome {
            Outcome::Kept => "there already",
            Outcome::Resumed => "resumed",
            _ => "downloaded",
        };
        let digest =
            file.digest.map_or_else(|| "no digest".to_owned(), |digest| digest.to_string());
        say!("{}  {}  {outcome}  {digest}", file.name, bytes(file.size))?;
    }
    let resumed = match report.resumed {
        0 => String::new(),
        resumed => format!(", {} came earlier", bytes(resumed)),
    };
    say!(
        "{}: {} received in {:.1} s, {}{resumed}",
        report.folder.display(),
        bytes(report.received),
        report.seconds,
        rate(report.received, report.seconds),
    )
}
