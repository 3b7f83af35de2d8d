use super::Tokenizer;
use crate::text::Utf8Stream;

/// Ids in, text out: valid UTF-8 at every step.
///
/// A character whose bytes lie in several tokens comes out with the last of them. All that came out
/// together, [`flush`](Self::flush) included, is [`Tokenizer::decode`] of all the ids.
#[derive(Debug, Clone)]
pub struct Detokenizer<'a> {
    tokenizer: &'a dyn Tokenizer,
    utf8: Utf8Stream,
    hides_special: bool,
}

impl<'a> Detokenizer<'a> {
    /// Gives special tokens as they are written.
    #[must_use]
    pub fn new(tokenizer: &'a dyn Tokenizer) -> Self {
        Self { tokenizer, utf8: Utf8Stream::new(), hides_special: false }
    }

    /// Leaves special tokens out. One between the bytes of a character does not keep them apart.
    #[must_use]
    pub fn without_special(mut self) -> Self {
        self.hides_special = true;
        self
    }

    /// Takes the next id and gives the characters it completes.
    #[must_use = "the text is given out only once"]
    pub fn push(&mut self, id: u32) -> String {
        if self.hides_special && self.tokenizer.is_special(id) {
            return String::new();
        }
        self.utf8.push(self.tokenizer.token_bytes(id).unwrap_or_default())
    }

    /// Ends the text: the beginning of a character that was held back becomes U+FFFD.
    ///
    /// The stream is empty then and can be used for another text.
    #[must_use = "the text is given out only once"]
    pub fn flush(&mut self) -> String {
        self.utf8.flush()
    }
}
