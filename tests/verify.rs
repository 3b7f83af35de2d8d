//! The `verify` example, run as a user runs it, on right and on wrong checkpoints.

mod examples;
#[path = "verify/parts.rs"]
mod parts;
#[path = "verify/structure.rs"]
mod structure;
#[path = "verify/values.rs"]
mod values;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use ckpt_convert::{
    CkptSink, ExecOptions, Executor, Manifest, Plan, PlanOptions, Policy, Sink, Source, side_files,
};
use examples::example;
use serde_json::Value;

/// What the example printed, and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn verify<I: AsRef<OsStr>>(path: &Path, args: impl IntoIterator<Item = I>) -> Said {
    let output = example("verify").arg(path).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

const NO_ARGS: [&str; 0] = [];

impl Said {
    /// It ended with 0, the line at its end says so, and no error was shown.
    #[track_caller]
    fn right(self) -> String {
        let last = self.out.lines().last().unwrap_or_default();
        let verdict = last.starts_with("right: ") || last.starts_with("well-formed: ");
        assert!(self.code == Some(0) && verdict, "{:?}\n{}{}", self.code, self.out, self.err);
        assert!(!self.out.contains(" error"), "{}", self.out);
        self.out
    }

    /// It ended with 1 after exactly these errors, in any order; each is a piece of its line.
    #[track_caller]
    fn wrong(self, errors: &[&str]) -> String {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        let listed = self.out.lines().skip_while(|line| !line.ends_with(':')).skip(1);
        let listed: Vec<_> = listed.take_while(|line| line.starts_with("  ")).collect();
        for error in errors {
            let found = listed.iter().any(|line| line.contains(error));
            assert!(found, "no error says {error:?}:\n{}", self.out);
        }
        assert_eq!(listed.len(), errors.len(), "more than {errors:?}:\n{}", self.out);
        let last = self.out.lines().last().unwrap_or_default();
        assert!(last.starts_with("not right, "), "{}", self.out);
        self.out
    }
}

fn json<I: AsRef<OsStr>>(path: &Path, args: impl IntoIterator<Item = I>) -> Value {
    let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
    let said = verify(path, args.chain(["--json".into()]));
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.err))
}

/// Converts into a new folder, which the caller keeps.
fn convert(source: &Source, policy: &Policy, sink: &dyn Sink) -> tempfile::TempDir {
    convert_parts(source, policy, sink, None)
}

fn convert_parts(
    source: &Source,
    policy: &Policy,
    sink: &dyn Sink,
    max_file_size: Option<u64>,
) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let options = PlanOptions { max_file_size, stem: Some("m".to_owned()), files: None };
    let plan = Plan::new(source, policy, sink, &options).unwrap();
    let executor = Executor::new(ExecOptions { verify: false, ..ExecOptions::default() });
    let side = |manifest: &Manifest| side_files(source, policy, manifest);
    executor.run(&plan, source, folder.path(), side, &()).unwrap();
    folder
}

fn ckpt_of(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "ckpt")).collect();
    assert_eq!(files.len(), 1);
    files.remove(0)
}

/// Changes a file in place.
fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn plain_ckpt(source: &Source) -> tempfile::TempDir {
    convert(source, &Policy::default(), &CkptSink::default())
}

#[test]
fn what_cannot_be_checked_is_said_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = verify(&folder.path().join("nothing.ckpt"), NO_ARGS);
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(1), ""));
    assert!(nothing.err.contains("nothing.ckpt"), "{}", nothing.err);
    let empty = verify(folder.path(), NO_ARGS);
    assert_eq!(empty.code, Some(1));
    assert!(empty.err.contains("no checkpoint here"), "{}", empty.err);
    let tiny = testkit::Tiny::builder().build();
    let manifest = verify(tiny.path(), ["--manifest", "nowhere.json"]);
    assert_eq!(manifest.code, Some(1));
    assert!(manifest.err.contains("nowhere.json"), "{}", manifest.err);
}
