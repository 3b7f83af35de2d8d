//! Running `convert`, and looking at what it left.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ckpt_convert::JOURNAL;
use serde_json::Value;

use crate::examples::example;

pub(crate) fn convert(args: &[&dyn AsRef<OsStr>]) -> Output {
    command(args).output().unwrap()
}

pub(crate) fn command(args: &[&dyn AsRef<OsStr>]) -> Command {
    let mut command = example("convert");
    command.args(args);
    command
}

/// Converts, which must work; returns the report.
#[track_caller]
pub(crate) fn converts(args: &[&dyn AsRef<OsStr>]) -> Value {
    report(&command(args).arg("--json").output().unwrap())
}

#[track_caller]
pub(crate) fn report(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert_eq!(errors, "");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Converts, which must fail with exit code 1 and one message; returns it.
#[track_caller]
pub(crate) fn refused(args: &[&dyn AsRef<OsStr>]) -> String {
    message(&convert(args), 1)
}

#[track_caller]
pub(crate) fn message(output: &Output, code: i32) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.starts_with("error: "), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    errors
}

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Folder,
    Link(PathBuf),
    File(Vec<u8>),
}

/// Everything below a folder, links not followed.
pub(crate) type Tree = BTreeMap<PathBuf, Entry>;

pub(crate) fn tree(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            let entry = if kind.is_symlink() {
                Entry::Link(fs::read_link(&path).unwrap())
            } else if kind.is_dir() {
                folders.push(path.clone());
                Entry::Folder
            } else {
                Entry::File(fs::read(&path).unwrap())
            };
            tree.insert(path.strip_prefix(folder).unwrap().to_owned(), entry);
        }
    }
    tree
}

/// What is there, temporary files and the journal apart.
pub(crate) fn finals(folder: &Path) -> Tree {
    let mut tree = if folder.exists() { tree(folder) } else { Tree::new() };
    tree.retain(|path, _| {
        path != Path::new(JOURNAL) && path.extension() != Some("partial".as_ref())
    });
    tree
}

/// Compares without printing megabytes.
#[track_caller]
pub(crate) fn assert_trees(actual: &Tree, expected: &Tree, what: &str) {
    assert_eq!(
        actual.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>(),
        "{what}: the entries"
    );
    assert_within(actual, expected, what);
}

/// Every entry is as in `expected`; some may be missing.
#[track_caller]
pub(crate) fn assert_within(actual: &Tree, expected: &Tree, what: &str) {
    for (path, entry) in actual {
        let place = format!("{what}: {}", path.display());
        match (entry, expected.get(path)) {
            (Entry::File(actual), Some(Entry::File(expected))) => {
                testkit::assert_bytes(&place, actual, expected);
            }
            (entry, expected) => assert_eq!(Some(entry), expected, "{place}"),
        }
    }
}

/// Only the finished result is there.
#[track_caller]
pub(crate) fn assert_done(out: &Path, expected: &Tree, what: &str) {
    assert_trees(&tree(out), expected, what);
}

#[track_caller]
pub(crate) fn assert_nothing_final(out: &Path) {
    assert_trees(&finals(out), &Tree::new(), "nothing has its final name");
}
