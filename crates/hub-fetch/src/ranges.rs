//! Sets of byte ranges: what of a file is there, and what has to come.

use std::ops::Range;

/// Disjoint, non-empty ranges in ascending order, none touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Reads what [`Ranges::pairs`] gave; `None` if a range is reversed or ends beyond `size`.
    pub(crate) fn from_pairs(pairs: &[(u64, u64)], size: u64) -> Option<Self> {
        let mut ranges = Self::default();
        for &(start, end) in pairs {
            if start > end || end > size {
                return None;
            }
            ranges.insert(start..end);
        }
        Some(ranges)
    }

    pub(crate) fn pairs(&self) -> Vec<(u64, u64)> {
        self.0.iter().map(|range| (range.start, range.end)).collect()
    }

    /// Adds a range that may overlap others.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // Those that overlap or touch it become one with it.
        let first = self.0.partition_point(|other| other.end < range.start);
        let last = self.0.partition_point(|other| other.start <= range.end);
        let joined = self.0.drain(first..last);
        let union = joined
            .fold(range, |union, other| union.start.min(other.start)..union.end.max(other.end));
        self.0.insert(first, union);
    }

    /// How many bytes are in it.
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// What of `0..size` is not in it, cut into pieces of at most `piece` bytes.
    pub(crate) fn missing(&self, size: u64, piece: u64) -> Vec<Range<u64>> {
        let piece = piece.max(1);
        let mut pieces = Vec::new();
        let mut at = 0;
        let ends = self.0.iter().map(|range| (range.start, range.end)).chain([(size, size)]);
        for (start, end) in ends {
            let stop = start.min(size);
            while at < stop {
                let next = at.saturating_add(piece).min(stop);
                pieces.push(at..next);
                at = next;
            }
            at = end;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Beside a plain list of bytes.
        #[test]
        fn as_single_bytes(
            size in 0_u64..200,
            piece in 0_u64..50,
            inserted in prop::collection::vec((0_u64..200, 0_u64..40), 0..20),
        ) {
            let mut bytes = vec![false; size as usize];
            let mut ranges = Ranges::default();
            for (start, len) in inserted {
                let range = start.min(size)..(start + len).min(size);
                bytes[range.start as usize..range.end as usize].fill(true);
                ranges.insert(range);
            }
            prop_assert_eq!(ranges.len(), bytes.iter().filter(|&&byte| byte).count() as u64);
            for pair in ranges.0.windows(2) {
                prop_assert!(pair[0].end < pair[1].start);
            }
            prop_assert_eq!(Ranges::from_pairs(&ranges.pairs(), size), Some(ranges.clone()));
            for missing in ranges.missing(size, piece) {
                prop_assert!(!missing.is_empty() && missing.end - missing.start <= piece.max(1));
                for byte in &mut bytes[missing.start as usize..missing.end as usize] {
                    prop_assert!(!*byte, "asked for twice");
                    *byte = true;
                }
            }
            prop_assert!(bytes.iter().all(|&byte| byte), "never asked for");
        }
    }

    #[test]
    fn ends_of_the_range_of_numbers() {
        let max = u64::MAX;
        let mut ranges = Ranges::default();
        ranges.insert(max - 1..max);
        assert_eq!(ranges.missing(max, max).first(), Some(&(0..max - 1)));
        assert_eq!(ranges.missing(max, max - 2), [0..max - 2, max - 2..max - 1]);
        assert_eq!(Ranges::from_pairs(&[(2, 1)], 9), None);
        assert_eq!(Ranges::from_pairs(&[(0, 10)], 9), None);
    }
}
