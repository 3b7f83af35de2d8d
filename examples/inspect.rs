//! Shows what a checkpoint holds: safetensors or MindSpore, whole or in parts.

mod terminal;

use std::env;
use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use ckpt_convert::{ConfigFacts, Pattern, Source, Summary, Totals};
use clap::Parser;
use terminal::{Outcome, Progress, bytes};

/// Show what a checkpoint holds: tensors, types, shapes, files, parameters, bytes by part.
///
/// Reads headers only, unless --hash is given: a large checkpoint takes no longer than a small one.
/// MXFP4 blocks count as the weights they hold. Names are shown with control characters escaped.
#[derive(Parser)]
struct Args {
    /// A folder in the Hugging Face layout or OpenAI's original/ one, a .safetensors file, an index,
    /// a MindSpore .ckpt (several: parts of one), or a folder of those
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print one JSON object with every tensor
    #[arg(long)]
    json: bool,
    /// Print the tensors' names only, one a line, in file order
    #[arg(long, conflicts_with_all = ["json", "hash"])]
    names: bool,
    /// Read everything and show the SHA-256 of each tensor's little-endian content
    #[arg(long)]
    hash: bool,
}

// cargo run --release --example inspect -- gpt-oss-20b
// cargo run --release --example inspect -- out/gpt_oss_20b.ckpt --json --hash
fn main() -> ExitCode {
    terminal::exit(run(&terminal::arguments::<Args>()))
}

fn run(args: &Args) -> Outcome {
    let source = Source::open_parts(&args.paths)?;
    let summary = if args.hash {
        let threads = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Summary::with_digests(&source, threads, &Progress::new(false))?
    } else {
        Summary::of(&source)
    };
    let text = if args.json {
        serde_json::to_string_pretty(&summary)? + "\n"
    } else if args.names {
        summary.tensors.iter().map(|tensor| escaped(&tensor.name) + "\n").collect()
    } else {
        let mut report = Report { text: String::new(), bold: styled() };
        report.all(&summary);
        report.text
    };
    Ok(terminal::print(&text)?)
}

/// See no-color.org.
fn styled() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal()
        && !set("NO_COLOR")
        && env::var_os("TERM").is_none_or(|t| t != "dumb")
}

struct Report {
    text: String,
    bold: bool,
}

impl Report {
    fn all(&mut self, summary: &Summary) {
        self.title(&escaped(&summary.path));
        self.table(2, &facts(summary));
        self.title("By type");
        self.totals(&summary.by_dtype, summary.total_bytes);
        self.title("By part");
        self.totals(&summary.by_group, summary.total_bytes);
        self.title("Files");
        let files = summary.files.iter().map(|file| {
            vec![escaped(&file.name), counted(file.tensors, "tensor"), bytes(file.bytes)]
        });
        self.table(1, &files.collect::<Vec<_>>());
        self.title("Tensors");
        if summary.tensors.iter().any(|tensor| tensor.sha256.is_some()) {
            let tensors = summary.tensors.iter().map(|tensor| {
                let digest = tensor.sha256.clone().unwrap_or_default();
                let shape = format!("{:?}", tensor.shape);
                vec![digest, tensor.dtype.to_string(), shape, escaped(&tensor.name)]
            });
            self.table(4, &tensors.collect::<Vec<_>>());
        } else {
            self.table(3, &summary.patterns().iter().map(pattern).collect::<Vec<_>>());
        }
        if !summary.warnings.is_empty() {
            self.title("Warnings");
            let warnings = summary.warnings.iter().map(|warning| vec![escaped(warning)]);
            self.table(1, &warnings.collect::<Vec<_>>());
        }
    }

    fn title(&mut self, title: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        let (on, off) = if self.bold { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(self.text, "{gap}{on}{title}{off}");
    }

    /// The first `left` columns start, the others end where the widest of their cells does.
    fn table(&mut self, left: usize, rows: &[Vec<String>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        for row in rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
                if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            let _ = writeln!(self.text, "  {}", line.trim_end());
        }
    }

    /// The largest first.
    fn totals<'a, K: Display + 'a>(
        &mut self,
        totals: impl IntoIterator<Item = (K, &'a Totals)>,
        all_bytes: u64,
    ) {
        let mut totals: Vec<_> = totals.into_iter().collect();
        totals.sort_by_key(|(_, totals)| std::cmp::Reverse(totals.bytes));
        let rows = totals.iter().map(|(key, totals)| {
            let share = 100.0 * totals.bytes as f64 / all_bytes.max(1) as f64;
            let tensors = counted(totals.tensors, "tensor");
            let parameters = format!("{} parameters", grouped(totals.parameters));
            vec![key.to_string(), tensors, parameters, bytes(totals.bytes), format!("{share:.1} %")]
        });
        self.table(1, &rows.collect::<Vec<_>>());
    }
}

fn facts(summary: &Summary) -> Vec<Vec<String>> {
    let fact = |key: &str, value: String| vec![key.to_owned(), value];
    let files = counted(summary.files.len(), "file");
    let content = summary.total_bytes;
    let mut facts = vec![
        fact("format", format!("{}, {files}", summary.format)),
        fact("tensors", grouped(summary.num_tensors as u64)),
        fact("parameters", grouped(summary.parameters)),
        fact("content", format!("{} ({} bytes)", bytes(content), grouped(content))),
    ];
    if let Some(config) = &summary.config {
        facts.extend(model(config).into_iter().map(|(key, value)| fact(key, escaped(&value))));
    }
    facts
}

fn model(c: &ConfigFacts) -> Vec<(&'static str, String)> {
    let names = [&c.name, &c.model_type, &c.architecture];
    let names: Vec<_> = names.into_iter().flatten().map(String::as_str).collect();
    let facts = [
        ("model", names.join(", ")),
        ("quantised", c.quantization.clone().unwrap_or_default()),
        ("layers", sizes(["", "hidden ", "intermediate "], [c.layers, c.hidden, c.intermediate])),
        ("heads", sizes(["", "key/value ", "width "], [c.heads, c.kv_heads, c.head_dim])),
        ("experts", sizes(["", "a token "], [c.experts, c.experts_per_token])),
        ("vocabulary", sizes([""], [c.vocab])),
        ("context", sizes(["", "sliding window "], [c.context, c.sliding_window])),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn sizes<const N: usize>(what: [&str; N], sizes: [Option<u64>; N]) -> String {
    let known = what.iter().zip(sizes).filter_map(|(what, size)| Some(format!("{what}{}", size?)));
    known.collect::<Vec<_>>().join(", ")
}

fn pattern(pattern: &Pattern) -> Vec<String> {
    let missing = pattern.names > pattern.totals.tensors as u64;
    let of = if missing { format!(" of {}", pattern.names) } else { String::new() };
    vec![
        escaped(&pattern.name),
        pattern.dtype.to_string(),
        format!("{:?}", pattern.shape),
        format!("×{}{of}", pattern.totals.tensors),
        bytes(pattern.totals.bytes),
    ]
}

fn counted(count: usize, what: &str) -> String {
    format!("{} {what}{}", grouped(count as u64), if count == 1 { "" } else { "s" })
}

/// `20,914,757,184`
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

/// A name from a file must not move the cursor, or look like two.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            escaped.extend(char.escape_default());
        } else {
            escaped.push(char);
        }
    }
    escaped
}
