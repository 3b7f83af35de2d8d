//! Reading every byte once: digests, checksums and values.

mod worker;

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::VerifyOptions;
use super::checksum::{Checksum, gaps};
use super::finding::{Check, Finding, Findings};
use super::structure::Part;
use crate::plan::PlanTensor;
use crate::source::Content;
use crate::{Event, Observer, Phase, Result, SourceTensor};
use worker::Worker;

/// What is to be read of a part.
#[derive(Debug)]
pub(super) enum Job {
    /// A tensor, and what it is to be compared with.
    Tensor(TensorJob),
    /// What is between the tensors, for the checksum.
    Gaps { part: usize, ranges: Vec<Range<u64>> },
}

/// A tensor, and what it is to be compared with.
#[derive(Debug)]
pub(super) struct TensorJob {
    pub(super) part: usize,
    /// Which tensor of the part.
    pub(super) tensor: usize,
    /// Its digest by the manifest.
    pub(super) sha256: Option<String>,
    /// How the source makes it.
    pub(super) expected: Option<PlanTensor>,
}

/// What all threads share.
struct Pass<'a> {
    parts: &'a [Part],
    /// For each part whose checksum is to be compared.
    checksums: Vec<Option<Checksum>>,
    jobs: Vec<Job>,
    next: AtomicUsize,
    bytes: AtomicU64,
    stop: AtomicBool,
    /// With the job that each comes from.
    found: Mutex<Vec<(usize, Finding)>>,
    options: &'a VerifyOptions<'a>,
    observer: &'a dyn Observer,
    sizes: Sizes,
}

/// Carries out the jobs. Returns the bytes read of the checkpoint.
pub(super) fn read(
    parts: &[Part],
    tensors: Vec<TensorJob>,
    options: &VerifyOptions<'_>,
    observer: &dyn Observer,
    findings: &mut Findings,
) -> Result<u64> {
    let checksums: Vec<_> =
        parts.iter().map(|part| part.stored_crc.map(|_| Checksum::default())).collect();
    let mut jobs: Vec<_> = tensors.into_iter().map(Job::Tensor).collect();
    let summed = parts.iter().enumerate().filter(|(part, _)| checksums[*part].is_some());
    jobs.extend(summed.map(|(part, file)| Job::Gaps { part, ranges: between(file) }));
    // The largest first, so that no thread is left alone with one at the end.
    jobs.sort_by_key(|job| Reverse(size(parts, job)));

    let bytes = jobs.iter().map(|job| size(parts, job)).sum();
    observer.on(&Event::Started { phase: Phase::Verify, bytes });
    let pass = Pass {
        parts,
        checksums,
        jobs,
        next: AtomicUsize::new(0),
        bytes: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        found: Mutex::new(Vec::new()),
        options,
        observer,
        sizes: Sizes::new(options),
    };
    if bytes > 0 || !pass.jobs.is_empty() {
        let others = workers(options).min(pass.jobs.len()).saturating_sub(1);
        thread::scope(|scope| {
            for _ in 0..others {
                // Where the system has no more threads, those that are there do all of it.
                let thread = thread::Builder::new();
                if thread.spawn_scoped(scope, || Worker::new(&pass).run()).is_err() {
                    break;
                }
            }
            Worker::new(&pass).run();
        });
    }
    options.cancel.check()?;
    observer.on(&Event::Finished { phase: Phase::Verify });

    let mut found = pass.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let order = |job: usize| match &pass.jobs[job] {
        Job::Tensor(job) => (job.part, job.tensor),
        Job::Gaps { part, .. } => (*part, usize::MAX),
    };
    found.sort_by_key(|(job, _)| order(*job));
    findings.extend(found.into_iter().map(|(_, finding)| finding));
    for (part, checksum) in parts.iter().zip(pass.checksums) {
        if let (Some(stored), Some(checksum)) = (part.stored_crc, checksum) {
            compare_checksum(part, stored, checksum, findings);
        }
    }
    Ok(pass.bytes.into_inner())
}

fn compare_checksum(part: &Part, stored: u32, checksum: Checksum, findings: &mut Findings) {
    let body = part.bytes.saturating_sub(mindspore_ckpt::TRAILER_LEN as u64);
    let message = match checksum.finish(body) {
        Some(computed) if computed == stored => return,
        Some(computed) => format!(
            "byte {body}: the checksum is {stored:#010x}, the bytes before it have {computed:#010x}"
        ),
        None => format!("byte {body}: the checksum could not be compared: not all bytes were read"),
    };
    findings.add(Finding::error(Check::Crc, message).file(&part.path).at(Some(body)));
}

/// The bytes of a part that are in no tensor, up to the checksum.
fn between(part: &Part) -> Vec<Range<u64>> {
    let mut ranges: Vec<_> = part.tensors().iter().flat_map(in_file).collect();
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    gaps(&ranges, part.bytes.saturating_sub(mindspore_ckpt::TRAILER_LEN as u64))
}

/// The ranges of its file that are, as they stand, the content of a tensor.
fn in_file(tensor: &SourceTensor) -> Vec<Range<u64>> {
    match &tensor.content {
        Content::Extents(extents) => {
            extents.iter().map(|extent| extent.offset..extent.offset + extent.len).collect()
        }
        Content::UpperHalves(_) | Content::Generated(_) => Vec::new(),
    }
}

/// Where a byte of a tensor's content is in its file.
pub(super) fn offset_in_file(tensor: &SourceTensor, byte: u64) -> Option<u64> {
    let (extents, mut byte) = match &tensor.content {
        Content::Extents(extents) => (extents, byte),
        // Of each four bytes the last two count.
        Content::UpperHalves(extents) => (extents, byte / 2 * 4 + 2 + byte % 2),
        Content::Generated(_) => return None,
    };
    for extent in extents {
        if byte < extent.len {
            return Some(extent.offset + byte);
        }
        byte -= extent.len;
    }
    None
}

fn size(parts: &[Part], job: &Job) -> u64 {
    match job {
        Job::Tensor(job) => parts[job.part].tensors()[job.tensor].bytes,
        Job::Gaps { ranges, .. } => ranges.iter().map(|range| range.end - range.start).sum(),
    }
}

/// More than any machine has cores.
const MAX_THREADS: usize = 1024;

/// One more than cores compute: it reads meanwhile.
fn workers(options: &VerifyOptions<'_>) -> usize {
    options.threads.get().clamp(1, MAX_THREADS) + 1
}

/// How the memory budget is spent.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Bytes compared at a time.
    chunk: usize,
    /// Bytes read ahead, by each thread and from each side.
    window: usize,
}

impl Sizes {
    fn new(options: &VerifyOptions<'_>) -> Self {
        let share = options.memory / workers(options) as u64;
        // The checkpoint's window, and the source's with an eighth more for scales.
        let window = (share / 12).clamp(64 << 10, 8 << 20);
        // Making part of a transposed matrix means reading all of it, so large parts pay there: an
        // expert of gpt-oss-20b fits in 32 MiB of bf16. What is only hashed stays in the cache.
        let chunk = if options.against.is_some() {
            (share.saturating_sub(3 * window) / 2).clamp(64 << 10, 32 << 20)
        } else {
            window.min(1 << 20)
        };
        let (chunk, window) = (chunk as usize, window as usize);
        Self { chunk, window }
    }
}
