//! The bytes behind an allocation.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::mapping::Mapping;

/// Bytes that any thread may read and write at any time: a race is a wrong result, as on a device.
///
/// Each byte is kept as its complement, so that pages which were never written read as 0xFF, the poison, and take no
/// memory.
#[derive(Debug)]
pub(super) struct Backing {
    words: Words,
    bytes: usize,
    /// Which stretches of [`STRETCH`] bytes were written since they were last poisoned.
    dirty: Box<[AtomicBool]>,
}

#[derive(Debug)]
enum Words {
    /// Less than it is worth to map pages for.
    Small(Box<[AtomicU64]>),
    Mapped(Mapping),
}

const WORD: usize = 8;
/// Large enough that a workspace of 16 MiB has 256, small enough that poisoning one takes microseconds.
const STRETCH: usize = 64 << 10;

impl Backing {
    /// Poisoned bytes.
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        let rounded = bytes.next_multiple_of(WORD);
        let words = if rounded < STRETCH {
            Words::Small((0..rounded / WORD).map(|_| AtomicU64::new(0)).collect())
        } else {
            Words::Mapped(Mapping::zeros(rounded)?)
        };
        let dirty = (0..bytes.div_ceil(STRETCH)).map(|_| AtomicBool::new(false)).collect();
        Ok(Self { words, bytes, dirty })
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    fn words(&self) -> &[AtomicU64] {
        match &self.words {
            Words::Small(words) => words,
            Words::Mapped(mapping) => mapping.words(),
        }
    }

    /// Copies bytes out, from `offset` on; the caller has checked the bounds.
    pub(super) fn read(&self, offset: usize, out: &mut [u8]) {
        let (head, body) = out.split_at_mut(head_of(offset, out.len()));
        let words = self.words();
        if !head.is_empty() {
            let word = load(&words[offset / WORD]);
            head.copy_from_slice(&word[offset % WORD..][..head.len()]);
        }
        let words = &words[(offset + head.len()) / WORD..];
        let mut whole = body.chunks_exact_mut(WORD);
        let full = whole.len();
        for (bytes, word) in whole.by_ref().zip(words) {
            bytes.copy_from_slice(&load(word));
        }
        let tail = whole.into_remainder();
        if !tail.is_empty() {
            tail.copy_from_slice(&load(&words[full])[..tail.len()]);
        }
    }

    /// Copies bytes in, from `offset` on; the caller has checked the bounds.
    pub(super) fn write(&self, offset: usize, bytes: &[u8]) {
        self.mark(offset..offset + bytes.len());
        let (head, body) = bytes.split_at(head_of(offset, bytes.len()));
        let words = self.words();
        if !head.is_empty() {
            merge(&words[offset / WORD], offset % WORD, head);
        }
        let words = &words[(offset + head.len()) / WORD..];
        let whole = body.chunks_exact(WORD);
        let (full, tail) = (whole.len(), whole.remainder());
        for (bytes, word) in whole.zip(words) {
            store(word, bytes);
        }
        if !tail.is_empty() {
            merge(&words[full], 0, tail);
        }
    }

    /// Sets every byte of a range; the caller has checked the bounds.
    pub(super) fn fill(&self, range: Range<usize>, value: u8) {
        self.mark(range.clone());
        let block = [value; 4096];
        let mut at = range.start;
        while at < range.end {
            let count = block.len().min(range.end - at);
            self.write(at, &block[..count]);
            at += count;
        }
    }

    /// Makes a range read as 0xFF again, at no cost where nothing was written.
    pub(super) fn poison(&self, range: Range<usize>) {
        let mut at = range.start;
        while at < range.end {
            let stretch = at / STRETCH;
            let (start, end) = (stretch * STRETCH, (stretch + 1) * STRETCH);
            let stop = end.min(range.end);
            let whole = at == start && stop == end.min(self.bytes);
            let flag = &self.dirty[stretch];
            let dirty = if whole { flag.swap(false, Relaxed) } else { flag.load(Relaxed) };
            if dirty {
                self.fill(at..stop, 0xFF);
                if whole {
                    flag.store(false, Relaxed);
                }
            }
            at = stop;
        }
    }

