//! What a download did.

use std::path::PathBuf;

use serde::Serialize;

use crate::{Digest, RepoId};

/// What a download did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The repository.
    pub repo: RepoId,
    /// As it was asked for.
    pub revision: String,
    /// The commit that the revision is.
    pub commit: String,
    /// The hub.
    pub endpoint: String,
    /// Where the files are.
    pub folder: PathBuf,
    /// The files, by name.
    pub files: Vec<FileReport>,
    /// Files of the repository that were not wanted.
    pub left_out: Vec<String>,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes that came from the network, those that came twice included.
    pub received: u64,
    /// Bytes that an earlier run had left in partial files.
    pub resumed: u64,
    /// Requests that had to be made again.
    pub retries: u64,
    /// The time that it took.
    pub seconds: f64,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FileReport {
    /// The path within the repository, with `/`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The digest that it has. Without one, only the size is known to be right.
    pub digest: Option<Digest>,
    /// What was done.
    pub outcome: Outcome,
}

/// What was done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It came.
    Downloaded,
    /// The rest of it came.
    Resumed,
    /// It was there already.
    Kept,
}
