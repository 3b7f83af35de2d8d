//! Why a generation ends.

use std::fs;
use std::sync::mpsc;

use moe_engine::sampling::SamplingParams;
use moe_engine::tokenizer::Tokenizer;
use moe_engine::{CancelToken, Error, Finish, Generation, Model, Request, Step};
use testkit::Tiny;

use crate::letters::{KNOWN, Letters};
use crate::models::{every_kind, plain, tokens};

fn request(max_new: usize) -> Request {
    let sampling = SamplingParams { temperature: 1.5, ..SamplingParams::default() };
    let prompt = Request::new(tokens(6, 1));
    Request { max_new, sampling, seed: 3, stop_tokens: Some(vec![]), ..prompt }
}

/// Of one sequence.
fn steps(generation: Generation<'_>) -> Vec<Step> {
    generation.map(Result::unwrap).collect()
}

fn text(steps: &[Step]) -> String {
    steps.iter().map(|step| step.text.as_str()).collect()
}

fn ids(steps: &[Step]) -> Vec<u32> {
    steps.iter().map(|step| step.token).collect()
}

fn finish(steps: &[Step]) -> Option<Finish> {
    steps.last()?.finish.clone()
}

#[test]
fn as_many_as_were_asked_for() {
    let model = plain(&every_kind()[0]);
    let mut none = Generation::new(&model, [request(0)]).unwrap();
    assert!(none.next().is_none() && none.next().is_none());
    assert_eq!(none.finish(0), Some(&Finish::Length));
    assert!(none.into_sessions()[0].is_empty(), "not even the prompt is computed");
    let mut one = Generation::new(&model, [request(1)]).unwrap();
    assert_eq!(one.finish(0), None);
    let step = one.next().unwrap().unwrap();
    assert_eq!(step.finish, Some(Finish::Length));
    assert!(one.next().is_none());
    assert_eq!((one.finish(0), one.finish(1)), (Some(&Finish::Length), None));
    assert_eq!(one.into_sessions()[0].tokens(), tokens(6, 1));
    let mut nobody = Generation::new(&model, []).unwrap();
    assert!(nobody.next().is_none());
}

#[test]
fn a_stop_token() {
    let model = plain(&every_kind()[0]);
    let free = ids(&steps(Generation::new(&model, [request(30)]).unwrap()));
    let stop = free[12];
    let first = free.iter().position(|&id| id == stop).unwrap();
    let stopping = Request { stop_tokens: Some(vec![383, stop]), ..request(30) };
    let stopped = steps(Generation::new(&model, [stopping]).unwrap());
    assert_eq!(ids(&stopped), free[..=first], "the stop token is given too");
    assert_eq!(finish(&stopped), Some(Finish::StopToken(stop)));
    // At the very last place it counts more than the length.
    let last = Request { stop_tokens: Some(vec![stop]), ..request(first + 1) };
    let stopped = steps(Generation::new(&model, [last]).unwrap());
    assert_eq!(finish(&stopped), Some(Finish::StopToken(stop)));
}

