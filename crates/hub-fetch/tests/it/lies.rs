//! Servers that say what is not so.

use std::fs;

use hub_fetch::Error;
use testkit::hub::{Hub, Reply, Request};

use crate::setup::{Case, REPO, SIZE, WEIGHTS, entries, noise, repository};

fn lying(lie: impl Fn(&Request, &mut Reply) + Send + Sync + 'static) -> testkit::hub::Running {
    repository().start(move |request, reply| {
        if request.path.ends_with(WEIGHTS) {
            lie(request, reply);
        }
    })
}

#[track_caller]
fn found(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn lengths_too_short_and_too_long() {
    for (length, whole) in
        [("10", false), ("10", true), ("99999999999", false), ("99999999999", true)]
    {
        let server = lying(move |_, reply| reply.length = Some(length.to_owned()));
        let mut case = Case::of(&server);
        if whole {
            case.options.piece = u64::MAX;
        }
        let error = case.fails();
        found(
            &error,
            &["Content-Length is", length, "expected", "(model.safetensors) at byte 0 of 1000003"],
        );
    }
    for length in ["-1", "1x", "1000003, 7"] {
        let server = lying(move |_, reply| reply.length = Some(length.to_owned()));
        let mut case = Case::of(&server);
        case.options.piece = u64::MAX;
        assert!(matches!(case.fails(), Error::GaveUp { .. }));
    }
}

#[test]
fn no_length_at_all() {
    // The end of the connection is the end of the body.
    let server = lying(|_, reply| reply.length = Some(String::new()));
    Case::of(&server).works();
    let server = lying(|_, reply| {
        reply.length = Some(String::new());
        reply.body.push(b'!');
    });
    found(&Case::of(&server).fails(), &["goes on after byte", "where it should end"]);
    let server = lying(|request, reply| {
        reply.length = Some(String::new());
        if request.nth == 0 {
            reply.body.truncate(80_000);
        }
    });
    let case = Case::of(&server);
    assert_eq!(case.works().received, SIZE as u64 + 8);
    assert_eq!(case.observer.count("ended before byte"), 1, "{:?}", case.observer.lines());
}

#[test]
fn servers_without_ranges() {
    let server = lying(|request, reply| {
        if request.range().is_some() {
            reply.status = 200;
            reply.header("Content-Range", "");
            reply.body = noise(SIZE);
        }
    });
    let case = Case::of(&server);
    let report = case.works();
    assert_eq!(server.requests_of("GET", WEIGHTS).len(), 1, "the first answer is taken");
    assert_eq!(report.received, SIZE as u64 + 8);
}

#[test]
fn servers_without_ranges_that_drop() {
    let server = lying(|request, reply| {
        reply.status = 200;
        reply.header("Content-Range", "");
        reply.body = noise(SIZE);
        if request.nth < 2 {
            reply.cut = Some(300_000 * (request.nth + 1));
        }
    });
    let case = Case::of(&server);
    let report = case.works();
    assert_eq!(report.received, SIZE as u64 + 8 + 300_000 + 600_000);
    assert_eq!(case.observer.count("lost 300000 of model.safetensors: the server gives all"), 1);
    assert_eq!(report.retries, 2);
}

#[test]
fn servers_that_lose_their_ranges() {
    let server = lying(|request, reply| {
        if request.nth >= 4 {
            reply.status = 200;
            reply.header("Content-Range", "");
            reply.body = noise(SIZE);
        }
    });
    let case = Case::of(&server);
    case.works();
    assert_eq!(case.observer.count("does not give parts of it any more"), 1);
}

#[test]
fn wrong_ranges() {
    for range in
        ["", "bytes 1-100000/1000003", "bytes 0-100000/1000003", "bytes 0-99999/7", "lines 1-2/3"]
    {
        let server = lying(move |_, reply| reply.header("Content-Range", range));
        found(
            &Case::of(&server).fails(),
            &["Content-Range is", "expected \"bytes 0-99999/1000003\""],
        );
    }
    // Always the first piece, and honest about it.
    let server = lying(|_, reply| {
        reply.body = noise(SIZE)[..100_000].to_vec();
        reply.header("Content-Range", "bytes 0-99999/1000003");
    });
    found(
        &Case::of(&server).fails(),
        &["Content-Range is \"bytes 0-99999/1000003\", expected \"bytes", "of 1000003"],
    );
    // A part where all was asked for.
    let server = lying(|_, reply| {
        reply.status = 206;
        reply.header("Content-Range", "bytes 0-9/1000003");
    });
    let mut case = Case::of(&server);
    case.options.piece = u64::MAX;
    found(&case.fails(), &["a part, where all was asked for"]);
}

/// Less than was asked for is allowed, and the rest is asked for again.
#[test]
fn shorter_parts_than_asked_for() {
    let server = lying(|request, reply| {
        if let Some((first, last)) = request.range()
            && last - first >= 70_000
        {
            reply.body.truncate(70_000);
            reply.header("Content-Range", &format!("bytes {first}-{}/{SIZE}", first + 69_999));
        }
    });
    assert_eq!(Case::of(&server).works().received, SIZE as u64 + 8);
}

#[test]
fn wrong_bytes_are_refused() {
    let server = lying(|request, reply| {
        if request.range().is_none_or(|(first, _)| first == 300_000) {
            reply.body[5] ^= 1;
        }
    });
    let case = Case::of(&server);
    let error = case.fails();
    found(&error, &[WEIGHTS, "sha256:", "the hub's file is sha256:", "twice"]);
    assert!(matches!(error, Error::Digest { .. }));
    assert_eq!(case.observer.count("lost 1000003 of model.safetensors"), 1);
    // Nothing of it is kept that the next run would build upon.
    assert_eq!(entries(&case.out()), [".hub-fetch", "config.json"]);
    Case::moved_to(case, &repository().start(|_, _| {})).works();
}

#[test]
fn wrong_bytes_once_are_fetched_again() {
    let server = lying(|request, reply| {
        if request.nth == 1 {
            reply.body[5] ^= 1;
        }
    });
    let case = Case::of(&server);
    assert_eq!(case.works().received, 2 * SIZE as u64 + 8);
}

#[test]
fn small_files_are_verified_too() {
    let server = repository().start(|request, reply| {
        if request.path.ends_with("config.json") {
            reply.body[0] = b'[';
        }
    });
    let case = Case::of(&server);
    let error = case.run().unwrap_err();
    found(&error, &["config.json", "the hub's file is git:"]);
    assert!(!case.at("config.json").exists());
}

#[test]
fn a_page_instead_of_a_file() {
    let server = lying(|_, reply| reply.set(200, "<html>Please log in</html>"));
    found(&Case::of(&server).fails(), &["Content-Length is 26, expected 1000003"]);
}

#[test]
fn encoded_bodies() {
    let server = lying(|_, reply| reply.header("Content-Encoding", "gzip"));
    found(&Case::of(&server).fails(), &["encoded (gzip)"]);
}

#[test]
fn a_hub_that_contradicts_itself() {
    let server =
        lying(|_, reply| reply.header("X-Linked-ETag", &format!("\"{}\"", "ab".repeat(32))));
    found(&Case::of(&server).fails(), &["its digest is sha256:abab", "and said sha256:"]);
    let server = lying(|_, reply| reply.header("X-Linked-Size", "7"));
    found(&Case::of(&server).fails(), &["its size is 7, and said 1000003"]);
}

/// The digest says that it is the same content, whatever a mirror calls it.
#[test]
fn tags_that_change_do_not_matter_where_there_is_a_digest() {
    let server = lying(|request, reply| {
        reply.header("ETag", &format!("\"{}\"", request.nth));
        if request.nth < 3 {
            reply.cut = Some(80_000);
        }
    });
    let case = Case::of(&server);
    assert_eq!(case.works().received, SIZE as u64 + 8);
}

/// A mirror that tells neither digest nor linked tag, and calls its content `tag(nth)`.
fn untold(
    tag: impl Fn(usize) -> String + Send + Sync + 'static,
    ranges: bool,
) -> testkit::hub::Running {
    Hub::new(REPO).large(WEIGHTS, noise(SIZE)).start(move |request, reply| {
        if request.path.starts_with("/api/") {
            let text = format!(
                "{{\"sha\": \"{}\", \"siblings\": [{{\"rfilename\": \"{WEIGHTS}\", \"size\": {SIZE}}}]}}",
                testkit::hub::COMMIT
            );
            reply.body = text.into_bytes();
            return;
        }
        let tag = tag(request.nth);
        for name in ["X-Linked-ETag", "X-Linked-Size"] {
            reply.header(name, "");
        }
        if let Some((first, _)) = request.range() {
            // As `If-Range` wants it.
            if ranges && request.header("if-range") == Some(&tag) {
                reply.status = 206;
                reply.body = noise(SIZE)[first..].to_vec();
                reply.header("Content-Range", &format!("bytes {first}-{}/{SIZE}", SIZE - 1));
            } else {
                reply.status = 200;
                reply.header("Content-Range", "");
                reply.body = noise(SIZE);
            }
        }
        reply.header("ETag", &tag);
        if request.method == "GET" && request.nth < 2 {
            reply.cut = Some(200_000);
        }
    })
}

#[test]
fn without_a_digest_the_same_tag_goes_on() {
    let server = untold(|_| "\"same\"".to_owned(), true);
    let case = Case::of(&server);
    let report = case.run().unwrap();
    assert_eq!((report.received, report.files[0].digest), (SIZE as u64, None));
    assert_eq!(fs::read(case.at(WEIGHTS)).unwrap(), noise(SIZE));
    let asked: Vec<_> = server.requests_of("GET", WEIGHTS).iter().map(Request::range).collect();
    assert_eq!(asked, [None, Some((200_000, SIZE - 1)), Some((400_000, SIZE - 1))]);
}

#[test]
fn without_a_digest_another_tag_begins_anew() {
    let server = untold(|nth| format!("\"{nth}\""), true);
    let case = Case::of(&server);
    let report = case.run().unwrap();
    assert_eq!(report.received, SIZE as u64 + 400_000);
    assert_eq!(fs::read(case.at(WEIGHTS)).unwrap(), noise(SIZE));
    assert_eq!(case.observer.count("lost 200000"), 2, "{:?}", case.observer.lines());
}

/// A server that knows ranges but not `If-Range`.
#[test]
fn without_a_digest_a_part_of_another_tag_is_refused() {
    let server = Hub::new(REPO).large(WEIGHTS, noise(SIZE)).start(|request, reply| {
        if request.path.starts_with("/api/") {
            let text = String::from_utf8(reply.body.clone()).unwrap();
            reply.body =
                text.replace("\"lfs\"", "\"other\"").replace("\"blobId\"", "\"b\"").into_bytes();
            return;
        }
        reply.header("X-Linked-ETag", "");
        if let Some((first, last)) = request.range() {
            reply.status = 206;
            reply.body = noise(SIZE)[first..=last].to_vec();
            reply.header("Content-Range", &format!("bytes {first}-{last}/{SIZE}"));
        }
        reply.header("ETag", if request.nth == 0 { "\"old\"" } else { "\"new\"" });
        if request.method == "GET" && request.nth == 0 {
            reply.cut = Some(200_000);
        }
    });
    let case = Case::of(&server);
    assert_eq!(case.run().unwrap().received, SIZE as u64 + 200_000);
    assert_eq!(case.observer.count("its ETag was \"old\" and is \"new\""), 2);
}

#[test]
fn without_digest_and_tag_all_comes_at_once() {
    let server = untold(|_| "W/\"weak\"".to_owned(), true);
    let case = Case::of(&server);
    assert_eq!(case.run().unwrap().received, SIZE as u64 + 400_000);
    let asked = server.requests_of("GET", WEIGHTS);
    assert!(asked.iter().all(|request| request.range().is_none()), "{asked:?}");
}

#[test]
fn listings_that_are_none() {
    for (body, part) in [
        ("", "not a description"),
        ("<html>", "not a description"),
        ("{\"sha\": \"x\"}", "not a description"),
        ("[]", "not a description"),
        ("{\"sha\": \"x\", \"siblings\": []}", "expected a commit"),
    ] {
        let server = repository().start(move |_, reply| reply.body = body.as_bytes().to_vec());
        found(&Case::of(&server).fails(), &["/api/models/me/mine/revision/main", part]);
    }
    // One that is cut short by the connection is asked for again.
    let server = repository().start(|request, reply| {
        if request.nth == 0 {
            reply.cut = Some(20);
        }
    });
    Case::of(&server).works();
}

#[test]
fn answers_that_are_not_http() {
    for raw in [
        &b"SSH-2.0-OpenSSH\r\n"[..],
        b"HTTP/1.1 999999 X\r\n\r\n",
        b"\xff\xfe",
        b"HTTP/1.1 200 OK\r\nx",
    ] {
        let server = repository().start(move |_, reply| reply.raw = Some(raw.to_vec()));
        assert!(matches!(Case::of(&server).fails(), Error::GaveUp { .. }));
    }
    let endless = "HTTP/1.1 200 OK\r\n".to_owned() + &"X-Filler: 0123456789\r\n".repeat(100_000);
    let server = repository().start(move |_, reply| reply.raw = Some(endless.clone().into_bytes()));
    assert!(matches!(Case::of(&server).fails(), Error::GaveUp { .. }));
}
