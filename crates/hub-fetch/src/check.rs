//! Looking at a folder without asking anybody.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::folder::Record;
use crate::plan::{FileState, Plan};
use crate::{
    CancelToken, Error, Event, Observer, Phase, RECORD, RepoId, Result, Revision, Selection,
};

/// What a folder has of what was downloaded into it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// The repository.
    pub repo: RepoId,
    /// The revision that was asked for.
    pub revision: String,
    /// The commit that it was.
    pub commit: String,
    /// How many files there should be.
    pub files: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// What is not as it should be, by name; empty when all is right.
    pub findings: Vec<Finding>,
}

/// A file that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.reason)
    }
}

/// Compares a folder with the record of its last download, without the network.
///
/// Files that changed since they were verified are hashed; all are, if `rehash`.
///
/// # Errors
///
/// [`Error::Record`] when nothing was downloaded into the folder; when a file cannot be read.
///
/// ```
/// use hub_fetch::{CancelToken, Error, check};
///
/// let nothing = std::env::temp_dir().join("hub-fetch-nothing-here");
/// let error = check(&nothing, false, &CancelToken::default(), &()).unwrap_err();
/// assert!(matches!(error, Error::Record { .. }));
/// ```
pub fn check(
    folder: &Path,
    rehash: bool,
    cancel: &CancelToken,
    observer: &dyn Observer,
) -> Result<Check> {
    let record = Record::read(folder)?;
    let Some(job) = record.job.clone() else {
        let reason = "no record of a download, so there is nothing to compare the folder with";
        return Err(Error::Record { path: folder.join(RECORD), reason: reason.to_owned() });
    };
    // The record is a file that anybody may have written.
    job.files.iter().try_for_each(|file| crate::name::check_file(&file.name))?;
    let selection = Selection {
        repo: job.repo,
        revision: job.revision.parse::<Revision>()?,
        commit: job.commit,
        files: job.files,
        left_out: Vec::new(),
    };
    let plan = Plan::look(folder, &selection, &record)?;
    let hashed = |state: &FileState| match state {
        FileState::Unproven => true,
        FileState::Present => rehash,
        _ => false,
    };
    let bytes =
        plan.files.iter().filter(|file| hashed(&file.state)).map(|file| file.file.size).sum();
    observer.on(&Event::Started { phase: Phase::Hash, bytes });
    let mut findings = Vec::new();
    for planned in &plan.files {
        let file = &planned.file;
        let reason = match &planned.state {
            state if hashed(state) => {
                let path = crate::folder::place(folder, &file.name);
                mismatch(&path, file.size, file.digest, cancel, observer)?
            }
            FileState::Present | FileState::Unproven => None,
            FileState::Missing => Some("missing".to_owned()),
            FileState::Partial { have } => Some(format!("{have} of {} bytes", file.size)),
            FileState::Outdated => Some("another version".to_owned()),
            FileState::Foreign { reason } => Some(reason.clone()),
        };
        findings.extend(reason.map(|reason| Finding { file: file.name.clone(), reason }));
    }
    observer.on(&Event::Finished { phase: Phase::Hash });
    Ok(Check {
        repo: selection.repo.clone(),
        revision: selection.revision.to_string(),
        commit: selection.commit.clone(),
        files: selection.files.len(),
        bytes: selection.bytes(),
        findings,
    })
}

/// How the content of a file differs from what it must be.
pub(crate) fn mismatch(
    path: &Path,
    size: u64,
    digest: Option<crate::Digest>,
    cancel: &CancelToken,
    observer: &dyn Observer,
) -> Result<Option<String>> {
    let Some(expected) = digest else { return Ok(None) };
    let tick = |bytes| {
        observer.on(&Event::Advanced { bytes });
        cancel.check()
    };
    Ok(match expected.of_file(path, size, tick)? {
        Some(actual) if actual == expected => None,
        Some(actual) => Some(format!("{actual}, expected {expected}")),
        None => Some(format!("not {size} bytes any more")),
    })
}
