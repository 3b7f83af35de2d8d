//! Names from a server that would like to write elsewhere.

use hub_fetch::Error;

use crate::setup::{Case, repository};

#[test]
fn hostile_names_are_refused() {
    for name in [
        "../evil",
        "a/../../evil",
        "/tmp/evil",
        "..\\\\evil",
        "C:\\\\evil",
        "a//b",
        "",
        ".",
        "a\\u0000b",
        "a\\nb",
        "x.partial",
        "x.partial.state",
        ".hub-fetch",
    ] {
        let server = repository().start(move |request, reply| {
            if request.path.starts_with("/api/") {
                let text = String::from_utf8(reply.body.clone()).unwrap();
                reply.body = text.replace("config.json", name).into_bytes();
            }
        });
        let case = Case::of(&server);
        let error = case.fails();
        assert!(matches!(&error, Error::FileName { .. }), "{name}: {error}");
        assert!(!case.out().exists());
        assert_eq!(server.requests().len(), 1, "no file was asked for");
    }
}
