#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

#[allow(unsafe_code)] // Calls C for its messages.
mod check;
pub mod codes;
mod error;
#[allow(unsafe_code)] // Loads libraries.
mod library;
#[allow(unsafe_code)] // Calls C.
pub mod op;
#[allow(unsafe_code)] // Asks C about the machine.
mod probe;
#[allow(unsafe_code)] // Calls C, and owns memory that C hands out.
pub mod rt;
#[allow(unsafe_code)] // Gives C functions their types.
pub mod sys;

pub use error::{Error, Failure, MissingSymbol, Part, Result};
pub use library::{Ascend, Attempt, LoadedLibrary, Origin, PATH_VARIABLE};
pub use probe::{
    Choice, Device, FunctionStatus, Hbm, OperatorStatus, Probe, Reading, SensorSource, Sensors,
    Step, Utilisation, Variable, Version, probe, probe_folder,
};
