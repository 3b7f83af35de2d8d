//! Heads of any size in heads that the device's attention takes.

use std::ops::Range;

use moe_kernels::{Heads, Rope};

use crate::Result;

/// Sizes of heads that fused attention takes in layout TND; its documentation.
const SIZES: [usize; 2] = [64, 128];

/// How heads lie on the device: each half of a head at the beginning of half a head of the next size, zeros behind. Zeros
/// change no score, and pairs that are rotated keep half a head between them. gpt-oss has heads of 64, and nothing moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeadLayout {
    /// The heads that this device has, of the model's size.
    pub(super) heads: Heads,
    /// The size on the device.
    pub(super) size: usize,
    /// Heads of queries, and of keys, that devices before this one have.
    before: (usize, usize),
}

impl HeadLayout {
    /// `None` if heads are larger than any that the device takes.
    pub(super) fn new(heads: Heads) -> Option<Self> {
        let size = SIZES.into_iter().find(|&size| heads.dim <= size)?;
        Some(Self { heads, size, before: (0, 0) })
    }

    /// The part of device `rank` of so many; `None` if heads of keys are not to be shared evenly.
    pub(super) fn part(self, rank: usize, devices: usize) -> Option<Self> {
        let Heads { query, kv, dim } = self.heads;
        if kv % devices != 0 {
            return None;
        }
        // As many heads of queries share each of keys.
        let (query, kv) = (query / devices, kv / devices);
        let before = (rank * query, rank * kv);
        Some(Self { heads: Heads { query, kv, dim }, size: self.size, before })
    }

    /// The heads of queries here, of all of the model's.
    pub(super) fn queries(self) -> Range<usize> {
        self.before.0..self.before.0 + self.heads.query
    }

    /// Where rows of queries begin in the model's matrix, and rows of keys and of values.
    pub(super) fn first_rows(self) -> [usize; 3] {
        let (query, kv) = self.before;
        [query, kv, kv].map(|heads| heads * self.heads.dim)
    }

    pub(super) fn query_width(self) -> usize {
        self.heads.query * self.size
    }

    pub(super) fn kv_width(self) -> usize {
        self.heads.kv * self.size
    }

    /// Both halves of heads beside each other: where they are in the model's row, and where on the device.
    fn halves(self, heads: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let (from, to) = (self.heads.dim / 2, self.size / 2);
        (0..2 * heads)
            .map(move |half| (half * from..(half + 1) * from, half * to..half * to + from))
    }

    /// A row of heads as on the device; what is not written stays.
    pub(super) fn spread<T: Copy>(self, row: &[T], to: &mut [T]) {
        for (here, there) in self.halves(row.len() / self.heads.dim) {
            if let (Some(row), Some(to)) = (row.get(here), to.get_mut(there)) {
                to.copy_from_slice(row);
            }
        }
    }

    /// The row of the model that row `row` of a matrix on the device is, if it is one.
    pub(super) fn source(self, row: usize) -> Option<usize> {
        let (from, to) = (self.heads.dim / 2, self.size / 2);
        let (half, at) = (row / to, row % to);
        (at < from).then_some(half * from + at)
    }

    /// A row of keys or values of the device as the model has it.
    pub(super) fn gathered<T: Copy + Default>(self, row: &[T]) -> Vec<T> {
        let heads = row.len() / self.size;
        let mut to = vec![T::default(); heads * self.heads.dim];
        for (here, there) in self.halves(heads) {
            if let (Some(to), Some(row)) = (to.get_mut(here), row.get(there)) {
                to.copy_from_slice(row);
            }
        }
        to
    }

    /// Cosines and sines of a position over a head of the device; 1 and 0 where there is nothing to rotate.
    pub(super) fn angles(
        self,
        rope: &Rope,
        position: usize,
        cos: &mut [f32],
        sin: &mut [f32],
    ) -> Result<()> {
        cos.fill(1.0);
        sin.fill(0.0);
        let (half, second) = (self.heads.dim / 2, self.size / 2);
        rope.cos_sin(position, &mut cos[..half], &mut sin[..half])?;
        cos.copy_within(..half, second);
        sin.copy_within(..half, second);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(dim: usize) -> HeadLayout {
        HeadLayout::new(Heads { query: 2, kv: 2, dim }).unwrap()
    }

    #[test]
    fn heads_of_the_model_itself_stay_where_they_are() {
        let row: Vec<usize> = (0..128).collect();
        let mut there = vec![999; 128];
        layout(64).spread(&row, &mut there);
        assert_eq!(there, row);
        assert!((0..128).all(|at| layout(64).source(at) == Some(at)));
    }

    #[test]
    fn halves_of_small_heads_are_half_a_head_apart() {
        let heads = layout(6);
        let row: Vec<usize> = (1..=12).collect();
        let mut there = vec![0; 128];
        heads.spread(&row, &mut there);
        assert_eq!((&there[..4], &there[32..36]), (&[1, 2, 3, 0][..], &[4, 5, 6, 0][..]));
        assert_eq!((&there[64..68], &there[96..100]), (&[7, 8, 9, 0][..], &[10, 11, 12, 0][..]));
        assert_eq!(heads.gathered(&there), row);
        for (at, &value) in there.iter().enumerate() {
            assert_eq!(heads.source(at), value.checked_sub(1), "{at}");
        }
    }

    #[test]
    fn every_device_has_its_heads() {
        let all = HeadLayout::new(Heads { query: 8, kv: 4, dim: 64 }).unwrap();
        let parts = [0, 1].map(|rank| all.part(rank, 2).unwrap());
        assert_eq!(parts.map(HeadLayout::queries), [0..4, 4..8]);
        assert_eq!(parts.map(HeadLayout::first_rows), [[0, 0, 0], [256, 128, 128]]);
        assert_eq!(parts[1].heads, Heads { query: 4, kv: 2, dim: 64 });
        assert_eq!(all.part(0, 3), None);
        assert_eq!(all.part(0, 1), Some(all));
    }

    #[test]
    fn there_are_no_larger_heads() {
        assert_eq!(layout(66).size, 128);
        assert_eq!(HeadLayout::new(Heads { query: 1, kv: 1, dim: 130 }), None);
    }
}
