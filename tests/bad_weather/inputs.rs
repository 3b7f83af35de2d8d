//! Checkpoints that are not there, not whole or not one.

use std::fs;
use std::path::Path;

use ckpt_convert::JOURNAL;
use testkit::{Sharding, Tiny};

use crate::run::{assert_done, converts, refused, tree};

/// Refused with all of `expected` in the message, and nothing made or changed.
#[track_caller]
fn assert_refused(input: &Path, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let before = input.is_dir().then(|| tree(input));
    let text = refused(&[&input, &out]);
    for part in expected {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(!out.exists(), "nothing was made");
    if let Some(before) = before {
        assert_done(input, &before, "the source");
    }
}

#[test]
fn nothing_there() {
    let folder = tempfile::tempdir().unwrap();
    assert_refused(&folder.path().join("gone"), &["cannot open", "gone", "No such file"]);
    assert_refused(
        folder.path(),
        &["no checkpoint here: an empty folder", "expected *.safetensors"],
    );
    fs::write(folder.path().join("model.bin"), "weights").unwrap();
    assert_refused(folder.path(), &["no checkpoint here: a folder of 1 other entries"]);
    assert_refused(&folder.path().join("model.bin"), &["a file named \"model.bin\""]);
    let _inner = Tiny::builder().build_in(folder.path().join("inner"));
    assert_refused(folder.path(), &["but there is one in", "inner"]);
    let empty = folder.path().join("empty.ckpt");
    fs::write(&empty, "").unwrap();
    assert_refused(&empty, &["empty.ckpt"]);
    let empty = folder.path().join("empty.safetensors");
    fs::write(&empty, "").unwrap();
    assert_refused(&empty, &["empty.safetensors"]);
}

#[test]
fn a_shard_is_missing() {
    for sharding in [Sharding::Released, Sharding::PerTensor] {
        let tiny = Tiny::builder().sharding(sharding).build();
        let shard = tiny.files()[1].clone();
        fs::remove_file(&shard).unwrap();
        let name = shard.file_name().unwrap().to_str().unwrap();
        assert_refused(tiny.path(), &[name]);
        // Nor does it help that nothing lists it: the others say that they are of several.
        fs::remove_file(tiny.path().join("model.safetensors.index.json")).unwrap();
        assert_refused(tiny.path(), &[name]);
    }
}

#[test]
fn a_shard_is_cut() {
    let tiny = Tiny::builder().build();
    let shard = &tiny.files()[0];
    let whole = fs::read(shard).unwrap();
    for len in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(shard, &whole[..len]).unwrap();
        assert_refused(tiny.path(), &[shard.to_str().unwrap()]);
    }
    fs::write(shard, [&whole[..], b"\0"].concat()).unwrap();
    assert_refused(tiny.path(), &[shard.to_str().unwrap()]);
}

#[test]
fn two_shards_hold_the_same_name() {
    let tiny = Tiny::builder().build();
    let twin = tiny.path().join("model-twin.safetensors");
    fs::copy(&tiny.files()[0], &twin).unwrap();
    fs::remove_file(tiny.path().join("model.safetensors.index.json")).unwrap();
    let first = tiny.files()[0].file_name().unwrap().to_str().unwrap();
    assert_refused(tiny.path(), &[first, "model-twin"]);
    // Plain names that are of no series.
    let folder = tempfile::tempdir().unwrap();
    fs::copy(&tiny.files()[0], folder.path().join("a.safetensors")).unwrap();
    fs::copy(&tiny.files()[0], folder.path().join("b.safetensors")).unwrap();
    assert_refused(folder.path(), &["a.safetensors", "b.safetensors", "tensor"]);
}

#[test]
fn parts_of_a_ckpt() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    converts(&[&tiny.path(), &made, &"--max-file-size", &"300kB", &"--name", &"m"]);
    let part = |number: usize| made.join(format!("m-{number:05}-of-00003.ckpt"));
    let twin = made.join("twin.ckpt");
    fs::copy(part(1), &twin).unwrap();
    let text = refused(&[&part(1), &twin, &folder.path().join("out")]);
    assert!(text.contains("is in both") && text.contains("twin.ckpt"), "{text}");
    // Beside an index it is a stray file.
    converts(&[&made, &folder.path().join("all"), &"--format", &"safetensors"]);
    fs::remove_file(&twin).unwrap();
    let bytes = fs::read(part(2)).unwrap();
    fs::write(part(2), &bytes[..bytes.len() - 1]).unwrap();
    assert_refused(&made, &["m-00002-of-00003.ckpt"]);
    fs::remove_file(part(2)).unwrap();
    assert_refused(&made, &["m-00002-of-00003.ckpt"]);
    fs::remove_file(made.join("m.ckpt.index.json")).unwrap();
    assert_refused(&made, &["m-00002-of-00003.ckpt: missing, though beside it are others"]);
}

#[test]
fn both_formats_in_one_folder() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    converts(&[&tiny.path(), &one]);
    fs::write(tiny.path().join("other.ckpt"), "not even one").unwrap();
    converts(&[&tiny.path(), &other]);
    assert_done(&other, &tree(&one), "the safetensors files are taken");
}

#[test]
fn configuration_that_is_no_json() {
    let tiny = Tiny::builder().build();
    fs::write(tiny.path().join("config.json"), "{\"model_type\": ").unwrap();
    assert_refused(tiny.path(), &["config.json", "line 1"]);
}

#[test]
fn a_result_that_is_there_and_one_that_is_not_finished() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    converts(&[&tiny.path(), &out]);
    let done = tree(&out);
    let text = refused(&[&tiny.path(), &out]);
    assert!(text.contains("exists already and was left as it is"), "{text}");
    let text = refused(&[&tiny.path(), &out, &"--resume"]);
    assert!(text.contains("no interrupted conversion here"), "{text}");
    assert_done(&out, &done, "refused");
    converts(&[&tiny.path(), &out, &"--force"]);
    assert_done(&out, &done, "the same again");
    // A journal alone is a run killed at its very start.
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join(JOURNAL), "{\"conver").unwrap();
    let text = refused(&[&tiny.path(), &other]);
    assert!(text.contains("was interrupted; resume it, or allow overwriting"), "{text}");
    converts(&[&tiny.path(), &other, &"--resume"]);
    assert_done(&other, &done, "from the start");
}
