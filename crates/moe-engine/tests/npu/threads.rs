//! A model that several threads use, and two models on one device.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use moe_engine::backend::Npu;
use moe_engine::{Feed, Model, Observer};

use super::machine::{open, small, turn};
use super::models::{begun, bits, tiny, tokens};

fn run(model: &Model<Npu>, caller: u64) -> Vec<Vec<u32>> {
    let mut all = Vec::new();
    let mut session = model.session().unwrap();
    all.push(bits(&model.evaluate(&mut session, &tokens(5, caller)).unwrap()));
    for round in 0..6 {
        all.push(bits(&model.evaluate(&mut session, &tokens(1, round)).unwrap()));
    }
    all
}

/// One captures a graph while another makes room for its first batch.
#[test]
fn callers_do_not_disturb_each_other() {
    let _turn = turn();
    let tiny = tiny(2, 8);
    let alone = open(tiny.path(), 64, &small());
    let expected: Vec<_> = (0..4).map(|caller| run(&alone, caller)).collect();
    for _ in 0..3 {
        // Without any space that was left by an earlier call.
        let model = open(tiny.path(), 64, &small());
        thread::scope(|scope| {
            for (caller, expected) in (0..).zip(&expected) {
                let model = &model;
                scope.spawn(move || assert!(run(model, caller) == *expected, "caller {caller}"));
            }
        });
    }
}

/// Lets somebody else work between two layers.
struct Between<'a> {
    calls: AtomicUsize,
    work: &'a (dyn Fn() + Sync),
}

impl Observer for Between<'_> {
    fn cancelled(&self) -> bool {
        if self.calls.fetch_add(1, Ordering::Relaxed) == 1 {
            (self.work)();
        }
        false
    }
}

/// While a graph is captured, other threads may do all that they may do at other times.
#[test]
fn a_capture_is_nobody_elses_business() {
    let _turn = turn();
    let (first, second) = (tiny(2, 8), tiny(3, 8));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.session");
    let model = open(first.path(), 64, &small());
    let other = open(second.path(), 64, &small());
    let expected = run(&other, 3);
    let saved = begun(&model, &tokens(20, 1));
    model.save_session(&saved, &path).unwrap();
    let mut session = begun(&model, &tokens(5, 2));
    // The first batch of one token runs as it is, the second is captured.
    model.evaluate(&mut session, &[1]).unwrap();
    thread::scope(|scope| {
        let (model, path, other, expected) = (&model, &path, &other, &expected);
        let (second, saved) = (&second, &saved);
        let (send, later) = mpsc::channel();
        let work = move || {
            let here = scope.spawn(move || {
                // What does not go through the layers of this model.
                let loaded = model.load_session(path).unwrap();
                model.save_session(&loaded, path).unwrap();
                drop(saved.fork());
                assert!(run(other, 3) == *expected, "another model");
                drop(open(second.path(), 64, &small()));
            });
            here.join().unwrap();
            // Its first batch waits for its turn, with room of its own.
            let there = scope.spawn(move || run(model, 9));
            thread::sleep(Duration::from_millis(100));
            send.send(there).unwrap();
        };
        let work = std::sync::Mutex::new(Some(work));
        let once = || work.lock().unwrap().take().unwrap()();
        let mut between = Between { calls: AtomicUsize::new(0), work: &once };
        model.forward(&mut [Feed::new(&mut session, &[2])], &mut between).unwrap();
        let there: thread::ScopedJoinHandle<'_, _> = later.recv().unwrap();
        let again = there.join().unwrap();
        assert!(again == run(model, 9));
    });
}
