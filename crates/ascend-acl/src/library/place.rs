//! Where libraries are looked for, and in which order.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use super::PATH_VARIABLE;
use super::attempt::Attempt;
use super::handle::{Handle, Handles};
use crate::error::{Error, Result};

/// How a folder came to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Origin {
    /// The program named it.
    Argument,
    /// `ASCEND_ACL_PATH` names it.
    AscendAclPath,
    /// The dynamic linker searches, `LD_LIBRARY_PATH` first.
    DynamicLinker,
    /// `ASCEND_HOME_PATH` names it, as the vendor's `set_env.sh` does.
    AscendHomePath,
    /// `ASCEND_TOOLKIT_HOME` names it, as the vendor's `set_env.sh` does.
    AscendToolkitHome,
    /// CANN is installed there unless it is told otherwise.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Argument => "the path given",
            Self::AscendAclPath => PATH_VARIABLE,
            Self::DynamicLinker => "the dynamic linker (LD_LIBRARY_PATH)",
            Self::AscendHomePath => "ASCEND_HOME_PATH",
            Self::AscendToolkitHome => "ASCEND_TOOLKIT_HOME",
            Self::Default => "the default folder",
        })
    }
}

/// Where a whole set of libraries is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) origin: Origin,
    /// `None`: where the dynamic linker looks.
    pub(super) folder: Option<PathBuf>,
}

/// Default folders: CANN 8.5 and later, and before.
const DEFAULTS: [&str; 2] =
    ["/usr/local/Ascend/cann/lib64", "/usr/local/Ascend/ascend-toolkit/latest/lib64"];

/// Where the driver puts DCMI.
const DRIVER: [&str; 3] =
    ["/usr/local/dcmi", "/usr/local/Ascend/driver/lib64/driver", "/usr/local/Ascend/driver/lib64"];

/// The places to look at when the program names none.
pub(super) fn from_environment() -> Result<Vec<Place>> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = variable(PATH_VARIABLE) {
        return Ok(vec![Place::folder(Origin::AscendAclPath, &folder)?]);
    }
    let homes = [
        (Origin::AscendHomePath, variable("ASCEND_HOME_PATH")),
        (Origin::AscendToolkitHome, variable("ASCEND_TOOLKIT_HOME")),
    ];
    let homes = homes.into_iter().filter_map(|(origin, home)| Some((origin, home?.join("lib64"))));
    let defaults = DEFAULTS.map(|folder| (Origin::Default, PathBuf::from(folder)));
    let folders = homes.chain(defaults);
    let mut places = vec![Place { origin: Origin::DynamicLinker, folder: None }];
    places.extend(folders.map(|(origin, folder)| Place { origin, folder: Some(folder) }));
    Ok(places)
}

impl Place {
    /// A folder that somebody named, and that must be there therefore.
    pub(super) fn folder(origin: Origin, folder: &Path) -> Result<Self> {
        let refuse =
            |problem: String| Error::NotAFolder { path: folder.to_owned(), origin, problem };
        let real = folder.canonicalize().map_err(|error| refuse(error.to_string()))?;
        if !real.is_dir() {
            return Err(refuse("it is a file".to_owned()));
        }
        Ok(Self { origin, folder: Some(real) })
    }

    /// What the dynamic linker is asked for.
    pub(super) fn library(&self, soname: &str) -> PathBuf {
        self.folder.as_ref().map_or_else(|| soname.into(), |folder| folder.join(soname))
    }

    /// Whether the library is known to be absent, so that another may stand in for it. A file that is
    /// there and does not load is something else: it must not be passed over.
    pub(super) fn lacks(&self, soname: &str) -> bool {
        self.folder.is_none() || !self.library(soname).exists()
    }

    /// HCCL: one library, or since 8.5 two.
    pub(super) fn collectives(&self) -> Result<Handles, Vec<Attempt>> {
        let sonames = ["libhccl.so", "libhcomm.so"];
        let files = sonames.map(|soname| (soname, self.library(soname)));
        open_any(&files, files.len())
    }

    /// DCMI belongs to the driver, not to CANN: it is looked for there too.
    pub(super) fn telemetry(&self) -> Result<Handles, Vec<Attempt>> {
        let soname = "libdcmi.so";
        let here = self.folder.is_some().then(|| self.library(soname));
        let driver = DRIVER.map(|folder| Path::new(folder).join(soname));
        let files = here.into_iter().chain([PathBuf::from(soname)]).chain(driver);
        open_any(&files.map(|file| (soname, file)).collect::<Vec<_>>(), 1)
    }
}

/// Those of the files that load, up to `most`; an error if none does.
fn open_any(files: &[(&'static str, PathBuf)], most: usize) -> Result<Handles, Vec<Attempt>> {
    let mut handles = Vec::new();
    let mut attempts = Vec::new();
    for (soname, file) in files {
        if handles.len() == most {
            break;
        }
        match Handle::open(soname, file) {
            Ok(handle) => handles.push(handle),
            Err(problem) => attempts.push(Attempt { library: file.clone(), problem }),
        }
    }
    if handles.is_empty() { Err(attempts) } else { Ok(Vec::leak(handles)) }
}
