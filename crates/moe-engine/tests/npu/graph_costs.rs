//! What a token costs once its graph is there.

use moe_engine::{Feed, Wanted};

use super::counters::{counters, reset_counters};
use super::machine::{eager, open, small, turn};
use super::models::{begun, tiny, tokens};

const LAYERS: u64 = 3;

/// Operators after the layers: rows, norm, product, the greatest.
const HEAD: u64 = 4;

#[test]
fn a_replay_is_an_update_and_a_run() {
    let _turn = turn();
    let tiny = tiny(LAYERS as usize, 8);
    for sequences in [1_u64, 2, 3] {
        let model = open(tiny.path(), 256, &small());
        let mut sessions: Vec<_> =
            (0..sequences).map(|n| begun(&model, &tokens(4 + 9 * n as usize, n))).collect();
        let mut round = |rounds: u64| {
            for round in 0..rounds {
                let next = tokens(1, round);
                let wanted = Wanted::Best { count: 1, below: 90 };
                let feeds = sessions.iter_mut().map(|session| Feed::new(session, &next));
                let mut feeds: Vec<_> = feeds.map(|feed| feed.wanted(wanted)).collect();
                model.forward(&mut feeds, &mut ()).unwrap();
            }
        };
        round(4);
        reset_counters();
        let rounds = 20;
        round(rounds);
        let done = counters();
        println!("{sequences} sequences, {rounds} tokens each: {done:?}");
        assert_eq!(done.replays, rounds);
        assert_eq!((done.allocations, done.blocking_copies), (0, 0));
        assert!(done.synchronises <= rounds, "{} waits", done.synchronises);
        // One way there, one back.
        assert_eq!(done.async_copies, 2 * rounds);
        assert!(done.preparations <= rounds * (LAYERS + HEAD), "{}", done.preparations);
    }
}

/// Without graphs neither memory is made, nor is anything waited for but the result.
#[test]
fn operators_one_by_one_do_not_wait_either() {
    let _turn = turn();
    let tiny = tiny(LAYERS as usize, 8);
    let model = open(tiny.path(), 256, &eager(small()));
    let mut session = begun(&model, &tokens(4, 1));
    let mut round = |rounds: u64| {
        for round in 0..rounds {
            let next = tokens(1, round);
            let wanted = Wanted::Best { count: 1, below: 90 };
            model.forward(&mut [Feed::new(&mut session, &next).wanted(wanted)], &mut ()).unwrap();
        }
    };
    round(4);
    reset_counters();
    round(10);
    let done = counters();
    println!("10 tokens: {done:?}");
    assert_eq!((done.allocations, done.blocking_copies, done.replays), (0, 0, 0));
    assert!(done.synchronises <= 10, "{} waits", done.synchronises);
}
