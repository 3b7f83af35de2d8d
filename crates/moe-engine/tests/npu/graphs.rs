//! Replays give what operators one by one give.

use moe_engine::backend::Npu;
use moe_engine::{At, Feed, Model, Observer, Session, Wanted};

use super::counters::{counters, reset_counters};
use super::machine::{eager, open, room, small, turn};
use super::models::{BLOCK, Logits, begun, bits, tiny, tokens};

/// A sequence: tokens that it begins with, the round in which it joins, and rounds that it stays for.
#[derive(Clone, Copy)]
pub(crate) struct Life {
    prompt: usize,
    from: usize,
    rounds: usize,
}

pub(crate) const fn life(prompt: usize, from: usize, rounds: usize) -> Life {
    Life { prompt, from, rounds }
}

/// The logits of every round, to the bit; tokens are given, so that no choice hides or spreads a difference.
pub(crate) fn decoded(model: &Model<Npu>, lives: &[Life]) -> Vec<Vec<u32>> {
    let rounds = lives.iter().map(|life| life.from + life.rounds).max().unwrap_or(0);
    let mut sessions: Vec<Option<Session<Npu>>> = lives.iter().map(|_| None).collect();
    (0..rounds)
        .map(|round| {
            for (seed, (life, session)) in (0..).zip(lives.iter().zip(&mut sessions)) {
                if life.from == round {
                    *session = Some(begun(model, &tokens(life.prompt, seed)));
                }
                if life.from + life.rounds == round {
                    *session = None;
                }
            }
            let next: Vec<_> =
                (0..lives.len()).map(|n| tokens(1, (100 * round + n) as u64)).collect();
            let there = sessions.iter_mut().zip(&next);
            let feeds =
                there.filter_map(|(session, next)| Some(Feed::new(session.as_mut()?, next)));
            let mut feeds: Vec<_> = feeds.map(|feed| feed.wanted(Wanted::Last)).collect();
            let mut said = Logits::default();
            model.forward(&mut feeds, &mut said).unwrap();
            bits(&said.0)
        })
        .collect()
}

#[track_caller]
fn assert_same(lives: &[Life], what: &str) {
    let tiny = tiny(2, 8);
    let expected = decoded(&open(tiny.path(), 256, &eager(small())), lives);
    let model = open(tiny.path(), 256, &small());
    reset_counters();
    let found = decoded(&model, lives);
    assert!(counters().replays > 0, "{what}: no graph ran");
    for (round, (expected, found)) in expected.iter().zip(&found).enumerate() {
        assert!(expected == found, "{what}: round {round}");
    }
}

#[test]
fn one_sequence() {
    let _turn = turn();
    assert_same(&[life(5, 0, 12)], "one");
}

/// Two fill a graph, three leave a row of it empty.
#[test]
fn sequences_of_unequal_lengths() {
    let _turn = turn();
    assert_same(&[life(1, 0, 6), life(130, 0, 6)], "two");
    assert_same(&[life(3, 0, 6), life(20, 0, 6), life(127, 0, 6)], "three");
    let eight: Vec<_> = [1, 7, 8, 9, 20, 60, 120, 140].map(|prompt| life(prompt, 0, 6)).into();
    assert_same(&eight, "eight");
}

/// Sizes of batches come and go, and graphs of earlier ones are run again.
#[test]
fn sequences_that_end_and_others_that_come() {
    let _turn = turn();
    let lives = [life(4, 0, 20), life(126, 0, 7), life(9, 3, 8), life(30, 12, 8), life(2, 13, 4)];
    assert_same(&lives, "coming and going");
}

/// A block is begun, and sliding layers give one up, while one graph lasts.
#[test]
fn blocks_change_under_a_graph() {
    let _turn = turn();
    assert_same(&[life(BLOCK - 6, 0, 12), life(2 * BLOCK - 3, 0, 12)], "new blocks");
}

/// Tables are made for eight blocks at first; the ninth is another graph.
#[test]
fn a_sequence_outgrows_its_table() {
    let _turn = turn();
    let (tiny, prompt) = (tiny(1, 8), 8 * BLOCK - 5);
    let of = |npu| decoded(&open(tiny.path(), 512, &npu), &[life(prompt, 0, 14)]);
    let expected = of(eager(room(2048, 2)));
    reset_counters();
    assert!(of(room(2048, 2)) == expected);
    // Of five and nine rounds the first two each are warming up and a capture, which is run too.
    assert_eq!(counters().replays, 4 + 8);
}

/// Looks at the hidden states of every layer.
struct Watching(Vec<f32>, Logits);

impl Observer for Watching {
    fn wants_hidden(&self) -> bool {
        true
    }

    fn hidden(&mut self, _: usize, _: At, hidden: &[f32]) {
        self.0.extend(hidden);
    }

    fn logits(&mut self, at: At, logits: &[f32]) {
        self.1.logits(at, logits);
    }
}

#[test]
fn somebody_looks_on_between_replays() {
    let _turn = turn();
    let tiny = tiny(2, 8);
    let [expected, found] = [eager(small()), small()].map(|npu| {
        let model = open(tiny.path(), 256, &npu);
        let mut session = begun(&model, &tokens(10, 1));
        let mut all = Vec::new();
        for round in 0..12 {
            let next = tokens(1, 50 + round);
            let mut watching = Watching(Vec::new(), Logits::default());
            let mut nobody = Logits::default();
            let watched = round % 4 == 3;
            let observer: &mut (dyn Observer + Send) =
                if watched { &mut watching } else { &mut nobody };
            model.forward(&mut [Feed::new(&mut session, &next)], observer).unwrap();
            assert_eq!(watching.0.len(), if watched { 3 * model.config().hidden } else { 0 });
            all.push([bits(&watching.0), bits(&watching.1.0), bits(&nobody.0)]);
        }
        all
    });
    assert!(expected == found);
}

/// A session that is copied, cut or dropped between replays.
#[test]
fn sessions_change_between_replays() {
    let _turn = turn();
    let tiny = tiny(2, 8);
    let [expected, found] = [eager(small()), small()].map(|npu| {
        let model = open(tiny.path(), 256, &npu);
        let mut session = begun(&model, &tokens(140, 1));
        let mut all = Vec::new();
        for round in 0..16_u64 {
            let next = tokens(1, 50 + round);
            let mut fork = session.fork();
            all.push(bits(&model.evaluate(&mut session, &next).unwrap()));
            match round % 4 {
                1 => session = fork,
                2 => all.push(bits(&model.evaluate(&mut fork, &tokens(1, round)).unwrap())),
                3 => model.truncate(&mut session, fork.len() - 1).unwrap(),
                _ => {}
            }
        }
        all
    });
    assert!(expected == found);
}
