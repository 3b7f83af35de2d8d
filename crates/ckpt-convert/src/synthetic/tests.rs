use lowfloat::bf16;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;

fn bytes(model: &Synthetic, tensor: usize) -> Vec<u8> {
    let mut bytes = vec![0; model.tensors()[tensor].bytes() as usize];
    model.fill(tensor, 0, &mut bytes);
    bytes
}

fn find(model: &Synthetic, end: &str) -> usize {
    model.tensors().iter().position(|t| t.name.ends_with(end)).unwrap()
}

/// The first bf16 elements of a tensor, at most 512 Ki.
fn values(model: &Synthetic, end: &str) -> Vec<f64> {
    let tensor = find(model, end);
    let mut bytes = vec![0; model.tensors()[tensor].bytes().min(1 << 20) as usize];
    model.fill(tensor, 0, &mut bytes);
    let pairs = bytes.as_chunks::<2>().0.iter();
    pairs.map(|&pair| bf16::from_le_bytes(pair).to_f64()).collect()
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, square.sqrt())
}

/// Sizes that fit neither eight bytes nor a block of 32.
fn odd() -> Shape {
    Shape {
        layers: 1,
        hidden: 50,
        intermediate: 33,
        experts: 3,
        vocab: 7,
        heads: 3,
        kv_heads: 1,
        head_dim: 2,
        ..Shape::tiny()
    }
}

fn shapes() -> impl Strategy<Value = (Shape, ExpertFormat)> {
    let shape = prop_oneof![Just(Shape::tiny().with_layers(1)), Just(odd())];
    (shape, prop_oneof![Just(ExpertFormat::Mxfp4), Just(ExpertFormat::Bf16)])
}

