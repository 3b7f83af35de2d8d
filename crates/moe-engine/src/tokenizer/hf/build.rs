use std::collections::HashMap;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::models::bpe::Vocab;

use super::HfTokenizer;
use super::alphabet::Alphabet;
use super::file::{self, AddedToken, File};
use super::ordinary::{Ordinary, bpe};
use super::special::Specials;
use super::words::{Words, shown};

impl HfTokenizer {
    /// Builds it from a file's content; an error is the reason why that cannot be.
    pub(super) fn build(path: PathBuf, mut file: File<'_>) -> Result<Self, String> {
        let alphabet = Alphabet::of(file.decoder.as_ref())?;
        let normalizer = part("normalizer", file.normalizer)?;
        let splitter = part("pre_tokenizer", file.pre_tokenizer)?;
        let listed = std::mem::replace(&mut file.model.vocab, file::Vocab(Vec::new()));
        let unknown = file.model.unk_token.as_deref();
        let (words, vocab) = tables(alphabet, listed, &file.added_tokens, unknown)?;
        let (special, added): (Vec<_>, _) =
            file.added_tokens.into_iter().partition(|added| added.token.special);
        let special = special.into_iter().map(|added| (added.token.content, added.id)).collect();
        let added = added.into_iter().map(|added| added.token).collect();
        Ok(Self {
            path,
            ordinary: Ordinary::new(normalizer, splitter, bpe(file.model, vocab)?, added)?,
            special: Specials::new(special),
            words,
            alphabet,
        })
    }
}

/// A part of the pipeline, in the crate's own form.
fn part<T: DeserializeOwned>(name: &str, value: Option<Value>) -> Result<Option<T>, String> {
    let part = value.map(serde_json::from_value).transpose();
    part.map_err(|error| format!("{name}: {error}"))
}

/// The bytes of all tokens, and the words that merging can give.
///
/// Special tokens, which many files list among the model's words too, are none of these: merging and
/// splitting then cannot give one, whatever the text. Other added tokens are, so that the crate keeps
/// their ids. What stands for unknown characters has to be one.
fn tables(
    alphabet: Alphabet,
    listed: file::Vocab<'_>,
    added: &[AddedToken],
    unknown: Option<&str>,
) -> Result<(Words, Vocab), String> {
    let mut words = Words::default();
    let mut vocab = Vocab::with_capacity(listed.0.len());
    let mut ids = HashMap::new();
    for added in added {
        check(added)?;
        let AddedToken { id, token } = added;
        words.insert(*id, token.content.as_bytes())?;
        if ids.insert(token.content.as_str(), *id).is_some() {
            return Err(format!("added_tokens: {} is there twice", name(&token.content)));
        }
        if !token.special || unknown == Some(token.content.as_str()) {
            vocab.insert(token.content.clone(), *id);
        }
    }
    for (word, id) in listed.0 {
        match ids.get(&*word) {
            Some(known) if *known == id => continue,
            Some(known) => {
                let name = name(&word);
                return Err(format!("{name} has id {id} in model.vocab, {known} in added_tokens"));
            }
            None => words.insert(id, &alphabet.read(&word))?,
        }
        if let Some(other) = vocab.insert(word.into_owned(), id) {
            return Err(format!("a word of model.vocab has the ids {other} and {id}"));
        }
    }
    match alphabet.missing_byte(|word| vocab.contains_key(word)).filter(|_| unknown.is_none()) {
        Some(byte) => Err(format!("model.vocab has no word for the byte {byte:#04x}")),
        None => Ok((words, vocab)),
    }
}

fn check(AddedToken { id, token }: &AddedToken) -> Result<(), String> {
    if token.content.is_empty() {
        return Err(format!("added_tokens: the token with id {id} is empty"));
    }
    let flags =
        [("single_word", token.single_word), ("lstrip", token.lstrip), ("rstrip", token.rstrip)];
    match flags.into_iter().find(|(_, set)| token.special && *set) {
        Some((flag, _)) => {
            let name = name(&token.content);
            Err(format!("added_tokens: special {name} has {flag}, expected none that has"))
        }
        None => Ok(()),
    }
}

fn name(word: &str) -> String {
    shown(word.as_bytes())
}
