#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod error;
mod exec;
mod folder;
mod io;
mod journal;
mod manifest;
mod naming;
mod observer;
mod plan;
mod policy;
pub mod presets;
mod report;
mod rule;
mod side;
mod sink;
mod source;
mod summary;
mod synthetic;
mod transform;
mod verify;

pub use error::{Error, Problem, Result};
pub use exec::{ExecOptions, Executor, SideFile};
pub use journal::JOURNAL;
pub use manifest::{MANIFEST, Manifest, ManifestFile, ManifestTensor};
pub use naming::stem_for;
pub use observer::{CancelToken, Event, Observer, Phase};
pub use plan::{Plan, PlanFile, PlanOptions, PlanTensor};
pub use policy::{Experts, Policy};
pub use report::{Packing, Report};
pub use rule::{FloatTarget, Rules};
pub use side::side_files;
pub use sink::{CkptSink, FileLayout, SafetensorsSink, Segment, SegmentKind, Sink, Trailer};
pub use source::{LeftOut, LeftOutKind, Source, SourceFile, SourceKind, SourceTensor};
pub use summary::{ConfigFacts, FileSummary, Pattern, Summary, TensorSummary, Totals};
pub use synthetic::Synthetic;
pub use transform::Transform;
pub use verify::{Check, Checked, Finding, Severity, Verification, VerifyOptions, verify};
