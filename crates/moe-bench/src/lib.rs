#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod baseline;
mod case;
mod ceiling;
mod cell;
mod chips;
mod columns;
mod csv;
mod error;
mod html;
mod machine;
mod markdown;
mod measure;
mod model;
mod noise;
mod process;
mod profile;
mod report;
mod roofline;
mod sensors;
mod stats;
mod table;

pub use baseline::{Change, Comparison};
pub use case::{Case, Grid, Schedule};
pub use ceiling::Rates;
pub use cell::{Cell, Run};
pub use chips::{Chip, LAUNCH, Step, roofline};
pub use error::{Error, Result};
pub use machine::Machine;
pub use measure::{Progress, measure, measure_sensed};
pub use model::ModelFacts;
pub use noise::{Noise, Watch};
pub use process::Memory;
pub use profile::{Profiled, StepKind, StepTime, profile};
pub use report::{Profile, Report};
pub use roofline::{Ceiling, Work};
pub use sensors::{DeviceSensed, Reading, Sampled, Sampler, Sensed, SensorFacts, Sensors};
pub use stats::{Spread, percentile};
pub use table::{Style, Thresholds};
