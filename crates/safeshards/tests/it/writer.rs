//! Checkpoints written as streams, and what is left when that goes wrong.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};

use safeshards::{Checkpoint, DType, Error, ShardWriter, TensorSpec, WriterOptions, Written};

use crate::files::{Tensor, names, tensor, upstream};

const INDEX: &str = "model.safetensors.index.json";

fn some() -> Vec<Tensor> {
    vec![
        tensor("c", DType::U8, &[3], 1),
        tensor("b", DType::BF16, &[2, 2], 2),
        tensor("a", DType::F32, &[], 3),
        tensor("none", DType::F32, &[0], 0),
    ]
}

fn specs(tensors: &[Tensor]) -> Vec<TensorSpec> {
    tensors.iter().map(|(spec, _)| spec.clone()).collect()
}

fn writer(dir: &std::path::Path, options: WriterOptions) -> Result<ShardWriter, Error> {
    ShardWriter::create(dir, &specs(&some()), options)
}

/// Writes every body in turn, one byte at a time.
fn fill(writer: &mut ShardWriter, tensors: &[Tensor]) {
    while let Some(spec) = writer.next_tensor().cloned() {
        writer.begin(&spec.name).unwrap();
        let (_, bytes) = tensors.iter().find(|(other, _)| *other == spec).unwrap();
        for &byte in bytes {
            writer.write(&[byte]).unwrap();
        }
    }
}

fn write(dir: &std::path::Path, options: WriterOptions) -> Result<Written, Error> {
    let mut writer = writer(dir, options)?;
    fill(&mut writer, &some());
    writer.finish()
}

#[test]
fn a_single_file_is_upstreams() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("new/below");
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let written = write(&below, WriterOptions::new().metadata(metadata)).unwrap();
    let path = below.join("model.safetensors");
    assert_eq!(written, Written { shards: vec![path.clone()], index: None });
    assert_eq!(fs::read(path).unwrap(), upstream(&some(), &[("format", "pt")]));
    assert_eq!(names(&below), ["model.safetensors"]);
}

#[test]
fn shards_and_their_index() {
    let dir = tempfile::tempdir().unwrap();
    let options = WriterOptions::new().max_shard_size(11).sync(false);
    let written = write(dir.path(), options).unwrap();
    let (first, second) = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors");
    assert_eq!(names(dir.path()), [first, second, INDEX]);
    assert_eq!(written.index, Some(dir.path().join(INDEX)));
    assert_eq!(fs::read(&written.shards[0]).unwrap(), upstream(&some()[..2], &[]));
    assert_eq!(fs::read(&written.shards[1]).unwrap(), upstream(&some()[2..], &[]));
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    assert!(checkpoint.warnings().is_empty());
    assert_eq!(checkpoint.total_bytes(), 15);
    for (spec, bytes) in some() {
        assert_eq!(checkpoint.tensor(&spec.name).unwrap().bytes().unwrap(), bytes);
    }
}

#[test]
fn bodies_come_from_readers() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), WriterOptions::new()).unwrap();
    let order: Vec<_> = writer.order().map(|spec| spec.name.clone()).collect();
    assert_eq!(order, ["a", "none", "b", "c"]);
    for name in order {
        let tensors = some();
        let (_, bytes) = tensors.iter().find(|(spec, _)| spec.name == name).unwrap();
        writer.write_tensor(&name, &mut &bytes[..]).unwrap();
    }
    assert_eq!(writer.next_tensor(), None);
    assert_eq!(writer.layouts().len(), 1);
    writer.finish().unwrap();
    assert_eq!(fs::read(dir.path().join("model.safetensors")).unwrap(), upstream(&some(), &[]));
}

#[test]
fn a_checkpoint_of_no_tensors() {
    let dir = tempfile::tempdir().unwrap();
    ShardWriter::create(dir.path(), &[], WriterOptions::new()).unwrap().finish().unwrap();
    assert!(Checkpoint::open(dir.path()).unwrap().is_empty());
}

