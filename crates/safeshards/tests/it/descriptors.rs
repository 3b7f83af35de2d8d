//! Checkpoints of more shards than a process may have open files.

use std::process::Command;
use std::{env, fs};

use safeshards::{DType, Error, OpenOptions};

use crate::files::{tensor, upstream};

const LIMITED: &str = "FEW_DESCRIPTORS";

#[test]
fn more_shards_than_descriptors() {
    const NAME: &str = "descriptors::more_shards_than_descriptors";
    if env::var_os(LIMITED).is_none() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -n 64 && exec \"$@\"", "sh"]).arg(env::current_exe().unwrap());
        let status = shell.args(["--exact", NAME]).env(LIMITED, "1").status().unwrap();
        assert!(status.success(), "with few descriptors: {status}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for shard in 0..100 {
        let file = upstream(&[tensor(&format!("w{shard:02}"), DType::U8, &[4], shard)], &[]);
        fs::write(dir.path().join(format!("{shard:02}.safetensors")), file).unwrap();
    }
    let checkpoint = OpenOptions::new().mmap(false).open(dir.path()).unwrap();
    for (tensor, first) in checkpoint.tensors().zip(0..) {
        let mut byte = [0];
        tensor.read_at(0, &mut byte).unwrap();
        assert_eq!(byte, [first]);
    }
}

#[test]
fn another_file_under_the_name_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.safetensors");
    let file = upstream(&[tensor("a", DType::U8, &[4], 0)], &[]);
    fs::write(&path, &file).unwrap();
    let checkpoint = OpenOptions::new().mmap(false).open(&path).unwrap();
    let a = checkpoint.tensor("a").unwrap();
    let mut bytes = [0; 4];
    a.read_at(0, &mut bytes).unwrap();
    assert_eq!(bytes, [0, 1, 2, 3]);

    let aside = dir.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    assert!(matches!(a.read_at(0, &mut bytes), Err(Error::Io { action: "open", .. })));
    assert!(a.shard().file().is_none());
    fs::write(&path, &file).unwrap();
    assert!(matches!(a.read_at(0, &mut bytes), Err(Error::FileReplaced { .. })));
    fs::write(&path, &file[1..]).unwrap();
    assert!(matches!(a.read_at(0, &mut bytes), Err(Error::FileChanged { .. })));

    // A file that somebody asked for stays open.
    fs::rename(&aside, &path).unwrap();
    assert!(a.shard().file().is_some());
    fs::rename(&path, &aside).unwrap();
    a.read_at(0, &mut bytes).unwrap();
}
