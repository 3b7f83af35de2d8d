//! Killed at random, resumed, killed again.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use ckpt_convert::JOURNAL;
use tempfile::TempDir;

use crate::examples::example;
use crate::run::{Tree, assert_done, assert_within, command, converts, finals, report, tree};

/// A model of many small tensors, some 10 MB.
fn synthesize(folder: &Path) {
    let layers = ["--preset", "tiny", "--layers", "100", "--json"];
    let output = example("synthesize").arg(folder).args(layers).output().unwrap();
    report(&output);
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Kills the run after `millis`, unless it ended; true if it was successful.
fn kill_after(mut run: Child, millis: u64) -> bool {
    std::thread::sleep(Duration::from_millis(millis));
    // SIGKILL: nothing is caught, nothing is tidied up.
    let _ = run.kill();
    let status = run.wait().unwrap();
    assert!(status.code().is_none_or(|code| code == 0), "killed or done, not failed: {status}");
    status.success()
}

/// A model to convert, as it must stay, and what it must become.
struct Case {
    folder: TempDir,
    input: Tree,
    expected: Tree,
}

const OPTIONS: [&str; 3] = ["--max-file-size", "1MB", "--json"];

/// Made once for the tests that run at the same time.
fn case() -> Arc<Case> {
    static CASE: Mutex<Weak<Case>> = Mutex::new(Weak::new());
    let mut shared = CASE.lock().unwrap();
    shared.upgrade().unwrap_or_else(|| {
        let folder = tempfile::tempdir().unwrap();
        let (input, out) = (folder.path().join("in"), folder.path().join("expected"));
        synthesize(&input);
        report(&command(&[&input, &out]).args(OPTIONS).output().unwrap());
        let case = Arc::new(Case { input: tree(&input), expected: tree(&out), folder });
        *shared = Arc::downgrade(&case);
        case
    })
}

impl Case {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn convert(&self, out: &Path) -> Command {
        let mut command = command(&[&self.at("in"), &out]);
        command.args(OPTIONS).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs with `first`, then resumes until it is done; `old` is what was there before. Returns
    /// how often it was killed.
    fn until_done(&self, out: &Path, first: &[&str], old: &Tree, mut dice: Dice) -> usize {
        let mut patience = 3;
        for kills in 0.. {
            assert!(kills < 200, "it never ends");
            // As soon as there is a line in its journal, a killed run can be resumed.
            let journal = fs::metadata(out.join(JOURNAL)).is_ok_and(|journal| journal.len() > 0);
            let with = if journal { &["--resume"][..] } else { first };
            // A run may also be killed after its last act, the removal of the journal.
            let ended = !journal && old.is_empty() && !finals(out).is_empty();
            if ended
                || kill_after(self.convert(out).args(with).spawn().unwrap(), dice.below(patience))
            {
                assert_done(out, &self.expected, "done at last");
                assert_done(&self.at("in"), &self.input, "the source");
                return kills;
            }
            patience += 5 + patience / 5;
            // What has a final name is of the new result, or of the old one, whole.
            let mut now = finals(out);
            now.retain(|path, entry| old.get(path) != Some(entry));
            assert_within(&now, &self.expected, "after a kill");
        }
        unreachable!()
    }
}

#[test]
fn until_it_is_done() {
    let case = case();
    for seed in [0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB] {
        let out = case.at(&format!("out{seed}"));
        let kills = case.until_done(&out, &[], &Tree::new(), Dice(seed));
        assert!(kills > 0, "the first comes before a process has begun");
    }
}

#[test]
fn while_it_overwrites() {
    let case = case();
    let out = case.at("over");
    converts(&[&case.at("in"), &out, &"--dtype", &"bf16"]);
    let old = tree(&out);
    case.until_done(&out, &["--force"], &old, Dice(0xD1B5_4A32_D192_ED03));
}

/// Killed in the middle: the parts that were done are not written again.
#[test]
fn what_is_done_stays() {
    let case = case();
    let out = case.at("stays");
    // A run that is over before it can be caught proves nothing.
    let caught = (0..20).any(|_| {
        let _ = fs::remove_dir_all(&out);
        let mut run = case.convert(&out).spawn().unwrap();
        // The fourth part is begun only after three are in the journal.
        while partials(&out).len() < 4 && run.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let _ = run.kill();
        run.wait().unwrap();
        finals(&out).is_empty()
    });
    assert!(caught, "twenty runs were over too soon");
    let done: Vec<_> = partials(&out)[..3].iter().map(|path| (path.clone(), look(path))).collect();
    let resume = case.convert(&out).arg("--resume").stdout(Stdio::piped()).output().unwrap();
    let resumed = report(&resume)["resumed_bytes"].as_u64().unwrap();
    assert!(resumed >= done.iter().map(|(_, look)| look.3).sum(), "{resumed}");
    for (partial, before) in done {
        assert_eq!(look(&partial.with_extension("")), before, "{}", partial.display());
    }
    assert_done(&out, &case.expected, "resumed");
}

fn partials(out: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(out).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension() == Some("partial".as_ref()));
    paths.sort();
    paths
}

/// What a file keeps as long as it is only renamed.
fn look(path: &Path) -> (u64, i64, i64, u64) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len())
}
