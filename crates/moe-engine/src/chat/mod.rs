//! The harmony chat format: messages to a prompt, generated tokens to messages.
//!
//! A message is `<|start|>{header}<|message|>{content}<|end|>`. The header holds the role, and for
//! the assistant a channel: `analysis` (its reasoning), `commentary` (tool calls and what it says
//! before them) or `final` (the answer).
//!
//! - [`Conversation`] collects the system settings, the developer's instructions, the tools and the
//!   messages, and [renders](Conversation::render) them to a [`Prompt`]: special tokens and ordinary
//!   text kept apart, so that nothing a user writes can become a control token.
//! - [`Parser`] reads what the model generates, token by token, and never puts a marker into text.
//! - [`SpecialIds`] says which token ids the markers have.
//!
//! ```
//! use moe_engine::chat::{Conversation, Event, Parser, RenderOptions, SpecialToken, Token};
//!
//! let chat = Conversation::new().date("2025-06-28").instructions("Be brief.").user("2 + 2?");
//! let prompt = chat.render(&RenderOptions::default())?;
//! assert!(prompt.to_text().ends_with("<|start|>user<|message|>2 + 2?<|end|><|start|>assistant"));
//!
//! let mut parser = Parser::new();
//! parser.push(Token::Special(SpecialToken::Channel));
//! parser.push(Token::from("final"));
//! parser.push(Token::Special(SpecialToken::Message));
//! assert_eq!(parser.push(Token::from("4")), [Event::Delta("4".into())]);
//! parser.push(Token::Special(SpecialToken::Return));
//! assert_eq!(parser.messages()[0].content, "4");
//! # Ok::<(), moe_engine::chat::ChatError>(())
//! ```
//!
//! # Sources
//!
//! The format is described in `docs/format.md` of github.com/openai/harmony. Two programs define it
//! in practice and differ in places: the Jinja chat template released with the model, and the
//! `openai-harmony` library 0.0.8. [`Flavor`] chooses between them and lists the differences.

mod channel;
mod conversation;
mod date;
mod error;
mod json;
mod message;
mod openai;
mod parse;
mod prompt;
mod render;
mod role;
mod special;
mod stream;
mod system;
mod tools;

pub use channel::Channel;
pub use conversation::Conversation;
pub use date::today;
pub use error::ChatError;
pub use json::Json;
pub use message::{ContentType, Header, Message};
pub use parse::{EndReason, Event, Parser, Token};
pub use prompt::{Piece, Prompt};
pub use render::{Flavor, Purpose, RenderOptions};
pub use role::Role;
pub use special::{SpecialIds, SpecialToken};
pub use stream::Stream;
pub use system::{Effort, SystemConfig};
pub use tools::{FunctionTool, ToolNamespace};
