//! What is asked of a hub that behaves, and what comes of it.

use std::fs;

use hub_fetch::{Digest, Download, FileState, Filter, Options, Outcome};
use testkit::hub::{COMMIT, Hub};

use crate::setup::{Case, REPO, SIZE, WEIGHTS, noise, repository};

#[test]
fn all_files_come_in_pieces() {
    let server = repository().start(|_, _| {});
    let case = Case::of(&server);
    let report = case.works();
    assert_eq!((report.bytes, report.received), (SIZE as u64 + 8, SIZE as u64 + 8));
    assert_eq!((report.resumed, report.retries, report.commit.as_str()), (0, 0, COMMIT));
    assert_eq!(report.files[1].digest, Some(Digest::sha256(&noise(SIZE))));
    assert!(report.files.iter().all(|file| file.outcome == Outcome::Downloaded));
    // Eleven pieces, each asked for once; a small file is asked for without a range.
    let mut ranges: Vec<_> =
        server.requests_of("GET", WEIGHTS).iter().map(|request| request.range().unwrap()).collect();
    ranges.sort_unstable();
    let expected: Vec<_> =
        (0..11).map(|piece| (piece * 100_000, (piece * 100_000 + 99_999).min(SIZE - 1))).collect();
    assert_eq!(ranges, expected);
    let small = server.requests_of("GET", "config.json");
    assert_eq!((small.len(), small[0].range()), (1, None));
    // Everything comes from one commit, whatever becomes of the branch meanwhile.
    assert!(small[0].path.contains(&format!("/resolve/{COMMIT}/")));
    assert!(server.requests()[0].path.ends_with("/revision/main?blobs=true"));
    assert!(server.requests().iter().all(|request| {
        request.header("accept-encoding") == Some("identity")
            && request.header("authorization").is_none()
            && request.header("user-agent").is_some_and(|agent| agent.starts_with("hub-fetch/"))
    }));
}

#[test]
fn pieces_come_in_any_size_and_number() {
    let server = repository().start(|_, _| {});
    for (jobs, piece) in
        [(1, u64::MAX), (1, 1 << 16), (16, 70_000), (2, SIZE as u64), (5, SIZE as u64 - 1)]
    {
        let mut case = Case::of(&server);
        case.options.jobs = jobs.try_into().unwrap();
        case.options.piece = piece;
        case.works();
    }
}

#[test]
fn connections_are_bounded_and_kept() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let server = repository().start_wrapped(
        |_, _| {},
        move |socket| {
            count.fetch_add(1, SeqCst);
            Box::new(socket)
        },
    );
    Case::of(&server).works();
    // One for the listing, one for what the listing lacks, three for the files.
    assert!(opened.load(SeqCst) <= 5, "{opened:?}");
}

#[test]
fn what_is_there_is_not_fetched() {
    let server = repository().start(|_, _| {});
    let case = Case::of(&server);
    case.works();
    let before = server.requests().len();
    let report = case.works();
    assert_eq!((report.received, server.requests().len()), (0, before + 1), "the listing alone");
    assert!(report.files.iter().all(|file| file.outcome == Outcome::Kept));
    // Without the record they are hashed, and kept.
    fs::remove_file(case.at(hub_fetch::RECORD)).unwrap();
    let report = case.works();
    assert_eq!(report.received, 0);
}

#[test]
fn a_bit_that_flips_is_found_by_hashing_again() {
    let server = repository().start(|_, _| {});
    let mut case = Case::of(&server);
    case.works();
    let path = case.at(WEIGHTS);
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[777] ^= 1;
    fs::write(&path, &bytes).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_eq!(case.run().unwrap().received, 0, "nothing tells");
    case.options.rehash = true;
    assert_eq!(case.works().received, SIZE as u64);
    assert_eq!(case.works().received, 0);
}

