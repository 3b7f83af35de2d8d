//! Every conversion against values computed here, one number at a time.

mod reference;

use std::num::NonZero;
use std::path::Path;

use ckpt_convert::presets::gpt_oss::ExpertFormat;
use ckpt_convert::{
    CkptSink, ExecOptions, Executor, Experts, FloatTarget, Manifest, Plan, PlanOptions, Policy,
    Report, Rules, SafetensorsSink, Sink, Source, side_files,
};
use lowfloat::DType;
use reference::{cast, dense};
use tempfile::tempdir;
use testkit::{Layout, Sharding, Tensors, Tiny, assert_tensors};

const FLOATS: [FloatTarget; 4] = [
    FloatTarget::Keep,
    FloatTarget::To(DType::F32),
    FloatTarget::To(DType::BF16),
    FloatTarget::To(DType::F16),
];

/// Blocks of 64 KiB, so that even tiny tensors are cut, and at odd places.
fn small_blocks() -> ExecOptions {
    ExecOptions { memory: 0, threads: NonZero::new(3).unwrap(), ..ExecOptions::default() }
}

fn convert(
    from: &Path,
    to: &Path,
    policy: &Policy,
    sink: &dyn Sink,
    plan: &PlanOptions,
    exec: ExecOptions,
) -> Report {
    let source = Source::open(from).unwrap();
    let plan = Plan::new(&source, policy, sink, plan).unwrap();
    let side = |manifest: &Manifest| side_files(&source, policy, manifest);
    Executor::new(exec).run(&plan, &source, to, side, &()).unwrap()
}

/// Reads a `.ckpt` through the reader of `mindspore-ckpt`.
fn read_ckpt(path: &Path) -> Tensors {
    let reader = mindspore_ckpt::Reader::open(path).unwrap();
    let entries = reader.entries().iter().map(|entry| {
        let tensor = testkit::Tensor {
            dtype: entry.dtype().to_dtype().unwrap(),
            shape: entry.dims().iter().map(|&extent| extent as usize).collect(),
            bytes: reader.read(entry).unwrap(),
        };
        (entry.name().to_owned(), tensor)
    });
    entries.collect()
}

fn only_ckpt(folder: &Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut ckpts =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "ckpt"));
    let found = ckpts.next().unwrap();
    assert_eq!(ckpts.next(), None);
    found
}

#[test]
fn every_float_type_is_what_it_should_be() {
    let tiny = Tiny::builder().build();
    for floats in FLOATS {
        let policy = Policy { floats, ..Policy::default() };
        let expected = cast(tiny.tensors(), floats);
        for exec in [ExecOptions::default(), small_blocks()] {
            let out = tempdir().unwrap();
            convert(
                tiny.path(),
                out.path(),
                &policy,
                &CkptSink::default(),
                &PlanOptions::default(),
                exec,
            );
            assert_tensors(&read_ckpt(&only_ckpt(out.path())), &expected);
        }
    }
}

#[test]
fn dense_experts_hold_what_the_blocks_mean() {
    let packed = Tiny::builder().build();
    let twin = Tiny::builder().experts(ExpertFormat::Bf16).build();
    for floats in FLOATS {
        let policy = Policy { floats, experts: Experts::Dequantize, ..Policy::default() };
        let expected = dense(packed.tensors(), floats);
        for exec in [ExecOptions::default(), small_blocks()] {
            let out = tempdir().unwrap();
            let sink = SafetensorsSink::hugging_face();
            convert(packed.path(), out.path(), &policy, &sink, &PlanOptions::default(), exec);
            let actual = testkit::safetensors::read_dir(out.path());
            assert_tensors(&actual, &expected);
            if floats == FloatTarget::Keep {
                assert_tensors(&actual, twin.tensors());
            }
        }
    }
}

#[test]
fn original_experts_stay_in_their_order() {
    let tiny = Tiny::builder().layout(Layout::Original).build();
    let policy = Policy { experts: Experts::Dequantize, ..Policy::default() };
    let out = tempdir().unwrap();
    convert(
        tiny.path(),
        out.path(),
        &policy,
        &CkptSink::default(),
        &PlanOptions::default(),
        small_blocks(),
    );
    assert_tensors(&read_ckpt(&only_ckpt(out.path())), &dense(tiny.tensors(), FloatTarget::Keep));
}

