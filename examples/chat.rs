//! A conversation in the terminal.

mod model;
mod talk;
mod terminal;

use std::io::{IsTerminal, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use clap::Parser;
use model::{ModelArgs, SamplingArgs, Task};
use moe_engine::backend::Backend;
use moe_engine::chat::Effort;
use moe_engine::tokenizer::Tokenizer;
use moe_engine::{CancelToken, Model};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use talk::{Show, Talk};
use terminal::{Outcome, say};

/// Talk with a model in the harmony format of gpt-oss.
///
/// Reasoning appears dim on a terminal, and not at all elsewhere unless --reasoning asks for it. Ctrl-C ends
/// an answer, Ctrl-D the program; /help lists what can be said to the program. Lines on standard input that
/// is no terminal are answered one after the other.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// Most tokens of an answer, its reasoning included
    #[arg(long, default_value_t = 4096)]
    max_new: usize,
    /// What the model shall keep to: the developer's instructions
    #[arg(long)]
    instructions: Option<String>,
    /// How much the model reasons: low, medium or high
    #[arg(long, default_value = "medium", value_parser = effort)]
    effort: Effort,
    /// Show reasoning where it is not shown by itself
    #[arg(long)]
    reasoning: bool,
    /// A file that keeps what was typed for the next time
    #[arg(long)]
    history: Option<PathBuf>,
    /// Print one JSON object a turn
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
/reset          forget the conversation
/effort LEVEL   reason less or more: low, medium, high
/instructions TEXT   what the model shall keep to from now on
/save FILE      write the conversation to a file, as JSON
/load FILE      go on with one that was saved
/quit           leave (so does Ctrl-D); Ctrl-C ends an answer";

// cargo run --release --example chat -- --model gpt-oss-20b
fn main() -> ExitCode {
    terminal::exit(run(&terminal::arguments::<Args>()))
}

fn run(args: &Args) -> Outcome {
    let opened = args.model.open()?;
    let Some(tokenizer) = opened.tokenizer() else {
        return Err("this model has no tokenizer.json, without which nobody can talk to it".into());
    };
    if opened.is_shared() {
        return Err("chat runs on one device; generate and bench take several".into());
    }
    let cancel = Arc::new(Mutex::new(CancelToken::new()));
    let current = Arc::clone(&cancel);
    ctrlc::set_handler(move || {
        if let Ok(token) = current.lock() {
            token.cancel();
        }
    })?;
    opened.run(&Chat { args, tokenizer, cancel })
}

/// What is said is answered.
struct Chat<'a> {
    args: &'a Args,
    tokenizer: &'a dyn Tokenizer,
    /// That of the answer that is given.
    cancel: Arc<Mutex<CancelToken>>,
}

impl Task for Chat<'_> {
    fn run<B: Backend>(&self, model: &Model<B>) -> Outcome {
        let Self { args, tokenizer, cancel } = self;
        let interactive = stdin().is_terminal() && !args.json;
        let colours = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let show = match (args.json, colours) {
            (true, _) => Show::Json,
            (false, true) => Show::Dim,
            (false, false) => Show::Plain { reasoning: args.reasoning },
        };
        let mut talk = Talk::new(model, *tokenizer, args.sampling.params(1.0), show)?;
        talk.seed = args.sampling.seed;
        talk.max_new = args.max_new;
        talk.set_effort(args.effort);
        talk.set_instructions(args.instructions.as_deref().unwrap_or_default());
        if interactive && args.model.model.is_none() {
            say!("This is a tiny model of random weights: it babbles. --model names a real one.")?;
        }
        let mut lines = Lines::new(interactive, args.history.clone())?;
        while let Some(line) = lines.next()? {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let result = match line
                .strip_prefix('/')
                .map(|command| command.split_once(' ').unwrap_or((command, "")))
            {
                Some(("quit" | "exit", _)) => break,
                Some((command, rest)) => obey(&mut talk, command, rest.trim()),
                None => {
                    let token = CancelToken::new();
                    if let Ok(mut current) = cancel.lock() {
                        current.clone_from(&token);
                    }
                    talk.answer(line, &token)
                }
            };
            match result {
                // A person tries again; a script must learn of it.
                Err(error) if interactive => say!("error: {error}")?,
                other => other?,
            }
        }
        Ok(())
    }
}

fn obey<B: Backend>(talk: &mut Talk<'_, B>, command: &str, rest: &str) -> Outcome {
    match command {
        "help" => say!("{HELP}")?,
        "reset" => talk.reset()?,
        "effort" => talk.set_effort(effort(rest)?),
        "instructions" => talk.set_instructions(rest),
        "save" if !rest.is_empty() => talk.save(rest.as_ref())?,
        "load" if !rest.is_empty() => talk.load(rest.as_ref())?,
        "save" | "load" => return Err(format!("/{command} which file?").into()),
        other => return Err(format!("/{other} is unknown; /help lists the commands").into()),
    }
    Ok(())
}

fn effort(text: &str) -> Result<Effort, String> {
    let all = [Effort::Low, Effort::Medium, Effort::High];
    let found = all.into_iter().find(|effort| effort.as_str() == text);
    found.ok_or_else(|| format!("{text:?}: expected low, medium or high"))
}

/// Where the user's lines come from.
enum Lines {
    Terminal { editor: Box<DefaultEditor>, history: Option<PathBuf> },
    Piped,
}

impl Lines {
    fn new(
        interactive: bool,
        history: Option<PathBuf>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        if !interactive {
            return Ok(Self::Piped);
        }
        let mut editor = Box::new(DefaultEditor::new()?);
        if let Some(path) = history.as_ref().filter(|path| path.exists()) {
            editor.load_history(path)?;
        }
        Ok(Self::Terminal { editor, history })
    }

    /// The next line; `None` at the end.
    fn next(&mut self) -> Result<Option<String>, Box<dyn std::error::Error>> {
        match self {
            Self::Piped => {
                let mut line = String::new();
                Ok((stdin().read_line(&mut line)? > 0).then_some(line))
            }
            Self::Terminal { editor, history } => loop {
                match editor.readline("> ") {
                    Ok(line) => {
                        editor.add_history_entry(line.as_str())?;
                        if let Some(path) = history {
                            editor.save_history(path)?;
                        }
                        return Ok(Some(line));
                    }
                    // Of a line that was begun; there is no answer to end.
                    Err(ReadlineError::Interrupted) => say!("Ctrl-D or /quit leaves")?,
                    Err(ReadlineError::Eof) => return Ok(None),
                    Err(error) => return Err(error.into()),
                }
            },
        }
    }
}
