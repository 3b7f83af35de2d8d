//! Entries of a MindSpore checkpoint that are no tensors of numbers.

use std::fs;
use std::path::Path;

use ckpt_convert::{
    Error, Executor, LeftOutKind, Plan, PlanOptions, Policy, Problem, Rules, SafetensorsSink,
    Source, VerifyOptions, verify,
};
use lowfloat::DType;
use mindspore_ckpt::{Dtype, TensorSpec, Writer};

/// A tensor, text, a tensor of a type that others do not know, and a map tensor.
fn write(path: &Path) {
    let mut writer = Writer::new(Vec::new());
    writer.write_tensor(TensorSpec::new("w", Dtype::Float32, [2]).unwrap(), &[0; 8]).unwrap();
    writer.write_text("note", "hello").unwrap();
    writer.write_tensor(TensorSpec::new("q", Dtype::HiFloat8, [4]).unwrap(), &[1; 4]).unwrap();
    let (mut file, _) = writer.finish().unwrap();
    // Record { name "m", map { keys: Int32 [1] } }.
    let tensor = [&b"\x08\x01\x12\x05int32"[..], b"\x1a\x04\0\0\0\0"].concat();
    let map = [&[0x0a, tensor.len() as u8][..], &tensor].concat();
    let value = [&b"\x0a\x01m"[..], &[0x1a, map.len() as u8], &map].concat();
    file.extend([&[0x0a, value.len() as u8][..], &value].concat());
    fs::write(path, file).unwrap();
}

fn plan(source: &Source, rules: Rules) -> Result<Plan, Error> {
    let policy = Policy { rules, ..Policy::default() };
    Plan::new(source, &policy, &SafetensorsSink::unmarked(), &PlanOptions::default())
}

fn dropping(names: &str) -> Rules {
    let mut rules = Rules::default();
    rules.add_drop(names).unwrap();
    rules
}

#[test]
fn a_source_lists_them() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.ckpt"));
    let source = Source::open(folder.path()).unwrap();
    assert_eq!(source.tensors().len(), 1);
    let left_out: Vec<_> = source.left_out().iter().collect();
    let listed: Vec<_> =
        left_out.iter().map(|entry| (entry.name.as_str(), entry.file, entry.kind)).collect();
    let kinds = [LeftOutKind::Text, LeftOutKind::Type(Dtype::HiFloat8), LeftOutKind::Map];
    assert_eq!(listed, [("note", 0, kinds[0]), ("q", 0, kinds[1]), ("m", 0, kinds[2])]);

    fs::copy(folder.path().join("a.ckpt"), folder.path().join("b.ckpt")).unwrap();
    let twice = Source::open(folder.path()).unwrap_err();
    assert!(matches!(twice, Error::DuplicateTensor { .. }), "{twice}");
}

#[test]
fn none_vanishes_without_a_rule() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.ckpt"));
    let source = Source::open(folder.path()).unwrap();
    let Err(Error::Plan { problems }) = plan(&source, Rules::default()) else {
        panic!("tensors vanish")
    };
    let [Problem::Unstorable { tensor: q, .. }, Problem::Unstorable { tensor: m, reason }] =
        &problems[..]
    else {
        panic!("{problems:?}")
    };
    assert_eq!((q.as_str(), m.as_str()), ("q", "m"));
    assert_eq!(reason, "a map tensor, which has no counterpart; drop it by rule");

    let plan = plan(&source, dropping("^[qm]$")).unwrap();
    assert_eq!(plan.tensors.len(), 1);
    assert_eq!(plan.dropped, ["note", "q", "m"]);
    assert_eq!((plan.tensors[0].name.as_str(), plan.tensors[0].dtype), ("w", DType::F32));
}

#[test]
fn verifying_misses_what_no_rule_dropped() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&folder.path().join("a.ckpt"));
    let source = Source::open(folder.path()).unwrap();
    let plan = plan(&source, dropping("^[qm]$")).unwrap();
    Executor::default().run(&plan, &source, out.path(), |_| Ok(Vec::new()), &()).unwrap();
    let options = VerifyOptions { against: Some(&source), ..VerifyOptions::default() };
    let right = verify(out.path(), &options, &()).unwrap();
    assert!(right.findings.is_empty() && right.checked.values, "{:?}", right.findings);

    // The manifest of a conversion that knew nothing of them.
    let manifest = out.path().join("manifest.json");
    let mut value: serde_json::Value =
        serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    value["dropped"] = serde_json::json!([]);
    fs::write(&manifest, value.to_string()).unwrap();
    let missed = verify(out.path(), &options, &()).unwrap();
    let tensors: Vec<_> = missed.findings.iter().map(|found| found.tensor.as_deref()).collect();
    assert_eq!(tensors, [Some("note"), Some("q"), Some("m")]);
    assert_eq!((missed.errors, missed.warnings), (2, 1), "{:?}", missed.findings);

    fs::remove_file(manifest).unwrap();
    let missed = verify(out.path(), &options, &()).unwrap();
    assert_eq!((missed.errors, missed.warnings), (2, 1), "{:?}", missed.findings);
}

#[test]
fn an_index_may_name_them() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.ckpt"));
    let names = ["w", "note", "q", "m"];
    let map: serde_json::Map<_, _> =
        names.iter().map(|name| (name.to_string(), "a.ckpt".into())).collect();
    let index = serde_json::json!({ "metadata": {}, "weight_map": map });
    fs::write(folder.path().join("a.ckpt.index.json"), index.to_string()).unwrap();
    let source = Source::open(folder.path()).unwrap();
    assert_eq!((source.tensors().len(), source.left_out().len()), (1, 3));
}