#[test]
fn packing_what_was_dense_keeps_every_value() {
    for layout in [Layout::Hf, Layout::Original] {
        let packed = Tiny::builder().layout(layout).build();
        let steps = tempdir().unwrap();
        let [first, second, third] =
            ["dense", "packed", "again"].map(|step| steps.path().join(step));
        let sink = SafetensorsSink::hugging_face();
        let options = PlanOptions::default();
        let dequantize = Policy { experts: Experts::Dequantize, ..Policy::default() };
        let quantize = Policy { experts: Experts::Quantize, ..Policy::default() };
        convert(packed.path(), &first, &dequantize, &sink, &options, small_blocks());
        let report = convert(&first, &second, &quantize, &sink, &options, small_blocks());
        let packing = report.packing.unwrap();
        let shape = packed.shape();
        let weights = shape.layers * shape.experts * 3 * shape.hidden * shape.intermediate;
        assert_eq!(packing.blocks, weights as u64 / 32);
        assert_eq!(packing.exact_blocks, packing.blocks);
        assert!(packing.max_abs_error == 0.0 && packing.relative_rms_error == 0.0);
        convert(&second, &third, &dequantize, &sink, &options, ExecOptions::default());
        let read = |folder| testkit::safetensors::read_dir(folder);
        assert_tensors(&read(&third), &read(&first));
        let names = |tensors: &Tensors| tensors.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&read(&second)), names(packed.tensors()));
    }
}

#[test]
fn there_and_back_is_the_same() {
    let tiny = Tiny::builder().sharding(Sharding::PerTensor).build();
    let folder = tempdir().unwrap();
    let [there, back] = ["there", "back"].map(|name| folder.path().join(name));
    let keep = Policy::default();
    let parts = PlanOptions { max_file_size: Some(100_000), ..PlanOptions::default() };
    let report =
        convert(tiny.path(), &there, &keep, &CkptSink { crc: true }, &parts, small_blocks());
    assert!(report.files.len() > 3, "{:?}", report.files);
    let one_tensor = |bytes| bytes > 100_000;
    assert!(report.files.iter().filter(|file| one_tensor(file.bytes)).count() <= 2);
    let sink = SafetensorsSink::hugging_face();
    convert(&there, &back, &keep, &sink, &parts, small_blocks());
    assert_tensors(&testkit::safetensors::read_dir(&back), tiny.tensors());
    assert!(back.join("model.safetensors.index.json").exists());
    let config = |folder: &Path| std::fs::read(folder.join("config.json")).unwrap();
    assert_eq!(config(&back), config(tiny.path()), "to the byte");
}

#[test]
fn rules_choose_rename_and_retype() {
    let tiny = Tiny::builder().build();
    let mut rules = Rules::default();
    rules.add_include(r"layers\.[01]\.|norm|blocks").unwrap();
    rules.add_drop(r"layers\.1\.mlp").unwrap();
    rules.add_rename(r"^model\.=backbone.").unwrap();
    rules.add_dtype("layernorm=f32").unwrap();
    rules.add_dtype("sinks=keep").unwrap();
    let policy = Policy { floats: FloatTarget::To(DType::F16), rules, ..Policy::default() };
    let out = tempdir().unwrap();
    let sink = SafetensorsSink::mindspore();
    let report =
        convert(tiny.path(), out.path(), &policy, &sink, &PlanOptions::default(), small_blocks());
    let mut expected = Tensors::new();
    for (name, tensor) in tiny.tensors() {
        let included =
            ["layers.0.", "layers.1.", "norm", "blocks"].iter().any(|part| name.contains(part));
        if !included || name.contains("layers.1.mlp") {
            assert!(report.dropped.contains(name), "{name}");
            continue;
        }
        let target = match name {
            name if name.contains("layernorm") => FloatTarget::To(DType::F32),
            name if name.contains("sinks") => FloatTarget::Keep,
            _ => FloatTarget::To(DType::F16),
        };
        let one = Tensors::from([(name.replacen("model.", "backbone.", 1), tensor.clone())]);
        expected.extend(cast(&one, target));
    }
    let files: Vec<_> = report.files.iter().map(|file| out.path().join(&file.name)).collect();
    assert_tensors(&testkit::safetensors::read(&files[0]), &expected);
}

