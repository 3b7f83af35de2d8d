mod draft;
#[cfg(test)]
mod tests;

use draft::{Draft, Opener};

use super::{Header, Message, Piece, Role, SpecialToken};
use crate::text::Utf8Stream;

/// A generated token as the parser sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// A control token.
    Special(SpecialToken),
    /// The bytes of an ordinary token; they need not end where a character does.
    Bytes(&'a [u8]),
}

impl<'a> From<&'a str> for Token<'a> {
    fn from(text: &'a str) -> Self {
        Self::Bytes(text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Token<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<SpecialToken> for Token<'_> {
    fn from(token: SpecialToken) -> Self {
        Self::Special(token)
    }
}

impl<'a> From<&'a Piece> for Token<'a> {
    fn from(piece: &'a Piece) -> Self {
        match piece {
            Piece::Special(token) => Self::Special(*token),
            Piece::Text(text) => Self::from(text.as_str()),
        }
    }
}

/// Something a [`Parser`] has understood.
///
/// For every message there is one `MessageStart`, any number of `Delta` (none of them empty), and one
/// `MessageEnd`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A header is complete.
    MessageStart {
        /// The header.
        header: Header,
    },
    /// More of the content.
    Delta(String),
    /// The message is complete and stands last in [`Parser::messages`].
    MessageEnd {
        /// What ended it.
        reason: EndReason,
    },
}

/// What ended a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// `<|end|>`: another message follows.
    End,
    /// `<|return|>`: the model has answered.
    Return,
    /// `<|call|>`: the model waits for a tool.
    Call,
    /// `<|endoftext|>`: the model stopped without ending the message.
    EndOfText,
    /// Another message began without this one's end.
    Interrupted,
    /// [`Parser::finish`]: the stream ended without ending the message.
    Unfinished,
}

/// Reads generated tokens as they come and makes messages of them.
///
/// A new parser stands where the model goes on after a prompt: behind `<|start|>assistant`.
/// Control tokens are recognised by what they are, never by how text looks: text that spells
/// `<|end|>` stays text, and no control token ever becomes text. How the bytes between control
/// tokens are cut into tokens makes no difference to the messages.
///
/// No stream is refused:
///
/// - the recipient (`to=…`) may stand before the channel or after it, the content type with
///   `<|constrain|>` or without, joined to the word before it or not;
/// - a header that ends without `<|message|>` becomes a message whose content is what stands after
///   the words a header has; without content, channel and recipient it is dropped;
/// - `<|start|>` or `<|channel|>` inside a content ends that message and begins another;
/// - of a channel, recipient or content type given twice the first counts;
/// - invalid UTF-8 becomes U+FFFD, as [`String::from_utf8_lossy`] does it;
/// - all other control tokens out of place are ignored.
///
/// ```
/// use moe_engine::chat::{Channel, EndReason, Event, Parser, SpecialToken::*, Token};
///
/// let mut parser = Parser::new();
/// let stream: [Token; 9] = [
///     Channel.into(), "comment".into(), "ary to=functions.now ".into(), Constrain.into(),
///     "json".into(), Message.into(), "{".into(), "}".into(), Call.into(),
/// ];
/// let events: Vec<Event> = stream.into_iter().flat_map(|token| parser.push(token)).collect();
/// assert!(matches!(&events[0], Event::MessageStart { header } if header.recipient.as_deref() == Some("functions.now")));
/// assert_eq!(events[1..], [
///     Event::Delta("{".into()),
///     Event::Delta("}".into()),
///     Event::MessageEnd { reason: EndReason::Call },
/// ]);
/// assert_eq!(parser.messages()[0].function(), Some("now"));
/// ```
#[derive(Debug, Clone)]
pub struct Parser {
    state: State,
    messages: Vec<Message>,
}

#[derive(Debug, Clone)]
enum State {
    /// In a header, or between messages.
    Header(Draft),
    Body {
        message: Message,
        decoder: Utf8Stream,
    },
}

