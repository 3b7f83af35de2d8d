//! A tokenizer without words.

use moe_engine::tokenizer::{Tokenizer, TokenizerError};

/// A letter and a digit for most ids; the bytes of é apart for the last ones; the very last is special.
#[derive(Debug)]
pub(crate) struct Letters(Vec<Vec<u8>>);

/// Ids that this tokenizer has; the models of the tests have 384.
pub(crate) const KNOWN: u32 = 350;

impl Letters {
    pub(crate) fn new() -> Self {
        let token = |id: u32| match id {
            0..260 => vec![b'a' + (id % 26) as u8, b'0' + (id / 26) as u8],
            260..300 => vec![0xc3],
            300..349 => vec![0xa9],
            _ => b"<|end|>".to_vec(),
        };
        Self((0..KNOWN).map(token).collect())
    }
}

impl Tokenizer for Letters {
    fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let pairs = text.as_bytes().chunks(2);
        ids.extend(pairs.filter_map(|pair| self.token_id(std::str::from_utf8(pair).ok()?)));
        Ok(())
    }

    fn encode_with_special(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        self.encode(text, ids)
    }

    fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        self.0.get(id as usize).map(Vec::as_slice)
    }

    fn token_id(&self, text: &str) -> Option<u32> {
        self.0.iter().position(|token| token == text.as_bytes()).map(|id| id as u32)
    }

    fn is_special(&self, id: u32) -> bool {
        id + 1 == KNOWN
    }

    fn vocab_size(&self) -> usize {
        self.0.len()
    }
}
