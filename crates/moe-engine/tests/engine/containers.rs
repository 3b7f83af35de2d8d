//! Files that weights are in: any of them gives the same model.

use std::fs;
use std::path::Path;

use lowfloat::DType;
use mindspore_ckpt::{Dtype, LayoutOptions, TensorSpec, Writer};
use moe_engine::{Error, Model, Options, Precision};
use testkit::{ExpertFormat, Layout, Sharding, Tensors, Tiny};

use crate::models::{bits, tokens};

fn open(path: &Path) -> Result<Model, Error> {
    Model::open(path, &Options { check: true, ..Options::default() })
}

fn logits(path: &Path) -> Vec<u32> {
    let model = open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    bits(&model.evaluate(&mut model.session().unwrap(), &tokens(30, 1)).unwrap())
}

#[test]
fn any_sharding() {
    for experts in [ExpertFormat::Mxfp4, ExpertFormat::Bf16] {
        let builder = Tiny::builder().experts(experts);
        let expected = logits(builder.clone().sharding(Sharding::Released).build().path());
        for sharding in [Sharding::Single, Sharding::PerTensor] {
            let tiny = builder.clone().sharding(sharding).build();
            assert!(logits(tiny.path()) == expected, "{sharding:?}");
        }
    }
}

#[test]
fn a_file_or_an_index_for_its_folder() {
    let tiny = Tiny::builder().sharding(Sharding::Single).build();
    let expected = logits(tiny.path());
    assert!(logits(&tiny.files()[0]) == expected);
    let tiny = Tiny::builder().build();
    assert!(logits(&tiny.path().join("model.safetensors.index.json")) == expected);
    // One of several shards is not the model.
    let error = open(&tiny.files()[0]).unwrap_err();
    assert!(matches!(&error, Error::Tensors { problems, .. } if problems.len() > 10), "{error}");
}

#[test]
fn the_original_layout() {
    let hub = Tiny::builder().seed(7).build();
    for sharding in [Sharding::Single, Sharding::PerTensor] {
        let original = Tiny::builder().seed(7).layout(Layout::Original).sharding(sharding).build();
        let model = open(original.path()).unwrap();
        assert_eq!(model.config().swiglu.alpha.to_bits(), 1.702_f32.to_bits());
        assert!(logits(original.path()) == logits(hub.path()), "{sharding:?}");
    }
    // In a folder of its own, as it is downloaded.
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("original");
    let _ = Tiny::builder().seed(7).layout(Layout::Original).build_in(&inside);
    assert!(logits(folder.path()) == logits(hub.path()));
    assert_eq!(open(folder.path()).unwrap().path(), inside);
    // Where there is both, the hub's counts.
    let _ = Tiny::builder().seed(8).build_in(folder.path());
    assert_eq!(open(folder.path()).unwrap().path(), folder.path());
}

fn write_ckpt(path: &Path, tensors: &Tensors, slice_bytes: u64, crc: bool) {
    let file = fs::File::create(path).unwrap();
    let mut writer = Writer::with_options(file, LayoutOptions { slice_bytes, crc });
    for (name, tensor) in tensors {
        let dims: Vec<_> = tensor.shape.iter().map(|&extent| extent as u64).collect();
        let spec = TensorSpec::new(name, Dtype::try_from(tensor.dtype).unwrap(), dims).unwrap();
        writer.write_tensor(spec, &tensor.bytes).unwrap();
    }
    writer.write_text("note", "no tensor").unwrap();
    writer.finish().unwrap();
}

/// A folder with the configuration of `tiny`.
fn folder(tiny: &Tiny) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(tiny.path().join("config.json"), folder.path().join("config.json")).unwrap();
    folder
}

#[test]
fn mindspore_files() {
    for (layout, experts) in [
        (Layout::Hf, ExpertFormat::Mxfp4),
        (Layout::Hf, ExpertFormat::Bf16),
        (Layout::Original, ExpertFormat::Mxfp4),
    ] {
        let tiny = Tiny::builder().layout(layout).experts(experts).build();
        let expected = logits(tiny.path());
        // Whole tensors, and slices that cut rows and blocks anywhere.
        for (slice_bytes, crc) in [(1 << 29, false), (1002, true), (62, false)] {
            let folder = folder(&tiny);
            let path = folder.path().join("model.ckpt");
            write_ckpt(&path, tiny.tensors(), slice_bytes, crc);
            assert!(logits(folder.path()) == expected, "slices of {slice_bytes}");
            assert!(logits(&path) == expected, "slices of {slice_bytes}");
        }
    }
}

