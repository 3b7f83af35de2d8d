//! Every kind of broken file that MindSpore meets or overlooks.

use std::fs;
use std::path::Path;

use super::{NO_ARGS, json, verify};

/// Protobuf, written by hand from the schema.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    out.extend(varint(bytes.len() as u64));
    out.extend(bytes);
    out
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

pub(super) fn tensor(dims: &[i64], dtype: &str, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &dim in dims {
        out.push(0x08);
        out.extend(varint(dim.cast_unsigned()));
    }
    [out, field(2, dtype.as_bytes()), field(3, content)].concat()
}

pub(super) fn value(tag: &[u8], tensor: &[u8]) -> Vec<u8> {
    field(1, &[field(1, tag), field(2, tensor)].concat())
}

/// Four f32, of which `content` bytes are there.
fn floats(tag: &str, content: usize) -> Vec<u8> {
    value(tag.as_bytes(), &tensor(&[4], "Float32", &vec![1; content]))
}

fn bytes(tag: &str) -> Vec<u8> {
    value(tag.as_bytes(), &tensor(&[3], "UInt8", &[1, 2, 3]))
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[track_caller]
fn wrong(bytes: &[u8], errors: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    verify(&written(folder.path(), "x.ckpt", bytes), NO_ARGS).wrong(errors);
}

#[test]
fn a_sound_file_is_well_formed_and_no_more_is_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let scalar = value(b"scalar", &tensor(&[], "Float32", &[0; 4]));
    let text = value(b"note", &tensor(&[0], "str", &[65, 0, 0, 0]));
    let sliced = [floats("w", 6), floats("w", 10)].concat();
    let path = written(folder.path(), "x.ckpt", &[bytes("a"), scalar, sliced, text].concat());
    let out = verify(&path, NO_ARGS).right();
    assert!(out.contains("well-formed: 4 tensors, 1 file"), "{out}");
    assert!(out.contains("values were not checked"), "{out}");
    assert!(out.contains("cut between two tensors"), "{out}");
    // Cut exactly between two records it is as well-formed as before.
    let cut = written(folder.path(), "cut.ckpt", &bytes("a"));
    verify(&cut, NO_ARGS).right();
}

#[test]
fn empty_and_truncated_files() {
    wrong(b"", &["no tensors"]);
    wrong(&mindspore_ckpt::trailer(0), &["no tensors"]);
    let whole = [bytes("a"), floats("w", 16)].concat();
    let first = bytes("a").len();
    // One byte alone is text of one line.
    wrong(&whole[..1], &["not a MindSpore checkpoint"]);
    for end in (2..whole.len()).filter(|&end| end != first) {
        wrong(&whole[..end], &["the file ends inside"]);
    }
}

#[test]
fn contents_of_the_wrong_length() {
    wrong(&[bytes("a"), floats("w", 15)].concat(), &["15 bytes of content"]);
    wrong(&[bytes("a"), floats("w", 17)].concat(), &["17 bytes of content"]);
    // The last slice is missing.
    wrong(&[floats("w", 8), bytes("a")].concat(), &["8 bytes of content"]);
    let absent = [vec![0x08, 4], field(2, b"Float32")].concat();
    wrong(&[bytes("a"), value(b"w", &absent)].concat(), &["the tensor has no content"]);
}

#[test]
fn names_used_twice() {
    wrong(&[floats("w", 16), floats("w", 16)].concat(), &["tensor \"w\""]);
    let apart = [floats("w", 16), bytes("a"), floats("w", 16)].concat();
    wrong(&apart, &["the name was already used"]);
    let interleaved = [floats("w", 8), bytes("a"), floats("w", 8)].concat();
    wrong(&interleaved, &["8 bytes of content", "slices apart"]);
}

#[test]
fn types_shapes_and_names() {
    let typed = |dtype| [bytes("a"), value(b"w", &tensor(&[1], dtype, &[0; 4]))].concat();
    wrong(&typed("float32"), &["unknown type \"float32\""]);
    wrong(&typed(""), &["unknown type \"\""]);
    let untyped = [vec![0x08, 1], field(3, &[0; 4])].concat();
    wrong(&[bytes("a"), value(b"w", &untyped)].concat(), &["the tensor has no type"]);
    let shaped = |dims: &[i64]| [bytes("a"), value(b"w", &tensor(dims, "UInt8", b""))].concat();
    wrong(&shaped(&[-2, -3]), &["dimension 0 is -2"]);
    wrong(&shaped(&[0, 1 << 31]), &["dimension 1 is 2147483648"]);
    let body = tensor(&[1], "UInt8", &[7]);
    let named = |name: &[u8]| [bytes("a"), value(name, &body)].concat();
    wrong(&named(b""), &["the tensor has no name"]);
    let unnamed = field(1, &field(2, &body));
    wrong(&[bytes("a"), unnamed].concat(), &["the tensor has no name"]);
    wrong(&named(b"ab\xff"), &["not UTF-8"]);
    wrong(&named(&[b'x'; 1025]), &["1025 characters"]);
    let longest = [bytes("a"), value(&[b'x'; 1024], &body)].concat();
    let folder = tempfile::tempdir().unwrap();
    verify(&written(folder.path(), "x.ckpt", &longest), NO_ARGS).right();
}

