//! What verifying a checkpoint brings to light.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

pub use mindspore_ckpt::Severity;

/// One thing found in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Errors are what makes a checkpoint wrong; warnings are what somebody may stumble over.
    #[serde(serialize_with = "severity_name")]
    pub severity: Severity,
    /// Which check found it.
    pub check: Check,
    /// The file, where there is one to name.
    #[serde(serialize_with = "lossy_path")]
    pub file: Option<PathBuf>,
    /// The tensor, where there is one to name.
    pub tensor: Option<String>,
    /// Byte in the file, where there is one to name.
    pub offset: Option<u64>,
    /// What it is, in a sentence; for a tensor with its name.
    pub message: String,
}

/// The checks that a checkpoint goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Check {
    /// The files by themselves, to the last byte, and as parts of a whole.
    Structure,
    /// The index against the parts.
    Index,
    /// The CRC trailer against all bytes before it.
    Crc,
    /// Names, types, shapes and digests against the manifest.
    Manifest,
    /// Every value against the source.
    Values,
}

impl Finding {
    pub(super) fn error(check: Check, message: String) -> Self {
        Self { severity: Severity::Error, check, file: None, tensor: None, offset: None, message }
    }

    pub(super) fn warning(check: Check, message: String) -> Self {
        Self { severity: Severity::Warning, ..Self::error(check, message) }
    }

    pub(super) fn file(self, path: &Path) -> Self {
        Self { file: Some(path.to_owned()), ..self }
    }

    pub(super) fn tensor(self, name: &str) -> Self {
        Self { tensor: Some(name.to_owned()), ..self }
    }

    pub(super) fn at(self, offset: Option<u64>) -> Self {
        Self { offset, ..self }
    }
}

/// The file and the message.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref().map(|path| path.display().to_string());
        // Errors of the format crates name the file themselves.
        match file.filter(|file| !self.message.contains(file.as_str())) {
            Some(file) => write!(f, "{file}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Findings that are kept; a hostile file could cause one for every few of its bytes.
const MAX: usize = 10_000;

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    pub(super) errors: u64,
    pub(super) warnings: u64,
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        match finding.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.list.len() < MAX {
            self.list.push(finding);
        }
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn severity_name<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    })
}

#[expect(clippy::ref_option, reason = "serde passes references")]
fn lossy_path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_deref().map(Path::to_string_lossy).serialize(serializer)
}
