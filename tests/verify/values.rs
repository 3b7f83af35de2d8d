//! Values against the source, by every transform.

use std::fs;
use std::path::{Path, PathBuf};

use ckpt_convert::presets::gpt_oss::ExpertFormat;
use ckpt_convert::{
    CkptSink, Experts, FloatTarget, MANIFEST, Policy, Rules, SafetensorsSink, Source,
};
use lowfloat::DType;
use mindspore_ckpt::{Dtype, Reader, TensorSpec, Writer};
use testkit::{Layout, Tiny};

use super::structure::{crc32, tensor, value};
use super::{NO_ARGS, Said, ckpt_of, convert, edit, json, plain_ckpt, verify};

fn against(ckpt: &Path, weights: &Path) -> Said {
    verify(ckpt, [Path::new("--against"), weights])
}

fn open(tiny: &Tiny) -> Source {
    Source::open(tiny.path()).unwrap()
}

fn policy(floats: FloatTarget, experts: Experts) -> Policy {
    Policy { floats, experts, ..Policy::default() }
}

fn without_manifest(folder: &Path) {
    fs::remove_file(folder.join(MANIFEST)).unwrap();
}

/// Byte `byte` of a tensor in its file.
fn place(ckpt: &Path, tensor: &str, byte: usize) -> usize {
    let reader = Reader::open(ckpt).unwrap();
    reader.entry(tensor).unwrap().slices()[0].offset as usize + byte
}

#[test]
fn every_conversion_with_and_without_its_manifest() {
    let released = Tiny::builder().build();
    let original = Tiny::builder().layout(Layout::Original).build();
    let dense = Tiny::builder().experts(ExpertFormat::Bf16).build();
    let types = [FloatTarget::Keep, FloatTarget::To(DType::F32), FloatTarget::To(DType::F16)];
    let mut cases: Vec<(&Tiny, Policy)> = Vec::new();
    for floats in types {
        cases.push((&released, policy(floats, Experts::Keep)));
        cases.push((&released, policy(floats, Experts::Dequantize)));
        cases.push((&original, policy(floats, Experts::Dequantize)));
        cases.push((&dense, policy(floats, Experts::Keep)));
        cases.push((&dense, policy(floats, Experts::Quantize)));
    }
    for (tiny, policy) in cases {
        let folder = convert(&open(tiny), &policy, &CkptSink::default());
        let ckpt = ckpt_of(folder.path());
        let out = against(&ckpt, tiny.path()).right();
        assert!(out.contains("manifest, digests, every value against"), "{out}");
        without_manifest(folder.path());
        let out = against(&ckpt, tiny.path()).right();
        assert!(out.contains("checked structure, every value against"), "{out}");
        assert!(!out.contains("not checked"), "{out}");
        // One byte at a time comes to the same.
        let small = ["--memory", "0", "--threads", "1", "--against"].map(PathBuf::from);
        verify(&ckpt, small.iter().map(PathBuf::as_path).chain([tiny.path()])).right();
    }
}

#[test]
fn a_flipped_bit_is_found_at_its_element() {
    let tiny = Tiny::builder().build();
    let source = open(&tiny);
    let dequantised = || policy(FloatTarget::Keep, Experts::Dequantize);
    let wide = policy(FloatTarget::To(DType::F32), Experts::Keep);
    let cases = [
        // Copied: [384, 64] of bf16, element 3 * 64 + 5.
        (Policy::default(), "lm_head.weight", 2 * 197, "[3, 5] (number 197)", 24_576),
        // Bytes: [8, 128, 2, 16].
        (
            Policy::default(),
            "model.layers.2.mlp.experts.gate_up_proj_blocks",
            4096 + 32 + 16 + 7,
            "[1, 1, 1, 7] (number 4151)",
            32_768,
        ),
        // Cast to f32.
        (wide, "model.norm.weight", 4 * 63 + 2, "[63] (number 63)", 64),
        // Dequantised and transposed: [8, 64, 128] of bf16.
        (
            dequantised(),
            "model.layers.1.mlp.experts.gate_up_proj",
            2 * (8192 + 128 + 9),
            "[1, 1, 9] (number 8329)",
            65_536,
        ),
        // Beyond what is compared at a time with the least memory.
        (
            dequantised(),
            "model.layers.1.mlp.experts.gate_up_proj",
            2 * 60_000,
            "[7, 20, 96] (number 60000)",
            65_536,
        ),
    ];
    for (policy, tensor, byte, element, elements) in cases {
        let folder = convert(&source, &policy, &CkptSink::default());
        without_manifest(folder.path());
        let ckpt = ckpt_of(folder.path());
        let at = place(&ckpt, tensor, byte);
        edit(&ckpt, |bytes| bytes[at] ^= 0x10);
        let said = format!("tensor {tensor:?}: element {element} is ");
        let count = format!("; 1 of {elements} elements differ");
        let out = against(&ckpt, tiny.path()).wrong(&[&said]);
        assert!(out.contains(&count) && out.contains(", expected "), "{out}");
        let small = ["--memory", "0", "--threads", "1", "--against"].map(PathBuf::from);
        let small = small.iter().map(PathBuf::as_path).chain([tiny.path()]);
        verify(&ckpt, small).wrong(&[&said]);
        let unit = if byte % 4 == 2 { 2 } else { 0 };
        let found = json(&ckpt, [Path::new("--against"), tiny.path()]);
        let finding = &found["findings"].as_array().unwrap().iter().find(|f| f["tensor"] == tensor);
        let offset = finding.unwrap()["offset"].as_u64().unwrap() as usize;
        assert!(offset == at || offset == at - unit, "{offset} is not {at}");
    }
}

