//! Writes the logits of every position of a prompt to a file.

mod model;
mod terminal;

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use lowfloat::DType;
use model::{ModelArgs, Task, TokenArgs};
use moe_engine::backend::Backend;
use moe_engine::{At, Feed, Model, Observer, Wanted};
use safeshards::{ShardWriter, TensorSpec, WriterOptions};
use terminal::{Outcome, say};

/// Write the logits of every position of a prompt, to compare them with those of another program.
///
/// The file holds `logits` [tokens, vocabulary] and, with --hidden, `hidden` [layers + 1, tokens, width]:
/// the embedding, then what each layer made of it. Both are f32.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    tokens: TokenArgs,
    /// The safetensors file to write; one that is there is replaced
    #[arg(long)]
    out: PathBuf,
    /// The residual stream too
    #[arg(long)]
    hidden: bool,
    /// Print one JSON object instead of a line
    #[arg(long)]
    json: bool,
}

// cargo run --release --example logits -- --tokens 1,2,3 --out /tmp/logits.safetensors --hidden
fn main() -> ExitCode {
    terminal::exit(run(&terminal::arguments::<Args>()))
}

fn run(args: &Args) -> Outcome {
    let tokens = args.tokens.read()?.ok_or("which tokens? give --tokens or --tokens-file")?;
    args.model.open()?.run(&WriteLogits { args, tokens })
}

/// The tokens whose logits are written.
struct WriteLogits<'a> {
    args: &'a Args,
    tokens: Vec<u32>,
}

impl Task for WriteLogits<'_> {
    fn run<B: Backend>(&self, model: &Model<B>) -> Outcome {
        let Self { args, tokens } = self;
        let config = model.config();
        let mut session = model.session()?;
        let folder = args.out.parent().filter(|folder| *folder != Path::new(""));
        let mut kept = Kept {
            logits: BufWriter::new(tempfile::tempfile_in(folder.unwrap_or(Path::new(".")))?),
            hidden: vec![Vec::new(); if args.hidden { config.layers.len() + 1 } else { 0 }],
            failed: None,
        };
        let mut feeds = [Feed::new(&mut session, tokens).wanted(Wanted::All)];
        model.forward(&mut feeds, &mut kept)?;
        write(args, &kept.finish()?, tokens.len(), config.vocab, config.hidden)?;
        if args.json {
            let object = serde_json::json!({
                "out": args.out, "tokens": tokens.len(), "vocab": config.vocab,
                "layers": config.layers.len(), "precision": model.precision().name(),
            });
            return Ok(say!("{object}")?);
        }
        say!("{}: {} positions of {} logits", args.out.display(), tokens.len(), config.vocab)?;
        Ok(())
    }
}

/// Logits as they come, on disk: those of a long prompt are gigabytes.
struct Kept {
    logits: BufWriter<File>,
    /// Of every layer, nothing if nobody asked for it.
    hidden: Vec<Vec<f32>>,
    failed: Option<std::io::Error>,
}

impl Observer for Kept {
    fn logits(&mut self, _: At, logits: &[f32]) {
        let written =
            logits.iter().try_for_each(|value| self.logits.write_all(&value.to_le_bytes()));
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }

    fn wants_hidden(&self) -> bool {
        !self.hidden.is_empty()
    }

    fn hidden(&mut self, layer: usize, _: At, hidden: &[f32]) {
        self.hidden[layer].extend_from_slice(hidden);
    }

    fn cancelled(&self) -> bool {
        self.failed.is_some()
    }
}

impl Kept {
    fn finish(self) -> Result<(File, Vec<u8>), Box<dyn std::error::Error>> {
        let mut file = self.logits.into_inner()?;
        file.rewind()?;
        let hidden = self.hidden.concat().iter().flat_map(|value| value.to_le_bytes()).collect();
        Ok((file, hidden))
    }
}

fn write(args: &Args, kept: &(File, Vec<u8>), count: usize, vocab: usize, width: usize) -> Outcome {
    let (logits, hidden) = kept;
    let mut specs = vec![TensorSpec::new("logits", DType::F32, [count, vocab])];
    if args.hidden {
        let layers = hidden.len() / (4 * count * width);
        specs.push(TensorSpec::new("hidden", DType::F32, [layers, count, width]));
    }
    let options = WriterOptions::new().overwrite(true);
    let mut writer = ShardWriter::create_file(&args.out, &specs, options)?;
    while let Some(spec) = writer.next_tensor() {
        let name = spec.name.clone();
        match name.as_str() {
            "logits" => writer.write_tensor(&name, &mut BufReader::new(logits))?,
            _ => writer.write_tensor(&name, &mut hidden.as_slice())?,
        }
    }
    writer.finish()?;
    Ok(())
}
