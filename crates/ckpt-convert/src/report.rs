//! What a conversion did.

use serde::Serialize;

use crate::manifest::ManifestFile;

/// What a conversion did, and how fast.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The output format.
    pub format: String,
    /// The files written.
    pub files: Vec<ManifestFile>,
    /// The files written beside them, by name.
    pub side_files: Vec<String>,
    /// Tensors written.
    pub tensors: usize,
    /// Source tensors left out by rule.
    pub dropped: Vec<String>,
    /// Learnt numbers in what was written.
    pub parameters: u64,
    /// Bytes of the source's tensors.
    pub source_bytes: u64,
    /// Bytes of the files written.
    pub bytes: u64,
    /// Bytes taken over from an interrupted run.
    pub resumed_bytes: u64,
    /// Seconds of reading, transforming, hashing and writing, until the data was durable.
    pub write_seconds: f64,
    /// Seconds of reading back and comparing; `None` when that was not asked for.
    pub verify_seconds: Option<f64>,
    /// How well packing to MXFP4 kept the values; `None` when nothing was packed.
    pub packing: Option<Packing>,
    /// Tensors as the format's readers will see them are right, but the user should know this.
    pub warnings: Vec<String>,
}

/// How well packing to MXFP4 kept the values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Packing {
    /// Blocks of 32 values packed.
    pub blocks: u64,
    /// Those whose every value is exactly as it was.
    pub exact_blocks: u64,
    /// The largest difference of a value.
    pub max_abs_error: f64,
    /// The root mean square of the differences over that of the values.
    pub relative_rms_error: f64,
}
