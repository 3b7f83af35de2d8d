//! Bytes that keep their owner alive.

use std::fmt;
use std::ops::{Bound, Deref, Range, RangeBounds};
use std::sync::Arc;

/// A range of bytes together with a share of whatever owns them.
///
/// A mapped file, a `Vec<u8>` and memory that another library owns all look alike. Cloning and
/// slicing copy no bytes; the owner is dropped with the last share.
///
/// ```
/// use safeshards::Bytes;
///
/// let whole = Bytes::from(vec![1, 2, 3, 4]);
/// let middle = whole.slice(1..3).unwrap();
/// drop(whole);
/// assert_eq!(&*middle, [2, 3]);
/// assert!(middle.slice(..3).is_none());
/// ```
#[derive(Clone)]
pub struct Bytes {
    owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
    range: Range<usize>,
}

impl Bytes {
    /// Shares all bytes of `owner`: a mapped file, a buffer of another library, a `&'static [u8]`.
    ///
    /// The owner should give the same bytes every time that it is asked; should it give fewer than
    /// the first time, slices that reach beyond them are empty.
    ///
    /// ```
    /// use safeshards::Bytes;
    ///
    /// let bytes = Bytes::from_owner("a static string");
    /// assert_eq!(&bytes[2..8], b"static");
    /// ```
    #[must_use]
    pub fn from_owner(owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::from_shared(Arc::new(owner))
    }

    /// Shares all bytes of an owner that is already shared.
    #[must_use]
    pub fn from_shared(owner: Arc<dyn AsRef<[u8]> + Send + Sync>) -> Self {
        let range = 0..(*owner).as_ref().len();
        Self { owner, range }
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        (*self.owner).as_ref().get(self.range.clone()).unwrap_or_default()
    }

    /// A part of these bytes that shares the same owner; `None` when `range` is not within them.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Option<Self> {
        let begin = match range.start_bound() {
            Bound::Included(&begin) => begin,
            Bound::Excluded(&before) => before.checked_add(1)?,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.checked_add(1)?,
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.range.len(),
        };
        if begin > end || end > self.range.len() {
            return None;
        }
        let range = self.range.start + begin..self.range.start + end;
        Some(Self { owner: Arc::clone(&self.owner), range })
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from_owner(bytes)
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self::from_owner([])
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Bytes {}

impl fmt::Debug for Bytes {
    /// Says how many bytes there are, not what they are: they may be gigabytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes)", self.range.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_nest_and_share() {
        let owner: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::new((0..10).collect::<Vec<u8>>());
        let bytes = Bytes::from_shared(Arc::clone(&owner));
        let inner = bytes.slice(2..8).and_then(|part| part.slice(1..=3));
        drop(bytes);
        assert_eq!(inner.as_deref(), Some(&[3, 4, 5][..]));
        assert_eq!(Arc::strong_count(&owner), 2);
    }

    #[test]
    fn ranges_outside_are_refused() {
        let bytes = Bytes::from(vec![0; 4]);
        assert!(bytes.slice(..=usize::MAX).is_none());
        assert!(bytes.slice((Bound::Excluded(usize::MAX), Bound::Unbounded)).is_none());
        assert!(bytes.slice(5..).is_none());
        #[expect(clippy::reversed_empty_ranges)]
        let reversed = bytes.slice(3..2);
        assert!(reversed.is_none());
        assert_eq!(bytes.slice(4..).as_deref(), Some(&[][..]));
        assert_eq!(format!("{bytes:?}"), "Bytes(4 bytes)");
        assert!(Bytes::default().is_empty());
    }
}
