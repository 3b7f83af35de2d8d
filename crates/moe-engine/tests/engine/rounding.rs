//! What each step rounds at each precision.

use std::collections::BTreeMap;

use lowfloat::{DType, bf16, f16};
use moe_engine::backend::{Backend, Batch, Cpu};
use moe_engine::weights::{LinearWeights, Weights};
use moe_engine::{Config, Precision};
use testkit::{ExpertFormat, Layout, Tensor, Tiny};

use crate::models::tokens;
use crate::weights::{changed, single};

/// Embeddings in f32 that no type of 16 bits holds.
fn fine() -> Tiny {
    let tiny = single(Layout::Hf, ExpertFormat::Mxfp4);
    changed(&tiny, |tensors| {
        let table = tensors.get_mut("model.embed_tokens.weight").unwrap();
        let halves = table.bytes.chunks_exact(2);
        let bytes = halves.flat_map(|half| [0x5a, 0x33, half[0], half[1]]).collect();
        *table = Tensor { dtype: DType::F32, shape: table.shape.clone(), bytes };
    });
    tiny
}

/// The narrowest type that holds all values, to the bit.
fn held_in(values: &[f32]) -> DType {
    assert!(!values.is_empty() && values.iter().all(|value| value.is_finite()));
    if values.iter().all(|&value| bf16::from_f32(value).to_f32().to_bits() == value.to_bits()) {
        DType::BF16
    } else if values.iter().all(|&value| f16::from_f32(value).to_f32().to_bits() == value.to_bits())
    {
        DType::F16
    } else {
        DType::F32
    }
}

/// The type of what each step of the first layer gives, and that keys and values are kept in.
fn types(tiny: &Tiny, precision: Precision) -> BTreeMap<&'static str, DType> {
    const TOKENS: usize = 5;
    let config = Config::open(tiny.path()).unwrap();
    let weights = Weights::open(tiny.path(), &config, true).unwrap();
    let layer = weights.layers.into_iter().next().unwrap();
    let cpu = Cpu::new(&config, precision, Some(2)).unwrap();
    let upload = |weights| cpu.upload_linear(weights).unwrap();
    let buffer = |columns| cpu.buffer(columns, TOKENS).unwrap();
    let mut types = BTreeMap::new();
    let (mut pass, mut cache) = (cpu.pass(TOKENS).unwrap(), cpu.cache().unwrap());
    let (ids, positions) = (tokens(TOKENS, 1), (0..TOKENS).collect::<Vec<_>>());
    let rows = 0..TOKENS;
    let batch = Batch::new(&ids, &positions, std::slice::from_ref(&rows));
    cpu.begin(&mut pass, &batch, &mut [&mut cache]).unwrap();

    let (mut x, mut normed) = (buffer(config.hidden), buffer(config.hidden));
    let embedding = LinearWeights { weight: weights.embedding, bias: None };
    cpu.embed(&mut pass, &upload(embedding), &mut x).unwrap();
    types.insert("embed", held_in(&cpu.read(&x).unwrap()));
    cpu.rms_norm(&x, &layer.input_norm, &mut normed).unwrap();
    types.insert("rms_norm", held_in(&cpu.read(&normed).unwrap()));

    let [mut query, mut key, mut value] = cpu.qkv_buffers(TOKENS).unwrap();
    let qkv = cpu.upload_qkv([layer.query, layer.key, layer.value]).unwrap();
    cpu.qkv(&normed, &qkv, [&mut query, &mut key, &mut value]).unwrap();
    types.insert("linear", held_in(&cpu.read(&query).unwrap()));
    cpu.rope(&mut pass, &mut query, &mut key).unwrap();
    types.insert("rope", held_in(&cpu.read(&query).unwrap()));

    let [mut attended, ..] = cpu.qkv_buffers(TOKENS).unwrap();
    let qkv = [&query, &key, &value];
    let caches = &mut [&mut cache];
    cpu.attention(&mut pass, 0, qkv, caches, &layer.sinks, &mut attended).unwrap();
    let (keys, values, _) = cpu.export(&cache, 0).unwrap();
    assert_eq!(keys, stored(precision, &cpu.read(&key).unwrap()), "{precision}: keys");
    assert_eq!(values, stored(precision, &cpu.read(&value).unwrap()), "{precision}: values");
    types.insert("attend", held_in(&cpu.read(&attended).unwrap()));

    let mut update = buffer(config.hidden);
    cpu.linear(&attended, &upload(layer.output), &mut update).unwrap();
    cpu.add(&mut x, &update).unwrap();
    types.insert("add", held_in(&cpu.read(&x).unwrap()));

    cpu.rms_norm(&x, &layer.post_attention_norm, &mut normed).unwrap();
    let mut router = buffer(config.experts);
    cpu.linear(&normed, &upload(layer.router), &mut router).unwrap();
    let (mut routing, mut scratch) = (cpu.routing(TOKENS).unwrap(), cpu.scratch(TOKENS).unwrap());
    cpu.route(&mut pass, &router, config.experts_per_token, &mut routing).unwrap();
    types.insert("route", held_in(&cpu.read_routing(&routing).unwrap().1));
    cpu.moe_ffn(&normed, &layer.experts, &routing, &mut scratch, &mut update).unwrap();
    types.insert("moe_ffn", held_in(&cpu.read(&update).unwrap()));
    types
}

/// To nearest in the type of the precision.
fn stored(precision: Precision, values: &[f32]) -> Vec<u8> {
    let values = values.iter();
    match precision.kv_dtype() {
        DType::BF16 => values.flat_map(|&it| bf16::from_f32(it).to_le_bytes()).collect(),
        DType::F16 => values.flat_map(|&it| f16::from_f32(it).to_le_bytes()).collect(),
        _ => values.flat_map(|it| it.to_le_bytes()).collect(),
    }
}

#[test]
fn f32_rounds_nothing() {
    let types = types(&fine(), Precision::F32);
    assert!(types.values().all(|&dtype| dtype == DType::F32), "{types:?}");
}

/// As the model that transformers runs in bf16: after every step.
#[test]
fn bf16_rounds_everything() {
    let types = types(&fine(), Precision::Bf16);
    assert!(types.values().all(|&dtype| dtype == DType::BF16), "{types:?}");
}

/// What enters a product next; sums stay in f32.
#[test]
fn f16_rounds_factors() {
    let types = types(&fine(), Precision::F16);
    for (step, dtype) in types {
        let factor = ["rms_norm", "rope", "attend"].contains(&step);
        assert_eq!(dtype, if factor { DType::F16 } else { DType::F32 }, "{step}");
    }
}
