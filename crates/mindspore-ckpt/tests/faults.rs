//! Every kind of bad file: what the reader says, and what `verify` makes of it.

mod raw;

use std::fs;

use mindspore_ckpt::{
    Dtype, Encryption, Error, Expected, FindingKind, Lookalike, Place, Reader, Severity,
    TensorSpec, Verification, VerifyOptions, trailer, verify, verify_source,
};
use raw::{bytes, int, named, record, small, tensor, varint};

fn verified(file: &[u8]) -> Verification {
    verify_source(file, &VerifyOptions::default()).unwrap()
}

/// The kinds of the errors.
fn errors(file: &[u8]) -> Vec<FindingKind> {
    verified(file).errors().map(|finding| finding.kind).collect()
}

/// The reader fails, and so does `verify`, with these kinds; the first one is the reader's too.
fn fails(file: &[u8], kinds: &[FindingKind]) -> Error {
    let error = Reader::new(file).unwrap_err();
    assert_eq!(error.kind(), Some(kinds[0]), "{error}");
    let verification = verified(file);
    assert_eq!(errors(file), kinds, "{verification:?}");
    assert!(!verification.is_loadable());
    error
}

fn place(error: &Error) -> &Place {
    error.place().unwrap_or_else(|| panic!("{error} has no place"))
}

#[test]
fn nothing_in_it() {
    fails(b"", &[FindingKind::Empty]);
    fails(&trailer(0), &[FindingKind::Empty]);
    // Fields that MindSpore ignores are no tensors.
    let error = Reader::new(int(15, 1)).unwrap_err();
    assert!(matches!(error, Error::Empty { bytes: 2 }), "{error}");
    assert_eq!(errors(&int(15, 1)), [FindingKind::Leftover, FindingKind::Empty]);
}

#[test]
fn content_of_the_wrong_length() {
    for (dims, len) in
        [(&[2, 3][..], 5), (&[2, 3], 7), (&[2, 3], 0), (&[], 0), (&[], 2), (&[0, 5], 1)]
    {
        let file = [small("x"), record("a", dims, "UInt8", &vec![0; len]), small("y")].concat();
        let error = fails(&file, &[FindingKind::LengthMismatch]);
        assert!(matches!(&error, Error::LengthMismatch { found, .. } if *found == len as u64));
        assert_eq!((place(&error).record, error.tensor()), (Some(1), Some("a")), "{error}");
        assert_eq!(error.offset(), Some(26));
        assert_eq!(verified(&file).tensors, 2);
    }
    // The last slice is missing.
    let part = record("a", &[4], "Float32", &[0; 8]);
    fails(&[part.clone(), small("b")].concat(), &[FindingKind::LengthMismatch]);
    // Three bytes an element are neither bf16 nor its legacy form.
    fails(&record("a", &[2], "BFloat16", &[0; 6]), &[FindingKind::LengthMismatch]);
}

#[test]
fn fields_that_are_absent() {
    let dims = [int(1, 2), int(1, 3)].concat();
    let (dtype, content) = (bytes(2, b"UInt8"), bytes(3, &[0; 6]));
    fails(&named("a", &[&*dims, &dtype].concat()), &[FindingKind::MissingContent]);
    fails(&named("a", &[&*dims, &content].concat()), &[FindingKind::MissingType]);
    let both = [FindingKind::MissingType, FindingKind::MissingContent];
    fails(&named("a", &dims), &both);
    fails(&named("a", &[]), &both);
    fails(&bytes(1, &bytes(1, b"a")), &[FindingKind::MissingTensor]);
    fails(&bytes(1, &bytes(2, &tensor(&[1], "Int8", &[1]))), &[FindingKind::MissingName]);
    fails(&bytes(1, &[]), &[FindingKind::MissingName]);
    fails(&small(""), &[FindingKind::MissingName]);
    // The rest of the file is still looked at.
    let file = [bytes(1, &[]), small("a"), bytes(1, &bytes(1, b"b")), small("c")].concat();
    fails(&file, &[FindingKind::MissingName, FindingKind::MissingTensor]);
    assert_eq!(verified(&file).tensors, 2);
}

