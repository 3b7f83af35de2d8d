//! Sessions that are forked, cut, and computed together.

use moe_engine::{Error, Feed, Wanted};

use super::machine::{open, small, turn};
use super::models::{BLOCK, Logits, assert_continues, begun, bits, logits, tiny, tokens};

#[test]
fn forks_go_their_own_ways() {
    let _turn = turn();
    let model = open(tiny(2, 8).path(), 64, &small());
    // Within a block, at its edges, and after sliding layers gave blocks up.
    for len in [1, BLOCK - 1, BLOCK, BLOCK + 9] {
        let mut one = begun(&model, &tokens(len, 1));
        let mut other = one.fork();
        let mut third = other.fork();
        let what = format!("fork at {len}");
        assert_continues(&model, &mut one, &tokens(35, 10), &what);
        assert_continues(&model, &mut other, &tokens(1, 20), &what);
        assert_continues(&model, &mut other, &tokens(2, 21), &what);
        // What the other has written since is not in the first one's blocks.
        assert_continues(&model, &mut one, &tokens(1, 11), &what);
        // As nothing had happened.
        assert_continues(&model, &mut third, &tokens(2, 30), &what);
    }
}

/// Both write to the block that they share, in the same call.
#[test]
fn forks_go_on_together() {
    let _turn = turn();
    let model = open(tiny(2, 8).path(), 64, &small());
    for len in [BLOCK, BLOCK + 9] {
        let mut sessions = vec![begun(&model, &tokens(len, 1))];
        sessions.extend([sessions[0].fork(), sessions[0].fork()]);
        for round in 0..3 {
            let next: Vec<_> = (0..3).map(|n| tokens(1, 10 * round + n)).collect();
            let feeds = sessions.iter_mut().zip(&next);
            let mut feeds: Vec<_> = feeds.map(|(session, next)| Feed::new(session, next)).collect();
            let mut said = Logits::default();
            model.forward(&mut feeds, &mut said).unwrap();
            let said = said.0.chunks(model.config().vocab);
            for (n, (session, said)) in sessions.iter().zip(said).enumerate() {
                let alone = model.evaluate(&mut model.session().unwrap(), session.tokens());
                assert!(bits(&alone.unwrap()) == bits(said), "fork {n} at {len}, round {round}");
            }
        }
    }
}

#[test]
fn a_fork_lives_longer_than_its_session() {
    let _turn = turn();
    let model = open(tiny(2, 8).path(), 64, &small());
    let session = begun(&model, &tokens(150, 1));
    let mut fork = session.fork();
    drop(session);
    // Takes the blocks that only the session had: none.
    let _another = begun(&model, &tokens(150, 9));
    assert_continues(&model, &mut fork, &tokens(40, 2), "without the original");
}

/// From how many tokens to how many; the window is 8.
const CUTS: [(usize, usize); 9] = [
    (20, 7),
    (20, 0),
    (BLOCK, BLOCK - 1),
    (BLOCK + 1, BLOCK),
    // Where the first block of sliding layers is just given up, and just not.
    (BLOCK + 7, 100),
    (BLOCK + 8, 100),
    (BLOCK + 20, BLOCK + 19),
    (BLOCK + 20, BLOCK + 7),
    (BLOCK + 20, BLOCK + 6),
];

#[test]
fn truncating_and_going_on_is_never_having_been_there() {
    let _turn = turn();
    let model = open(tiny(2, 8).path(), 64, &small());
    for (len, to) in CUTS {
        let mut session = begun(&model, &tokens(len, 1));
        model.truncate(&mut session, to).unwrap();
        assert_eq!(session.tokens(), &tokens(len, 1)[..to]);
        let what = format!("from {len} to {to}");
        let mut twice = session.fork();
        assert_continues(&model, &mut session, &tokens(10, 3), &what);
        model.truncate(&mut twice, to.saturating_sub(1)).unwrap();
        assert_continues(&model, &mut twice, &tokens(1, 4), &what);
    }
}

/// What a truncation costs: nothing where the window is still there, everything where it is not.
#[test]
fn only_what_was_given_up_is_computed_again() {
    let _turn = turn();
    let model = open(tiny(2, 8).path(), 64, &small());
    for (len, to, left) in [(100, 3, 3), (300, 299, 299), (300, 263, 263), (300, 40, 0)] {
        let mut session = begun(&model, &tokens(len, 1));
        model.truncate(&mut session, to).unwrap();
        assert_eq!(session.evaluated(), left, "from {len} to {to}");
    }
}

/// A batch of a prompt, a cut prompt and single tokens: each as if it were alone.
#[test]
fn a_batch_is_its_sequences() {
    let _turn = turn();
    // Before the call, and in it.
    let sequences = [(0, 1), (0, 145), (7, 1), (8, 1), (127, 2), (128, 1), (150, 33), (3, 9)];
    let tiny = tiny(2, 8);
    for chunk in [7, 512] {
        let model = open(tiny.path(), chunk, &small());
        let all: Vec<_> =
            (10..).zip(sequences).map(|(seed, (before, new))| tokens(before + new, seed)).collect();
        let parts: Vec<_> =
            all.iter().zip(sequences).map(|(all, (before, _))| all.split_at(before)).collect();
        let mut together: Vec<_> = parts.iter().map(|(before, _)| begun(&model, before)).collect();
        let feeds = together.iter_mut().zip(&parts);
        let mut feeds: Vec<_> =
            feeds.map(|(session, (_, new))| Feed::new(session, new).wanted(Wanted::All)).collect();
        let mut said = Logits::default();
        model.forward(&mut feeds, &mut said).unwrap();
        // Where a call takes several chunks, sequences come one after the other.
        let mut at = 0;
        for (sequence, (all, (before, new))) in all.iter().zip(sequences).enumerate() {
            let vocab = model.config().vocab;
            let alone = logits(&model, all);
            let same = bits(&alone[before * vocab..]) == bits(&said.0[at..][..new * vocab]);
            assert!(same, "chunks of {chunk}, sequence {sequence}");
            at += new * vocab;
        }
    }
}

/// Where a chunk ends changes nothing.
#[test]
fn chunks_are_as_all_at_once() {
    let _turn = turn();
    let tiny = tiny(2, 8);
    let prompt = tokens(140, 3);
    let at_once = bits(&logits(&open(tiny.path(), 512, &small()), &prompt));
    for chunk in [1, 64, 128, 139] {
        let found = bits(&logits(&open(tiny.path(), chunk, &small()), &prompt));
        assert!(found == at_once, "chunks of {chunk}");
    }
}

#[test]
fn sessions_of_other_models_are_refused() {
    let _turn = turn();
    let (one, other) = (tiny(2, 8), tiny(2, 16));
    let [one, other] = [one, other].map(|tiny| open(tiny.path(), 64, &small()));
    let mut session = begun(&one, &tokens(5, 1));
    let error = other.evaluate(&mut session, &[1]).unwrap_err();
    assert!(matches!(error, Error::Session { .. }), "{error}");
    assert_continues(&one, &mut session, &[1], "after the refusal");
}
