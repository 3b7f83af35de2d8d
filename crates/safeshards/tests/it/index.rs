//! Indexes that are wrong, and indexes that are only odd.

use std::fs;

use safeshards::{Checkpoint, Error, ShardIndex, Warning};
use serde_json::json;

use crate::files::{index, two_shards};

const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";

fn open_with(weight_map: &serde_json::Value) -> Result<Checkpoint, Error> {
    let dir = tempfile::tempdir().unwrap();
    two_shards(dir.path());
    index(dir.path(), &json!({"weight_map": weight_map}));
    Checkpoint::open(dir.path())
}

fn parse(text: &str) -> Result<ShardIndex, Error> {
    ShardIndex::parse("i.json", text.as_bytes())
}

#[test]
fn contradictions_between_index_and_shards() {
    assert!(open_with(&json!({"a": FIRST, "b": FIRST, "c": SECOND})).is_ok());

    let error = open_with(&json!({"a": FIRST, "b": FIRST, "c": SECOND, "d": SECOND})).unwrap_err();
    assert!(
        matches!(&error, Error::MissingTensor { tensor, shard, .. } if tensor == "d" && shard.ends_with(SECOND)),
        "{error:?}"
    );
    let error = open_with(&json!({"a": FIRST, "c": SECOND})).unwrap_err();
    assert!(
        matches!(&error, Error::NotInIndex { tensor, shard, .. } if tensor == "b" && shard.ends_with(FIRST)),
        "{error:?}"
    );
    let error = open_with(&json!({"a": FIRST, "b": SECOND, "c": SECOND})).unwrap_err();
    assert!(
        matches!(&error, Error::WrongShard { tensor, shard, expected, .. }
            if tensor == "b" && shard.ends_with(FIRST) && expected == SECOND),
        "{error:?}"
    );
    let error =
        open_with(&json!({"a": FIRST, "b": FIRST, "c": "model-00003-of-00002.safetensors"}))
            .unwrap_err();
    assert!(
        matches!(&error, Error::MissingShard { tensor, shard, path } if tensor == "c"
            && shard.ends_with("model-00003-of-00002.safetensors") && path.ends_with("model.safetensors.index.json")),
        "{error:?}"
    );
}

#[test]
fn the_same_tensor_in_two_shards() {
    let dir = tempfile::tempdir().unwrap();
    two_shards(dir.path());
    fs::copy(dir.path().join(FIRST), dir.path().join(SECOND)).unwrap();
    index(dir.path(), &json!({"weight_map": {"a": FIRST, "b": SECOND}}));
    let error = Checkpoint::open(dir.path()).unwrap_err();
    assert!(
        matches!(&error, Error::TensorInTwoShards { tensor, first, second }
            if tensor == "a" && first.ends_with(FIRST) && second.ends_with(SECOND)),
        "{error:?}"
    );
}

