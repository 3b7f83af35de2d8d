//! Names that are not UTF-8: of folders, of files, of tensors.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use mindspore_ckpt::{Dtype, TensorSpec, Writer};
use testkit::{Sharding, Tiny};

use crate::run::{assert_done, assert_nothing_final, command, converts, refused, tree};

fn odd(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

#[test]
fn of_folders() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) =
        (folder.path().join(odd(b"w\xFFights")), folder.path().join(odd(b"\xC3\x28")));
    let tiny = Tiny::builder().build_in(&input);
    let plain = folder.path().join("plain");
    converts(&[&tiny.path(), &plain]);
    let before = tree(&input);
    converts(&[&input, &out]);
    assert_done(&out, &tree(&plain), "into an odd folder");
    let text = refused(&[&input, &out]);
    assert!(text.contains("exists already"), "{text}");
    converts(&[&input, &out, &"--force"]);
    assert_done(&out, &tree(&plain), "again");
    converts(&[&out, &folder.path().join("back"), &"--format", &"safetensors"]);
    // Without an output folder it is named after the input, in the current one.
    let run = command(&[&input, &"--json"]).current_dir(folder.path()).output().unwrap();
    crate::run::report(&run);
    let text = refused(&[&input, &input.join(odd(b"\xFE"))]);
    assert!(text.contains("is inside the input"), "{text}");
    assert_done(&input, &before, "the source");
}

#[test]
fn of_files() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = Tiny::builder().sharding(Sharding::Single).build_in(folder.path().join("in"));
    let plain = folder.path().join("plain");
    converts(&[&tiny.path(), &plain, &"--name", &"m"]);
    let shard = tiny.path().join(odd(b"m\xF0del.safetensors"));
    fs::rename(tiny.path().join("model.safetensors"), &shard).unwrap();
    fs::write(tiny.path().join(odd(b"\xFF\xFE")), "what is this").unwrap();
    let weights = |name: &str| tree(&folder.path().join(name)).remove(Path::new("m.ckpt")).unwrap();
    converts(&[&tiny.path(), &folder.path().join("odd"), &"--name", &"m"]);
    assert_eq!(weights("odd"), weights("plain"));
    converts(&[&shard, &folder.path().join("one"), &"--name", &"m"]);
    assert_eq!(weights("one"), weights("plain"));
    let ckpt = folder.path().join(odd(b"\x80.ckpt"));
    fs::rename(folder.path().join("one/m.ckpt"), &ckpt).unwrap();
    converts(&[&ckpt, &folder.path().join("kept"), &"--name", &"m"]);
    assert_eq!(weights("kept"), weights("plain"));
    // Named after itself, the odd byte replaced, beside itself.
    converts(&[&ckpt, &folder.path(), &"--dtype", &"keep"]);
    assert!(ckpt.is_file());
}

/// Both formats hold UTF-8; a reader that let other bytes through would write what cannot be read.
#[test]
fn of_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let json = b"{\"n\xFFme\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    let header = (json.len() as u64).to_le_bytes();
    let path = folder.path().join("odd.safetensors");
    fs::write(&path, [&header[..], json, b"x"].concat()).unwrap();
    let text = refused(&[&path, &out]);
    assert!(text.contains("odd.safetensors") && text.to_lowercase().contains("utf-8"), "{text}");

    let mut writer = Writer::new(Vec::new());
    let spec = TensorSpec::new("name", Dtype::UInt8, [3]).unwrap();
    writer.write_tensor(spec, b"abc").unwrap();
    let mut bytes = writer.finish().unwrap().0;
    let at = bytes.windows(4).position(|window| window == b"name").unwrap();
    bytes[at + 1] = 0xFF;
    let path = folder.path().join("odd.ckpt");
    fs::write(&path, bytes).unwrap();
    let text = refused(&[&path, &out]);
    assert!(text.contains("odd.ckpt") && text.to_lowercase().contains("utf-8"), "{text}");
    assert_nothing_final(&out);
}
