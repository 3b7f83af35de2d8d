//! Models of the tests, tokens for them, and what they say.

use std::collections::BTreeMap;

use moe_engine::{At, Feed, Model, Observer, Options, Precision, Session, Wanted};
use testkit::{ExpertFormat, Shape, Tiny, TinyBuilder};

/// Positions of a page of the cache, for tests that cross its edges.
pub(crate) const PAGE: usize = 32;

/// The default model with another window.
pub(crate) fn windowed(sliding_window: usize) -> TinyBuilder {
    Tiny::builder().shape(Shape { sliding_window, ..Shape::tiny() })
}

/// Both forms of experts, with windows shorter and longer than a page.
pub(crate) fn every_kind() -> Vec<Tiny> {
    let kinds = [(8, ExpertFormat::Mxfp4), (PAGE + 8, ExpertFormat::Bf16)];
    kinds.map(|(window, experts)| windowed(window).experts(experts).build()).into()
}

pub(crate) fn open(tiny: &Tiny, precision: Precision, chunk: usize, threads: usize) -> Model {
    let options = Options { precision, chunk, threads: Some(threads), ..Options::default() };
    Model::open(tiny.path(), &options).unwrap()
}

/// In f32, with one large chunk.
pub(crate) fn plain(tiny: &Tiny) -> Model {
    open(tiny, Precision::F32, 512, 2)
}

/// Any tokens, the same for the same seed.
pub(crate) fn tokens(count: usize, seed: u64) -> Vec<u32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let next = || {
        // Knuth's MMIX.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % Shape::tiny().vocab as u32
    };
    std::iter::repeat_with(next).take(count).collect()
}

pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// All that a model says, to the bit.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// By sequence and position.
    pub(crate) logits: BTreeMap<(usize, usize), Vec<u32>>,
    /// By sequence, position and layer.
    pub(crate) hidden: BTreeMap<(usize, usize, usize), Vec<u32>>,
    /// The same; logits of the router, experts, weights.
    pub(crate) routing: BTreeMap<(usize, usize, usize), [Vec<u32>; 3]>,
}

impl Observer for Said {
    fn logits(&mut self, At { sequence, position, .. }: At, logits: &[f32]) {
        let before = self.logits.insert((sequence, position), bits(logits));
        assert_eq!(before, None, "once a token");
    }

    fn wants_hidden(&self) -> bool {
        true
    }

    fn hidden(&mut self, layer: usize, At { sequence, position, .. }: At, hidden: &[f32]) {
        let before = self.hidden.insert((sequence, position, layer), bits(hidden));
        assert_eq!(before, None, "once a token");
    }

    fn wants_routing(&self) -> bool {
        true
    }

    fn routing(
        &mut self,
        layer: usize,
        At { sequence, position, .. }: At,
        logits: &[f32],
        experts: &[u32],
        weights: &[f32],
    ) {
        let said = [bits(logits), experts.to_vec(), bits(weights)];
        let before = self.routing.insert((sequence, position, layer), said);
        assert_eq!(before, None, "once a token");
    }
}

impl Said {
    /// All about one sequence from its first token on, computed in one call.
    pub(crate) fn about(model: &Model, tokens: &[u32]) -> Self {
        let mut said = Self::default();
        said.add(model, &mut model.session().unwrap(), tokens);
        said
    }

    /// Continues a session.
    pub(crate) fn add(&mut self, model: &Model, session: &mut Session, tokens: &[u32]) {
        let feed = Feed::new(session, tokens).wanted(Wanted::All);
        model.forward(&mut [feed], self).unwrap();
    }

    /// What was said about one of several sequences, as if it were the only one.
    pub(crate) fn only(&self, sequence: usize) -> Self {
        let of = |key: &(usize, usize, usize)| (key.0 == sequence).then_some((0, key.1, key.2));
        Self {
            logits: self
                .logits
                .iter()
                .filter(|(key, _)| key.0 == sequence)
                .map(|(key, said)| ((0, key.1), said.clone()))
                .collect(),
            hidden: self
                .hidden
                .iter()
                .filter_map(|(key, said)| Some((of(key)?, said.clone())))
                .collect(),
            routing: self
                .routing
                .iter()
                .filter_map(|(key, said)| Some((of(key)?, said.clone())))
                .collect(),
        }
    }

    /// Fails at the first difference, without printing thousands of numbers.
    #[track_caller]
    pub(crate) fn assert_is(&self, other: &Self, what: &str) {
        fn first<K: Copy + Ord, V: PartialEq>(
            one: &BTreeMap<K, V>,
            other: &BTreeMap<K, V>,
        ) -> Option<K> {
            let keys = one.keys().chain(other.keys());
            keys.filter(|key| one.get(key) != other.get(key)).min().copied()
        }
        let (logits, hidden) =
            (first(&self.logits, &other.logits), first(&self.hidden, &other.hidden));
        assert_eq!(hidden, None, "{what}: hidden states of sequence, position, layer");
        let routing = first(&self.routing, &other.routing);
        assert_eq!(routing, None, "{what}: routing of sequence, position, layer");
        assert_eq!(logits, None, "{what}: logits of sequence, position");
    }
}
