//! `download` as a user runs it, from servers on this machine.

mod examples;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use examples::example;
use serde_json::Value;
use tempfile::TempDir;
use testkit::hub::{COMMIT, Hub, Running};

const REPO: &str = "openai/gpt-oss-20b";
const WEIGHTS: &str = "model.safetensors";

/// Some megabytes that differ everywhere.
fn weights() -> Vec<u8> {
    (0..3_000_000_u32).flat_map(|index| index.wrapping_mul(0x9E37_79B1).to_le_bytes()).collect()
}

fn repository() -> Hub {
    Hub::new(REPO)
        .small("config.json", "{}")
        .small("README.md", "# mine")
        .large(WEIGHTS, weights())
        .large("original/model.safetensors", "other")
        .large("metal/model.bin", "other")
}

struct Case {
    folder: TempDir,
    endpoint: String,
}

impl Case {
    fn of(server: &Running) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), endpoint: server.url() }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = example("download");
        // Nothing of the environment of whoever runs the tests, and no token from a home.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().to_ascii_uppercase();
            if name.starts_with("HF_") || name.ends_with("_PROXY") || name.starts_with("HUGGING") {
                command.env_remove(&name).env_remove(name.to_ascii_lowercase());
            }
        }
        command.env("HOME", self.folder.path()).env_remove("XDG_CACHE_HOME");
        command.env("HF_ENDPOINT", &self.endpoint).stdin(Stdio::null());
        command.args(args).arg("--local-dir").arg(self.out());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    #[track_caller]
    fn works(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[track_caller]
    fn fails(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{errors}");
        assert!(!errors.contains("panicked"), "{errors}");
        errors
    }

    #[track_caller]
    fn assert_whole(&self) {
        assert_eq!(names(&self.out()), [".hub-fetch", "config.json", WEIGHTS]);
        testkit::assert_bytes("weights", &fs::read(self.out().join(WEIGHTS)).unwrap(), &weights());
    }
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn without_arguments_the_files_of_an_engine() {
    let server = repository().start(|_, _| {});
    let case = Case::of(&server);
    let plan = case.run(&["--dry-run"]);
    let text = String::from_utf8(plan.stdout).unwrap();
    assert!(text.contains("openai/gpt-oss-20b at main (0123456789ab)"), "{text}");
    let left_out = "left out: README.md, metal/ (1 file, 5 B), original/ (1 file, 5 B) (--include";
    assert!(text.contains(left_out), "{text}");
    assert!(text.contains("to come: 12000002 bytes"), "{text}");
    assert!(!case.out().exists());

    let output = case.run(&["--piece", "1MiB"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("model.safetensors  12.00 MB  downloaded  sha256:"), "{text}");
    case.assert_whole();
    assert_eq!(case.works(&[])["received"], 0);
    assert_eq!(case.works(&["--verify"])["received"], 0);
    assert_eq!(case.works(&["--check"])["findings"], serde_json::json!([]));
}

#[test]
fn what_is_asked_for() {
    let server = repository().start(|_, _| {});
    let case = Case::of(&server);
    let report = case.works(&["--include", "original/", "*.md", "--exclude", "*.json"]);
    assert_eq!(names(&case.out()), [".hub-fetch", "README.md", "original"]);
    assert_eq!(report["commit"], COMMIT);
    assert_eq!(report["left_out"].as_array().unwrap().len(), 3);
    let error = case.fails(&["--include", "*.gguf"], 1);
    assert!(error.contains("is selected by *.gguf; it has README.md"), "{error}");
    case.fails(&["--jobs", "0"], 2);
    let error = case.fails(&["--revision", "../x"], 2);
    assert!(error.contains("is not a revision"), "{error}");
    let wrong = example("download").arg("a/b/c").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn the_token_and_what_to_do_without() {
    let server = repository().start(|request, reply| {
        if request.header("authorization") != Some("Bearer hf_good") {
            reply.set(401, "");
            reply.header("X-Error-Message", "Access to model is restricted");
        }
    });
    let case = Case::of(&server);
    let error = case.fails(&[], 1);
    assert!(error.starts_with("error: http://127.0.0.1"), "{error}");
    assert!(
        error.contains("set HF_TOKEN") && error.contains("/openai/gpt-oss-20b if it"),
        "{error}"
    );
    let output = case.command(&[]).env("HF_TOKEN", "hf_bad").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("the token that was sent") && !error.contains("hf_bad"), "{error}");
    fs::create_dir_all(case.folder.path().join(".cache/huggingface")).unwrap();
    fs::write(case.folder.path().join(".cache/huggingface/token"), "hf_good\n").unwrap();
    case.works(&[]);
    case.assert_whole();
}

#[test]
fn offline() {
    let server = repository().start(|_, _| {});
    let case = Case::of(&server);
    let offline = |args: &[&str]| case.command(args).env("HF_HUB_OFFLINE", "1").output().unwrap();
    let output = offline(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no record of a download"));
    assert!(server.requests().is_empty());
    case.works(&[]);
    let before = server.requests().len();
    assert_eq!(offline(&[]).status.code(), Some(0));
    fs::write(case.out().join("config.json"), "[]").unwrap();
    let output = offline(&[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("config.json: git:") && text.contains("1 not right"), "{text}");
    assert_eq!(server.requests().len(), before);
}

/// A server that gives the beginning of each piece, and then nothing as long as `held` is true.
fn holding(held: &Arc<AtomicBool>) -> Running {
    let held = Arc::clone(held);
    repository().start(move |request, reply| {
        let first = request.range().is_some_and(|(first, _)| first == 0);
        if request.path.ends_with(WEIGHTS) && held.load(SeqCst) && !first {
            reply.stall = Some(100_000);
        }
    })
}

/// Waits for the note that the first piece, of a megabyte, is there.
fn until_noted(case: &Case) {
    let note = case.out().join("model.safetensors.partial.state");
    while fs::metadata(&note).map_or(0, |note| note.len()) == 0 {
        thread::sleep(Duration::from_millis(5));
    }
}

/// SIGKILL: nothing is caught, nothing is tidied up.
#[test]
fn killed_and_resumed() {
    let held = Arc::new(AtomicBool::new(true));
    let server = holding(&held);
    let case = Case::of(&server);
    let args = ["--piece", "1000000", "--jobs", "2", "--json"];
    let mut run = case.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until_noted(&case);
    run.kill().unwrap();
    assert!(!run.wait().unwrap().success());
    assert!(!case.out().join(WEIGHTS).exists());
    assert!(case.out().join("model.safetensors.partial").exists());
    held.store(false, SeqCst);
    let report = case.works(&["--piece", "1000000", "--jobs", "2"]);
    let resumed = report["resumed"].as_u64().unwrap();
    assert!(resumed >= 1_000_000, "{resumed}");
    assert!(report["received"].as_u64().unwrap() <= 12_000_002 - resumed);
    case.assert_whole();
}

#[cfg(unix)]
#[test]
fn interrupted_and_resumed() {
    let held = Arc::new(AtomicBool::new(true));
    let server = holding(&held);
    let case = Case::of(&server);
    let args = ["--piece", "1000000", "--jobs", "2"];
    // The server says nothing for longer than any test runs: it is the interrupt that ends it.
    let mut command = case.command(&args);
    command.env("HF_HUB_DOWNLOAD_TIMEOUT", "3600").stdout(Stdio::null()).stderr(Stdio::piped());
    let run = command.spawn().unwrap();
    until_noted(&case);
    let killed = Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = run.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(errors.contains("goes on from here"), "{errors}");
    held.store(false, SeqCst);
    assert!(case.works(&args)["resumed"].as_u64().unwrap() >= 1_000_000);
    case.assert_whole();
}

#[test]
fn killed_again_and_again() {
    let server = repository().start(|request, reply| {
        if request.path.ends_with(WEIGHTS) {
            reply.slow = Some((50_000, Duration::from_millis(1)));
        }
    });
    let case = Case::of(&server);
    let args = ["--piece", "700000", "--jobs", "3", "--json"];
    for millis in (0..).map(|run| 13 * run) {
        let mut run =
            case.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(millis));
        let _ = run.kill();
        if run.wait().unwrap().success() {
            break;
        }
        // What has its name is whole.
        if let Ok(bytes) = fs::read(case.out().join(WEIGHTS)) {
            testkit::assert_bytes("weights", &bytes, &weights());
        }
    }
    case.assert_whole();
}
