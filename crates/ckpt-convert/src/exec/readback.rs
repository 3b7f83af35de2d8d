//! Reading back what was written, past the page cache, and comparing it with what was meant.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;

use sha2::{Digest, Sha256};

use super::Run;
use crate::io::{FileReader, ReadWindow};
use crate::journal::{Journal, Line, TensorDone};
use crate::manifest::hex;
use crate::sink::{Segment, SegmentKind, Trailer};
use crate::{Error, Event, Phase, Result};

/// Bytes hashed at a time.
const CHUNK: usize = 1 << 20;

/// Compares every file, under whichever of its names it has, with its layout and its digests.
///
/// `done` has an entry a tensor of the plan. A file found wrong is no longer complete for the
/// journal: a resumed run makes it anew.
pub(super) fn read_back(run: &Run<'_>, done: &[TensorDone], journal: &mut Journal) -> Result<()> {
    let bytes = run.plan.total_bytes();
    run.observer.on(&Event::Started { phase: Phase::Verify, bytes });
    for (file, planned) in run.plan.files.iter().enumerate() {
        let result = one_file(run, file, done);
        if let Err(Error::ReadBack { .. } | Error::Malformed { .. }) = result {
            journal.record(&[Line::Anew { file, tensors: planned.tensors.clone() }])?;
        }
        result?;
    }
    run.observer.on(&Event::Finished { phase: Phase::Verify });
    Ok(())
}

fn one_file(run: &Run<'_>, index: usize, done: &[TensorDone]) -> Result<()> {
    let file = &run.plan.files[index];
    let path = match run.partial(index) {
        partial if partial.exists() => partial,
        _ => run.complete(index),
    };
    let len = fs::metadata(&path).map_err(Error::io("read", &path))?.len();
    if len != file.bytes {
        let reason = format!("{len} bytes, expected {}", file.bytes);
        return Err(Error::Malformed { path, reason });
    }
    let reader = FileReader::open(&path)?;
    compare(run, &path, &reader, &by_tensor(&file.layout.segments), done)?;
    if file.layout.trailer == Trailer::Crc {
        // The body ends with the last tensor, so its checksum is the one up to there.
        let last = file.tensors.clone().last().and_then(|last| done.get(last));
        let expected = mindspore_ckpt::trailer(last.map_or(0, |last| last.crc));
        let mut actual = [0; mindspore_ckpt::TRAILER_LEN];
        let (at, len) = (file.layout.body_len(), Trailer::Crc.len());
        reader.read_at(0, at, &mut actual, len, &mut ReadWindow::new(0))?;
        if actual != expected {
            let reason = format!("the checksum at byte {at} differs");
            return Err(Error::Malformed { path, reason });
        }
    }
    Ok(())
}

/// The segments of a tensor with the headers before them.
type Pieces<'a> = &'a [Segment];

/// Cuts the segments after the last one of each tensor.
fn by_tensor(segments: &[Segment]) -> Vec<Pieces<'_>> {
    let tensor = |segment: &Segment| match segment.kind {
        SegmentKind::Content { tensor, .. } => Some(tensor),
        SegmentKind::Bytes(_) => None,
    };
    let mut pieces = Vec::new();
    let mut start = 0;
    for index in 0..segments.len() {
        let Some(this) = tensor(&segments[index]) else { continue };
        if segments[index + 1..].iter().find_map(tensor) != Some(this) {
            pieces.push(&segments[start..=index]);
            start = index + 1;
        }
    }
    if start < segments.len() {
        pieces.push(&segments[start..]);
    }
    pieces
}

/// Tensors are shared out to threads, so that reading and hashing overlap.
fn compare(
    run: &Run<'_>,
    path: &Path,
    reader: &FileReader,
    tensors: &[Pieces<'_>],
    done: &[TensorDone],
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let first_error = Mutex::new(None);
    thread::scope(|scope| {
        // One more than cores hash: it reads meanwhile.
        for _ in 0..=run.sizes.threads {
            scope.spawn(|| {
                let mut window = ReadWindow::new(run.sizes.window);
                let mut chunk = vec![0; CHUNK.min(run.sizes.window)];
                while let Some(pieces) = tensors.get(next.fetch_add(1, Relaxed)) {
                    if failed.load(Relaxed) {
                        return;
                    }
                    if let Err(error) =
                        tensor(run, path, reader, pieces, done, &mut window, &mut chunk)
                    {
                        failed.store(true, Relaxed);
                        first_error
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .get_or_insert(error);
                    }
                }
            });
        }
    });
    first_error.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

fn tensor(
    run: &Run<'_>,
    path: &Path,
    reader: &FileReader,
    pieces: Pieces<'_>,
    done: &[TensorDone],
    window: &mut ReadWindow,
    chunk: &mut [u8],
) -> Result<()> {
    let mut digest = Sha256::new();
    let mut which = None;
    for piece in pieces {
        let end = piece.offset + piece.len;
        let mut at = piece.offset;
        while at < end {
            run.options.cancel.check()?;
            let len = chunk.len().min((end - at) as usize);
            reader.read_at(0, at, &mut chunk[..len], end - at, window)?;
            match &piece.kind {
                SegmentKind::Content { tensor, .. } => {
                    which = Some(*tensor);
                    digest.update(&chunk[..len]);
                }
                SegmentKind::Bytes(bytes) => {
                    let from = (at - piece.offset) as usize;
                    if chunk[..len] != bytes[from..from + len] {
                        let reason = format!("the header at byte {} differs", piece.offset);
                        return Err(Error::Malformed { path: path.to_owned(), reason });
                    }
                }
            }
            at += len as u64;
            run.observer.on(&Event::Advanced { bytes: len as u64 });
        }
        if let (SegmentKind::Content { tensor, .. }, 0) = (&piece.kind, piece.len) {
            which = Some(*tensor);
        }
    }
    let Some(which) = which else { return Ok(()) };
    let actual = hex(&digest.finalize());
    let expected = done.get(which).map(|done| &done.sha256);
    match expected {
        Some(expected) if *expected == actual => Ok(()),
        expected => Err(Error::ReadBack {
            path: path.to_owned(),
            tensor: run.plan.tensors[which].name.clone(),
            expected: expected.cloned().unwrap_or_default(),
            actual,
        }),
    }
}
