//! One of the threads that read.

use std::ops::Range;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use lowfloat::mxfp4::QuantizeStats;
use sha2::{Digest, Sha256};

use super::super::compare::{Difference, place, show, unit};
use super::super::finding::{Check, Finding};
use super::super::origin;
use super::{Job, Pass, Sizes, TensorJob, in_file, offset_in_file};
use crate::io::ReadWindow;
use crate::manifest::hex;
use crate::plan::PlanTensor;
use crate::transform::{Producer, Transform};
use crate::{Error, Event, Result, SourceTensor};

/// One thread's buffers.
pub(super) struct Worker<'a> {
    pass: &'a Pass<'a>,
    /// What was read ahead of a part, and which.
    window: ReadWindow,
    part: Option<usize>,
    actual: Vec<u8>,
    expected: Vec<u8>,
    producer: Option<Producer<'a>>,
}

/// A tensor that is being read.
struct Current<'a> {
    job: usize,
    part: usize,
    index: usize,
    tensor: &'a SourceTensor,
    expected: Option<&'a PlanTensor>,
    digest: Option<Sha256>,
    difference: Difference,
}

impl<'a> Worker<'a> {
    pub(super) fn new(pass: &'a Pass<'a>) -> Self {
        let Sizes { chunk, window } = pass.sizes;
        let against = pass.options.against;
        Self {
            pass,
            window: ReadWindow::new(window),
            part: None,
            actual: vec![0; chunk],
            expected: if against.is_some() { vec![0; chunk] } else { Vec::new() },
            producer: against.map(|against| Producer::new(against, window)),
        }
    }

    pub(super) fn run(&mut self) {
        let pass = self.pass;
        loop {
            let index = pass.next.fetch_add(1, Relaxed);
            let Some(job) = pass.jobs.get(index) else { return };
            if pass.stop.load(Relaxed) || pass.options.cancel.is_cancelled() {
                return;
            }
            let read = match job {
                Job::Tensor(job) => self.tensor(index, job),
                Job::Gaps { part, ranges } => self.gaps(*part, ranges),
            };
            match read {
                Ok(()) => {}
                Err(Error::Cancelled) => pass.stop.store(true, Relaxed),
                Err(error) => self.report(index, Check::Structure, job, error.to_string(), None),
            }
        }
    }

    /// Every part counts its files from 0, so what was read ahead of another one must go.
    fn turn_to(&mut self, part: usize) -> Result<()> {
        let source = self.pass.parts[part].source.as_ref();
        if let Some(source) = source.filter(|source| !source.files().is_empty())
            && self.part != Some(part)
        {
            source.reader(0)?.read_at(usize::MAX, 0, &mut [], 0, &mut self.window)?;
            self.part = Some(part);
        }
        Ok(())
    }

    fn tensor(&mut self, number: usize, job: &'a TensorJob) -> Result<()> {
        self.turn_to(job.part)?;
        let part = &self.pass.parts[job.part];
        let tensor = &part.tensors()[job.tensor];
        let mut current = Current {
            job: number,
            part: job.part,
            index: job.tensor,
            tensor,
            expected: job.expected.as_ref(),
            digest: job.sha256.as_ref().map(|_| Sha256::new()),
            difference: Difference::new(tensor.dtype),
        };
        let mut start = 0;
        let ranges = in_file(tensor);
        if ranges.is_empty() {
            self.range(&mut current, 0, tensor.bytes, None)?;
        }
        for range in ranges {
            let len = range.end - range.start;
            self.range(&mut current, start, len, Some(range))?;
            start += len;
        }
        self.conclude(current, job)
    }

    /// Reads `len` bytes of a tensor from byte `start` on, which are `in_file` as they stand.
    fn range(
        &mut self,
        current: &mut Current<'a>,
        start: u64,
        len: u64,
        in_file: Option<Range<u64>>,
    ) -> Result<()> {
        let pass = self.pass;
        let Some(source) = &pass.parts[current.part].source else { return Ok(()) };
        let checksum = pass.checksums[current.part].as_ref().zip(in_file);
        let mut crc = crc32fast::Hasher::new();
        let mut done = 0;
        while done < len {
            pass.options.cancel.check()?;
            let at = start + done;
            let step = step(current.expected, self.actual.len() as u64);
            let count = (step - at % step).min(len - done);
            let actual = &mut self.actual[..count as usize];
            source.read_at(current.index, at, actual, len - done, &mut self.window)?;
            if let Some(digest) = &mut current.digest {
                digest.update(&*actual);
            }
            if checksum.is_some() {
                crc.update(actual);
            }
            if let (Some(plan), Some(producer)) = (current.expected, &mut self.producer) {
                let expected = &mut self.expected[..count as usize];
                match producer.produce(plan, at, expected, &mut QuantizeStats::default()) {
                    Ok(()) => current.difference.add(at, actual, expected),
                    Err(error) => {
                        current.expected = None;
                        let message = format!(
                            "tensor {:?}: cannot be compared with the source: {error}",
                            plan.name
                        );
                        self.report_tensor(current, Check::Values, message, None);
                    }
                }
            }
            done += count;
            pass.bytes.fetch_add(count, Relaxed);
            pass.observer.on(&Event::Advanced { bytes: count });
        }
        if let Some((checksum, range)) = checksum {
            checksum.add(range, crc);
        }
        Ok(())
    }

