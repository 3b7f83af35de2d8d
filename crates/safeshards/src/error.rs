//! What can go wrong.

use std::io;
use std::path::PathBuf;

use lowfloat::DType;

use crate::LookAlike;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in which file, tensor and byte, and what was expected there.
///
/// Byte offsets count from the start of the file unless the field says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation on a file or directory.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb: `open`, `rename`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Reading part of a file failed.
    #[error("cannot read {len} bytes at byte {offset} of {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Where the read began.
        offset: u64,
        /// How many bytes were wanted.
        len: u64,
        /// The reason.
        source: io::Error,
    },
    /// The directory holds no checkpoint.
    #[error("no .safetensors file in {}{}", path.display(), elsewhere_hint(elsewhere))]
    NoCheckpoint {
        /// The directory that was searched.
        path: PathBuf,
        /// Directories directly below it that do hold `.safetensors` files.
        elsewhere: Vec<PathBuf>,
    },
    /// The directory holds several indexes, each of which describes a checkpoint.
    #[error("several index files in {}: {}; open one of them by its path", path.display(), joined(names))]
    SeveralIndexes {
        /// The directory.
        path: PathBuf,
        /// The index files in it.
        names: Vec<PathBuf>,
    },
    /// The path is neither a regular file nor a directory, or a shard is not a regular file.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file is something else under a safetensors (or index) name.
    #[error("{} is not what its name says: it looks like {what}", path.display())]
    LooksLike {
        /// The file.
        path: PathBuf,
        /// What its first bytes say that it is.
        what: LookAlike,
    },
    /// The file ends within the eight bytes that hold the header's length.
    #[error("{} has {actual} bytes; a safetensors file begins with 8 bytes of header length", path.display())]
    TooShort {
        /// The file.
        path: PathBuf,
        /// Its length.
        actual: u64,
    },
    /// The header is larger than the limit.
    #[error("the header of {} is {len} bytes long (bytes 0..8 say so); the limit is {limit}", path.display())]
    HeaderTooLarge {
        /// The file.
        path: PathBuf,
        /// The length of the JSON text.
        len: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// The header goes on beyond the end of the file.
    #[error("{} has {actual} bytes, but its header alone ends at byte {expected}: truncated?", path.display())]
    HeaderBeyondFile {
        /// The file.
        path: PathBuf,
        /// Where the header ends.
        expected: u64,
        /// The length of the file.
        actual: u64,
    },
    /// The header is not UTF-8.
    #[error("the header of {} is not UTF-8 at byte {offset}", path.display())]
    HeaderNotUtf8 {
        /// The file.
        path: PathBuf,
        /// The first byte that is not.
        offset: u64,
    },
    /// The header does not begin with `{`.
    #[error("the header of {} is not a JSON object: expected `{{` at byte {offset}", path.display())]
    HeaderNotObject {
        /// The file.
        path: PathBuf,
        /// Where the brace should be.
        offset: u64,
    },
    /// The JSON text is malformed, or a value in it has the wrong type.
    #[error("{}, byte {offset}: {place} is malformed", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where the parser stopped: at the fault, or the byte before it.
        offset: u64,
        /// The tensor or key whose value was being read.
        place: String,
        /// What was expected.
        source: serde_json::Error,
    },
    /// A JSON object has the same key twice, so that two readers may see two different files.
    #[error("{}: {place} has the key `{key}` twice", path.display())]
    DuplicateKey {
        /// The file.
        path: PathBuf,
        /// The object: the header, the metadata, the weight map.
        place: &'static str,
        /// The key.
        key: String,
    },
    /// The element type is not one that this crate knows.
    #[error("{}: tensor `{tensor}` has the unknown element type `{dtype}`", path.display())]
    UnknownDType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The type as written.
        dtype: String,
    },
    /// A tensor ends before it begins.
    #[error("{}: tensor `{tensor}` ends at data byte {end}, before it begins at {begin}", path.display())]
    OffsetsReversed {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its first byte, counted from the end of the header.
        begin: u64,
        /// The byte after its last.
        end: u64,
    },
    /// A tensor goes on beyond the end of the file.
    #[error(
        "{}: tensor `{tensor}` ends at data byte {end}, but only {data_len} bytes follow the header: truncated?",
        path.display()
    )]
    BeyondFile {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The byte after its last, counted from the end of the header.
        end: u64,
        /// Bytes in the file after the header.
        data_len: u64,
    },
    /// The number of elements or bytes does not fit 64 bits.
    #[error("{}: the size of tensor `{tensor}` overflows: {dtype} {shape:?}", path.display())]
    SizeOverflow {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its element type.
        dtype: DType,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The elements of a packed type do not fill whole bytes.
    #[error("{}: tensor `{tensor}` does not fill whole bytes: {dtype} {shape:?}", path.display())]
    PartialByte {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its element type.
        dtype: DType,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A tensor's shape and element type contradict its offsets.
    #[error(
        "{}: tensor `{tensor}` is {dtype} {shape:?}, {expected} bytes, but its offsets span {actual}",
        path.display()
    )]
    SizeMismatch {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its element type.
        dtype: DType,
        /// Its shape.
        shape: Vec<usize>,
        /// Bytes by element type and shape.
        expected: u64,
        /// Bytes by offsets.
        actual: u64,
    },
    /// Two tensors share bytes.
    #[error(
        "{}: tensor `{tensor}` begins at data byte {begin}, within `{other}`, which ends at {end}",
        path.display()
    )]
    Overlap {
        /// The file.
        path: PathBuf,
        /// The tensor that begins too early.
        tensor: String,
        /// The tensor before it.
        other: String,
        /// Where `tensor` begins, counted from the end of the header.
        begin: u64,
        /// Where `other` ends.
        end: u64,
    },
    /// Bytes before a tensor belong to no tensor.
    #[error("{}: data bytes {begin}..{end}, before tensor `{tensor}`, belong to no tensor", path.display())]
    Hole {
        /// The file.
        path: PathBuf,
        /// The tensor after the hole.
        tensor: String,
        /// The first byte of the hole, counted from the end of the header.
        begin: u64,
        /// The byte after its last.
        end: u64,
    },
    /// Bytes after the last tensor belong to no tensor.
    #[error("{} should end at byte {expected}, after its last tensor, but has {actual} bytes", path.display())]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// Where the last tensor ends.
        expected: u64,
        /// The length of the file.
        actual: u64,
    },
    /// The index is larger than any index of a real checkpoint.
    #[error("{} has {len} bytes; an index has at most {limit}", path.display())]
    IndexTooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        len: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// The index has no `weight_map` object.
    #[error("{} has no `weight_map`: not an index of a sharded checkpoint", path.display())]
    NoWeightMap {
        /// The file.
        path: PathBuf,
    },
    /// The index names a file that cannot be a shard beside it.
    #[error("{}: tensor `{tensor}` is said to be in {file:?}, which {why}", path.display())]
    UnsafeShardName {
        /// The index.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The file name as written.
        file: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A shard that the index names is not there.
    #[error("{} is missing: {} says that it holds `{tensor}`", shard.display(), path.display())]
    MissingShard {
        /// The index.
        path: PathBuf,
        /// The shard that is not there.
        shard: PathBuf,
        /// The first tensor that it should hold.
        tensor: String,
    },
    /// A shard lacks a tensor that the index says it holds.
    #[error("{} does not hold tensor `{tensor}`, although {} says so", shard.display(), path.display())]
    MissingTensor {
        /// The index.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shard that should hold it.
        shard: PathBuf,
    },
    /// A tensor is in another shard than the index says.
    #[error(
        "tensor `{tensor}` is in {}, although {} says that it is in {expected}",
        shard.display(),
        path.display()
    )]
    WrongShard {
        /// The index.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shard that holds it.
        shard: PathBuf,
        /// The name of the shard that should hold it.
        expected: String,
    },
    /// A shard holds a tensor of which the index says nothing.
    #[error("{} holds tensor `{tensor}`, which {} does not list", shard.display(), path.display())]
    NotInIndex {
        /// The index.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shard that holds it.
        shard: PathBuf,
    },
    /// Two shards hold a tensor of the same name.
    #[error("tensor `{tensor}` is in {} and again in {}", first.display(), second.display())]
    TensorInTwoShards {
        /// The tensor.
        tensor: String,
        /// One shard.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The checkpoint has no tensor of that name.
    #[error("no tensor `{tensor}` in {}{}", path.display(), near_hint(near))]
    UnknownTensor {
        /// The checkpoint.
        path: PathBuf,
        /// The name asked for.
        tensor: String,
        /// Names that are near it, nearest first.
        near: Vec<String>,
    },
    /// A read goes beyond the end of a tensor.
    #[error(
        "{}: bytes {offset}..{offset}+{len} were asked of tensor `{tensor}`, which has {byte_len}",
        path.display()
    )]
    OutOfTensor {
        /// The shard.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Where the read should begin, counted from the start of the tensor (or of its rows).
        offset: u64,
        /// How many bytes it wanted.
        len: u64,
        /// How many there are.
        byte_len: u64,
    },
    /// A row range does not fit a tensor, or does not fall on whole bytes.
    #[error("{}: rows {begin}..{end} of tensor `{tensor}`, which is {dtype} {shape:?}: {why}", path.display())]
    Rows {
        /// The shard.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its element type.
        dtype: DType,
        /// Its shape.
        shape: Vec<usize>,
        /// First row.
        begin: usize,
        /// Row after the last.
        end: usize,
        /// What is wrong with them.
        why: &'static str,
    },
    /// The bytes of a tensor cannot be seen as values of a Rust type in place.
    #[error(
        "{}: the {byte_len} bytes of tensor `{tensor}` are aligned to {address_align}; `{wanted}` \
         has {size} bytes and needs an alignment of {align}",
        path.display()
    )]
    Cast {
        /// The shard.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its length.
        byte_len: u64,
        /// The largest power of two that divides its address in memory.
        address_align: usize,
        /// The Rust type asked for.
        wanted: &'static str,
        /// The size of that type.
        size: usize,
        /// The alignment of that type.
        align: usize,
    },
    /// The checkpoint was opened without mmap, so there are no bytes to borrow.
    #[error("{} was opened without mmap: read tensor `{tensor}` with `read_at` or `to_bytes`", path.display())]
    NotMapped {
        /// The shard.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// The file has another length than when it was opened.
    #[error("{} had {expected} bytes when it was opened and has {actual} now", path.display())]
    FileChanged {
        /// The file.
        path: PathBuf,
        /// The length when it was opened.
        expected: u64,
        /// The length now.
        actual: u64,
    },
    /// Under the file's name there is another one than when it was opened.
    #[error("{} is another file now than when it was opened", path.display())]
    FileReplaced {
        /// The file.
        path: PathBuf,
    },
    /// A tensor cannot be written as asked.
    #[error("tensor `{tensor}` ({dtype} {shape:?}) cannot be written: {why}")]
    InvalidSpec {
        /// The tensor.
        tensor: String,
        /// Its element type.
        dtype: DType,
        /// Its shape.
        shape: Vec<usize>,
        /// What is wrong with it.
        why: &'static str,
    },
    /// So many tensors, or such long names, that no reader would accept the header.
    #[error(
        "the header of {tensors} tensors takes {len} bytes; readers accept {limit}: use more shards"
    )]
    LayoutTooLarge {
        /// The number of tensors.
        tensors: usize,
        /// The length of the JSON text.
        len: u64,
        /// The most that the `safetensors` crate reads.
        limit: u64,
    },
    /// JSON text could not be made.
    #[error("cannot encode {what} as JSON")]
    Encode {
        /// The header or the index.
        what: &'static str,
        /// The reason.
        source: serde_json::Error,
    },
    /// The file to be written is already there.
    #[error("{} exists; it is replaced only with `overwrite`", path.display())]
    TargetExists {
        /// The file.
        path: PathBuf,
    },
    /// A body was begun out of turn.
    #[error("tensor `{tensor}` was begun, but {} is next in {}", expected_name(expected.as_ref()), path.display())]
    OutOfOrder {
        /// The directory being written.
        path: PathBuf,
        /// The tensor that was begun.
        tensor: String,
        /// The tensor whose turn it is; `None` when all are written.
        expected: Option<String>,
    },
    /// The checkpoint was finished before all bodies were written.
    #[error("{} was finished before tensor `{tensor}` was written", path.display())]
    Unfinished {
        /// The directory being written.
        path: PathBuf,
        /// The first tensor without a body.
        tensor: String,
    },
    /// A body was given more or fewer bytes than its element type and shape say.
    #[error("tensor `{tensor}` in {} needs {expected} bytes, but was given {actual}", path.display())]
    BodyLength {
        /// The file being written.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Bytes by element type and shape.
        expected: u64,
        /// Bytes given, up to and including the ones that were too many.
        actual: u64,
    },
    /// The reader that supplies a body failed.
    #[error("the source of tensor `{tensor}` failed at its byte {offset}")]
    Body {
        /// The tensor.
        tensor: String,
        /// How many bytes had been read, from the start of the tensor.
        offset: u64,
        /// The reason.
        source: io::Error,
    },
    /// Bytes were written before any body was begun.
    #[error("bytes were written to {} before a tensor was begun", path.display())]
    NotBegun {
        /// The directory being written.
        path: PathBuf,
    },
    /// An earlier call on this writer failed, so the file cannot be completed.
    #[error("writing to {} has failed before; the writer cannot go on", path.display())]
    WriterFailed {
        /// The directory being written.
        path: PathBuf,
    },
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

fn joined(paths: &[PathBuf]) -> String {
    let texts: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    texts.join(", ")
}

fn elsewhere_hint(elsewhere: &[PathBuf]) -> String {
    match elsewhere {
        [] => String::new(),
        some => format!("; there are some in {}: open that directory instead", joined(some)),
    }
}

fn near_hint(near: &[String]) -> String {
    match near {
        [] => String::new(),
        some => format!("; did you mean `{}`?", some.join("` or `")),
    }
}

fn expected_name(expected: Option<&String>) -> String {
    expected.map_or_else(|| "nothing more".to_owned(), |name| format!("`{name}`"))
}