#[test]
fn file_names_that_lead_away() {
    for (file, says) in [
        ("/etc/passwd", "absolute"),
        ("\\\\server\\share", "absolute"),
        ("../model.safetensors", "out of the directory"),
        ("..", "out of the directory"),
        (".", "out of the directory"),
        ("a\\..\\b", "out of the directory"),
        ("sub/model.safetensors", "separator"),
        ("sub\\model.safetensors", "separator"),
        ("model\0.safetensors", "NUL"),
        ("", "empty"),
    ] {
        let error = parse(&json!({"weight_map": {"t": file}}).to_string()).unwrap_err();
        assert!(
            matches!(&error, Error::UnsafeShardName { tensor, .. } if tensor == "t"),
            "{error:?}"
        );
        assert!(error.to_string().contains(says), "{error}");
    }
    assert!(parse(r#"{"weight_map": {"t": "..model..safetensors"}}"#).is_ok());
}

#[test]
fn a_wrong_total_size_is_a_warning() {
    for (stated, warns) in [
        (json!(25), false),
        (json!(25.0), false),
        (json!(24), true),
        (json!(25.5), true),
        (json!(-25), true),
        (json!("25"), true),
        (json!(1e300), true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        two_shards(dir.path());
        let map = json!({"a": FIRST, "b": FIRST, "c": SECOND});
        index(dir.path(), &json!({"metadata": {"total_size": stated}, "weight_map": map}));
        let checkpoint = Checkpoint::open(dir.path()).unwrap();
        match checkpoint.warnings() {
            [] => assert!(!warns, "{stated}"),
            [Warning::TotalSize { stated: text, actual: 25, .. }] => {
                assert!(warns);
                assert_eq!(serde_json::from_str::<serde_json::Value>(text).unwrap(), stated);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn malformed_indexes() {
    let kind = |text: &str| parse(text).unwrap_err();
    assert!(matches!(kind(""), Error::Json { offset: 0, .. }));
    assert!(matches!(kind("{\"weight_map\": 7}"), Error::Json { offset: 15, .. }));
    assert!(matches!(kind("[[], {}]"), Error::Json { .. }));
    assert!(matches!(kind("{}"), Error::NoWeightMap { .. }));
    assert!(matches!(kind("{\"weight_map\": null}"), Error::NoWeightMap { .. }));
    assert!(matches!(kind("{\"weight_map\": {\"a\": 1}}"), Error::Json { .. }));
    assert!(matches!(kind("{\"weight_map\": {}, \"weight_map\": {}}"), Error::Json { .. }));
    assert!(matches!(
        kind("{\"weight_map\": {\"a\": \"f\", \"\\u0061\": \"g\"}}"),
        Error::DuplicateKey { key, .. } if key == "a"
    ));
    assert!(matches!(
        kind("{\"metadata\": {\"k\": 1, \"k\": 2}, \"weight_map\": {}}"),
        Error::DuplicateKey { key, .. } if key == "k"
    ));
    assert!(matches!(
        kind("version https://git-lfs.github.com/spec/v1\n"),
        Error::LooksLike { .. }
    ));
    assert!(matches!(
        ShardIndex::parse("i", b"{\"weight_map\": {\"\xff\": \"f\"}}"),
        Err(Error::Json { .. })
    ));
}

#[test]
fn truncated_at_every_byte() {
    let text = r#"{"metadata": {"total_size": 1}, "weight_map": {"a": "f.safetensors"}}"#;
    assert!(parse(text).is_ok());
    for len in 0..text.len() {
        assert!(matches!(parse(&text[..len]), Err(Error::Json { .. })), "{len}");
    }
}

#[test]
fn unknown_metadata_survives_a_round_trip() {
    let text = r#"{"metadata": {"total_size": 8, "total_parameters": 4, "x": [1, {"y": null}]},
        "weight_map": {"b": "2.safetensors", "a": "1.safetensors"}, "other": 1}"#;
    let index = parse(text).unwrap();
    assert_eq!(index.total_size(), Some(8));
    assert_eq!(
        index.shard_names().into_iter().collect::<Vec<_>>(),
        ["1.safetensors", "2.safetensors"]
    );

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors.index.json");
    index.write(&path).unwrap();
    index.write(&path).unwrap();
    assert_eq!(ShardIndex::read(&path).unwrap(), index);
    let written = fs::read_to_string(&path).unwrap();
    assert!(written.starts_with("{\n  \"metadata\": {\n    \"total_parameters\": 4,"), "{written}");
    assert!(written.ends_with("\"b\": \"2.safetensors\"\n  }\n}\n"), "{written}");
    assert_eq!(crate::files::names(dir.path()), ["model.safetensors.index.json"]);
}

#[test]
fn a_json_file_that_is_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    fs::write(&path, "{\"model_type\": \"gpt_oss\"}").unwrap();
    assert!(matches!(Checkpoint::open(&path), Err(Error::NoWeightMap { .. })));
    assert!(matches!(ShardIndex::read(dir.path()), Err(Error::NotAFile { .. })));
    assert!(matches!(ShardIndex::read(dir.path().join("nowhere.json")), Err(Error::Io { .. })));
}

#[test]
fn an_index_larger_than_any_real_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors.index.json");
    fs::File::create(&path).unwrap().set_len(100_000_001).unwrap();
    assert!(matches!(ShardIndex::read(&path), Err(Error::IndexTooLarge { len: 100_000_001, .. })));
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert!(parse("\u{feff}{\"weight_map\": {}}").is_ok());
}
