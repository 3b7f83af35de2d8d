//! The checksum of a file whose bytes are read in any order.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crc32fast::Hasher;

/// The checksums of pieces of a file, joined when all are there.
#[derive(Debug, Default)]
pub(super) struct Checksum {
    pieces: Mutex<Vec<(Range<u64>, Hasher)>>,
}

impl Checksum {
    /// Takes a piece of the file.
    pub(super) fn add(&self, range: Range<u64>, hasher: Hasher) {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner).push((range, hasher));
    }

    /// The checksum of the bytes up to `end`; `None` when the pieces are not exactly those.
    pub(super) fn finish(self, end: u64) -> Option<u32> {
        let mut pieces = self.pieces.into_inner().unwrap_or_else(PoisonError::into_inner);
        pieces.sort_unstable_by_key(|(range, _)| (range.start, range.end));
        let mut whole = Hasher::new();
        let mut at = 0;
        for (range, hasher) in pieces {
            if range.start != at {
                return None;
            }
            whole.combine(&hasher);
            at = range.end;
        }
        (at == end).then(|| whole.finalize())
    }
}

/// What the sorted `ranges` leave of `0..end`.
pub(super) fn gaps(ranges: &[Range<u64>], end: u64) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut at = 0;
    for range in ranges {
        if range.start > at {
            gaps.push(at..range.start);
        }
        at = at.max(range.end);
    }
    if end > at {
        gaps.push(at..end);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_make_the_whole() {
        let bytes: Vec<u8> = (0..1000_u32).map(|index| (index * 31 % 251) as u8).collect();
        let tensors = [17..300, 300..300, 340..999];
        let mut ranges = gaps(&tensors, 1000);
        assert_eq!(ranges, [0..17, 300..340, 999..1000]);
        ranges.extend(tensors);
        for turn in 0..ranges.len() {
            ranges.rotate_left(turn);
            let checksum = Checksum::default();
            for range in &ranges {
                let mut hasher = Hasher::new();
                hasher.update(&bytes[range.start as usize..range.end as usize]);
                checksum.add(range.clone(), hasher);
            }
            assert_eq!(checksum.finish(1000), Some(crc32fast::hash(&bytes)));
        }
    }

    #[test]
    fn a_lost_piece_shows() {
        for lost in 0..3 {
            let checksum = Checksum::default();
            let ranges = [0..5, 5..7, 7..10];
            for (index, range) in ranges.into_iter().enumerate() {
                if index != lost {
                    checksum.add(range, Hasher::new());
                }
            }
            assert_eq!(checksum.finish(10), None);
        }
    }
}