#[test]
fn types_that_mindspore_does_not_know() {
    for dtype in ["", "float32", "FLOAT32", "Uint8", "BF16", "UInt8\0", " UInt8", "Int2"] {
        let error = fails(&record("a", &[1], dtype, &[0]), &[FindingKind::UnknownType]);
        assert!(error.to_string().contains(&format!("{dtype:?}")), "{error}");
    }
    let long = "x".repeat(1 << 20);
    let error = fails(&record("a", &[1], &long, &[0]), &[FindingKind::UnknownType]);
    assert!(error.to_string().len() < 200);
    let not_text = named("a", &[bytes(2, &[0xff, 0xfe]), bytes(3, &[0])].concat());
    fails(&not_text, &[FindingKind::UnknownType]);
}

#[test]
fn dims_out_of_range() {
    for dim in [-1, i64::MIN, 1 << 31, i64::MAX] {
        let error = fails(&record("a", &[1, dim], "Int8", &[]), &[FindingKind::BadShape]);
        assert!(matches!(error, Error::DimOutOfRange { axis: 1, dim: found, .. } if found == dim));
    }
    // Two negative ones do not make a positive size.
    fails(&record("a", &[-2, -3], "Int8", &[0; 6]), &[FindingKind::BadShape]);
    let largest = (1 << 31) - 1;
    fails(&record("a", &[largest; 3], "Int8", &[0]), &[FindingKind::BadShape]);
    fails(&record("a", &[largest], "Int8", &[0]), &[FindingKind::LengthMismatch]);
}

#[test]
fn names_that_cannot_be() {
    let error = fails(&small(&"ü".repeat(1025)), &[FindingKind::NameTooLong]);
    assert!(matches!(error, Error::NameTooLong { chars: 1025, .. }), "{error}");
    fails(&small(&"a".repeat(5000)), &[FindingKind::NameTooLong]);
    let tag = [bytes(1, b"a\xff"), bytes(2, &tensor(&[], "Int8", &[0]))].concat();
    let error = fails(&bytes(1, &tag), &[FindingKind::NameNotUtf8]);
    assert!(matches!(error, Error::NameNotUtf8 { valid_up_to: 1, .. }), "{error}");
}

#[test]
fn the_same_name_twice() {
    let twice = [FindingKind::DuplicateName];
    // Side by side MindSpore joins them and overruns its buffer; apart, the last one wins.
    let error = fails(&small("a").repeat(2), &twice);
    assert_eq!((error.offset(), place(&error).record), (Some(26), Some(1)), "{error}");
    fails(&small("a").repeat(3), &[FindingKind::DuplicateName]);
    let error = fails(&[small("a"), small("b"), small("a")].concat(), &twice);
    assert_eq!((error.offset(), place(&error).record), (Some(52), Some(2)), "{error}");
    assert!(error.to_string().contains("already used at byte 0"), "{error}");

    let other = record("a", &[6], "UInt8", &[0; 6]);
    fails(&[small("a"), other].concat(), &[FindingKind::SliceMismatch]);
    let other = record("a", &[2, 3], "Int8", &[0; 6]);
    fails(&[small("a"), other].concat(), &[FindingKind::SliceMismatch]);
    // As bf16 it may also be the legacy form, which the reader takes as MindSpore does.
    let bf16 = record("a", &[3], "BFloat16", &[0; 6]).repeat(2);
    assert!(Reader::new(bf16.clone()).is_ok());
    assert_eq!(errors(&bf16), [FindingKind::AmbiguousBf16]);
}

#[test]
fn slices_with_another_tensor_between() {
    let half = record("a", &[2, 3], "UInt8", &[0; 3]);
    let file = [half.clone(), small("b"), half].concat();
    let error = fails(&file, &[FindingKind::LengthMismatch, FindingKind::Interleaved]);
    assert!(error.to_string().contains("3 bytes of content"), "{error}");
    assert_eq!(verified(&file).tensors, 1);
}

