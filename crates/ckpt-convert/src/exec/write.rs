//! Writing one file: threads fill blocks in any order, one puts them in order and hashes them, two
//! write them.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use mindspore_ckpt::TRAILER_LEN;
use sha2::{Digest, Sha256};

use super::Run;
use super::buffers::{Buffers, StopOnDrop};
use super::fill::{BlockStats, fill};
use super::packing::PackingSums;
use crate::io::{ALIGNMENT, AlignedBuf, FileWriter};
use crate::journal::{Journal, Line, TensorDone};
use crate::manifest::hex;
use crate::plan::PlanFile;
use crate::sink::{SegmentKind, Trailer};
use crate::transform::Producer;
use crate::{Error, Event, Result};

/// Writes in flight; a second one keeps the disk busy while the first one's thread wakes up.
const WRITERS: usize = 2;

/// A block on its way.
struct Block {
    index: u64,
    buffer: AlignedBuf,
    /// Bytes of it that belong to the file's body.
    len: usize,
}

/// Writes file `index` of the plan under its temporary name, after what `earlier` says is done.
pub(super) fn write_file(
    run: &Run<'_>,
    index: usize,
    earlier: Vec<TensorDone>,
    journal: &mut Journal,
) -> Result<Vec<TensorDone>> {
    let file = &run.plan.files[index];
    let body = file.layout.body_len();
    let size = run.sizes.block as u64;
    let path = run.partial(index);
    let writer = FileWriter::open(&path, file.bytes, !earlier.is_empty())?;

    // The block in which the earlier run ended is made again, to be written whole. There is always
    // one, for tensors of no bytes may be left.
    let resume_at = earlier.last().map_or(0, |done| done.end);
    let end = body.div_ceil(size);
    let blocks = (resume_at / size).min(end.saturating_sub(1))..end;
    let buffers = Buffers::new(run.sizes.blocks, run.sizes.block, blocks.clone());
    let written = Written::new(blocks.start);
    let mut hasher = Hasher::new(run, file, earlier);

    thread::scope(|scope| {
        // Whatever the end is, a panic included, everyone else must come to theirs.
        let _stop = StopOnDrop(&buffers);
        let started =
            |spawned: io::Result<_>| spawned.map(drop).map_err(|source| Error::Thread { source });
        let (filled, in_any_order) = mpsc::channel();
        for _ in 0..run.sizes.threads {
            let (filled, buffers) = (filled.clone(), &buffers);
            let work = move || fill_blocks(run, file, body, buffers, &filled);
            started(thread::Builder::new().spawn_scoped(scope, work))?;
        }
        drop(filled);
        let mut to_disk = Vec::new();
        for _ in 0..WRITERS {
            let (sender, receiver) = mpsc::channel();
            to_disk.push(sender);
            let (writer, buffers, written) = (&writer, &buffers, &written);
            let work = move || write_blocks(run, writer, &receiver, buffers, written);
            started(thread::Builder::new().spawn_scoped(scope, work))?;
        }
        in_order(run, blocks, &in_any_order, &to_disk, |block, stats| {
            hasher.block(&block.buffer.bytes()[..block.len], block.index * size, stats);
            hasher.checkpoint(journal, &writer, written.before() * size)
        })
    })?;
    if let Some(error) = written.error() {
        return Err(error);
    }
    let (done, crc, tail) = hasher.finish();
    if done.tensors.len() != file.tensors.len() {
        let (made, planned) = (done.tensors.len(), file.tensors.len());
        let reason = format!("{made} of {planned} tensors were written");
        return Err(Error::Malformed { path, reason });
    }
    let trailer = match file.layout.trailer {
        Trailer::Crc => mindspore_ckpt::trailer(crc).to_vec(),
        Trailer::None => {
            if run.plan.format == "ckpt" && mindspore_ckpt::looks_like_trailer(&tail) {
                let reason =
                    "its last values read as a checksum trailer; write one (--crc)".to_owned();
                return Err(Error::Malformed { path, reason });
            }
            Vec::new()
        }
    };
    writer.finish(body, &trailer)?;
    let recorded = done.recorded;
    let mut lines: Vec<_> = done.tensors[recorded..].iter().cloned().map(Line::Tensor).collect();
    lines.push(Line::File { file: index });
    journal.record(&lines)?;
    Ok(done.tensors)
}

