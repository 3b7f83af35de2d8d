//! Devices that fail.

use std::sync::atomic::{AtomicUsize, Ordering};

use moe_engine::backend::Npu;

use moe_engine::{Error, Feed, Finish, Generation, Model, Observer, Request, Result, Session};
use testkit::Tiny;

use super::children::Machines;
use super::counters::{assert_nothing_is_left, counters, reset_counters};
use super::machine::{ascend, eager, open, options, small, turn};
use super::models::{assert_continues, begun, bits, tiny, tokens};

/// A prompt and some tokens, as far as they come.
fn answer(model: &Model<Npu>) -> (Vec<Vec<u32>>, Result<()>) {
    let mut said = Vec::new();
    let mut go_on = || {
        let mut session = model.session()?;
        said.push(bits(&model.evaluate(&mut session, &tokens(20, 1))?));
        for round in 0..12 {
            said.push(bits(&model.evaluate(&mut session, &tokens(1, round))?));
        }
        Ok(())
    };
    let outcome = go_on();
    (said, outcome)
}

/// In the prompt, in the first token, which is computed without a graph, and among the graphs.
#[test]
fn a_kernel_faults() {
    let machines = Machines::new();
    for fault in ["kernel:20", "kernel:60", "kernel:110", "kernel:140", "lost:90"] {
        machines.run("weather::child_fault", &[("ASCEND_SIM_FAULTS", fault)]);
    }
}

#[test]
#[ignore = "a child of `a_kernel_faults`"]
fn child_fault() {
    let turn = turn();
    let tiny = tiny(2, 8);
    let broken = {
        let model = open(tiny.path(), 64, &small());
        let (said, outcome) = answer(&model);
        let error = outcome.unwrap_err();
        println!("after {} results: {error}", said.len());
        let Error::Device { step, source } = &error else { panic!("{error}") };
        assert!(!step.is_empty());
        assert_eq!(source.class(), ascend_acl::codes::Class::DeviceFault, "{error}");
        // The device is gone for this model, and that is what it says.
        let error = model.evaluate(&mut model.session().unwrap(), &[1]).unwrap_err();
        assert!(error.to_string().contains("is lost"), "{error}");
        said
    };
    assert_nothing_is_left();
    let (said, outcome) = answer(&open(tiny.path(), 64, &small()));
    outcome.unwrap();
    // What came before the fault was right.
    assert_eq!(broken[..], said[..broken.len()]);
    let (expected, _) = answer(&open(tiny.path(), 64, &eager(small())));
    assert!(said == expected);
    assert_nothing_is_left();
    drop(turn);
}

/// Allocations from the first of opening to the last of a generation: all that follow a failed one are undone.
#[test]
fn memory_runs_out_while_room_is_made() {
    let (_turn, tiny) = (turn(), tiny(2, 8));
    reset_counters();
    let (_, outcome) = answer(&open(tiny.path(), 64, &small()));
    outcome.unwrap();
    let all = counters().allocations;
    let machines = Machines::new();
    let parts = 5;
    let each = (0..parts).map(|part| 1 + part * (all - 1) / (parts - 1));
    for at in each {
        let fault = format!("malloc:{at}");
        machines.run("weather::child_memory", &[("ASCEND_SIM_FAULTS", &fault)]);
    }
}

#[test]
#[ignore = "a child of `memory_runs_out_while_room_is_made`"]
fn child_memory() {
    let _turn = turn();
    let tiny = tiny(2, 8);
    let opened = Model::open_npu(tiny.path(), &ascend(), &options(64), &small(), None);
    let error = match opened {
        Err(error) => error,
        Ok(model) => {
            let (_, outcome) = answer(&model);
            let error = outcome.unwrap_err();
            // The same model goes on once there is memory.
            let (said, outcome) = answer(&model);
            outcome.unwrap();
            assert_eq!(said.len(), 13);
            error
        }
    };
    println!("{error}");
    let Error::Device { step, source } = &error else { panic!("{error}") };
    assert!(!step.is_empty());
    assert_eq!(source.class(), ascend_acl::codes::Class::OutOfMemory, "{error}");
    assert_nothing_is_left();
    let (said, outcome) = answer(&open(tiny.path(), 64, &small()));
    outcome.unwrap();
    assert!(said == answer(&open(tiny.path(), 64, &eager(small()))).0);
    assert_nothing_is_left();
}

/// Stops before the n-th layer.
struct Stopping(AtomicUsize);

impl Observer for Stopping {
    fn cancelled(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) == 0
    }
}

fn stopped(model: &Model<Npu>, session: &mut Session<Npu>, new: &[u32], layer: usize) {
    let mut stopping = Stopping(AtomicUsize::new(layer));
    let outcome = model.forward(&mut [Feed::new(session, new)], &mut stopping);
    assert!(matches!(outcome, Err(Error::Cancelled)));
}

/// In a prompt, in its second chunk, in the first batch of one token, and while the second one is captured; a graph that runs is not
/// asked, and ends within the time of a token.
#[test]
fn whatever_is_cancelled_has_not_been() {
    let _turn = turn();
    let model = open(tiny(3, 8).path(), 16, &small());
    let mut session = begun(&model, &tokens(20, 1));
    for layer in 0..6 {
        stopped(&model, &mut session, &tokens(30, 2), layer);
        assert_eq!((session.len(), session.evaluated()), (20, 20));
    }
    for layer in [1, 2, 0] {
        stopped(&model, &mut session, &[5], layer);
        assert_eq!((session.len(), session.evaluated()), (20, 20));
    }
    reset_counters();
    assert_continues(&model, &mut session, &[5], "captured after all");
    assert_continues(&model, &mut session, &tokens(1, 4), "a graph");
    assert_eq!(counters().replays, 2);
}

/// A generation ends between two graphs.
#[test]
fn a_generation_is_cancelled() {
    let _turn = turn();
    let model = open(tiny(2, 8).path(), 64, &small());
    let request = Request { stop_tokens: Some(Vec::new()), ..Request::new(tokens(5, 1)) };
    let mut generation = Generation::new(&model, [request]).unwrap();
    let cancel = generation.cancel_token();
    let taken: Vec<_> = generation.by_ref().take(6).map(|step| step.unwrap().token).collect();
    cancel.cancel();
    assert_eq!((taken.len(), generation.by_ref().count()), (6, 0));
    assert_eq!(generation.finish(0), Some(&Finish::Cancelled));
    let mut session = generation.into_sessions().remove(0);
    assert_eq!(session.len(), 5 + 5);
    assert_continues(&model, &mut session, &tokens(2, 2), "after the cancellation");
}

#[test]
fn nothing_is_left_when_all_is_dropped() {
    let _turn = turn();
    assert_nothing_is_left();
    for npu in [small(), eager(small())] {
        let tiny: Tiny = tiny(2, 8);
        let model = open(tiny.path(), 64, &npu);
        answer(&model).1.unwrap();
        let session = begun(&model, &tokens(300, 1));
        let fork = session.fork();
        // Sessions may live longer than their model.
        drop(model);
        drop((session, fork));
        assert_nothing_is_left();
    }
}
