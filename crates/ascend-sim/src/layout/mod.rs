//! Folders of libraries with the vendor's names, to load or to link against instead of the vendor's.
//!
//! Each library is a file of its own that exports what the vendor's exports in that release, no more; all forward to one
//! core, the `cdylib` of this crate, which lies beside them. They are written here, without a compiler or a linker.

mod attach;
mod core;
mod elf;
mod error;
mod libraries;
mod operators;
mod since;
mod symbols;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub(crate) use self::attach::attached;
pub use self::core::find_library;
use self::elf::{Answer, Function, Load, Machine, SharedObject};
pub use self::error::LayoutError;
use self::libraries::{Library, TRAPPED, libraries};
use self::since::Since;
pub use crate::profile::Cann;

/// The file name of the core.
const CORE: &str = "libascend_sim.so";

/// `ACL_ERROR_COMPILING_STUB_MODE`, which every function of a "devlib" returns.
const STUB_MODE: i32 = 100_039;

/// Lays out the libraries of a release in `dir/8.3` or `dir/8.5`, and gives that folder.
///
/// ```no_run
/// use ascend_sim::layout::{Cann, lay_out};
///
/// let dir = tempfile::tempdir()?;
/// let folder = lay_out(dir.path(), Cann::V8_5)?;
/// assert!(folder.join("libacl_rt.so").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn lay_out(dir: impl AsRef<Path>, cann: Cann) -> Result<PathBuf, LayoutError> {
    Layout::new(cann).write(dir)
}

/// A folder of libraries: a whole one, or one that is broken in a way that a program should survive.
///
/// ```no_run
/// use ascend_sim::layout::{Cann, Layout};
///
/// let dir = tempfile::tempdir()?;
/// let layout = Layout::new(Cann::V8_3).without("libhccl.so").missing("aclnnRmsNorm");
/// let folder = layout.write(dir.path())?;
/// assert!(!folder.join("libhccl.so").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Layout {
    cann: Cann,
    core: Option<PathBuf>,
    stub: bool,
    missing: Vec<String>,
    without: Vec<String>,
}

impl Layout {
    /// All libraries of a release.
    #[must_use]
    pub fn new(cann: Cann) -> Self {
        Self { cann, core: None, stub: false, missing: Vec::new(), without: Vec::new() }
    }

    /// Uses this core instead of the one that [`find_library`] finds.
    #[must_use]
    pub fn core(mut self, path: impl Into<PathBuf>) -> Self {
        self.core = Some(path.into());
        self
    }

    /// Libraries with nothing behind them, as the vendor's "devlib" folder has: functions return 100039 or a null pointer.
    #[must_use]
    pub fn stub(mut self) -> Self {
        self.stub = true;
        self
    }

    /// Leaves a function out of every library.
    #[must_use]
    pub fn missing(mut self, function: impl Into<String>) -> Self {
        self.missing.push(function.into());
        self
    }

    /// Leaves a library out, by its file name.
    #[must_use]
    pub fn without(mut self, library: impl Into<String>) -> Self {
        self.without.push(library.into());
        self
    }

    /// The functions of each library, by its file name, in the order of the vendor's search. [`newer`](Self::newer) are among them.
    #[must_use]
    pub fn exports(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let kept = |name: &&'static str| !self.missing.iter().any(|missing| missing == name);
        let names = |library: &Library| {
            let symbols = library.symbols.iter().map(|symbol| symbol.name);
            symbols.chain(library.traps.iter().copied()).filter(kept).collect()
        };
        let libraries = libraries(self.cann).into_iter();
        libraries
            .filter(|library| !self.without.iter().any(|name| name == library.soname))
            .map(|library| (library.soname, names(&library)))
            .collect()
    }

