//! Text to token ids and back.
//!
//! - [`Tokenizer`] is what the engine, the chat format and the examples ask of a vocabulary.
//! - [`HfTokenizer`] reads the `tokenizer.json` that lies beside the weights (feature `tokenizers`).
//! - [`Detokenizer`] makes text of ids as they are generated, valid UTF-8 at every step.
//! - [`check_vocabulary`] refuses a tokenizer that was not made for the model.
//!
//! A checkpoint without a tokenizer is no error: everything that runs a model takes and gives ids.

mod check;
mod detokenizer;
mod error;
#[cfg(feature = "tokenizers")]
mod hf;

pub use check::check_vocabulary;
pub use detokenizer::Detokenizer;
pub use error::TokenizerError;
#[cfg(feature = "tokenizers")]
pub use hf::{HfTokenizer, TOKENIZER};

use std::fmt::Debug;

/// A vocabulary: which bytes each token id stands for, and how text is cut into tokens.
///
/// Ids lie below [`vocab_size`](Self::vocab_size), not all of them need to exist, and the model may
/// have rows beyond them.
pub trait Tokenizer: Send + Sync + Debug {
    /// Appends the ids of a text in which nothing is a control token.
    ///
    /// Where the text spells a special token, as `<|end|>`, it becomes ordinary tokens of these
    /// characters. This is the encoding for whatever people, tools and documents say.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Encode`] if the text has no tokens in this vocabulary. `ids` is unchanged.
    fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError>;

    /// Appends the ids of a text in which special tokens are recognised, for prompts that are written
    /// out by hand. None is added: what is not in the text is not in the ids.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    fn encode_with_special(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError>;

    /// The bytes of a token, not always whole characters; of a special token, its text. `None` if no
    /// token has this id.
    fn token_bytes(&self, id: u32) -> Option<&[u8]>;

    /// The id of the token that is exactly this text; of a special and an ordinary one, the special.
    fn token_id(&self, text: &str) -> Option<u32>;

    /// Whether the token controls, rather than says, something; `false` for ids that do not exist.
    fn is_special(&self, id: u32) -> bool;

    /// One more than the largest id.
    fn vocab_size(&self) -> usize;

    /// The text of ids, special tokens as they are written. Ids that do not exist give nothing, bytes
    /// that are no UTF-8 U+FFFD as in [`String::from_utf8_lossy`].
    fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> =
            ids.iter().filter_map(|id| self.token_bytes(*id)).flatten().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
