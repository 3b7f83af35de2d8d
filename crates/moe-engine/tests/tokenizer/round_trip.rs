use moe_engine::tokenizer::{Detokenizer, Tokenizer};
use proptest::prelude::*;

use super::strings::STRINGS;
use super::{ids, ids_with_special, tiny};

fn streamed(mut stream: Detokenizer<'_>, ids: &[u32]) -> String {
    let mut text: String = ids.iter().map(|id| stream.push(*id)).collect();
    text.push_str(&stream.flush());
    assert_eq!(stream.flush(), "");
    text
}

/// Everything that is to hold for a text in any vocabulary.
fn check(tokenizer: &dyn Tokenizer, text: &str) {
    for ids in [ids(tokenizer, text), ids_with_special(tokenizer, text)] {
        assert_eq!(tokenizer.decode(&ids), text);
        assert_eq!(streamed(Detokenizer::new(tokenizer), &ids), text);
    }
    let hidden = Detokenizer::new(tokenizer).without_special();
    assert_eq!(streamed(hidden, &ids(tokenizer, text)), text, "all of it is ordinary");
}

#[test]
fn texts_come_back() {
    let tokenizer = tiny();
    for text in STRINGS {
        check(tokenizer, text);
    }
    check(tokenizer, &STRINGS.concat());
}

#[test]
fn every_token_is_found_by_its_text() {
    let tokenizer = tiny();
    let mut found = 0;
    for id in 0..tokenizer.vocab_size() as u32 {
        let bytes = tokenizer.token_bytes(id).unwrap();
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        assert_eq!(tokenizer.token_id(text), Some(id), "{text:?}");
        found += 1;
    }
    // Half of the single bytes are no text, and five merges hold parts of characters.
    assert_eq!(found, 380 - 128 - 5);
    // How the file writes a space is not its text.
    assert_eq!(tokenizer.token_id("Ġ"), None);
    assert_eq!(tokenizer.token_id(""), None);
}

#[test]
fn characters_come_when_they_are_whole() {
    let tokenizer = tiny();
    let smile = ids(tokenizer, "🙂");
    assert_eq!(smile.len(), 4, "no merge of the small vocabulary makes it");
    let mut stream = Detokenizer::new(tokenizer);
    assert_eq!(stream.push(smile[0]), "");
    assert_eq!(stream.push(smile[1]), "");
    assert_eq!(stream.push(tokenizer.token_id("a").unwrap()), "\u{fffd}a");
    let texts: Vec<_> = smile.iter().map(|id| stream.push(*id)).collect();
    assert_eq!(texts, ["", "", "", "🙂"]);
    assert_eq!(stream.push(smile[0]), "");
    assert_eq!(stream.flush(), "\u{fffd}");
}

#[test]
fn ids_without_a_token_give_nothing() {
    let tokenizer = tiny();
    assert_eq!(tokenizer.decode(&[380, u32::MAX]), "");
    assert_eq!(tokenizer.token_bytes(380), None);
    assert!(!tokenizer.is_special(380));
    assert_eq!(streamed(Detokenizer::new(tokenizer), &[380, 5, 383]), "<|start|>");
}

proptest! {
    #[test]
    fn any_text_comes_back(text in any::<String>()) {
        check(tiny(), &text);
    }

    #[test]
    fn any_words_come_back(text in "([a-zA-Z]{1,8}|[0-9]{1,5}|[ \t\r\n]{1,4}|\\PC{1,3}|<\\|(start|end|call)\\|>){0,12}") {
        check(tiny(), &text);
    }

    /// A model may put any ids one after another.
    #[test]
    fn any_ids_stream_the_text_they_decode_to(ids in proptest::collection::vec(0_u32..400, 0..40)) {
        let tokenizer = tiny();
        prop_assert_eq!(streamed(Detokenizer::new(tokenizer), &ids), tokenizer.decode(&ids));
        let ordinary: Vec<_> = ids.iter().copied().filter(|id| !tokenizer.is_special(*id)).collect();
        let hidden = Detokenizer::new(tokenizer).without_special();
        prop_assert_eq!(streamed(hidden, &ids), tokenizer.decode(&ordinary));
    }
}
