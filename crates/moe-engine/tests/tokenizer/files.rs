use std::fs;

use moe_engine::tokenizer::{HfTokenizer, TOKENIZER, Tokenizer, TokenizerError};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::strings::STRINGS;
use super::{TINY, ids, tiny};

fn read(json: &Value) -> Result<HfTokenizer, TokenizerError> {
    HfTokenizer::from_json("some/tokenizer.json", json.to_string().as_bytes())
}

fn changed(change: impl FnOnce(&mut Value)) -> Result<HfTokenizer, TokenizerError> {
    let mut file = serde_json::from_slice(TINY).unwrap();
    change(&mut file);
    read(&file)
}

fn special(id: u32, text: &str) -> Value {
    json!({
        "id": id, "content": text, "special": true,
        "single_word": false, "lstrip": false, "rstrip": false, "normalized": false
    })
}

#[test]
fn a_folder_may_have_none() {
    let folder = tempfile::tempdir().unwrap();
    assert!(HfTokenizer::from_folder(folder.path()).unwrap().is_none());
    fs::write(folder.path().join(TOKENIZER), TINY).unwrap();
    let tokenizer = HfTokenizer::from_folder(folder.path()).unwrap().unwrap();
    assert_eq!(tokenizer.path(), folder.path().join(TOKENIZER));
    assert!(format!("{tokenizer:?}").contains("vocab_size: 380"));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(TOKENIZER);
    let error = HfTokenizer::from_file(&path).unwrap_err();
    assert!(matches!(&error, TokenizerError::Read { path: named, .. } if *named == path));
    fs::create_dir(&path).unwrap();
    assert!(matches!(HfTokenizer::from_folder(folder.path()), Err(TokenizerError::Read { .. })));
}

/// Every change makes an error that names the file and says what is wrong.
#[test]
fn files_of_another_kind_are_refused_by_name() {
    let refused = |reason: &str, change: &dyn Fn(&mut Value)| {
        let error = changed(change).map(|_| reason).expect_err(reason);
        assert!(matches!(error, TokenizerError::File { .. }));
        let text = error.to_string();
        assert!(text.starts_with("some/tokenizer.json: "), "{text}");
        assert!(text.contains(reason), "{text} | {reason}");
    };
    let set = |pointer: &'static str, value: Value| {
        move |file: &mut Value| *file.pointer_mut(pointer).unwrap() = value.clone()
    };
    refused("model.type is \"Unigram\", expected \"BPE\"", &|file| {
        file["model"] = json!({ "type": "Unigram", "vocab": [["a", 0.0]], "unk_id": 0 });
    });
    refused("version is \"2.0\"", &set("/version", json!("2.0")));
    refused("missing field `merges`", &|file| {
        file["model"].as_object_mut().unwrap().remove("merges");
    });
    refused("expected an object of words", &set("/model/vocab", json!([1])));
    refused("expected two words", &set("/model/merges/3", json!("no-space")));
    refused("expected two words", &set("/model/merges/3", json!(["one"])));
    refused("expected two words", &set("/model/merges/3", json!("a b c")));
    refused("dropout is 0.5", &set("/model/dropout", json!(0.5)));
    refused("end_of_word_suffix is \"</w>\"", &set("/model/end_of_word_suffix", json!("</w>")));
    refused(
        "continuing_subword_prefix is \"##\"",
        &set("/model/continuing_subword_prefix", json!("##")),
    );
    refused("decoder is \"WordPiece\"", &set("/decoder/type", json!("WordPiece")));
    refused("decoder is missing", &set("/decoder", json!(null)));
    refused("pre_tokenizer: ", &set("/pre_tokenizer/pretokenizers/0/type", json!("Odd")));
    refused("normalizer: ", &set("/normalizer", json!({ "type": "Odd" })));
    refused("no word for the byte 0x41", &|file| {
        let id = file["model"]["vocab"].as_object_mut().unwrap().remove("A").unwrap();
        file["model"]["vocab"]["AAAA"] = id;
    });
    refused("not in model.vocab", &set("/model/merges/0", json!(["A".repeat(40), "B".repeat(40)])));
    refused("model: ", &set("/model/merges/0", json!(["Q", "Q"])));
    refused("\"A\" and token \"B\" both have id", &|file| {
        file["model"]["vocab"]["B"] = file["model"]["vocab"]["A"].clone();
    });
    refused("expected less than 4194304", &set("/model/vocab/A", json!(u32::MAX)));
    refused("no tokenizer of the form", &set("/model/vocab/A", json!(-1)));
    refused("has id 6 in model.vocab, 500 in added_tokens", &set("/added_tokens/6/id", json!(500)));
    refused("special token \"<|end|>\" has lstrip", &set("/added_tokens/6/lstrip", json!(true)));
    refused("the token with id 6 is empty", &set("/added_tokens/6/content", json!("")));
    refused("both have id 6", &|file| {
        file["added_tokens"].as_array_mut().unwrap().push(special(6, "x"));
    });
    refused("token \"<|end|>\" is there twice", &|file| {
        file["added_tokens"].as_array_mut().unwrap().push(special(500, "<|end|>"));
    });
    refused("both have id 20", &|file| {
        file["added_tokens"].as_array_mut().unwrap().push(special(20, "x"));
    });
}

#[test]
fn a_word_that_is_listed_twice_is_refused() {
    let text = String::from_utf8(TINY.to_vec()).unwrap();
    let twice = text.replacen("\"vocab\": {", "\"vocab\": { \"A\": 1000,", 1);
    assert_ne!(twice, text);
    let error = HfTokenizer::from_json("x", twice.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("has the ids 1000 and 4"), "{error}");
}

