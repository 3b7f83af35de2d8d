//! Every form of a file that MindSpore's parsers take, read right.

mod raw;

use mindspore_ckpt::{Dtype, Entry, Error, FindingKind, Reader, VerifyOptions, verify_source};
use raw::{bytes, int, named, padded_varint, record, small, tensor, varint};

const CONTENT: [u8; 6] = [0, 1, 2, 3, 4, 5];

/// The only tensor of a file, its content, and the kinds of the warnings.
fn only(file: &[u8]) -> (Entry, Vec<u8>, Vec<FindingKind>) {
    let reader = Reader::new(file).unwrap_or_else(|error| panic!("{error}: {file:02x?}"));
    let [entry] = reader.entries() else { panic!("{:?}", reader.entries()) };
    let warnings = reader.warnings().iter().map(|warning| warning.kind).collect();
    (entry.clone(), reader.read(entry).unwrap(), warnings)
}

/// Reads as the small tensor, with these warnings.
fn is_small(file: &[u8], warnings: &[FindingKind]) {
    let (entry, content, found) = only(file);
    assert_eq!(entry.name(), "a");
    assert_eq!((entry.dtype(), entry.dims()), (Dtype::UInt8, &[2, 3][..]));
    assert_eq!(content, CONTENT);
    assert_eq!(found, warnings);
}

#[test]
fn fields_in_every_order() {
    let dims = [int(1, 2), int(1, 3)].concat();
    let parts = [dims, bytes(2, b"UInt8"), bytes(3, &CONTENT)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let fields: Vec<u8> = order.iter().flat_map(|&part| parts[part].clone()).collect();
        is_small(&named("a", &fields), &[]);
        is_small(&bytes(1, &[bytes(2, &fields), bytes(1, b"a")].concat()), &[]);
    }
}

#[test]
fn dims_packed_split_and_around_other_fields() {
    let (dtype, content) = (bytes(2, b"UInt8"), bytes(3, &CONTENT));
    for dims in [
        [bytes(1, &[2, 3]), vec![], vec![]],
        [bytes(1, &[2]), bytes(1, &[3]), vec![]],
        [bytes(1, &[2]), vec![], int(1, 3)],
        [int(1, 2), vec![], bytes(1, &[3])],
        [int(1, 2), int(1, 3), bytes(1, &[])],
        [vec![], vec![], bytes(1, &[0x82, 0, 3])],
    ] {
        let [before, between, after] = dims;
        is_small(&named("a", &[&*before, &dtype, &between, &content, &after].concat()), &[]);
    }
}

#[test]
fn varints_longer_than_needed() {
    let long = |field: u8, body: &[u8], len| {
        [padded_varint(u64::from(field << 3 | 2), 5), padded_varint(body.len() as u64, len)]
            .into_iter()
            .chain([body.to_vec()])
            .collect::<Vec<_>>()
            .concat()
    };
    for len in 2..=10 {
        let dims = [vec![8], padded_varint(2, len), vec![8], padded_varint(3, len)].concat();
        let fields = [dims, long(2, b"UInt8", len), long(3, &CONTENT, len)].concat();
        let value = [long(1, b"a", len), long(2, &fields, len)].concat();
        // The first byte stays a plain key: files are told by it.
        is_small(&[vec![0x0a], padded_varint(value.len() as u64, len), value].concat(), &[]);
    }
    // Eleven bytes, or more than 64 bits in ten, are no varint.
    for bad in [[vec![0x80; 10], vec![0]].concat(), [vec![0xff; 9], vec![2]].concat()] {
        let fields = [vec![8], bad, bytes(2, b"UInt8"), bytes(3, &[])].concat();
        let error = Reader::new(named("a", &fields)).unwrap_err();
        assert!(matches!(error, Error::BadVarint { .. }), "{error}");
    }
}

#[test]
fn unknown_fields_are_skipped_with_a_warning() {
    let group = [vec![0x7b], int(1, 5), vec![0x0b], bytes(9, b"in"), vec![0x0c, 0x7c]].concat();
    let unknown = [
        int(15, 7),
        bytes(15, b"what"),
        [vec![15 << 3 | 1], vec![9; 8]].concat(),
        [vec![15 << 3 | 5], vec![9; 4]].concat(),
        group,
        // Known numbers with wire types that they do not have.
        int(2, 1),
        [vec![3 << 3 | 5], vec![9; 4]].concat(),
    ];
    let whole = tensor(&[2, 3], "UInt8", &CONTENT);
    for field in unknown {
        let inside = named("a", &[&*field, &whole].concat());
        is_small(&inside, &[FindingKind::UnknownField]);
        is_small(&named("a", &[&*whole, &field].concat()), &[FindingKind::UnknownField]);
        let value = [bytes(1, b"a"), field.clone(), bytes(2, &whole)].concat();
        is_small(&bytes(1, &value), &[FindingKind::UnknownField]);
        // Between records it is not the reader's affair either, but `verify` objects.
        let beside = [small("a"), field].concat();
        let verification = verify_source(&beside, &VerifyOptions::default()).unwrap();
        assert!(!verification.is_loadable());
        is_small(&beside, &[FindingKind::Leftover]);
    }
}

