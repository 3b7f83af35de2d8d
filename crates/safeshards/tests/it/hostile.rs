//! Headers that lie, each with the error that says how.

use safeshards::{Checkpoint, DType, Error, LookAlike, OpenOptions};

use crate::files::{raw, tensor, upstream};

fn refused(file: Vec<u8>) -> Error {
    Checkpoint::from_bytes("f.safetensors", file).map(|_| ()).unwrap_err()
}

/// The error of a file with one entry `"t"` of this content and 8 bytes of data.
fn entry(info: &str) -> Error {
    refused(raw(&format!("{{\"t\":{info}}}"), 8))
}

macro_rules! assert_refused {
    ($error:expr, $pattern:pat $(if $guard:expr)?) => {{
        let error: Error = $error;
        assert!(matches!(&error, $pattern $(if $guard)?), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("f.safetensors"), "{text}");
    }};
}

#[test]
fn truncated_at_every_byte() {
    let tensors = [tensor("a", DType::F32, &[2], 0), tensor("b", DType::U8, &[3], 9)];
    let file = upstream(&tensors, &[("format", "pt")]);
    assert!(Checkpoint::from_bytes("f.safetensors", file.clone()).is_ok());
    let header = 8 + u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    for len in 0..file.len() {
        let error = refused(file[..len].to_vec());
        let precise = match len {
            0..8 => matches!(error, Error::TooShort { actual, .. } if actual == len as u64),
            _ if len < header => {
                matches!(error, Error::HeaderBeyondFile { actual, .. } if actual == len as u64)
            }
            _ => {
                matches!(error, Error::BeyondFile { data_len, .. } if data_len == (len - header) as u64)
            }
        };
        assert!(precise, "{len}: {error:?}");
    }
}

#[test]
fn header_lengths() {
    let mut file = raw("{}", 0);
    file[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_refused!(
        refused(file.clone()),
        Error::HeaderTooLarge { len: u64::MAX, limit: 100_000_000, .. }
    );
    file[..8].copy_from_slice(&100_000_001_u64.to_le_bytes());
    assert_refused!(refused(file.clone()), Error::HeaderTooLarge { .. });
    file[..8].copy_from_slice(&100_000_000_u64.to_le_bytes());
    assert_refused!(
        refused(file.clone()),
        Error::HeaderBeyondFile { expected: 100_000_008, actual: 10, .. }
    );
    file[..8].copy_from_slice(&1_u64.to_le_bytes());
    assert_refused!(refused(file.clone()), Error::Json { offset: 8, .. });
    file[..8].copy_from_slice(&0_u64.to_le_bytes());
    assert_refused!(refused(file), Error::HeaderNotObject { offset: 8, .. });
}

#[test]
fn header_limit_is_an_option() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.safetensors");
    std::fs::write(&path, raw("{}      ", 0)).unwrap();
    assert!(OpenOptions::new().header_limit(8).open(&path).is_ok());
    let error = OpenOptions::new().header_limit(7).open(&path).unwrap_err();
    assert_refused!(error, Error::HeaderTooLarge { len: 8, limit: 7, .. });
}

#[test]
fn headers_that_are_no_object() {
    assert_refused!(refused(raw("[1]", 0)), Error::HeaderNotObject { offset: 8, .. });
    assert_refused!(refused(raw("   ", 0)), Error::HeaderNotObject { offset: 11, .. });
    assert_refused!(refused(raw("  null", 0)), Error::HeaderNotObject { offset: 10, .. });
    assert_refused!(refused(raw("{} {}", 0)), Error::Json { offset: 11, .. });
    assert_refused!(refused(raw("{\"t\"}", 0)), Error::Json { offset: 12, .. });
    let mut file = raw("{\"\u{e9}\":0}", 0);
    file[11] = b'x';
    assert_refused!(refused(file), Error::HeaderNotUtf8 { offset: 10, .. });
}

