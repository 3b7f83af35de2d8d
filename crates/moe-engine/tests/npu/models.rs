//! Models of the tests, tokens for them, and what they say.

use moe_engine::backend::{Backend, Npu};
use moe_engine::{At, Feed, Model, Observer, Session, Wanted};
use testkit::golden::Distance;
use testkit::{Shape, Tiny};

/// Positions of a block of the cache, for tests that cross its edges.
pub(crate) const BLOCK: usize = 128;

/// Tokens of [`tiny`].
pub(crate) const VOCAB: usize = 96;

/// A model of so many layers with a window, smaller than the default one: the simulator is slow.
pub(crate) fn tiny(layers: usize, sliding_window: usize) -> Tiny {
    let shape = Shape {
        layers,
        sliding_window,
        hidden: 32,
        intermediate: 32,
        heads: 2,
        kv_heads: 1,
        experts: 4,
        experts_per_token: 2,
        vocab: VOCAB,
        ..Shape::tiny()
    };
    Tiny::builder().shape(shape).build()
}

/// Any tokens, the same for the same seed.
pub(crate) fn tokens(count: usize, seed: u64) -> Vec<u32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let next = || {
        // Knuth's MMIX.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % VOCAB as u32
    };
    std::iter::repeat_with(next).take(count).collect()
}

pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Keeps all logits, in their order.
#[derive(Default)]
pub(crate) struct Logits(pub(crate) Vec<f32>);

impl Observer for Logits {
    fn logits(&mut self, _: At, logits: &[f32]) {
        self.0.extend(logits);
    }
}

/// The logits of all new tokens.
pub(crate) fn all_logits<B: Backend>(
    model: &Model<B>,
    session: &mut Session<B>,
    tokens: &[u32],
) -> Vec<f32> {
    let mut said = Logits::default();
    let feed = Feed::new(session, tokens).wanted(Wanted::All);
    model.forward(&mut [feed], &mut said).unwrap();
    said.0
}

/// The logits of all tokens of a new sequence.
pub(crate) fn logits<B: Backend>(model: &Model<B>, tokens: &[u32]) -> Vec<f32> {
    all_logits(model, &mut model.session().unwrap(), tokens)
}

/// A session with these tokens.
pub(crate) fn begun<B: Backend>(model: &Model<B>, tokens: &[u32]) -> Session<B> {
    let mut session = model.session().unwrap();
    if !tokens.is_empty() {
        model.evaluate(&mut session, tokens).unwrap();
    }
    session
}

/// Continues a session, and fails if that is not, to the bit, what one call with all tokens gives.
#[track_caller]
pub(crate) fn assert_continues(
    model: &Model<Npu>,
    session: &mut Session<Npu>,
    new: &[u32],
    what: &str,
) {
    let all = [session.tokens(), new].concat();
    let expected = model.evaluate(&mut model.session().unwrap(), &all).unwrap();
    let logits = model.evaluate(session, new).unwrap();
    let vocab = model.config().vocab;
    let distance = Distance::between(&expected, &logits, vocab);
    assert!(bits(&logits) == bits(&expected), "{what}: {distance}");
    assert_eq!((session.tokens(), session.evaluated()), (all.as_slice(), all.len()), "{what}");
}