fn fill_blocks(
    run: &Run<'_>,
    file: &PlanFile,
    body: u64,
    buffers: &Buffers,
    filled: &Sender<Result<(Block, BlockStats)>>,
) {
    let _stop = StopOnDrop(buffers);
    let mut producer = Producer::new(run.source, run.sizes.window);
    while let Some((index, mut buffer)) = buffers.claim() {
        let start = index * buffer.len() as u64;
        let len = (body - start).min(buffer.len() as u64) as usize;
        let padded = len.next_multiple_of(ALIGNMENT);
        let result = fill(run.plan, file, start, &mut buffer.bytes_mut()[..padded], &mut producer);
        if filled.send(result.map(|stats| (Block { index, buffer, len }, stats))).is_err() {
            return;
        }
    }
}

/// Passes blocks on in order. A closed channel means that someone else failed and says why.
fn in_order(
    run: &Run<'_>,
    blocks: std::ops::Range<u64>,
    filled: &Receiver<Result<(Block, BlockStats)>>,
    to_disk: &[Sender<Block>],
    mut look: impl FnMut(&Block, BlockStats) -> Result<()>,
) -> Result<()> {
    let mut waiting = BTreeMap::new();
    for next in blocks {
        let (block, stats) = loop {
            if let Some(block) = waiting.remove(&next) {
                break block;
            }
            let Ok(result) = filled.recv() else { return Ok(()) };
            let (block, stats) = result?;
            waiting.insert(block.index, (block, stats));
        };
        run.options.cancel.check()?;
        look(&block, stats)?;
        if to_disk[next as usize % to_disk.len()].send(block).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn write_blocks(
    run: &Run<'_>,
    writer: &FileWriter,
    blocks: &Receiver<Block>,
    buffers: &Buffers,
    written: &Written,
) {
    let _stop = StopOnDrop(buffers);
    while let Ok(Block { index, buffer, len }) = blocks.recv() {
        let padded = len.next_multiple_of(ALIGNMENT);
        let offset = index * buffer.len() as u64;
        match writer.write_at(&buffer.bytes()[..padded], offset) {
            Ok(()) => written.add(index),
            Err(error) => {
                written.fail(error);
                return;
            }
        }
        run.observer.on(&Event::Advanced { bytes: len as u64 });
        buffers.give_back(buffer);
    }
}

/// Which blocks are written, and what went wrong.
struct Written(Mutex<WrittenState>);

struct WrittenState {
    /// Every block before this one is written.
    before: u64,
    beyond: std::collections::BTreeSet<u64>,
    error: Option<Error>,
}

impl Written {
    fn new(before: u64) -> Self {
        let beyond = std::collections::BTreeSet::new();
        Self(Mutex::new(WrittenState { before, beyond, error: None }))
    }

    fn add(&self, block: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.beyond.insert(block);
        let mut before = state.before;
        while state.beyond.remove(&before) {
            before += 1;
        }
        state.before = before;
    }

    fn before(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).before
    }

    /// Keeps the first error.
    fn fail(&self, error: Error) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).error.get_or_insert(error);
    }

    fn error(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).error.take()
    }
}

/// Tensors done, and how many of them the journal knows.
struct Done {
    tensors: Vec<TensorDone>,
    recorded: usize,
}

