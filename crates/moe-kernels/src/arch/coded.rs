//! bf16 in twelve bits, without loss.
//!
//! The upper byte of a bf16 is its sign and seven bits of its exponent; among the weights of a matrix few
//! of them occur often. So a group of 128 weights is stored as 64 bytes of indexes, four bits a
//! weight, into a table of the sixteen most frequent upper bytes of the matrix, and 128 bytes of lower
//! bytes: the order is the one in which registers of bytes yield pairs. An upper byte that is not
//! in the table is an [escape](Escape), kept apart. What is left of a row after its whole groups stays bf16.

use super::order::GROUP;

/// Bytes of a group.
pub(crate) const GROUP_BYTES: usize = 64 + GROUP;

/// An upper byte that the table lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Escape(u32);

impl Escape {
    /// The upper byte of an element of a row; rows have fewer than 2²⁴ elements.
    pub(crate) const fn new(element: u32, upper: u8) -> Self {
        Self(element << 8 | upper as u32)
    }

    pub(crate) const fn from_le_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }

    pub(crate) const fn to_le_bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }

    pub(crate) const fn element(self) -> usize {
        (self.0 >> 8) as usize
    }

    pub(super) const fn upper(self) -> u32 {
        self.0 & 0xFF
    }
}

/// Where the lower byte of an element of a group stands.
#[inline(always)]
pub(crate) const fn lower_of(element: usize) -> usize {
    let (step, word) = (element / 32, element % 32);
    64 * (step / 2) + 16 * (word / 8) + 8 * (step % 2) + word % 8
}

/// The byte that holds the index of an element, and the lowest bit.
#[inline(always)]
pub(crate) const fn index_of(element: usize) -> (usize, usize) {
    let place = lower_of(element);
    (place % 64, 4 * (place / 64))
}
