//! Stopping, and going on.

use std::fs;
use std::thread;
use std::time::Duration;

use hub_fetch::{CancelToken, Error, FileState, Filter, Outcome};

use crate::setup::{Case, SIZE, WEIGHTS, repository};

/// Waits until a download is in the middle: the server has sent what it sends.
fn until(mut ready: impl FnMut() -> bool) {
    while !ready() {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_server_that_says_nothing_does_not_hold_it() {
    let server = repository().start(|request, reply| {
        if request.path.ends_with(WEIGHTS) {
            reply.stall = Some(40_000);
        }
    });
    let cancel = CancelToken::default();
    let mut settings = crate::setup::settings(&server);
    // Much longer than a test may take: it is the cancellation that ends it.
    settings.timeout = Duration::from_secs(3600);
    let case = Case::with(settings).cancelled_by(&cancel);
    thread::scope(|scope| {
        scope.spawn(|| {
            let note = case.at("model.safetensors.partial");
            until(|| fs::metadata(&note).is_ok());
            until(|| server.requests_of("GET", WEIGHTS).len() == 1);
            // Some of it is on its way; none of it is a part of the assertions.
            thread::sleep(Duration::from_millis(50));
            cancel.cancel();
        });
        let error = case.fails();
        assert!(matches!(error, Error::Cancelled), "{error}");
    });
    let kind = repository().start(|_, _| {});
    let case = case.moved_to(&kind);
    let selection = case.select(&Filter::all()).unwrap();
    let plan =
        hub_fetch::Download::new(&case.hub, &selection, case.out(), case.options.clone()).plan();
    let state = plan.unwrap().files[1].state.clone();
    let report = case.works();
    if let FileState::Partial { have } = state {
        assert_eq!((report.resumed, report.files[1].outcome), (have, Outcome::Resumed));
        assert_eq!(report.received, SIZE as u64 - have);
    }
}

#[test]
fn before_it_begins() {
    let server = repository().start(|_, _| {});
    let cancel = CancelToken::default();
    cancel.cancel();
    let error = Case::of(&server).cancelled_by(&cancel).fails();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert!(server.requests().is_empty());
}

#[test]
fn while_it_waits_for_the_next_try() {
    let server = repository().start(|request, reply| {
        if request.path.ends_with(WEIGHTS) {
            reply.set(503, "");
            reply.header("Retry-After", "500");
        }
    });
    let cancel = CancelToken::default();
    let case = Case::of(&server).cancelled_by(&cancel);
    thread::scope(|scope| {
        scope.spawn(|| {
            until(|| case.observer.count("HTTP 503") == 1);
            cancel.cancel();
        });
        assert!(matches!(case.fails(), Error::Cancelled));
    });
}
