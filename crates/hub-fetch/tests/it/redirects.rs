//! Where large files lie elsewhere, and who gets the token.

use hub_fetch::{Error, Settings};
use testkit::hub::Running;

use crate::setup::{Case, REPO, WEIGHTS, repository};

fn with_token(server: &Running) -> Settings {
    let url = server.url();
    let var = |name: &str| match name {
        "HF_ENDPOINT" => Some(url.clone()),
        "HF_TOKEN" => Some("hf_secret".to_owned()),
        _ => None,
    };
    Settings::from_vars(var).unwrap()
}

fn authorized(server: &Running) -> Vec<bool> {
    server.requests().iter().map(|request| request.header("authorization").is_some()).collect()
}

#[test]
fn the_token_stays_with_the_hub() {
    let elsewhere = repository().start(|_, _| {});
    let server = repository().elsewhere(&elsewhere.url()).start(|_, _| {});
    let case = Case::with(with_token(&server));
    case.works();
    assert!(authorized(&server).iter().all(|&sent| sent));
    assert!(server.requests()[0].header("authorization") == Some("Bearer hf_secret"));
    assert_eq!(elsewhere.requests().len(), 11, "the pieces of the large file");
    assert!(authorized(&elsewhere).iter().all(|&sent| !sent));
    assert!(elsewhere.requests().iter().all(|request| request.path.contains("?signature=secret")));
}

#[test]
fn on_the_same_host_the_token_goes_along() {
    let server = repository().start(|request, reply| {
        if !request.path.contains("moved") {
            let to = if request.nth == 0 {
                request.path.replace("mine", "moved")
            } else {
                String::new()
            };
            if !to.is_empty() {
                reply.set(307, "");
                reply.header("Location", &to);
            }
        } else if request.path.starts_with("/api/") {
            reply.set(302, "elsewhere");
            reply.header("Location", &request.path.replace("moved", "mine"));
        } else {
            reply.set(301, "");
            reply.header("Location", &request.path.replace("moved", "mine"));
        }
    });
    let case = Case::with(with_token(&server));
    case.works();
    assert!(authorized(&server).iter().all(|&sent| sent));
    assert!(server.requests().iter().any(|request| request.path.contains("moved")));
}

/// Another port of the same machine is somebody else.
#[test]
fn a_token_does_not_come_back_through_another_host() {
    let server = repository().start(|_, _| {});
    let home = server.url();
    let other = repository().start(move |request, reply| {
        reply.set(302, "");
        reply.header("Location", &format!("{home}{}", request.path.replace("/away", "")));
    });
    let away = other.url();
    let first = repository().start(move |request, reply| {
        reply.set(302, "");
        reply.header("Location", &format!("{away}{}", request.path));
    });
    let case = Case::with(with_token(&first));
    case.works();
    assert!(authorized(&first).iter().all(|&sent| sent));
    assert!(authorized(&other).iter().chain(&authorized(&server)).all(|&sent| !sent));
}

#[test]
fn circles_end() {
    let server = repository().start(|request, reply| {
        if request.path.ends_with(WEIGHTS) {
            reply.set(302, "");
            reply.header("Location", &request.path);
        }
    });
    let error = Case::of(&server).fails();
    assert!(error.to_string().contains("redirected more than 10 times"), "{error}");
    assert_eq!(server.requests_of("GET", WEIGHTS).len(), 11);
}

#[test]
fn redirects_to_nowhere() {
    for location in
        ["", "file:///etc/passwd", "ftp://host/x", "https://", "/sp ace", "http://ho st/"]
    {
        let server = repository().start(move |request, reply| {
            if request.path.ends_with(WEIGHTS) {
                reply.set(302, "");
                reply.header("Location", location);
            }
        });
        let error = Case::of(&server).fails();
        assert!(matches!(&error, Error::Answer { .. }), "{location}: {error}");
        assert!(error.to_string().contains("a redirect"), "{location}: {error}");
    }
}

/// Signed links end: the hub gives a new one.
#[test]
fn an_expired_link_is_asked_for_again() {
    for status in [403, 401, 404] {
        let elsewhere = repository().start(move |request, reply| {
            if request.nth < 2 {
                reply.set(status, "expired");
            }
        });
        let server = repository().elsewhere(&elsewhere.url()).start(|_, _| {});
        let case = Case::of(&server);
        assert_eq!(case.works().retries, 2);
        assert!(case.observer.lines().iter().all(|line| !line.contains("signature")));
    }
    let elsewhere = repository().start(|_, reply| reply.set(403, "expired"));
    let server = repository().elsewhere(&elsewhere.url()).start(|_, _| {});
    let error = format!("{0} {0:?}", Case::of(&server).fails());
    assert!(error.contains("HTTP 403") && error.contains("/blobs/"), "{error}");
    assert!(!error.contains("signature"), "{error}");
}

#[test]
fn an_endpoint_under_a_path() {
    let server = repository().start(|_, _| {});
    let home = server.url();
    let mirror = repository().start(move |request, reply| {
        let rest =
            request.path.strip_prefix("/hf/mirror").expect("all requests are below the path");
        reply.set(302, "");
        reply.header("Location", &format!("{home}{rest}"));
    });
    for slash in ["", "/"] {
        let endpoint = format!("{}/hf/mirror{slash}", mirror.url()).parse().unwrap();
        Case::with(Settings::new(endpoint)).works();
    }
    assert!(mirror.requests()[0].path.starts_with(&format!("/hf/mirror/api/models/{REPO}")));
}
