//! Short lists of axes, without an allocation.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Tensors of operators have this many axes at most.
pub(crate) const MOST: usize = 8;

/// A number for each axis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Dims {
    len: usize,
    values: [i64; MOST],
}

impl Dims {
    /// `None` if there are too many axes.
    pub(super) fn new(values: &[i64]) -> Option<Self> {
        let mut dims = Self { len: values.len(), values: [0; MOST] };
        dims.values.get_mut(..values.len())?.copy_from_slice(values);
        Some(dims)
    }

    /// As many numbers as `values` has, up to the most there can be.
    pub(super) fn collect(values: impl IntoIterator<Item = i64>) -> Self {
        let mut dims = Self { len: 0, values: [0; MOST] };
        for (slot, value) in dims.values.iter_mut().zip(values) {
            *slot = value;
            dims.len += 1;
        }
        dims
    }

    pub(super) fn remove(self, axis: usize) -> Self {
        let others = self.iter().enumerate().filter(|(at, _)| *at != axis);
        Self::collect(others.map(|(_, value)| *value))
    }

    /// `None` if there are too many axes then.
    pub(super) fn insert(self, axis: usize, value: i64) -> Option<Self> {
        if self.len == MOST || axis > self.len {
            return None;
        }
        let (before, after) = self.split_at(axis);
        Some(Self::collect(before.iter().copied().chain([value]).chain(after.iter().copied())))
    }
}

impl Deref for Dims {
    type Target = [i64];

    fn deref(&self) -> &[i64] {
        self.values.get(..self.len).unwrap_or_default()
    }
}

impl DerefMut for Dims {
    fn deref_mut(&mut self) -> &mut [i64] {
        self.values.get_mut(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