#[test]
fn the_first_of_many_and_their_number() {
    let tiny = Tiny::builder().build();
    let folder = plain_ckpt(&open(&tiny));
    without_manifest(folder.path());
    let ckpt = ckpt_of(folder.path());
    let first = place(&ckpt, "model.embed_tokens.weight", 0);
    // Both bytes of element 70, and one each of 71 and 24,575.
    edit(&ckpt, |bytes| {
        for byte in [140, 141, 143, 49_150] {
            bytes[first + byte] ^= 0xff;
        }
    });
    let norm = place(&ckpt, "model.norm.weight", 0);
    let value = f32::from_bits(u32::from_le_bytes({
        let bytes = fs::read(&ckpt).unwrap();
        [0, 0, bytes[norm], bytes[norm + 1]]
    }));
    edit(&ckpt, |bytes| bytes[norm + 1] ^= 0x80);
    let out = against(&ckpt, tiny.path()).wrong(&[
        "tensor \"model.embed_tokens.weight\": element [1, 6] (number 70)",
        &format!("element [0] (number 0) is -{value} (bits 0x"),
    ]);
    assert!(out.contains("; 3 of 24576 elements differ"), "{out}");
    assert!(out.contains(&format!("expected {value} (bits")), "{out}");
}

#[test]
fn wrong_packing_is_found() {
    let tiny = Tiny::builder().experts(ExpertFormat::Bf16).build();
    let folder =
        convert(&open(&tiny), &policy(FloatTarget::Keep, Experts::Quantize), &CkptSink::default());
    let ckpt = ckpt_of(folder.path());
    let (blocks, scales) = (
        "model.layers.0.mlp.experts.down_proj_blocks",
        "model.layers.3.mlp.experts.down_proj_scales",
    );
    let (block, scale) = (place(&ckpt, blocks, 33), place(&ckpt, scales, 2));
    edit(&ckpt, |bytes| {
        bytes[block] ^= 1;
        bytes[scale] ^= 1;
    });
    without_manifest(folder.path());
    let out = against(&ckpt, tiny.path()).wrong(&[
        "down_proj_blocks\": element [0, 1, 0, 1] (number 33)",
        "down_proj_scales\": element [0, 1, 0] (number 2)",
    ]);
    assert!(out.contains("packed from BF16 \"model.layers.0.mlp.experts.down_proj\""), "{out}");
}

#[test]
fn another_model_of_the_same_shapes() {
    let tiny = Tiny::builder().build();
    let other = Tiny::builder().seed(9).build();
    let folder = plain_ckpt(&open(&tiny));
    let said = against(&ckpt_of(folder.path()), other.path());
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("79 errors:"), "{}", said.out);
}

#[test]
fn renamed_tensors_need_the_manifest() {
    let tiny = Tiny::builder().build();
    let mut rules = Rules::default();
    rules.add_rename(r"^model\.norm=final.norm").unwrap();
    rules.add_drop(r"^lm_head\.").unwrap();
    let policy = Policy { rules, ..Policy::default() };
    let folder = convert(&open(&tiny), &policy, &CkptSink::default());
    let ckpt = ckpt_of(folder.path());
    against(&ckpt, tiny.path()).right();
    without_manifest(folder.path());
    let out = against(&ckpt, tiny.path()).wrong(&[
        "tensor \"final.norm.weight\": not in the source under this name",
        "tensor \"model.norm.weight\" of the source is in no tensor of the checkpoint",
        "tensor \"lm_head.weight\" of the source is in no tensor of the checkpoint",
    ]);
    assert!(out.contains("if tensors were renamed, the manifest is needed"), "{out}");
}

#[test]
fn dropped_experts_are_known_by_every_name() {
    let released = Tiny::builder().build();
    let dense = Tiny::builder().experts(ExpertFormat::Bf16).build();
    for (tiny, experts) in [
        (&released, Experts::Keep),
        (&released, Experts::Dequantize),
        (&dense, Experts::Keep),
        (&dense, Experts::Quantize),
    ] {
        let mut rules = Rules::default();
        rules.add_drop(r"layers\.1\.mlp\.experts\.down_proj").unwrap();
        let policy = Policy { rules, experts, ..Policy::default() };
        let folder = convert(&open(tiny), &policy, &CkptSink::default());
        against(&ckpt_of(folder.path()), tiny.path()).right();
        without_manifest(folder.path());
        let said = against(&ckpt_of(folder.path()), tiny.path());
        assert_eq!(said.code, Some(1), "{}", said.out);
    }
}

