use super::{ChatError, Event, Message, Parser, SpecialIds, SpecialToken, Token};
use crate::tokenizer::Tokenizer;

/// Generated token ids in, events of the conversation out.
///
/// Ids are control tokens by what the table says, text by what the tokenizer says. What is neither
/// (a special token the format does not use, a row of the model beyond the vocabulary) gives nothing.
///
/// ```
/// use moe_engine::chat::{Event, SpecialIds, SpecialToken, Stream};
/// use moe_engine::tokenizer::{HfTokenizer, Tokenizer};
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tokenizer/tiny.json");
/// let tokenizer = HfTokenizer::from_file(path)?;
/// let special = SpecialIds::of(&tokenizer)?;
/// let mut ids = Vec::new();
/// tokenizer.encode_with_special("<|channel|>final<|message|>4<|return|>", &mut ids)?;
///
/// let mut stream = Stream::new(&tokenizer, special);
/// let mut answer = String::new();
/// for id in ids {
///     for event in stream.push(id) {
///         if let Event::Delta(text) = event {
///             answer.push_str(&text);
///         }
///     }
/// }
/// stream.finish();
/// assert_eq!(answer, "4");
/// assert!(stream.messages()[0].is_answer());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Stream<'a> {
    tokenizer: &'a dyn Tokenizer,
    special: SpecialIds,
    parser: Parser,
}

impl<'a> Stream<'a> {
    /// A stream of what the model generates behind a prompt, that is behind `<|start|>assistant`.
    #[must_use]
    pub fn new(tokenizer: &'a dyn Tokenizer, special: SpecialIds) -> Self {
        Self { tokenizer, special, parser: Parser::new() }
    }

    /// A stream that begins between messages, such as a whole prompt.
    #[must_use]
    pub fn between_messages(tokenizer: &'a dyn Tokenizer, special: SpecialIds) -> Self {
        Self { tokenizer, special, parser: Parser::between_messages() }
    }

    /// Takes the next id and says what it completed, mostly nothing or one delta.
    pub fn push(&mut self, id: u32) -> Vec<Event> {
        if let Some(token) = self.special.token(id) {
            return self.parser.push(Token::Special(token));
        }
        if self.tokenizer.is_special(id) {
            return self.parser.push(Token::Special(SpecialToken::Reserved(id)));
        }
        match self.tokenizer.token_bytes(id) {
            Some(bytes) => self.parser.push(Token::Bytes(bytes)),
            None => Vec::new(),
        }
    }

    /// Ends the stream: completes a message that has begun. See [`Parser::finish`].
    pub fn finish(&mut self) -> Vec<Event> {
        self.parser.finish()
    }

    /// The messages completed so far.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        self.parser.messages()
    }

    /// Takes the messages completed so far out of the stream.
    pub fn take_messages(&mut self) -> Vec<Message> {
        self.parser.take_messages()
    }
}

impl SpecialIds {
    /// The table of a tokenizer's special tokens. An ordinary token that reads like one is none.
    ///
    /// # Errors
    ///
    /// [`ChatError::MissingSpecial`] if the vocabulary lacks one that the format needs.
    pub fn of(tokenizer: &dyn Tokenizer) -> Result<Self, ChatError> {
        Self::lookup(|text| tokenizer.token_id(text).filter(|id| tokenizer.is_special(*id)))
    }
}
