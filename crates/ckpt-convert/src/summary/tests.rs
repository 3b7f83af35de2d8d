use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use mindspore_ckpt::{Dtype, LayoutOptions, TensorSpec, Writer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use testkit::{Layout, Sharding, Tensor, Tensors, Tiny};

use super::*;
use crate::manifest::hex;
use crate::presets::gpt_oss::{ExpertFormat, Shape};
use crate::{Error, Event, Synthetic};

const TWO: NonZero<usize> = NonZero::new(2).unwrap();

fn summary(path: &Path) -> Summary {
    Summary::of(&Source::open(path).unwrap())
}

fn released() -> Summary {
    Summary::of(&Source::synthetic(Synthetic::new(Shape::b20(), ExpertFormat::Mxfp4, 0)))
}

fn totals(tensors: usize, parameters: u64, bytes: u64) -> Totals {
    Totals { tensors, parameters, bytes }
}

#[test]
fn the_20b_adds_up() {
    let summary = released();
    assert_eq!(summary.num_tensors, 459);
    assert_eq!(summary.parameters, 20_914_757_184);
    assert_eq!(summary.total_bytes, 13_761_264_768);
    let by_dtype = [
        (DType::U8, totals(96, 19_110_297_600, 9_555_148_800 + 597_196_800)),
        (DType::BF16, totals(363, 1_804_459_584, 3_608_919_168)),
    ];
    assert_eq!(summary.by_dtype, BTreeMap::from(by_dtype));
    let by_group = [
        (Group::Embedding, totals(1, 579_133_440, 1_158_266_880)),
        (Group::Attention, totals(216, 637_203_456, 1_274_406_912)),
        (Group::Router, totals(48, 2_212_608, 4_425_216)),
        (Group::Experts, totals(144, 19_110_297_600 + 6_635_520, 10_165_616_640)),
        (Group::Norm, totals(49, 141_120, 282_240)),
        (Group::Head, totals(1, 579_133_440, 1_158_266_880)),
    ];
    assert_eq!(summary.by_group, BTreeMap::from(by_group));
    assert!(summary.files.is_empty() && summary.warnings.is_empty());
    assert!(summary.tensors.iter().all(|tensor| tensor.file.is_none()));
}

#[test]
fn every_layout_tells_the_truth_and_hashes_it() {
    let tiny = Tiny::builder().seed(9);
    for (builder, files) in [
        (tiny.clone(), 3),
        (tiny.clone().sharding(Sharding::Single), 1),
        (tiny.clone().sharding(Sharding::PerTensor), 79),
        (tiny.layout(Layout::Original), 1),
    ] {
        let tiny = builder.build();
        let source = Source::open(tiny.path()).unwrap();
        let summary = Summary::with_digests(&source, TWO, &()).unwrap();
        assert_eq!(summary.tensors.len(), tiny.tensors().len());
        for tensor in &summary.tensors {
            let truth = tiny.tensor(&tensor.name);
            assert_eq!((tensor.dtype, &tensor.shape), (truth.dtype, &truth.shape));
            assert_eq!(tensor.bytes, truth.bytes.len() as u64);
            assert_eq!(tensor.stored_as, None);
            let held = testkit::safetensors::read(&tiny.path().join(tensor.file.as_ref().unwrap()));
            assert!(held.contains_key(&tensor.name), "{} in {:?}", tensor.name, tensor.file);
            let digest = hex(&Sha256::digest(&truth.bytes));
            assert_eq!(tensor.sha256.as_ref(), Some(&digest), "{}", tensor.name);
        }
        assert_eq!(summary.files.len(), files);
        for file in &summary.files {
            let len = fs::metadata(tiny.path().join(&file.name)).unwrap().len();
            assert_eq!(file.bytes, len, "{}", file.name);
        }
        let tensors = summary.files.iter().map(|file| file.tensors).sum::<usize>();
        assert_eq!((tensors, summary.num_tensors), (tiny.tensors().len(), tiny.tensors().len()));
        // One model, whatever form its experts and names have.
        assert_eq!(summary.parameters, Shape::tiny().parameters());
        assert_eq!(summary.by_group[&Group::Experts].parameters, 4 * 8 * 3 * 64 * (64 + 1));
        assert!(!summary.by_group.contains_key(&Group::Other));
        let config = summary.config.unwrap();
        assert_eq!(config.name.as_deref(), Some("gpt_oss_534k"));
        assert_eq!((config.layers, config.experts, config.vocab), (Some(4), Some(8), Some(384)));
        assert_eq!(config.context, Some(131_072));
        assert_eq!(summary.format, "safetensors");
    }
}

#[test]
fn ckpt_types_have_both_names_and_slices_are_joined() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.ckpt");
    let options = LayoutOptions { slice_bytes: 4, ..LayoutOptions::default() };
    let mut writer = Writer::with_options(Vec::new(), options);
    let content: Vec<u8> = (0..12).collect();
    let spec = TensorSpec::new("a", Dtype::BFloat16, [2, 3]).unwrap();
    writer.write_tensor(spec, &content).unwrap();
    writer.write_tensor(TensorSpec::new("s", Dtype::Float32, []).unwrap(), &[1; 4]).unwrap();
    writer.write_text("note", "x").unwrap();
    let (mut file, _) = writer.finish().unwrap();
    // The older form of bf16, which no current MindSpore writes: as many f32.
    file.extend_from_slice(b"\x0a\x1b\x0a\x01h\x12\x16\x08\x02\x12\x08BFloat16\x1a\x08abcdefgh");
    fs::write(&path, file).unwrap();

    let source = Source::open(&path).unwrap();
    let summary = Summary::with_digests(&source, TWO, &()).unwrap();
    assert_eq!((summary.format, summary.num_tensors), ("ckpt", 3));
    let expected = [
        ("a", DType::BF16, "BFloat16", &[2, 3][..], &content[..]),
        ("s", DType::F32, "Float32", &[], &[1; 4]),
        ("h", DType::BF16, "BFloat16", &[2], b"cdgh"),
    ];
    for (tensor, (name, dtype, stored_as, shape, content)) in summary.tensors.iter().zip(expected) {
        assert_eq!((tensor.name.as_str(), tensor.dtype), (name, dtype));
        assert_eq!((tensor.stored_as, &tensor.shape[..]), (Some(stored_as), shape));
        assert_eq!(tensor.bytes, content.len() as u64);
        assert_eq!(tensor.sha256.as_deref(), Some(&*hex(&Sha256::digest(content))));
        assert_eq!(tensor.file.as_deref(), Some("m.ckpt"));
    }
    assert_eq!((summary.parameters, summary.total_bytes), (9, 20));
    assert_eq!(summary.by_dtype[&DType::BF16], totals(2, 8, 16));
    assert!(summary.warnings.iter().any(|warning| warning.contains("\"note\"")));
    assert_eq!(summary.config, None);
}

