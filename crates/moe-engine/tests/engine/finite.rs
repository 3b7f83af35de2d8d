//! Weights that are no numbers.

use lowfloat::DType;
use moe_engine::{Error, Model, Options};
use testkit::{ExpertFormat, Layout, Sharding, Tensor, Tensors, Tiny, safetensors};

use crate::models::tokens;
use crate::weights::{changed, single};

fn checked(tiny: &Tiny) -> Result<Model, Error> {
    Model::open(tiny.path(), &Options { check: true, ..Options::default() })
}

/// The file, the tensor, the element and its value.
fn found(tiny: &Tiny) -> (String, String, u64, f32) {
    match checked(tiny) {
        Err(Error::WeightNotFinite { path, tensor, element, value }) => {
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            (file, tensor, element, value)
        }
        other => panic!("{:?}", other.err()),
    }
}

fn set(tensors: &mut Tensors, name: &str, element: usize, value: &[u8]) {
    let bytes = &mut tensors.get_mut(name).unwrap().bytes;
    bytes[element * value.len()..][..value.len()].copy_from_slice(value);
}

/// The tensor in another type, of the same values or near.
fn cast(tensor: &Tensor, dtype: DType) -> Tensor {
    let values = tensor.bytes.chunks_exact(2).map(|b| lowfloat::bf16::from_le_bytes([b[0], b[1]]));
    let bytes = match dtype {
        DType::F32 => values.flat_map(|value| value.to_f32().to_le_bytes()).collect(),
        _ => {
            values.flat_map(|value| lowfloat::f16::from_f32(value.to_f32()).to_le_bytes()).collect()
        }
    };
    Tensor { dtype, shape: tensor.shape.clone(), bytes }
}

#[test]
fn good_weights_pass() {
    for (layout, experts) in [
        (Layout::Hf, ExpertFormat::Mxfp4),
        (Layout::Hf, ExpertFormat::Bf16),
        (Layout::Original, ExpertFormat::Mxfp4),
    ] {
        checked(&single(layout, experts)).unwrap();
    }
}

#[test]
fn found_in_every_type() {
    let tiny = single(Layout::Hf, ExpertFormat::Mxfp4);
    let name = "model.layers.1.self_attn.o_proj.weight";
    for (dtype, element, bytes) in [
        (DType::BF16, 0, &[0xc0, 0x7f][..]),
        (DType::BF16, 4097, &[0x80, 0x7f]),
        (DType::F16, 64 * 128 - 1, &[0x00, 0x7e]),
        (DType::F16, 77, &[0x00, 0xfc]),
        (DType::F32, 3, &[0, 0, 0x80, 0x7f]),
        (DType::F32, 5, &[1, 0, 0x80, 0xff]),
    ] {
        changed(&tiny, |tensors| {
            let new = cast(&tensors[name], dtype);
            if dtype != DType::BF16 {
                tensors.insert(name.to_owned(), new);
            }
            set(tensors, name, element, bytes);
        });
        let (file, tensor, at, value) = found(&tiny);
        assert_eq!((file.as_str(), tensor.as_str()), ("model.safetensors", name));
        assert_eq!(at, element as u64, "{dtype}");
        assert!(!value.is_finite(), "{value}");
    }
}

#[test]
fn the_largest_finite_values_pass() {
    let tiny = single(Layout::Hf, ExpertFormat::Mxfp4);
    changed(&tiny, |tensors| {
        set(tensors, "model.norm.weight", 0, &[0x7f, 0x7f]);
        set(tensors, "model.layers.0.mlp.experts.down_proj_scales", 9, &[254]);
        // 255 is NaN as a scale only.
        set(tensors, "model.layers.0.mlp.experts.down_proj_blocks", 9, &[255]);
    });
    checked(&tiny).unwrap();
}

#[test]
fn a_scale_can_be_none() {
    for (layout, name) in [
        (Layout::Hf, "model.layers.3.mlp.experts.gate_up_proj_scales"),
        (Layout::Original, "block.3.mlp.mlp2_weight.scales"),
    ] {
        let tiny = single(layout, ExpertFormat::Mxfp4);
        changed(&tiny, |tensors| set(tensors, name, 1001, &[255]));
        let (_, tensor, element, value) = found(&tiny);
        assert_eq!((tensor.as_str(), element), (name, 1001));
        assert!(value.is_nan());
    }
}

/// Of several the first, in the order of names; and the shard's own file is named.
#[test]
fn the_first_is_named_with_its_file() {
    let tiny = Tiny::builder().sharding(Sharding::PerTensor).build();
    for name in ["model.layers.2.self_attn.sinks", "model.layers.2.self_attn.v_proj.bias"] {
        let holds = |file: &&std::path::PathBuf| safetensors::read(file).contains_key(name);
        let file = tiny.files().iter().find(holds).unwrap();
        let mut tensors = safetensors::read(file);
        set(&mut tensors, name, 5, &[0xff, 0x7f]);
        set(&mut tensors, name, 2, &[0xff, 0xff]);
        safetensors::write(file, &tensors, None);
        let (named, tensor, element, _) = found(&tiny);
        assert_eq!(tensor, "model.layers.2.self_attn.sinks");
        assert_eq!(element, 2);
        assert!(named.starts_with("model-000") && named.ends_with("safetensors"), "{named}");
        let error = checked(&tiny).unwrap_err().to_string();
        assert!(error.contains(&named) && error.contains("element 2 is NaN"), "{error}");
    }
}

/// Without the check the step that meets it fails, and says where.
#[test]
fn unchecked_weights_fail_in_the_step() {
    for (name, bytes, layer) in [
        ("model.embed_tokens.weight", &[0xc0, 0x7f][..], "layer 0"),
        ("model.layers.2.self_attn.q_proj.weight", &[0xc0, 0x7f], "layer 2"),
        ("model.layers.2.self_attn.v_proj.bias", &[0x80, 0x7f], "layer 2"),
        ("model.layers.1.mlp.router.bias", &[0xc0, 0x7f], "layer 1"),
        ("model.layers.1.mlp.experts.down_proj_bias", &[0xc0, 0x7f], "layer 2"),
        ("model.layers.1.mlp.experts.gate_up_proj_scales", &[255], "layer 2"),
        ("model.layers.3.mlp.experts.down_proj_scales", &[255], "the last layer"),
        ("lm_head.weight", &[0xc0, 0x7f], "the head"),
    ] {
        let tiny = single(Layout::Hf, ExpertFormat::Mxfp4);
        changed(&tiny, |tensors| {
            let all = &mut tensors.get_mut(name).unwrap().bytes;
            all.chunks_exact_mut(bytes.len()).for_each(|value| value.copy_from_slice(bytes));
        });
        let model = Model::open(tiny.path(), &Options::default()).unwrap();
        let mut session = model.session().unwrap();
        let error = model.evaluate(&mut session, &tokens(5, 1)).unwrap_err();
        let Error::NotFinite { step, sequence: 0, position, .. } = &error else {
            panic!("{name}: {error}")
        };
        assert!(step.contains(layer), "{name}: {step}");
        // Of the head's only the last is computed.
        assert_eq!(*position, if layer == "the head" { 4 } else { 0 }, "{name}");
        assert!(session.is_empty());
    }
}
