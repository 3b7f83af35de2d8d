//! Several sequences in one call: each as if it were alone.

use moe_engine::{At, Feed, Model, Observer, Precision, Session, Wanted};

use crate::models::{PAGE, Said, bits, every_kind, open, plain, tokens};

/// Tokens that a sequence has before the call, and those that it gets: prefill and decode, short
/// and long, to and across the edge of the window of 8 and of a page.
const SEQUENCES: [(usize, usize); 8] =
    [(0, 1), (0, 45), (7, 1), (8, 1), (PAGE - 1, 2), (PAGE, 1), (40, 33), (3, 9)];

fn begun(model: &Model, before: &[u32]) -> Session {
    let mut session = model.session().unwrap();
    if !before.is_empty() {
        model.evaluate(&mut session, before).unwrap();
    }
    session
}

#[test]
fn a_batch_is_its_sequences() {
    for tiny in every_kind() {
        for precision in Precision::ALL {
            for chunk in [7, 512] {
                let model = open(&tiny, precision, chunk, 2);
                let all: Vec<_> = (10..)
                    .zip(SEQUENCES)
                    .map(|(seed, (before, new))| tokens(before + new, seed))
                    .collect();
                let parts: Vec<_> = all
                    .iter()
                    .zip(SEQUENCES)
                    .map(|(all, (before, _))| all.split_at(before))
                    .collect();
                let mut together: Vec<_> =
                    parts.iter().map(|(before, _)| begun(&model, before)).collect();
                let feeds = together.iter_mut().zip(&parts);
                let mut feeds: Vec<_> = feeds
                    .map(|(session, (_, new))| Feed::new(session, new).wanted(Wanted::All))
                    .collect();
                let mut said = Said::default();
                let usage = model.forward(&mut feeds, &mut said).unwrap();
                assert_eq!(usage.tokens, SEQUENCES.iter().map(|(_, new)| new).sum::<usize>());
                for (sequence, (before, new)) in parts.iter().enumerate() {
                    let mut alone = Said::default();
                    alone.add(&model, &mut begun(&model, before), new);
                    let what = format!("{precision}, chunks of {chunk}, sequence {sequence}");
                    said.only(sequence).assert_is(&alone, &what);
                    assert_eq!(together[sequence].tokens(), all[sequence]);
                }
            }
        }
    }
}

/// Which logits each sequence wants is its own affair.
#[test]
fn wanted_logits_are_given_and_no_others() {
    struct Given(Vec<(usize, usize)>);
    impl Observer for Given {
        fn logits(&mut self, At { sequence, position, .. }: At, _: &[f32]) {
            self.0.push((sequence, position));
        }
    }
    let tiny = &every_kind()[0];
    for chunk in [1, 4, 512] {
        let model = open(tiny, Precision::F32, chunk, 2);
        let new = tokens(6, 1);
        let mut sessions: Vec<_> = (0..4).map(|n| begun(&model, &tokens(n, 2))).collect();
        let wanted = [Wanted::All, Wanted::Nothing, Wanted::Last, Wanted::All];
        let feeds = sessions.iter_mut().zip(wanted);
        let mut feeds: Vec<_> =
            feeds.map(|(session, wanted)| Feed::new(session, &new).wanted(wanted)).collect();
        let mut given = Given(Vec::new());
        model.forward(&mut feeds, &mut given).unwrap();
        let mut expected: Vec<_> = (0..6).map(|n| (0, n)).collect();
        expected.push((2, 7));
        expected.extend((3..9).map(|n| (3, n)));
        assert_eq!(given.0, expected, "chunks of {chunk}");
    }
}

/// A model is used by several threads at the same time.
#[test]
fn callers_do_not_disturb_each_other() {
    let tiny = &every_kind()[0];
    let model = plain(tiny);
    let expected: Vec<_> =
        (0..4).map(|n| model.evaluate(&mut model.session().unwrap(), &tokens(20 + n, 7))).collect();
    std::thread::scope(|scope| {
        for (n, expected) in expected.iter().enumerate() {
            let model = &model;
            scope.spawn(move || {
                for _ in 0..5 {
                    let mut session = model.session().unwrap();
                    let logits = model.evaluate(&mut session, &tokens(20 + n, 7)).unwrap();
                    assert!(bits(&logits) == bits(expected.as_ref().unwrap()), "caller {n}");
                }
            });
        }
    });
}
