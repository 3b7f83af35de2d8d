use super::*;
use crate::assert_tensors;

fn every() -> Vec<TinyBuilder> {
    let mut all = Vec::new();
    for sharding in [Sharding::Released, Sharding::Single, Sharding::PerTensor] {
        let tiny = Tiny::builder().sharding(sharding).seed(4);
        all.push(tiny.clone().experts(ExpertFormat::Bf16));
        all.push(tiny.clone().layout(Layout::Original));
        all.push(tiny);
    }
    all
}

#[test]
fn files_hold_the_truth() {
    for builder in every() {
        let tiny = builder.clone().build();
        assert_tensors(&safetensors::read_dir(tiny.path()), tiny.tensors());
        let config = fs::read(tiny.path().join("config.json")).unwrap();
        let config = serde_json::from_slice(&config).unwrap();
        assert_eq!(Shape::from_config(&config).as_ref(), Some(tiny.shape()), "{builder:?}");
    }
}

#[test]
fn shardings_differ_in_files_only() {
    let released = Tiny::builder().build();
    let single = Tiny::builder().sharding(Sharding::Single).build();
    let apart = Tiny::builder().sharding(Sharding::PerTensor).build();
    assert_eq!((released.files().len(), single.files().len()), (3, 1));
    assert_eq!(apart.files().len(), apart.tensors().len());
    assert_tensors(single.tensors(), released.tensors());
    assert_tensors(apart.tensors(), released.tensors());
    assert_eq!(released.total_bytes(), 490_752);
    let index = "model.safetensors.index.json";
    assert!(released.path().join(index).is_file());
    assert!(!single.path().join(index).exists());
}

#[test]
fn the_index_of_the_20b_has_the_released_length() {
    let all = ckpt_convert::presets::gpt_oss::tensors(&Shape::b20(), ExpertFormat::Mxfp4);
    let map: Vec<_> = all.iter().map(|desc| (&desc.name, shard_file_name(0, 3))).collect();
    assert_eq!(index_json(13_761_264_768, &map).len(), 36_355);
}

#[test]
fn the_original_layout_fuses_attention() {
    let hub = Tiny::builder().build();
    let original = Tiny::builder().layout(Layout::Original).build();
    assert_eq!(original.tensors().len(), hub.tensors().len() - 4 * 4);
    assert_eq!(original.total_bytes(), hub.total_bytes());
    let fused = original.tensor("block.3.attn.qkv.weight");
    assert_eq!(fused.shape, [128 + 32 + 32, 64]);
    let apart = ["q", "k", "v"]
        .map(|x| &hub.tensor(&format!("model.layers.3.self_attn.{x}_proj.weight")).bytes[..]);
    assert_eq!(fused.bytes, apart.concat());
    for (name, hub_name) in [
        ("block.1.mlp.mlp1_weight.blocks", "model.layers.1.mlp.experts.gate_up_proj_blocks"),
        ("block.1.mlp.mlp2_bias", "model.layers.1.mlp.experts.down_proj_bias"),
        ("block.1.mlp.norm.scale", "model.layers.1.post_attention_layernorm.weight"),
        ("block.1.mlp.gate.weight", "model.layers.1.mlp.router.weight"),
        ("block.1.attn.out.bias", "model.layers.1.self_attn.o_proj.bias"),
        ("unembedding.weight", "lm_head.weight"),
    ] {
        assert_eq!(original.tensor(name), hub.tensor(hub_name), "{name}");
    }
}

#[test]
fn temporary_directories_vanish_and_given_ones_stay() {
    let path = Tiny::builder().build().path().to_owned();
    assert!(!path.exists());
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("a/b");
    drop(Tiny::builder().build_in(&inside));
    assert!(inside.join("config.json").is_file());
}