/// Other programs write merges in one string, and special tokens behind the words, with gaps.
#[test]
fn other_forms_of_the_same_file_are_the_same_tokenizer() {
    let other = changed(|file| {
        for merge in file["model"]["merges"].as_array_mut().unwrap() {
            *merge = json!(format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()));
        }
        for index in 0..11 {
            let token = &mut file["added_tokens"][index];
            let content = token["content"].as_str().unwrap().to_owned();
            token["id"] = json!(1000 + 2 * index);
            file["model"]["vocab"].as_object_mut().unwrap().remove(&content);
        }
        file["model"]["end_of_word_suffix"] = json!("");
        file["truncation"] = json!({ "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0 });
        file["padding"] = json!({ "strategy": { "Fixed": 64 }, "direction": "Right", "pad_id": 1, "pad_type_id": 0, "pad_token": "x", "pad_to_multiple_of": null });
    })
    .unwrap();
    let tokenizer = tiny();
    for text in STRINGS {
        assert_eq!(ids(&other, text), ids(tokenizer, text), "{text}");
    }
    assert_eq!(other.vocab_size(), 1021);
    assert_eq!(other.token_id("<|end|>"), Some(1012));
    assert_eq!((other.token_bytes(6), other.token_bytes(1011)), (None, None));
    assert!(other.is_special(1012) && !other.is_special(6));
}

/// The form of Llama 2: words with a mark for spaces, bytes for what has no word.
#[test]
fn words_with_marks_for_spaces_are_read() {
    let mut vocab = json!({ "<unk>": 0, "<s>": 1, "▁": 2, "a": 3, "b": 4, "▁a": 5, "ab": 6 });
    for byte in 0..256 {
        vocab[format!("<0x{byte:02X}>")] = json!(7 + byte);
    }
    let tokenizer = read(&json!({
        "version": "1.0",
        "added_tokens": [special(0, "<unk>"), special(1, "<s>")],
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": "▁" },
            { "type": "Replace", "pattern": { "String": " " }, "content": "▁" },
        ] },
        "pre_tokenizer": null,
        "decoder": { "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
            { "type": "ByteFallback" }, { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 },
        ] },
        "model": {
            "type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
            "vocab": vocab, "merges": ["▁ a", "a b"],
        },
    }))
    .unwrap();
    assert_eq!(ids(&tokenizer, "a ab"), [5, 5, 4]);
    assert_eq!(tokenizer.decode(&[5, 5, 4]), " a ab", "the first space stays");
    assert_eq!(tokenizer.decode(&ids(&tokenizer, "b<s>é\n")), " b<s>é\n");
    assert_eq!(tokenizer.token_id(" a"), Some(5));
    assert_eq!(tokenizer.token_id("▁a"), None, "how the file writes it is not its text");
    assert_eq!(tokenizer.token_id("<0x41>"), None);
    assert_eq!(tokenizer.token_id("<s>"), Some(1));
}

#[test]
fn added_tokens_that_are_no_control_tokens_are_words() {
    let tokenizer = changed(|file| {
        let mut token = special(400, "two words é");
        token["special"] = json!(false);
        file["added_tokens"].as_array_mut().unwrap().push(token);
    })
    .unwrap();
    assert_eq!(tokenizer.token_id("two words é"), Some(400));
    assert_eq!(ids(&tokenizer, "two words é"), [400]);
    assert_eq!(ids(&tokenizer, "atwo words éé")[1..], [400, 296]);
    assert_eq!(tokenizer.decode(&[400, 400]), "two words étwo words é");
    assert!(!tokenizer.is_special(400));
}

#[test]
fn words_are_looked_up_before_merging_where_the_file_says_so() {
    for (whole, expected) in [(true, 1), (false, 3)] {
        let tokenizer = changed(|file| {
            file["model"]["vocab"]["QQQ"] = json!(400);
            file["model"]["ignore_merges"] = json!(whole);
        })
        .unwrap();
        assert_eq!(ids(&tokenizer, "QQQ").len(), expected);
    }
}

#[test]
fn white_space_without_end_is_refused() {
    let tokenizer = tiny();
    let mut ids = vec![7];
    let text = format!("x{}y", " ".repeat(500_001));
    for encoded in [
        tokenizer.encode(&text, &mut ids),
        tokenizer.encode_with_special(&format!("<|end|>{text}"), &mut ids),
    ] {
        let error = encoded.unwrap_err();
        assert!(error.to_string().contains("500001 characters of white space"), "{error}");
    }
    assert_eq!(ids, [7], "an error leaves no part");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Damaged files are an error or another tokenizer, never a panic.
    #[test]
    fn damaged_files_do_not_panic(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_usize..40), 1..6)
    ) {
        let mut json = TINY.to_vec();
        for (place, byte, length) in edits {
            let start = place.index(json.len());
            let end = (start + length).min(json.len());
            // Digits and quotes leave more files readable than bytes from anywhere.
            let byte = if byte < 128 { b"0123456789\"[]{},:eA"[usize::from(byte) % 19] } else { byte };
            json.splice(start..end, [byte]);
        }
        if let Ok(tokenizer) = HfTokenizer::from_json("damaged", &json) {
            let mut ids = Vec::new();
            for text in STRINGS {
                let _ = tokenizer.encode_with_special(text, &mut ids);
            }
            tokenizer.decode(&ids);
        }
    }
}