#[test]
fn faults_in_an_entry_name_the_tensor_and_the_byte() {
    let place = |error: &Error| match error {
        Error::Json { place, offset, .. } => (place.clone(), *offset),
        other => panic!("{other:?}"),
    };
    let tensor = "tensor `t`".to_owned();
    let u8_info = r#"{"dtype":"U8","shape":[8],"data_offsets":[0,8]"#;
    // The entry begins at byte 13; the parser stops at the fault or the byte before it.
    let cases = [
        (r#"{"dtype":"U8","shape":[-8],"data_offsets":[0,8]}"#.to_owned(), 13 + 24),
        (r#"{"dtype":"U8","shape":[8.0],"data_offsets":[0,8]}"#.to_owned(), 13 + 25),
        (r#"{"dtype":7,"shape":[8],"data_offsets":[0,8]}"#.to_owned(), 13 + 9),
        (format!("{u8_info},\"dtype\":\"U8\"}}"), 13 + 53),
        (r#"["U8",[8],[0,8]]"#.to_owned(), 12),
        (
            r#"{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,8]}"#.to_owned(),
            13 + 42,
        ),
    ];
    for (info, offset) in cases {
        let (at, found) = place(&entry(&info));
        assert_eq!((&at, found), (&tensor, offset), "{info}");
    }
    for info in [
        "null",
        "7",
        "{}",
        r#"{"dtype":"U8","shape":[8]}"#,
        r#"{"dtype":"U8","shape":[8],"data_offsets":[0,8,8]}"#,
        r#"{"dtype":"U8","shape":[8],"data_offsets":[0]}"#,
        r#"{"dtype":"U8","shape":8,"data_offsets":[0,8]}"#,
    ] {
        assert_eq!(place(&entry(info)).0, tensor, "{info}");
    }
}

#[test]
fn lines_count_towards_the_offset() {
    let json = "{\n  \"t\": {\n    \"dtype\": 7\n  }\n}";
    let seven = 8 + json.find('7').unwrap() as u64;
    assert_refused!(refused(raw(json, 0)), Error::Json { offset, .. } if *offset == seven);
}

#[test]
fn duplicate_keys() {
    let u8_8 = r#"{"dtype":"U8","shape":[8],"data_offsets":[0,8]}"#;
    let twice = refused(raw(&format!("{{\"t\":{u8_8},\"t\":{u8_8}}}"), 8));
    assert_refused!(twice, Error::DuplicateKey { key, .. } if key == "t");
    let escaped = refused(raw(&format!("{{\"t\":{u8_8},\"\\u0074\":{u8_8}}}"), 8));
    assert_refused!(escaped, Error::DuplicateKey { key, .. } if key == "t");
    let metadata = refused(raw(r#"{"__metadata__":{},"__metadata__":{}}"#, 0));
    assert_refused!(metadata, Error::DuplicateKey { key, .. } if key == "__metadata__");
    let within = refused(raw(r#"{"__metadata__":{"a":"1","a":"2"}}"#, 0));
    assert_refused!(within, Error::DuplicateKey { key, place: "the metadata", .. } if key == "a");
}

#[test]
fn metadata_must_be_strings() {
    let number = refused(raw(r#"{"__metadata__":{"format":1}}"#, 0));
    assert_refused!(number, Error::Json { place, .. } if place == "metadata `format`");
    let list = refused(raw(r#"{"__metadata__":["pt"]}"#, 0));
    assert_refused!(list, Error::Json { place, .. } if place == "`__metadata__`");
    assert!(Checkpoint::from_bytes("f", raw(r#"{"__metadata__":null}"#, 0)).is_ok());
}

#[test]
fn element_types() {
    for name in ["F8_E4M3FNUZ", "float32", "bf16", "C128", "", "U8 "] {
        let error = entry(&format!(r#"{{"dtype":"{name}","shape":[8],"data_offsets":[0,8]}}"#));
        assert_refused!(error, Error::UnknownDType { dtype, tensor, .. } if dtype == name && tensor == "t");
    }
}

#[test]
fn offsets_and_sizes() {
    let info = |dtype: &str, shape: &str, begin: u64, end: u64| {
        entry(&format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}"#))
    };
    assert_refused!(info("U8", "[8]", 8, 0), Error::OffsetsReversed { begin: 8, end: 0, .. });
    assert_refused!(info("U8", "[9]", 0, 9), Error::BeyondFile { end: 9, data_len: 8, .. });
    assert_refused!(
        info("U8", "[8]", u64::MAX - 8, u64::MAX),
        Error::BeyondFile { end: u64::MAX, .. }
    );
    assert_refused!(info("F32", "[3]", 0, 8), Error::SizeMismatch { expected: 12, actual: 8, .. });
    assert_refused!(info("U8", "[]", 0, 8), Error::SizeMismatch { expected: 1, actual: 8, .. });
    assert_refused!(info("F4", "[15]", 0, 8), Error::PartialByte { dtype: DType::F4, .. });
    let huge = usize::MAX;
    for shape in [format!("[{huge},2]"), format!("[{huge}]"), format!("[{huge},{huge},0]")] {
        assert_refused!(info("F64", &shape, 0, 8), Error::SizeOverflow { dtype: DType::F64, .. });
    }
}

#[test]
fn every_byte_belongs_to_one_tensor() {
    let two = |b_begin: u64, b_end: u64, data_len: usize| {
        let len = b_end - b_begin;
        let json = format!(
            r#"{{"a":{{"dtype":"U8","shape":[4],"data_offsets":[0,4]}},"b":{{"dtype":"U8","shape":[{len}],"data_offsets":[{b_begin},{b_end}]}}}}"#
        );
        raw(&json, data_len)
    };
    assert!(Checkpoint::from_bytes("f", two(4, 8, 8)).is_ok());
    assert!(Checkpoint::from_bytes("f", two(4, 4, 4)).is_ok());
    assert!(Checkpoint::from_bytes("f", two(0, 0, 4)).is_ok());
    assert_refused!(
        refused(two(3, 8, 8)),
        Error::Overlap { tensor, other, begin: 3, end: 4, .. } if tensor == "b" && other == "a"
    );
    assert_refused!(refused(two(0, 4, 4)), Error::Overlap { begin: 0, end: 4, .. });
    assert_refused!(refused(two(1, 1, 4)), Error::Overlap { begin: 1, end: 4, .. });
    assert_refused!(refused(two(5, 8, 8)), Error::Hole { tensor, begin: 4, end: 5, .. } if tensor == "b");
    assert_refused!(refused(two(4, 8, 9)), Error::TrailingBytes { .. });
    assert_refused!(refused(raw("{}", 1)), Error::TrailingBytes { expected: 10, actual: 11, .. });
    let late = r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}}"#;
    assert_refused!(refused(raw(late, 5)), Error::Hole { begin: 0, end: 1, .. });
}

#[test]
fn other_files_are_called_by_their_name() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1342\n";
    let cases: [(&[u8], LookAlike, &str); 6] = [
        (pointer, LookAlike::GitLfsPointer, "git lfs pull"),
        (b"<!DOCTYPE html>\n<html>", LookAlike::Html, "web page"),
        (b"PK\x03\x04\0\0\x08\x08\0\0\0\0\0\0archive/data.pkl", LookAlike::Zip, "zip"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", LookAlike::Pickle, "pickle"),
        (b"GGUF\x03\0\0\0\0\0\0\0", LookAlike::Gguf, "GGUF"),
        (b"{\n  \"metadata\": {}}", LookAlike::Json, "JSON"),
    ];
    for (content, expected, says) in cases {
        let error = refused(content.to_vec());
        assert_refused!(error, Error::LooksLike { what, .. } if *what == expected);
        assert!(refused(content.to_vec()).to_string().contains(says));
    }
    // 0x0280 bytes of header: begins like a pickle, is a truncated safetensors file.
    assert_refused!(
        refused(b"\x80\x02\0\0\0\0\0\0{\"a\":".to_vec()),
        Error::HeaderBeyondFile { .. }
    );
}

#[test]
fn nesting_does_not_exhaust_the_stack() {
    let deep = format!("{{\"t\":{{\"more\":{}", "[".repeat(1 << 20));
    assert_refused!(refused(raw(&deep, 0)), Error::Json { .. });
}

#[test]
fn what_upstream_writes_in_odd_ways_is_read() {
    // Blanks before the brace, unknown fields, entries out of file order, escapes, no padding.
    let json = r#"  {"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8],"x":{"y":[1]}},
        "\u0061":{"data_offsets":[0,4],"shape":[2,2],"dtype":"I8"}}"#;
    let file = raw(json, 8);
    assert!(safetensors::SafeTensors::deserialize(&file).is_ok());
    let checkpoint = Checkpoint::from_bytes("f", file).unwrap();
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["a", "b"]);
    let order: Vec<_> = checkpoint.shards()[0].tensors().map(|t| t.name()).collect();
    assert_eq!(order, ["a", "b"]);
    assert_eq!(checkpoint.tensor("b").unwrap().bytes().unwrap(), [4, 5, 6, 7]);
}