#[test]
fn faulty_slices_make_a_faulty_tensor() {
    let half = record("a", &[2, 3], "UInt8", &[0; 3]);
    let bad = record("a", &[2, 3], "uint8", &[0; 3]);
    for file in [[&*half, &bad].concat(), [&*half, &bad, &half].concat(), [&*bad, &half].concat()] {
        assert_eq!(errors(&file), [FindingKind::UnknownType]);
        assert_eq!(verified(&file).tensors, 0);
    }
}

#[test]
fn bytes_after_the_last_record() {
    for (rest, kind) in [
        (&[0][..], FindingKind::Malformed),
        (&[0; 9], FindingKind::Malformed),
        (b"some text", FindingKind::Malformed),
        (&[0x78, 1], FindingKind::Leftover),
        (&[0x7b, 0x7c], FindingKind::Leftover),
        (&[0x08, 1], FindingKind::Leftover),
        (&[0x0a], FindingKind::Truncated),
        (&[0x7c], FindingKind::Malformed),
        (&[0x7b, 0x0c], FindingKind::Malformed),
        (&[0x7b], FindingKind::Truncated),
        (&[0x0e], FindingKind::Malformed),
        (&[0x0f], FindingKind::Malformed),
        (&[0x79, 1, 2, 3], FindingKind::Truncated),
        (&[0xff; 11], FindingKind::Malformed),
    ] {
        let file = [small("a"), rest.to_vec()].concat();
        assert_eq!(errors(&file), [kind], "{rest:02x?}");
        assert_eq!(verified(&file).tensors, 1);
        let finding = verified(&file).findings.swap_remove(0);
        assert!(finding.offset.is_some_and(|offset| offset >= 26), "{finding:?}");
    }
    let deep = [small("a"), vec![0x7b; 100_000]].concat();
    assert_eq!(errors(&deep), [FindingKind::Malformed]);
}

#[test]
fn lengths_beyond_everything() {
    let lengths = [64, 1 << 20, 1 << 40, u64::MAX >> 1, u64::MAX - 30, u64::MAX];
    for huge in lengths {
        let huge = varint(huge);
        for (message, kind) in [
            // The record itself, with nothing inside, or with a name to report.
            ([vec![0x0a], huge.clone()].concat(), FindingKind::Truncated),
            ([vec![0x0a], huge.clone(), bytes(1, b"a")].concat(), FindingKind::Truncated),
            // A field inside a record that is whole.
            (bytes(1, &[vec![0x0a], huge.clone()].concat()), FindingKind::Malformed),
            (bytes(1, &[vec![0x12], huge.clone()].concat()), FindingKind::Malformed),
            (bytes(1, &[vec![0x1a], huge.clone()].concat()), FindingKind::Malformed),
            (named("a", &[vec![0x0a], huge.clone()].concat()), FindingKind::Malformed),
            (named("a", &[vec![0x12], huge.clone()].concat()), FindingKind::Malformed),
            (named("a", &[vec![0x1a], huge.clone()].concat()), FindingKind::Malformed),
            (named("a", &[vec![0x7b, 0x0a], huge.clone()].concat()), FindingKind::Malformed),
        ] {
            let file = [small("x"), message].concat();
            assert_eq!(errors(&file), [kind], "{file:02x?}");
        }
        // Every length as long as that: what is known of the tensor is said.
        let nested = [
            vec![0x0a],
            huge.clone(),
            bytes(1, b"cut"),
            vec![0x12],
            varint(50),
            bytes(2, b"UInt8"),
            vec![0x1a],
            varint(40),
            vec![7; 3],
        ];
        let error = fails(&nested.concat(), &[FindingKind::Truncated]);
        assert_eq!(error.tensor(), Some("cut"));
        assert!(matches!(error, Error::Truncated { needs: 40, left: 3, .. }), "{error}");
    }
}

