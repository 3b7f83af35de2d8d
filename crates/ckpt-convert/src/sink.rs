//! Output formats: how tensors lie in a file.

mod ckpt;
mod safetensors;

pub use ckpt::CkptSink;
pub use safetensors::SafetensorsSink;

use std::fmt::Debug;

use crate::Result;
use crate::plan::PlanTensor;

/// An output format.
///
/// A sink is pure: it says where every byte of a file goes before any of them is written. The
/// [`Executor`](crate::Executor) does the rest, so a new format is one implementation of this
/// trait.
pub trait Sink: Debug + Send + Sync {
    /// The format's name in reports: `ckpt`, `safetensors` …
    fn format(&self) -> &'static str;

    /// The name of part `part` (from 0) of `parts`.
    fn file_name(&self, stem: &str, part: usize, parts: usize) -> String;

    /// The name of the file that lists which tensor is in which part; `None` where `parts` files
    /// need none.
    fn index_name(&self, stem: &str, parts: usize) -> Option<String>;

    /// Why the format cannot hold a tensor.
    ///
    /// # Errors
    /// The reason, for people.
    fn admit(&self, tensor: &PlanTensor) -> Result<(), String>;

    /// The most bytes that a tensor adds to a file, its part of any header included.
    fn bytes_in_file(&self, tensor: &PlanTensor) -> u64;

    /// Bytes of a file beside its tensors.
    fn bytes_beside(&self) -> u64;

    /// Where every byte of a file with these tensors goes. [`SegmentKind::Content`] counts tensors
    /// by their place in `tensors`.
    ///
    /// # Errors
    /// When the tensors cannot be in one file.
    fn layout(&self, tensors: &[&PlanTensor]) -> Result<FileLayout>;
}

/// Where every byte of a file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLayout {
    /// The file's bytes from front to back, without gaps.
    pub segments: Vec<Segment>,
    /// What follows the segments.
    pub trailer: Trailer,
}

impl FileLayout {
    /// Bytes of the segments.
    #[must_use]
    pub fn body_len(&self) -> u64 {
        self.segments.last().map_or(0, Segment::end)
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        self.body_len() + self.trailer.len()
    }

    /// The last segment of a tensor, and which one that is; `None` for a tensor of another file.
    pub(crate) fn last_of(&self, tensor: usize) -> Option<(usize, &Segment)> {
        let mut segments = self.segments.iter().enumerate();
        segments.rfind(|(_, segment)| segment.tensor() == Some(tensor))
    }
}

/// A run of bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it starts.
    pub offset: u64,
    /// Its length.
    pub len: u64,
    /// Where its bytes come from.
    pub kind: SegmentKind,
}

impl Segment {
    /// Where the next segment starts.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.len
    }

    /// The tensor whose content it is.
    fn tensor(&self) -> Option<usize> {
        match self.kind {
            SegmentKind::Content { tensor, .. } => Some(tensor),
            SegmentKind::Bytes(_) => None,
        }
    }
}

/// Where bytes of a file come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentKind {
    /// They are these.
    Bytes(Vec<u8>),
    /// They are the content of a tensor, from byte `start` on.
    Content {
        /// Which tensor of the file.
        tensor: usize,
        /// The first byte of its content.
        start: u64,
    },
}

/// What follows the body of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trailer {
    /// Nothing.
    None,
    /// MindSpore's checksum of the body ([`mindspore_ckpt::trailer`]).
    Crc,
}

impl Trailer {
    /// Its length in bytes.
    #[must_use]
    pub const fn len(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Crc => 17,
        }
    }

    /// True for [`Trailer::None`].
    #[must_use]
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_segment_of_a_tensor() {
        let bytes = |offset| Segment { offset, len: 2, kind: SegmentKind::Bytes(vec![0; 2]) };
        let content = |offset, len, tensor, start| {
            let kind = SegmentKind::Content { tensor, start };
            Segment { offset, len, kind }
        };
        // Tensor 5 in two slices, tensor 6 of no bytes.
        let segments = vec![bytes(0), content(2, 8, 5, 0), bytes(10), content(12, 3, 5, 8)];
        let segments = segments.into_iter().chain([bytes(15), content(17, 0, 6, 0)]).collect();
        let layout = FileLayout { segments, trailer: Trailer::None };
        let last = |tensor| layout.last_of(tensor).map(|(at, segment)| (at, segment.end()));
        assert_eq!((last(5), last(6), last(7)), (Some((3, 15)), Some((5, 17)), None));
    }
}
