//! The cache's end.

use moe_engine::{Error, Feed, LayerKind};

use super::machine::{open, room, turn};
use super::models::{BLOCK, begun, tiny, tokens};

#[test]
fn a_request_without_room_is_refused_and_others_live() {
    let _turn = turn();
    // Three blocks of full layers.
    let model = open(tiny(2, 8).path(), 64, &room(3 * BLOCK, 8));
    let mut first = begun(&model, &tokens(BLOCK + 2, 1));
    let mut second = begun(&model, &tokens(BLOCK - 1, 2));
    let error = model.evaluate(&mut model.session().unwrap(), &[1, 2]).unwrap_err();
    let Error::CacheFull { layers, needed, free } = error else { panic!("{error}") };
    assert_eq!((layers, needed, free), (LayerKind::Full, BLOCK, 0));
    // One that needs a block more ends, and has the tokens that it had before; one that does not goes on.
    let error = model.evaluate(&mut second, &[1, 2]).unwrap_err();
    assert!(matches!(error, Error::CacheFull { .. }), "{error}");
    assert_eq!((second.len(), second.evaluated()), (BLOCK - 1, BLOCK - 1));
    model.evaluate(&mut first, &[5]).unwrap();
    // Both at once: none of them has gone on.
    let mut feeds = [Feed::new(&mut first, &[6]), Feed::new(&mut second, &[1, 2])];
    assert!(matches!(model.forward(&mut feeds, &mut ()), Err(Error::CacheFull { .. })));
    assert_eq!((first.len(), second.len()), (BLOCK + 3, BLOCK - 1));
    model.evaluate(&mut second, &[1]).unwrap();
    let all = first.tokens().to_vec();
    drop(first);
    model.evaluate(&mut second, &[2]).unwrap();
    drop(second);
    // Room for three blocks is there again, and what is in them is right.
    let mut again = begun(&model, &all);
    drop(begun(&model, &tokens(BLOCK, 3)));
    again = {
        let fork = again.fork();
        drop(again);
        fork
    };
    model.evaluate(&mut again, &[9]).unwrap();
}

/// A prompt of several chunks that ends in the middle gives back what it took.
#[test]
fn a_prompt_that_is_too_long_takes_nothing() {
    let _turn = turn();
    let model = open(tiny(2, 8).path(), 64, &room(3 * BLOCK, 8));
    for _ in 0..2 {
        let mut session = model.session().unwrap();
        let error = model.evaluate(&mut session, &tokens(3 * BLOCK + 1, 1)).unwrap_err();
        assert!(matches!(error, Error::CacheFull { layers: LayerKind::Full, .. }), "{error}");
        assert_eq!((session.len(), session.evaluated()), (0, 0));
        drop(begun(&model, &tokens(3 * BLOCK, 1)));
    }
}

/// Sliding layers have room for a number of sequences.
#[test]
fn too_many_sequences() {
    let _turn = turn();
    let model = open(tiny(2, 8).path(), 64, &room(100 * BLOCK, 2));
    let mut sessions = Vec::new();
    let error = loop {
        let mut session = model.session().unwrap();
        match model.evaluate(&mut session, &[1, 2, 3]) {
            Ok(_) => sessions.push(session),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::CacheFull { layers: LayerKind::Sliding, .. }), "{error}");
    assert!(sessions.len() >= 2, "{}", sessions.len());
    sessions.truncate(2);
    // Two are promised, however long they are and wherever their blocks end.
    for session in &mut sessions {
        model.evaluate(session, &tokens(BLOCK - 6, 4)).unwrap();
    }
    for round in 0..BLOCK as u64 + 20 {
        let next = tokens(1, round);
        let mut feeds: Vec<_> =
            sessions.iter_mut().map(|session| Feed::new(session, &next)).collect();
        model.forward(&mut feeds, &mut ()).unwrap();
    }
}

/// Blocks that no token sees any more are given back, so a long text takes no more sliding blocks than a short one.
#[test]
fn sliding_layers_do_not_run_out() {
    let _turn = turn();
    // All layers slide in a model of one.
    let (tiny, prompt) = (tiny(1, 8), tokens(5 * BLOCK, 1));
    let model = open(tiny.path(), 64, &room(7 * BLOCK, 1));
    let mut session = begun(&model, &prompt);
    let bytes = model.kv_bytes(&session);
    let next = tokens(BLOCK + 8, 2);
    for (round, &token) in next.iter().enumerate() {
        model.evaluate(&mut session, &[token]).unwrap();
        assert!(model.kv_bytes(&session) <= 2 * bytes, "round {round}");
    }
    let large = open(tiny.path(), 64, &room(7 * BLOCK, 8));
    let expected = large.evaluate(&mut begun(&large, session.tokens()), &[7]).unwrap();
    assert!(model.evaluate(&mut session, &[7]).unwrap() == expected);
}

/// The last block is used to its end, also where the room asked for ends before it.
#[test]
fn every_position_of_the_last_block_can_be_used() {
    let _turn = turn();
    let tiny = tiny(2, 8);
    let (tight, roomy) = (room(BLOCK + 20, 2), room(1024, 2));
    let mut said = Vec::new();
    for npu in [tight, roomy] {
        let model = open(tiny.path(), 64, &npu);
        let mut session = begun(&model, &tokens(2 * BLOCK - 1, 1));
        said.push(model.evaluate(&mut session, &[3]).unwrap());
        assert_eq!(session.len(), 2 * BLOCK);
    }
    assert!(said[0] == said[1]);
}
