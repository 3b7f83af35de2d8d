//! SHA-256 of every tensor, at the speed of the disk.

use std::cmp::Reverse;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;

use sha2::{Digest, Sha256};

use crate::io::ReadWindow;
use crate::manifest::hex;
use crate::{Event, Observer, Phase, Result, Source};

/// Bytes hashed at a time.
const CHUNK: usize = 1 << 20;

/// Bytes of one read: long enough for a disk's full speed.
const WINDOW: usize = 4 << 20;

/// The digests of all tensors, in their order.
pub(super) fn digests(
    source: &Source,
    threads: NonZero<usize>,
    observer: &dyn Observer,
) -> Result<Vec<String>> {
    let tensors = source.tensors();
    // The largest first, so that no thread is left alone with one at the end.
    let mut order: Vec<_> = (0..tensors.len()).collect();
    order.sort_by_key(|&tensor| Reverse(tensors[tensor].bytes));
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let outcome = Mutex::new(Ok(vec![String::new(); tensors.len()]));
    observer.on(&Event::Started { phase: Phase::Hash, bytes: source.total_bytes() });
    thread::scope(|scope| {
        // One more than hash: it reads meanwhile.
        for _ in 0..threads.get().saturating_add(1).min(tensors.len()) {
            scope.spawn(|| {
                let mut window = ReadWindow::new(WINDOW);
                let mut chunk = vec![0; CHUNK];
                while let Some(&tensor) = order.get(next.fetch_add(1, Relaxed)) {
                    if failed.load(Relaxed) {
                        return;
                    }
                    let digest = digest(source, tensor, &mut window, &mut chunk, observer);
                    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                    match (digest, outcome.as_mut()) {
                        (Ok(digest), Ok(digests)) => digests[tensor] = digest,
                        (Err(error), Ok(_)) => {
                            failed.store(true, Relaxed);
                            *outcome = Err(error);
                        }
                        // The first error is the one to tell.
                        (_, Err(_)) => return,
                    }
                }
            });
        }
    });
    let outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    observer.on(&Event::Finished { phase: Phase::Hash });
    outcome
}

fn digest(
    source: &Source,
    tensor: usize,
    window: &mut ReadWindow,
    chunk: &mut [u8],
    observer: &dyn Observer,
) -> Result<String> {
    let end = source.tensors()[tensor].bytes;
    let mut digest = Sha256::new();
    let mut at = 0;
    while at < end {
        let len = (end - at).min(chunk.len() as u64);
        let chunk = &mut chunk[..len as usize];
        source.read_at(tensor, at, chunk, end - at, window)?;
        digest.update(&*chunk);
        at += len;
        observer.on(&Event::Advanced { bytes: len });
    }
    Ok(hex(&digest.finalize()))
}
