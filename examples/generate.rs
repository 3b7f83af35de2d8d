//! Continues a prompt.

mod model;
mod terminal;

use std::collections::BTreeMap;
use std::io::{IsTerminal, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use model::{ModelArgs, Opened, SamplingArgs, Task, TokenArgs, parse_ids};
use moe_engine::backend::Backend;
use moe_engine::{CancelToken, Config, Finish, Generation, Metrics, Model, Request, Step};
use serde_json::{Value, json};
use terminal::{Outcome, bytes, print, say};

/// Continue a prompt, or many at the same time.
///
/// Text comes as it is generated; a model without a tokenizer takes and gives token ids. Ctrl-C ends the
/// answer. Without --temperature the most likely token is taken. The same seed gives the same tokens, whatever the batch and the number of threads.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    tokens: TokenArgs,
    /// The text to continue
    #[arg(long, conflicts_with_all = ["tokens", "tokens_file"])]
    prompt: Option<String>,
    /// A file of prompts, one a line (of token ids, for a model without a tokenizer), continued together
    #[arg(long, conflicts_with_all = ["tokens", "tokens_file", "prompt"])]
    batch: Option<PathBuf>,
    /// Control tokens written in prompts count as such: <|start|>user<|message|>…
    #[arg(long)]
    special: bool,
    /// Most tokens to generate
    #[arg(long, default_value_t = 128)]
    max_new: usize,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// A text that ends the answer; can be given several times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// A token that ends the answer, besides the model's own; can be given several times
    #[arg(long, value_name = "ID")]
    stop_token: Vec<u32>,
    /// Go on after the tokens that end the model's answers
    #[arg(long)]
    ignore_eos: bool,
    /// Print one JSON object at the end
    #[arg(long)]
    json: bool,
}

// cargo run --release --example generate
// cargo run --release --example generate -- --model gpt-oss-20b --prompt "The sea is" --temperature 0.8
fn main() -> ExitCode {
    terminal::exit(run(&terminal::arguments::<Args>()))
}

fn run(args: &Args) -> Outcome {
    let opened = args.model.open()?;
    let prompts = prompts(args, &opened)?;
    let cancel = CancelToken::new();
    // Devices that stopped at different places would wait for each other: there Ctrl-C ends the program.
    if !opened.is_shared() {
        let cancel = cancel.clone();
        ctrlc::set_handler(move || cancel.cancel())?;
    }
    opened.run(&Continue { args, opened: &opened, prompts, cancel })
}

/// The prompts, to be continued.
struct Continue<'a> {
    args: &'a Args,
    opened: &'a Opened,
    prompts: Vec<Vec<u32>>,
    cancel: CancelToken,
}

impl Task for Continue<'_> {
    fn run<B: Backend>(&self, model: &Model<B>) -> Outcome {
        let Self { args, opened, prompts, cancel } = self;
        let requests = prompts.iter().map(|prompt| request(args, prompt, model.config()));
        let mut generation = Generation::new(model, requests)?.with_cancel(cancel.clone());
        if let Some(tokenizer) = opened.tokenizer() {
            generation = generation.with_tokenizer(tokenizer);
        }
        let mut answers = vec![Answer::default(); prompts.len()];
        let streams = !args.json && prompts.len() == 1;
        for step in &mut generation {
            let step = step?;
            if streams {
                print(&shown(&step, opened))?;
            }
            answers[step.sequence].add(step);
        }
        for (index, answer) in answers.iter_mut().enumerate() {
            answer.finish = generation.finish(index).cloned();
        }
        let metrics = generation.metrics();
        if args.json {
            return Ok(say!(
                "{}",
                serde_json::to_string(&object(args, prompts, &answers, metrics))?
            )?);
        }
        if streams {
            print("\n")?;
        } else {
            for (index, answer) in answers.iter().enumerate() {
                let text = if opened.tokenizer.is_some() {
                    answer.text.clone()
                } else {
                    ids(&answer.tokens)
                };
                say!("[{index}] {text}")?;
            }
        }
        if stdout().is_terminal() || !streams {
            report(metrics)?;
        }
        Ok(())
    }
}

