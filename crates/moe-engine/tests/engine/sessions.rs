//! Forking and truncating.

use moe_engine::{Error, Model, Precision, Session};

use crate::models::{PAGE, Said, bits, every_kind, open, plain, tokens};

fn begun(model: &Model, tokens: &[u32]) -> Session {
    let mut session = model.session().unwrap();
    model.evaluate(&mut session, tokens).unwrap();
    session
}

/// Continues a session, and says so if that is not what one pass over all tokens gives.
#[track_caller]
fn assert_continues(model: &Model, session: &mut Session, new: &[u32], what: &str) {
    let all = [session.tokens(), new].concat();
    let expected = model.evaluate(&mut model.session().unwrap(), &all).unwrap();
    let logits = model.evaluate(session, new).unwrap();
    assert!(bits(&logits) == bits(&expected), "{what}");
    assert_eq!((session.tokens(), session.evaluated()), (all.as_slice(), all.len()), "{what}");
}

#[test]
fn forks_go_their_own_ways() {
    for tiny in every_kind() {
        for precision in Precision::ALL {
            let model = open(&tiny, precision, 7, 2);
            // Within a page, at its edges, and after pages were given up.
            for len in [1, PAGE - 1, PAGE, PAGE + 1, 100] {
                let mut one = begun(&model, &tokens(len, 1));
                let mut other = one.fork();
                let mut third = other.fork();
                assert_eq!(other.tokens(), one.tokens());
                let what = format!("{precision}, fork at {len}");
                assert_continues(&model, &mut one, &tokens(35, 10), &what);
                assert_continues(&model, &mut other, &tokens(1, 20), &what);
                assert_continues(&model, &mut other, &tokens(2, 21), &what);
                // What the other has written since is not in the first one's pages.
                assert_continues(&model, &mut one, &tokens(1, 11), &what);
                // As nothing had happened.
                assert_continues(&model, &mut third, &tokens(2, 30), &what);
                assert_eq!(third.len(), len + 2);
            }
        }
    }
}

#[test]
fn a_fork_lives_longer_than_its_session() {
    let tiny = &every_kind()[0];
    let model = plain(tiny);
    let session = begun(&model, &tokens(50, 1));
    let mut fork = session.fork();
    drop(session);
    assert_continues(&model, &mut fork, &tokens(40, 2), "without the original");
}

/// A fork holds the same pages, so nothing is copied until one goes on.
#[test]
fn a_fork_of_an_empty_session_is_one() {
    let model = plain(&every_kind()[0]);
    let empty = model.session().unwrap();
    let mut fork = empty.fork();
    assert!(empty.is_empty() && fork.is_empty());
    assert_eq!(model.kv_bytes(&fork), 0);
    assert_continues(&model, &mut fork, &tokens(3, 1), "an empty fork");
}

/// From how many tokens to how many.
const CUTS: [(usize, usize); 13] = [
    (20, 19),
    (20, 7),
    (20, 0),
    (PAGE, PAGE - 1),
    (PAGE + 1, PAGE),
    (100, 100),
    (100, 99),
    (100, 96),
    // What the next token sees in a window of 8 begins in the page before: that is gone.
    (100, 95),
    (100, 94),
    (100, 60),
    (100, 1),
    (100, 0),
];

#[test]
fn truncating_and_going_on_is_never_having_been_there() {
    for tiny in every_kind() {
        for precision in Precision::ALL {
            let model = open(&tiny, precision, 7, 2);
            let step = if precision == Precision::F32 { 1 } else { 4 };
            for (len, to) in CUTS.into_iter().step_by(step) {
                let mut session = begun(&model, &tokens(len, 1));
                model.truncate(&mut session, to).unwrap();
                assert_eq!(session.tokens(), &tokens(len, 1)[..to]);
                assert!(session.evaluated() <= to);
                let what = format!("{precision}, from {len} to {to}");
                let mut twice = session.fork();
                assert_continues(&model, &mut session, &tokens(40, 3), &what);
                model.truncate(&mut twice, to.saturating_sub(1)).unwrap();
                assert_continues(&model, &mut twice, &tokens(1, 4), &what);
            }
        }
    }
}