proptest! {
    #[test]
    fn any_part_equals_the_same_part_of_the_whole(
        (shape, experts) in shapes(),
        seed: u64,
        which: prop::sample::Index,
        from: prop::sample::Index,
        length in 0..3000_usize,
    ) {
        let model = Synthetic::new(shape, experts, seed);
        let tensor = which.index(model.tensors().len());
        let whole = bytes(&model, tensor);
        let from = from.index(whole.len());
        let mut part = vec![0xee; length];
        model.fill(tensor, from as u64, &mut part);
        let inside = length.min(whole.len() - from);
        prop_assert_eq!(&part[..inside], &whole[from..from + inside]);
        prop_assert!(part[inside..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn any_chunking_gives_the_same_bytes(
        (shape, experts) in shapes(),
        which: prop::sample::Index,
        lengths in prop::collection::vec(1..2500_usize, 1..20),
    ) {
        let model = Synthetic::new(shape, experts, 1);
        let tensor = which.index(model.tensors().len());
        let whole = bytes(&model, tensor);
        let mut chunked = vec![0; whole.len()];
        let (mut rest, mut offset) = (chunked.as_mut_slice(), 0);
        for length in lengths.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, behind) = rest.split_at_mut(rest.len().min(*length));
            model.fill(tensor, offset, chunk);
            offset += chunk.len() as u64;
            rest = behind;
        }
        prop_assert!(chunked == whole);
    }
}

/// The MXFP4 weight `stem` dequantised by the book and transposed, as bf16 bits.
fn dequantised(model: &Synthetic, stem: &str) -> Vec<u16> {
    const E2M1: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
    let tensor = find(model, &format!("{stem}_blocks"));
    let (blocks, scales) = (bytes(model, tensor), bytes(model, tensor + 1));
    let &[experts, rows, groups, _] = &model.tensors()[tensor].shape[..] else { unreachable!() };
    let mut dense = Vec::new();
    for expert in 0..experts {
        for input in 0..groups * 32 {
            for row in 0..rows {
                let block = (expert * rows + row) * groups + input / 32;
                let byte = blocks[block * 16 + input % 32 / 2];
                let code = if input % 2 == 0 { byte & 15 } else { byte >> 4 };
                let sign = if code < 8 { 1.0 } else { -1.0 };
                let scale = 2_f32.powi(i32::from(scales[block]) - 127);
                let value = sign * E2M1[usize::from(code & 7)] * scale;
                assert_eq!(bf16::from_f32(value).to_f32().to_bits(), value.to_bits(), "exact");
                dense.push(bf16::from_f32(value).to_bits());
            }
        }
    }
    dense
}

#[test]
fn dense_experts_are_the_dequantised_ones() {
    let oblong = Shape { hidden: 96, intermediate: 32, experts: 3, ..Shape::tiny() };
    for shape in [Shape::tiny(), oblong] {
        let packed = Synthetic::new(shape.clone(), ExpertFormat::Mxfp4, 9);
        let dense = Synthetic::new(shape, ExpertFormat::Bf16, 9);
        for stem in ["layers.1.mlp.experts.gate_up_proj", "layers.2.mlp.experts.down_proj"] {
            let held = bytes(&dense, find(&dense, stem));
            let held: Vec<u16> =
                held.as_chunks::<2>().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect();
            assert_eq!(held, dequantised(&packed, stem), "{stem}");
        }
        for tensor in dense.tensors().iter().filter(|t| !t.name.ends_with("up_proj")) {
            if let Some(same) = packed.tensors().iter().position(|t| t.name == tensor.name) {
                let here = find(&dense, &tensor.name);
                assert_eq!(bytes(&dense, here), bytes(&packed, same), "{}", tensor.name);
            }
        }
    }
}

#[test]
fn moments_are_as_documented() {
    let model = Synthetic::new(Shape::b20(), ExpertFormat::Bf16, 3);
    let fan_in = |inputs: f64| 1.0 / inputs.sqrt();
    for (name, mean, deviation, tolerance) in [
        ("embed_tokens.weight", 0.0, 1.0, 0.01),
        ("lm_head.weight", 0.0, 2.0 * fan_in(2880.0), 0.01),
        ("layers.5.self_attn.q_proj.weight", 0.0, fan_in(2880.0), 0.01),
        ("layers.5.self_attn.o_proj.weight", 0.0, fan_in(4096.0), 0.01),
        ("layers.5.mlp.router.weight", 0.0, fan_in(2880.0), 0.01),
        ("layers.5.mlp.experts.gate_up_proj", 0.0, fan_in(2880.0), 0.03),
        ("layers.5.mlp.experts.down_proj", 0.0, fan_in(2880.0), 0.03),
        ("layers.5.mlp.experts.gate_up_proj_bias", 0.0, 0.02, 0.01),
        ("layers.5.self_attn.sinks", 0.0, 1.0, 0.3),
        ("layers.5.input_layernorm.weight", 1.0, 0.1, 0.05),
        ("model.norm.weight", 1.0, 0.1, 0.05),
    ] {
        let values = values(&model, name);
        let (found_mean, found_deviation) = mean_and_deviation(&values);
        let noise = 5.0 * deviation / (values.len() as f64).sqrt();
        assert!((found_mean - mean).abs() < noise, "{name}: mean {found_mean}");
        let error = found_deviation / deviation - 1.0;
        assert!(error.abs() < tolerance, "{name}: deviation {found_deviation}, not {deviation}");
    }
}

#[test]
fn elements_are_independent_of_their_neighbours() {
    let model = Synthetic::new(Shape::b20(), ExpertFormat::Bf16, 3);
    for name in ["embed_tokens.weight", "gate_up_proj"] {
        let values = values(&model, name);
        let (_, deviation) = mean_and_deviation(&values);
        for lag in [1, 2, 3, 4, 5, 8, 16, 32, 2880, 5760] {
            let pairs = values.iter().zip(&values[lag..]);
            let count = (values.len() - lag) as f64;
            let correlation =
                pairs.map(|(a, b)| a * b).sum::<f64>() / (count * deviation * deviation);
            assert!(correlation.abs() < 5.0 / count.sqrt(), "{name}, lag {lag}: {correlation}");
        }
    }
}

#[test]
fn released_sizes_have_released_exponents() {
    let model = Synthetic::new(Shape::b20(), ExpertFormat::Mxfp4, 3);
    let mut scales = vec![0; 1 << 16];
    model.fill(find(&model, "down_proj_scales"), 12_345, &mut scales);
    let mut counts = [0_u32; 256];
    for &scale in &scales {
        counts[usize::from(scale)] += 1;
    }
    let share = |scale: usize| f64::from(counts[scale]) / scales.len() as f64;
    assert!((share(119) - 0.25).abs() < 0.01);
    assert!((share(120) - 0.5).abs() < 0.01);
    assert!((share(121) - 0.25).abs() < 0.01);
}

#[test]
fn no_value_is_subnormal_infinite_or_nan() {
    for experts in [ExpertFormat::Mxfp4, ExpertFormat::Bf16] {
        for shape in [Shape::tiny(), Shape { hidden: 1, intermediate: 1, ..Shape::tiny() }] {
            let model = Synthetic::new(shape, experts, 5);
            for (index, tensor) in model.tensors().iter().enumerate() {
                let bytes = bytes(&model, index);
                if tensor.dtype == DType::BF16 {
                    for &pair in bytes.as_chunks::<2>().0 {
                        let value = bf16::from_le_bytes(pair);
                        assert!(value.is_normal() || value.to_f32() == 0.0, "{}", tensor.name);
                    }
                } else if tensor.name.ends_with("scales") {
                    assert!(bytes.iter().all(|scale| (100..=130).contains(scale)));
                }
            }
        }
    }
}

#[test]
fn layers_do_not_depend_on_their_number() {
    let few = Synthetic::new(Shape::tiny().with_layers(2), ExpertFormat::Mxfp4, 1);
    let many = Synthetic::new(Shape::tiny().with_layers(12), ExpertFormat::Mxfp4, 1);
    let other = Synthetic::new(Shape::tiny().with_layers(2), ExpertFormat::Mxfp4, 2);
    for (index, tensor) in few.tensors().iter().enumerate() {
        let here = bytes(&few, index);
        assert_eq!(here, bytes(&many, find(&many, &tensor.name)), "{}", tensor.name);
        assert_ne!(here, bytes(&other, index), "{}", tensor.name);
    }
}

#[test]
fn the_last_bytes_of_the_largest_tensor() {
    let model = Synthetic::new(Shape::b120(), ExpertFormat::Mxfp4, 1);
    let tensor = find(&model, "layers.35.mlp.experts.gate_up_proj_blocks");
    let end = model.tensors()[tensor].bytes();
    let (mut apart, mut at_once) = ([0; 40], [0xee; 48]);
    for (offset, byte) in (end - 40..).zip(&mut apart) {
        model.fill(tensor, offset, std::slice::from_mut(byte));
    }
    model.fill(tensor, end - 40, &mut at_once);
    assert_eq!(at_once[..40], apart);
    assert_eq!(at_once[40..], [0; 8]);
}

#[test]
fn outside_is_zero() {
    let model = Synthetic::new(Shape::tiny(), ExpertFormat::Mxfp4, 1);
    for (tensor, offset) in [(usize::MAX, 0), (0, 128), (0, u64::MAX), (3, u64::MAX - 3)] {
        let mut bytes = [0xee; 16];
        model.fill(tensor, offset, &mut bytes);
        assert_eq!(bytes, [0; 16]);
    }
}

#[test]
fn absurd_shapes_do_not_panic() {
    let huge = usize::MAX;
    let absurd = Shape {
        layers: 1,
        hidden: huge,
        intermediate: huge,
        heads: huge,
        kv_heads: huge,
        head_dim: huge,
        experts: huge,
        vocab: huge,
        ..Shape::tiny()
    };
    let empty = Shape { hidden: 0, experts: 0, heads: 0, ..Shape::tiny() };
    for shape in [absurd, empty] {
        for experts in [ExpertFormat::Mxfp4, ExpertFormat::Bf16] {
            let model = Synthetic::new(shape.clone(), experts, 1);
            for tensor in 0..model.tensors().len() {
                for offset in [0, 1, u64::MAX / 2, u64::MAX - 200] {
                    model.fill(tensor, offset, &mut [0; 150]);
                }
            }
        }
    }
}

/// The recipe is fixed: these bytes, and the MXFP4 digest below, were computed a second time from
/// its text alone, by a program that shares nothing with this crate.
#[test]
fn vectors_are_pinned() {
    let model = Synthetic::new(Shape::tiny(), ExpertFormat::Mxfp4, 7);
    for (end, first) in [
        ("layers.0.self_attn.q_proj.weight", [0x2c, 0x3e, 0x15, 0xbe, 0x90, 0xbd, 0xbb, 0xbd]),
        ("model.norm.weight", [0x78, 0x3f, 0x84, 0x3f, 0x84, 0x3f, 0x73, 0x3f]),
        ("layers.3.mlp.experts.down_proj_blocks", [0x9a, 0x43, 0x94, 0x90, 0x9b, 0xa9, 0xb1, 0x84]),
        ("layers.3.mlp.experts.down_proj_scales", [0x7a, 0x7b, 0x7b, 0x7b, 0x7c, 0x7b, 0x7b, 0x7c]),
    ] {
        assert_eq!(bytes(&model, find(&model, end))[..8], first, "{end}");
    }
}

#[test]
fn whole_checkpoints_are_pinned() {
    for (experts, start) in [
        (ExpertFormat::Mxfp4, [0x73, 0xa5, 0x00, 0xb1, 0xed, 0xd2, 0x5c, 0x07]),
        (ExpertFormat::Bf16, [0x33, 0x05, 0x40, 0xe8, 0xa7, 0x37, 0x52, 0x84]),
    ] {
        let model = Synthetic::new(Shape::tiny(), experts, 7);
        let mut hash = Sha256::new();
        for tensor in 0..model.tensors().len() {
            hash.update(bytes(&model, tensor));
        }
        assert_eq!(hash.finalize()[..8], start, "{experts:?}");
    }
}