    /// All bytes were read: what do they tell?
    fn conclude(&mut self, mut current: Current<'a>, job: &TensorJob) -> Result<()> {
        let name = &current.tensor.name;
        if let (Some(digest), Some(listed)) = (current.digest.take(), &job.sha256) {
            let actual = hex(&digest.finalize());
            self.pass.observer.on(&Event::Tensor { name, sha256: &actual });
            if !actual.eq_ignore_ascii_case(listed) {
                let message = format!(
                    "tensor {name:?}: the sha256 of its values is {actual}, but the manifest says \
                     {listed}"
                );
                let offset = offset_in_file(current.tensor, 0);
                self.report_tensor(&current, Check::Manifest, message, offset);
            }
        }
        if let (Some((first, count)), Some(plan)) = (current.difference.found(), current.expected) {
            let message = self.describe(&current, plan, first, count)?;
            let offset = offset_in_file(current.tensor, first * unit(current.tensor.dtype));
            self.report_tensor(&current, Check::Values, message, offset);
        }
        Ok(())
    }

    /// Reads the first element that differs again, from both sides.
    fn describe(
        &mut self,
        current: &Current<'a>,
        plan: &PlanTensor,
        first: u64,
        count: u64,
    ) -> Result<String> {
        let SourceTensor { name, dtype, shape, bytes, .. } = current.tensor;
        let size = unit(*dtype);
        let (mut actual, mut expected) = (vec![0; size as usize], vec![0; size as usize]);
        if let Some(source) = &self.pass.parts[current.part].source {
            let window = &mut self.window;
            source.read_at(current.index, first * size, &mut actual, size, window)?;
        }
        if let Some(producer) = &mut self.producer {
            producer.produce(plan, first * size, &mut expected, &mut QuantizeStats::default())?;
        }
        let place = place(first, *dtype, shape);
        let which = if place.is_empty() { String::new() } else { format!(" {place}") };
        Ok(format!(
            "tensor {name:?}: element{which} (number {first}) is {}, expected {}; {count} of {} \
             elements differ ({})",
            show(*dtype, &actual),
            show(*dtype, &expected),
            bytes / size,
            origin::describe(plan, self.pass.options.against),
        ))
    }

    fn gaps(&mut self, part: usize, ranges: &[Range<u64>]) -> Result<()> {
        let pass = self.pass;
        let (Some(source), Some(checksum)) = (&pass.parts[part].source, &pass.checksums[part])
        else {
            return Ok(());
        };
        // Every part is a source of one file.
        if source.files().is_empty() {
            return Ok(());
        }
        self.turn_to(part)?;
        for range in ranges {
            let mut crc = crc32fast::Hasher::new();
            let mut at = range.start;
            while at < range.end {
                pass.options.cancel.check()?;
                let count = (self.actual.len() as u64).min(range.end - at);
                let bytes = &mut self.actual[..count as usize];
                source.reader(0)?.read_at(0, at, bytes, range.end - at, &mut self.window)?;
                crc.update(bytes);
                at += count;
                pass.bytes.fetch_add(count, Relaxed);
                pass.observer.on(&Event::Advanced { bytes: count });
            }
            checksum.add(range.clone(), crc);
        }
        Ok(())
    }

    fn report_tensor(
        &self,
        current: &Current<'_>,
        check: Check,
        message: String,
        offset: Option<u64>,
    ) {
        self.report(current.job, check, &self.pass.jobs[current.job], message, offset);
    }

    fn report(&self, number: usize, check: Check, job: &Job, message: String, at: Option<u64>) {
        let (part, tensor) = match job {
            Job::Tensor(job) => (job.part, Some(job.tensor)),
            Job::Gaps { part, .. } => (*part, None),
        };
        let part = &self.pass.parts[part];
        let mut finding = Finding::error(check, message).file(&part.path).at(at);
        if let Some(tensor) = tensor {
            finding = finding.tensor(&part.tensors()[tensor].name);
        }
        let mut found = self.pass.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.push((number, finding));
    }
}

/// The bytes to compare at a time, at most `chunk`: whole matrices where they are made transposed,
/// so that each is read once.
fn step(plan: Option<&PlanTensor>, chunk: u64) -> u64 {
    let Some(plan) = plan else { return chunk };
    let (Transform::Dequantize { transposed: true, .. }, [.., columns, rows]) =
        (plan.transform, &plan.shape[..])
    else {
        return chunk;
    };
    let matrix = (*columns as u64).saturating_mul(*rows as u64).saturating_mul(unit(plan.dtype));
    match chunk.checked_div(matrix) {
        None | Some(0) => chunk,
        Some(matrices) => matrices * matrix,
    }
}
