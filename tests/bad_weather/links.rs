//! Symbolic links in the input and in the output.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use testkit::Tiny;

use crate::run::{Entry, assert_done, assert_nothing_final, converts, refused, tree};

/// As the hub's cache has it: a snapshot of links into `blobs`, whose files are named by digest.
#[test]
fn the_cache_of_the_hub() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("models--openai--gpt-oss-20b");
    let (blobs, snapshot) = (model.join("blobs"), model.join("snapshots").join("6cee5e81ee83"));
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    for (index, entry) in fs::read_dir(tiny.path()).unwrap().enumerate() {
        let entry = entry.unwrap();
        let blob = format!("{index:040x}");
        fs::copy(entry.path(), blobs.join(&blob)).unwrap();
        symlink(Path::new("../../blobs").join(&blob), snapshot.join(entry.file_name())).unwrap();
    }
    let before = tree(&model);
    let (plain, cached) = (folder.path().join("plain"), folder.path().join("cached"));
    converts(&[&tiny.path(), &plain]);
    converts(&[&snapshot, &cached]);
    assert_done(&cached, &tree(&plain), "through links");
    let text = refused(&[&snapshot, &snapshot.join("out")]);
    assert!(text.contains("is inside the input"), "{text}");
    assert_done(&model, &before, "the cache");

    // One shard by its link, into the snapshot itself: the link stays, too.
    let tiny = Tiny::builder().sharding(testkit::Sharding::Single).build();
    fs::copy(tiny.path().join("model.safetensors"), blobs.join("one")).unwrap();
    symlink("../../blobs/one", snapshot.join("model.safetensors")).unwrap();
    let before = tree(&model);
    let link = snapshot.join("model.safetensors");
    let text = refused(&[&link, &snapshot, &"--format", &"safetensors", &"--force"]);
    assert!(text.contains("is inside the input"), "{text}");
    assert_done(&model, &before, "the cache");
}

#[test]
fn a_link_to_nowhere_in_the_input() {
    let tiny = Tiny::builder().build();
    let shard = &tiny.files()[1];
    fs::remove_file(shard).unwrap();
    symlink("../../blobs/not-downloaded", shard).unwrap();
    let out = tempfile::tempdir().unwrap();
    let text = refused(&[&tiny.path(), &out.path()]);
    assert!(text.contains(shard.file_name().unwrap().to_str().unwrap()), "{text}");
    assert_nothing_final(out.path());
}

#[test]
fn the_output_folder_is_a_link() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("real")).unwrap();
    symlink("real", at("link")).unwrap();
    converts(&[&tiny.path(), &at("link")]);
    converts(&[&tiny.path(), &at("plain")]);
    assert_done(&at("real"), &tree(&at("plain")), "through the link");
    assert_eq!(fs::read_link(at("link")).unwrap(), Path::new("real"));
}

#[test]
fn the_output_folder_is_a_link_to_nowhere() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    symlink("nowhere", folder.path().join("link")).unwrap();
    symlink(tiny.path().join("new"), folder.path().join("inside")).unwrap();
    symlink("loop", folder.path().join("loop")).unwrap();
    let before = (tree(folder.path()), tree(tiny.path()));
    for out in ["link", "inside", "loop", "link/below"] {
        let text = refused(&[&tiny.path(), &folder.path().join(out), &"--force"]);
        assert!(text.contains("cannot create"), "{out}: {text}");
        assert_eq!((tree(folder.path()), tree(tiny.path())), before, "{out}");
    }
}

#[test]
fn the_output_folder_is_a_file() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    for out in [file.clone(), file.join("below")] {
        let text = refused(&[&tiny.path(), &out, &"--force"]);
        assert!(text.contains("cannot create"), "{text}");
        assert_eq!(fs::read(&file).unwrap(), b"precious");
    }
}

/// A file of the result is a link: it is replaced when allowed, what it leads to never changes.
#[test]
fn an_output_file_is_a_link() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    converts(&[&tiny.path(), &plain, &"--name", &"m"]);
    let expected = tree(&plain);
    for name in ["m.ckpt", "manifest.json", "model_config.json", "config.json"] {
        for target in ["precious", "nowhere"] {
            let out = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("precious"), "gold").unwrap();
            let target = folder.path().join(target);
            symlink(&target, out.path().join(name)).unwrap();
            let text = refused(&[&tiny.path(), &out.path(), &"--name", &"m"]);
            assert!(text.contains(&format!("{name} exists already")), "{text}");
            let link = &crate::run::finals(out.path())[Path::new(name)];
            assert_eq!(*link, Entry::Link(target.clone()), "refused");
            converts(&[&tiny.path(), &out.path(), &"--name", &"m", &"--force"]);
            assert_done(out.path(), &expected, name);
            assert_eq!(fs::read(folder.path().join("precious")).unwrap(), b"gold");
            assert!(!folder.path().join("nowhere").exists());
        }
    }
}
