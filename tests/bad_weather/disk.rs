//! Disks that are full, or not for writing.
//!
//! Small file systems need the right to mount; without it these tests say so and pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use ckpt_convert::{
    CkptSink, Error, Event, ExecOptions, Executor, Observer, Plan, PlanOptions, Policy, Source,
    side_files,
};
use tempfile::TempDir;
use testkit::Tiny;

use crate::run::{
    Tree, assert_done, assert_nothing_final, assert_trees, command, converts, finals, message,
    refused, report, tree,
};

/// A file system in memory.
struct Disk(TempDir);

impl Disk {
    /// `None`, with a word why, where mounting is not allowed.
    fn new(kib: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={kib}k");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self(folder)),
            Ok(output) => {
                eprintln!("skipped: no mount: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                eprintln!("skipped: no mount: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, option: &str) {
        let options = format!("remount,{option}");
        let status = Command::new("mount").args(["-o", &options]).arg(self.path()).status();
        assert!(status.unwrap().success(), "{options}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

/// A model and what it becomes: some 780 kB in one `.ckpt`.
struct Case {
    tiny: Tiny,
    expected: Tree,
}

impl Case {
    fn new(tokenizer: usize) -> Self {
        let tiny = Tiny::builder().build();
        fs::write(tiny.path().join("tokenizer.json"), vec![b' '; tokenizer]).unwrap();
        let out = tempfile::tempdir().unwrap();
        converts(&[&tiny.path(), &out.path(), &"--name", &"m"]);
        Self { expected: tree(out.path()), tiny }
    }

    /// `convert` of this model into `out`, reporting as data.
    fn convert(&self, out: &Path, more: &[&str]) -> Command {
        let mut command = command(&[&self.tiny.path(), &out, &"--name", &"m", &"--json"]);
        command.args(more);
        command
    }

    #[track_caller]
    fn fails(&self, out: &Path, more: &[&str]) -> String {
        message(&self.convert(out, more).output().unwrap(), 1)
    }

    #[track_caller]
    fn works(&self, out: &Path, more: &[&str]) -> serde_json::Value {
        report(&self.convert(out, more).output().unwrap())
    }
}

#[test]
fn too_small_from_the_start() {
    let Some(disk) = Disk::new(700) else { return };
    let (case, out) = (Case::new(10), disk.path().join("out"));
    let text = case.fails(&out, &[]);
    assert!(text.contains("needs 777502 bytes, but the file system has"), "{text}");
    assert!(text.contains("free; nothing was written"), "{text}");
    assert_eq!(tree(&out).len(), 0, "no journal either");
    disk.remount("size=2m");
    case.works(&out, &[]);
    assert_done(&out, &case.expected, "on the larger disk");
}

/// The weights fit, what goes beside them does not.
#[test]
fn full_at_the_small_files() {
    let Some(disk) = Disk::new(1000) else { return };
    let (case, out) = (Case::new(400_000), disk.path().join("out"));
    let text = case.fails(&out, &[]);
    assert!(text.contains("tokenizer.json.partial: No space left on device"), "{text}");
    assert_nothing_final(&out);
    let text = case.fails(&out, &["--resume"]);
    assert!(text.contains("No space left on device"), "still full: {text}");
    assert_nothing_final(&out);
    disk.remount("size=2m");
    let report = case.works(&out, &["--resume"]);
    assert_eq!(report["resumed_bytes"], report["bytes"], "nothing was written twice");
    assert_done(&out, &case.expected, "resumed");
}

#[test]
fn full_while_overwriting() {
    // The old result is of bf16, half the size, without the tokenizer.
    let Some(disk) = Disk::new(1700) else { return };
    let (case, out) = (Case::new(700_000), disk.path().join("out"));
    let plain = Tiny::builder().build();
    converts(&[&plain.path(), &out, &"--name", &"m", &"--dtype", &"bf16"]);
    let old = tree(&out);
    let text = case.fails(&out, &["--force"]);
    assert!(text.contains("No space left on device"), "{text}");
    assert_trees(&finals(&out), &old, "the old result is whole");
    disk.remount("size=4m");
    case.works(&out, &["--resume"]);
    assert_done(&out, &case.expected, "resumed");
    disk.remount("size=2m");
    let text = case.fails(&out, &["--force"]);
    assert!(text.contains("nothing was written"), "{text}");
    assert_done(&out, &case.expected, "not even begun");
}

/// Takes the space that was free when the conversion began.
#[derive(Debug)]
struct Glutton {
    file: PathBuf,
    done: AtomicBool,
}

impl Observer for Glutton {
    fn on(&self, event: &Event<'_>) {
        if matches!(event, Event::Tensor { .. }) && !self.done.swap(true, SeqCst) {
            let _ = fs::write(&self.file, vec![1; 8 << 20]);
        }
    }
}

#[test]
fn filled_by_someone_else_meanwhile() {
    let Some(disk) = Disk::new(1500) else { return };
    let (case, out) = (Case::new(10), disk.path().join("out"));
    let source = Source::open(case.tiny.path()).unwrap();
    let policy = Policy { floats: "f32".parse().unwrap(), ..Policy::default() };
    let options = PlanOptions {
        stem: Some("m".to_owned()),
        max_file_size: Some(200_000),
        ..PlanOptions::default()
    };
    let plan = Plan::new(&source, &policy, &CkptSink::default(), &options).unwrap();
    let run = |options: ExecOptions, observer: &dyn Observer| {
        let side = |manifest: &_| side_files(&source, &policy, manifest);
        Executor::new(options).run(&plan, &source, &out, side, observer)
    };
    let file = disk.path().join("other");
    let glutton = Glutton { file: file.clone(), done: AtomicBool::new(false) };
    let error = run(ExecOptions::default(), &glutton).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert!(error.to_string().contains("No space left on device"), "{error}");
    assert_nothing_final(&out);
    fs::remove_file(file).unwrap();
    let resume = ExecOptions { resume: true, ..ExecOptions::default() };
    let report = run(resume, &()).unwrap();
    assert!(report.resumed_bytes > 0, "the first part was done");
    let text = case.fails(&out, &["--max-file-size", "200000"]);
    assert!(text.contains("exists already"), "{text}");
    let other = disk.path().join("other");
    disk.remount("size=4m");
    case.works(&other, &["--max-file-size", "200000"]);
    assert_done(&out, &tree(&other), "as if nothing had been");
}

/// Stopped between two names, on a disk that has no room for a second copy.
#[test]
fn resuming_needs_no_second_copy() {
    let Some(disk) = Disk::new(1200) else { return };
    let (case, out) = (Case::new(10), disk.path().join("out"));
    fs::create_dir_all(out.join("parameter_names.txt").join("in the way")).unwrap();
    let text = case.fails(&out, &["--force"]);
    assert!(text.contains("parameter_names.txt"), "{text}");
    fs::remove_dir_all(out.join("parameter_names.txt")).unwrap();
    let report = case.works(&out, &["--resume"]);
    assert_eq!(report["resumed_bytes"], report["bytes"]);
    assert_done(&out, &case.expected, "resumed");
}

/// The limit of a file's size passes every look at the disk and strikes at the write: with a
/// signal that kills, or with an error where that is ignored.
#[test]
fn a_limit_on_the_size_of_files() {
    let case = Case::new(10);
    for (trap, blocks) in [("", 400), ("trap '' XFSZ;", 400), ("trap '' XFSZ;", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let convert = case.convert(&out, &[]);
        let mut limited = Command::new("sh");
        // Core files of the killed run are of no use; the unit is 512 bytes.
        let script = format!("ulimit -c 0; ulimit -f {blocks}; {trap} exec \"$0\" \"$@\"");
        limited.arg("-c").arg(script).arg(convert.get_program()).args(convert.get_args());
        let output = limited.output().unwrap();
        assert!(!output.status.success());
        if !trap.is_empty() {
            let text = message(&output, 1);
            assert!(text.contains("m.ckpt.partial: File too large"), "{text}");
        }
        assert_nothing_final(&out);
        case.works(&out, &["--resume"]);
        assert_done(&out, &case.expected, "resumed without the limit");
    }
}

#[test]
fn read_only() {
    let Some(disk) = Disk::new(4000) else { return };
    let (case, out) = (Case::new(10), disk.path().join("out"));
    case.works(&out, &[]);
    fs::create_dir(disk.path().join("empty")).unwrap();
    let _in = Tiny::builder().build_in(disk.path().join("in"));
    disk.remount("ro");
    let before = tree(disk.path());
    let read_only = "Read-only file system";
    for (folder, more, reason) in [
        ("out", "--force", read_only),
        // Nothing has to be written to find that there is nothing to resume.
        ("out", "--resume", "no interrupted conversion here"),
        ("empty", "--force", read_only),
        ("new", "--force", read_only),
    ] {
        let text = case.fails(&disk.path().join(folder), &[more]);
        assert!(text.contains(reason), "{folder}: {text}");
        assert!(text.contains(folder), "{text}");
        assert_trees(&tree(disk.path()), &before, folder);
    }
    // As an input it is as good as any, and an output inside it is told from one that is read-only.
    let folder = tempfile::tempdir().unwrap();
    converts(&[&disk.path().join("in"), &folder.path()]);
    let text = refused(&[&disk.path().join("in"), &disk.path().join("in/out")]);
    assert!(text.contains("is inside the input"), "{text}");
    disk.remount("rw");
}

/// Turned read-only after the run was interrupted.
#[test]
fn read_only_when_resumed() {
    let Some(disk) = Disk::new(4000) else { return };
    let (case, out) = (Case::new(10), disk.path().join("out"));
    fs::create_dir_all(out.join("manifest.json").join("in the way")).unwrap();
    case.fails(&out, &["--force"]);
    fs::remove_dir_all(out.join("manifest.json")).unwrap();
    let before = tree(&out);
    disk.remount("ro");
    let text = case.fails(&out, &["--resume"]);
    assert!(text.contains("Read-only file system"), "{text}");
    assert_trees(&tree(&out), &before, "refused");
    disk.remount("rw");
    case.works(&out, &["--resume"]);
    assert_done(&out, &case.expected, "resumed");
}

/// Modes bind everyone but root.
#[test]
fn a_folder_without_leave_to_write() {
    use std::os::unix::fs::PermissionsExt;
    let (case, out) = (Case::new(10), tempfile::tempdir().unwrap());
    fs::set_permissions(out.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(out.path().join("probe"), "").is_ok() {
        eprintln!("skipped: modes do not bind this user");
        return;
    }
    for folder in [out.path().to_owned(), out.path().join("new")] {
        let text = case.fails(&folder, &["--force"]);
        assert!(text.contains("Permission denied"), "{text}");
    }
    assert_eq!(tree(out.path()).len(), 0);
}
