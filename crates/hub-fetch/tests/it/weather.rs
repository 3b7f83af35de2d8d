//! Servers and networks that fail for a while, or for good.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use hub_fetch::{Error, Settings, TokenUse};
use testkit::hub::{Reply, Request};

use crate::setup::{Case, SIZE, WEIGHTS, repository, retry, settings};

fn is_weights(request: &Request) -> bool {
    request.path.ends_with(WEIGHTS)
}

#[test]
fn connections_that_drop_go_on_where_they_were() {
    let server = repository().start(|request, reply| {
        if is_weights(request) && request.nth % 3 != 2 {
            reply.cut = Some(70_000);
        }
    });
    let case = Case::of(&server);
    let report = case.works();
    // No byte comes twice.
    assert_eq!(report.received, SIZE as u64 + 8);
    assert!(report.retries > 0);
    assert!(case.observer.count("the connection ended") > 0, "{:?}", case.observer.lines());
    assert_eq!(case.observer.count("lost"), 0);
}

#[test]
fn connections_that_drop_at_once() {
    let server = repository().start(|request, reply| {
        if request.nth < 3 && !request.path.contains("/api/") {
            reply.raw = Some(Vec::new());
        }
    });
    // Each request is for another path but the pieces of the large file, so give those one connection.
    let mut case = Case::of(&server);
    case.options.piece = u64::MAX;
    assert_eq!(case.works().retries, 6);
}

#[test]
fn a_server_that_always_drops_is_given_up() {
    let server = repository().start(|request, reply| {
        if is_weights(request) {
            reply.cut = Some(100);
        }
    });
    let mut case = Case::of(&server);
    case.options.jobs = 1.try_into().unwrap();
    case.options.piece = u64::MAX;
    let error = case.fails().to_string();
    // Four tries, a hundred bytes each: too little to begin a new row of tries.
    assert!(error.contains("model.safetensors) at byte 400 of 1000003"), "{error}");
    assert!(error.contains("after 4 tries") && error.contains("connection ended"), "{error}");
    assert!(error.contains("127.0.0.1"), "{error}");
    // What came is there for the next run.
    let kind = repository().start(|_, _| {});
    let case = case.moved_to(&kind);
    let report = case.works();
    assert_eq!(report.resumed, 400);
    assert_eq!(kind.requests_of("GET", WEIGHTS)[0].range().unwrap().0, 400);
}

#[test]
fn silence_ends_a_try() {
    let server = repository().start(|request, reply| {
        if is_weights(request) && request.nth == 0 {
            reply.stall = Some(1000);
        }
    });
    let mut settings = settings(&server);
    settings.timeout = Duration::from_millis(300);
    let case = Case::with(settings);
    case.works();
    assert_eq!(case.observer.count("nothing came within 0.3 s"), 1, "{:?}", case.observer.lines());
}

/// A slow server is not a silent one: the whole takes longer than the limit.
#[test]
fn slowness_is_borne() {
    let server = repository().start(|request, reply| {
        if is_weights(request) {
            reply.slow = Some((10_000, Duration::from_millis(60)));
        }
    });
    let mut settings = settings(&server);
    settings.timeout = Duration::from_millis(400);
    let mut case = Case::with(settings);
    case.options.piece = u64::MAX;
    case.works();
}

#[test]
fn statuses_that_pass() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let server = repository().start(move |request, reply| {
            if request.nth < 2 {
                reply.set(status, "come back");
                if status == 429 {
                    reply.header("Retry-After", "0");
                }
            }
        });
        let mut case = Case::of(&server);
        case.options.piece = u64::MAX;
        let report = case.works();
        assert_eq!(report.retries, 4, "{status}");
        assert_eq!(
            case.observer.count(&format!("HTTP {status} ")),
            6,
            "{:?}",
            case.observer.lines()
        );
    }
}

#[test]
fn statuses_that_stay() {
    for status in [429, 500, 503, 416] {
        let server = repository().start(move |request, reply| {
            if is_weights(request) {
                reply.set(status, "never");
            }
        });
        let error = Case::of(&server).fails();
        assert!(matches!(&error, Error::GaveUp { tries: 4, .. }), "{error}");
        assert!(error.to_string().contains(&format!("HTTP {status}")), "{error}");
    }
}