#[test]
fn a_shape_that_the_source_does_not_give() {
    let tiny = Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(Vec::new());
    for (name, tensor) in tiny.tensors() {
        let mut dims: Vec<_> = tensor.shape.iter().map(|&extent| extent as u64).collect();
        let mut dtype = Dtype::try_from(tensor.dtype).unwrap();
        if name == "lm_head.weight" {
            dims.reverse();
        } else if name == "model.norm.weight" {
            dtype = Dtype::Int16;
        }
        let spec = TensorSpec::new(name.as_str(), dtype, dims).unwrap();
        writer.write_tensor(spec, &tensor.bytes).unwrap();
    }
    let ckpt = folder.path().join("x.ckpt");
    fs::write(&ckpt, writer.finish().unwrap().0).unwrap();
    against(&ckpt, tiny.path()).wrong(&[
        "tensor \"lm_head.weight\": BF16 [64, 384], but \"lm_head.weight\" of the source is BF16 \
         [384, 64]",
        "tensor \"model.norm.weight\": I16, but",
        "tensor \"lm_head.weight\" of the source",
        "tensor \"model.norm.weight\" of the source",
    ]);
}

#[test]
fn back_to_safetensors_against_the_checkpoint() {
    let tiny = Tiny::builder().build();
    let there = plain_ckpt(&open(&tiny));
    let source = Source::open(there.path()).unwrap();
    let back = convert(&source, &Policy::default(), &SafetensorsSink::hugging_face());
    against(back.path(), there.path()).right();
    against(back.path(), tiny.path()).right();
    // And a checkpoint without a manifest of its own against one that it did not come from.
    without_manifest(there.path());
    verify(there.path(), NO_ARGS).right();
    against(there.path(), back.path()).right();
}

#[test]
fn bf16_as_older_versions_stored_it() {
    // Four bytes an element, of which the upper two count.
    let tiny = Tiny::builder().build();
    let norm = tiny.tensor("model.norm.weight");
    let content: Vec<u8> =
        norm.bytes.chunks_exact(2).flat_map(|half| [7, 7, half[0], half[1]]).collect();
    let file = value(b"model.norm.weight", &tensor(&[64], "BFloat16", &content));
    let folder = tempfile::tempdir().unwrap();
    let ckpt = folder.path().join("old.ckpt");
    fs::write(&ckpt, &file).unwrap();
    // It is one tensor of many: the others are missed, its values are not.
    let found = json(&ckpt, [Path::new("--against"), tiny.path()]);
    assert_eq!(found["errors"], 78);
    let at = place(&ckpt, "model.norm.weight", 4 * 9 + 3);
    edit(&ckpt, |bytes| bytes[at] ^= 1);
    let found = json(&ckpt, [Path::new("--against"), tiny.path()]);
    assert_eq!(found["errors"], 79);
    let findings = found["findings"].as_array().unwrap();
    let wrong = |f: &&serde_json::Value| f["severity"] == "error" && f["offset"].is_u64();
    let finding = findings.iter().find(wrong).unwrap();
    assert_eq!(finding["offset"], at - 1);
    assert!(finding["message"].as_str().unwrap().contains("element [9] (number 9)"));
}

#[test]
fn slices_and_their_checksum() {
    let tiny = Tiny::builder().build();
    let source = tempfile::tempdir().unwrap();
    let one = ["lm_head.weight"].map(|name| (name.to_owned(), tiny.tensor(name).clone()));
    testkit::safetensors::write(&source.path().join("a.safetensors"), &one.clone().into(), None);
    // Cut inside elements, one slice empty.
    let content = &one[0].1.bytes;
    let cuts = [0, 1, 1, 1001, 30_000, content.len()];
    let slices = cuts.windows(2).map(|cut| {
        value(b"lm_head.weight", &tensor(&[384, 64], "BFloat16", &content[cut[0]..cut[1]]))
    });
    let body: Vec<u8> = slices.flatten().collect();
    let sealed = |body: &[u8]| [body, &mindspore_ckpt::trailer(crc32(body))[..]].concat();
    let folder = tempfile::tempdir().unwrap();
    let ckpt = folder.path().join("x.ckpt");
    fs::write(&ckpt, sealed(&body)).unwrap();
    let out = against(&ckpt, source.path()).right();
    assert!(out.contains("checked structure, checksum, every value"), "{out}");

    // Element 500 is in two slices.
    let at = Reader::open(&ckpt).unwrap().entries()[0].slices()[3].offset as usize;
    let mut changed = body;
    changed[at] ^= 1;
    fs::write(&ckpt, sealed(&changed)).unwrap();
    against(&ckpt, source.path()).wrong(&["element [7, 52] (number 500) is"]);
    edit(&ckpt, |bytes| bytes[at] ^= 2);
    against(&ckpt, source.path()).wrong(&["(number 500) is", "the checksum is"]);
}
