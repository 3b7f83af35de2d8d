//! What can go wrong, with the call, its code and what the vendor says about it.

use std::fmt;
use std::path::PathBuf;

use crate::codes::{self, Class, Interface};
use crate::library::{Attempt, Handles, Origin};
use crate::sys::Signature;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what was expected instead.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A library is not there, or cannot be loaded.
    #[error("{part} not found; tried {}", listed(attempts))]
    NotFound {
        /// Which part of CANN.
        part: Part,
        /// Everything that was tried, and what the dynamic linker said.
        attempts: Vec<Attempt>,
    },
    /// A path that somebody named is no folder.
    #[error("{} (from {origin}): {problem}; expected a folder with the libraries of CANN", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
        /// Who named it.
        origin: Origin,
        /// What is wrong with it.
        problem: String,
    },
    /// The library is one that programs are linked with; its functions only return 100039.
    #[error(
        "{}: a stub that does nothing (code 100039, COMPILING_STUB_MODE); expected the runtime, in \
         `lib64` and not in `devlib`",
        library.display()
    )]
    Stub {
        /// The stub.
        library: PathBuf,
    },
    /// The process already has libraries from elsewhere, and cannot have two sets.
    #[error(
        "{}: this process has loaded the libraries of {} already; one process can have one set",
        asked.display(),
        loaded.display()
    )]
    OtherFolder {
        /// The folder that was asked for.
        asked: PathBuf,
        /// Where the loaded ones are.
        loaded: PathBuf,
    },
    /// The loaded libraries do not have a function.
    #[error(transparent)]
    MissingSymbol(#[from] MissingSymbol),
    /// A function returned a code.
    #[error(transparent)]
    Call(#[from] Box<Failure>),
    /// A function returned null in place of an object.
    #[error("{call} returned null{}", .message.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Null {
        /// The function.
        call: &'static str,
        /// What the vendor says.
        message: Option<String>,
    },
    /// A device failed earlier, and its context is lost.
    #[error(
        "the context of device {device} is lost: drop everything that belongs to the device, then open it again; \
         {cause}"
    )]
    ContextLost {
        /// The device.
        device: i32,
        /// The fault.
        cause: Box<Failure>,
    },
    /// An argument cannot be right; the vendor was not asked.
    #[error("{operation}: {argument} is {got}, expected {expected}")]
    Argument {
        /// The operator or function.
        operation: &'static str,
        /// Which argument.
        argument: &'static str,
        /// What it is.
        got: String,
        /// What it may be.
        expected: String,
    },
    /// What was asked for is not allowed while a graph is captured or updated; the vendor was not asked, and
    /// the capture goes on.
    #[error("{call} is not allowed while a graph is captured or updated")]
    Capturing {
        /// What was asked for.
        call: &'static str,
    },
    /// The runtime cannot end while devices are open.
    #[error(
        "devices {devices:?} are open; expected everything that belongs to them to be dropped first"
    )]
    InUse {
        /// The devices.
        devices: Vec<i32>,
    },
}

/// A part of CANN, or of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// Devices, streams, memory.
    Runtime,
    /// What operators take.
    Base,
    /// The operators.
    Operators,
    /// HCCL.
    Collectives,
    /// DCMI, which belongs to the driver.
    Telemetry,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Runtime => "the Ascend runtime (libacl_rt.so or libascendcl.so)",
            Self::Base => "the base of the Ascend operators (libnnopbase.so)",
            Self::Operators => "the Ascend operators (libopapi_*.so or libopapi.so)",
            Self::Collectives => "the Ascend collectives (libhccl.so, libhcomm.so)",
            Self::Telemetry => "the telemetry of the Ascend driver (libdcmi.so)",
        })
    }
}

/// A function that the loaded libraries do not have.
#[derive(Clone, Copy)]
pub struct MissingSymbol {
    signature: &'static Signature,
    searched: Handles,
}

impl MissingSymbol {
    pub(crate) fn new(signature: &'static Signature, searched: Handles) -> Self {
        Self { signature, searched }
    }

    /// The prototype of the function.
    #[must_use]
    pub fn signature(&self) -> &'static Signature {
        self.signature
    }
}

impl fmt::Debug for MissingSymbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("MissingSymbol");
        debug.field("symbol", &self.signature.name).field("searched", &self.searched).finish()
    }
}

impl fmt::Display for MissingSymbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Signature { name, since, .. } = self.signature;
        let searched: Vec<_> = self.searched.iter().map(|handle| format!("{handle:?}")).collect();
        write!(f, "no function {name} (in CANN since {since}) in {}", searched.join(", "))
    }
}

impl std::error::Error for MissingSymbol {}

/// A function that returned a code other than 0.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The function.
    pub call: &'static str,
    /// Whose code it is.
    pub interface: Interface,
    /// What it returned.
    pub code: i32,
    /// What the vendor says, taken right after the call on the thread that made it.
    pub message: Option<String>,
}

impl Failure {
    /// The name that C gives to the code.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        codes::name(self.interface, self.code)
    }

    /// What the failure means to a program.
    #[must_use]
    pub fn class(&self) -> Class {
        codes::class(self.interface, self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().unwrap_or("a code without a name");
        write!(f, "{}: {} ({name})", self.call, self.code)?;
        if self.class() == Class::DeviceFault {
            f.write_str("; the device failed, and its context must be dropped")?;
        }
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

impl Error {
    /// What the error means to a program.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::NotFound { .. } | Self::Stub { .. } => Class::Unavailable,
            Self::NotAFolder { .. }
            | Self::OtherFolder { .. }
            | Self::Argument { .. }
            | Self::InUse { .. } => Class::InvalidArgument,
            Self::MissingSymbol(_) => Class::Unsupported,
            Self::Call(failure) | Self::ContextLost { cause: failure, .. } => failure.class(),
            Self::Null { .. } => Class::Internal,
            Self::Capturing { .. } => Class::Capture,
        }
    }

    /// The code, if a function returned one.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Call(failure) | Self::ContextLost { cause: failure, .. } => Some(failure.code),
            _ => None,
        }
    }
}

fn listed(attempts: &[Attempt]) -> String {
    attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
