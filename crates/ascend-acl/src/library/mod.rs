//! The libraries of CANN, found and loaded once for the process.

mod attempt;
mod dl;
mod foreign;
mod handle;
mod load;
mod place;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

pub use attempt::Attempt;
pub(crate) use handle::{Handle, Handles};
pub use place::Origin;
use place::Place;

use crate::error::{Error, Part, Result};
use crate::sys::{Acl, Aclnn, Base, Dcmi, Hccl};

/// The environment variable that names the folder of the libraries, and so also chooses a simulator.
pub const PATH_VARIABLE: &str = "ASCEND_ACL_PATH";

/// The loaded libraries of CANN: everything else in this crate begins here.
///
/// A copy costs nothing; all copies in a process are the same. What is loaded stays loaded until the process
/// ends, and there is one set of libraries in a process: the runtime is loaded so that all see its
/// symbols, and a second one beside it would be called by mistake.
#[derive(Clone, Copy)]
pub struct Ascend {
    loaded: &'static Loaded,
}

/// A set of libraries, with the tables over them.
struct Loaded {
    origin: Origin,
    folder: Option<PathBuf>,
    libraries: Vec<Handles>,
    attempts: Vec<Attempt>,
    acl: Acl,
    base: Base,
    aclnn: Aclnn,
    hccl: OnceLock<Result<Hccl, Vec<Attempt>>>,
    dcmi: OnceLock<Result<Dcmi, Vec<Attempt>>>,
}

/// A library that is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LoadedLibrary {
    /// File name without folder.
    pub soname: String,
    /// The file, links followed, where the system tells; else what the dynamic linker was asked for.
    pub file: PathBuf,
}

static LOADED: Mutex<Option<&'static Loaded>> = Mutex::new(None);

impl Ascend {
    /// The libraries of this process; at first they are looked for, and loaded.
    ///
    /// If `ASCEND_ACL_PATH` names a folder, only there. Else where the dynamic linker looks, then in
    /// `$ASCEND_HOME_PATH/lib64`, `$ASCEND_TOOLKIT_HOME/lib64`, `/usr/local/Ascend/cann/lib64` and
    /// `/usr/local/Ascend/ascend-toolkit/latest/lib64`. All libraries come from one place.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] with everything that was tried, [`Error::NotAFolder`], or [`Error::Stub`] for the libraries
    /// that are only made to be linked with.
    pub fn load() -> Result<Self> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = *loaded {
            return Ok(Self { loaded });
        }
        Self::first(&mut loaded, &place::from_environment()?)
    }

    /// The libraries in a folder.
    ///
    /// # Errors
    ///
    /// Those of [`Ascend::load`], and [`Error::OtherFolder`] if the process has loaded libraries from elsewhere.
    pub fn load_from(folder: impl AsRef<Path>) -> Result<Self> {
        let place = Place::folder(Origin::Argument, folder.as_ref())?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        match *loaded {
            Some(loaded) if loaded.folder == place.folder => Ok(Self { loaded }),
            Some(other) => Err(Error::OtherFolder {
                asked: folder.as_ref().to_owned(),
                loaded: other.folder.clone().unwrap_or_else(|| other.runtime().to_owned()),
            }),
            None => Self::first(&mut loaded, &[place]),
        }
    }

    fn first(slot: &mut Option<&'static Loaded>, places: &[Place]) -> Result<Self> {
        let loaded: &'static Loaded = Box::leak(Box::new(load::load(places)?));
        *slot = Some(loaded);
        Ok(Self { loaded })
    }

    /// Functions of the runtime.
    #[must_use]
    pub fn acl(self) -> &'static Acl {
        &self.loaded.acl
    }

    /// Functions that make the arguments of operators.
    #[must_use]
    pub fn base(self) -> &'static Base {
        &self.loaded.base
    }

    /// Operators.
    #[must_use]
    pub fn aclnn(self) -> &'static Aclnn {
        &self.loaded.aclnn
    }

    /// Collectives, whose libraries are loaded when this is first called.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where they are not installed.
    pub fn hccl(self) -> Result<&'static Hccl> {
        let found = self.loaded.hccl.get_or_init(|| self.place().collectives().map(Hccl::new));
        found
            .as_ref()
            .map_err(|tried| Error::NotFound { part: Part::Collectives, attempts: tried.clone() })
    }

    /// Telemetry, whose library is loaded when this is first called: from the folder that was
    /// given, if one was and has it, else from where the driver is installed.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is no driver.
    pub fn dcmi(self) -> Result<&'static Dcmi> {
        let found = self.loaded.dcmi.get_or_init(|| self.place().telemetry().map(Dcmi::new));
        found
            .as_ref()
            .map_err(|tried| Error::NotFound { part: Part::Telemetry, attempts: tried.clone() })
    }

    /// How the folder of the libraries was found.
    #[must_use]
    pub fn origin(self) -> Origin {
        self.loaded.origin
    }

    /// The folder of the libraries, links followed; `None` if the dynamic linker found them.
    #[must_use]
    pub fn folder(self) -> Option<&'static Path> {
        self.loaded.folder.as_deref()
    }

    /// Whether these are the libraries of a simulator: no figure that they give is of real hardware.
    #[must_use]
    pub fn is_simulated(self) -> bool {
        let core = |library: LoadedLibrary| library.file.with_file_name("libascend_sim.so");
        self.libraries().into_iter().any(|library| core(library).is_file())
    }

    /// The libraries of the runtime and the operators, in the order in which they were loaded.
    #[must_use]
    pub fn libraries(self) -> Vec<LoadedLibrary> {
        self.loaded.libraries.iter().copied().flatten().map(LoadedLibrary::of).collect()
    }

    /// What was tried until the libraries were found, and which libraries are not there.
    #[must_use]
    pub fn attempts(self) -> &'static [Attempt] {
        &self.loaded.attempts
    }

    fn place(self) -> Place {
        Place { origin: self.loaded.origin, folder: self.loaded.folder.clone() }
    }
}

impl fmt::Debug for Ascend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ascend").field("libraries", &self.loaded.libraries).finish_non_exhaustive()
    }
}

impl Loaded {
    fn runtime(&self) -> &Path {
        let runtime = self.libraries.iter().copied().flatten().next();
        runtime.map_or(Path::new(""), |handle| &handle.asked)
    }
}

impl LoadedLibrary {
    fn of(handle: &Handle) -> Self {
        let file = handle.file().unwrap_or(&handle.asked).to_owned();
        Self { soname: handle.soname.to_owned(), file }
    }
}
