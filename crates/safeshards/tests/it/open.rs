//! From paths to checkpoints.

use std::fs;
use std::path::Path;

use safeshards::{Checkpoint, DType, Error, OpenOptions};

use crate::files::{index, tensor, two_shards, upstream};

fn write(path: &Path, name: &str) {
    fs::write(path, upstream(&[tensor(name, DType::U8, &[3], 0)], &[])).unwrap();
}

#[test]
fn a_directory_an_index_and_a_shard_open() {
    let dir = tempfile::tempdir().unwrap();
    two_shards(dir.path());
    let index = dir.path().join("model.safetensors.index.json");

    let whole = Checkpoint::open(dir.path()).unwrap();
    assert_eq!(whole.names().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!((whole.len(), whole.shards().len(), whole.total_bytes()), (3, 2, 25));
    assert_eq!(whole.index_path(), Some(&*index));
    assert_eq!(whole.path(), dir.path());
    assert_eq!(whole.metadata()["format"], "pt");
    assert!(whole.warnings().is_empty());
    assert!(whole.contains("c") && !whole.contains("d"));

    let by_index = Checkpoint::open(&index).unwrap();
    assert_eq!(by_index.len(), 3);
    let shard = Checkpoint::open(dir.path().join("model-00002-of-00002.safetensors")).unwrap();
    assert_eq!(shard.names().collect::<Vec<_>>(), ["c"]);
    assert_eq!(shard.index_path(), None);
}

#[test]
fn an_index_is_trusted_over_the_count_in_a_name() {
    // The released gpt-oss-20b has three files, numbered 00000 to 00002 "of-00002".
    let dir = tempfile::tempdir().unwrap();
    let mut map = serde_json::Map::new();
    for i in 0..3 {
        let file = format!("model-0000{i}-of-00002.safetensors");
        write(&dir.path().join(&file), &format!("t{i}"));
        map.insert(format!("t{i}"), file.into());
    }
    write(&dir.path().join("unrelated.safetensors"), "t0");
    index(dir.path(), &serde_json::json!({"weight_map": map}));
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    assert_eq!((checkpoint.len(), checkpoint.shards().len()), (3, 3));
    assert_eq!(checkpoint.tensor("t2").unwrap().shard_index(), 2);
}

#[test]
fn an_index_of_another_stem_counts_and_two_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    two_shards(dir.path());
    let first = dir.path().join("model.safetensors.index.json");
    let other = dir.path().join("diffusion.safetensors.index.json");
    fs::rename(&first, &other).unwrap();
    assert_eq!(Checkpoint::open(dir.path()).unwrap().index_path(), Some(&*other));
    fs::copy(&other, &first).unwrap();
    let error = Checkpoint::open(dir.path()).unwrap_err();
    assert!(matches!(&error, Error::SeveralIndexes { names, .. } if names.len() == 2), "{error:?}");
    assert!(Checkpoint::open(&first).is_ok());
}

#[test]
fn bare_shards_open_together_and_hidden_files_do_not_count() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("b.safetensors"), "x");
    write(&dir.path().join("a.safetensors"), "y");
    write(&dir.path().join(".c.safetensors"), "x");
    fs::write(dir.path().join("._model.safetensors.index.json"), "AppleDouble").unwrap();
    fs::create_dir(dir.path().join("d.safetensors")).unwrap();
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    let files: Vec<_> =
        checkpoint.shards().iter().map(|shard| shard.path().file_name().unwrap()).collect();
    assert_eq!(files, ["a.safetensors", "b.safetensors"]);
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["x", "y"]);

    write(&dir.path().join("c.safetensors"), "x");
    let error = Checkpoint::open(dir.path()).unwrap_err();
    assert!(
        matches!(&error, Error::TensorInTwoShards { tensor, first, second } if tensor == "x"
            && first.ends_with("b.safetensors") && second.ends_with("c.safetensors")),
        "{error:?}"
    );
}

#[test]
fn shards_in_a_subdirectory_are_pointed_out() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    fs::create_dir(&original).unwrap();
    fs::create_dir(dir.path().join("metal")).unwrap();
    write(&original.join("model.safetensors"), "block.0.attn.sinks");
    let error = Checkpoint::open(dir.path()).unwrap_err();
    assert!(
        matches!(&error, Error::NoCheckpoint { elsewhere, .. } if *elsewhere == [original.clone()])
    );
    assert!(error.to_string().contains("original"), "{error}");
    assert!(Checkpoint::open(&original).is_ok());

    let empty = Checkpoint::open(dir.path().join("metal")).unwrap_err();
    assert!(matches!(&empty, Error::NoCheckpoint { elsewhere, .. } if elsewhere.is_empty()));
    let nowhere = Checkpoint::open(dir.path().join("nowhere")).unwrap_err();
    assert!(matches!(nowhere, Error::Io { action: "open", .. }));
}

