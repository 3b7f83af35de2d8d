use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::{
    AddedToken, DecoderWrapper, Model, NormalizerWrapper, PostProcessorWrapper,
    PreTokenizerWrapper, TokenizerBuilder, TokenizerImpl,
};

use super::file;

type Pipeline = TokenizerImpl<
    BPE,
    NormalizerWrapper,
    PreTokenizerWrapper,
    PostProcessorWrapper,
    DecoderWrapper,
>;

/// Text to ids, without any special token.
pub(super) struct Ordinary(Pipeline);

/// How many characters of white space in a row are encoded.
///
/// The crate's regular expressions keep a state for each repetition of `\s+(?!\S)`, a million at most
/// (`fancy-regex`), and behind that the rest of the text silently counts as one word.
const LONGEST_SPACE: usize = 500_000;

impl Ordinary {
    pub(super) fn new(
        normalizer: Option<NormalizerWrapper>,
        splitter: Option<PreTokenizerWrapper>,
        model: BPE,
        added: Vec<AddedToken>,
    ) -> Result<Self, String> {
        let mut pipeline = TokenizerBuilder::new()
            .with_model(model)
            .with_normalizer(normalizer)
            .with_pre_tokenizer(splitter)
            .build()
            .map_err(|error| error.to_string())?;
        pipeline.add_tokens(added).map_err(|error| format!("added_tokens: {error}"))?;
        Ok(Self(pipeline))
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let run = text.split(|c: char| !c.is_whitespace()).max_by_key(|run| run.len());
        let longest = run.map_or(0, |run| run.chars().count());
        if longest > LONGEST_SPACE {
            return Err(format!(
                "{longest} characters of white space in a row, expected at most {LONGEST_SPACE}"
            ));
        }
        let encoding = self.0.encode_fast(text, false).map_err(|error| error.to_string())?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The id of a word as the file writes it.
    pub(super) fn word(&self, word: &str) -> Option<u32> {
        self.0.get_model().token_to_id(word)
    }

    /// The id of an added token.
    pub(super) fn added(&self, text: &str) -> Option<u32> {
        self.0.get_added_vocabulary().get_vocab().get(text).copied()
    }
}

/// The model of a file, checked before the crate builds it.
pub(super) fn bpe(model: file::Model<'_>, words: Vocab) -> Result<BPE, String> {
    for (field, value) in [
        ("continuing_subword_prefix", &model.continuing_subword_prefix),
        ("end_of_word_suffix", &model.end_of_word_suffix),
    ] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            return Err(format!("model.{field} is {value:?}, expected none"));
        }
    }
    if let Some(dropout) = model.dropout.filter(|dropout| *dropout != 0.0) {
        return Err(format!("model.dropout is {dropout}, expected none"));
    }
    // The crate concatenates the two words in a buffer of the longest word's length.
    let longest = words.keys().map(String::len).max().unwrap_or(0);
    if let Some((index, merge)) =
        model.merges.iter().enumerate().find(|(_, merge)| merge.0.len() + merge.1.len() > longest)
    {
        let joined = format!("{}{}", merge.0, merge.1);
        return Err(format!("model.merges[{index}] makes {joined:?}, which is not in model.vocab"));
    }
    let merges = model.merges.into_iter();
    let merges = merges.map(|file::Merge(a, b)| (a.into_owned(), b.into_owned())).collect();
    let mut builder = BPE::builder()
        .vocab_and_merges(words, merges)
        .fuse_unk(model.fuse_unk)
        .byte_fallback(model.byte_fallback)
        .ignore_merges(model.ignore_merges);
    if let Some(unknown) = model.unk_token {
        builder = builder.unk_token(unknown);
    }
    builder.build().map_err(|error| format!("model: {error}"))
}