    fn mark(&self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        for flag in &self.dirty[range.start / STRETCH..=(range.end - 1) / STRETCH] {
            flag.store(true, Relaxed);
        }
    }
}

/// Bytes before the first whole word.
fn head_of(offset: usize, len: usize) -> usize {
    (offset.next_multiple_of(WORD) - offset).min(len)
}

fn load(word: &AtomicU64) -> [u8; WORD] {
    (!word.load(Relaxed)).to_le_bytes()
}

fn store(word: &AtomicU64, bytes: &[u8]) {
    let mut whole = [0; WORD];
    whole.copy_from_slice(bytes);
    word.store(!u64::from_le_bytes(whole), Relaxed);
}

/// Replaces some bytes of a word, and leaves the others to whoever writes them at the same time.
fn merge(word: &AtomicU64, at: usize, bytes: &[u8]) {
    let (mut mask, mut value) = ([0_u8; WORD], [0_u8; WORD]);
    mask[at..at + bytes.len()].fill(0xFF);
    value[at..at + bytes.len()].copy_from_slice(bytes);
    let (mask, value) = (u64::from_le_bytes(mask), u64::from_le_bytes(value));
    let mut seen = word.load(Relaxed);
    while let Err(now) =
        word.compare_exchange_weak(seen, (seen & !mask) | (!value & mask), Relaxed, Relaxed)
    {
        seen = now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fresh_memory_is_poisoned_and_takes_none() {
        let backing = Backing::new(100 << 30).unwrap();
        let mut bytes = [0; 64];
        backing.read((99 << 30) + 5, &mut bytes);
        assert_eq!(bytes, [0xFF; 64]);
    }

    #[test]
    fn poison_covers_what_was_written_and_nothing_else() {
        let backing = Backing::new(3 * STRETCH + 100).unwrap();
        backing.fill(0..3 * STRETCH + 100, 7);
        backing.poison(10..2 * STRETCH);
        let mut bytes = vec![0; 3 * STRETCH + 100];
        backing.read(0, &mut bytes);
        assert_eq!(bytes[..10], [7; 10]);
        assert!(bytes[10..2 * STRETCH].iter().all(|byte| *byte == 0xFF));
        assert!(bytes[2 * STRETCH..].iter().all(|byte| *byte == 7));
        backing.poison(2 * STRETCH..3 * STRETCH + 100);
        backing.read(0, &mut bytes);
        assert!(bytes[10..].iter().all(|byte| *byte == 0xFF));
        assert!(!backing.dirty[3].load(Relaxed));
    }

    #[test]
    fn neighbours_written_by_threads_both_stay() {
        let backing = Backing::new(16).unwrap();
        std::thread::scope(|scope| {
            for half in 0..2 {
                let backing = &backing;
                scope.spawn(move || {
                    for round in 0..1000_u32 {
                        backing.write(half * 4, &round.to_le_bytes());
                        let mut back = [0; 4];
                        backing.read(half * 4, &mut back);
                        assert_eq!(back, round.to_le_bytes());
                    }
                });
            }
        });
    }

    proptest! {
        #[test]
        fn writes_are_as_those_to_a_slice(
            writes in prop::collection::vec((0_usize..200, prop::collection::vec(any::<u8>(), 0..60)), 0..20),
            read in (0_usize..200, 0_usize..60),
        ) {
            let backing = Backing::new(260).unwrap();
            let mut plain = vec![0xFF_u8; 260];
            for (offset, bytes) in &writes {
                backing.write(*offset, bytes);
                plain[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            let mut out = vec![0; read.1];
            backing.read(read.0, &mut out);
            prop_assert_eq!(&out, &plain[read.0..read.0 + read.1]);
        }
    }
}