#[test]
fn other_kinds_of_files() {
    let mut tar = vec![b'x'; 600];
    tar[100..257].fill(0);
    tar[257..262].copy_from_slice(b"ustar");
    for (file, kind) in [
        (&b"\x40\0\0\0\0\0\0\0{\"__metadata__\":{}}"[..], Lookalike::Safetensors),
        // Its first byte is that of a record.
        (b"\x0a\x01\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\"}}", Lookalike::Safetensors),
        (b"PK\x03\x04\0\0", Lookalike::Zip),
        (b"\x80\x02}q\0.", Lookalike::Pickle),
        (&tar, Lookalike::Tar),
        (b"\x1f\x8b\x08", Lookalike::Gzip),
        (b"GGUF\x03\0\0\0", Lookalike::Gguf),
        (b"\x89HDF\r\n\x1a\n", Lookalike::Hdf5),
        (b"\x93NUMPY\x01\0", Lookalike::Numpy),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
            Lookalike::GitLfsPointer,
        ),
        (b"<!DOCTYPE html><html>", Lookalike::Html),
        (b"\n\n  <HTML>", Lookalike::Html),
        (b"<?xml version=\"1.0\"?><Error/>", Lookalike::Xml),
        (b"{\"error\": \"not found\"}", Lookalike::Json),
        (b"Access denied\n", Lookalike::Text),
        ("\n权重不存在".as_bytes(), Lookalike::Text),
        (&[0; 4096], Lookalike::Zeros),
    ] {
        let error = fails(file, &[FindingKind::NotACheckpoint]);
        assert!(
            matches!(error, Error::NotACheckpoint { looks_like } if looks_like == kind),
            "{error}"
        );
    }
    for (first, name) in
        [(0xd8, Encryption::AesGcm), (0xd9, Encryption::AesCbc), (0xda, Encryption::Sm4Cbc)]
    {
        let error = fails(&[first, 0x5e, 0x3a, 0x7f, 1, 2, 3], &[FindingKind::Encrypted]);
        assert!(error.to_string().contains(&name.to_string()), "{error}");
    }
}

#[test]
fn checksums() {
    let body = small("a");
    let good = crc32fast::hash(&body);
    let with = |trailer: &[u8]| [&*body, trailer].concat();
    assert!(verified(&with(&trailer(good))).is_loadable());
    assert_eq!(errors(&with(&trailer(good ^ 1))), [FindingKind::CrcMismatch]);
    assert_eq!(Reader::new(with(&trailer(good ^ 1))).unwrap().crc(), Some(good ^ 1));

    let mut little = trailer(0);
    little[7..11].copy_from_slice(&good.to_le_bytes());
    assert_eq!(errors(&with(&little)), [FindingKind::BadTrailer]);
    let reader = Reader::new(with(&little)).unwrap();
    assert_eq!(reader.crc(), None);
    assert!(reader.warnings().iter().any(|found| found.kind == FindingKind::BadTrailer));

    let again = trailer(crc32fast::hash(&with(&trailer(good))));
    for rest in [&[0][..], &[0x78, 0], &again] {
        let error = fails(&with(&[&trailer(good), rest].concat()), &[FindingKind::BadTrailer]);
        assert_eq!(error.offset(), Some(body.len() as u64));
    }
}

#[test]
fn warnings_about_versions() {
    let kinds = |file: &[u8]| -> Vec<FindingKind> {
        verified(file).findings.iter().map(|finding| finding.kind).collect()
    };
    let bf16 = [record("a", &[1], "BFloat16", &[0; 2]), record("b", &[1], "BFloat16", &[0; 2])];
    assert_eq!(kinds(&bf16.concat()), [FindingKind::RecentDtype]);
    assert_eq!(kinds(&record("a", &[1], "Int4", &[0])), [FindingKind::RecentDtype]);
    for dtype in ["Complex64", "Complex128", "Float8E4M3FN", "Float8E5M2", "HiFloat8"] {
        let size = dtype.parse::<Dtype>().unwrap().item_size();
        let file = record("a", &[1], dtype, &vec![0; size as usize]);
        assert_eq!(kinds(&file), [FindingKind::RefusedDtype]);
        assert!(!verified(&file).is_loadable());
        assert!(errors(&file).is_empty());
    }
    let empty = record("a", &[0], "Int8", &[]);
    assert_eq!(kinds(&empty), [FindingKind::EmptyVector]);
    assert!(!verified(&empty).is_loadable());
    let body = small("a");
    let file = [&*body, &trailer(crc32fast::hash(&body))].concat();
    assert_eq!(kinds(&file), [FindingKind::CrcTrailer]);
}

