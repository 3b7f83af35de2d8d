//! Any order of calls over any sessions, on models that differ in chunk and threads: what is said about a
//! token is what one pass over its sequence says.

use moe_engine::{At, Feed, Model, Observer, Precision, Session, Wanted};
use proptest::prelude::*;
use proptest::sample::Index;
use testkit::Tiny;

use crate::models::{Said, bits, every_kind, open, tokens};

#[derive(Clone, Debug)]
enum Action {
    /// Which sessions get how many tokens.
    Feed(Vec<(Index, usize)>),
    /// The same, but cancelled before a layer.
    Fail(Vec<(Index, usize)>, usize),
    Fork(Index),
    Truncate(Index, Index),
    /// Takes some of the last tokens off.
    Shorten(Index, usize),
    SaveAndLoad(Index),
}

fn action() -> impl Strategy<Value = Action> {
    let feeds = || prop::collection::vec((any::<Index>(), 1..26_usize), 1..4);
    prop_oneof![
        6 => feeds().prop_map(Action::Feed),
        2 => (feeds(), 0..12_usize).prop_map(|(feeds, after)| Action::Fail(feeds, after)),
        2 => any::<Index>().prop_map(Action::Fork),
        1 => any::<(Index, Index)>().prop_map(|(session, len)| Action::Truncate(session, len)),
        2 => (any::<Index>(), 1..5_usize).prop_map(|(session, by)| Action::Shorten(session, by)),
        1 => any::<Index>().prop_map(Action::SaveAndLoad),
    ]
}

/// A session, and what was said about each of its tokens.
struct Known {
    session: Session,
    logits: Vec<Vec<u32>>,
}

impl Known {
    fn shorten(&mut self, model: &Model, len: usize) {
        model.truncate(&mut self.session, len).unwrap();
        self.logits.truncate(len);
    }

    fn check(&self) {
        assert_eq!(self.session.len(), self.logits.len());
    }
}

/// Adds what is said to what is known, or cancels.
struct Watch {
    said: Vec<(At, Vec<u32>)>,
    /// Layers that are let through.
    layers: std::sync::atomic::AtomicUsize,
}

impl Watch {
    fn new(layers: usize) -> Self {
        Self { said: Vec::new(), layers: layers.into() }
    }
}

impl Observer for Watch {
    fn logits(&mut self, at: At, logits: &[f32]) {
        self.said.push((at, bits(logits)));
    }

    fn cancelled(&self) -> bool {
        use std::sync::atomic::Ordering::Relaxed;
        self.layers.fetch_update(Relaxed, Relaxed, |layers| layers.checked_sub(1)).is_err()
    }
}

/// Runs a call over some sessions, each at most once; `layers` are let through.
fn call(
    model: &Model,
    known: &mut [Known],
    which: &[(Index, usize)],
    layers: usize,
    seed: u64,
) -> Result<(), moe_engine::Error> {
    let mut new = vec![None; known.len()];
    for (session, count) in which {
        let at = session.index(known.len());
        new[at].get_or_insert_with(|| tokens(*count, seed + at as u64));
    }
    let (mut of, mut feeds) = (Vec::new(), Vec::new());
    for (at, (known, new)) in known.iter_mut().zip(&new).enumerate() {
        if let Some(new) = new {
            of.push(at);
            feeds.push(Feed::new(&mut known.session, new).wanted(Wanted::All));
        }
    }
    let mut watch = Watch::new(layers);
    model.forward(&mut feeds, &mut watch)?;
    for (At { sequence, position, .. }, logits) in watch.said {
        let logits_of = &mut known[of[sequence]].logits;
        assert_eq!(logits_of.len(), position, "in order, and no old ones");
        logits_of.push(logits);
    }
    Ok(())
}

fn carry_out(models: &[Model], actions: &[(Index, Action)]) {
    let folder = tempfile::tempdir().unwrap();
    let begin = || Known { session: models[0].session().unwrap(), logits: Vec::new() };
    let mut known = vec![begin(), begin()];
    for (seed, (model, action)) in (0..).step_by(100).zip(actions) {
        let model = model.get(models);
        match action {
            Action::Feed(which) => {
                call(model, &mut known, which, usize::MAX, seed).unwrap();
            }
            Action::Fail(which, after) => {
                let before: Vec<_> =
                    known.iter().map(|known| known.session.tokens().to_vec()).collect();
                let result = call(model, &mut known, which, *after, seed);
                if result.is_err() {
                    for (known, before) in known.iter().zip(before) {
                        assert_eq!(known.session.tokens(), before);
                    }
                }
            }
            Action::Fork(session) => {
                let from = session.get(&known);
                let (session, logits) = (from.session.fork(), from.logits.clone());
                known.push(Known { session, logits });
            }
            Action::Truncate(session, len) => {
                let at = session.index(known.len());
                let len = len.index(known[at].session.len() + 1);
                known[at].shorten(model, len);
            }
            Action::Shorten(session, by) => {
                let at = session.index(known.len());
                let len = known[at].session.len().saturating_sub(*by);
                known[at].shorten(model, len);
            }
            Action::SaveAndLoad(session) => {
                let at = session.index(known.len());
                let path = folder.path().join("session");
                model.save_session(&known[at].session, &path).unwrap();
                known[at].session = model.load_session(&path).unwrap();
            }
        }
        known.iter().for_each(Known::check);
    }
    for known in &known {
        if known.session.is_empty() {
            continue;
        }
        let expected = Said::about(&models[0], known.session.tokens());
        for (position, logits) in known.logits.iter().enumerate() {
            assert!(*logits == expected.logits[&(0, position)], "position {position}");
        }
    }
}

fn models(tiny: &Tiny, precision: Precision) -> Vec<Model> {
    [(512, 2), (1, 1), (3, 2), (7, 3), (40, 1)]
        .map(|(chunk, threads)| open(tiny, precision, chunk, threads))
        .into()
}

fn any_schedule(kind: usize, precision: Precision, cases: u32) {
    let tiny = every_kind().swap_remove(kind);
    let models = models(&tiny, precision);
    let actions = prop::collection::vec((any::<Index>(), action()), 1..14);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    proptest!(config, |(actions in actions)| carry_out(&models, &actions));
}

#[test]
fn any_schedule_in_f32() {
    any_schedule(0, Precision::F32, 24);
}

#[test]
fn any_schedule_in_f32_with_a_long_window() {
    any_schedule(1, Precision::F32, 24);
}

#[test]
fn any_schedule_in_bf16() {
    any_schedule(0, Precision::Bf16, 20);
}

#[test]
fn any_schedule_in_f16() {
    any_schedule(1, Precision::F16, 20);
}
