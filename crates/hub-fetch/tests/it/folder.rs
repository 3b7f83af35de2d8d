//! What is in the folder already.

use std::fs;

use hub_fetch::{Download, Error, Filter};

use crate::setup::{Case, SIZE, WEIGHTS, noise, repository};

#[test]
fn files_of_others_are_not_replaced() {
    let server = repository().start(|_, _| {});
    let same_size = vec![7; SIZE];
    for mine in [&b"mine"[..], &same_size] {
        let mut case = Case::of(&server);
        fs::create_dir(case.out()).unwrap();
        fs::write(case.at(WEIGHTS), mine).unwrap();
        let error = case.run().unwrap_err();
        assert!(matches!(&error, Error::Exists { .. }), "{error}");
        assert!(error.to_string().contains("model.safetensors: is there already"), "{error}");
        assert_eq!(fs::read(case.at(WEIGHTS)).unwrap(), mine);
        assert!(!case.at("config.json").exists(), "nothing was begun");
        case.options.overwrite = true;
        case.works();
    }
}

#[test]
fn a_file_that_was_changed_is_of_others() {
    let server = repository().start(|_, _| {});
    let case = Case::of(&server);
    case.works();
    fs::write(case.at("config.json"), "{\"a\": 2}").unwrap();
    assert!(matches!(case.run(), Err(Error::Exists { .. })));
    assert_eq!(fs::read(case.at("config.json")).unwrap(), b"{\"a\": 2}");
}

#[test]
fn the_right_file_from_elsewhere_is_kept() {
    let server = repository().start(|_, _| {});
    let case = Case::of(&server);
    fs::create_dir(case.out()).unwrap();
    fs::write(case.at(WEIGHTS), noise(SIZE)).unwrap();
    assert_eq!(case.works().received, 8);
}

#[test]
fn folders_in_the_way() {
    let server = repository().start(|_, _| {});
    let mut case = Case::of(&server);
    fs::create_dir_all(case.at(WEIGHTS)).unwrap();
    case.options.overwrite = true;
    assert!(matches!(case.run(), Err(Error::Exists { .. })));
    let case = Case::of(&server);
    fs::write(case.out(), "a file").unwrap();
    let error = case.run().unwrap_err();
    assert!(error.to_string().contains("cannot create"), "{error}");
}

#[test]
fn one_download_a_folder() {
    let server = repository().start(|_, _| {});
    let case = Case::of(&server);
    fs::create_dir(case.out()).unwrap();
    let lock = fs::File::create(case.at(hub_fetch::RECORD)).unwrap();
    lock.lock().unwrap();
    let error = case.fails();
    assert!(matches!(&error, Error::Locked { .. }), "{error}");
    drop(lock);
    case.works();
}

#[test]
fn a_disk_that_is_too_small() {
    // Nobody has so much room; the size is only announced.
    let server = repository().start(|request, reply| {
        if request.path.starts_with("/api/") {
            let text = String::from_utf8(reply.body.clone()).unwrap();
            reply.body = text.replace(&SIZE.to_string(), "9000000000000000000").into_bytes();
        }
    });
    let case = Case::of(&server);
    let selection = case.select(&Filter::all()).unwrap();
    let plan =
        Download::new(&case.hub, &selection, case.out(), case.options.clone()).plan().unwrap();
    if plan.free.is_none() {
        return;
    }
    let error = case.fails();
    assert!(matches!(&error, Error::NoSpace { needed: 9_000_000_000_000_000_008, .. }), "{error}");
    assert_eq!(server.requests().len(), 2, "the listings alone");
}
