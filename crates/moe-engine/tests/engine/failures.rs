//! After an error every session is what it was before, and goes on as if nothing had been.

use std::sync::atomic::{AtomicUsize, Ordering};

use moe_engine::{At, Error, Feed, Model, Observer, Options, Precision, Session, Wanted};
use testkit::{ExpertFormat, Sharding, Tiny, safetensors};

use crate::models::{PAGE, Said, bits, every_kind, open, plain, tokens};

fn begun(model: &Model, tokens: &[u32]) -> Session {
    let mut session = model.session().unwrap();
    if !tokens.is_empty() {
        model.evaluate(&mut session, tokens).unwrap();
    }
    session
}

/// How a sequence goes on that nothing has happened to.
struct Calm<'a> {
    model: &'a Model,
    before: &'a [u32],
    new: Vec<u32>,
    /// After the new tokens.
    logits: Vec<u32>,
}

impl<'a> Calm<'a> {
    fn new(model: &'a Model, before: &'a [u32]) -> Self {
        let new = tokens(7, 91);
        let mut fresh = model.session().unwrap();
        let logits = model.evaluate(&mut fresh, &[before, &new].concat()).unwrap();
        Self { model, before, new, logits: bits(&logits) }
    }

    /// The session has the tokens it had, and goes on as it would have.
    #[track_caller]
    fn assert_untouched(&self, session: &mut Session, what: &str) {
        assert_eq!(session.tokens(), self.before, "{what}");
        let logits = self.model.evaluate(session, &self.new).unwrap();
        assert!(bits(&logits) == self.logits, "{what}");
        assert_eq!(session.tokens(), [self.before, &self.new].concat(), "{what}");
        assert_eq!(session.evaluated(), session.len(), "{what}");
    }
}

#[test]
fn tokens_out_of_range() {
    let model = plain(&every_kind()[0]);
    let before = tokens(12, 1);
    let (mut good, mut bad) = (begun(&model, &before), begun(&model, &before));
    let new = [1, 2, 384, 385];
    let mut feeds = [Feed::new(&mut good, &new[..2]), Feed::new(&mut bad, &new)];
    let error = model.forward(&mut feeds, &mut ()).unwrap_err();
    assert!(matches!(error, Error::Token { index: 2, token: 384, vocab: 384 }), "{error}");
    assert!(error.to_string().contains("token 2 is 384"), "{error}");
    let calm = Calm::new(&model, &before);
    calm.assert_untouched(&mut good, "the good one");
    calm.assert_untouched(&mut bad, "the bad one");
    let mut session = model.session().unwrap();
    assert!(matches!(
        model.evaluate(&mut session, &[u32::MAX]),
        Err(Error::Token { index: 0, token: u32::MAX, .. })
    ));
}

#[test]
fn nothing_to_do() {
    let model = plain(&every_kind()[0]);
    let before = tokens(12, 1);
    for before in [&before[..], &[]] {
        let (mut good, mut bad) = (begun(&model, before), begun(&model, before));
        let mut feeds = [Feed::new(&mut good, &[1]), Feed::new(&mut bad, &[])];
        let error = model.forward(&mut feeds, &mut ()).unwrap_err();
        assert!(matches!(error, Error::EmptyPrompt), "{error}");
        let calm = Calm::new(&model, before);
        calm.assert_untouched(&mut good, "the good one");
        calm.assert_untouched(&mut bad, "the bad one");
    }
    // No sequences at all is fine.
    assert_eq!(model.forward(&mut [], &mut ()).unwrap().tokens, 0);
}

/// A model of 50 positions.
fn short(tiny: &Tiny) -> Model {
    let path = tiny.path().join("config.json");
    let config = std::fs::read_to_string(&path).unwrap();
    let changed = config.replace("131072", "50");
    assert_ne!(config, changed);
    std::fs::write(path, changed).unwrap();
    plain(tiny)
}

#[test]
fn the_end_of_the_context() {
    let model = short(&Tiny::builder().build());
    let before = tokens(40, 1);
    let mut session = begun(&model, &before);
    let error = model.evaluate(&mut session, &tokens(11, 2)).unwrap_err();
    assert!(matches!(error, Error::Context { length: 51, maximum: 50 }), "{error}");
    assert_eq!(session.tokens(), before);
    let all = [before, tokens(10, 2)].concat();
    let expected = Said::about(&model, &all).logits;
    let last = model.evaluate(&mut session, &tokens(10, 2)).unwrap();
    assert!(bits(&last) == expected[&(0, 49)]);
    assert!(matches!(model.evaluate(&mut session, &[1]), Err(Error::Context { length: 51, .. })));
    assert_eq!(session.len(), 50);
}

/// Lets some layers through.
struct Cancel(AtomicUsize);

impl Observer for Cancel {
    fn cancelled(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err()
    }
}

