//! Weights stay in the files: what a model takes of memory besides.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape, TensorDesc, config_json, tensors};
use mindspore_ckpt::{Dtype, LayoutOptions, TensorSpec};
use moe_engine::{Model, Options, Precision};
use testkit::safetensors;

const MB: u64 = 1 << 20;

/// A model of some 250 MB, as wide and as deep as it takes.
fn shape() -> Shape {
    Shape {
        layers: 4,
        hidden: 1024,
        intermediate: 1024,
        heads: 16,
        kv_heads: 2,
        experts: 24,
        vocab: 20_000,
        ..Shape::b20()
    }
}

/// The header of a file and a hole: every weight is 0, and it takes no disk.
fn write_safetensors(folder: &Path, all: &[TensorDesc]) -> u64 {
    let described = all.iter().map(|desc| (desc.name.as_str(), desc.dtype, &desc.shape[..]));
    let (header, _) = safetensors::header(described, None);
    let bytes: u64 = all.iter().map(TensorDesc::bytes).sum();
    let file = File::create(folder.join("model.safetensors")).unwrap();
    file.write_all_at(&header, 0).unwrap();
    file.set_len(header.len() as u64 + bytes).unwrap();
    bytes
}

/// The same as a `MindSpore` file, in slices that end within rows.
fn write_ckpt(folder: &Path, all: &[TensorDesc]) {
    let spec = |desc: &TensorDesc| {
        let dims: Vec<_> = desc.shape.iter().map(|&extent| extent as u64).collect();
        TensorSpec::new(&desc.name, Dtype::try_from(desc.dtype).unwrap(), dims).unwrap()
    };
    let specs: Vec<_> = all.iter().map(spec).collect();
    let options = LayoutOptions { slice_bytes: 5_000_010, crc: false };
    let layout = mindspore_ckpt::Layout::new(&specs, options).unwrap();
    let file = File::create(folder.join("model.ckpt")).unwrap();
    file.set_len(layout.total_len()).unwrap();
    for record in layout.records() {
        let at = layout.content_offset(record) - record.header.len() as u64;
        file.write_all_at(&record.header, at).unwrap();
    }
}

/// Resident memory of this process, anonymous and of files.
fn resident() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    };
    (field("RssAnon:"), field("RssFile:"))
}

/// One test, so that nothing else allocates meanwhile.
#[test]
fn weights_stay_mapped() {
    let all = tensors(&shape(), ExpertFormat::Mxfp4);
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for folder in &folders {
        let config = config_json(&shape(), ExpertFormat::Mxfp4);
        fs::write(folder.path().join("config.json"), config).unwrap();
    }
    let bytes = write_safetensors(folders[0].path(), &all);
    assert!(bytes > 200 * MB, "{bytes}");
    write_ckpt(folders[1].path(), &all);
    for folder in &folders {
        for precision in [Precision::F32, Precision::Bf16] {
            let (anonymous, mapped) = resident();
            let options = Options { precision, ..Options::default() };
            let model = Model::open(folder.path(), &options).unwrap();
            let mut session = model.session().unwrap();
            let logits = model.evaluate(&mut session, &[1, 2, 3]).unwrap();
            let logits = logits.len() + model.evaluate(&mut session, &[4]).unwrap().len();
            assert_eq!(logits, 40_000);
            let (now, mapped_now) = resident();
            let grown = now.saturating_sub(anonymous);
            assert!(grown < 48 * MB, "{precision}: {} MB", grown / MB);
            // That it was used at all: the head, attention, and 4 experts of 24.
            let read = mapped_now.saturating_sub(mapped);
            assert!(read > 80 * MB, "{precision}: {} MB of {} MB", read / MB, bytes / MB);
        }
    }
}
