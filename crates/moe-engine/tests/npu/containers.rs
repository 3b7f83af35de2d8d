//! Files that weights are in: any of them gives the same model.

use std::fs;
use std::path::Path;

use mindspore_ckpt::{Dtype, LayoutOptions, TensorSpec, Writer};
use testkit::{ExpertFormat, Layout, Tiny, safetensors};

use super::golden::{roomy, short_sets};
use super::machine::{open, small, turn};
use super::models::{bits, logits, tokens};

/// The tensors of a folder of safetensors as one `.ckpt` file beside the same configuration.
fn as_ckpt(from: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(from.join("config.json"), folder.path().join("config.json")).unwrap();
    let file = fs::File::create(folder.path().join("model.ckpt")).unwrap();
    let options = LayoutOptions { slice_bytes: 1 << 12, crc: false };
    let mut writer = Writer::with_options(file, options);
    for (name, tensor) in safetensors::read_dir(from) {
        let dims: Vec<_> = tensor.shape.iter().map(|&extent| extent as u64).collect();
        let spec = TensorSpec::new(&name, Dtype::try_from(tensor.dtype).unwrap(), dims).unwrap();
        writer.write_tensor(spec, &tensor.bytes).unwrap();
    }
    writer.finish().unwrap();
    folder
}

#[test]
fn mindspore_files() {
    let _turn = turn();
    for set in short_sets() {
        for (form, path) in set.checkpoints() {
            let folder = as_ckpt(&path);
            for prompt in set.prompts() {
                let [expected, found] = [&*path, folder.path()]
                    .map(|path| logits(&open(path, 64, &roomy()), &prompt.tokens));
                assert!(bits(&expected) == bits(&found), "{} {form} {}", set.name(), prompt.name);
            }
        }
    }
}

#[test]
fn the_original_layout_and_dense_experts() {
    let _turn = turn();
    let said = |tiny: &Tiny| bits(&logits(&open(tiny.path(), 64, &small()), &tokens(30, 1)));
    let hub = said(&Tiny::builder().seed(7).build());
    assert!(said(&Tiny::builder().seed(7).layout(Layout::Original).build()) == hub);
    // Other values: dense experts are made, not decoded.
    let dense = Tiny::builder().seed(7).experts(ExpertFormat::Bf16).build();
    let folder = as_ckpt(dense.path());
    let from_ckpt = logits(&open(folder.path(), 64, &small()), &tokens(30, 1));
    assert!(bits(&from_ckpt) == said(&dense));
}
