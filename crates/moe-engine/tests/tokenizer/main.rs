//! Tokenizers: text to ids and back, streamed, and files that are not what they should be.
#![cfg(feature = "tokenizers")]

mod files;
mod made;
mod other_vocabulary;
mod released;
mod round_trip;
mod special;
mod strings;

use std::sync::LazyLock;

use moe_engine::tokenizer::{HfTokenizer, Tokenizer};

/// The small vocabulary that is kept here: 11 special tokens, the 256 bytes, and merges up to 380.
const TINY: &[u8] = include_bytes!("tiny.json");

fn tiny() -> &'static HfTokenizer {
    static READ: LazyLock<HfTokenizer> =
        LazyLock::new(|| HfTokenizer::from_json("tiny.json", TINY).unwrap());
    &READ
}

fn ids(tokenizer: &dyn Tokenizer, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.encode(text, &mut ids).unwrap();
    ids
}

fn ids_with_special(tokenizer: &dyn Tokenizer, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.encode_with_special(text, &mut ids).unwrap();
    ids
}