#[test]
fn repeated_fields_merge_as_in_protobuf() {
    let first = [int(1, 2), bytes(2, b"Int8"), bytes(3, &[9])].concat();
    let second = [int(1, 3), bytes(2, b"UInt8"), bytes(3, &CONTENT)].concat();
    let value = [bytes(1, b"z"), bytes(2, &first), bytes(1, b"a"), bytes(2, &second)].concat();
    is_small(&bytes(1, &value), &[FindingKind::RepeatedField; 4]);

    // A map tensor in between clears what was there.
    let whole = tensor(&[2, 3], "UInt8", &CONTENT);
    let value = [bytes(2, &first), bytes(3, b""), bytes(2, &whole), bytes(1, b"a")].concat();
    is_small(&bytes(1, &value), &[FindingKind::RepeatedField; 2]);
}

#[test]
fn scalars_in_both_forms() {
    for dims in [&[][..], &[0]] {
        for (dtype, content) in [("Float32", &[1, 2, 3, 4][..]), ("Bool", &[1]), ("Int16", &[1, 2])]
        {
            let (entry, found, warnings) = only(&record("a", dims, dtype, content));
            assert!(entry.is_scalar());
            assert_eq!((found.as_slice(), warnings.len()), (content, 0));
        }
    }
    let (entry, ..) = only(&record("a", &[1], "Int8", &[1]));
    assert_eq!(entry.dims(), [1]);
    let error = Reader::new(record("a", &[0], "Int16", &[1, 2, 3, 4])).unwrap_err();
    assert!(matches!(error, Error::LengthMismatch { expected: 2, found: 4, .. }), "{error}");
}

#[test]
fn tensors_without_elements() {
    let (entry, content, warnings) = only(&record("a", &[0, 5], "Float32", &[]));
    assert_eq!((entry.dims(), content.len()), (&[0, 5][..], 0));
    assert_eq!(warnings, [FindingKind::ZeroElements]);
    let (entry, _, warnings) = only(&record("a", &[0], "Float32", &[]));
    assert_eq!(entry.dims(), [0]);
    assert_eq!(warnings, [FindingKind::EmptyVector]);
}

#[test]
fn legacy_bf16() {
    let floats: Vec<u8> = (0..24).collect();
    let (entry, content, warnings) = only(&record("a", &[2, 3], "BFloat16", &floats));
    assert!(entry.legacy_bf16());
    assert_eq!((entry.byte_len(), &content), (24, &floats));
    assert_eq!(warnings, [FindingKind::RecentDtype]);

    let (entry, ..) = only(&record("a", &[2, 6], "BFloat16", &floats));
    assert!(!entry.legacy_bf16());
    for dims in [&[][..], &[0]] {
        let (entry, ..) = only(&record("a", dims, "BFloat16", &floats[..4]));
        assert!(entry.legacy_bf16() && entry.is_scalar());
        let (entry, ..) = only(&record("a", dims, "BFloat16", &floats[..2]));
        assert!(!entry.legacy_bf16() && entry.is_scalar());
    }
    for cut in 0..=24 {
        let slices = [&floats[..cut], &floats[cut..]];
        let file = slices.map(|slice| record("a", &[2, 3], "BFloat16", slice)).concat();
        let (entry, content, warnings) = only(&file);
        assert!(entry.legacy_bf16());
        assert_eq!(content, floats);
        // Halves could as well be the same tensor twice, and `verify` says so.
        assert_eq!(warnings.contains(&FindingKind::AmbiguousBf16), cut == 12, "{cut}");
        let verification = verify_source(&file, &VerifyOptions::default()).unwrap();
        assert_eq!(verification.is_loadable(), cut != 12, "{cut}");
    }
}

#[test]
fn slices_of_any_size() {
    for (dtype, item) in [("UInt8", 1), ("Float32", 4)] {
        let content: Vec<u8> = (0..6 * item).collect();
        for size in 1..=content.len() {
            let slices = content.chunks(size).map(|slice| record("a", &[2, 3], dtype, slice));
            let file = slices.collect::<Vec<_>>().concat();
            let (entry, found, warnings) = only(&file);
            assert_eq!(entry.slices().len(), content.len().div_ceil(size));
            assert_eq!(found, content);
            let misaligned = size % usize::from(item) != 0;
            assert_eq!(warnings.contains(&FindingKind::MisalignedSlice), misaligned);
        }
        // Empty ones first, last and between.
        let (one, two) = content.split_at(4);
        let slices = [&[][..], one, &[], &[], two, &[]];
        let file = slices.map(|slice| record("a", &[2, 3], dtype, slice)).concat();
        let (entry, found, _) = only(&file);
        assert_eq!((entry.slices().len(), found), (6, content.clone()));
        let reader = Reader::new(file).unwrap();
        for start in 0..=content.len() {
            for end in start..=content.len() {
                let mut part = vec![0xee; end - start];
                reader.read_at(&entry, start as u64, &mut part).unwrap();
                assert_eq!(part, content[start..end]);
            }
        }
    }
}