#[test]
fn metadata_of_shards_is_merged_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let shard = |file: &str, name, metadata: &[_]| {
        let content = upstream(&[tensor(name, DType::U8, &[1], 0)], metadata);
        fs::write(dir.path().join(file), content).unwrap();
    };
    shard("1.safetensors", "x", &[("format", "pt"), ("one", "1")]);
    shard("2.safetensors", "y", &[("format", "mlx"), ("two", "2")]);
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    let merged: Vec<_> =
        checkpoint.metadata().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(merged, [("format", "pt"), ("one", "1"), ("two", "2")]);
    let [warning] = checkpoint.warnings() else { panic!("{:?}", checkpoint.warnings()) };
    assert!(warning.to_string().contains("`format` of") && warning.to_string().contains("2.safe"));
}

#[cfg(unix)]
#[test]
fn links_lead_to_blobs_as_in_the_hub_cache() {
    use std::os::unix::fs::symlink;

    let dir = tempfile::tempdir().unwrap();
    let (blobs, snapshot) = (dir.path().join("blobs"), dir.path().join("snapshots/6cee5e"));
    fs::create_dir(&blobs).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    two_shards(&blobs);
    for (i, name) in crate::files::names(&blobs).iter().enumerate() {
        fs::rename(blobs.join(name), blobs.join(format!("{i:064x}"))).unwrap();
        symlink(format!("../../blobs/{i:064x}"), snapshot.join(name)).unwrap();
    }
    let checkpoint = Checkpoint::open(&snapshot).unwrap();
    assert_eq!(checkpoint.len(), 3);
    assert_eq!(checkpoint.tensor("b").unwrap().bytes().unwrap(), [2, 3, 4, 5, 6]);
    assert!(Checkpoint::open(snapshot.join("model.safetensors.index.json")).is_ok());

    // Without the index, a link that leads nowhere is an error, not a smaller checkpoint.
    fs::remove_file(snapshot.join("model.safetensors.index.json")).unwrap();
    assert_eq!(Checkpoint::open(&snapshot).unwrap().len(), 3);
    let target = fs::read_link(snapshot.join("model-00001-of-00002.safetensors")).unwrap();
    fs::remove_file(snapshot.join(target)).unwrap();
    assert!(matches!(Checkpoint::open(&snapshot), Err(Error::Io { action: "open", .. })));
}

#[cfg(unix)]
#[test]
fn files_that_are_no_files_are_refused_without_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert!(matches!(Checkpoint::open(&path), Err(Error::NotAFile { .. })));
    assert!(matches!(Checkpoint::open(dir.path()), Err(Error::NotAFile { .. })));
}

// Other systems than Linux refuse such names in the first place.
#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join(OsStr::from_bytes(b"caf\xe9.safetensors")), "x");
    fs::write(dir.path().join(OsStr::from_bytes(b"\xff\xfe")), "noise").unwrap();
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    assert_eq!(checkpoint.tensor("x").unwrap().bytes().unwrap(), [0, 1, 2]);
    assert!(format!("{:?}", checkpoint.tensor("x").unwrap()).contains("caf"));
}

#[cfg(unix)]
#[test]
fn a_read_only_directory_opens() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    two_shards(dir.path());
    let mode = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let opened = Checkpoint::open(dir.path());
    mode(0o755);
    assert_eq!(opened.unwrap().tensor("c").unwrap().bytes().unwrap().len(), 8);
}

#[test]
fn files_of_no_tensors() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("model.safetensors"), upstream(&[], &[])).unwrap();
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    assert!(checkpoint.is_empty() && checkpoint.names().next().is_none());
    assert_eq!((checkpoint.total_bytes(), checkpoint.shards().len()), (0, 1));
    let shard = &checkpoint.shards()[0];
    assert_eq!((shard.file_len(), shard.header_len(), shard.data_offset()), (16, 8, 16));
    assert_eq!(shard.tensors().len(), 0);
}

#[test]
fn unknown_names_come_with_suggestions() {
    let file = upstream(&[tensor("model.norm.weight", DType::F32, &[1], 0)], &[]);
    let checkpoint = Checkpoint::from_bytes("f", file).unwrap();
    let error = checkpoint.tensor("norm.weight").unwrap_err();
    assert!(error.to_string().ends_with("did you mean `model.norm.weight`?"), "{error}");
    assert!(checkpoint.get("norm.weight").is_none());
    let error = checkpoint.tensor("lm_head").unwrap_err();
    assert_eq!(error.to_string(), "no tensor `lm_head` in f");
}

#[test]
fn a_file_that_changed_since_is_not_mapped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    write(&path, "x");
    let checkpoint = Checkpoint::open(&path).unwrap();
    let unmapped = OpenOptions::new().mmap(false).open(&path).unwrap();
    let len = fs::metadata(&path).unwrap().len();
    fs::File::options().write(true).open(&path).unwrap().set_len(len - 1).unwrap();
    let error = checkpoint.tensor("x").unwrap().bytes().unwrap_err();
    assert!(
        matches!(error, Error::FileChanged { expected, actual, .. } if (expected, actual) == (len, len - 1))
    );
    let error = unmapped.tensor("x").unwrap().to_bytes().unwrap_err();
    assert!(matches!(error, Error::FileChanged { .. }), "{error:?}");
}

#[test]
fn checkpoints_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Checkpoint>();
    crosses::<safeshards::TensorRef<'_>>();
    crosses::<safeshards::Bytes>();
    crosses::<safeshards::ShardWriter>();
    crosses::<Error>();
}
