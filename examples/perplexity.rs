//! How well a model foretells a text.

mod model;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use model::{ModelArgs, Task, TokenArgs};
use moe_engine::backend::Backend;
use moe_engine::{At, Feed, Model, Observer, Wanted};
use terminal::{Outcome, say};

/// Measure perplexity: e to the mean negative log-likelihood of a text's tokens, each given those before it.
///
/// A text longer than --context is cut into windows that begin --stride tokens apart; of each but the
/// first, only the tokens that no window before had are counted, so every token but the first counts once.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    tokens: TokenArgs,
    /// A text file, for models with a tokenizer
    #[arg(long, conflicts_with_all = ["tokens", "tokens_file"])]
    text_file: Option<PathBuf>,
    /// Tokens of a window
    #[arg(long, default_value_t = 2048)]
    context: usize,
    /// Tokens between the beginnings of two windows; a whole window if not given
    #[arg(long)]
    stride: Option<usize>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

// cargo run --release --example perplexity -- --model gpt-oss-20b --text-file book.txt
fn main() -> ExitCode {
    terminal::exit(run(&terminal::arguments::<Args>()))
}

fn run(args: &Args) -> Outcome {
    let opened = args.model.open()?;
    let tokens = match (args.tokens.read()?, &args.text_file) {
        (Some(tokens), _) => tokens,
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            opened.encode(&text, false)?
        }
        (None, None) => return Err("which tokens? give --tokens-file or --text-file".into()),
    };
    if tokens.len() < 2 {
        return Err(format!("{} tokens: at least 2 are needed", tokens.len()).into());
    }
    opened.run(&Score { args, tokens })
}

/// The tokens that are scored.
struct Score<'a> {
    args: &'a Args,
    tokens: Vec<u32>,
}

impl Task for Score<'_> {
    fn run<B: Backend>(&self, model: &Model<B>) -> Outcome {
        let Self { args, tokens } = self;
        let context = args.context.min(model.config().max_positions);
        let stride = args.stride.unwrap_or(context.saturating_sub(1));
        if context < 2 || stride == 0 || stride >= context {
            return Err(format!(
                "a stride of {stride} in a context of {context}: expected 1 to context - 1"
            )
            .into());
        }
        let clock = Instant::now();
        let mut total = Likelihood::default();
        let mut begin = 0;
        loop {
            let end = (begin + context).min(tokens.len());
            let window = &tokens[begin..end];
            // The first token that no window has counted yet.
            let from = if begin == 0 { 1 } else { context - stride };
            let mut scored = Scored { window, from, sum: Likelihood::default() };
            let mut session = model.session()?;
            let mut feeds = [Feed::new(&mut session, window).wanted(Wanted::All)];
            model.forward(&mut feeds, &mut scored)?;
            total.add(&scored.sum);
            if end == tokens.len() {
                break;
            }
            begin += stride;
        }
        let seconds = clock.elapsed().as_secs_f64();
        let (mean, error) = total.mean();
        if args.json {
            let object = serde_json::json!({
                "tokens": tokens.len(), "scored": total.count, "nll": mean, "nll_standard_error": error,
                "perplexity": mean.exp(), "context": context, "stride": stride, "seconds": seconds,
                "precision": model.precision().name(),
            });
            return Ok(say!("{object}")?);
        }
        say!("perplexity {:.4} +/- {:.4}", mean.exp(), mean.exp() * error)?;
        say!(
            "{} of {} tokens scored, {mean:.6} nats each, context {context}, stride {stride}, {:.1} tokens/s",
            total.count,
            tokens.len(),
            total.count as f64 / seconds,
        )?;
        Ok(())
    }
}

/// Negative log-likelihoods, summed.
#[derive(Default)]
struct Likelihood {
    count: u64,
    sum: f64,
    squares: f64,
}

impl Likelihood {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// The mean and its standard error.
    fn mean(&self) -> (f64, f64) {
        let count = self.count as f64;
        let mean = self.sum / count;
        let variance = (self.squares / count - mean * mean).max(0.0);
        (mean, (variance / (count - 1.0).max(1.0)).sqrt())
    }
}

/// Scores the tokens of a window from some position on.
struct Scored<'a> {
    window: &'a [u32],
    from: usize,
    sum: Likelihood,
}

impl Observer for Scored<'_> {
    fn logits(&mut self, at: At, logits: &[f32]) {
        let next = at.position + 1;
        let Some(&target) = self.window.get(next).filter(|_| next >= self.from) else { return };
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&logit| f64::from(logit - max).exp()).sum();
        let nll = sum.ln() - f64::from(logits[target as usize] - max);
        self.sum.add(&Likelihood { count: 1, sum: nll, squares: nll * nll });
    }
}