#[test]
fn json_has_the_promised_form() {
    let folder = tempfile::tempdir().unwrap();
    let tensor = Tensor { dtype: DType::U8, shape: vec![3], bytes: b"abc".to_vec() };
    let path = folder.path().join("x.safetensors");
    testkit::safetensors::write(&path, &Tensors::from([("lm_head".to_owned(), tensor)]), None);
    fs::write(folder.path().join("config.json"), r#"{"model_type": "other", "num_experts": 7}"#)
        .unwrap();

    let source = Source::open(&path).unwrap();
    let mut json = json!(Summary::with_digests(&source, TWO, &()).unwrap());
    assert_eq!(json["path"].take(), path.to_str().unwrap());
    let config = json["config"].take();
    assert_eq!((&config["model_type"], &config["experts"]), (&json!("other"), &json!(7)));
    assert_eq!((&config["name"], &config["layers"]), (&Value::Null, &Value::Null));
    let totals = json!({"tensors": 1, "parameters": 3, "bytes": 3});
    let expected = json!({
        "path": null,
        "format": "safetensors",
        "num_tensors": 1,
        "total_bytes": 3,
        "parameters": 3,
        "config": null,
        "by_dtype": {"U8": totals},
        "by_group": {"head": totals},
        "files": [{"name": "x.safetensors", "bytes": fs::metadata(&path).unwrap().len(),
                   "tensors": 1}],
        "tensors": [{
            "name": "lm_head", "dtype": "U8", "shape": [3], "bytes": 3, "parameters": 3,
            "group": "head", "file": "x.safetensors",
            // FIPS 180-2, appendix B.1.
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        }],
        "warnings": [],
    });
    assert_eq!(json, expected);
    let plain = json!(Summary::of(&source));
    assert_eq!(plain["tensors"][0].get("sha256"), None);
}

#[test]
fn half_an_mxfp4_weight_is_no_weight() {
    let folder = tempfile::tempdir().unwrap();
    let tensor = |shape: &[usize], bytes| Tensor { dtype: DType::U8, shape: shape.to_vec(), bytes };
    let tensors = Tensors::from([
        ("a_blocks".to_owned(), tensor(&[1, 2, 16], vec![0; 32])),
        ("b_blocks".to_owned(), tensor(&[1, 2, 16], vec![0; 32])),
        ("b_scales".to_owned(), tensor(&[1, 2], vec![0; 2])),
        ("c_blocks".to_owned(), tensor(&[1, 2, 16], vec![0; 32])),
        ("c_scales".to_owned(), tensor(&[1, 3], vec![0; 3])),
    ]);
    testkit::safetensors::write(&folder.path().join("x.safetensors"), &tensors, None);
    let summary = summary(folder.path());
    assert_eq!(summary.parameters, 32 + 64 + 32 + 3);
    for (name, warned) in [("a_blocks", 1), ("b_blocks", 0), ("c_blocks", 1), ("c_scales", 1)] {
        let about = summary.warnings.iter().filter(|warning| warning.contains(name)).count();
        assert_eq!(about, warned, "{name}: {:?}", summary.warnings);
    }
}

#[derive(Debug, Default)]
struct Advanced(AtomicU64);

impl Observer for Advanced {
    fn on(&self, event: &Event<'_>) {
        if let Event::Advanced { bytes } = event {
            self.0.fetch_add(*bytes, Relaxed);
        }
    }
}

#[test]
fn long_tensors_hash_like_short_ones() {
    let shape = Shape { vocab: 20_000, ..Shape::tiny() };
    let model = Synthetic::new(shape, ExpertFormat::Mxfp4, 1);
    let mut whole = Vec::new();
    let digests: Vec<_> = (0..model.tensors().len())
        .map(|index| {
            whole.resize(model.tensors()[index].bytes() as usize, 0);
            model.fill(index, 0, &mut whole);
            Some(hex(&Sha256::digest(&whole)))
        })
        .collect();
    let source = Source::synthetic(model);
    for threads in [1, 7] {
        let advanced = Advanced::default();
        let threads = NonZero::new(threads).unwrap();
        let summary = Summary::with_digests(&source, threads, &advanced).unwrap();
        let found: Vec<_> = summary.tensors.into_iter().map(|tensor| tensor.sha256).collect();
        assert_eq!(found, digests);
        assert_eq!(advanced.0.into_inner(), source.total_bytes());
    }
}

#[test]
fn a_file_that_shrank_is_an_error() {
    let tiny = Tiny::builder().build();
    let source = Source::open(tiny.path()).unwrap();
    let last = tiny.files().last().unwrap();
    let len = fs::metadata(last).unwrap().len();
    fs::File::options().write(true).open(last).unwrap().set_len(len - 1).unwrap();
    let error = Summary::with_digests(&source, TWO, &()).unwrap_err();
    assert!(matches!(&error, Error::SourceTruncated { path, .. } if path == last), "{error}");
}

#[test]
fn configurations_of_others_are_read_too() {
    let qwen = json!({
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "num_experts": 128,
        "num_experts_per_tok": 8, "intermediate_size": 6144, "moe_intermediate_size": 768,
        "max_position_embeddings": 40_960, "sliding_window": null,
        "quantization_config": {"quant_method": "fp8"},
    });
    let facts = ConfigFacts::of(&qwen, 0);
    assert_eq!(facts.name, None);
    assert_eq!(facts.architecture.as_deref(), Some("Qwen3MoeForCausalLM"));
    assert_eq!((facts.experts, facts.experts_per_token), (Some(128), Some(8)));
    assert_eq!((facts.intermediate, facts.context), (Some(768), Some(40_960)));
    assert_eq!((facts.sliding_window, facts.quantization.as_deref()), (None, Some("fp8")));
    for nonsense in [
        json!(null),
        json!([1]),
        json!("x"),
        json!({"architectures": 3, "num_hidden_layers": -1, "hidden_size": "64"}),
        json!({"initial_context_length": 1, "rope_scaling_factor": "2"}),
    ] {
        assert_eq!(ConfigFacts::of(&nonsense, 0), ConfigFacts::default(), "{nonsense}");
    }
    let absurd = json!({"initial_context_length": u64::MAX, "rope_scaling_factor": 1e300});
    assert_eq!(ConfigFacts::of(&absurd, 0).context, Some(u64::MAX));
}

fn folded(names: &[&str]) -> Vec<(String, usize, u64)> {
    let tensors: Vec<_> = names
        .iter()
        .map(|name| TensorSummary {
            name: (*name).to_owned(),
            dtype: DType::U8,
            stored_as: None,
            shape: vec![1],
            bytes: 1,
            parameters: 1,
            group: group_of(name),
            file: None,
            sha256: None,
        })
        .collect();
    let patterns = pattern::fold(&tensors).into_iter();
    patterns.map(|pattern| (pattern.name, pattern.totals.tensors, pattern.names)).collect()
}

#[test]
fn the_20b_folds_into_one_layer() {
    let summary = released();
    let patterns = summary.patterns();
    assert_eq!(patterns.len(), 19 + 3);
    assert_eq!(patterns[0].name, "model.embed_tokens.weight");
    assert_eq!(patterns[21].name, "lm_head.weight");
    let q = patterns.iter().find(|pattern| pattern.name.contains("q_proj.weight")).unwrap();
    assert_eq!(q.name, "model.layers.{0..23}.self_attn.q_proj.weight");
    assert_eq!(
        (q.dtype, &q.shape[..], q.group),
        (DType::BF16, &[4096, 2880][..], Group::Attention)
    );
    assert_eq!(q.totals, totals(24, 24 * 11_796_480, 24 * 23_592_960));
    assert_eq!(q.names, 24);
    assert_eq!(patterns.iter().map(|p| p.totals.bytes).sum::<u64>(), summary.total_bytes);
    assert_eq!(patterns.iter().map(|p| p.totals.tensors).sum::<usize>(), 459);
}

#[test]
fn other_types_and_shapes_stand_apart() {
    let tensor = |name: &str, dtype, shape: &[usize]| Tensor {
        dtype,
        shape: shape.to_vec(),
        bytes: vec![u8::try_from(name.len()).unwrap(); 4],
    };
    let folder = tempfile::tempdir().unwrap();
    let tensors = [
        ("x.0.w", DType::BF16, &[2][..]),
        ("x.1.w", DType::BF16, &[2]),
        ("x.2.w", DType::F32, &[1]),
        ("x.3.w", DType::BF16, &[2, 1]),
    ];
    let tensors = tensors.map(|(name, dtype, shape)| (name.to_owned(), tensor(name, dtype, shape)));
    testkit::safetensors::write(&folder.path().join("x.safetensors"), &tensors.into(), None);
    let patterns = summary(folder.path()).patterns();
    let names: Vec<_> = patterns.iter().map(|pattern| pattern.name.as_str()).collect();
    assert_eq!(names, ["x.{0..1}.w", "x.3.w", "x.2.w"]);
}

#[test]
fn numbers_become_ranges() {
    let one = |names: &[&str]| {
        let mut folded = folded(names);
        assert_eq!(folded.len(), 1, "{folded:?}");
        folded.remove(0)
    };
    assert_eq!(one(&["a.7.b"]), ("a.7.b".to_owned(), 1, 1));
    assert_eq!(one(&["a.10.b", "a.9.b"]), ("a.{9..10}.b".to_owned(), 2, 2));
    assert_eq!(one(&["a.0", "a.2", "a.4"]), ("a.{0..4..2}".to_owned(), 3, 3));
    assert_eq!(one(&["a.0", "a.5"]), ("a.{0,5}".to_owned(), 2, 2));
    let gap = one(&["a.0", "a.1", "a.2", "a.5", "a.7", "a.8"]);
    assert_eq!(gap, ("a.{0..2,5,7,8}".to_owned(), 6, 6));
    let grid = one(&["l.0.e.0.w", "l.0.e.1.w", "l.1.e.0.w", "l.1.e.1.w"]);
    assert_eq!(grid, ("l.{0..1}.e.{0..1}.w".to_owned(), 4, 4));
    let holed = one(&["l.0.e.0.w", "l.0.e.1.w", "l.1.e.1.w"]);
    assert_eq!(holed, ("l.{0..1}.e.{0..1}.w".to_owned(), 3, 4));
    let squares: Vec<_> = (0..100_u64).map(|n| format!("a.{}", n * n)).collect();
    let squares: Vec<_> = squares.iter().map(String::as_str).collect();
    assert_eq!(one(&squares), ("a.{0,1,4,9,16,25,36,49,…,9801}".to_owned(), 100, 100));
    let max = u64::MAX.to_string();
    let widest = one(&["a.0", &format!("a.{max}")]);
    assert_eq!(widest, (format!("a.{{0,{max}}}"), 2, 2));
}

#[test]
fn what_is_no_plain_number_stays_text() {
    let names = ["a.007", "a.1x", "a.18446744073709551616", "a.", "a.{0..3}"];
    let mut found: Vec<_> = folded(&names).into_iter().map(|(name, ..)| name).collect();
    found.sort_unstable();
    let mut expected = names.map(str::to_owned);
    expected.sort_unstable();
    assert_eq!(found, expected);
}