#[test]
fn a_new_revision_replaces_the_old_one() {
    let old = Hub::new(REPO).small("config.json", "{}").large(WEIGHTS, noise(9));
    let old = old.start(|_, _| {});
    let case = Case::of(&old);
    case.run().unwrap();
    let server = repository().start(|_, _| {});
    let case = case.moved_to(&server);
    assert_eq!(case.works().received, SIZE as u64 + 8);
}

#[test]
fn empty_files_and_folders() {
    let hub = Hub::new(REPO).small("a/b/empty", "").large("a/large", "").small("ä ö?#%.txt", "x");
    let server = hub.start(|_, _| {});
    let case = Case::of(&server);
    case.run().unwrap();
    assert_eq!(fs::read(case.at("a/b/empty")).unwrap(), b"");
    assert_eq!(fs::read(case.at("a/large")).unwrap(), b"");
    assert_eq!(fs::read(case.at("ä ö?#%.txt")).unwrap(), b"x");
}

#[test]
fn the_plan_says_what_would_be_done() {
    let server = repository().small("original/extra", "x").start(|_, _| {});
    let case = Case::of(&server);
    let selection = case.select(&Filter::engine()).unwrap();
    let left: Vec<_> = selection.left_out.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(left, ["original/extra"]);
    let download = Download::new(&case.hub, &selection, case.out(), Options::default());
    let plan = download.plan().unwrap();
    assert!(!case.out().exists());
    assert_eq!((plan.bytes, plan.missing), (SIZE as u64 + 8, SIZE as u64 + 8));
    assert!(plan.files.iter().all(|file| file.state == FileState::Missing));
    assert!(plan.free.is_none_or(|free| free > 0));
    download.run(&()).unwrap();
    let plan = download.plan().unwrap();
    assert_eq!((plan.missing, plan.needed), (0, 0));
    assert!(plan.files.iter().all(|file| file.state == FileState::Present));
}

/// Mirrors exist that list names only.
#[test]
fn a_listing_without_sizes_is_completed() {
    let bare = |reply: &mut testkit::hub::Reply| {
        let mut listing: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        for sibling in listing["siblings"].as_array_mut().unwrap() {
            let name = sibling["rfilename"].clone();
            *sibling = serde_json::json!({"rfilename": name});
        }
        reply.body = listing.to_string().into_bytes();
    };
    let server = repository().small("left/out", "x").start(move |request, reply| {
        if request.path.starts_with("/api/") {
            bare(reply);
        }
    });
    let case = Case::of(&server);
    let selection = case.select(&Filter::engine()).unwrap();
    let file = &selection.files[1];
    assert_eq!((file.size, file.digest), (SIZE as u64, Some(Digest::sha256(&noise(SIZE)))));
    assert!(server.requests_of("HEAD", "left/out").is_empty());
    Download::new(&case.hub, &selection, case.out(), case.options.clone()).run(&()).unwrap();
    case.assert_whole();
}

#[test]
fn a_check_needs_no_server() {
    use hub_fetch::{CancelToken, check};
    let server = repository().start(|_, _| {});
    let case = Case::of(&server);
    case.works();
    drop(server);
    let check = |rehash| check(&case.out(), rehash, &CancelToken::default(), &()).unwrap();
    let right = check(true);
    assert_eq!((right.files, right.findings.len(), right.commit.as_str()), (2, 0, COMMIT));
    fs::write(case.at(WEIGHTS), &noise(SIZE)[1..]).unwrap();
    fs::remove_file(case.at("config.json")).unwrap();
    let findings: Vec<_> = check(false).findings.iter().map(ToString::to_string).collect();
    assert_eq!(findings[0], "config.json: missing");
    assert!(findings[1].contains("1000002 bytes, expected 1000003"), "{findings:?}");
    let mut flipped = noise(SIZE);
    flipped[5] ^= 1;
    fs::write(case.at(WEIGHTS), &flipped).unwrap();
    assert!(check(false).findings[1].reason.contains("expected sha256:"));
}
