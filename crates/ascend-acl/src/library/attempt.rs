//! One library that was looked for, and not found.

use std::fmt;
use std::path::PathBuf;

/// A library that was tried, and what the dynamic linker said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Attempt {
    /// What was asked for: a file, or a name that the dynamic linker searches.
    pub library: PathBuf,
    /// Why it was not loaded.
    pub problem: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The dynamic linker usually begins with the name itself.
        let name = self.library.display().to_string();
        match self.problem.strip_prefix(&format!("{name}: ")) {
            Some(rest) => write!(f, "{name}: {rest}"),
            None => write!(f, "{name}: {}", self.problem),
        }
    }
}
