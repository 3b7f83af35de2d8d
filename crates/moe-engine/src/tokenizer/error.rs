use std::path::PathBuf;

/// What can go wrong between text and ids.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The operating system did not give the file.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The file is no tokenizer, or not one of a kind that is read here.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what was expected.
        reason: String,
    },
    /// A text cannot be encoded.
    #[error("text of {length} bytes: {reason}")]
    Encode {
        /// The text's length in bytes.
        length: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The tokenizer has ids that the model has no rows for.
    #[error(
        "tokenizer of another vocabulary: its ids go up to {}, expected less than the model's {rows}",
        ids.saturating_sub(1)
    )]
    TooManyIds {
        /// One more than the tokenizer's largest id.
        ids: usize,
        /// The rows of the model's embedding.
        rows: usize,
    },
    /// The model ends its texts with an id that the tokenizer does not have.
    #[error("tokenizer of another vocabulary: the model ends with id {id}, which it does not have")]
    UnknownEnd {
        /// The id, of `eos_token_id`.
        id: u32,
    },
    /// The model ends its texts with an id that is an ordinary word of the tokenizer's.
    #[error(
        "tokenizer of another vocabulary: the model ends with id {id}, which is ordinary text, \
         {text:?}, expected a special token"
    )]
    OrdinaryEnd {
        /// The id, of `eos_token_id`.
        id: u32,
        /// What it stands for.
        text: String,
    },
}
