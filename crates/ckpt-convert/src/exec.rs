//! Carrying out a plan.

mod buffers;
mod commit;
mod fill;
mod packing;
mod prepare;
mod readback;
mod write;

pub(crate) use packing::PackingSums;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::io::ALIGNMENT;
use crate::journal::{Journal, Line, Progress, TensorDone};
use crate::manifest::{MANIFEST, Manifest, ManifestFile};
use crate::side::is_of_the_model;
use crate::{CancelToken, Error, Event, Observer, Phase, Plan, Report, Result, Source};

/// How a plan is carried out. The result does not depend on it.
#[derive(Clone, Debug)]
pub struct ExecOptions {
    /// Threads that read and transform; hashing and writing have their own.
    pub threads: NonZero<usize>,
    /// Bytes that buffers may take together. Any budget works; one of a few hundred KiB is met by
    /// smaller blocks and costs speed.
    pub memory: u64,
    /// Read everything back and compare before the files get their names.
    pub verify: bool,
    /// Go on with what an interrupted run of the same plan left.
    pub resume: bool,
    /// Replace files that are there, and forget an interrupted run. Until the new files are
    /// complete the old ones stay.
    pub overwrite: bool,
    /// After so many bytes progress is made durable, for [`ExecOptions::resume`].
    pub checkpoint_bytes: u64,
    /// Stops the run from outside.
    pub cancel: CancelToken,
}

impl Default for ExecOptions {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
            memory: 256 << 20,
            verify: true,
            resume: false,
            overwrite: false,
            checkpoint_bytes: 1 << 30,
            cancel: CancelToken::default(),
        }
    }
}

/// A small file that goes beside the converted ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideFile {
    /// Its name.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Carries out plans: reading, transforming, hashing and writing overlap under the memory budget.
///
/// Files are written under temporary names (`NAME.partial`), synced, read back and compared, and
/// only then renamed. A run that was killed leaves a journal and can be resumed from the last
/// tensor that was durable.
///
/// See the [crate documentation](crate) for an example.
#[derive(Clone, Debug, Default)]
pub struct Executor {
    options: ExecOptions,
}

/// What all steps of a run share.
struct Run<'a> {
    plan: &'a Plan,
    source: &'a Source,
    folder: &'a Path,
    options: &'a ExecOptions,
    observer: &'a dyn Observer,
    sizes: Sizes,
}

impl Executor {
    /// An executor with these options.
    #[must_use]
    pub fn new(options: ExecOptions) -> Self {
        Self { options }
    }

    /// Carries out `plan`, made from `source`, into `folder`, which is created if need be.
    ///
    /// `side_files` makes the small files that go beside the result, from the manifest of what was
    /// written.
    ///
    /// # Errors
    /// Whatever keeps the result from being complete and right. Nothing then has its final name
    /// but what had it before, and what was written can be resumed.
    pub fn run(
        &self,
        plan: &Plan,
        source: &Source,
        folder: &Path,
        side_files: impl FnOnce(&Manifest) -> Result<Vec<SideFile>>,
        observer: &dyn Observer,
    ) -> Result<Report> {
        let options = &self.options;
        let run =
            Run { plan, source, folder, options, observer, sizes: Sizes::for_budget(options) };
        prepare::check_output(&run)?;
        if !options.resume {
            prepare::check_room(
                &run,
                &Progress { overwrite: options.overwrite, ..Progress::default() },
            )?;
        }
        let names: Vec<_> = plan.files.iter().map(|file| file.name.clone()).collect();
        let (mut journal, progress) =
            Journal::open(folder, plan.identity(), &names, options.resume, options.overwrite)?;
        prepare::remove_forgotten(&run, &progress.forgotten)?;
        if options.resume {
            prepare::check_room(&run, &progress)?;
        }

        let same_source = || {
            let changed = || Error::SourceChanged { path: source.root().to_owned() };
            if plan.is_of(source)? { Ok(()) } else { Err(changed()) }
        };
        same_source()?;
        tracing::info!(
            files = names.len(),
            folder = %folder.display(),
            resumed = options.resume,
            "converting"
        );
        let started = Instant::now();
        let (done, resumed_bytes) = run.write(&mut journal, &progress)?;
        let write_seconds = started.elapsed().as_secs_f64();
        same_source()?;

        let started = Instant::now();
        let verify_seconds = if options.verify {
            readback::read_back(&run, &done, &mut journal)?;
            Some(started.elapsed().as_secs_f64())
        } else {
            None
        };

        let digests: Vec<_> = done.iter().map(|done| done.sha256.clone()).collect();
        let manifest = Manifest::new(plan, source, &digests);
        let mut side_files = side_files(&manifest)?;
        let place = |path: &Path| path.canonicalize().ok();
        if source.folder().is_some_and(|input| place(input) == place(folder)) {
            // They are the source's own, to which a changed `config.json` would not fit.
            side_files
                .retain(|file| !is_of_the_model(&file.name) || !folder.join(&file.name).exists());
        }
        commit::commit(&run, &manifest, &side_files, &mut journal, progress)?;
        journal.remove()?;
        crate::io::sync_folder(folder)?;
        let files = plan.files.iter();
        Ok(Report {
            format: plan.format.clone(),
            files: files
                .map(|file| ManifestFile { name: file.name.clone(), bytes: file.bytes })
                .collect(),
            side_files: side_files
                .into_iter()
                .map(|file| file.name)
                .chain([MANIFEST.to_owned()])
                .chain(plan.index.clone())
                .collect(),
            tensors: plan.tensors.len(),
            dropped: plan.dropped.clone(),
            parameters: manifest.parameters,
            source_bytes: source.total_bytes(),
            bytes: plan.total_bytes(),
            resumed_bytes,
            write_seconds,
            verify_seconds,
            packing: packing::total(&done),
            warnings: plan.warnings.clone(),
        })
    }
}