#[test]
fn the_models_own_stop_tokens() {
    let tiny = Tiny::builder().build();
    let free = ids(&steps(Generation::new(&plain(&tiny), [request(30)]).unwrap()));
    let stop = free[9];
    let file = tiny.path().join("generation_config.json");
    fs::write(file, format!(r#"{{"eos_token_id": [{stop}]}}"#)).unwrap();
    let model = plain(&tiny);
    let own = Request { stop_tokens: None, ..request(30) };
    let stopped = steps(Generation::new(&model, [own]).unwrap());
    assert_eq!(finish(&stopped), Some(Finish::StopToken(stop)));
    assert_eq!(steps(Generation::new(&model, [request(30)]).unwrap()).len(), 30, "others instead");
}

#[test]
fn all_text_and_no_unknown_ids() {
    let model = plain(&every_kind()[0]);
    let letters = Letters::new();
    let mut split = 0;
    for seed in 0..12 {
        let request = Request { seed, ..request(40) };
        let steps = steps(Generation::new(&model, [request]).unwrap().with_tokenizer(&letters));
        assert_eq!(text(&steps), letters.decode(&ids(&steps)));
        assert!(ids(&steps).iter().all(|&id| id < KNOWN));
        split += steps.iter().filter(|step| step.text == "é").count();
    }
    assert!(split > 0, "characters in two tokens");
    // Without one there is none, and any id can come.
    let free = (0..12).flat_map(|seed| {
        steps(Generation::new(&model, [Request { seed, ..request(40) }]).unwrap())
    });
    let free: Vec<_> = free.collect();
    assert!(text(&free).is_empty() && ids(&free).iter().any(|&id| id >= KNOWN));
}

/// Any part of what would be said, beginning and ending within tokens.
#[test]
fn a_stop_string() {
    let model = plain(&every_kind()[0]);
    let letters = Letters::new();
    let free = steps(Generation::new(&model, [request(25)]).unwrap().with_tokenizer(&letters));
    let all: Vec<char> = text(&free).chars().collect();
    for (from, len) in [(0, 1), (0, 3), (7, 4), (11, 1), (16, 9), (all.len() - 3, 3)] {
        let stop: String = all[from..from + len].iter().collect();
        let stops = vec!["never said".to_owned(), stop.clone()];
        let stopping = Request { stop_strings: stops, ..request(25) };
        let generation = Generation::new(&model, [stopping]).unwrap().with_tokenizer(&letters);
        let stopped = steps(generation);
        let whole: String = all.iter().collect();
        let end = whole.find(&stop).unwrap();
        assert_eq!(text(&stopped), whole[..end], "before {stop:?}");
        assert_eq!(finish(&stopped), Some(Finish::StopString(stop.clone())));
        assert_eq!(ids(&stopped), ids(&free)[..stopped.len()]);
        let said = letters.decode(&ids(&stopped));
        assert!(said.contains(&stop), "the token that completes it is the last");
        let before = letters.decode(&ids(&stopped[..stopped.len() - 1]));
        assert!(!before.contains(&stop));
    }
}

/// What might have become a stop string is text after all when something else ends the sequence.
#[test]
fn text_that_was_held_back_is_given_at_the_end() {
    let tiny = Tiny::builder().build();
    let model = plain(&tiny);
    let letters = Letters::new();
    let said = |model: &Model, request| {
        steps(Generation::new(model, [request]).unwrap().with_tokenizer(&letters))
    };
    let free = said(&model, request(25));
    let whole = text(&free[..20]);
    // It begins with what is said last.
    let stop =
        format!("{}!", free[17..20].iter().map(|step| step.text.as_str()).collect::<String>());
    let with_stop = |max_new| Request { stop_strings: vec![stop.clone()], ..request(max_new) };
    let held = said(&model, with_stop(25));
    assert!(!held[18].text.contains(&free[18].text), "it is held back: {held:?}");

    let ended = said(&model, with_stop(20));
    assert_eq!((text(&ended), finish(&ended)), (whole.clone(), Some(Finish::Length)));

    let stop_token = free[20].token;
    assert!(!ids(&free[..20]).contains(&stop_token));
    let ended = said(&model, Request { stop_tokens: Some(vec![stop_token]), ..with_stop(25) });
    assert_eq!(
        (text(&ended), finish(&ended)),
        (whole.clone(), Some(Finish::StopToken(stop_token)))
    );
    // 6 tokens of the prompt and 19 generated ones are positions, the 20th is none.
    let path = tiny.path().join("config.json");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace("131072", "25")).unwrap();
    let ended = said(&plain(&tiny), with_stop(25));
    assert_eq!((text(&ended), finish(&ended)), (whole, Some(Finish::Context)));
    assert_eq!(ids(&ended), ids(&free[..20]));
}

#[test]
fn cancelled_before_and_between() {
    let model = plain(&every_kind()[0]);
    let cancel = CancelToken::new();
    cancel.cancel();
    let generation = Generation::new(&model, [request(9), request(9)]).unwrap();
    let mut generation = generation.with_cancel(cancel);
    assert!(generation.next().is_none());
    assert_eq!(generation.finish(1), Some(&Finish::Cancelled));
    assert_eq!(generation.metrics().rounds, 0);
    assert!(generation.into_sessions().iter().all(moe_engine::Session::is_empty));

    let mut generation = Generation::new(&model, [request(9), request(1), request(9)]).unwrap();
    let token = generation.cancel_token();
    let begun: Vec<_> = generation.by_ref().take(4).map(Result::unwrap).collect();
    token.cancel();
    // What is there already is given.
    let left: Vec<_> = generation.by_ref().map(Result::unwrap).collect();
    assert_eq!(left.iter().map(|step| (step.sequence, step.index)).collect::<Vec<_>>(), [(2, 1)]);
    let finishes = [0, 1, 2].map(|sequence| generation.finish(sequence).unwrap().name());
    assert_eq!(finishes, ["cancelled", "length", "cancelled"]);
    let sessions = generation.into_sessions();
    let expected = [tokens(6, 1), vec![begun[0].token]].concat();
    assert_eq!(sessions[0].tokens(), expected);
    // And it goes on as if nothing had been.
    let free = ids(&steps(Generation::new(&model, [request(3)]).unwrap()));
    assert_eq!((begun[0].token, begun[3].token), (free[0], free[1]));
}

#[test]
fn cancelled_from_another_thread() {
    let model = plain(&every_kind()[0]);
    let mut generation = Generation::new(&model, [request(100_000)]).unwrap();
    let token = generation.cancel_token();
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            receiver.recv().unwrap();
            token.cancel();
        });
        let mut count = 0;
        for step in generation.by_ref() {
            step.unwrap();
            count += 1;
            if count == 3 {
                sender.send(()).unwrap();
            }
        }
        assert!((3..100_000).contains(&count));
    });
    assert_eq!(generation.finish(0), Some(&Finish::Cancelled));
    let generated = generation.metrics().generated;
    let session = generation.into_sessions().remove(0);
    assert_eq!(session.len(), 6 + generated - 1);
}