impl Parser {
    /// A parser for what follows `<|start|>assistant`.
    #[must_use]
    pub fn new() -> Self {
        Self::in_header(Opener::Given(Role::Assistant))
    }

    /// A parser for a stream that begins between messages, such as a whole prompt.
    #[must_use]
    pub fn between_messages() -> Self {
        Self::in_header(Opener::Nothing)
    }

    fn in_header(opener: Opener) -> Self {
        Self { state: State::Header(Draft::new(opener)), messages: Vec::new() }
    }

    /// Takes the next token and says what it completed, mostly nothing or one delta.
    pub fn push(&mut self, token: Token<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        match token {
            Token::Bytes(bytes) => self.bytes(bytes, &mut events),
            Token::Special(token) => self.special(token, &mut events),
        }
        events
    }

    /// Ends the stream: completes a message that has begun.
    ///
    /// The parser then stands between messages; a stop token before has left nothing to complete.
    pub fn finish(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        self.close(EndReason::Unfinished, Opener::Nothing, &mut events);
        events
    }

    /// The messages completed so far.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Takes the messages completed so far out of the parser.
    pub fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }

    /// The header of the message whose content is being read; `None` in a header or between messages.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        match &self.state {
            State::Body { message, .. } => Some(&message.header),
            State::Header(_) => None,
        }
    }

    fn bytes(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        match &mut self.state {
            State::Header(draft) => draft.bytes(bytes),
            State::Body { message, decoder } => {
                push_delta(message, decoder.push(bytes), events);
            }
        }
    }

    fn special(&mut self, token: SpecialToken, events: &mut Vec<Event>) {
        match token {
            SpecialToken::Start => self.close(EndReason::Interrupted, Opener::Start, events),
            SpecialToken::End => self.close(EndReason::End, Opener::Nothing, events),
            SpecialToken::Return => self.close(EndReason::Return, Opener::Nothing, events),
            SpecialToken::Call => self.close(EndReason::Call, Opener::Nothing, events),
            SpecialToken::EndOfText => self.close(EndReason::EndOfText, Opener::Nothing, events),
            SpecialToken::Message => self.open(events),
            SpecialToken::Channel => {
                if let Some(role) = self.header().map(|header| header.role.clone()) {
                    self.close(EndReason::Interrupted, Opener::Given(role), events);
                }
                if let State::Header(draft) = &mut self.state {
                    draft.channel();
                }
            }
            SpecialToken::Constrain => {
                if let State::Header(draft) = &mut self.state {
                    draft.constrain();
                }
            }
            SpecialToken::StartOfText | SpecialToken::EndOfPrompt | SpecialToken::Reserved(_) => {}
        }
    }

    /// `<|message|>`: the header is complete. Inside a content it means nothing.
    fn open(&mut self, events: &mut Vec<Event>) {
        if let State::Header(draft) = &self.state {
            let header = draft.header();
            events.push(Event::MessageStart { header: header.clone() });
            let message = Message { header, content: String::new() };
            self.state = State::Body { message, decoder: Utf8Stream::new() };
        }
    }

    /// Completes the message that has begun, if one has, and stands in the header of the next.
    fn close(&mut self, reason: EndReason, next: Opener, events: &mut Vec<Event>) {
        let state = std::mem::replace(&mut self.state, State::Header(Draft::new(next)));
        let message = match state {
            State::Body { mut message, mut decoder } => {
                push_delta(&mut message, decoder.flush(), events);
                message
            }
            State::Header(draft) => {
                let Some(message) = draft.salvage() else {
                    return;
                };
                events.push(Event::MessageStart { header: message.header.clone() });
                if !message.content.is_empty() {
                    events.push(Event::Delta(message.content.clone()));
                }
                message
            }
        };
        events.push(Event::MessageEnd { reason });
        self.messages.push(message);
    }
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

fn push_delta(message: &mut Message, text: String, events: &mut Vec<Event>) {
    if !text.is_empty() {
        message.content.push_str(&text);
        events.push(Event::Delta(text));
    }
}
