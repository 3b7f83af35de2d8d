//! Sessions in files, and on the way from one device to another.

use std::path::Path;

use moe_engine::backend::Backend;
use moe_engine::{Error, Model};
use tempfile::tempdir;
use testkit::golden::Distance;

use super::golden::{GATE, short_sets};
use super::machine::{open, options, small, turn};
use super::models::{BLOCK, all_logits, begun, bits, tiny, tokens};

#[test]
fn a_saved_session_goes_on() {
    let _turn = turn();
    let folder = tempdir().unwrap();
    let path = folder.path().join("talk.session");
    let tiny = tiny(2, 8);
    let model = open(tiny.path(), 512, &small());
    let again = open(tiny.path(), 64, &small());
    for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 40] {
        let mut session = begun(&model, &tokens(len, 1));
        model.save_session(&session, &path).unwrap();
        let mut loaded = again.load_session(&path).unwrap();
        assert_eq!(loaded.tokens(), session.tokens());
        assert_eq!(loaded.evaluated(), len, "nothing is computed again");
        for step in 0..3 {
            let new = tokens(1 + 11 * step, 5 + step as u64);
            let expected = model.evaluate(&mut session, &new).unwrap();
            let logits = again.evaluate(&mut loaded, &new).unwrap();
            assert!(bits(&logits) == bits(&expected), "{len} tokens");
        }
    }
}

/// Of the last tokens nothing is computed, and of a session that was cut far back nothing at all.
#[test]
fn a_truncated_session_is_saved_as_it_is() {
    let _turn = turn();
    let folder = tempdir().unwrap();
    let path = folder.path().join("x");
    let model = open(tiny(2, 8).path(), 512, &small());
    for (to, evaluated) in [(299, 299), (40, 0)] {
        let mut session = begun(&model, &tokens(300, 1));
        model.truncate(&mut session, to).unwrap();
        model.save_session(&session, &path).unwrap();
        let mut loaded = model.load_session(&path).unwrap();
        assert_eq!((loaded.len(), loaded.evaluated()), (to, evaluated));
        let expected = model.evaluate(&mut session, &[3]).unwrap();
        assert!(bits(&model.evaluate(&mut loaded, &[3]).unwrap()) == bits(&expected));
    }
}

/// A session that has been on another device, where nothing was computed, is what it was to the bit.
#[test]
fn another_device_keeps_a_session_as_it_is() {
    let _turn = turn();
    let folder = tempdir().unwrap();
    let path = folder.path().join("moving.session");
    // The processor gives up pages of 32 positions, the device blocks of 128.
    for window in [8, 40] {
        let tiny = tiny(2, window);
        let npu = open(tiny.path(), 64, &small());
        let cpu = Model::open(tiny.path(), &options(64)).unwrap();
        for len in [5, 100, BLOCK + 50] {
            there_and_back(&npu, &cpu, &path, len);
            there_and_back(&cpu, &npu, &path, len);
        }
    }
}

fn there_and_back<A: Backend, B: Backend>(
    one: &Model<A>,
    other: &Model<B>,
    path: &Path,
    len: usize,
) {
    let mut session = begun(one, &tokens(len, 1));
    one.save_session(&session, path).unwrap();
    let loaded = other.load_session(path).unwrap();
    assert_eq!((loaded.tokens(), loaded.evaluated()), (session.tokens(), len));
    other.save_session(&loaded, path).unwrap();
    let mut back = one.load_session(path).unwrap();
    let new = tokens(20, 2);
    let [expected, found] = [&mut session, &mut back].map(|session| all_logits(one, session, &new));
    assert!(bits(&expected) == bits(&found), "{len} tokens");
}

/// What either computes with the other's keys and values is as near to the reference as with its own.
#[test]
fn sessions_go_on_elsewhere() {
    let _turn = turn();
    let folder = tempdir().unwrap();
    let path = folder.path().join("moving.session");
    for set in short_sets() {
        let npu = open(&set.checkpoint("mxfp4").unwrap(), 64, &small());
        let cpu = Model::open(set.checkpoint("mxfp4").unwrap(), &options(64)).unwrap();
        for prompt in set.prompts() {
            let what = format!("{} {}", set.name(), prompt.name);
            let before = prompt.tokens.len() / 2;
            let reference = &prompt.logits[before * set.vocab()..];
            let (begin, rest) = prompt.tokens.split_at(before);
            npu.save_session(&begun(&npu, begin), &path).unwrap();
            let found = all_logits(&cpu, &mut cpu.load_session(&path).unwrap(), rest);
            GATE.assert(&what, Distance::between(reference, &found, set.vocab()));
            cpu.save_session(&begun(&cpu, begin), &path).unwrap();
            let found = all_logits(&npu, &mut npu.load_session(&path).unwrap(), rest);
            GATE.assert(&what, Distance::between(reference, &found, set.vocab()));
        }
    }
}

#[test]
fn files_that_were_cut_are_refused_and_leave_no_room_taken() {
    let _turn = turn();
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.session");
    // Room for two sequences of this length.
    let model = open(tiny(2, 8).path(), 64, &super::machine::room(2 * BLOCK, 2));
    let session = begun(&model, &tokens(100, 1));
    model.save_session(&session, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for at in (0..bytes.len()).step_by(997) {
        std::fs::write(&path, &bytes[..at]).unwrap();
        model.load_session(&path).unwrap_err();
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        std::fs::write(&path, &changed).unwrap();
        model.load_session(&path).unwrap_err();
    }
    std::fs::write(&path, &bytes).unwrap();
    let second = model.load_session(&path).unwrap();
    let error = model.load_session(&path).unwrap_err();
    assert!(matches!(error, Error::CacheFull { .. }), "{error}");
    drop(second);
    assert!(model.load_session(&path).is_ok());
}