#[test]
fn the_bytes_do_not_depend_on_threads_or_memory() {
    let tiny = Tiny::builder().build();
    let policy = Policy {
        floats: FloatTarget::To(DType::F32),
        experts: Experts::Dequantize,
        ..Policy::default()
    };
    let mut files = Vec::new();
    for (threads, memory) in [(1, 256 << 20), (1, 0), (7, 0), (4, 1 << 20)] {
        let out = tempdir().unwrap();
        let exec = ExecOptions {
            threads: NonZero::new(threads).unwrap(),
            memory,
            ..ExecOptions::default()
        };
        convert(
            tiny.path(),
            out.path(),
            &policy,
            &CkptSink { crc: true },
            &PlanOptions::default(),
            exec,
        );
        let file = only_ckpt(out.path());
        let verified =
            mindspore_ckpt::verify(&file, &mindspore_ckpt::VerifyOptions::default()).unwrap();
        assert!(verified.is_loadable(), "{verified:?}");
        files.push(std::fs::read(file).unwrap());
    }
    assert!(files.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn mindspores_older_bf16_is_read() {
    // Four bytes an element; the upper two are the value.
    let folder = tempdir().unwrap();
    let words: Vec<u32> = (0..70_000_u32).map(|index| index.wrapping_mul(0x9E37_79B9)).collect();
    let content: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut body = vec![0x08, 0xF0, 0xA2, 0x04, 0x12, 8];
    body.extend(b"BFloat16");
    body.push(0x1A);
    body.extend(varint(content.len()));
    body.extend(&content);
    let mut value = vec![0x0A, 1, b'w', 0x12];
    value.extend(varint(body.len()));
    value.extend(&body);
    let mut file = vec![0x0A];
    file.extend(varint(value.len()));
    file.extend(&value);
    let path = folder.path().join("old.ckpt");
    std::fs::write(&path, file).unwrap();

    let out = folder.path().join("out");
    let sink = SafetensorsSink::hugging_face();
    convert(&path, &out, &Policy::default(), &sink, &PlanOptions::default(), small_blocks());
    let upper: Vec<u8> =
        words.iter().flat_map(|word| ((word >> 16) as u16).to_le_bytes()).collect();
    let tensor = testkit::Tensor { dtype: DType::BF16, shape: vec![70_000], bytes: upper };
    assert_tensors(
        &testkit::safetensors::read_dir(&out),
        &Tensors::from([("w".to_owned(), tensor)]),
    );
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7F {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A folder with one safetensors file of these tensors.
fn written(tensors: &[(&str, DType, &[usize], Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempdir().unwrap();
    let all = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let tensor = testkit::Tensor { dtype: *dtype, shape: shape.to_vec(), bytes: bytes.clone() };
        ((*name).to_owned(), tensor)
    });
    testkit::safetensors::write(&folder.path().join("model.safetensors"), &all.collect(), None);
    folder
}

#[test]
fn experts_of_no_elements_are_packed_too() {
    let weights = written(&[("mlp.experts.down_proj", DType::BF16, &[2, 0, 64], Vec::new())]);
    let out = tempdir().unwrap();
    let policy = Policy { experts: Experts::Quantize, ..Policy::default() };
    let sink = SafetensorsSink::hugging_face();
    convert(weights.path(), out.path(), &policy, &sink, &PlanOptions::default(), small_blocks());
    let packed = testkit::safetensors::read_dir(out.path());
    assert_eq!(packed["mlp.experts.down_proj_blocks"].shape, [2, 64, 0, 16]);
}

#[test]
fn what_cannot_be_packed_is_named() {
    let mut values = [0x80, 0x3F].repeat(64 * 50);
    let element = 40 * 50 + 7;
    values[2 * element..2 * element + 2].copy_from_slice(&[0xC0, 0x7F]);
    let weights = written(&[("mlp.experts.down_proj", DType::BF16, &[1, 64, 50], values)]);
    let source = Source::open(weights.path()).unwrap();
    let policy = Policy { experts: Experts::Quantize, ..Policy::default() };
    let sink = SafetensorsSink::hugging_face();
    let plan = Plan::new(&source, &policy, &sink, &PlanOptions::default()).unwrap();
    let out = tempdir().unwrap();
    let error =
        Executor::default().run(&plan, &source, out.path(), |_| Ok(Vec::new()), &()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("\"mlp.experts.down_proj\"") && text.contains("element 2007 is NaN"),
        "{text}"
    );
}

#[test]
fn parameters_are_those_of_the_result() {
    let tiny = Tiny::builder().build();
    let mut rules = Rules::default();
    rules.add_include("sinks").unwrap();
    let policy = Policy { rules, ..Policy::default() };
    let out = tempdir().unwrap();
    let sink = CkptSink::default();
    convert(tiny.path(), out.path(), &policy, &sink, &PlanOptions::default(), small_blocks());
    let heads = tiny.shape().layers * tiny.shape().heads;
    let manifest = Manifest::read(out.path().join("manifest.json")).unwrap();
    assert_eq!(manifest.parameters, heads as u64);
}

#[test]
fn the_sources_own_configuration_stays() {
    let tiny = Tiny::builder().sharding(Sharding::Single).build();
    let config = std::fs::read(tiny.path().join("config.json")).unwrap();
    let policy = Policy { floats: FloatTarget::To(DType::F16), ..Policy::default() };
    let exec = ExecOptions { overwrite: true, ..small_blocks() };
    let file = tiny.path().join("model.safetensors");
    convert(&file, tiny.path(), &policy, &CkptSink::default(), &PlanOptions::default(), exec);
    assert_eq!(std::fs::read(tiny.path().join("config.json")).unwrap(), config);
}
