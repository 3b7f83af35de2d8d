//! What can go wrong when libraries are laid out.

use std::io;
use std::path::PathBuf;

/// Why a folder could not be laid out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// No built core library where Cargo puts it.
    #[error(
        "{name} is not in {}: build it with `cargo build -p ascend-sim`, or give its path",
        searched.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoCore {
        /// The file that was looked for.
        name: &'static str,
        /// Folders that were searched.
        searched: Vec<PathBuf>,
    },
    /// A file or folder could not be read or written.
    #[error("{}: cannot {action}: {source}", path.display())]
    File {
        /// What was tried: `create`, `copy`, `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Libraries can only be written for x86-64 and `AArch64` Linux.
    #[error("libraries are written for x86-64 and AArch64 Linux, not for {arch} {os}")]
    Machine {
        /// The processor, as `std::env::consts::ARCH` names it.
        arch: &'static str,
        /// The system, as `std::env::consts::OS` names it.
        os: &'static str,
    },
    /// A library to leave out that the layout does not have.
    #[error("no {name} to leave out; this layout has {}", expected.join(", "))]
    NoLibrary {
        /// The name given.
        name: String,
        /// The names that there are.
        expected: Vec<&'static str>,
    },
    /// A symbol to leave out that no library of the layout has.
    #[error("no {name} to leave out: no library of this layout exports it")]
    NoSymbol {
        /// The name given.
        name: String,
    },
}
