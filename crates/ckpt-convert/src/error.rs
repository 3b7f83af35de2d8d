//! What can go wrong, and where.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use lowfloat::DType;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a checkpoint could not be read, planned, converted or verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: "read", "create", "rename" …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A safetensors file or index is not right.
    #[error(transparent)]
    Safetensors(#[from] safeshards::Error),
    /// A MindSpore checkpoint is not right.
    #[error(transparent)]
    Ckpt(#[from] mindspore_ckpt::Error),
    /// There is nothing to convert at this path.
    #[error("{}: no checkpoint here: {found} (expected *.safetensors, with or without an index, or *.ckpt)", path.display())]
    NoCheckpoint {
        /// The path given.
        path: PathBuf,
        /// What was there instead.
        found: String,
    },
    /// A checkpoint's own JSON file (configuration, index, manifest) is not right.
    #[error("{}: {reason}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where known.
        reason: String,
    },
    /// Several parts hold a tensor of the same name.
    #[error("tensor {name:?} is in both {} and {}", first.display(), second.display())]
    DuplicateTensor {
        /// The name.
        name: String,
        /// The part read first.
        first: PathBuf,
        /// The part read later.
        second: PathBuf,
    },
    /// The files of a folder are numbered, and one is not there.
    #[error("{}: missing, though beside it are others of its {of} parts", path.display())]
    MissingPart {
        /// The part that is not there.
        path: PathBuf,
        /// How many the names of the others speak of.
        of: u32,
    },
    /// A source file ended before its tensor did: it changed after it was opened.
    #[error("{}: ends at byte {actual}, but a tensor reaches byte {expected}; the file changed after it was opened", path.display())]
    SourceTruncated {
        /// The file.
        path: PathBuf,
        /// The last byte that was needed.
        expected: u64,
        /// Where the file ended.
        actual: u64,
    },
    /// The source's files are not those any more that the plan was made from.
    #[error("{}: its files changed while they were converted; the result has none of its names yet, start anew", path.display())]
    SourceChanged {
        /// The source.
        path: PathBuf,
    },
    /// A rule cannot be understood.
    #[error("rule {rule:?}: {reason}")]
    Rule {
        /// The rule as given.
        rule: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The conversion asked for is not possible; all reasons together.
    #[error("cannot convert this checkpoint as asked:{}", list(problems))]
    Plan {
        /// Every problem found.
        problems: Vec<Problem>,
    },
    /// The output folder is the input folder or lies inside it.
    #[error("output folder {} is inside the input {}: choose a folder outside it", output.display(), input.display())]
    OutputInsideInput {
        /// Where the result should go.
        output: PathBuf,
        /// Where the source lies.
        input: PathBuf,
    },
    /// A file of the result is there already.
    #[error("{} exists already and was left as it is (to replace it, allow overwriting)", path.display())]
    OutputExists {
        /// The file.
        path: PathBuf,
    },
    /// An earlier run into this folder did not finish.
    #[error("{}: an earlier conversion into this folder was interrupted; resume it, or allow overwriting to start anew", journal.display())]
    Unfinished {
        /// The journal it left.
        journal: PathBuf,
    },
    /// There is a journal, but it belongs to another conversion.
    #[error("{}: cannot resume: {reason}", journal.display())]
    Journal {
        /// The journal.
        journal: PathBuf,
        /// How it differs, or what is wrong with it.
        reason: String,
    },
    /// Another process is converting into this folder.
    #[error("{}: another conversion is writing into this folder", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The result does not fit on the disk; nothing was written.
    #[error("{}: needs {needed} bytes, but the file system has {available} free; nothing was written", path.display())]
    NoSpace {
        /// The output folder.
        path: PathBuf,
        /// Bytes still to write.
        needed: u64,
        /// Bytes free.
        available: u64,
    },
    /// A value cannot be converted.
    #[error("tensor {tensor:?}: {reason}")]
    Value {
        /// The tensor of the result.
        tensor: String,
        /// What is wrong, with the element's index.
        reason: String,
    },
    /// What was written does not read back as it should.
    #[error("{}: tensor {tensor:?} does not read back as written: sha256 {actual}, expected {expected}", path.display())]
    ReadBack {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Digest of what was written.
        expected: String,
        /// Digest of what was read.
        actual: String,
    },
    /// What was written does not have the structure that its format asks for.
    #[error("{}: the written file fails its own check: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The first finding.
        reason: String,
    },
    /// The system starts no more threads.
    #[error("cannot start a thread: {source}")]
    Thread {
        /// The system's answer.
        source: io::Error,
    },
    /// The caller asked to stop. What was written so far can be resumed.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// For `map_err`: names the action and the file of an I/O error.
    pub(crate) fn io(
        action: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.as_ref().to_owned(), source }
    }
}

/// One reason why a plan cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Two tensors would have the same name.
    #[error("tensors {first:?} and {second:?} would both be named {name:?}")]
    SameName {
        /// The name in the result.
        name: String,
        /// One source tensor.
        first: String,
        /// The other.
        second: String,
    },
    /// There is no conversion between the types.
    #[error("tensor {tensor:?}: no conversion from {from} to {to}")]
    NoCast {
        /// The tensor.
        tensor: String,
        /// Its type.
        from: DType,
        /// The type asked for.
        to: DType,
    },
    /// MXFP4 blocks without their scales, or the other way round.
    #[error("tensor {tensor:?}: its partner {missing:?} is missing")]
    Unpaired {
        /// The tensor that is there.
        tensor: String,
        /// The tensor that is not.
        missing: String,
    },
    /// MXFP4 blocks and scales, or a tensor to be packed, do not have fitting shapes.
    #[error("tensor {tensor:?}: shape {actual:?}, expected {expected}")]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its shape.
        actual: Vec<usize>,
        /// What would fit.
        expected: String,
    },
    /// The output format cannot hold the tensor.
    #[error("tensor {tensor:?}: {reason}")]
    Unstorable {
        /// The tensor's name in the result.
        tensor: String,
        /// Why not.
        reason: String,
    },
    /// A file of the result cannot have this name.
    #[error("{name:?} cannot be a file's name: it must be plain, without folders")]
    FileName {
        /// The name.
        name: String,
    },
    /// The policy asks for something that the checkpoint has not got.
    #[error("{0}")]
    Nothing(String),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |mut text, problem| {
        // Writing into a string cannot fail.
        let _ = write!(text, "\n  - {problem}");
        text
    })
}