#[test]
fn text() {
    let utf32 = |text: &str| -> Vec<u8> {
        text.chars().flat_map(|char| u32::from(char).to_le_bytes()).collect()
    };
    for (stored, text) in [("abc", "abc"), ("\0", ""), ("晴 🌤\0\0", "晴 🌤"), ("a\0b", "a\0b")]
    {
        let reader = Reader::new(record("note", &[0], "str", &utf32(stored))).unwrap();
        let entry = reader.entry("note").unwrap();
        assert_eq!(entry.dims(), [stored.chars().count() as u64]);
        assert_eq!(reader.read_text(entry).unwrap(), text);
    }
    for bad in [&[][..], &[1, 0, 0], &[1, 0, 0, 0, 0]] {
        let error = Reader::new(record("note", &[0], "str", bad)).unwrap_err();
        assert!(matches!(error, Error::LengthMismatch { .. }), "{error}");
    }
    let surrogate = record("note", &[0], "str", &0xd800_u32.to_le_bytes());
    let reader = Reader::new(surrogate).unwrap();
    let error = reader.read_text(&reader.entries()[0]).unwrap_err();
    assert!(matches!(error, Error::NotText { .. }), "{error}");
    // Of text in several records MindSpore keeps one.
    let twice = record("note", &[0], "str", &utf32("ab")).repeat(2);
    assert!(matches!(Reader::new(twice), Err(Error::DuplicateName { .. })));
}

#[test]
fn map_tensors_are_listed() {
    let map = bytes(1, &tensor(&[1], "int32", &[0; 4]));
    let map = bytes(1, &[bytes(1, b"map"), bytes(3, &map)].concat());
    let file = [small("a"), map.clone(), small("b")].concat();
    let reader = Reader::new(file.clone()).unwrap();
    assert_eq!(reader.entries().len(), 2);
    assert_eq!((reader.maps()[0].name.as_str(), reader.maps()[0].offset), ("map", 26));
    assert_eq!(reader.warnings()[0].kind, FindingKind::MapTensor);
    assert!(verify_source(&file, &VerifyOptions::default()).unwrap().is_loadable());
    assert!(matches!(Reader::new(map.repeat(2)), Err(Error::DuplicateName { .. })));
}

#[test]
fn names_of_every_kind() {
    let longest = "ü".repeat(1024);
    for name in ["\0", "a/b c", "权重", "\u{10ffff}", &longest] {
        let (entry, ..) = only(&small(name));
        assert_eq!(entry.name(), name);
    }
    for name in [" a", "a ", "random_op", "x.__param_key__3"] {
        let (.., warnings) = only(&small(name));
        assert_eq!(warnings, [FindingKind::SpecialName], "{name}");
    }
    for name in ["x.__param_key__", "random_op.weight"] {
        assert!(only(&small(name)).2.is_empty(), "{name}");
    }
}

#[test]
fn every_type() {
    for dtype in Dtype::ALL {
        let content = vec![1; dtype.item_size() as usize * 3];
        let (entry, ..) = only(&record("a", &[3], dtype.name(), &content));
        assert_eq!((entry.dtype(), entry.dims()), (dtype, &[3][..]));
    }
}

#[test]
fn many_ranks() {
    let (entry, .., warnings) = only(&record("a", &[1; 32], "Int8", &[1]));
    assert_eq!((entry.dims().len(), warnings.len()), (32, 0));
    let (.., warnings) = only(&record("a", &[1; 33], "Int8", &[1]));
    assert_eq!(warnings, [FindingKind::HighRank]);
    let error = Reader::new(record("a", &[1; 1025], "Int8", &[1])).unwrap_err();
    assert!(matches!(error, Error::RankTooLarge { .. }), "{error}");
}

#[test]
fn several_messages_are_one_file() {
    // What protobuf calls concatenation needs no separator.
    let names: Vec<String> = (0..300).map(|index| format!("layer.{index}")).collect();
    let file: Vec<u8> = names.iter().flat_map(|name| small(name)).collect();
    let reader = Reader::new(file).unwrap();
    assert!(reader.entries().iter().map(Entry::name).eq(names.iter()));
    for entry in reader.entries() {
        assert_eq!(reader.read(entry).unwrap(), CONTENT);
        assert_eq!(reader.entry(entry.name()), Some(entry));
    }
    assert_eq!(reader.entry("layer.300"), None);
}

#[test]
fn reads_out_of_range_are_refused() {
    let reader = Reader::new(small("a")).unwrap();
    let entry = &reader.entries()[0];
    for (offset, len) in [(0, 7), (6, 1), (7, 0), (u64::MAX, 1), (u64::MAX, 0)] {
        let error = reader.read_at(entry, offset, &mut vec![0; len]).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { byte_len: 6, .. }), "{error}");
    }
    reader.read_at(entry, 6, &mut []).unwrap();
    assert_eq!(varint(300), [0xac, 2]);
}
