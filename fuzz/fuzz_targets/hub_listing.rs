//! What a hub says of a repository, and the texts that people type: any bytes are a clean error, or a listing whose
//! names stay below a folder.

#![no_main]

use std::path::{Component, Path};

use hub_fetch::{Digest, Endpoint, Filter, Listing, Pattern, RepoId, Revision};
use libfuzzer_sys::fuzz_target;

// Longer patterns take time that grows with their length and that of the name.
const LONGEST_PATTERN: usize = 200;

fuzz_target!(|data: &[u8]| {
    let repo: RepoId = "me/mine".parse().expect("a repository");
    if let Ok(listing) = Listing::from_json("fuzz", repo, Revision::default(), data) {
        assert_eq!(listing.commit.len(), 40);
        for pair in listing.files.windows(2) {
            assert!(pair[0].name < pair[1].name);
        }
        for file in &listing.files {
            let path = Path::new(&file.name);
            assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
            let _ = Filter::engine().takes(&file.name);
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(repo) = text.parse::<RepoId>() {
        assert!(!repo.to_string().contains("..") && !repo.name().is_empty());
    }
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        assert_eq!(endpoint.to_string().parse::<Endpoint>().expect("an endpoint"), endpoint);
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string().parse::<Digest>().expect("a digest"), digest);
    }
    let _ = text.parse::<Revision>();
    if let Some((pattern, name)) = text.split_once('\n')
        && pattern.len() <= LONGEST_PATTERN
        && let Ok(pattern) = pattern.parse::<Pattern>()
    {
        let _ = pattern.matches(name);
    }
});
