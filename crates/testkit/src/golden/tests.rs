use std::collections::BTreeSet;

use lowfloat::DType;

use super::*;
use crate::{Tensor, safetensors};

fn softmax(logits: impl Iterator<Item = f32> + Clone) -> Vec<f64> {
    let sum: f64 = logits.clone().map(|x| f64::from(x).exp()).sum();
    logits.map(|x| f64::from(x).exp() / sum).collect()
}

#[test]
fn the_committed_sets_cover_what_they_should() {
    let sets = committed();
    let option = |name: &str| -> BTreeSet<u64> {
        sets.iter().map(|set| set.notes()["options"][name].as_u64().expect(name)).collect()
    };
    assert!(option("head_dim").is_superset(&[16, 32, 64].into()));
    assert!(option("top_k").is_superset(&[1, 3, 4].into()));
    assert_eq!(option("vocab").len(), sets.len());
    assert_eq!(option("seed").len(), sets.len());
    assert_eq!(option("form"), [4, 5].into());
    assert!(option("original").len() > 1);
    assert!(sets.iter().any(|set| set.checkpoint("bf16").is_some()));
    for set in &sets {
        assert!(set.checkpoint("mxfp4").is_some(), "{set:?}");
        assert_eq!(set.checkpoint("f8"), None);
        let window = set.notes()["options"]["window"].as_u64().unwrap() as usize;
        assert!(set.prompts().iter().any(|prompt| prompt.tokens.len() > 2 * window), "{set:?}");
    }
    let prompts = || sets.iter().flat_map(Golden::prompts);
    assert!(prompts().all(|prompt| prompt.generated.len() == 64));
    let last = prompts().flat_map(|prompt| &prompt.positions).max();
    assert!(last > Some(&4096));
}

#[test]
fn tables_agree_with_each_other() {
    for set in committed() {
        for prompt in set.prompts() {
            let [n, k] = [prompt.positions.len(), prompt.topk_idx.len()];
            let layers = prompt.hidden.len() / (prompt.hidden.len() - prompt.mid.len()) - 1;
            let (k, experts) = (k / layers / n, prompt.router_logits.len() / layers / n);
            let rows = prompt.router_logits.chunks_exact(experts);
            let chosen = prompt.topk_idx.chunks_exact(k).zip(prompt.topk_weight.chunks_exact(k));
            for (row, (chosen, weights)) in rows.zip(chosen) {
                let mut order: Vec<usize> = (0..experts).collect();
                order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
                assert!(chosen.iter().map(|&e| e as usize).eq(order[..k].iter().copied()));
                assert!(row[order[k - 1]] - row[order[k]] > 0.02, "a tie");
                let expected = softmax(order[..k].iter().map(|&e| row[e]));
                let close = |(a, &b): (&f64, &f32)| (a - f64::from(b)).abs() < 1e-6;
                assert!(expected.iter().zip(weights).all(close), "{expected:?} {weights:?}");
            }
            let argmax = |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
            let last = |row: &[f32]| Some(argmax(row).unwrap() as u32);
            assert_eq!(prompt.generated.last().copied(), last(&prompt.gen_last_logits));
            if prompt.positions.last() == Some(&(prompt.tokens.len() - 1)) {
                let first = &prompt.logits[prompt.logits.len() - set.vocab()..];
                assert_eq!(prompt.generated.first().copied(), last(first));
                let top = first[prompt.generated[0] as usize];
                assert!((top - prompt.gen_top1_logit[0]).abs() < 1e-4);
            }
        }
        let rope = set.rope();
        let half = set.inv_freq().len();
        for (row, &position) in rope.positions.iter().enumerate() {
            for (i, &frequency) in set.inv_freq().iter().enumerate() {
                let (sin, cos) = (position as f32 * frequency).sin_cos();
                let at = row * half + i;
                assert!((rope.cos[at] - cos * rope.attention_factor).abs() < 1e-5);
                assert!((rope.sin[at] - sin * rope.attention_factor).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn kept_positions_are_taken_from_every_table() {
    let mut prompt = committed()[0].prompts()[0].clone();
    prompt.tokens = vec![0; 4];
    prompt.positions = vec![1, 3];
    let all: Vec<u32> = (0..16).collect();
    assert_eq!(prompt.kept(&all, 2), [2, 3, 6, 7, 10, 11, 14, 15]);
    assert_eq!(prompt.kept(&all, 1), [1, 3, 5, 7, 9, 11, 13, 15]);
}

/// A copy of a set with one tensor changed.
fn damaged(name: &str, change: impl FnOnce(&mut Tensor)) {
    let set = &committed()[0];
    let dir = tempfile::tempdir().unwrap();
    let mut tensors = safetensors::read(&set.path.join("golden.safetensors"));
    change(tensors.get_mut(name).unwrap());
    safetensors::write(&dir.path().join("golden.safetensors"), &tensors, None);
    fs::copy(set.path.join("golden.json"), dir.path().join("golden.json")).unwrap();
    let _ = Golden::open(dir.path());
}

#[test]
#[should_panic(expected = "p0.mid: shape")]
fn shapes_are_checked() {
    damaged("p0.mid", |tensor| {
        tensor.shape.swap(0, 2);
    });
}

#[test]
#[should_panic(expected = "p1.logits: element type")]
fn element_types_are_checked() {
    damaged("p1.logits", |tensor| tensor.dtype = DType::I32);
}

#[test]
#[should_panic(expected = "p0: a token id")]
fn token_ids_are_checked() {
    damaged("p0.tokens", |tensor| tensor.bytes[2] = 1);
}

#[test]
#[should_panic(expected = "golden.json")]
fn a_missing_set_is_named() {
    let _ = Golden::open("nowhere");
}