    /// The functions that came after 8.5. The files of 8.5 have them, but they are taken away at load unless `ASCEND_SIM_SOC` is a
    /// chip of the 950 generation, which came with those releases.
    #[must_use]
    pub fn newer(&self) -> Vec<&'static str> {
        let symbols = libraries(self.cann).into_iter().flat_map(|library| library.symbols);
        symbols.filter(|symbol| symbol.since > Since::V8_5).map(|symbol| symbol.name).collect()
    }

    /// Writes the folder `dir/8.3` or `dir/8.5`, over what is there, and gives its path.
    pub fn write(&self, dir: impl AsRef<Path>) -> Result<PathBuf, LayoutError> {
        self.check()?;
        let machine =
            Machine::host().filter(|_| cfg!(target_os = "linux")).ok_or(LayoutError::Machine {
                arch: std::env::consts::ARCH,
                os: std::env::consts::OS,
            })?;
        let folder = dir.as_ref().join(match self.cann {
            Cann::V8_3 => "8.3",
            Cann::V8_5 => "8.5",
        });
        fs::create_dir_all(&folder).map_err(failed("create", &folder))?;
        let folder = fs::canonicalize(&folder).map_err(failed("find", &folder))?;
        let core = folder.join(CORE);
        if !self.stub {
            let built = self.core.clone().map_or_else(find_library, Ok)?;
            replace(&core, |path| fs::copy(&built, path).map(|_| ()), "copy the core to")?;
        }
        for library in libraries(self.cann) {
            let path = folder.join(library.soname);
            if self.without.iter().any(|name| name == library.soname) {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(failed("remove", &path)(error));
                    }
                    _ => continue,
                }
            }
            let bytes = self.library(&library, machine, core.as_os_str());
            replace(&path, |path| fs::write(path, &bytes), "write")?;
        }
        Ok(folder)
    }

    fn check(&self) -> Result<(), LayoutError> {
        let whole = Self::new(self.cann).exports();
        for name in &self.without {
            if !whole.iter().any(|(soname, _)| soname == name) {
                let expected = whole.iter().map(|(soname, _)| *soname).collect();
                return Err(LayoutError::NoLibrary { name: name.clone(), expected });
            }
        }
        for name in &self.missing {
            if !whole.iter().any(|(_, names)| names.contains(&name.as_str())) {
                return Err(LayoutError::NoSymbol { name: name.clone() });
            }
        }
        Ok(())
    }

    fn library(&self, library: &Library, machine: Machine, core: &OsStr) -> Vec<u8> {
        let kept = |name: &str| !self.missing.iter().any(|missing| missing == name);
        let mut functions = Vec::new();
        for symbol in library.symbols.iter().filter(|symbol| kept(symbol.name)) {
            let unbound =
                if symbol.gives_pointer() { Answer::Null } else { Answer::Status(STUB_MODE) };
            functions.push(Function { name: symbol.name, unbound });
        }
        let bound = functions.len();
        let trapped = Answer::Status(if self.stub { STUB_MODE } else { TRAPPED });
        let traps = library.traps.iter().filter(|name| kept(name));
        functions.extend(traps.map(|name| Function { name, unbound: trapped }));
        let load = Load {
            paths: [core.as_bytes(), b"$ORIGIN/libascend_sim.so"],
            entry: attach::ENTRY,
            release: attach::number(self.cann),
            bound,
        };
        let load = (!self.stub).then_some(load);
        SharedObject { machine, soname: library.soname, functions: &functions, load }.bytes()
    }
}

/// Puts a file in its place at once: a process that has the old one mapped keeps it.
fn replace(
    path: &Path,
    write: impl FnOnce(&Path) -> std::io::Result<()>,
    action: &'static str,
) -> Result<(), LayoutError> {
    let unfinished = path.with_extension(format!("so.{}", std::process::id()));
    write(&unfinished).map_err(failed(action, &unfinished))?;
    fs::rename(&unfinished, path).map_err(failed("rename to", path))
}

fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> LayoutError + 'a {
    move |source| LayoutError::File { action, path: path.to_path_buf(), source }
}
