//! What can go wrong, with the place and what was expected there.

use std::io;
use std::path::PathBuf;

use crate::{Dtype, Encryption, FindingKind, Lookalike, Place};
use crate::{MAX_DIM, MAX_NAME_CHARS, MAX_RANK, MAX_RECORDS};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what was expected instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error in a named file; the other variants say what it is.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What went wrong in it.
        source: Box<Error>,
    },
    /// The operating system refused to open, read or write.
    #[error("cannot {action} at byte {offset}: {source}")]
    Io {
        /// What was tried: "open", "read", "write" …
        action: &'static str,
        /// Byte in the file.
        offset: u64,
        /// Why it failed.
        source: io::Error,
    },

    /// The text is not a MindSpore type.
    #[error(
        "unknown MindSpore type {found:?}; expected one such as \"Float32\", \"BFloat16\" or \
         \"UInt8\", spelled exactly so"
    )]
    ParseDtype {
        /// The text.
        found: String,
    },
    /// MindSpore has no such element type.
    #[error("{dtype} has no MindSpore type")]
    NoMindSporeType {
        /// The element type.
        dtype: lowfloat::DType,
    },

    /// A tensor without a name (an absent or empty tag).
    #[error("{place}: the tensor has no name")]
    MissingName {
        /// Where.
        place: Place,
    },
    /// A name that MindSpore refuses to load.
    #[error(
        "{place}: the name is {chars} characters long; MindSpore loads at most {MAX_NAME_CHARS}"
    )]
    NameTooLong {
        /// Where; the name itself is left out.
        place: Place,
        /// Its length in characters, or in bytes where it is too long to be read.
        chars: u64,
    },
    /// A name that is not text.
    #[error("{place}: the name is not UTF-8, beginning with its byte {valid_up_to}")]
    NameNotUtf8 {
        /// Where.
        place: Place,
        /// Bytes of the name that are valid.
        valid_up_to: usize,
    },
    /// A dimension that is negative or over [`MAX_DIM`].
    #[error("{place}: dimension {axis} is {dim}; expected 0 to {MAX_DIM}")]
    DimOutOfRange {
        /// Where.
        place: Place,
        /// Which dimension, counted from 0.
        axis: usize,
        /// Its value; beyond `i64`, the nearest `i64`.
        dim: i64,
    },
    /// More dimensions than [`MAX_RANK`].
    #[error("{place}: more than {MAX_RANK} dimensions")]
    RankTooLarge {
        /// Where.
        place: Place,
    },
    /// Shape `[0]`: MindSpore reads it as a scalar of memory that nobody has written.
    #[error("{place}: shape [0] cannot be stored: MindSpore reads it as a scalar of garbage")]
    EmptyVector {
        /// Where.
        place: Place,
    },
    /// More bytes than a file can have.
    #[error("{place}: shape {dims:?} of {dtype} is more than 2^63 - 1 bytes")]
    ShapeTooLarge {
        /// Where.
        place: Place,
        /// The element type.
        dtype: Dtype,
        /// The shape.
        dims: Vec<u64>,
    },
    /// The tensors together have more bytes than a file can have.
    #[error("{place}: the file passes 2^63 - 1 bytes with this tensor")]
    FileTooLarge {
        /// The tensor that no longer fits.
        place: Place,
    },
    /// So many slices that their list would not be sane.
    #[error("{place}: the layout passes {MAX_RECORDS} records here; use larger slices")]
    TooManyRecords {
        /// The tensor that no longer fits.
        place: Place,
    },
    /// The same name a second time. MindSpore keeps the last one, or joins neighbours and
    /// overruns its buffer.
    #[error("{place}: the name was already used{}", first_at(*first))]
    DuplicateName {
        /// Where it comes again.
        place: Place,
        /// Byte of the first one in the file; `None` where no file is read.
        first: Option<u64>,
    },
    /// A checkpoint without tensors, which MindSpore refuses.
    #[error("no tensors ({bytes} bytes); MindSpore loads at least one")]
    Empty {
        /// Size of the file.
        bytes: u64,
    },

    /// A write goes past the end of the tensor. Nothing of that write was stored.
    #[error("tensor {tensor:?}: {given} bytes given; expected exactly {expected}")]
    TooMuchContent {
        /// The tensor.
        tensor: String,
        /// Its size in bytes.
        expected: u64,
        /// Bytes given, with the write that failed.
        given: u64,
    },
    /// A tensor was finished before all of its bytes were written.
    #[error("tensor {tensor:?}: only {given} bytes given; expected exactly {expected}")]
    TooLittleContent {
        /// The tensor.
        tensor: String,
        /// Its size in bytes.
        expected: u64,
        /// Bytes given.
        given: u64,
    },
    /// The file is unusable, since an earlier tensor was not completed.
    #[error("the file is incomplete since tensor {tensor:?} was not finished")]
    Unfinished {
        /// The tensor that was dropped or failed.
        tensor: String,
    },

    /// An encrypted checkpoint, which only MindSpore with its key can open.
    #[error("the file is an encrypted MindSpore checkpoint ({encryption}); only its key opens it")]
    Encrypted {
        /// How it is encrypted.
        encryption: Encryption,
    },
    /// A file of another kind.
    #[error("not a MindSpore checkpoint: the file looks like {looks_like}")]
    NotACheckpoint {
        /// What it seems to be.
        looks_like: Lookalike,
    },
    /// The file ends inside a record.
    #[error("{place}: the file ends inside {what}: {needs} bytes expected, {left} left")]
    Truncated {
        /// Where the incomplete part begins.
        place: Place,
        /// The part.
        what: &'static str,
        /// Bytes that it needs.
        needs: u64,
        /// Bytes that are there.
        left: u64,
    },
    /// A field is longer than the message that holds it.
    #[error("{place}: {what} needs {needs} bytes, its message has only {left} left")]
    Overrun {
        /// Where the field begins.
        place: Place,
        /// The field.
        what: &'static str,
        /// Bytes that it needs.
        needs: u64,
        /// Bytes left in the message.
        left: u64,
    },
    /// An integer of more than 10 bytes or 64 bits.
    #[error("{place}: {what} is not a varint of at most 64 bits")]
    BadVarint {
        /// Where it begins.
        place: Place,
        /// What it should be.
        what: &'static str,
    },
    /// Bytes that begin no protobuf field.
    #[error("{place}: {key:#x} is no protobuf field key ({why})")]
    BadKey {
        /// Where.
        place: Place,
        /// The value found.
        key: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A record with neither a tensor nor a map tensor, which MindSpore loads as an empty list.
    #[error("{place}: the record holds no tensor")]
    MissingTensor {
        /// Where.
        place: Place,
    },
    /// A tensor without its type.
    #[error("{place}: the tensor has no type")]
    MissingType {
        /// Where.
        place: Place,
    },
    /// A tensor of a type that MindSpore does not know.
    #[error("{place}: unknown type {found:?}")]
    UnknownType {
        /// Where.
        place: Place,
        /// The type's name, shortened where it is long.
        found: String,
    },
    /// A tensor without content: MindSpore loads memory that nobody has written.
    #[error("{place}: the tensor has no content")]
    MissingContent {
        /// Where.
        place: Place,
    },
    /// Content that is not as long as type and shape say. MindSpore does not check this.
    #[error(
        "{place}: {found} bytes of content in {records} record(s); {dtype} of shape {dims:?} \
         needs {expected}"
    )]
    LengthMismatch {
        /// Where the tensor begins.
        place: Place,
        /// The element type.
        dtype: Dtype,
        /// The shape.
        dims: Vec<u64>,
        /// Bytes that they need; for text, the nearest whole number of characters.
        expected: u64,
        /// Bytes that are there.
        found: u64,
        /// Records that were joined.
        records: usize,
    },
    /// A slice of a tensor that comes after another tensor: MindSpore would lose the first part.
    #[error(
        "{place}: slices apart: the part at byte {first} is incomplete, another tensor follows it"
    )]
    Interleaved {
        /// Where the later slice is.
        place: Place,
        /// Byte of the first part.
        first: u64,
    },
    /// Two slices of one tensor that disagree, or two neighbours with the same name.
    #[error("{place}: the {what} differs from that of the record before it with the same name")]
    SliceMismatch {
        /// Where the second one is.
        place: Place,
        /// "type" or "shape".
        what: &'static str,
    },
    /// A CRC trailer that is not `crc_num` and ten big-endian bytes at the very end.
    #[error("{place}: bad CRC trailer: {why}")]
    BadTrailer {
        /// Where.
        place: Place,
        /// What is wrong.
        why: &'static str,
    },

    /// A read past the end of a tensor.
    #[error("tensor {tensor:?}: bytes {offset}..{offset}+{len} asked for; it has {byte_len}")]
    OutOfRange {
        /// The tensor.
        tensor: String,
        /// First byte asked for.
        offset: u64,
        /// Bytes asked for.
        len: u64,
        /// Bytes of the tensor.
        byte_len: u64,
    },
    /// The tensor does not fit into memory.
    #[error("tensor {tensor:?}: no memory for its {byte_len} bytes; read it in parts")]
    OutOfMemory {
        /// The tensor.
        tensor: String,
        /// Its size in bytes.
        byte_len: u64,
    },
    /// The entry is not text, or not valid UTF-32.
    #[error("tensor {tensor:?} ({dtype}) is not UTF-32 text")]
    NotText {
        /// The entry.
        tensor: String,
        /// Its type.
        dtype: Dtype,
    },
}