#[test]
fn prompts_that_cannot_be() {
    let model = plain(&every_kind()[0]);
    for (prompt, error) in [
        (vec![], "the prompt is empty, expected at least one token"),
        (vec![1, 384], "token 1 is 384, expected an id below the vocabulary's size, 384"),
        (vec![0; 131_073], "131073 tokens are more than the model's longest context, 131072"),
    ] {
        let bad = Request { prompt, ..request(5) };
        let mut generation = Generation::new(&model, [request(5), bad]).unwrap();
        let found = generation.next().unwrap().unwrap_err();
        assert_eq!(found.to_string(), error);
        assert!(generation.next().is_none());
        assert_eq!(generation.finish(0), None);
        assert!(generation.into_sessions().iter().all(moe_engine::Session::is_empty));
    }
}

#[test]
fn requests_that_cannot_be() {
    let model = plain(&every_kind()[0]);
    let new = |request| Generation::new(&model, [request]).map(|_| ()).unwrap_err();
    let sampling = SamplingParams { temperature: -1.0, ..SamplingParams::default() };
    let error = new(Request { sampling, ..request(5) });
    assert!(matches!(error, Error::Sampling(_)), "{error}");
    let stop_strings = vec!["a".to_owned(), String::new()];
    let error = new(Request { stop_strings, ..request(5) });
    assert!(matches!(error, Error::StopString(_)), "{error}");
    // Nothing could be found in no text.
    let strings = Request { stop_strings: vec!["a".to_owned()], ..request(5) };
    let mut generation = Generation::new(&model, [strings]).unwrap();
    let error = generation.next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Option { option: "stop_strings", .. }), "{error}");
    assert!(generation.next().is_none());
}

/// An error of one sequence comes after the steps that others have made, and ends all.
#[test]
fn nothing_left_to_sample() {
    let model = plain(&every_kind()[0]);
    let logit_bias = (0..384).map(|id| (id, f32::NEG_INFINITY)).collect();
    let sampling = SamplingParams { logit_bias, ..SamplingParams::default() };
    let banned = Request { sampling, ..request(5) };
    let requests = [request(5), banned, request(5)];
    let mut generation = Generation::new(&model, requests).unwrap();
    assert_eq!(generation.next().unwrap().unwrap().sequence, 0);
    let error = generation.next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Sampling(_)), "{error}");
    assert!(generation.next().is_none() && generation.next().is_none());
}
