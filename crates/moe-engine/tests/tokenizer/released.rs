//! The vocabulary of gpt-oss against tiktoken, by which it was made: the same ids for any text.
//!
//! `tiktoken-rs` carries the released ranks. From them a `tokenizer.json` of the released form is
//! made here, read by us, and asked what tiktoken is asked.

use std::collections::HashMap;
use std::sync::LazyLock;

use moe_engine::chat::{Conversation, Message, RenderOptions, SpecialIds, SpecialToken};
use moe_engine::tokenizer::{HfTokenizer, Tokenizer, check_vocabulary};
use proptest::prelude::*;
use serde_json::{Value, json};
use tiktoken_rs::{CoreBPE, o200k_harmony_singleton};

use super::special::Failure;
use super::strings::STRINGS;
use super::{ids, ids_with_special};

/// How the released file splits text: `o200k_base` of tiktoken.
const PATTERN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

/// Ordinary words of the released vocabulary.
const WORDS: u32 = 199_998;

static JUDGE: LazyLock<&'static CoreBPE> = LazyLock::new(o200k_harmony_singleton);
static RELEASED: LazyLock<HfTokenizer> =
    LazyLock::new(|| HfTokenizer::from_json("released", file().to_string().as_bytes()).unwrap());

fn file() -> Value {
    let words: Vec<Vec<u8>> = (0..WORDS).map(|id| JUDGE.decode_bytes(&[id]).unwrap()).collect();
    let ranks: HashMap<&[u8], usize> = words.iter().map(Vec::as_slice).zip(0..).collect();
    // Every way to make a word of two others; by the word made, then by the parts.
    let mut merges = Vec::new();
    for word in &words {
        let from = merges.len();
        for (left, right) in (1..word.len()).map(|at| word.split_at(at)) {
            if let (Some(a), Some(b)) = (ranks.get(left), ranks.get(right)) {
                merges.push((*a, *b));
            }
        }
        merges[from..].sort_unstable();
    }
    let alphabet = alphabet();
    let written =
        |word: &[u8]| word.iter().map(|byte| alphabet[usize::from(*byte)]).collect::<String>();
    let vocab: serde_json::Map<_, _> =
        words.iter().zip(0..).map(|(word, id)| (written(word), json!(id))).collect();
    let merges: Vec<_> =
        merges.iter().map(|(a, b)| [written(&words[*a]), written(&words[*b])]).collect();
    let added: Vec<_> = (WORDS..)
        .map_while(|id| Some((id, SpecialToken::from_id(id)?)))
        .map(|(id, token)| {
            json!({
                "id": id, "content": token.text(), "special": true,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false
            })
        })
        .collect();
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false });
    json!({
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": PATTERN }, "behavior": "Isolated", "invert": false },
            bytes,
        ] },
        "decoder": bytes,
        "model": { "type": "BPE", "ignore_merges": true, "vocab": vocab, "merges": merges },
    })
}

/// GPT-2's characters for bytes.
fn alphabet() -> Vec<char> {
    let mut others = '\u{100}'..;
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..);
    (0..=u8::MAX)
        .map(|byte| if printable(&byte) { char::from(byte) } else { others.next().unwrap() })
        .collect()
}

fn compare(text: &str) {
    assert_eq!(ids(&*RELEASED, text), JUDGE.encode_ordinary(text), "{text:?}");
    // tiktoken-rs calls this one reserved.
    if !text.contains("<|endofprompt|>") {
        let judged = JUDGE.encode_with_special_tokens(text);
        assert_eq!(ids_with_special(&*RELEASED, text), judged, "{text:?}");
    }
}

#[test]
fn texts_have_the_ids_of_tiktoken() {
    for text in STRINGS {
        compare(text);
    }
    compare(&STRINGS.concat());
}

#[test]
fn the_vocabulary_is_that_of_the_models() {
    let tokenizer = &*RELEASED;
    assert_eq!(tokenizer.vocab_size(), 200_019);
    check_vocabulary(tokenizer, 201_088, &[200_002, 199_999, 200_012]).unwrap();
    let table = SpecialIds::of(tokenizer).unwrap();
    for id in WORDS..200_019 {
        let token = SpecialToken::from_id(id).unwrap();
        assert_eq!(table.id(token).unwrap_or(id), id);
        assert_eq!(tokenizer.token_id(&token.text()), Some(id));
    }
}

#[test]
fn conversations_have_the_ids_of_tiktoken() {
    let tokenizer = &*RELEASED;
    let mut chat = Conversation::new().date("2025-06-28").instructions("Be brief.").user("2 + 2?");
    chat.push(Message::analysis("Easy."));
    chat.push(Message::tool_call("sum", r#"{"numbers":[2,2]}"#));
    chat.push(Message::tool_result("sum", "4"));
    chat.push(Message::user("Und auf Deutsch? 🙂"));
    let prompt = chat.render(&RenderOptions::default()).unwrap();
    let table = SpecialIds::of(tokenizer).unwrap();
    let encode = |text: &str, ids: &mut Vec<u32>| Ok::<_, Failure>(tokenizer.encode(text, ids)?);
    let ids = prompt.encode(&table, encode).unwrap();
    assert_eq!(ids, JUDGE.encode_with_special_tokens(&prompt.to_text()));
    assert_eq!(tokenizer.decode(&ids), prompt.to_text());
}

proptest! {
    #[test]
    fn any_text_has_the_ids_of_tiktoken(
        text in "([a-zA-Z]{1,12}|[0-9]{1,7}|[ \t\r\n]{1,6}|\\PC{1,6}|['’](s|LL|re)|[!-/]{1,4}|[\u{300}-\u{36f}]|<\\|end\\|>){0,16}"
    ) {
        compare(&text);
    }
}