#[test]
fn mindspore_files_in_parts() {
    let tiny = Tiny::builder().build();
    let folder = folder(&tiny);
    let mut one = tiny.tensors().clone();
    let other = one.split_off("model.layers.1.mlp.router.weight");
    let mut map = serde_json::Map::new();
    for (file, tensors) in [("a.ckpt", &one), ("b.ckpt", &other)] {
        write_ckpt(&folder.path().join(file), tensors, 1 << 29, false);
        map.extend(tensors.keys().map(|name| (name.clone(), file.into())));
    }
    // All files of the folder, then those of the index, then the index itself.
    assert!(logits(folder.path()) == logits(tiny.path()));
    let index = folder.path().join("model.ckpt.index.json");
    fs::write(&index, serde_json::json!({ "weight_map": map }).to_string()).unwrap();
    write_ckpt(&folder.path().join("c.ckpt"), &one, 1 << 29, false);
    assert!(logits(folder.path()) == logits(tiny.path()));
    assert!(logits(&index) == logits(tiny.path()));
    fs::remove_file(&index).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("c.ckpt") && error.contains("lm_head.weight"), "{error}");
}

/// What MindSpore before 2.3 wrote: bf16 as f32.
#[test]
fn mindspore_files_of_older_versions() {
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut len = content.len();
        while len > 0x7f {
            bytes.push(len as u8 | 0x80);
            len >>= 7;
        }
        bytes.push(len as u8);
        [&bytes, content].concat()
    }
    let tiny = Tiny::builder().build();
    let folder = folder(&tiny);
    let mut file = Vec::new();
    for (name, tensor) in tiny.tensors() {
        let dims = tensor.shape.iter().flat_map(|&extent| match extent {
            0..0x80 => vec![8, extent as u8],
            _ => vec![8, extent as u8 | 0x80, (extent >> 7) as u8],
        });
        let wide = tensor.bytes.chunks_exact(2).flat_map(|half| [0, 0, half[0], half[1]]);
        let (dtype, content) = match tensor.dtype {
            DType::BF16 => ("BFloat16", wide.collect()),
            _ => ("UInt8", tensor.bytes.clone()),
        };
        let tensor = [dims.collect(), field(2, dtype.as_bytes()), field(3, &content)].concat();
        file.extend(field(1, &[field(1, name.as_bytes()), field(2, &tensor)].concat()));
    }
    fs::write(folder.path().join("old.ckpt"), file).unwrap();
    assert!(logits(folder.path()) == logits(tiny.path()));
}

#[test]
fn files_that_were_cut_are_refused() {
    let tiny = Tiny::builder().sharding(Sharding::Single).build();
    let file = &tiny.files()[0];
    let folder = folder(&tiny);
    let ckpt = folder.path().join("model.ckpt");
    write_ckpt(&ckpt, tiny.tensors(), 1 << 29, false);
    for (path, step) in [(file, 20_011), (&ckpt, 20_011)] {
        let bytes = fs::read(path).unwrap();
        for len in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
            fs::write(path, &bytes[..len]).unwrap();
            let error = open(path.parent().unwrap()).unwrap_err();
            let named = path.file_name().unwrap().to_str().unwrap();
            // A file that ends after a tensor is whole; then others are missing.
            let missing = matches!(error, Error::Tensors { .. });
            assert!(missing || error.to_string().contains(named), "{len} bytes: {error}");
        }
    }
}

#[test]
fn nothing_to_open() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(&folder.path().join("none")).unwrap_err();
    assert!(matches!(&error, Error::Io { .. }), "{error}");
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("config.json"), "{error}");
    let tiny = Tiny::builder().build();
    fs::copy(tiny.path().join("config.json"), folder.path().join("config.json")).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(&error, Error::NoWeights { path } if path == folder.path()), "{error}");
    fs::write(folder.path().join("model.bin"), "torch").unwrap();
    assert!(open(folder.path()).is_err());
}

#[test]
fn options_that_cannot_be() {
    let tiny = Tiny::builder().build();
    let options = Options { threads: Some(0), ..Options::default() };
    let error = Model::open(tiny.path(), &options).unwrap_err().to_string();
    assert_eq!(error, "threads: is 0, expected at least one");
    let options = Options { chunk: 0, ..Options::default() };
    let error = Model::open(tiny.path(), &options).unwrap_err().to_string();
    assert_eq!(error, "chunk: is 0, expected at least one token");
    assert_eq!("bf16".parse::<Precision>().unwrap(), Precision::Bf16);
    let error = "int4".parse::<Precision>().unwrap_err().to_string();
    assert_eq!(error, "precision: \"int4\" is none, expected f32, bf16 or f16");
}
