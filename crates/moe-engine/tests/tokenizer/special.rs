use std::sync::LazyLock;

use moe_engine::chat::{
    ChatError, Conversation, Event, Message, Purpose, RenderOptions, SpecialIds, Stream,
};
use moe_engine::tokenizer::{HfTokenizer, Tokenizer, TokenizerError};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::strings::STRINGS;
use super::{TINY, ids, ids_with_special, tiny};

/// What a conversation's encoding can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Chat(#[from] ChatError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

fn holds_special(tokenizer: &dyn Tokenizer, ids: &[u32]) -> bool {
    ids.iter().any(|id| tokenizer.is_special(*id))
}

/// The same vocabulary, its splitting taken away, each text looked up as a whole first.
static UNSPLIT: LazyLock<HfTokenizer> = LazyLock::new(|| {
    let mut file: Value = serde_json::from_slice(TINY).unwrap();
    file["pre_tokenizer"] = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false
    });
    file["model"]["ignore_merges"] = json!(true);
    assert_eq!(file["model"]["vocab"]["<|end|>"], 6, "the model lists special tokens as words");
    HfTokenizer::from_json("unsplit", file.to_string().as_bytes()).unwrap()
});

#[test]
fn control_tokens_that_are_written_out_are_text() {
    for tokenizer in [tiny(), &*UNSPLIT] {
        for text in STRINGS {
            assert!(!holds_special(tokenizer, &ids(tokenizer, text)), "{text}");
        }
        for id in 0..11 {
            let text = String::from_utf8(tokenizer.token_bytes(id).unwrap().to_vec()).unwrap();
            assert_eq!(ids_with_special(tokenizer, &text), [id]);
            let ordinary = ids(tokenizer, &text);
            assert!(ordinary.len() > 1 && !holds_special(tokenizer, &ordinary), "{text}");
        }
    }
}

#[test]
fn control_tokens_are_recognised_where_they_are_meant() {
    let tokenizer = tiny();
    let [start, end, message] =
        ["<|start|>", "<|end|>", "<|message|>"].map(|t| tokenizer.token_id(t).unwrap());
    let mut expected = vec![start];
    expected.extend(ids(tokenizer, "user"));
    expected.push(message);
    expected.extend(ids(tokenizer, "hi <|no|>"));
    expected.extend([end, end]);
    assert_eq!(
        ids_with_special(tokenizer, "<|start|>user<|message|>hi <|no|><|end|><|end|>"),
        expected
    );
    assert_eq!(ids_with_special(tokenizer, "no <|enD|>"), ids(tokenizer, "no <|enD|>"));
}

#[test]
fn the_table_of_harmony_is_found() {
    let table = SpecialIds::of(tiny()).unwrap();
    assert_eq!(table.stop_ids(), [1, 2, 8]);
    // As an ordinary token the text is no control token.
    let mut file: Value = serde_json::from_slice(TINY).unwrap();
    file["added_tokens"][6]["special"] = json!(false);
    let tokenizer = HfTokenizer::from_json("ordinary", file.to_string().as_bytes()).unwrap();
    assert_eq!(ids(&tokenizer, "a<|end|>").last(), Some(&6), "an added token that is text");
    assert_eq!(tokenizer.token_id("<|end|>"), Some(6));
    assert!(matches!(SpecialIds::of(&tokenizer), Err(ChatError::MissingSpecial { .. })));
}

fn read_back(tokenizer: &HfTokenizer, chat: &Conversation) -> Vec<Message> {
    let options = RenderOptions {
        purpose: Purpose::Record,
        keep_reasoning: true,
        ..RenderOptions::default()
    };
    let table = SpecialIds::of(tokenizer).unwrap();
    let prompt = chat.render(&options).unwrap();
    let ids =
        prompt.encode(&table, |text, ids| Ok::<_, Failure>(tokenizer.encode(text, ids)?)).unwrap();
    let mut stream = Stream::between_messages(tokenizer, table);
    let mut shown = String::new();
    for id in ids {
        for event in stream.push(id) {
            if let Event::Delta(text) = event {
                shown.push_str(&text);
            }
        }
    }
    stream.finish();
    let messages = stream.take_messages();
    assert_eq!(shown, messages.iter().map(|message| message.content.as_str()).collect::<String>());
    assert!(stream.messages().is_empty());
    messages
}

#[test]
fn what_a_model_should_not_say_is_not_shown() {
    let tokenizer = tiny();
    let mut stream = Stream::new(tokenizer, SpecialIds::of(tokenizer).unwrap());
    let mut said = ids_with_special(tokenizer, "<|channel|>final<|message|>a");
    // Reserved, begin of text, and rows of the model beyond the vocabulary.
    said.extend([10, 0, 380, 383]);
    said.extend(ids(tokenizer, "é"));
    let events: Vec<_> = said.iter().flat_map(|id| stream.push(*id)).collect();
    assert_eq!(events[1..], [Event::Delta("a".into()), Event::Delta("é".into())]);
    stream.finish();
    assert_eq!(stream.messages()[0].content, "aé");
}

proptest! {
    #[test]
    fn no_text_becomes_a_control_token(
        text in "(<\\|?|\\|?>|<\\|(start|end|message|return|call|reserved_200013)\\|>|[a-z ]{1,3}|start|end){0,12}"
    ) {
        for tokenizer in [tiny(), &*UNSPLIT] {
            let ids = ids(tokenizer, &text);
            prop_assert!(!holds_special(tokenizer, &ids));
            prop_assert_eq!(tokenizer.decode(&ids), text.as_str());
        }
    }

    #[test]
    fn a_conversation_is_read_back_as_it_was(
        contents in proptest::collection::vec("(<\\|(start|end|message|channel|call)\\|>|\\PC{0,4}|final|\n){0,6}", 0..5)
    ) {
        let tokenizer = tiny();
        let mut chat = Conversation::new().without_system();
        for (index, content) in contents.into_iter().enumerate() {
            chat.push(match index % 3 {
                0 => Message::user(content),
                1 => Message::analysis(content),
                _ => Message::answer(content),
            });
        }
        prop_assert_eq!(read_back(tokenizer, &chat), chat.messages);
    }

    /// Whatever the model says, no marker is shown. Only the one character that could spell one is left
    /// out.
    #[test]
    fn any_ids_make_messages(ids in proptest::collection::vec(0_u32..390, 0..60)) {
        let tokenizer = tiny();
        let mut stream = Stream::new(tokenizer, SpecialIds::of(tokenizer).unwrap());
        let spells = tokenizer.token_id("<");
        let ids = ids.into_iter().filter(|id| Some(*id) != spells);
        let mut events: Vec<_> = ids.flat_map(|id| stream.push(id)).collect();
        events.extend(stream.finish());
        for event in events {
            if let Event::Delta(text) = event {
                prop_assert!(!text.contains('<'), "{text}");
            }
        }
    }
}