#[test]
fn a_hostile_number_of_findings() {
    let file = [small("a"), int(15, 0).repeat(5000), bytes(1, &[]).repeat(5000)].concat();
    let verification = verified(&file);
    assert_eq!(verification.findings.len(), 1000);
    assert_eq!(verification.omitted, 9000);
    let inside = named("a", &[int(15, 0).repeat(5000), tensor(&[], "Int8", &[0])].concat());
    assert_eq!(Reader::new(inside.clone()).unwrap().warnings().len(), 1000);
    // Warnings do not crowd out an error.
    let verification = verified(&[inside, vec![0]].concat());
    assert_eq!(verification.errors().count(), 1);
}

#[test]
fn what_was_expected() {
    let expect = |name: &str, dtype, dims: &[u64]| Expected {
        name: name.to_owned(),
        dtype,
        dims: dims.to_vec(),
    };
    let file = [small("a"), record("s", &[0], "Int8", &[1]), small("b")].concat();
    let check = |expected: &[TensorSpec]| -> Vec<(FindingKind, Option<String>)> {
        let options = VerifyOptions { crc: true, expected: Some(expected) };
        let verification = verify_source(&file, &options).unwrap();
        assert_eq!(verification.is_loadable(), verification.findings.is_empty());
        let findings = verification.findings.into_iter();
        findings.map(|finding| (finding.kind, finding.tensor)).collect()
    };
    let (a, b) = (expect("a", Dtype::UInt8, &[2, 3]), expect("b", Dtype::UInt8, &[2, 3]));
    let s = expect("s", Dtype::Int8, &[]);
    assert_eq!(check(&[b.clone(), a.clone(), s.clone()]), []);
    let c = expect("c", Dtype::UInt8, &[2, 3]);
    let all = [a.clone(), b.clone(), s.clone(), c];
    assert_eq!(check(&all), [(FindingKind::Missing, Some("c".to_owned()))]);
    assert_eq!(check(&[a, s.clone()]), [(FindingKind::Unexpected, Some("b".to_owned()))]);
    let a = expect("a", Dtype::Int8, &[3, 2]);
    let (dtype, shape) = (FindingKind::WrongDtype, FindingKind::WrongShape);
    let a_name = || Some("a".to_owned());
    assert_eq!(check(&[a, b, s]), [(dtype, a_name()), (shape, a_name())]);
}

#[test]
fn files_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good.ckpt");
    fs::write(&good, small("a")).unwrap();
    assert!(verify(&good, &VerifyOptions::default()).unwrap().findings.is_empty());
    assert_eq!(Reader::open(&good).unwrap().entries().len(), 1);

    let renamed = dir.path().join("good.CKPT");
    fs::rename(&good, &renamed).unwrap();
    let verification = verify(&renamed, &VerifyOptions::default()).unwrap();
    assert_eq!(verification.findings[0].kind, FindingKind::FileName);
    assert_eq!(verification.findings[0].severity, Severity::Warning);
    assert!(verification.is_loadable());

    let error = Reader::open(&good).unwrap_err();
    assert!(error.to_string().contains("good.ckpt"), "{error}");
    assert!(matches!(error.root(), Error::Io { action: "open", .. }), "{error}");
    assert!(verify(&good, &VerifyOptions::default()).is_err());
    assert!(Reader::open(dir.path()).is_err());
    fs::write(&good, [small("a"), vec![0]].concat()).unwrap();
    let error = Reader::open(&good).unwrap_err();
    assert!(error.to_string().contains("good.ckpt"), "{error}");
    assert_eq!((error.offset(), error.kind()), (Some(26), Some(FindingKind::Malformed)));
}