#[test]
fn an_unfinished_writer_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), WriterOptions::new().max_shard_size(5)).unwrap();
    assert!(names(dir.path()).is_empty());
    fill(&mut writer, &some());
    // Several files are there by now, none with a final name, and none that a reader would take.
    assert!(names(dir.path()).len() >= 3);
    assert!(names(dir.path()).iter().all(|name| name.starts_with('.')));
    assert!(matches!(Checkpoint::open(dir.path()), Err(Error::NoCheckpoint { .. })));
    drop(writer);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn bodies_must_have_their_exact_length() {
    let dir = tempfile::tempdir().unwrap();
    let fresh = || writer(dir.path(), WriterOptions::new()).unwrap();

    let mut long = fresh();
    long.begin("a").unwrap();
    long.write(&[0; 3]).unwrap();
    let error = long.write(&[0; 2]).unwrap_err();
    assert!(
        matches!(&error, Error::BodyLength { tensor, expected: 4, actual: 5, .. } if tensor == "a")
    );
    assert!(matches!(long.write(&[0]), Err(Error::WriterFailed { .. })));
    assert!(matches!(long.begin("none"), Err(Error::WriterFailed { .. })));
    assert!(matches!(long.finish(), Err(Error::WriterFailed { .. })));

    let mut short = fresh();
    short.begin("a").unwrap();
    short.write(&[0; 3]).unwrap();
    assert!(matches!(short.begin("none"), Err(Error::BodyLength { expected: 4, actual: 3, .. })));

    drop(short);

    for len in [0, 3, 5] {
        let mut reader = fresh();
        let error = reader.write_tensor("a", &mut &vec![0; len][..]).unwrap_err();
        assert!(
            matches!(error, Error::BodyLength { actual, .. } if actual == len as u64),
            "{error:?}"
        );
        assert!(reader.finish().is_err());
    }
    let mut none = fresh();
    none.write_tensor("a", &mut &[0; 4][..]).unwrap();
    assert!(matches!(
        none.write_tensor("none", &mut &[0][..]),
        Err(Error::BodyLength { expected: 0, actual: 1, .. })
    ));
    drop(none);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn the_last_body_is_checked_too() {
    let dir = tempfile::tempdir().unwrap();
    let one = [TensorSpec::new("t", DType::U8, [2])];
    let mut writer = ShardWriter::create(dir.path(), &one, WriterOptions::new()).unwrap();
    writer.begin("t").unwrap();
    writer.write(&[1]).unwrap();
    assert!(matches!(writer.finish(), Err(Error::BodyLength { expected: 2, actual: 1, .. })));
    let writer = ShardWriter::create(dir.path(), &one, WriterOptions::new()).unwrap();
    assert!(matches!(writer.finish(), Err(Error::Unfinished { tensor, .. }) if tensor == "t"));
    assert!(names(dir.path()).is_empty());
}

#[test]
fn bodies_must_come_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), WriterOptions::new()).unwrap();
    assert!(matches!(writer.write(&[]), Err(Error::NotBegun { .. })));
    let mut writer = self::writer(dir.path(), WriterOptions::new()).unwrap();
    for wrong in ["b", "nonsense"] {
        let error = writer.begin(wrong).unwrap_err();
        assert!(matches!(&error, Error::OutOfOrder { expected: Some(next), .. } if next == "a"));
    }
    fill(&mut writer, &some());
    let error = writer.begin("a").unwrap_err();
    assert!(matches!(error, Error::OutOfOrder { expected: None, .. }), "{error:?}");
    writer.finish().unwrap();
}

#[test]
fn a_failing_reader_is_named() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("no more tape"))
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), WriterOptions::new()).unwrap();
    let error = writer.write_tensor("a", &mut [1, 2].chain(Broken)).unwrap_err();
    assert!(matches!(&error, Error::Body { tensor, offset: 2, .. } if tensor == "a"), "{error:?}");
    assert!(writer.finish().is_err());
    assert!(names(dir.path()).is_empty());
}

#[test]
fn existing_files_are_kept_unless_told_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let old = dir.path().join("model.safetensors");
    fs::write(&old, "precious").unwrap();
    assert!(matches!(write(dir.path(), WriterOptions::new()), Err(Error::TargetExists { .. })));
    // A file that appears while the writer works is kept as well.
    fs::remove_file(&old).unwrap();
    let mut late = writer(dir.path(), WriterOptions::new()).unwrap();
    fill(&mut late, &some());
    fs::write(&old, "precious").unwrap();
    assert!(matches!(late.finish(), Err(Error::TargetExists { .. })));
    assert_eq!(fs::read(&old).unwrap(), b"precious");
    assert_eq!(names(dir.path()), ["model.safetensors"]);

    write(dir.path(), WriterOptions::new().overwrite(true)).unwrap();
    assert_eq!(fs::read(&old).unwrap(), upstream(&some(), &[]));
}

#[test]
fn shards_published_before_a_failure_are_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), WriterOptions::new().max_shard_size(11)).unwrap();
    fill(&mut writer, &some());
    fs::write(dir.path().join("model-00002-of-00002.safetensors"), "late").unwrap();
    assert!(matches!(writer.finish(), Err(Error::TargetExists { .. })));
    assert_eq!(names(dir.path()), ["model-00002-of-00002.safetensors"]);
}

#[test]
fn a_single_file_over_several_opens_as_the_single_file() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), WriterOptions::new().max_shard_size(5)).unwrap();
    assert!(matches!(write(dir.path(), WriterOptions::new()), Err(Error::TargetExists { .. })));
    let written = write(dir.path(), WriterOptions::new().overwrite(true)).unwrap();
    assert!(written.index.is_some());
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    assert_eq!(checkpoint.shards().len(), 1);
    assert!(checkpoint.shards()[0].path().ends_with("model.safetensors"));
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let mode = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let probe = fs::write(dir.path().join("probe"), "");
    let written = write_first(dir.path());
    mode(0o755);
    // Permissions do not bind root.
    if probe.is_err() {
        assert!(matches!(written, Err(Error::Io { action: "create", .. })), "{written:?}");
    }
}

#[cfg(unix)]
fn write_first(dir: &std::path::Path) -> Result<(), Error> {
    writer(dir, WriterOptions::new())?.begin("a")
}

#[test]
fn a_file_in_place_of_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(writer(&file, WriterOptions::new()), Err(Error::Io { action: "create", .. })));
}

#[test]
fn impossible_specs_are_refused_before_anything_is_created() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("below");
    // The same name in two shards: each layout alone would be sound.
    let twice = [TensorSpec::new("t", DType::U8, [4]), TensorSpec::new("t", DType::U8, [4])];
    let options = WriterOptions::new().max_shard_size(4);
    assert!(matches!(ShardWriter::create(&below, &twice, options), Err(Error::InvalidSpec { .. })));
    assert!(!below.exists());
}