fn prompts(args: &Args, opened: &Opened) -> Result<Vec<Vec<u32>>, Box<dyn std::error::Error>> {
    if let Some(path) = &args.batch {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let line = |(number, line): (usize, &str)| {
            let ids = match opened.tokenizer {
                Some(_) => opened.encode(line, args.special),
                None => parse_ids(line).map_err(Into::into),
            };
            ids.map_err(|error| format!("{}, line {}: {error}", path.display(), number + 1).into())
        };
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let prompts: Vec<_> = lines.map(line).collect::<Result<_, Box<dyn std::error::Error>>>()?;
        if prompts.is_empty() {
            return Err(format!("{}: no prompts", path.display()).into());
        }
        return Ok(prompts);
    }
    if let Some(tokens) = args.tokens.read()? {
        return Ok(vec![tokens]);
    }
    match &args.prompt {
        Some(text) => Ok(vec![opened.encode(text, args.special)?]),
        // The synthetic model understands nothing anyway.
        None if args.model.model.is_none() => Ok(vec![vec![1, 2, 3]]),
        None => {
            Err("what is to be continued? give --prompt, --tokens, --tokens-file or --batch".into())
        }
    }
}

fn request(args: &Args, prompt: &[u32], config: &Config) -> Request {
    let eos = if args.ignore_eos { &[][..] } else { &config.eos };
    Request {
        sampling: args.sampling.params(0.0),
        seed: args.sampling.seed,
        max_new: args.max_new,
        stop_tokens: Some([eos, &args.stop_token].concat()),
        stop_strings: args.stop.clone(),
        ..Request::new(prompt)
    }
}

/// What was generated for a prompt.
#[derive(Clone, Default)]
struct Answer {
    tokens: Vec<u32>,
    text: String,
    logprobs: Vec<Value>,
    finish: Option<Finish>,
}

impl Answer {
    fn add(&mut self, step: Step) {
        self.tokens.push(step.token);
        self.text += &step.text;
        self.logprobs.extend(step.logprobs.map(|logprobs| {
            let top: Vec<_> = logprobs
                .top
                .iter()
                .map(|token| json!({"id": token.id, "logprob": token.logprob}))
                .collect();
            json!({ "logprob": logprobs.chosen.logprob, "top": top })
        }));
    }

    fn object(&self, prompt: &[u32]) -> BTreeMap<&'static str, Value> {
        let mut object = BTreeMap::from([
            ("prompt_tokens", json!(prompt)),
            ("tokens", json!(self.tokens)),
            ("text", json!(self.text)),
            ("finish", json!(self.finish.as_ref().map(Finish::name))),
        ]);
        if !self.logprobs.is_empty() {
            object.insert("logprobs", json!(self.logprobs));
        }
        object
    }
}

/// One answer's fields beside the metrics; with --batch, a list of answers.
fn object(args: &Args, prompts: &[Vec<u32>], answers: &[Answer], metrics: &Metrics) -> Value {
    let mut objects = prompts.iter().zip(answers).map(|(prompt, answer)| answer.object(prompt));
    let mut object = match objects.next() {
        Some(one) if args.batch.is_none() => one,
        first => BTreeMap::from([(
            "sequences",
            json!(first.into_iter().chain(objects).collect::<Vec<_>>()),
        )]),
    };
    object.insert(
        "metrics",
        json!({
            "prompt_tokens": metrics.prompt_tokens,
            "generated_tokens": metrics.generated,
            "time_to_first_token_s": metrics.first_token.as_secs_f64(),
            "prefill_tokens_per_s": metrics.prefill_rate(),
            "decode_s": metrics.decode.as_secs_f64(),
            "decode_tokens_per_s": metrics.decode_rate(),
            "decode_bytes_per_s": metrics.decode_bytes_rate(),
            "decode_weight_bytes": metrics.decode_usage.weight_bytes,
            "decode_kv_bytes": metrics.decode_usage.kv_bytes,
        }),
    );
    json!(object)
}

/// What appears of a step as it comes.
fn shown(step: &Step, opened: &Opened) -> String {
    match (&opened.tokenizer, step.index) {
        (Some(_), _) => step.text.clone(),
        (None, 0) => step.token.to_string(),
        (None, _) => format!(" {}", step.token),
    }
}

fn ids(tokens: &[u32]) -> String {
    tokens.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn report(metrics: &Metrics) -> Outcome {
    say!(
        "{} prompt tokens at {:.1}/s, first token after {:.2} s; {} generated at {:.1}/s, {}/s of weights and cache",
        metrics.prompt_tokens,
        metrics.prefill_rate(),
        metrics.first_token.as_secs_f64(),
        metrics.generated,
        metrics.decode_rate(),
        bytes(metrics.decode_bytes_rate() as u64),
    )?;
    Ok(())
}
