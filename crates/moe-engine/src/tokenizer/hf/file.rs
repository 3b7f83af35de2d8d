use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// What a `tokenizer.json` holds, as far as it is used.
///
/// The two long lists borrow from the text: the released file has 200 thousand words and 446 thousand
/// merges.
#[derive(Deserialize)]
pub(super) struct File<'a> {
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) added_tokens: Vec<AddedToken>,
    pub(super) normalizer: Option<Value>,
    pub(super) pre_tokenizer: Option<Value>,
    pub(super) decoder: Option<Value>,
    #[serde(borrow)]
    pub(super) model: Model<'a>,
}

/// A token beside those of the model, or one of those that is more than a word.
#[derive(Deserialize)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    #[serde(flatten)]
    pub(super) token: tokenizers::AddedToken,
}

/// Byte-pair encoding.
#[derive(Deserialize)]
pub(super) struct Model<'a> {
    pub(super) dropout: Option<f32>,
    pub(super) unk_token: Option<String>,
    pub(super) continuing_subword_prefix: Option<String>,
    pub(super) end_of_word_suffix: Option<String>,
    #[serde(default)]
    pub(super) fuse_unk: bool,
    #[serde(default)]
    pub(super) byte_fallback: bool,
    #[serde(default)]
    pub(super) ignore_merges: bool,
    #[serde(borrow)]
    pub(super) vocab: Vocab<'a>,
    #[serde(borrow)]
    pub(super) merges: Vec<Merge<'a>>,
}

/// The words and their ids, in the file's order.
pub(super) struct Vocab<'a>(pub(super) Vec<(Cow<'a, str>, u32)>);

/// Two words that become one. Written `["a", "b"]`, in older files `"a b"`.
pub(super) struct Merge<'a>(pub(super) Cow<'a, str>, pub(super) Cow<'a, str>);

/// A string that borrows from the file unless it holds escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> File<'a> {
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, String> {
        let file: Self = serde_json::from_slice(json).map_err(|error| explain(json, &error))?;
        match file.version.as_deref() {
            None | Some("1.0") => Ok(file),
            Some(other) => Err(format!("version is {other:?}, expected \"1.0\"")),
        }
    }
}

/// Says which model it is, if that is why the file has another form.
fn explain(json: &[u8], error: &serde_json::Error) -> String {
    #[derive(Deserialize)]
    struct Kinds {
        model: Kind,
    }
    #[derive(Deserialize)]
    struct Kind {
        r#type: String,
    }
    match serde_json::from_slice::<Kinds>(json) {
        Ok(Kinds { model: Kind { r#type } }) if r#type != "BPE" => {
            format!("model.type is {type:?}, expected \"BPE\"")
        }
        _ => format!("no tokenizer of the form that is read here: {error}"),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Vocab<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Vocab<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of words and ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut words = Vec::new();
                while let Some((Text(word), id)) = map.next_entry()? {
                    words.push((word, id));
                }
                Ok(Vocab(words))
            }
        }
        deserializer.deserialize_map(Words)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Merge<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = Merge<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("two words, [\"a\", \"b\"] or \"a b\"")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Self::Value, A::Error> {
                let one = pair.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                let two = pair.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
                let (Text(one), Text(two)) = (one, two);
                Ok(Merge(one, two))
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                let (one, two) = halves(text, &self)?;
                Ok(Merge(Cow::Borrowed(one), Cow::Borrowed(two)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let (one, two) = halves(text, &self)?;
                Ok(Merge(Cow::Owned(one.to_owned()), Cow::Owned(two.to_owned())))
            }
        }
        deserializer.deserialize_any(Pair)
    }
}

fn halves<'t, E: Error>(
    text: &'t str,
    expected: &dyn serde::de::Expected,
) -> Result<(&'t str, &'t str), E> {
    let unexpected = || E::invalid_value(serde::de::Unexpected::Str(text), expected);
    text.split_once(' ').filter(|(_, two)| !two.contains(' ')).ok_or_else(unexpected)
}