fn first_at(first: Option<u64>) -> String {
    first.map_or_else(String::new, |offset| format!(" at byte {offset}"))
}

impl Error {
    /// The error itself, without the file name around it.
    #[must_use]
    pub fn root(&self) -> &Self {
        match self {
            Self::InFile { source, .. } => source.root(),
            other => other,
        }
    }

    /// The byte in the file, where one is known.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match self.root() {
            Self::Io { offset, .. } => Some(*offset),
            other => other.place().and_then(|place| place.offset),
        }
    }

    /// The name of the tensor, where one is known.
    #[must_use]
    pub fn tensor(&self) -> Option<&str> {
        match self.root() {
            Self::TooMuchContent { tensor, .. }
            | Self::TooLittleContent { tensor, .. }
            | Self::Unfinished { tensor }
            | Self::OutOfRange { tensor, .. }
            | Self::OutOfMemory { tensor, .. }
            | Self::NotText { tensor, .. } => Some(tensor),
            other => other.place().and_then(|place| place.tensor.as_deref()),
        }
    }

    /// The place in the file or the layout, where there is one.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self.root() {
            Self::MissingName { place }
            | Self::NameTooLong { place, .. }
            | Self::NameNotUtf8 { place, .. }
            | Self::DimOutOfRange { place, .. }
            | Self::RankTooLarge { place }
            | Self::EmptyVector { place }
            | Self::ShapeTooLarge { place, .. }
            | Self::FileTooLarge { place }
            | Self::TooManyRecords { place }
            | Self::DuplicateName { place, .. }
            | Self::Truncated { place, .. }
            | Self::Overrun { place, .. }
            | Self::BadVarint { place, .. }
            | Self::BadKey { place, .. }
            | Self::MissingTensor { place }
            | Self::MissingType { place }
            | Self::UnknownType { place, .. }
            | Self::MissingContent { place }
            | Self::LengthMismatch { place, .. }
            | Self::Interleaved { place, .. }
            | Self::SliceMismatch { place, .. }
            | Self::BadTrailer { place, .. } => Some(place),
            _ => None,
        }
    }

    /// The kind of finding that this is when a file is verified; `None` for errors of the caller
    /// and of the operating system.
    #[must_use]
    pub fn kind(&self) -> Option<FindingKind> {
        Some(match self.root() {
            Self::MissingName { .. } => FindingKind::MissingName,
            Self::NameTooLong { .. } => FindingKind::NameTooLong,
            Self::NameNotUtf8 { .. } => FindingKind::NameNotUtf8,
            Self::DimOutOfRange { .. } | Self::RankTooLarge { .. } | Self::ShapeTooLarge { .. } => {
                FindingKind::BadShape
            }
            Self::EmptyVector { .. } => FindingKind::EmptyVector,
            Self::DuplicateName { .. } => FindingKind::DuplicateName,
            Self::Empty { .. } => FindingKind::Empty,
            Self::Encrypted { .. } => FindingKind::Encrypted,
            Self::NotACheckpoint { .. } => FindingKind::NotACheckpoint,
            Self::Truncated { .. } => FindingKind::Truncated,
            Self::Overrun { .. } | Self::BadVarint { .. } | Self::BadKey { .. } => {
                FindingKind::Malformed
            }
            Self::MissingTensor { .. } => FindingKind::MissingTensor,
            Self::MissingType { .. } => FindingKind::MissingType,
            Self::UnknownType { .. } => FindingKind::UnknownType,
            Self::MissingContent { .. } => FindingKind::MissingContent,
            Self::LengthMismatch { .. } => FindingKind::LengthMismatch,
            Self::Interleaved { .. } => FindingKind::Interleaved,
            Self::SliceMismatch { .. } => FindingKind::SliceMismatch,
            Self::BadTrailer { .. } => FindingKind::BadTrailer,
            _ => return None,
        })
    }

    pub(crate) fn io(action: &'static str, offset: u64) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, offset, source }
    }

    pub(crate) fn in_file(self, path: &std::path::Path) -> Self {
        Self::InFile { path: path.to_owned(), source: Box::new(self) }
    }
}
