//! How far sliding layers see.

use moe_engine::backend::Npu;
use moe_engine::weights::Weights;
use moe_engine::{Config, Model};

use super::golden::{GATE, distances, roomy, short_sets};
use super::machine::{ascend, open, options, small, turn};
use super::models::{VOCAB, begun, bits, logits, tiny, tokens};

/// A token sees exactly the last `window` keys, its own included: of the one before them nothing reaches it.
#[test]
fn a_window_is_so_many_keys() {
    let _turn = turn();
    for window in [1, 2, 127, 128, 129] {
        // One layer, and it is a sliding one.
        let model = open(tiny(1, window).path(), 512, &small());
        let len = window + 40;
        let old = tokens(len, 5);
        let expected = logits(&model, &old);
        for at in [0, 30] {
            let mut new = old.clone();
            new[at] = (new[at] + 1) % VOCAB as u32;
            let found = logits(&model, &new);
            let rows = expected.chunks(VOCAB).zip(found.chunks(VOCAB)).enumerate();
            let mut changed = rows.filter(|(_, (a, b))| bits(a) != bits(b)).map(|(row, _)| row);
            let what = format!("window of {window}, token {at}");
            assert_eq!(changed.clone().next(), Some(at), "{what}");
            let last = changed.next_back().unwrap();
            assert_eq!(last, at + window - 1, "{what}");
        }
    }
}

/// The same when tokens come one after the other, from blocks that were not given up.
#[test]
fn a_window_is_the_same_in_decoding() {
    let _turn = turn();
    for window in [8, 128] {
        let model = open(tiny(1, window).path(), 512, &small());
        let old = tokens(window + 150, 6);
        // The last token does not see the one that is changed, or sees it as its first key.
        for (at, seen) in [(149, false), (150, true)] {
            let mut new = old.clone();
            new[at] = (new[at] + 1) % VOCAB as u32;
            let [one, other] = [&old, &new].map(|tokens| {
                let (before, last) = tokens.split_at(tokens.len() - 4);
                let mut session = begun(&model, before);
                let each = |token: &u32| model.evaluate(&mut session, &[*token]).unwrap();
                let said: Vec<_> = last.iter().map(each).collect();
                bits(&said[3])
            });
            let same = one == other;
            assert_eq!(same, !seen, "window of {window}, token {at}");
        }
    }
}

fn with_window(path: &std::path::Path, change: impl Fn(usize) -> usize) -> Model<Npu> {
    let mut config = Config::open(path).unwrap();
    config.sliding_window = change(config.sliding_window);
    let weights = Weights::open(path, &config, false).unwrap();
    let npu = Npu::open(&ascend(), &config, &weights, &options(512), &roomy()).unwrap();
    Model::with_backend(path, config, weights, npu, &options(512)).unwrap()
}

/// One key more or less is not near the reference any more: the gate would show it.
#[test]
fn another_window_is_far_from_the_reference() {
    let _turn = turn();
    for set in short_sets() {
        let path = set.checkpoint("mxfp4").unwrap();
        let same = distances(&with_window(&path, |window| window), &set);
        assert!(same.into_iter().all(|distance| GATE.holds(distance)), "{}", set.name());
        for change in [|window: usize| window + 1, |window| window - 1] {
            let found = distances(&with_window(&path, change), &set);
            for distance in &found {
                println!("{}, other window: {distance}", set.name());
            }
            let far = found.into_iter().any(|distance| !GATE.holds(distance));
            assert!(far, "{}: the gate does not see the window", set.name());
        }
    }
}
