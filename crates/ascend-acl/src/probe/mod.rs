//! What there is of Ascend on this machine, as plain data.

mod advice;
mod cstr;
mod device;
mod operator;
mod plan;
mod sensors;
mod telemetry;
mod version;

use std::env;
use std::path::{Path, PathBuf};
use std::ptr;
use std::thread;

pub use device::{Device, Hbm, Utilisation};
pub(crate) use operator::operators;
pub use operator::{FunctionStatus, OperatorStatus};
pub(crate) use plan::steps;
pub use plan::{Choice, Step};
pub use sensors::{Reading, SensorSource, Sensors};
pub use version::Version;

use crate::error::{Error, Result};
use crate::library::{Ascend, Attempt, LoadedLibrary, Origin, PATH_VARIABLE};

/// What `probe` found.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Probe {
    /// Whether there are libraries and at least one device.
    pub usable: bool,
    /// Whether the libraries are those of the simulator, whose core lies beside them.
    pub simulated: bool,
    /// Environment variables that say where to look, those that are set.
    pub variables: Vec<Variable>,
    /// Device files of the driver, `/dev/davinci*` and their like.
    pub device_files: Vec<PathBuf>,
    /// How the libraries were found.
    pub origin: Option<Origin>,
    /// The libraries that were loaded.
    pub libraries: Vec<LoadedLibrary>,
    /// Libraries that were tried in vain.
    pub tried: Vec<Attempt>,
    /// Version of the runtime interface, and of the packages that say theirs.
    pub versions: Vec<Version>,
    /// Name of the chip, such as `Ascend910B3`.
    pub soc: Option<String>,
    /// The devices that the process sees.
    pub devices: Vec<Device>,
    /// Every operator that this crate knows, and whether it is there.
    pub operators: Vec<OperatorStatus>,
    /// Other functions that this crate knows and the libraries lack.
    pub missing_functions: Vec<FunctionStatus>,
    /// Which operators each step of gpt-oss would use.
    pub steps: Vec<Step>,
    /// What failed.
    pub problems: Vec<String>,
    /// What to do about what is missing.
    pub advice: Vec<String>,
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// Variables that this crate, the vendor's libraries or the dynamic linker go by.
const VARIABLES: [&str; 6] = [
    PATH_VARIABLE,
    "ASCEND_HOME_PATH",
    "ASCEND_TOOLKIT_HOME",
    "ASCEND_OPP_PATH",
    "ASCEND_RT_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
];

/// Looks at what [`Ascend::load`] finds. Nothing is an error: what fails is in [`Probe::problems`].
///
/// ACL is initialised and stays so, and every device is bound for a moment by a thread of its own, which on
/// real devices takes a second or so each.
///
/// ```
/// let probe = ascend_acl::probe();
/// assert_eq!(probe.usable, !probe.devices.is_empty());
/// assert!(probe.usable || !probe.advice.is_empty());
/// ```
#[must_use]
pub fn probe() -> Probe {
    probe_with(Ascend::load())
}

/// [`probe`] for the libraries in a folder, as [`Ascend::load_from`] finds them.
#[must_use]
pub fn probe_folder(folder: impl AsRef<Path>) -> Probe {
    probe_with(Ascend::load_from(folder))
}

fn probe_with(loaded: Result<Ascend>) -> Probe {
    let mut probe = Probe::empty();
    match loaded {
        Ok(ascend) => probe.look(ascend),
        Err(error) => {
            probe.advice = advice::for_error(&error, &probe);
            if let Error::NotFound { part, attempts } = error {
                probe.problems.push(format!("{part} not found"));
                probe.tried = attempts;
            } else {
                probe.problems.push(error.to_string());
            }
        }
    }
    probe
}

impl Probe {
    fn empty() -> Self {
        let variables = VARIABLES.into_iter().filter_map(|name| {
            let value = env::var_os(name)?.to_string_lossy().into_owned();
            Some(Variable { name, value })
        });
        Self {
            usable: false,
            simulated: false,
            variables: variables.collect(),
            device_files: device_files(),
            origin: None,
            libraries: Vec::new(),
            tried: Vec::new(),
            versions: Vec::new(),
            soc: None,
            devices: Vec::new(),
            operators: Vec::new(),
            missing_functions: Vec::new(),
            steps: Vec::new(),
            problems: Vec::new(),
            advice: Vec::new(),
        }
    }

    fn look(&mut self, ascend: Ascend) {
        self.origin = Some(ascend.origin());
        self.libraries = ascend.libraries();
        self.simulated = ascend.is_simulated();
        self.tried = ascend.attempts().to_vec();
        self.operators = operator::operators(ascend);
        self.missing_functions = operator::missing(ascend);
        // A thread of its own, so that the caller's thread keeps the device that it has.
        let looked = thread::scope(|scope| scope.spawn(|| look_at_devices(ascend)).join());
        if let Ok(devices) = looked {
            self.versions = devices.versions;
            self.soc = devices.soc;
            self.devices = devices.devices;
            self.problems = devices.problems;
        } else {
            self.problems.push("the thread that looks at the devices panicked".to_owned());
        }
        self.steps = plan::steps(self.soc.as_deref(), &self.operators);
        self.usable = !self.devices.is_empty();
        self.advice = advice::for_probe(self);
    }
}

/// What a thread of its own finds out.
struct Looked {
    versions: Vec<Version>,
    soc: Option<String>,
    devices: Vec<Device>,
    problems: Vec<String>,
}

fn look_at_devices(ascend: Ascend) -> Looked {
    let mut problems = Vec::new();
    if let Err(error) = initialise(ascend) {
        problems.push(error.to_string());
    }
    let (devices, driver) = device::devices(ascend, &mut problems);
    let mut versions = version::versions(ascend);
    versions.extend(driver);
    Looked { versions, soc: device::soc(ascend), devices, problems }
}

/// `ACL_ERROR_REPEAT_INITIALIZE`: somebody in this process was first, which is well.
const REPEAT_INITIALIZE: i32 = 100_002;

fn initialise(ascend: Ascend) -> Result<()> {
    let init = ascend.acl().aclInit()?;
    // SAFETY: null stands for the default settings.
    let code = unsafe { init(ptr::null()) };
    if code == REPEAT_INITIALIZE { Ok(()) } else { ascend.check("aclInit", code) }
}

/// The files that the driver makes: one for each device, and `davinci_manager`, `devmm_svm`, `hisi_hdc`.
fn device_files() -> Vec<PathBuf> {
    let driver =
        |name: &str| name.starts_with("davinci") || name == "devmm_svm" || name == "hisi_hdc";
    let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| driver(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}
