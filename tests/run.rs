//! `generate`, `logits` and `perplexity` as a user runs them.

mod examples;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Output;

use examples::example;
use safeshards::Checkpoint;
use serde_json::Value;
use testkit::{Layout, Shape, Tiny};

const TOKENIZER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/crates/moe-engine/tests/tokenizer/tiny.json");

fn run(name: &str, args: &[&dyn AsRef<OsStr>]) -> Output {
    example(name).args(args).output().unwrap()
}

#[track_caller]
fn text(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert_eq!(errors, "");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn json(name: &str, args: &[&dyn AsRef<OsStr>]) -> Value {
    serde_json::from_str(&text(&run(name, args))).unwrap()
}

#[track_caller]
fn refused(name: &str, args: &[&dyn AsRef<OsStr>], reason: &str) {
    let output = run(name, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("error: ") && errors.contains(reason), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

fn tokens(answer: &Value) -> Vec<u64> {
    answer["tokens"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
}

#[test]
fn a_model_is_made_on_the_spot() {
    let plain = text(&run("generate", &[&"--max-new", &"5"]));
    let answer = json("generate", &[&"--max-new", &"5", &"--json"]);
    assert_eq!(tokens(&answer).len(), 5);
    assert_eq!(answer["prompt_tokens"], serde_json::json!([1, 2, 3]));
    assert_eq!(answer["finish"], "length");
    assert_eq!(plain, answer["text"].as_str().unwrap().to_owned() + "\n");
    assert_eq!(answer["metrics"]["generated_tokens"], 5);
    // It has a tokenizer, too.
    let answer = json("generate", &[&"--prompt", &"the sea", &"--max-new", &"1", &"--json"]);
    assert!(!answer["prompt_tokens"].as_array().unwrap().is_empty());
}

#[test]
fn ids_without_a_tokenizer() {
    let model = Tiny::builder().build();
    let args: [&dyn AsRef<OsStr>; 6] =
        [&"--model", &model.path(), &"--tokens", &"1 2 3", &"--max-new", &"5"];
    let plain = text(&run("generate", &args));
    let plain: Vec<u64> = plain.split_whitespace().map(|id| id.parse().unwrap()).collect();
    let mut with_json = args.to_vec();
    with_json.push(&"--json");
    let answer = json("generate", &with_json);
    assert_eq!((tokens(&answer), &answer["text"]), (plain, &"".into()));
}

/// Every form of a checkpoint goes on in the same way.
#[test]
fn the_same_tokens_from_every_form() {
    let hub = Tiny::builder().build();
    let original = Tiny::builder().layout(Layout::Original).build();
    let folder = tempfile::tempdir().unwrap();
    let args = |model: &Path| {
        let args = ["--tokens", "5,6,7", "--max-new", "20", "--json", "--ignore-eos", "--model"];
        let args = args.map(ToOwned::to_owned).into_iter();
        args.chain([model.to_str().unwrap().to_owned()]).collect::<Vec<_>>()
    };
    let generate = |model: &Path| {
        let output = example("generate").args(args(model)).output().unwrap();
        tokens(&serde_json::from_str(&text(&output)).unwrap())
    };
    let expected = generate(hub.path());
    assert_eq!(expected.len(), 20);
    assert_eq!(generate(original.path()), expected);
    // All that was downloaded is `original/`, and a tokenizer beside it.
    let download = tempfile::tempdir().unwrap();
    let inner = download.path().join("original");
    drop(Tiny::builder().layout(Layout::Original).build_in(&inner));
    fs::copy(TOKENIZER, download.path().join("tokenizer.json")).unwrap();
    assert_eq!(generate(download.path()), expected);
    let prompt: [&dyn AsRef<OsStr>; 6] =
        [&"--model", &download.path(), &"--prompt", &"the sea", &"--max-new", &"2"];
    assert_eq!(tokens(&json("generate", &[&prompt[..], &[&"--json"]].concat())).len(), 2);
    let bench = ["--batch", "1", "--seq", "4", "--generate", "2", "--runs", "1", "--model"];
    assert!(example("bench").args(bench).arg(download.path()).output().unwrap().status.success());
    for (name, options) in [
        ("keep", &["--dtype", "keep"][..]),
        ("f32", &["--dtype", "f32"]),
        ("dense", &["--dtype", "bf16", "--experts", "dequantize"]),
        ("parts", &["--dtype", "keep", "--max-file-size", "200000"]),
    ] {
        let out = folder.path().join(name);
        let converted =
            example("convert").arg(hub.path()).arg(&out).args(options).output().unwrap();
        assert!(converted.status.success());
        assert_eq!(generate(&out), expected, "{name}");
    }
}

#[test]
fn a_batch_is_its_sequences() {
    let model = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompts.txt");
    let prompts = ["1, 2, 3", "9", "300 200 100 50"];
    fs::write(&file, prompts.join("\n\n") + "\n").unwrap();
    let sampled =
        ["--temperature", "1.5", "--top-k", "50", "--seed", "3", "--max-new", "12", "--json"];
    let mut batch = example("generate");
    batch.arg("--model").arg(model.path()).arg("--batch").arg(&file).args(sampled);
    let batch: Value = serde_json::from_str(&text(&batch.output().unwrap())).unwrap();
    for (index, prompt) in prompts.iter().enumerate() {
        let mut alone = example("generate");
        alone.arg("--model").arg(model.path()).arg("--tokens").arg(prompt).args(sampled);
        let threads = (index + 1).to_string();
        let alone: Value =
            serde_json::from_str(&text(&alone.arg("--threads").arg(threads).output().unwrap()))
                .unwrap();
        let sequence = &batch["sequences"][index];
        for field in ["prompt_tokens", "tokens", "finish"] {
            assert_eq!(sequence[field], alone[field], "{prompt}");
        }
    }
}

#[test]
fn logits_of_every_position() {
    let model = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("logits.safetensors");
    let args: [&dyn AsRef<OsStr>; 7] =
        [&"--model", &model.path(), &"--tokens", &"[4, 5, 6, 7]", &"--out", &out, &"--hidden"];
    let said = text(&run("logits", &args));
    assert!(said.contains("4 positions"), "{said}");
    let file = Checkpoint::open(&out).unwrap();
    let shape = model.shape();
    assert_eq!(file.tensor("logits").unwrap().shape(), [4, shape.vocab]);
    let hidden = file.tensor("hidden").unwrap();
    assert_eq!(hidden.shape(), [shape.layers + 1, 4, shape.hidden]);
    // The embedding of the last token, exact in f32.
    let row = 2 * shape.hidden;
    let table = &model.tensor("model.embed_tokens.weight").bytes[7 * row..8 * row];
    let table = table.as_chunks::<2>().0.iter().map(|&[low, high]| [0, 0, low, high]);
    let embedding = 3 * 4 * shape.hidden..4 * 4 * shape.hidden;
    assert_eq!(hidden.bytes().unwrap()[embedding], table.flatten().collect::<Vec<u8>>());
    // Again in place of it, in chunks of one.
    let before = fs::read(&out).unwrap();
    text(&example("logits").args(args).args(["--chunk", "1", "--threads", "1"]).output().unwrap());
    assert_eq!(fs::read(&out).unwrap(), before);
}

/// In windows every token but the first counts once.
#[test]
fn perplexity_counts_every_token_once() {
    let model = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let ids = folder.path().join("ids.txt");
    let list: Vec<_> = (0..100).map(|index| (index * 37 % 300).to_string()).collect();
    fs::write(&ids, list.join("\n")).unwrap();
    let measure = |options: &[&str]| {
        let mut command = example("perplexity");
        command.arg("--model").arg(model.path()).arg("--tokens-file").arg(&ids).arg("--json");
        let output = command.args(options).output().unwrap();
        serde_json::from_str::<Value>(&text(&output)).unwrap()
    };
    let whole = measure(&[]);
    assert_eq!((&whole["tokens"], &whole["scored"]), (&100.into(), &99.into()));
    for stride in ["1", "7", "29", "30"] {
        let windows = measure(&["--context", "31", "--stride", stride]);
        assert_eq!(windows["scored"], 99, "stride {stride}");
        assert_ne!(windows["nll"], whole["nll"], "stride {stride}: less is seen");
    }
    // What fits into one window is the same with any stride.
    assert_eq!(measure(&["--context", "100", "--stride", "5"])["nll"], whole["nll"]);
    assert!(whole["perplexity"].as_f64().unwrap() > 1.0);
}

#[test]
fn repacked_weights_are_kept() {
    let model = Tiny::builder().shape(Shape { vocab: 1024, hidden: 128, ..Shape::tiny() }).build();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kept");
    let generate = |options: &[&str]| {
        let mut command = example("generate");
        command.args(["--tokens", "1,2,3", "--max-new", "9", "--json", "--model"]);
        command.arg(model.path()).args(options).output().unwrap()
    };
    let expected = tokens(&serde_json::from_str(&text(&generate(&[]))).unwrap());
    let name = file.to_str().unwrap();
    let first = generate(&["--repack", "--repack-file", name]);
    assert_eq!(first.status.code(), Some(0));
    let errors = String::from_utf8(first.stderr.clone()).unwrap();
    let lines: Vec<_> = errors.lines().collect();
    let said =
        [format!("repacking weights for {name} ..."), format!("repacked weights kept in {name}")];
    assert_eq!(lines, said);
    let answer = |output: &Output| tokens(&serde_json::from_slice(&output.stdout).unwrap());
    assert_eq!(answer(&first), expected);
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    for _ in 0..2 {
        // Nothing is said any more.
        let again = text(&generate(&["--dense", "coded", "--repack-file", name]));
        assert_eq!(tokens(&serde_json::from_str(&again).unwrap()), expected);
    }
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written);
    let path = model.path();
    let rest: [&dyn AsRef<OsStr>; 6] =
        [&"--model", &path, &"--tokens", &"1", &"--repack-file", &name];
    refused("generate", &rest, "--repack-file: in which form?");
    let int8: [&dyn AsRef<OsStr>; 2] = [&"--dense", &"int8"];
    refused(
        "generate",
        &[&rest[..], &int8].concat(),
        "expected the form \"int8\", found \"coded\"",
    );
}

#[test]
fn what_cannot_be() {
    let model = Tiny::builder().build();
    let path = model.path();
    let nowhere = path.join("nowhere");
    refused("generate", &[&"--model", &path], "what is to be continued?");
    refused("generate", &[&"--model", &path, &"--prompt", &"hello"], "no tokenizer.json");
    refused("generate", &[&"--model", &path, &"--tokens", &""], "the prompt is empty");
    refused("generate", &[&"--model", &path, &"--tokens", &"1,x"], "\"x\", number 2 of them");
    refused("generate", &[&"--model", &path, &"--tokens", &"1,384"], "token 1 is 384");
    refused(
        "generate",
        &[&"--model", &path, &"--tokens", &"1", &"--temperature=-1"],
        "temperature",
    );
    refused("generate", &[&"--model", &path, &"--tokens", &"1", &"--stop", &"x"], "tokenizer");
    refused("generate", &[&"--model", &path, &"--tokens", &"1", &"--threads", &"0"], "threads");
    refused("generate", &[&"--model", &path, &"--tokens", &"1", &"--chunk", &"0"], "chunk");
    refused("generate", &[&"--model", &nowhere, &"--tokens", &"1"], "nowhere");
    refused("logits", &[&"--model", &path, &"--out", &"x"], "which tokens?");
    refused("perplexity", &[&"--model", &path, &"--tokens", &"1"], "at least 2");
    refused("perplexity", &[&"--model", &path, &"--tokens", &"1,2,3", &"--stride", &"0"], "stride");
    let empty = tempfile::tempdir().unwrap();
    refused("generate", &[&"--model", &empty.path(), &"--tokens", &"1"], "config.json");
    fs::copy(path.join("config.json"), empty.path().join("config.json")).unwrap();
    refused("generate", &[&"--model", &empty.path(), &"--tokens", &"1"], "no weights here");
}
