//! What can go wrong.

use std::fmt;
use std::path::{Path, PathBuf};

use lowfloat::DType;

/// The result of what can fail in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, with the place and what was expected there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A field of `config.json` is not that of a model this engine runs.
    #[error("{}: {}{reason}", path.display(), Field(field))]
    Config {
        /// The file.
        path: PathBuf,
        /// The field, as `rope_scaling.factor`; empty for the whole file.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There are no weights of a known form.
    #[error("{}: no weights here: expected *.safetensors or *.ckpt files", path.display())]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// Tensors are missing, unknown, or not of the shape and type that the configuration asks for.
    #[error("{}: {}", path.display(), Problems(problems))]
    Tensors {
        /// What was opened.
        path: PathBuf,
        /// All of them.
        problems: Vec<TensorProblem>,
    },
    /// A weight is NaN or infinite.
    #[error("{}: tensor {tensor}: element {element} is {value}, expected a finite number", path.display())]
    WeightNotFinite {
        /// The file that holds it.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Index of the first such element, row-major.
        element: u64,
        /// Its value.
        value: f32,
    },
    /// The computation gave NaN or an infinity: weights are damaged, or a precision is too narrow.
    #[error(
        "{step} gives {value} for position {position} of sequence {sequence}; is a weight NaN? (a check at load finds it)"
    )]
    NotFinite {
        /// The step of the model.
        step: String,
        /// What it gave.
        value: f32,
        /// Which of the sequences of the call.
        sequence: usize,
        /// The token's position in it.
        position: usize,
    },
    /// A token id that the model has no embedding for.
    #[error("token {index} is {token}, expected an id below the vocabulary's size, {vocab}")]
    Token {
        /// Position in the tokens that were given.
        index: usize,
        /// The id.
        token: u32,
        /// The number of ids.
        vocab: usize,
    },
    /// There is nothing to continue.
    #[error("the prompt is empty, expected at least one token")]
    EmptyPrompt,
    /// More positions than the model was made for.
    #[error("{length} tokens are more than the model's longest context, {maximum}")]
    Context {
        /// How many there would be.
        length: usize,
        /// How many there may be.
        maximum: usize,
    },
    /// A session cannot be used in this way.
    #[error("{reason}")]
    Session {
        /// What was wrong.
        reason: String,
    },
    /// A saved session is damaged or of another model.
    #[error("{}: {reason}", path.display())]
    SessionFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of repacked weights is damaged, of other weights or another form, or cannot be made.
    #[error("{}: {reason}", path.display())]
    RepackFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, what was expected and found, and what can be done.
        reason: String,
    },
    /// An option has a value that cannot be.
    #[error("{option}: {reason}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The model cannot run on the device.
    #[error("the model cannot run on this device: {reason}")]
    Plan {
        /// What is missing, and what was expected.
        reason: String,
    },
    /// The model does not fit on the device.
    #[error(
        "the model takes {} bytes on the device, {} of them weights and {} cache, and {} are free{}",
        needed,
        weights,
        cache,
        free,
        Helps(ways)
    )]
    DeviceMemory {
        /// Bytes that it takes.
        needed: u64,
        /// Bytes of weights among them.
        weights: u64,
        /// Bytes of keys and values among them.
        cache: u64,
        /// Bytes that the device has free.
        free: u64,
        /// What would help.
        ways: Vec<String>,
    },
    /// There is no room for keys and values of more tokens; sequences that are there already go on, and room comes back when one
    /// is dropped.
    #[error(
        "the cache of {} layers has room for {free} more positions, {needed} are needed, counted in blocks of 128",
        layers.name()
    )]
    CacheFull {
        /// Which layers.
        layers: crate::LayerKind,
        /// Positions that are needed.
        needed: usize,
        /// Positions that are there.
        free: usize,
    },
    /// An accelerator fails.
    #[cfg(feature = "ascend")]
    #[error("{step}: {source}")]
    Device {
        /// The step during which it was found; steps are queued, so an earlier one may be to blame.
        step: String,
        /// What it says.
        source: ascend_acl::Error,
    },
    /// It was asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A safetensors checkpoint cannot be opened.
    #[error(transparent)]
    Safetensors(#[from] safeshards::Error),
    /// A `MindSpore` checkpoint cannot be opened.
    #[error(transparent)]
    MindSpore(#[from] mindspore_ckpt::Error),
    /// A step refuses its input.
    #[error(transparent)]
    Kernel(#[from] moe_kernels::Error),
    /// Sampling parameters are out of range, or nothing is left to sample.
    #[error(transparent)]
    Sampling(#[from] crate::sampling::SamplingError),
    /// A conversation cannot be rendered.
    #[error(transparent)]
    Chat(#[from] crate::chat::ChatError),
    /// A tokenizer cannot be read, or does not belong to the model.
    #[error(transparent)]
    Tokenizer(#[from] crate::tokenizer::TokenizerError),
    /// A stop string is empty.
    #[error(transparent)]
    StopString(#[from] crate::text::EmptyStopString),
}

/// What is wrong with one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TensorProblem {
    /// The model needs it.
    Missing {
        /// Its name.
        name: String,
        /// The shape that it should have.
        expected: Vec<usize>,
    },
    /// The model has no place for it.
    Unknown {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// Its shape is not what `config.json` says.
    Shape {
        /// Its name.
        name: String,
        /// The shape in the file.
        shape: Vec<usize>,
        /// The shape that it should have.
        expected: Vec<usize>,
    },
    /// Its elements are of a type that has no place here.
    Type {
        /// Its name.
        name: String,
        /// The type in the file.
        dtype: DType,
        /// The types that can be here.
        expected: &'static [DType],
    },
}

impl fmt::Display for TensorProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, expected } => write!(f, "{name} {expected:?} is missing"),
            Self::Unknown { name, shape } => write!(f, "{name} {shape:?} belongs to no layer"),
            Self::Shape { name, shape, expected } => {
                write!(f, "{name} is {shape:?}, expected {expected:?}")
            }
            Self::Type { name, dtype, expected } => {
                let expected: Vec<_> = expected.iter().map(|dtype| dtype.name()).collect();
                write!(f, "{name} is {}, expected {}", dtype.name(), expected.join(" or "))
            }
        }
    }
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.into(), source }
    }

    #[cfg(feature = "ascend")]
    pub(crate) fn device(step: &str) -> impl FnOnce(ascend_acl::Error) -> Self {
        move |source| Self::Device { step: step.to_owned(), source }
    }

    pub(crate) fn config(path: &Path, field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Config { path: path.to_owned(), field: field.into(), reason: reason.into() }
    }
}

struct Field<'a>(&'a str);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}

struct Helps<'a>(&'a [String]);

impl fmt::Display for Helps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; it would help: {}", self.0.join(", ")) }
    }
}

struct Problems<'a>(&'a [TensorProblem]);

impl fmt::Display for Problems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [one] => write!(f, "tensor {one}"),
            all => {
                write!(f, "{} tensors do not fit the configuration:", all.len())?;
                all.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}
