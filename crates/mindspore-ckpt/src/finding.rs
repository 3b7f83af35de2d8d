//! What reading or verifying a file brings to light.

use std::fmt;

use crate::Error;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file can be right, but some MindSpore version, or somebody, may stumble over it.
    Warning,
    /// The file is damaged, or MindSpore would load something else than was meant.
    Error,
}

/// One thing found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Byte in the file, where there is one to name.
    pub offset: Option<u64>,
    /// The tensor, where there is one to name.
    pub tensor: Option<String>,
    /// What it is.
    pub kind: FindingKind,
    /// The whole story in one sentence, place included.
    pub message: String,
}

impl Finding {
    pub(crate) fn warning(kind: FindingKind, message: String) -> Self {
        Self { severity: Severity::Warning, offset: None, tensor: None, kind, message }
    }

    pub(crate) fn error(kind: FindingKind, message: String) -> Self {
        Self { severity: Severity::Error, ..Self::warning(kind, message) }
    }

    pub(crate) fn at(self, offset: u64) -> Self {
        Self { offset: Some(offset), ..self }
    }

    pub(crate) fn of(self, tensor: &str) -> Self {
        Self { tensor: Some(tensor.to_owned()), ..self }
    }

    pub(crate) fn from_error(error: &Error) -> Self {
        Self {
            severity: Severity::Error,
            offset: error.offset(),
            tensor: error.tensor().map(str::to_owned),
            kind: error.kind().unwrap_or(FindingKind::Malformed),
            message: error.to_string(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}: {}", self.message)
    }
}

/// The kinds of findings. Each has one severity, named here, unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// Error: no tensors.
    Empty,
    /// Error: an encrypted checkpoint.
    Encrypted,
    /// Error: another kind of file.
    NotACheckpoint,
    /// Error: the file ends inside a record.
    Truncated,
    /// Error: the bytes are not protobuf, or a length leaves its message.
    Malformed,
    /// Error: a well-formed field between or after the records, which MindSpore ignores. (The
    /// reader only warns.)
    Leftover,
    /// Error: no name, or an empty one.
    MissingName,
    /// Error: a name of more than 1,024 characters.
    NameTooLong,
    /// Error: a name that is not UTF-8.
    NameNotUtf8,
    /// Error: a record without a tensor.
    MissingTensor,
    /// Error: a tensor without a type.
    MissingType,
    /// Error: a type that MindSpore does not know.
    UnknownType,
    /// Error: a tensor without content.
    MissingContent,
    /// Error: negative, too large or too many dimensions.
    BadShape,
    /// Error: content shorter or longer than type and shape say.
    LengthMismatch,
    /// Error: the same name twice.
    DuplicateName,
    /// Error: slices of one tensor with another tensor between them.
    Interleaved,
    /// Error: slices of one tensor that disagree about type or shape.
    SliceMismatch,
    /// Error: a CRC trailer that is malformed, misplaced or cut off. (The reader only warns where
    /// the number is more than 32 bits.)
    BadTrailer,
    /// Error: the CRC trailer does not match the bytes.
    CrcMismatch,
    /// Error: a tensor that was expected is not there.
    Missing,
    /// Error: a tensor that was not expected.
    Unexpected,
    /// Error: a tensor of another type than expected.
    WrongDtype,
    /// Error: a tensor of another shape than expected.
    WrongShape,
    /// Warning: an unknown field inside a record.
    UnknownField,
    /// Warning: a field that should come once comes again; the last one counts.
    RepeatedField,
    /// Warning: a map tensor, which this crate lists but cannot read.
    MapTensor,
    /// Warning: more than 2^31 - 1 bytes, which protobuf's C parsers may refuse.
    LargeFile,
    /// Warning: a type that no tried MindSpore loads, although 2.10.0 saves it. Such a file is not
    /// loadable.
    RefusedDtype,
    /// Warning: a type that older MindSpore versions refuse.
    RecentDtype,
    /// Warning: a CRC trailer, which MindSpore before 2.3.0 cannot read.
    CrcTrailer,
    /// Warning: shape `[0]` without content, which MindSpore 2.10.0 loads as a scalar of garbage.
    /// Such a file is not loadable.
    EmptyVector,
    /// Warning: a tensor without elements, which MindSpore 2.0.0 refuses.
    ZeroElements,
    /// Warning: a name that MindSpore changes or treats in a special way.
    SpecialName,
    /// Warning: more than 32 dimensions, which versions that go through numpy refuse.
    HighRank,
    /// Warning: a slice that ends inside an element, which MindSpore 2.0.0 refuses.
    MisalignedSlice,
    /// Error: two equal `BFloat16` records that are either one tensor twice or, as MindSpore takes
    /// them, one tensor of four-byte floats in two slices. (The reader only warns.)
    AmbiguousBf16,
    /// Warning: the file's name does not end in `.ckpt`, so MindSpore will not open it.
    FileName,
}