#[test]
fn what_mindspore_would_not_load_is_not_right() {
    for dtype in ["Float8E4M3FN", "Float8E5M2", "HiFloat8"] {
        let refused = value(b"w", &tensor(&[1], dtype, &[0]));
        wrong(&[bytes("a"), refused].concat(), &["refuses to load"]);
    }
    wrong(&[bytes("a"), value(b"w", &tensor(&[0], "UInt8", b""))].concat(), &["\"w\""]);
    let folder = tempfile::tempdir().unwrap();
    let renamed = written(folder.path(), "x.ckpt.bak", &bytes("a"));
    verify(&renamed, NO_ARGS).wrong(&["whose name ends in \".ckpt\""]);
}

#[test]
fn records_without_tensors() {
    wrong(&[bytes("a"), field(1, &field(1, b"w"))].concat(), &["the record holds no tensor"]);
    wrong(&[bytes("a"), field(1, b"")].concat(), &["the tensor has no name"]);
}

#[test]
fn bytes_after_the_last_record() {
    let after = |bytes_after: &[u8]| [bytes("a"), bytes_after.to_vec()].concat();
    wrong(&after(&[0]), &["is no protobuf field key"]);
    wrong(&after(&[0; 40]), &["is no protobuf field key"]);
    wrong(&after(b"the end\n"), &["record 1, byte 21"]);
    wrong(&after(&field(9, b"more")), &["which MindSpore ignores"]);
    wrong(&after(&[0x0b, 0x0c]), &["which MindSpore ignores"]);
    wrong(&after(&[0x08, 1]), &["which MindSpore ignores"]);
}

#[test]
fn checksums() {
    let body = [bytes("a"), floats("w", 16)].concat();
    let folder = tempfile::tempdir().unwrap();
    let right = [body.clone(), mindspore_ckpt::trailer(crc32(&body)).to_vec()].concat();
    let path = written(folder.path(), "x.ckpt", &right);
    let out = verify(&path, NO_ARGS).right();
    assert!(out.contains("checked structure, checksum\n"), "{out}");
    assert!(out.contains("the checksum alone"), "{out}");
    assert_eq!(json(&path, NO_ARGS)["bytes_read"], body.len());

    // A flipped bit in a value, in a name, in the sum.
    let name = body.len() - 32;
    assert!(body[name..].starts_with(b"w"));
    for at in [body.len() - 1, name, right.len() - 1] {
        let mut flipped = right.clone();
        flipped[at] ^= 1;
        wrong(&flipped, &["the checksum is"]);
    }
    // In a broken file too.
    let broken = [bytes("a"), floats("w", 15)].concat();
    let broken = [broken, mindspore_ckpt::trailer(1).to_vec()].concat();
    wrong(&broken, &["15 bytes of content", "the checksum is 0x00000001"]);
    let mut little = right.clone();
    let at = body.len() + 7;
    little[at..].reverse();
    wrong(&little, &["more than 32 bits"]);
    wrong(&[right.clone(), vec![0]].concat(), &["bytes follow it"]);
    wrong(&right[..right.len() - 1], &["the file ends inside it"]);
}

/// CRC-32 as zlib has it, bit by bit.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

#[test]
fn other_files_under_the_name_of_a_checkpoint() {
    wrong(b"PK\x03\x04 and so on", &["not a MindSpore checkpoint"]);
    let tiny = testkit::Tiny::builder().build();
    wrong(&fs::read(&tiny.files()[0]).unwrap(), &["not a MindSpore checkpoint"]);
    wrong(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", &["not a MindSpore"]);
    for (byte, mode) in [(0xd8, "AES-GCM"), (0xd9, "AES-CBC"), (0xda, "SM4-CBC")] {
        let encrypted = [&[byte, 0x5e, 0x3a, 0x7f], &[7; 100][..]].concat();
        wrong(&encrypted, &[mode]);
        wrong(&encrypted, &["encrypted"]);
    }
}

#[test]
fn a_fault_does_not_hide_the_next_one() {
    let many = [
        floats("one", 15),
        value(b"two", &tensor(&[1], "Float", &[0; 4])),
        bytes("fine"),
        field(1, &field(1, b"three")),
        bytes("fine"),
        field(9, b"leftover"),
    ];
    wrong(
        &many.concat(),
        &[
            "15 bytes of content",
            "unknown type \"Float\"",
            "holds no tensor",
            "the name was already used",
            "which MindSpore ignores",
        ],
    );
}

#[test]
fn json_has_what_the_lines_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "x.ckpt", &[bytes("a"), floats("w", 15)].concat());
    let json = json(&path, NO_ARGS);
    assert_eq!((&json["right"], &json["errors"]), (&false.into(), &1.into()));
    assert_eq!(json["checked"]["structure"], true);
    for unchecked in ["crc", "manifest", "values"] {
        assert_eq!(json["checked"][unchecked], false);
    }
    let finding = &json["findings"][0];
    assert_eq!((&finding["severity"], &finding["check"]), (&"error".into(), &"structure".into()));
    assert_eq!((&finding["tensor"], &finding["offset"]), (&"w".into(), &21.into()));
    assert_eq!(finding["file"], path.to_str().unwrap());
}