#[test]
fn a_server_says_when_to_come_back() {
    // The server's wait instead of ours, which would be longer than any test.
    let server = repository().start(|request, reply| {
        if request.nth == 0 {
            reply.set(429, "");
            reply.header("RateLimit", "\"api\";r=0;t=0");
        }
    });
    let hub = hub_fetch::Hub::new(settings(&server)).unwrap();
    let hour = Duration::from_secs(3600);
    let mut case = Case::of(&server);
    case.hub = hub.with_retry(retry().waits(hour, hour));
    case.works();

    let server = repository().start(|request, reply| {
        if is_weights(request) {
            reply.set(503, "");
            reply.header("Retry-After", "86400");
        }
    });
    let error = Case::of(&server).fails().to_string();
    assert!(error.contains("HTTP 503") && error.contains("asks to wait 86400 s"), "{error}");
}

fn refused(
    status: u16,
    message: &'static str,
    of_weights: bool,
    settings: Option<Settings>,
) -> Error {
    let server = repository().start(move |request, reply: &mut Reply| {
        if is_weights(request) == of_weights {
            reply.set(status, "");
            reply.header("X-Error-Message", message);
        }
    });
    let mut all = settings.unwrap_or_else(|| Settings::new("http://unused".parse().unwrap()));
    all.endpoint = server.url().parse().unwrap();
    let case = Case::with(all);
    let error = case.fails();
    let asked = server.requests_of("GET", if of_weights { WEIGHTS } else { "blobs=true" });
    assert_eq!(asked.len(), 1, "such an answer is not asked for again");
    error
}

#[test]
fn a_gated_repository_says_what_to_do() {
    for status in [401, 403] {
        for of_weights in [false, true] {
            let error = refused(status, "Access to model me/mine is restricted", of_weights, None);
            let text = error.to_string();
            assert!(text.contains(&format!("HTTP {status}, \"Access to")), "{text}");
            assert!(
                text.contains("set HF_TOKEN") && text.contains("/me/mine if it is gated"),
                "{text}"
            );
            assert!(matches!(error, Error::Denied { token: TokenUse::None, .. }));
        }
        let with_token = |name: &str| (name == "HF_TOKEN").then(|| "hf_secret".to_owned());
        let settings = Settings::from_vars(with_token).unwrap();
        let error = refused(status, "no", true, Some(settings));
        let text = format!("{error} {error:?}");
        assert!(text.contains("the token that was sent"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn what_does_not_exist_is_named() {
    let text = refused(404, "Repository\tnot found", false, None).to_string();
    assert!(text.contains("no repository me/mine with a revision main"), "{text}");
    assert!(text.contains("\"Repositorynot found\""), "{text}");
    let text = refused(404, "Entry not found", true, None).to_string();
    assert!(text.contains("has no file model.safetensors"), "{text}");
    let text = refused(418, "", true, None).to_string();
    assert!(text.contains("HTTP 418") && text.contains("(model.safetensors)"), "{text}");
}

#[test]
fn nobody_listens() {
    let server = repository().start(|_, _| {});
    let case = Case::of(&server);
    let url = server.url();
    drop(server);
    let error = case.fails();
    assert!(matches!(&error, Error::GaveUp { tries: 4, .. }), "{error}");
    assert!(error.to_string().starts_with(&format!("{url}/api/models/me/mine")), "{error}");
}

#[test]
fn offline_asks_nobody() {
    let server = repository().start(|_, _| {});
    let mut settings = settings(&server);
    settings.offline = true;
    let error = Case::with(settings).fails();
    assert!(matches!(&error, Error::Offline { .. }), "{error}");
    assert!(server.requests().is_empty());
}

/// One file that fails ends the others soon, and what came of them stays.
#[test]
fn one_failure_ends_all() {
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let server = repository().start(|request, reply| {
        if request.path.ends_with("config.json") {
            reply.set(404, "");
            // Only when the other file is under way.
            while SENT.load(SeqCst) == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        if is_weights(request) {
            SENT.store(1, SeqCst);
            reply.stall = Some(50_000);
        }
    });
    let mut case = Case::of(&server);
    case.options.piece = u64::MAX;
    let error = case.fails();
    assert!(matches!(&error, Error::NotFound { .. }), "{error}");
    assert!(fs::metadata(case.at("model.safetensors.partial")).is_ok());
}
