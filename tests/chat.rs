//! `chat` as a script uses it: lines in, answers out.

#![cfg(target_os = "linux")]

mod examples;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use examples::example;
use serde_json::Value;
use testkit::Tiny;

const TOKENIZER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/crates/moe-engine/tests/tokenizer/tiny.json");

fn model() -> Tiny {
    let model = Tiny::builder().build();
    fs::copy(TOKENIZER, model.path().join("tokenizer.json")).unwrap();
    model
}

fn command(model: &Path, args: &[&str]) -> Command {
    let mut command = example("chat");
    command.arg("--model").arg(model).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn chat(model: &Path, args: &[&str], lines: &str) -> Output {
    let mut child = command(model, args).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn turns(output: &Output) -> Vec<Value> {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""));
    let lines = output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

const GREEDY: [&str; 5] = ["--json", "--temperature", "0", "--max-new", "30"];

#[test]
fn turn_after_turn() {
    let model = model();
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.json");
    let lines = format!("the sea\n\n/save {}\nand the wind\n", saved.display());
    let turns_of = |lines: &str| turns(&chat(model.path(), &GREEDY, lines));
    let said = turns_of(&lines);
    assert_eq!(said.len(), 2, "empty lines say nothing");
    assert_eq!(said[0]["user"], "the sea");
    assert_eq!(said[0]["metrics"]["reused_tokens"], 0);
    let reused = said[1]["metrics"]["reused_tokens"].as_u64().unwrap();
    assert!(reused > 100, "the first prompt is not read again: {reused}");
    // From a file, everything is read again, and the answer is the same.
    let loaded = turns_of(&format!("/load {}\nand the wind\n", saved.display()));
    assert_eq!(loaded[0]["metrics"]["reused_tokens"], 0);
    for field in ["user", "messages", "finish"] {
        assert_eq!(loaded[0][field], said[1][field]);
    }
    let reset = turns_of("the sea\nand the wind\n/reset\nthe sea\n");
    assert_eq!(reset[2]["messages"], said[0]["messages"]);
}

#[test]
fn settings_reach_the_prompt() {
    let model = model();
    let tokens = |lines: &str| {
        let turns = turns(&chat(model.path(), &GREEDY, lines));
        turns[0]["metrics"]["prompt_tokens"].as_u64().unwrap()
    };
    let plain = tokens("hello\n");
    assert!(tokens("/instructions be brief\nhello\n") > plain + 5);
    assert_ne!(tokens("/effort high\nhello\n"), plain, "another word of the system message");
}

#[test]
fn plain_text_into_a_pipe() {
    let model = model();
    let output = chat(model.path(), &["--max-new", "30", "--seed", "4"], "hello\nonce more\n");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.is_empty() && text.ends_with('\n'));
    assert!(!text.contains("\u{1b}[") && !text.contains("<|"), "no colours, no markers: {text}");
}

#[test]
fn what_cannot_be() {
    let model = model();
    let folder = tempfile::tempdir().unwrap();
    let no_conversation = folder.path().join("x.json");
    fs::write(&no_conversation, "[]").unwrap();
    let load = format!("/load {}\n", no_conversation.display());
    for (lines, reason) in [
        ("/nonsense\n", "/nonsense is unknown"),
        ("/effort huge\n", "expected low, medium or high"),
        ("/save\n", "which file?"),
        ("/load /nowhere/at/all\n", "cannot read /nowhere/at/all"),
        (load.as_str(), "is no saved conversation"),
    ] {
        let output = chat(model.path(), &[], lines);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(reason), "{errors}");
    }
    let bare = Tiny::builder().build();
    let output = chat(bare.path(), &[], "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no tokenizer.json"));
    assert_eq!(output.status.code(), Some(1));
}

/// Ctrl-C ends an answer and not the program.
#[test]
fn an_interrupt_ends_the_answer() {
    let model = model();
    // It never ends by itself.
    let endless = ["--json", "--max-new", "100000"];
    let forbidden = ["--logit-bias", "1=-inf", "--logit-bias", "2=-inf", "--logit-bias", "8=-inf"];
    let mut child = command(model.path(), &[&endless[..], &forbidden].concat()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    until_it_listens(&child);
    for _ in 0..2 {
        stdin.write_all(b"hello\n").unwrap();
        let answered = AtomicBool::new(false);
        let line = thread::scope(|scope| {
            // Again and again: the first ones may come before the answer has begun.
            scope.spawn(|| {
                while !answered.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(50));
                    interrupt(&child);
                }
            });
            let line = stdout.next().unwrap().unwrap();
            answered.store(true, Ordering::Relaxed);
            line
        });
        let turn: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(turn["finish"], "cancelled");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// Before a program has said that it wants to hear of interrupts, they end it.
fn until_it_listens(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    let listens = || {
        let text = fs::read_to_string(&status).unwrap();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        // SIGINT is the second signal.
        u64::from_str_radix(caught.trim(), 16).unwrap() & 2 != 0
    };
    while !listens() {
        thread::sleep(Duration::from_millis(5));
    }
}

fn interrupt(child: &Child) {
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
}
