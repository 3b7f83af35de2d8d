//! How `tiny.json` is made: 110 or so merges learned from `corpus.txt`, behind the control tokens of
//! harmony. Its ids fit the checkpoints that `synthesize --preset tiny` writes, which have 384 rows,
//! begin texts with id 0, pad with 1 and end with 2.
//!
//! `cargo test -p moe-engine --test tokenizer -- --ignored` writes it again.

use std::path::Path;

use moe_engine::tokenizer::Tokenizer as _;
use serde_json::Value;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

const CORPUS: &str = include_str!("corpus.txt");

/// Words with the space before them, numbers by three digits, the rest by kind.
const PATTERN: &str = r" ?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

const SPECIAL: [&str; 11] = [
    "<|startoftext|>",
    "<|endoftext|>",
    "<|return|>",
    "<|constrain|>",
    "<|channel|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|call|>",
    "<|endofprompt|>",
    "<|reserved_200013|>",
];

/// Four less than the rows of the tiny checkpoints, as real models have rows that no token uses.
const IDS: usize = 380;

fn made() -> String {
    let mut tokenizer = Tokenizer::new(BPE::default());
    let pattern = SplitPattern::Regex(PATTERN.to_owned());
    let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).unwrap();
    let bytes = ByteLevel::new(false, true, false);
    let parts = vec![PreTokenizerWrapper::Split(split), PreTokenizerWrapper::ByteLevel(bytes)];
    tokenizer.with_pre_tokenizer(Some(Sequence::new(parts)));
    tokenizer.with_decoder(Some(bytes));
    let special = SPECIAL.map(|text| AddedToken::from(text, true).normalized(false));
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(IDS)
        .special_tokens(special.to_vec())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build()
        .into();
    tokenizer.train(&mut trainer, CORPUS.lines().map(|line| format!("{line}\n"))).unwrap();
    tokenizer.to_string(true).unwrap()
}

#[test]
fn the_file_is_what_its_corpus_gives() {
    let kept: Value = serde_json::from_slice(super::TINY).unwrap();
    let made: Value = serde_json::from_str(&made()).unwrap();
    assert_eq!(kept, made);
}

#[test]
fn its_ids_fit_the_tiny_checkpoints() {
    let tokenizer = super::tiny();
    assert_eq!(tokenizer.vocab_size(), IDS);
    for (id, text) in (0..).zip(SPECIAL) {
        assert_eq!(tokenizer.token_id(text), Some(id));
    }
    assert_eq!(super::ids(tokenizer, " the capital").len(), 2);
}

#[test]
#[ignore = "writes the file"]
fn write() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizer/tiny.json");
    std::fs::write(path, made() + "\n").unwrap();
}
