//! What can go wrong, and where.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::Digest;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a repository could not be listed or downloaded.
///
/// URLs are shown without their query: a signed one is a key to the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: "read", "create", "rename" …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// An environment variable or a setting has a value that cannot be.
    #[error("{name}: {reason}")]
    Setting {
        /// The variable or setting.
        name: String,
        /// What is wrong with it, and what was expected.
        reason: String,
    },
    /// A repository, a revision or a pattern cannot have this form.
    #[error("{text:?} is not a {what}: {reason}")]
    Form {
        /// "repository", "revision", "pattern".
        what: &'static str,
        /// As it was given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The network is not to be used.
    #[error("cannot ask {url}: HF_HUB_OFFLINE is set")]
    Offline {
        /// What would have been asked.
        url: String,
    },
    /// The hub does not let this user have the repository.
    #[error("{url}: access denied (HTTP {status}{}): {}", said(message), denied(*token, page))]
    Denied {
        /// What was asked for.
        url: String,
        /// 401 or 403.
        status: u16,
        /// The reason that the hub gave, if any.
        message: String,
        /// What became of the token.
        token: TokenUse,
        /// The page where a licence is accepted.
        page: String,
    },
    /// The repository, the revision or the file does not exist.
    #[error("{url}: not found (HTTP {status}{}): {what}", said(message))]
    NotFound {
        /// What was asked for.
        url: String,
        /// 404 or 410.
        status: u16,
        /// The reason that the hub gave, if any.
        message: String,
        /// What was looked for, in words.
        what: String,
    },
    /// The server gave an answer that trying again does not better.
    #[error("{url}{}: {reason}", in_file(file))]
    Answer {
        /// Who answered.
        url: String,
        /// The file, or empty.
        file: String,
        /// What was wrong, and what was expected.
        reason: String,
    },
    /// The server's certificate is not trusted, or the connection is not safe for another reason.
    #[error("{url}: no safe connection: {reason}")]
    Tls {
        /// What was asked for.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// All tries failed.
    #[error("{url}{}{}: gave up after {tries} tries without progress; the last one: {reason}", in_file(file), at_byte(*at))]
    GaveUp {
        /// What was asked for.
        url: String,
        /// The file, or empty.
        file: String,
        /// The next byte that was needed, and the size of the file.
        at: Option<(u64, u64)>,
        /// How often it was tried since something last came.
        tries: u32,
        /// How the last try failed.
        reason: String,
    },
    /// What the hub says of a repository cannot be understood.
    #[error("{url}: {reason}")]
    Metadata {
        /// Who answered.
        url: String,
        /// What is wrong, with line and column where known.
        reason: String,
    },
    /// A file of the repository has a name that must not or cannot be written.
    #[error("the repository has a file named {name:?}, which is refused: {reason}")]
    FileName {
        /// The name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// The patterns select nothing.
    #[error("no file of {repo} is selected by {patterns}; it has {}", some(files))]
    NothingSelected {
        /// The repository and revision.
        repo: String,
        /// The patterns.
        patterns: String,
        /// The files that it has.
        files: Vec<String>,
    },
    /// What came is not what the hub announced, from the beginning twice; nothing of it is kept.
    #[error("{}: {actual} came from {url}, the hub's file is {expected}; it was downloaded twice and is not kept", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// Where it came from.
        url: String,
        /// What the hub announced.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// A file of this name is there, which was not downloaded from there and differs.
    #[error("{}: is there already and is not the hub's file ({reason}); it was left as it is (to replace it, allow overwriting)", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
        /// How it differs.
        reason: String,
    },
    /// Another process downloads into this folder.
    #[error("{}: another download into this folder is running", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The record of a folder cannot be used.
    #[error("{}: {reason}", path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The files do not fit on the disk; nothing was downloaded.
    #[error("{}: needs {needed} more bytes, but the file system has {available} free; nothing was downloaded", path.display())]
    NoSpace {
        /// The folder.
        path: PathBuf,
        /// Bytes still to write.
        needed: u64,
        /// Bytes free.
        available: u64,
    },
    /// A [`CancelToken`](crate::CancelToken) stopped it. What came can be resumed.
    #[error("stopped; the same download again goes on from here")]
    Cancelled,
}

/// What became of the token when access was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenUse {
    /// There is none.
    None,
    /// It was sent.
    Sent,
    /// It was not sent, because the endpoint is plain `http` and not this machine.
    Withheld,
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(", {message:?}") }
}

fn denied(token: TokenUse, page: &str) -> String {
    match token {
        TokenUse::None => format!(
            "no token was sent; set HF_TOKEN to one that may read this repository, and accept its licence at {page} if it is gated"
        ),
        TokenUse::Sent => format!(
            "the token that was sent may not read it; accept the licence at {page} with the account of the token, or use another one in HF_TOKEN"
        ),
        TokenUse::Withheld => {
            "the token was not sent, because the endpoint is not https; use an https endpoint"
                .to_owned()
        }
    }
}

fn in_file(file: &str) -> String {
    if file.is_empty() { String::new() } else { format!(" ({file})") }
}

fn at_byte(at: Option<(u64, u64)>) -> String {
    at.map_or_else(String::new, |(at, size)| format!(" at byte {at} of {size}"))
}

/// The first names, and how many more there are.
fn some(files: &[String]) -> String {
    let mut text = files.iter().take(8).fold(String::new(), |mut text, name| {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing into a string cannot fail.
        let _ = write!(text, "{comma}{name}");
        text
    });
    match files.len() {
        0 => text.push_str("no files"),
        len @ 9.. => {
            let _ = write!(text, " and {} more", len - 8);
        }
        _ => {}
    }
    text
}
