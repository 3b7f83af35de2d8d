//! How fast memory is read.

// A call of a function that was compiled for an instruction set, and its loads.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use std::arch::is_x86_feature_detected;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm512_add_epi64, _mm512_loadu_si512, _mm512_reduce_add_epi64, _mm512_setzero_si512,
};
use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::io;

use memmap2::MmapMut;
use rayon::prelude::*;

use super::fastest;

/// Bytes that a thread reads before it takes another piece.
const PIECE: usize = 2 << 20;

/// GB/s with all threads, and with one.
pub(super) fn read() -> io::Result<(f64, f64)> {
    let mut buffer = MmapMut::map_anon(buffer_bytes())?;
    // Fewer misses of the TLB; where the system has no large pages it goes without.
    #[cfg(target_os = "linux")]
    let _ = buffer.advise(memmap2::Advice::HugePage);
    // Pages that nobody has written to may all be the same one.
    buffer.par_chunks_mut(PIECE).for_each(|piece| piece.fill(1));
    let words: &[u64] = bytemuck::cast_slice(&buffer);
    let pieces = PIECE / size_of::<u64>();
    let rate = |seconds: f64| buffer.len() as f64 / seconds / 1e9;
    let all = fastest(|| {
        black_box(words.par_chunks(pieces).map(sum).reduce(|| 0, u64::wrapping_add));
    });
    let one = fastest(|| {
        black_box(words.chunks(pieces).map(sum).fold(0, u64::wrapping_add));
    });
    Ok((rate(all), rate(one)))
}

/// Of words at several places by turns, each to a sum of its own: a core has as many misses under way as it can.
fn sum(words: &[u64]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the CPU has the feature.
        return unsafe { sum_avx512(words) };
    }
    let mut sums = [0u64; 8];
    let mut streams = words.chunks(words.len().div_ceil(4));
    let mut stream = || streams.next().unwrap_or_default().as_chunks::<8>().0;
    let (a, b, c, d) = (stream(), stream(), stream(), stream());
    for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = sum.wrapping_add(a[i] ^ b[i]).wrapping_add(c[i] ^ d[i]);
        }
    }
    sums.iter().fold(0, |sum, word| sum.wrapping_add(*word))
}

/// Faster by a tenth than what the compiler makes of the plain loop.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn sum_avx512(words: &[u64]) -> u64 {
    let mut sums = [_mm512_setzero_si512(); 4];
    let (a, b) = words.split_at(words.len() / 2);
    for (a, b) in a.as_chunks::<32>().0.iter().zip(b.as_chunks::<32>().0) {
        for stream in [a, b] {
            for (sum, from) in sums.iter_mut().zip(stream.as_chunks::<8>().0) {
                // SAFETY: 64 bytes are readable, the alignment is free.
                let words = unsafe { _mm512_loadu_si512(from.as_ptr().cast()) };
                *sum = _mm512_add_epi64(*sum, words);
            }
        }
    }
    let sums = sums.into_iter().map(|sum| _mm512_reduce_add_epi64(sum));
    sums.fold(0, |all, sum| all.wrapping_add(sum.cast_unsigned()))
}

/// Eight times what the last-level caches hold, at most 1 GiB; whole pieces.
fn buffer_bytes() -> usize {
    const MOST: usize = 1 << 30;
    let bytes = last_level_bytes().map_or(MOST / 2, |bytes| bytes.saturating_mul(8));
    bytes.clamp(64 << 20, MOST).next_multiple_of(PIECE)
}

/// The bytes of all last-level caches together, where Linux tells.
fn last_level_bytes() -> Option<usize> {
    let mut caches = HashMap::new();
    for cpu in fs::read_dir("/sys/devices/system/cpu").ok()?.flatten() {
        let Ok(levels) = fs::read_dir(cpu.path().join("cache")) else { continue };
        let level = |path: &std::path::PathBuf| -> Option<u32> {
            fs::read_to_string(path.join("level")).ok()?.trim().parse().ok()
        };
        let last = levels.flatten().map(|entry| entry.path()).max_by_key(level)?;
        let shared_by = fs::read_to_string(last.join("shared_cpu_list")).ok()?;
        let size = fs::read_to_string(last.join("size")).ok()?;
        let kibibytes: usize = size.trim().strip_suffix('K')?.parse().ok()?;
        caches.insert(shared_by, kibibytes << 10);
    }
    Some(caches.values().sum()).filter(|&bytes| bytes > 0)
}
