//! `bench` as a user runs it.

mod examples;

use std::fs;
use std::process::Output;

use examples::example;
use serde_json::Value;
use testkit::Tiny;

/// Runs that take no time.
const SHORT: [&str; 6] = ["--generate", "3", "--runs", "2", "--warmup", "0"];
const GRID: [&str; 4] = ["--batch", "1,2", "--seq", "4,8"];

fn bench(args: &[&str]) -> Output {
    example("bench").args(SHORT).args(args).output().unwrap()
}

#[track_caller]
fn printed(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn refused(args: &[&str], reason: &str) {
    let output = bench(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.lines().last().unwrap().starts_with("error: "), "{errors}");
    assert!(errors.contains(reason), "{errors}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_model_in_fewer_bits_says_so() {
    let model = Tiny::builder().build();
    let model = model.path().to_str().unwrap();
    let form = ["--precision", "bf16", "--dense", "int8", "--activations", "int8", "--profile"];
    let text = printed(&bench(&[&GRID[..], &["--model", model], &form].concat()));
    let words = ", dense weights in int8, activations of experts in int8";
    let device = text.lines().find(|line| line.starts_with("device ")).unwrap();
    assert!(device.ends_with(words), "{text}");
    assert!(text.contains("   experts  "), "{text}");
}

#[test]
fn every_case_in_every_form() {
    let model = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (json, csv) = (file("a.json"), file("a.csv"));
    let (markdown, html) = (file("a.md"), file("a.html"));
    let model = model.path().to_str().unwrap();
    let files = ["--json", &json, "--csv", &csv, "--markdown", &markdown, "--html", &html];
    let text = printed(&bench(&[&GRID[..], &["--model", model, "--profile"], &files].concat()));
    // Two precisions, two batches, two lengths, in two tables.
    let rows = text.lines().map(str::trim_start);
    let rows = rows.filter(|line| line.starts_with("f32  ") || line.starts_with("bf16  "));
    assert_eq!(rows.count(), 16);
    assert!(text.contains("   experts  "), "{text}");
    assert!(!text.contains('\x1b'), "no colours where no terminal is");

    let report: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 8);
    for cell in cells {
        assert_eq!(cell["runs"].as_array().unwrap().len(), 2);
        assert_eq!(cell["runs"][0]["steps"].as_array().unwrap().len(), 2);
        assert!(cell["decode"]["bytes"].as_u64().unwrap() > 0);
    }
    assert!(report["command"].as_str().unwrap().contains("--batch 1,2"));
    assert_eq!(report["profiles"].as_array().unwrap().len(), 2);
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 9);
    assert!(fs::read_to_string(&markdown).unwrap().contains("| Precision | Batch | Seq Len |"));
    assert!(fs::read_to_string(&html).unwrap().starts_with("<!doctype html>"));

    let again = printed(&bench(&[&GRID[..], &["--model", model, "--baseline", &json]].concat()));
    assert!(again.contains(" of 24 figures moved beyond the noise"), "{again}");
}

#[test]
fn without_a_model_one_is_made_and_said() {
    let report =
        printed(&bench(&["--batch", "1", "--seq", "4", "--precision", "f16", "--json", "-"]));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["model"]["synthetic"], true);
    assert_eq!(report["model"]["name"], "small synthetic model");
    assert_eq!(report["cells"][0]["precision"], "f16");
}

#[test]
fn what_cannot_be_is_refused_before_time_is_spent() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no/such.json");
    let nowhere = nowhere.to_str().unwrap();
    refused(&["--json", nowhere], "there is no such folder");
    refused(&["--baseline", nowhere], "cannot read");
    let other = folder.path().join("other.json");
    fs::write(&other, "[]").unwrap();
    refused(&["--baseline", other.to_str().unwrap()], "is no benchmark report");
    refused(&["--model", nowhere], "such.json");
    let model = Tiny::builder().build();
    let model = model.path().to_str().unwrap();
    refused(&["--model", model, "--batch", "1", "--seq", "99999999"], "the model has");
    refused(&["--model", model, "--repack-file", "weights.bin"], "--repack-file: in which form?");
    refused(&["--model", model, "--batch", "0", "--seq", "4"], "batch is 0");
}
