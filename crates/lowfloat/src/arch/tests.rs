//! Every kernel at every level: each length of main loop and tail, each alignment, both ways of
//! writing, and not a byte beside the destination. That the values are right is the business of
//! the tests in `tests/`; here one element at a time in portable code is the truth.

use std::vec;
use std::vec::Vec;

use super::{Format, Level, Writes, as_uninit, cast, dequantize};
use crate::mxfp4::{BLOCK, BLOCK_BYTES};

const SOURCES: [Format; 6] =
    [Format::F64, Format::F32, Format::F16, Format::Bf16, Format::E4m3, Format::E5m2];
const TARGETS: [Format; 8] = [
    Format::F64,
    Format::F32,
    Format::F16,
    Format::Bf16,
    Format::E4m3,
    Format::E5m2,
    Format::E4m3Saturating,
    Format::E5m2Saturating,
];
const GUARD: u8 = 0xA5;

/// Values of more than one piece that is written at once. Miri, here and below, has fewer: it would take hours.
const MANY: usize = if cfg!(miri) { 300 } else { 20_011 };
const MANY_BLOCKS: usize = if cfg!(miri) { 5 } else { 900 };

fn lengths() -> impl Iterator<Item = usize> {
    let all = (0..140).chain([255, 256, 257, 300]);
    all.filter(|n| !cfg!(miri) || [0, 1, 37].contains(n))
}

fn random_bytes(len: usize) -> Vec<u8> {
    let mut state = 0x0123_4567_89AB_CDEF_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as u8
    };
    (0..len).map(next).collect()
}

fn one_by_one(from: Format, to: Format, src: &[u8]) -> Vec<u8> {
    let mut expected = vec![0; src.len() / from.size() * to.size()];
    for (src, dst) in src.chunks(from.size()).zip(expected.chunks_mut(to.size())) {
        cast(Level::PORTABLE, from, to, src, as_uninit(dst), Writes::Cached);
    }
    expected
}

/// Has `run` fill a destination of the same length at some offset, and checks all around it.
fn check(offset: usize, expected: &[u8], what: &str, run: impl FnOnce(&mut [u8])) {
    let mut dst = vec![GUARD; offset + expected.len() + 70];
    run(&mut dst[offset..offset + expected.len()]);
    assert!(dst[offset..][..expected.len()] == *expected, "{what}");
    let beside = dst[..offset].iter().chain(&dst[offset + expected.len()..]);
    assert!(beside.copied().all(|byte| byte == GUARD), "{what}: wrote beside the destination");
}

#[test]
fn casts_of_every_length_and_alignment() {
    let bytes = random_bytes(8 * 300 + 8);
    for from in SOURCES {
        for to in TARGETS {
            if from == to {
                continue;
            }
            let expected = one_by_one(from, to, &bytes[3..3 + 300 * from.size()]);
            for n in lengths() {
                let src = &bytes[3..][..n * from.size()];
                let expected = &expected[..n * to.size()];
                for level in Level::available() {
                    for offset in if cfg!(miri) { &[7][..] } else { &[0, 1, 2, 7] } {
                        let what = std::format!("{n} {from:?} to {to:?} at +{offset} on {level}");
                        check(*offset, expected, &what, |dst| {
                            cast(level, from, to, src, as_uninit(dst), Writes::Cached);
                        });
                    }
                }
            }
        }
    }
}

#[test]
fn streamed_casts() {
    // More than one piece of the buffer, at destinations on a line, on an element, and on neither.
    let bytes = random_bytes(8 * MANY + 1);
    for (from, to) in [
        (Format::Bf16, Format::F32),
        (Format::F32, Format::Bf16),
        (Format::F32, Format::E4m3Saturating),
        (Format::F64, Format::F16),
        (Format::E5m2, Format::F64),
    ] {
        for n in [0, 1, 15, 100, MANY] {
            let src = &bytes[1..][..n * from.size()];
            let expected = one_by_one(from, to, src);
            for level in Level::available() {
                for offset in [0, 1, 4, 16, 63] {
                    let what = std::format!("{n} {from:?} to {to:?} at +{offset} on {level}");
                    check(offset, &expected, &what, |dst| {
                        cast(level, from, to, src, as_uninit(dst), Writes::Streamed);
                    });
                }
            }
        }
    }
}

#[test]
fn streamed_blocks() {
    let blocks = random_bytes(MANY_BLOCKS * BLOCK_BYTES);
    let scales = random_bytes(MANY_BLOCKS);
    for to in [Format::F32, Format::F16, Format::Bf16] {
        for n in [0, 1, 3, MANY_BLOCKS.min(130), MANY_BLOCKS] {
            let (blocks, scales) = (&blocks[..n * BLOCK_BYTES], &scales[..n]);
            let mut expected = vec![0; n * BLOCK * to.size()];
            dequantize(Level::PORTABLE, to, blocks, scales, &mut expected, Writes::Cached);
            for level in Level::available() {
                for offset in [0, 1, 16, 63] {
                    let what = std::format!("{n} blocks to {to:?} at +{offset} on {level}");
                    check(offset, &expected, &what, |dst| {
                        dequantize(level, to, blocks, scales, dst, Writes::Streamed);
                    });
                }
            }
        }
    }
}

#[test]
fn the_shorter_slice_counts() {
    let mut dst = [GUARD; 16];
    for level in Level::available() {
        cast(level, Format::Bf16, Format::F32, &[0; 7], as_uninit(&mut dst[..9]), Writes::Cached);
        assert_eq!(dst[..8], [0; 8]);
        assert_eq!(dst[8..], [GUARD; 8]);
    }
}
