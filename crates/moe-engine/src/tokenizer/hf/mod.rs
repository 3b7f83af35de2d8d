mod alphabet;
mod build;
mod file;
mod ordinary;
mod special;
mod words;

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use alphabet::Alphabet;
use file::File;
use ordinary::Ordinary;
use special::Specials;
use words::Words;

use super::{Tokenizer, TokenizerError};

/// The file's name in a checkpoint's folder.
pub const TOKENIZER: &str = "tokenizer.json";

/// A byte-pair vocabulary from a `tokenizer.json`, the form in which models on the Hugging Face hub
/// carry it.
///
/// Normalising, splitting and merging are done by the crate `tokenizers`; the bytes of each token are
/// kept in a table of our own, so that a stream of ids needs no decoding of its past. Special tokens
/// are kept apart from the merges: no ordinary text becomes one.
///
/// | `decoder` of the file | bytes of a token |
/// |---|---|
/// | `ByteLevel` (GPT-2 and its descendants, gpt-oss) | one for each character of the file's alphabet: exact |
/// | `Metaspace`, or a sequence of `Replace`, `ByteFallback`, `Fuse`, `Strip` (Llama 2) | `▁` is a space, `<0x0A>` the byte; the space before a text's first word, which `Strip` would take away, stays |
///
/// Refused by name: models other than BPE, prefixes and suffixes of word parts, dropout, other
/// decoders, and special tokens that swallow the spaces beside them. `truncation`, `padding` and
/// `post_processor` are not used: what a text is surrounded by is the prompt's business.
///
/// ```
/// use moe_engine::tokenizer::{HfTokenizer, Tokenizer};
///
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tokenizer/tiny.json");
/// let tokenizer = HfTokenizer::from_file(path)?;
/// let mut ids = Vec::new();
/// tokenizer.encode("<|end|> café", &mut ids)?;
/// assert!(ids.iter().all(|id| !tokenizer.is_special(*id)));
/// assert_eq!(tokenizer.decode(&ids), "<|end|> café");
///
/// ids.clear();
/// tokenizer.encode_with_special("<|end|>", &mut ids)?;
/// assert_eq!(ids, [tokenizer.token_id("<|end|>").unwrap()]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HfTokenizer {
    path: PathBuf,
    ordinary: Ordinary,
    special: Specials,
    words: Words,
    alphabet: Alphabet,
}

impl HfTokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Read`], and [`TokenizerError::File`] for whatever is wrong with its content.
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, TokenizerError> {
        let path = path.into();
        match std::fs::read(&path) {
            Ok(bytes) => Self::from_json(path, &bytes),
            Err(source) => Err(TokenizerError::Read { path, source }),
        }
    }

    /// Reads the [`TOKENIZER`] of a checkpoint's folder; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`HfTokenizer::from_file`].
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Option<Self>, TokenizerError> {
        match Self::from_file(folder.as_ref().join(TOKENIZER)) {
            Err(TokenizerError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Ok(None)
            }
            result => result.map(Some),
        }
    }

    /// Reads the content of a `tokenizer.json`; `path` is for messages.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::File`].
    pub fn from_json(path: impl Into<PathBuf>, json: &[u8]) -> Result<Self, TokenizerError> {
        let path = path.into();
        let file = File::parse(json).and_then(|file| Self::build(path.clone(), file));
        file.map_err(|reason| TokenizerError::File { path, reason })
    }

    /// Where it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Tokenizer for HfTokenizer {
    fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let encoded = self.ordinary.encode(text);
        ids.extend(
            encoded.map_err(|reason| TokenizerError::Encode { length: text.len(), reason })?,
        );
        Ok(())
    }

    fn encode_with_special(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let before = ids.len();
        for piece in self.special.split(text) {
            match piece {
                special::Piece::Special(id) => ids.push(id),
                special::Piece::Text(text) => {
                    self.encode(text, ids).inspect_err(|_| ids.truncate(before))?;
                }
            }
        }
        Ok(())
    }

    fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        self.words.get(id)
    }

    fn token_id(&self, text: &str) -> Option<u32> {
        let added = self.special.id(text).or_else(|| self.ordinary.added(text));
        added.or_else(|| {
            // A word that the file writes alike may be another token's text.
            let id = self.ordinary.word(&self.alphabet.write(text))?;
            (self.words.get(id) == Some(text.as_bytes())).then_some(id)
        })
    }

    fn is_special(&self, id: u32) -> bool {
        self.special.contains(id)
    }

    fn vocab_size(&self) -> usize {
        self.words.len()
    }
}

impl fmt::Debug for HfTokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HfTokenizer")
            .field("path", &self.path)
            .field("vocab_size", &self.words.len())
            .field("alphabet", &self.alphabet)
            .finish_non_exhaustive()
    }
}
