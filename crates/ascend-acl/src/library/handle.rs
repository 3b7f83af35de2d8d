//! One shared library of a set, loaded for good.

use std::fmt;
use std::path::{Path, PathBuf};

use super::dl::Shared;
use super::foreign::explained;

/// A library that stays loaded until the process ends.
pub(crate) struct Handle {
    /// File name without folder.
    pub(crate) soname: &'static str,
    /// What the dynamic linker was asked for.
    pub(crate) asked: PathBuf,
    shared: Shared,
}

/// Libraries in the order in which a symbol is looked for.
pub(crate) type Handles = &'static [Handle];

impl Handle {
    /// Loads a library with its symbols visible to later ones, as the operators need those of the
    /// runtime and of `libnnopbase`. The error is what the dynamic linker says.
    pub(super) fn open(soname: &'static str, asked: &Path) -> Result<Self, String> {
        Self::with(soname, asked, true)
    }

    /// Loads a library with its symbols visible to nobody, to look at it first.
    pub(super) fn open_apart(soname: &'static str, asked: &Path) -> Result<Self, String> {
        Self::with(soname, asked, false)
    }

    fn with(soname: &'static str, asked: &Path, visible: bool) -> Result<Self, String> {
        let shared = Shared::open(asked, visible).map_err(|words| explained(asked, words))?;
        Ok(Self { soname, asked: asked.to_owned(), shared })
    }

    /// The file that was loaded, where the system tells.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.shared.file()
    }

    pub(crate) fn has(&self, symbol: &str) -> bool {
        self.shared.has(symbol)
    }

    /// The function of that name.
    ///
    /// # Safety
    ///
    /// `F` is a function pointer of the type of that C function.
    pub(crate) unsafe fn function<F: Copy>(&self, symbol: &str) -> Option<F> {
        // SAFETY: the caller promises the same of `F`.
        unsafe { self.shared.function(symbol) }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.asked.display())
    }
}
