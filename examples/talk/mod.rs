//! A conversation with a model: what was said, and how far the model has read it.

mod screen;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use moe_engine::backend::Backend;
use moe_engine::chat::{Conversation, Effort, Message, RenderOptions, SpecialIds, Stream, today};
use moe_engine::sampling::SamplingParams;
use moe_engine::tokenizer::Tokenizer;
use moe_engine::{
    CancelToken, Feed, Finish, Generation, Metrics, Model, Observer, Request, Session, Wanted,
};
use serde_json::json;

use crate::terminal::{Outcome, say};
use screen::Screen;
pub(crate) use screen::Show;

/// One conversation.
pub(crate) struct Talk<'m, B: Backend> {
    model: &'m Model<B>,
    tokenizer: &'m dyn Tokenizer,
    special: SpecialIds,
    sampling: SamplingParams,
    show: Show,
    conversation: Conversation,
    /// The last prompt, as the model has read it. The next one begins with it, unless it drops reasoning of
    /// further back.
    prompt: Session<B>,
    turns: u64,
    pub(crate) seed: u64,
    pub(crate) max_new: usize,
}

impl<'m, B: Backend> Talk<'m, B> {
    pub(crate) fn new(
        model: &'m Model<B>,
        tokenizer: &'m dyn Tokenizer,
        sampling: SamplingParams,
        show: Show,
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            model,
            tokenizer,
            special: SpecialIds::of(tokenizer)?,
            sampling,
            show,
            // Of one day, or midnight would change every prompt from its beginning.
            conversation: Conversation::new().date(today()),
            prompt: model.session()?,
            turns: 0,
            seed: 0,
            max_new: 4096,
        })
    }

    /// Forgets what was said; settings stay.
    pub(crate) fn reset(&mut self) -> Outcome {
        self.conversation.messages.clear();
        self.prompt = self.model.session()?;
        self.turns = 0;
        Ok(())
    }

    pub(crate) fn set_effort(&mut self, effort: Effort) {
        self.conversation.system.get_or_insert_default().effort = effort;
    }

    pub(crate) fn set_instructions(&mut self, text: &str) {
        text.clone_into(&mut self.conversation.instructions);
    }

    pub(crate) fn save(&self, path: &Path) -> Outcome {
        let text = serde_json::to_string_pretty(&self.conversation)?;
        fs::write(path, text + "\n")
            .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
    }

    pub(crate) fn load(&mut self, path: &Path) -> Outcome {
        let place = path.display();
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| format!("cannot read {place}: {error}"))?;
        let conversation = serde_json::from_str(&text);
        self.conversation =
            conversation.map_err(|error| format!("{place} is no saved conversation: {error}"))?;
        Ok(())
    }

    /// Says something, and shows what the model answers as it comes. After an error it is as if nothing had
    /// been said.
    pub(crate) fn answer(&mut self, text: &str, cancel: &CancelToken) -> Outcome {
        self.conversation.push(Message::user(text));
        let result = self.turn(text, cancel);
        if result.is_err() {
            self.conversation.messages.pop();
        }
        let answered = result?;
        self.conversation.messages.extend(answered);
        self.turns += 1;
        Ok(())
    }

    fn turn(&mut self, text: &str, cancel: &CancelToken) -> Result<Vec<Message>, Box<dyn Error>> {
        let rendered = self.conversation.render(&RenderOptions::default())?;
        let prompt = rendered.encode(&self.special, |text, ids| {
            self.tokenizer.encode(text, ids).map_err(moe_engine::Error::from)
        })?;
        let Some((&last, body)) = prompt.split_last() else { return Ok(Vec::new()) };
        let clock = Instant::now();
        let reused = self.read(body, cancel)?;
        let request = Request {
            sampling: self.sampling.clone(),
            seed: self.seed.wrapping_add(self.turns),
            max_new: self.max_new,
            stop_tokens: Some(self.special.stop_ids()),
            ..Request::new([last])
        };
        let mut generation = Generation::resume(self.model, [(self.prompt.fork(), request)])?
            .with_cancel(cancel.clone());
        let mut stream = Stream::new(self.tokenizer, self.special.clone());
        let mut screen = Screen::new(self.show);
        let mut first = None;
        for step in &mut generation {
            first.get_or_insert_with(|| clock.elapsed());
            screen.show(&stream.push(step?.token))?;
        }
        screen.show(&stream.finish())?;
        screen.end()?;
        let messages = stream.take_messages();
        if self.show == Show::Json {
            let (metrics, finish) = (generation.metrics(), generation.finish(0));
            report(text, &messages, prompt.len(), reused, first, metrics, finish)?;
        }
        Ok(messages)
    }

    /// Makes the model read a prompt, as far as it has not done so; gives the tokens it had.
    fn read(&mut self, tokens: &[u32], cancel: &CancelToken) -> Result<usize, moe_engine::Error> {
        let common = self.prompt.common_prefix(tokens);
        self.model.truncate(&mut self.prompt, common)?;
        let mut reading = Reading(cancel);
        if common < tokens.len() {
            let feed = Feed::new(&mut self.prompt, &tokens[common..]).wanted(Wanted::Nothing);
            match self.model.forward(&mut [feed], &mut reading) {
                // The generation will notice, too, and end before its first token.
                Err(moe_engine::Error::Cancelled) => {}
                other => drop(other?),
            }
        }
        Ok(common)
    }
}

struct Reading<'a>(&'a CancelToken);

impl Observer for Reading<'_> {
    fn cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

fn report(
    user: &str,
    messages: &[Message],
    prompt: usize,
    reused: usize,
    first: Option<Duration>,
    metrics: &Metrics,
    finish: Option<&Finish>,
) -> Outcome {
    let object = json!({
        "user": user,
        "messages": messages,
        "finish": finish.map(Finish::name),
        "metrics": {
            "prompt_tokens": prompt,
            "reused_tokens": reused,
            "generated_tokens": metrics.generated,
            "time_to_first_token_s": first.map(|time| time.as_secs_f64()),
            "decode_tokens_per_s": metrics.decode_rate(),
        },
    });
    Ok(say!("{object}")?)
}