impl Run<'_> {
    /// Writes every file under its temporary name. Returns what became of each tensor, and the
    /// bytes taken over from an earlier run.
    fn write(&self, journal: &mut Journal, progress: &Progress) -> Result<(Vec<TensorDone>, u64)> {
        let bytes = self.plan.total_bytes();
        self.observer.on(&Event::Started { phase: Phase::Write, bytes });
        let mut all = Vec::with_capacity(self.plan.tensors.len());
        let mut resumed = 0;
        for (index, file) in self.plan.files.iter().enumerate() {
            let (earlier, complete) = prepare::earlier(self, index, progress);
            let taken =
                if complete { file.bytes } else { earlier.last().map_or(0, |done| done.end) };
            resumed += taken;
            self.observer.on(&Event::Advanced { bytes: taken });
            if complete {
                all.extend(earlier);
            } else {
                let kept = file.tensors.start + earlier.len();
                let lost = |done: &TensorDone| (kept..file.tensors.end).contains(&done.tensor);
                if progress.files.contains(&index) || progress.tensors.iter().any(lost) {
                    // Before the file is touched: a second crash must not find the old lines true.
                    journal
                        .record(&[Line::Anew { file: index, tensors: kept..file.tensors.end }])?;
                }
                all.extend(write::write_file(self, index, earlier, journal)?);
            }
        }
        self.observer.on(&Event::Finished { phase: Phase::Write });
        Ok((all, resumed))
    }

    fn partial(&self, file: usize) -> PathBuf {
        prepare::partial(self.folder, &self.plan.files[file].name)
    }

    fn complete(&self, file: usize) -> PathBuf {
        self.folder.join(&self.plan.files[file].name)
    }
}

/// How the memory budget is spent.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sizes {
    /// Bytes of a block of output.
    block: usize,
    /// Blocks between reading and writing.
    blocks: usize,
    /// Bytes that each thread reads ahead.
    window: usize,
    /// Threads that fill blocks.
    threads: usize,
}

impl Sizes {
    fn for_budget(options: &ExecOptions) -> Self {
        const LARGEST: u64 = 8 << 20;
        const SMALLEST: u64 = 64 << 10;
        /// More would only take memory from each other.
        const MOST_THREADS: usize = 256;
        let threads = options.threads.get().min(MOST_THREADS) as u64;
        // Each thread holds a window of a block and an eighth, and up to half a block in between.
        let shares = 4 + 2 * threads;
        let block = (options.memory / shares).clamp(SMALLEST, LARGEST) / ALIGNMENT as u64
            * ALIGNMENT as u64;
        let left = options.memory.saturating_sub(2 * threads * block);
        let blocks = (left / block).clamp(3, 4 + 4 * threads);
        let (block, blocks) = (block as usize, blocks as usize);
        Self { block, blocks, window: block, threads: threads as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_stay_within_the_budget() {
        for threads in [1, 2, 8, 64] {
            for memory in [0, 1 << 20, 16 << 20, 256 << 20, 4 << 30] {
                let threads = NonZero::new(threads).unwrap();
                let options = ExecOptions { threads, memory, ..ExecOptions::default() };
                let sizes = Sizes::for_budget(&options);
                assert!(sizes.block.is_multiple_of(ALIGNMENT) && sizes.block > 0);
                assert!(sizes.blocks >= 3, "one each for reading, hashing and writing");
                let used = sizes.blocks * sizes.block + 2 * threads.get() * sizes.window;
                let least = (3 + 2 * threads.get() as u64) * (64 << 10);
                assert!(used as u64 <= memory.max(least), "{threads} {memory}: {sizes:?}");
            }
        }
    }
}