/// Sees the body once, front to back: digests of tensors, the checksum of all.
struct Hasher<'a> {
    run: &'a Run<'a>,
    file: &'a PlanFile,
    done: Done,
    digest: Sha256,
    /// Only where the file ends with it: summing takes a tenth of the time that hashing takes.
    crc: Option<crc32fast::Hasher>,
    segment: usize,
    position: u64,
    /// Bytes hashed of the current tensor.
    hashed: u64,
    stats: HashMap<usize, PackingSums>,
    /// The last bytes seen, as many as a checksum trailer has.
    tail: Vec<u8>,
    next_checkpoint: u64,
}

impl<'a> Hasher<'a> {
    fn new(run: &'a Run<'a>, file: &'a PlanFile, earlier: Vec<TensorDone>) -> Self {
        let position = earlier.last().map_or(0, |done| done.end);
        let summed = earlier.last().map_or(0, |done| done.crc);
        let crc = (file.layout.trailer == Trailer::Crc)
            .then(|| crc32fast::Hasher::new_with_initial_len(summed, position));
        let last = earlier.last().and_then(|done| file.layout.last_of(done.tensor));
        Self {
            run,
            file,
            digest: Sha256::new(),
            crc,
            segment: last.map_or(0, |(last, _)| last + 1),
            position,
            hashed: 0,
            stats: HashMap::new(),
            tail: Vec::new(),
            next_checkpoint: position.saturating_add(run.options.checkpoint_bytes),
            done: Done { recorded: earlier.len(), tensors: earlier },
        }
    }

    /// Takes in the bytes of a block at `start`; those before the current position are known.
    fn block(&mut self, bytes: &[u8], start: u64, stats: BlockStats) {
        for (tensor, stats) in stats {
            self.stats.entry(tensor).or_default().add(stats.into());
        }
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TRAILER_LEN)..]);
        self.tail.drain(..self.tail.len().saturating_sub(TRAILER_LEN));
        let end = start + bytes.len() as u64;
        while let Some(segment) = self.file.layout.segments.get(self.segment) {
            let upto = end.min(segment.end());
            if self.position >= end && segment.len > 0 {
                break;
            }
            let part = &bytes[(self.position - start) as usize..(upto - start) as usize];
            if let Some(crc) = &mut self.crc {
                crc.update(part);
            }
            self.position = upto;
            if let SegmentKind::Content { tensor, .. } = segment.kind {
                self.digest.update(part);
                self.hashed += part.len() as u64;
                if self.hashed == self.run.plan.tensors[tensor].bytes {
                    self.tensor_done(tensor);
                }
            }
            if self.position == segment.end() {
                self.segment += 1;
            }
        }
    }

    fn tensor_done(&mut self, tensor: usize) {
        let sha256 = hex(&self.digest.finalize_reset());
        self.hashed = 0;
        let name = &self.run.plan.tensors[tensor].name;
        self.run.observer.on(&Event::Tensor { name, sha256: &sha256 });
        self.done.tensors.push(TensorDone {
            tensor,
            sha256,
            end: self.position,
            crc: self.sum(),
            packing: self.stats.remove(&tensor),
        });
    }

    /// From time to time makes durable what is written, and says so in the journal.
    fn checkpoint(
        &mut self,
        journal: &mut Journal,
        writer: &FileWriter,
        written: u64,
    ) -> Result<()> {
        if self.position < self.next_checkpoint {
            return Ok(());
        }
        self.next_checkpoint = self.position.saturating_add(self.run.options.checkpoint_bytes);
        let fresh = &self.done.tensors[self.done.recorded..];
        let count = fresh.iter().take_while(|done| done.end <= written).count();
        if count > 0 {
            writer.sync()?;
            let lines: Vec<_> = fresh[..count].iter().cloned().map(Line::Tensor).collect();
            journal.record(&lines)?;
            self.done.recorded += count;
        }
        Ok(())
    }

    fn sum(&self) -> u32 {
        self.crc.clone().map_or(0, crc32fast::Hasher::finalize)
    }

    fn finish(self) -> (Done, u32, Vec<u8>) {
        let crc = self.sum();
        (self.done, crc, self.tail)
    }
}