#[test]
fn cancelled_anywhere() {
    for tiny in every_kind() {
        for precision in [Precision::F32, Precision::Bf16] {
            let model = open(&tiny, precision, 16, 2);
            // In the first page, and where the sliding layers have given up some.
            for len in [0, PAGE, 70] {
                let before = [tokens(len, 1), tokens(3, 2)];
                let [one, other] = before.each_ref().map(|before| begun(&model, before));
                let calm = before.each_ref().map(|before| Calm::new(&model, before));
                // 4 layers, and chunks of 16 of 61 tokens: 16 questions.
                for layers in 0..16 {
                    let (mut one, mut other) = (one.fork(), other.fork());
                    let (long, short) = (tokens(60, 4), tokens(1, 5));
                    let mut feeds = [Feed::new(&mut one, &long), Feed::new(&mut other, &short)];
                    let mut cancel = Cancel(layers.into());
                    let error = model.forward(&mut feeds, &mut cancel).unwrap_err();
                    assert!(matches!(error, Error::Cancelled), "{error}");
                    let what = format!("{precision}, {len} tokens, after {layers} layers");
                    calm[0].assert_untouched(&mut one, &what);
                    calm[1].assert_untouched(&mut other, &what);
                }
                let mut cancel = Cancel(16.into());
                let mut one = one.fork();
                model.forward(&mut [Feed::new(&mut one, &tokens(60, 4))], &mut cancel).unwrap();
            }
        }
    }
}

/// The embedding of this token is NaN.
const BAD: u32 = 17;

fn with_a_bad_token() -> Tiny {
    let tiny = Tiny::builder().sharding(Sharding::Single).experts(ExpertFormat::Bf16).build();
    let mut tensors = tiny.tensors().clone();
    let table = tensors.get_mut("model.embed_tokens.weight").unwrap();
    let row = table.shape[1] * 2;
    table.bytes[BAD as usize * row + 2..][..2].copy_from_slice(&[0xc0, 0x7f]);
    safetensors::write(&tiny.files()[0], &tensors, None);
    tiny
}

/// Tokens without the bad one.
fn good(count: usize, seed: u64) -> Vec<u32> {
    tokens(count, seed).into_iter().map(|id| if id == BAD { id + 1 } else { id }).collect()
}

#[test]
fn not_a_number_midway() {
    let tiny = with_a_bad_token();
    for (chunk, len) in [(512, 10), (7, 10), (7, 90), (1, 40)] {
        let options = Options { chunk, ..Options::default() };
        let model = Model::open(tiny.path(), &options).unwrap();
        let (one, other) = (good(4, 1), good(len, 2));
        let (mut first, mut second) = (begun(&model, &one), begun(&model, &other));
        let new = [good(50, 3), vec![BAD], good(9, 4)].concat();
        let mut feeds =
            [Feed::new(&mut first, &new[..8]), Feed::new(&mut second, &new).wanted(Wanted::All)];
        let error = model.forward(&mut feeds, &mut ()).unwrap_err();
        let Error::NotFinite { step, value, sequence, position } = &error else {
            panic!("another error: {error}")
        };
        assert_eq!((*sequence, *position), (1, len + 50), "{error}");
        assert!(value.is_nan() && step.contains("layer 0"), "{error}");
        assert!(error.to_string().contains(&format!("position {} of sequence 1", len + 50)));
        for (session, before) in [(&mut first, &one), (&mut second, &other)] {
            assert_eq!(session.tokens(), before);
            let new = good(5, 6);
            let mut fresh = model.session().unwrap();
            let expected = model.evaluate(&mut fresh, &[&before[..], &new].concat()).unwrap();
            let logits = model.evaluate(session, &new).unwrap();
            assert!(bits(&logits) == bits(&expected), "chunks of {chunk}");
        }
    }
}

/// Recomputing after a far truncation can fail as well.
#[test]
fn cancelled_while_computing_again() {
    let model = open(&every_kind()[0], Precision::F32, 16, 2);
    let all = tokens(100, 1);
    let calm = Calm::new(&model, &all[..40]);
    for layers in [0, 1, 5, 9, 11] {
        let mut session = begun(&model, &all);
        model.truncate(&mut session, 40).unwrap();
        let mut feed = [Feed::new(&mut session, &[1])];
        let error = model.forward(&mut feed, &mut Cancel(layers.into())).unwrap_err();
        assert!(matches!(error, Error::Cancelled), "{error}");
        calm.assert_untouched(&mut session, &format!("after {layers} layers"));
    }
}

/// Chunks are reported as they are done.
#[test]
fn progress_is_told() {
    struct Progress(Vec<(usize, usize)>);
    impl Observer for Progress {
        fn logits(&mut self, at: At, _: &[f32]) {
            assert_eq!(at.position, 19);
        }

        fn progress(&mut self, done: usize, total: usize) {
            self.0.push((done, total));
        }
    }
    let model = open(&every_kind()[0], Precision::F32, 8, 2);
    let mut session = model.session().unwrap();
    let mut progress = Progress(Vec::new());
    model.forward(&mut [Feed::new(&mut session, &tokens(20, 1))], &mut progress).unwrap();
    assert_eq!(progress.0, [(8, 20), (16, 20), (20, 20)]);
}
