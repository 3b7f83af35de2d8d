//! Where the hub is.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::url::Origin;
use crate::{Error, RepoId, Result, Revision};

/// The address of a hub: `https://huggingface.co`, or a mirror, which may live under a path.
///
/// ```
/// use hub_fetch::Endpoint;
///
/// let mirror: Endpoint = "https://mirror.example/hf/".parse()?;
/// assert_eq!(mirror.to_string(), "https://mirror.example/hf");
/// # Ok::<(), hub_fetch::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    text: String,
    origin: Origin,
}

/// All but the unreserved characters of RFC 3986, section 2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Endpoint {
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What tells the files of a revision, with sizes and digests.
    pub(crate) fn listing(&self, repo: &RepoId, revision: &Revision) -> String {
        let revision = encode(revision.as_str());
        format!("{}/api/models/{repo}/revision/{revision}?blobs=true", self.text)
    }

    /// A file.
    pub(crate) fn file(&self, repo: &RepoId, commit: &str, name: &str) -> String {
        let name: Vec<_> = name.split('/').map(encode).collect();
        format!("{}/{repo}/resolve/{}/{}", self.text, encode(commit), name.join("/"))
    }

    /// The page of a repository, where licences are accepted.
    pub(crate) fn page(&self, repo: &RepoId) -> String {
        format!("{}/{repo}", self.text)
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |reason: &str| {
            let reason = format!("{text:?} {reason}, expected such as https://huggingface.co");
            Err(Error::Setting { name: "HF_ENDPOINT".to_owned(), reason })
        };
        let trimmed = text.trim().trim_end_matches('/');
        if !trimmed.contains("://") {
            return wrong("has no scheme");
        }
        if trimmed.contains(['?', '#', '@']) {
            return wrong("has a query, a fragment or a user name");
        }
        match Origin::of(trimmed) {
            Some(origin) => Ok(Self { text: trimmed.to_owned(), origin }),
            None => wrong("is not the URL of a web server"),
        }
    }
}

impl Default for Endpoint {
    /// `https://huggingface.co`
    fn default() -> Self {
        let origin = Origin { https: true, host: "huggingface.co".to_owned(), port: 443 };
        Self { text: "https://huggingface.co".to_owned(), origin }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let repo: RepoId = "openai/gpt-oss-20b".parse().unwrap();
        for (given, base) in [
            ("https://huggingface.co", "https://huggingface.co"),
            (" https://mirror.example/hf// ", "https://mirror.example/hf"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ] {
            let endpoint: Endpoint = given.parse().unwrap();
            let revision: Revision = "refs/pr/1".parse().unwrap();
            assert_eq!(
                endpoint.listing(&repo, &revision),
                format!("{base}/api/models/openai/gpt-oss-20b/revision/refs%2Fpr%2F1?blobs=true")
            );
            assert_eq!(
                endpoint.file(&repo, "c0ffee", "a b/100%?.json"),
                format!("{base}/openai/gpt-oss-20b/resolve/c0ffee/a%20b/100%25%3F.json")
            );
        }
        assert_eq!("https://huggingface.co".parse::<Endpoint>().unwrap(), Endpoint::default());
    }

    #[test]
    fn what_is_no_endpoint() {
        for text in [
            "",
            "hf-mirror.com",
            "ftp://host",
            "https://",
            "https://h/?x",
            "https://u:p@h/",
            "https://h:x",
        ] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.starts_with("HF_ENDPOINT: "), "{error}");
        }
    }
}
