//! Manifests, indexes, and checkpoints of several files.

use std::fs;
use std::path::Path;

use ckpt_convert::{CkptSink, MANIFEST, Policy, SafetensorsSink, Source};
use mindspore_ckpt::Reader;
use serde_json::Value;
use testkit::{Sharding, Tiny};

use super::{NO_ARGS, ckpt_of, convert, convert_parts, edit, json, plain_ckpt, verify};

fn tiny() -> (Tiny, Source) {
    let tiny = Tiny::builder().build();
    let source = Source::open(tiny.path()).unwrap();
    (tiny, source)
}

fn edit_json(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

/// The last tensor of a file in the released order, and of the tiny model.
const LAST: &str = "model.layers.3.mlp.experts.gate_up_proj_scales";

/// Where the last tensor begins in the file.
fn last_record(path: &Path) -> usize {
    Reader::open(path).unwrap().entries().last().unwrap().offset() as usize
}

#[test]
fn a_cut_between_records_shows_by_the_manifest_alone() {
    let folder = plain_ckpt(&tiny().1);
    let ckpt = ckpt_of(folder.path());
    let out = verify(&ckpt, NO_ARGS).right();
    assert!(out.contains("checked structure, manifest, digests\n"), "{out}");
    assert!(out.contains("right: 79 tensors, 1 file"), "{out}");

    let at = last_record(&ckpt);
    edit(&ckpt, |bytes| bytes.truncate(at));
    let missing = format!("tensor {LAST:?} is missing; the manifest lists it");
    let missing = missing.as_str();
    verify(&ckpt, NO_ARGS).wrong(&["but the manifest says", missing]);
    let moved = folder.path().join("elsewhere.json");
    fs::rename(folder.path().join(MANIFEST), &moved).unwrap();
    let out = verify(&ckpt, NO_ARGS).right();
    assert!(out.contains("well-formed: 78 tensors"), "{out}");
    let named = [Path::new("--manifest"), &moved];
    verify(&ckpt, named).wrong(&["but the manifest says", missing]);
}

#[test]
fn a_broken_part_still_names_the_tensors_that_are_missing() {
    let folder = plain_ckpt(&tiny().1);
    let ckpt = ckpt_of(folder.path());
    let at = last_record(&ckpt);
    edit(&ckpt, |bytes| bytes.truncate(at + 10));
    let errors = ["the file ends inside", LAST, "but the manifest says"];
    let out = verify(&ckpt, NO_ARGS).wrong(&errors);
    assert!(out.contains("were not compared"), "{out}");
}

#[test]
fn a_changed_bit_shows_by_its_digest() {
    let folder = plain_ckpt(&tiny().1);
    let ckpt = ckpt_of(folder.path());
    let entry = Reader::open(&ckpt).unwrap().entry("model.norm.weight").unwrap().clone();
    let at = entry.slices()[0].offset as usize + 5;
    edit(&ckpt, |bytes| bytes[at] ^= 1);
    verify(&ckpt, NO_ARGS).wrong(&["tensor \"model.norm.weight\": the sha256 of its values is"]);
    // All of the file is still read, whatever is found.
    let json = json(&ckpt, ["--threads", "1", "--memory", "0"]);
    assert_eq!(json["bytes_read"], tiny().0.total_bytes());
}

#[test]
fn additional_and_altered_entries() {
    let folder = plain_ckpt(&tiny().1);
    let (ckpt, manifest) = (ckpt_of(folder.path()), folder.path().join(MANIFEST));
    edit_json(&manifest, |manifest| {
        let tensors = manifest["tensors"].as_array_mut().unwrap();
        let find = |name| find_in(tensors, name);
        let (norm, head) = (find("model.norm.weight"), find("lm_head.weight"));
        tensors[norm]["dtype"] = "F16".into();
        tensors[head]["shape"] = serde_json::json!([64, 384]);
        tensors.remove(find_in(tensors, "model.embed_tokens.weight"));
    });
    verify(&ckpt, NO_ARGS).wrong(&[
        "tensor \"model.norm.weight\": the type is BF16, but the manifest says F16",
        "tensor \"lm_head.weight\": the shape is [384, 64], but the manifest says [64, 384]",
        "tensor \"model.embed_tokens.weight\" is in the file, but not in the manifest",
    ]);
}

fn find_in(tensors: &[Value], name: &str) -> usize {
    tensors.iter().position(|tensor| tensor["name"] == name).unwrap()
}

#[test]
fn the_manifest_of_another_checkpoint() {
    let (_tiny, source) = tiny();
    let folder = plain_ckpt(&source);
    let other = Tiny::builder().seed(1).build();
    let other = plain_ckpt(&Source::open(other.path()).unwrap());
    let ckpt = ckpt_of(folder.path());
    let manifest = other.path().join(MANIFEST);
    let said = verify(&ckpt, [Path::new("--manifest"), &manifest]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("79 errors:"), "{}", said.out);
    assert!(said.out.contains("… and 29 more"), "{}", said.out);

    // Beside a file that it does not name it is not used.
    let renamed = folder.path().join("renamed.ckpt");
    fs::rename(&ckpt, &renamed).unwrap();
    let out = verify(&renamed, NO_ARGS).right();
    assert!(out.contains("is of other files; it was not used"), "{out}");
    // Named, it is: a file may be renamed.
    let out = verify(&renamed, [Path::new("--manifest"), &folder.path().join(MANIFEST)]).right();
    assert!(out.contains("the manifest calls this file \"m.ckpt\""), "{out}");
}

#[test]
fn damaged_and_foreign_manifests() {
    let folder = plain_ckpt(&tiny().1);
    let (ckpt, manifest) = (ckpt_of(folder.path()), folder.path().join(MANIFEST));
    let whole = fs::read(&manifest).unwrap();
    fs::write(&manifest, &whole[..whole.len() / 2]).unwrap();
    verify(&ckpt, NO_ARGS).wrong(&["not a manifest"]);
    fs::write(&manifest, r#"{"name": "a web page", "icons": []}"#).unwrap();
    let out = verify(&ckpt, NO_ARGS).right();
    assert!(out.contains("not the manifest of a conversion"), "{out}");
}

#[test]
fn parts_and_a_missing_one() {
    let (tiny, source) = tiny();
    let folder = convert_parts(&source, &Policy::default(), &CkptSink { crc: true }, Some(200_000));
    let index = folder.path().join("m.ckpt.index.json");
    let parts = ["m-00001-of-00003.ckpt", "m-00002-of-00003.ckpt", "m-00003-of-00003.ckpt"];
    for path in [folder.path(), &index] {
        let out = verify(path, [Path::new("--against"), tiny.path()]).right();
        assert!(out.contains("structure, checksum, manifest, digests, every value"), "{out}");
        assert!(out.contains("79 tensors, 3 files"), "{out}");
    }
    // One part alone is right as far as it goes.
    let out = verify(&folder.path().join(parts[0]), NO_ARGS).right();
    assert!(out.contains("2 other part(s) of the manifest were not verified"), "{out}");

    fs::remove_file(folder.path().join(parts[1])).unwrap();
    for path in [folder.path(), &index] {
        let out = verify(path, NO_ARGS)
            .wrong(&["the index says that it holds", "the file is missing; the manifest lists it"]);
        assert!(out.contains(parts[1]), "{out}");
    }
    fs::remove_file(&index).unwrap();
    verify(folder.path(), NO_ARGS)
        .wrong(&["by the numbers of the others", "the manifest lists it with"]);
    fs::remove_file(folder.path().join(MANIFEST)).unwrap();
    verify(folder.path(), NO_ARGS).wrong(&["by the numbers of the others"]);
}

#[test]
fn parts_that_do_not_belong_together() {
    let (_tiny, source) = tiny();
    let sink = CkptSink::default();
    let folder = convert_parts(&source, &Policy::default(), &sink, Some(200_000));
    let name = |part: u32| folder.path().join(format!("m-0000{part}-of-00003.ckpt"));
    fs::remove_file(folder.path().join(MANIFEST)).unwrap();
    let index = folder.path().join("m.ckpt.index.json");

    // The index says otherwise.
    let whole = fs::read(&index).unwrap();
    edit_json(&index, |index| {
        index["weight_map"]["lm_head.weight"] = "m-00001-of-00003.ckpt".into();
    });
    verify(folder.path(), NO_ARGS).wrong(&[
        "tensor \"lm_head.weight\" should be in m-00001-of-00003.ckpt, but is in m-00003",
        "tensor \"lm_head.weight\" is in m-00003-of-00003.ckpt, but not listed as there",
    ]);
    edit_json(&index, |index| {
        index["weight_map"]["lm_head.weight"] = "../m-00003-of-00003.ckpt".into();
    });
    verify(&index, NO_ARGS).wrong(&["no plain file name"]);
    fs::write(&index, "{").unwrap();
    verify(&index, NO_ARGS).wrong(&["the index is not JSON"]);

    // A part in the place of another: names twice, others nowhere.
    fs::write(&index, whole).unwrap();
    fs::copy(name(1), name(2)).unwrap();
    let said = verify(folder.path(), NO_ARGS);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("m-00001-of-00003.ckpt and"), "{}", said.out);
    assert!(said.out.contains("but is nowhere"), "{}", said.out);
}

#[test]
fn safetensors_results() {
    let (tiny, source) = tiny();
    for (sink, parts) in [
        (SafetensorsSink::hugging_face(), None),
        (SafetensorsSink::hugging_face(), Some(200_000)),
        (SafetensorsSink::mindspore(), Some(200_000)),
    ] {
        let folder = convert_parts(&source, &Policy::default(), &sink, parts);
        let against = [Path::new("--against"), tiny.path()];
        let out = verify(folder.path(), against).right();
        assert!(out.contains("structure, manifest, digests, every value"), "{out}");
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            files.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
        files.sort();
        let last = files.last().unwrap();
        edit(last, |bytes| *bytes.last_mut().unwrap() ^= 0x80);
        verify(folder.path(), against).wrong(&["the sha256", "element"]);
        edit(last, |bytes| bytes.truncate(bytes.len() - 1));
        let said = verify(folder.path(), NO_ARGS);
        assert_eq!(said.code, Some(1));
        assert!(said.out.contains("truncated?"), "{}", said.out);
    }
}

#[test]
fn a_released_folder_is_well_formed() {
    for sharding in [Sharding::Released, Sharding::Single, Sharding::PerTensor] {
        let tiny = Tiny::builder().sharding(sharding).build();
        let out = verify(tiny.path(), NO_ARGS).right();
        assert!(out.contains("well-formed: 79 tensors"), "{out}");
        if sharding == Sharding::Released {
            fs::remove_file(&tiny.files()[1]).unwrap();
            verify(tiny.path(), NO_ARGS).wrong(&["the index says that it holds"]);
        }
    }
}

#[test]
fn a_folder_of_both_formats_says_which_was_looked_at() {
    let (_tiny, source) = tiny();
    let folder = convert(&source, &Policy::default(), &SafetensorsSink::hugging_face());
    fs::write(folder.path().join("broken.ckpt"), "x").unwrap();
    let out = verify(folder.path(), NO_ARGS).right();
    assert!(out.contains("were not verified"), "{out}");
}
