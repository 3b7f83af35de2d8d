//! Names of repositories and revisions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The name of a model repository: `openai/gpt-oss-20b`, or `gpt2` for the oldest ones.
///
/// ```
/// use hub_fetch::RepoId;
///
/// let repo: RepoId = "openai/gpt-oss-20b".parse()?;
/// assert_eq!(repo.name(), "gpt-oss-20b");
/// assert!("../etc".parse::<RepoId>().is_err());
/// # Ok::<(), hub_fetch::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoId(String);

/// The hub's limit for each part of a name.
const LONGEST: usize = 96;

impl RepoId {
    /// The name without the owner.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl FromStr for RepoId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |reason| Err(Error::Form { what: "repository", text: text.to_owned(), reason });
        if text.contains("://") {
            return wrong("it is a URL, expected OWNER/NAME");
        }
        let mut parts = 0;
        for part in text.split('/') {
            parts += 1;
            if part.is_empty() || parts > 2 {
                return wrong("expected OWNER/NAME");
            }
            if part.len() > LONGEST {
                return wrong("a part is longer than 96 characters");
            }
            if !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
                return wrong("expected letters, digits, '-', '_' and '.'");
            }
            if part.starts_with(['.', '-']) || part.contains("..") {
                return wrong("a part begins with '.' or '-', or has '..'");
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RepoId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<RepoId> for String {
    fn from(repo: RepoId) -> Self {
        repo.0
    }
}

/// A branch, a tag, a commit, or a reference such as `refs/pr/1`.
///
/// ```
/// use hub_fetch::Revision;
///
/// assert_eq!(Revision::default().as_str(), "main");
/// assert!("v1.0".parse::<Revision>().is_ok());
/// assert!("a/../b".parse::<Revision>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(String);

impl Revision {
    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Revision {
    /// `main`, the branch that the hub makes.
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl FromStr for Revision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |reason| Err(Error::Form { what: "revision", text: text.to_owned(), reason });
        if text.is_empty() || text.len() > 255 {
            return wrong("expected 1 to 255 bytes");
        }
        if text.chars().any(|char| char.is_control() || char == ' ') {
            return wrong("it has spaces or control characters");
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return wrong("a part of it is empty, '.' or '..'");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories() {
        for good in ["gpt2", "openai/gpt-oss-20b", "a.b/c_d"] {
            assert_eq!(good.parse::<RepoId>().unwrap().to_string(), good);
        }
        let long = "x".repeat(97);
        for bad in [
            "", "/", "a/", "/a", "a/b/c", "a b", "../x", "a/..", ".a", "-a", "a\n", "ä", "a?b",
            &long,
        ] {
            let error = bad.parse::<RepoId>().unwrap_err().to_string();
            assert!(error.contains("is not a repository"), "{error}");
        }
        let error = "https://huggingface.co/a/b".parse::<RepoId>().unwrap_err().to_string();
        assert!(error.contains("it is a URL"), "{error}");
    }
}
