//! Renders conversations and parses renderings, for a judge that compares both with another program.

use std::error::Error;
use std::io::{BufRead, Write};

use moe_engine::chat::{
    Conversation, Effort, Flavor, Message, Parser, Piece, Prompt, Purpose, RenderOptions,
    SpecialToken, Token,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A line of the input.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Task {
    /// A conversation in this crate's own form.
    Own {
        conversation: Conversation,
        #[serde(default)]
        keep_reasoning: bool,
    },
    /// A conversation in the form of the chat completions interface.
    OpenAi {
        messages: moe_engine::chat::Json,
        tools: Option<moe_engine::chat::Json>,
        date: Option<String>,
        #[serde(default)]
        effort: Effort,
        #[serde(default)]
        keep_reasoning: bool,
    },
    /// A rendering to be parsed.
    Parse { pieces: Vec<Part> },
}

/// A control token by its id in the released vocabulary, or a text.
///
/// One string would not do: a text may spell a control token.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Part {
    Special(u32),
    Text(String),
}

/// Reads one JSON object a line and writes one a line:
///
/// ```sh
/// cargo run -p moe-engine --example harmony_render <<'END'
/// {"messages": [{"role": "user", "content": "Hi"}], "effort": "low"}
/// {"pieces": [200006, "user", 200008, "Hi", 200007]}
/// END
/// ```
///
/// A conversation (`conversation`, or `messages` with `tools`, `date` and `effort`) gives
/// `{flavor: {purpose: pieces}}`, `pieces` give `{"messages": [...]}`. Nothing is printed for people:
/// `.ci/judges/harmony_judge.py` reads it.
fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    for (index, line) in std::io::stdin().lock().lines().enumerate() {
        let answer = answer(&line?).map_err(|error| format!("line {}: {error}", index + 1))?;
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn answer(line: &str) -> Result<Value, Box<dyn Error>> {
    match serde_json::from_str(line)? {
        Task::Own { conversation, keep_reasoning } => renderings(&conversation, keep_reasoning),
        Task::OpenAi { messages, tools, date, effort, keep_reasoning } => {
            let tools = tools.map(|tools| tools.to_compact());
            let chat = Conversation::from_openai_json(&messages.to_compact(), tools.as_deref())?;
            let mut chat = chat.effort(effort);
            if let Some(system) = &mut chat.system {
                system.date = date;
            }
            renderings(&chat, keep_reasoning)
        }
        Task::Parse { pieces } => Ok(json!({ "messages": parse(&pieces)? })),
    }
}

fn renderings(chat: &Conversation, keep_reasoning: bool) -> Result<Value, Box<dyn Error>> {
    let mut answer = json!({});
    for (name, flavor) in [("template", Flavor::Template), ("library", Flavor::Library)] {
        for (aim, purpose) in [
            ("completion", Purpose::Completion),
            ("training", Purpose::Training),
            ("record", Purpose::Record),
        ] {
            let prompt = chat.render(&RenderOptions { flavor, purpose, keep_reasoning })?;
            answer[name][aim] = json!(parts(prompt));
        }
    }
    Ok(answer)
}

fn parts(prompt: Prompt) -> Vec<Part> {
    let part = |piece| match piece {
        Piece::Special(token) => Part::Special(token.id()),
        Piece::Text(text) => Part::Text(text),
    };
    prompt.into_pieces().into_iter().map(part).collect()
}

fn parse(pieces: &[Part]) -> Result<Vec<Message>, Box<dyn Error>> {
    let mut parser = Parser::between_messages();
    for piece in pieces {
        parser.push(match piece {
            Part::Text(text) => Token::from(text.as_str()),
            Part::Special(id) => {
                let token = SpecialToken::from_id(*id);
                Token::Special(token.ok_or_else(|| format!("no special token has id {id}"))?)
            }
        });
    }
    parser.finish();
    Ok(parser.take_messages())
}
