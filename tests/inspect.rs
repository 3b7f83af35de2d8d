//! The `inspect` example, run as a user runs it.

mod examples;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape};
use examples::example;
use lowfloat::DType;
use mindspore_ckpt::{Dtype, TensorSpec, Writer};
use serde_json::{Value, json};
use testkit::{Layout, Sharding, Tensor, Tensors, Tiny};

fn inspect(paths: &[&Path], options: &[&str]) -> Output {
    example("inspect").args(options).args(paths).output().unwrap()
}

fn printed(paths: &[&Path], options: &[&str]) -> String {
    let output = inspect(paths, options);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && errors.is_empty(), "{options:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn read(path: &Path, options: &[&str]) -> Value {
    serde_json::from_str(&printed(&[path], options)).unwrap()
}

fn refused(paths: &[&Path]) -> String {
    let output = inspect(paths, &["--json"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{paths:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A `.ckpt` file with one tensor of three bytes for each name.
fn ckpt(folder: &Path, file: &str, names: &[&str]) -> PathBuf {
    let mut writer = Writer::new(Vec::new());
    for name in names {
        let spec = TensorSpec::new(*name, Dtype::UInt8, [3]).unwrap();
        writer.write_tensor(spec, b"abc").unwrap();
    }
    fs::write(folder.join(file), writer.finish().unwrap().0).unwrap();
    folder.join(file)
}

/// FIPS 180-2, appendix B.1.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn json_lists_every_tensor_of_every_layout() {
    let tiny = Tiny::builder();
    for builder in [
        tiny.clone(),
        tiny.clone().sharding(Sharding::Single),
        tiny.clone().experts(ExpertFormat::Bf16),
        tiny.layout(Layout::Original),
    ] {
        let tiny = builder.build();
        let json = read(tiny.path(), &["--json"]);
        let tensors = json["tensors"].as_array().unwrap();
        assert_eq!(tensors.len(), tiny.tensors().len());
        for tensor in tensors {
            let truth = tiny.tensor(tensor["name"].as_str().unwrap());
            assert_eq!(tensor["dtype"], truth.dtype.name());
            assert_eq!(tensor["shape"], json!(truth.shape));
            assert_eq!(tensor["bytes"], truth.bytes.len());
            let file = tiny.path().join(tensor["file"].as_str().unwrap());
            assert!(tiny.files().contains(&file));
            assert_eq!(tensor.get("sha256"), None);
        }
        assert_eq!(json["num_tensors"], tiny.tensors().len());
        assert_eq!(json["total_bytes"], tiny.total_bytes());
        assert_eq!(json["parameters"], Shape::tiny().parameters());
        assert_eq!(json["files"].as_array().unwrap().len(), tiny.files().len());
        assert_eq!(json["config"]["experts"], 8);
        assert_eq!((&json["format"], &json["warnings"]), (&json!("safetensors"), &json!([])));
    }
}

#[test]
fn one_file_of_several_is_a_checkpoint_too() {
    let tiny = Tiny::builder().build();
    let json = read(&tiny.files()[1], &["--json"]);
    let file = tiny.files()[1].file_name().unwrap().to_str().unwrap();
    assert_eq!(json["files"].as_array().unwrap().len(), 1);
    assert!(json["tensors"].as_array().unwrap().iter().all(|tensor| tensor["file"] == file));
}

#[test]
fn ckpt_parts_are_one_checkpoint_with_digests() {
    let folder = tempfile::tempdir().unwrap();
    let one = ckpt(folder.path(), "m-0.ckpt", &["a", "b"]);
    let two = ckpt(folder.path(), "m-1.ckpt", &["c"]);
    let whole = printed(&[&one, &two], &["--json", "--hash"]);
    let whole: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(whole["tensors"], read(folder.path(), &["--json", "--hash"])["tensors"]);
    assert_eq!(whole["format"], "ckpt");
    for (tensor, (name, file)) in whole["tensors"].as_array().unwrap().iter().zip([
        ("a", "m-0.ckpt"),
        ("b", "m-0.ckpt"),
        ("c", "m-1.ckpt"),
    ]) {
        let expected = json!({
            "name": name, "dtype": "U8", "stored_as": "UInt8", "shape": [3], "bytes": 3,
            "parameters": 3, "group": "other", "file": file, "sha256": ABC,
        });
        assert_eq!(tensor, &expected);
    }
    let index = r#"{"weight_map": {"a": "m-0.ckpt", "b": "m-0.ckpt", "c": "m-1.ckpt"}}"#;
    fs::write(folder.path().join("m.ckpt.index.json"), index).unwrap();
    assert_eq!(whole["tensors"], read(folder.path(), &["--json", "--hash"])["tensors"]);
    assert_eq!(read(&two, &["--json"])["num_tensors"], 1);
}

#[test]
fn names_are_one_a_line_in_file_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = ckpt(folder.path(), "m.ckpt", &["z.1", "a\n\u{1b}[31mb", "ü"]);
    assert_eq!(printed(&[&path], &["--names"]), "z.1\na\\n\\u{1b}[31mb\nü\n");
    for wrong in [["--names", "--json"], ["--names", "--hash"]] {
        assert_eq!(inspect(&[&path], &wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn the_report_is_plain_text_with_one_line_for_all_layers() {
    let tiny = Tiny::builder().build();
    let report = printed(&[tiny.path()], &[]);
    assert!(!report.contains('\u{1b}'), "{report:?}");
    let line = |start: &str| {
        let found = report.lines().find(|line| line.trim_start().starts_with(start));
        let words = found.unwrap_or_else(|| panic!("{start}: {report}")).split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("format"), "format safetensors, 3 files");
    assert_eq!(line("parameters"), "parameters 534,144");
    assert_eq!(line("content"), "content 490.75 kB (490,752 bytes)");
    assert_eq!(line("quantised"), "quantised mxfp4");
    assert_eq!(line("model "), "model gpt_oss_534k, gpt_oss, GptOssForCausalLM");
    assert_eq!(line("U8"), "U8 16 tensors 393,216 parameters 208.90 kB 42.6 %");
    assert_eq!(line("router"), "router 8 tensors 2,080 parameters 4.16 kB 0.8 %");
    assert_eq!(
        line("model.layers.{0..3}.self_attn.q_proj.weight"),
        "model.layers.{0..3}.self_attn.q_proj.weight BF16 [128, 64] ×4 65.54 kB"
    );
    assert!(!report.contains("Warnings"), "{report}");
    let hashed = printed(&[tiny.path()], &["--hash"]);
    assert_eq!(hashed.lines().filter(|line| line.contains("self_attn.q_proj.weight")).count(), 4);
}

#[test]
fn the_report_shows_what_is_odd() {
    let folder = tempfile::tempdir().unwrap();
    let tensor = |bytes| Tensor { dtype: DType::U8, shape: vec![1, 16], bytes };
    let tensors = ["experts.0.w_blocks", "experts.2.w_blocks", "layers.0.experts.1.w"]
        .map(|name| (name.to_owned(), tensor(vec![0; 16])));
    testkit::safetensors::write(&folder.path().join("x.safetensors"), &tensors.into(), None);
    let report = printed(&[folder.path()], &[]);
    assert!(report.contains("experts.{0,2}.w_blocks"), "{report}");
    assert!(report.contains("Warnings") && report.contains("other half is missing"), "{report}");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..20_000).map(|index| format!("layer.{index}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let path = ckpt(folder.path(), "m.ckpt", &names);
    let mut command = example("inspect");
    command.arg("--names").arg(path).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn bad_input_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert!(refused(&[&at("missing")]).contains("missing"));
    assert!(refused(&[folder.path()]).contains("empty folder"));
    fs::write(at("weights.bin"), "x").unwrap();
    assert!(refused(&[&at("weights.bin")]).contains("weights.bin"));
    for name in ["x.safetensors", "x.ckpt"] {
        fs::write(at(name), "nothing of the kind").unwrap();
        assert!(refused(&[&at(name)]).contains(name));
    }
    let one = ckpt(folder.path(), "one.ckpt", &["a"]);
    let two = ckpt(folder.path(), "two.ckpt", &["a"]);
    let error = refused(&[&one, &two]);
    assert!(error.contains("\"a\"") && error.contains("two.ckpt"), "{error}");
    assert!(refused(&[&one, &at("x.safetensors")]).contains("x.safetensors"));
    fs::remove_file(at("x.safetensors")).unwrap();
    let tensors = Tensors::from([(
        "a".to_owned(),
        Tensor { dtype: DType::U8, shape: vec![1], bytes: vec![0] },
    )]);
    testkit::safetensors::write(&at("ok.safetensors"), &tensors, None);
    fs::write(at("config.json"), "{").unwrap();
    assert!(refused(&[&at("ok.safetensors")]).contains("config.json"));
    assert_eq!(inspect(&[], &[]).status.code(), Some(2), "no path");
}