/// What a truncation costs: nothing where the window is still there, everything where it is not.
#[test]
fn only_what_was_given_up_is_computed_again() {
    let model = plain(&every_kind()[0]);
    let mut session = begun(&model, &tokens(20, 1));
    model.truncate(&mut session, 3).unwrap();
    assert_eq!(session.evaluated(), 3, "nothing is given up in the first page");
    let mut session = begun(&model, &tokens(100, 1));
    model.truncate(&mut session, 99).unwrap();
    assert_eq!(session.evaluated(), 99);
    let fork = session.fork();
    model.truncate(&mut session, 40).unwrap();
    assert_eq!((session.len(), session.evaluated()), (40, 0));
    assert_eq!(model.kv_bytes(&session), 0);
    let mut said = Said::default();
    let mut feed = [moe_engine::Feed::new(&mut session, &[1])];
    assert_eq!(model.forward(&mut feed, &mut said).unwrap().tokens, 41);
    assert_eq!(said.logits.keys().collect::<Vec<_>>(), [&(0, 40)], "old ones are not given again");
    assert_eq!(fork.evaluated(), 99, "a fork does not care");
}

#[test]
fn tokens_and_prefixes() {
    let model = plain(&every_kind()[0]);
    let session = begun(&model, &[5, 6, 7]);
    for (tokens, common) in [
        (&[][..], 0),
        (&[5][..], 1),
        (&[5, 6, 7][..], 3),
        (&[5, 6, 7, 8][..], 3),
        (&[5, 9, 7][..], 1),
        (&[4][..], 0),
    ] {
        assert_eq!(session.common_prefix(tokens), common);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let kinds = every_kind();
    let (model, other) = (plain(&kinds[0]), plain(&kinds[1]));
    let mut session = begun(&model, &tokens(5, 1));
    let error = model.truncate(&mut session, 6).unwrap_err();
    assert_eq!(error.to_string(), "cannot truncate 5 tokens to 6");
    assert!(matches!(error, Error::Session { .. }));
    assert_eq!(session.tokens(), tokens(5, 1));
    let bf16 = open(&kinds[0], Precision::Bf16, 512, 2);
    for stranger in [&other, &bf16] {
        for error in [
            stranger.evaluate(&mut session, &[1]).unwrap_err(),
            stranger.truncate(&mut session, 1).unwrap_err(),
            stranger.save_session(&session, "nowhere").unwrap_err(),
        ] {
            assert!(matches!(error, Error::Session { .. }), "{error}");
            assert_eq!(error.to_string(), "the session is of another model or precision");
        }
    }
    assert_eq!(session.tokens(), tokens(5, 1));
}

/// Sliding layers hold less than a page more than their window and the page they write; full layers
/// [`Model::kv_bytes_per_token`].
#[test]
fn memory_of_a_session() {
    for (tiny, window) in every_kind().iter().zip([8, PAGE + 8]) {
        for precision in Precision::ALL {
            let model = open(tiny, precision, 64, 2);
            let element = if precision == Precision::F32 { 4 } else { 2 };
            // 2 heads of 16, keys and values, 2 of 4 layers.
            assert_eq!(model.kv_bytes_per_token(), 2 * 16 * 2 * 2 * element);
            let session = begun(&model, &tokens(300, 1));
            let pages = 300_usize.div_ceil(PAGE) * PAGE;
            let full = model.kv_bytes_per_token() * pages as u64;
            let sliding = model.kv_bytes(&session) - full;
            let most = model.kv_bytes_per_token() * (window + 2 * PAGE) as u64;
            assert!(sliding <= most, "{precision}: {sliding} of {most}");
        }
    }
}
