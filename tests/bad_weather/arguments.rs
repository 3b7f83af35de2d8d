//! Arguments that cannot be meant, and ones that merely look so.

use std::fs;

use testkit::Tiny;

use crate::examples::example;
use crate::run::{assert_done, convert, converts, message, refused, tree};

#[test]
fn are_refused_before_anything_is_made() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let (out, before) = (folder.path().join("out"), tree(tiny.path()));
    let bad_rules = folder.path().join("rules.toml");
    fs::write(&bad_rules, "[[dtype]\n").unwrap();
    let (bad_rules, no_rules) = (bad_rules.to_str().unwrap(), "/nowhere/rules.toml");
    let cases: [(&[&str], i32, &str); 23] = [
        (&["--dtype", "f31"], 2, "invalid value 'f31' for '--dtype"),
        (&["--experts", "some"], 2, "[possible values: keep, dequantize, quantize]"),
        (&["--format", "gguf"], 2, "possible values: ckpt, safetensors, mindspore-safetensors"),
        (&["--memory", "lots"], 2, "'lots' for '--memory"),
        (&["--memory", "1XB"], 2, "unknown unit \"XB\""),
        (&["--memory", "-1"], 2, "unexpected argument '-1'"),
        (&["--max-file-size", ""], 2, "--max-file-size"),
        (&["--max-file-size", "99999999999T"], 2, "is not a size such as"),
        (&["--threads", "0"], 2, "'0' for '--threads"),
        (&["--resume", "--force"], 2, "cannot be used with '--force'"),
        (&["--nonsense"], 2, "unexpected argument '--nonsense'"),
        (&["--dtype-rule", "(=bf16"], 1, "rule \"(=bf16\": "),
        (&["--dtype-rule", "bias=f31"], 1, "rule \"bias=f31\": "),
        (&["--dtype-rule", "no equals sign"], 1, "rule \"no equals sign\": "),
        (&["--rename", "[=x"], 1, "rule \"[=x\": "),
        (&["--rules", no_rules], 1, "cannot read /nowhere/rules.toml: No such file"),
        (&["--rules", bad_rules], 1, bad_rules),
        (&["--format", "safetensors", "--crc"], 1, "--crc is of .ckpt files"),
        (&["--format", "safetensors", "--name", "m"], 1, "--name has no effect"),
        (&["--dry-run", "--report", "r"], 2, "cannot be used with '--report"),
        (&["--rename", r"(\d)\.=x_$1_"], 1, "write ${1}_"),
        (&["--drop", "."], 1, "the rules leave out all 79 tensors"),
        (&["--name", "../elsewhere"], 1, "\"../elsewhere.ckpt\" cannot be a file's name"),
    ];
    for (args, code, expected) in cases {
        let output = {
            let mut command = crate::run::command(&[&tiny.path(), &out]);
            command.args(args).output().unwrap()
        };
        let text = message(&output, code);
        assert!(text.contains(expected), "{args:?}: {text}");
        assert!(!out.exists(), "{args:?}: nothing was made");
    }
    assert_done(tiny.path(), &before, "the source");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing beside the folder");
}

#[test]
fn tensors_that_would_share_a_name_are_all_told() {
    let tiny = Tiny::builder().build();
    let out = tempfile::tempdir().unwrap();
    let text = refused(&[&tiny.path(), &out.path(), &"--rename", &"layers\\.[0-9]+=layers.0"]);
    assert!(text.contains("would both be named \"model.layers.0."), "{text}");
    assert!(text.matches("\n  - ").count() > 10, "every one: {text}");
    assert_eq!(tree(out.path()).len(), 0);
}

#[test]
fn any_memory_and_any_size_of_parts_will_do() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    converts(&[&tiny.path(), &plain]);
    let expected = tree(&plain);
    for (index, memory) in ["0", "1", "64KiB", "1.5M", "1TiB"].into_iter().enumerate() {
        let out = folder.path().join(index.to_string());
        converts(&[&tiny.path(), &out, &"--memory", &memory, &"--threads", &"3"]);
        assert_done(&out, &expected, memory);
    }
    let out = folder.path().join("parts");
    let report = converts(&[&tiny.path(), &out, &"--max-file-size", &"0"]);
    assert_eq!(report["files"].as_array().unwrap().len(), 79, "one a tensor");
    let back = folder.path().join("back");
    converts(&[&out, &back, &"--format", &"safetensors", &"--dtype", &"keep"]);
}

#[test]
fn a_dry_run_writes_nothing() {
    let tiny = Tiny::builder().build();
    let out = tempfile::tempdir().unwrap();
    let before = tree(tiny.path());
    for more in ["--json", "--no-verify", "--force", "--resume"] {
        let output = convert(&[&tiny.path(), &out.path(), &"--dry-run", &more]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(tree(out.path()).len(), 0, "{more}");
    }
    assert_done(tiny.path(), &before, "the source");
}

/// docs/exit-codes.md
#[test]
fn every_example_says_in_the_same_way_that_it_does_not_understand() {
    for name in [
        "acl_signatures",
        "bench",
        "chat",
        "convert",
        "device_check",
        "download",
        "generate",
        "inspect",
        "logits",
        "npu_info",
        "perplexity",
        "quickstart",
        "synthesize",
        "verify",
    ] {
        let wrong = example(name).arg("--nonsense").output().unwrap();
        let errors = String::from_utf8_lossy(&wrong.stderr);
        assert_eq!(wrong.status.code(), Some(2), "{name}: {errors}");
        assert!(errors.starts_with("error: ") && errors.contains("--nonsense"), "{name}: {errors}");
        let help = example(name).arg("--help").output().unwrap();
        assert_eq!(help.status.code(), Some(0), "{name}");
        // Whatever else is needed is not needed for this.
        let completions = example(name).args(["--completions", "bash"]).output().unwrap();
        assert_eq!(completions.status.code(), Some(0), "{name}");
        let script = String::from_utf8_lossy(&completions.stdout);
        assert!(script.contains("--help") && script.contains(&format!("_{name}()")), "{script}");
    }
}

#[test]
fn nothing_is_told_unless_it_is_asked_for() {
    let told = |filter: Option<&str>| {
        let mut command = example("generate");
        command.env_remove("RUST_LOG").args(["--tokens", "1,2", "--max-new", "2"]);
        if let Some(filter) = filter {
            command.env("RUST_LOG", filter);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(told(None), "");
    let debug = told(Some("moe_engine=debug"));
    assert!(debug.contains("uploading layer=1") && debug.contains("prompts read"), "{debug}");
    assert!(!told(Some("moe_engine=info")).contains("uploading"));
    assert!(told(Some("=,=")).contains("RUST_LOG is not understood"));
}
