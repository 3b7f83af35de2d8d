//! Devices that share the experts.

use std::thread;
use std::time::{Duration, Instant};

use moe_engine::backend::{Npu, Ranks};
use moe_engine::{Error, Generation, Model, Request};
use testkit::golden::{Distance, Golden};

use super::children::{Machines, passed};
use super::counters::assert_nothing_is_left;
use super::golden::{GATE, roomy, short_sets};
use super::machine::{ascend, open, options, turn};
use super::models::{bits, logits};

/// Six experts, of which each of two devices has three.
fn set() -> Golden {
    short_sets().into_iter().find(|set| set.name() == "top1").unwrap()
}

fn open_rank(set: &Golden, ranks: Ranks) -> Model<Npu> {
    let path = set.checkpoint("mxfp4").unwrap();
    Model::open_npu(path, &ascend(), &options(64), &roomy(), Some(ranks)).unwrap()
}

fn generated(model: &Model<Npu>, set: &Golden) -> Vec<u32> {
    let requests = set.prompts().iter().map(|prompt| Request {
        max_new: 12,
        stop_tokens: Some(Vec::new()),
        ..Request::new(prompt.tokens.clone())
    });
    Generation::new(model, requests).unwrap().map(|step| step.unwrap().token).collect()
}

/// What every rank does and checks.
fn take_part(ranks: Ranks, set: &Golden) -> (Vec<u32>, Vec<u32>) {
    let rank = ranks.rank();
    assert_eq!(ranks.count(), 2);
    let model = open_rank(set, ranks);
    let mut all = Vec::new();
    for prompt in set.prompts() {
        let found = logits(&model, &prompt.tokens);
        let distance = Distance::between(&prompt.logits, &found, set.vocab());
        GATE.assert(&format!("rank {rank}, {}", prompt.name), distance);
        all.extend(bits(&found));
    }
    (all, generated(&model, set))
}

#[test]
fn two_devices_are_as_one() {
    let variables = [("ASCEND_SIM_DEVICES", "2"), ("HCCL_EXEC_TIMEOUT", "20")];
    Machines::new().run("ranks::child_two", &variables);
}

#[test]
#[ignore = "a child of `two_devices_are_as_one`"]
fn child_two() {
    let turn = turn();
    let set = set();
    {
        let alone = open(&set.checkpoint("mxfp4").unwrap(), 64, &roomy());
        let expected = generated(&alone, &set);
        let whole = alone.backend().planned().sizes.experts;
        let ranks = Ranks::of(&ascend(), &[0, 1]).unwrap();
        let said: Vec<_> = thread::scope(|scope| {
            let set = &set;
            let threads = ranks.into_iter().map(|rank| scope.spawn(move || take_part(rank, set)));
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(said[0] == said[1], "the ranks do not agree");
        assert_eq!(said[0].1, expected);
        let ranks = Ranks::of(&ascend(), &[1, 0]).unwrap();
        let halves: Vec<_> = thread::scope(|scope| {
            let threads = ranks.into_iter().map(|rank| {
                let set = &set;
                scope.spawn(move || open_rank(set, rank).backend().planned().sizes.experts)
            });
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(halves, [whole / 2; 2]);
        assert!(Ranks::of(&ascend(), &[0, 0]).is_err());
        assert!(Ranks::of(&ascend(), &[0, 2]).is_err());
        // Seven experts are not shared by two.
        let odd = short_sets().into_iter().find(|set| set.name() == "top3").unwrap();
        let mut ranks = Ranks::of(&ascend(), &[0, 1]).unwrap();
        let path = odd.checkpoint("mxfp4").unwrap();
        let error = Model::open_npu(path, &ascend(), &options(64), &roomy(), ranks.pop());
        assert!(matches!(error.unwrap_err(), Error::Plan { .. }));
    }
    assert_nothing_is_left();
    drop(turn);
}

#[test]
fn a_rank_that_dies_holds_nobody_up() {
    let variables = [("ASCEND_SIM_DEVICES", "2"), ("HCCL_EXEC_TIMEOUT", "2")];
    Machines::new().run("ranks::child_death", &variables);
}

#[test]
#[ignore = "a child of `a_rank_that_dies_holds_nobody_up`"]
fn child_death() {
    let turn = turn();
    let set = set();
    let mut ranks = Ranks::of(&ascend(), &[0, 1]).unwrap();
    let (second, first) = (ranks.pop().unwrap(), ranks.pop().unwrap());
    thread::scope(|scope| {
        let set = &set;
        scope.spawn(move || {
            let model = open_rank(set, second);
            model.evaluate(&mut model.session().unwrap(), &[1, 2]).unwrap();
        });
        let model = open_rank(set, first);
        let mut session = model.session().unwrap();
        model.evaluate(&mut session, &[1, 2]).unwrap();
        let begin = Instant::now();
        let error = model.evaluate(&mut session, &[3]).unwrap_err();
        println!("after {:?}: {error}", begin.elapsed());
        assert!(matches!(error, Error::Device { .. }), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(10));
    });
    drop(turn);
}

#[test]
fn two_processes_meet() {
    let machines = Machines::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root");
    let file = file.to_str().unwrap();
    let processes: Vec<_> = ["0", "1"]
        .map(|rank| {
            let variables = [("RANK", rank), ("ROOT", file), ("ASCEND_SIM_DEVICES", "2")];
            let mut child = machines.command("ranks::child_process", &variables);
            child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            child.spawn().unwrap()
        })
        .into();
    let printed = processes.into_iter().map(|process| {
        let printed = passed("a rank", &process.wait_with_output().unwrap());
        let tokens = printed.lines().find(|line| line.starts_with("tokens ")).unwrap();
        tokens.to_owned()
    });
    let printed: Vec<_> = printed.collect();
    assert_eq!(printed[0], printed[1]);
    let _turn = turn();
    let alone = open(&set().checkpoint("mxfp4").unwrap(), 64, &roomy());
    assert_eq!(printed[0], format!("tokens {:?}", generated(&alone, &set())));
}

#[test]
#[ignore = "a child of `two_processes_meet`"]
fn child_process() {
    let device: i32 = std::env::var("RANK").unwrap().parse().unwrap();
    let rank = usize::try_from(device).unwrap();
    let file = std::env::var("ROOT").unwrap();
    let ranks = Ranks::join(&ascend(), device, rank, 2, &file).unwrap();
    assert_eq!((ranks.rank(), ranks.device()), (rank, device));
    let (_, tokens) = take_part(ranks, &set());
    println!("tokens {tokens:?}");
}
