//! Downloading: look, hash what may be there already, fetch the rest, verify, rename.

mod fetch;
mod queue;
mod tally;
mod transfer;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use tally::Tally;
use transfer::Transfer;

use crate::check::mismatch;
use crate::folder::{Folder, Job, Record, place};
use crate::{
    Event, FileReport, FileState, Hub, Observer, Outcome, Phase, Plan, Report, Result, Selection,
};

/// How to download.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Connections, over all files.
    pub jobs: NonZero<usize>,
    /// The most bytes that one request asks for: large files come in such pieces, side by side.
    pub piece: u64,
    /// Replace files that were not downloaded here and differ.
    pub overwrite: bool,
    /// Hash files again that were verified earlier and did not change since.
    pub rehash: bool,
}

impl Default for Options {
    /// 8 connections, pieces of 64 MiB.
    fn default() -> Self {
        let jobs = NonZero::new(8).unwrap_or(NonZero::<usize>::MIN);
        Self { jobs, piece: 64 << 20, overwrite: false, rehash: false }
    }
}

/// A download into a folder.
#[derive(Debug)]
pub struct Download<'a> {
    hub: &'a Hub,
    selection: &'a Selection,
    folder: PathBuf,
    options: Options,
}

impl<'a> Download<'a> {
    /// Of these files into this folder; nothing is done yet.
    pub fn new(
        hub: &'a Hub,
        selection: &'a Selection,
        folder: impl AsRef<Path>,
        options: Options,
    ) -> Self {
        Self { hub, selection, folder: folder.as_ref().to_owned(), options }
    }

    /// What would be done.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn plan(&self) -> Result<Plan> {
        Plan::look(&self.folder, self.selection, &Record::read(&self.folder)?)
    }

    /// Downloads. Whatever happens, a file has its name only when it is whole and verified, and the same download
    /// again goes on with what came.
    ///
    /// # Errors
    ///
    /// When another download into the folder runs, a file there must not be replaced, the disk is too small; when
    /// the hub or the network fails for longer than is patiently borne, or sends other bytes than it announced;
    /// when it is cancelled.
    pub fn run(&self, observer: &dyn Observer) -> Result<Report> {
        let started = Instant::now();
        let folder = Folder::open(&self.folder)?;
        let mut plan = Plan::look(&folder.path, self.selection, &folder.record)?;
        plan.refuse_foreign(self.options.overwrite)?;
        self.hash(&folder, &mut plan, observer)?;
        plan.refuse_foreign(self.options.overwrite)?;
        plan.count();
        plan.check_space()?;
        let Selection { repo, revision, commit, files, left_out } = self.selection;
        let endpoint = self.hub.settings().endpoint.to_string();
        folder.begin(Job {
            endpoint: endpoint.clone(),
            repo: repo.clone(),
            revision: revision.to_string(),
            commit: commit.clone(),
            files: files.clone(),
        })?;
        let tally = Tally::new(observer);
        let outcomes = self.transfer(&folder, &plan, &tally)?;
        let report = |(file, outcome): (&crate::RemoteFile, _)| FileReport {
            name: file.name.clone(),
            size: file.size,
            digest: file.digest,
            outcome,
        };
        Ok(Report {
            repo: repo.clone(),
            revision: revision.to_string(),
            commit: commit.clone(),
            endpoint,
            folder: folder.path.clone(),
            files: files.iter().zip(outcomes).map(report).collect(),
            left_out: left_out.iter().map(|entry| entry.name.clone()).collect(),
            bytes: self.selection.bytes(),
            received: tally.received(),
            resumed: tally.resumed(),
            retries: tally.retries(),
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Finds out of files of the right size whether they are the hub's.
    fn hash(&self, folder: &Folder, plan: &mut Plan, observer: &dyn Observer) -> Result<()> {
        let hashed = |state: &FileState| match state {
            FileState::Unproven => true,
            FileState::Present => self.options.rehash,
            _ => false,
        };
        let mut work: Vec<_> = plan.files.iter_mut().filter(|file| hashed(&file.state)).collect();
        if work.is_empty() {
            return Ok(());
        }
        let bytes = work.iter().map(|planned| planned.file.size).sum();
        observer.on(&Event::Started { phase: Phase::Hash, bytes });
        let (next, cores) =
            (AtomicUsize::new(0), thread::available_parallelism().map_or(1, NonZero::get));
        let threads = work.len().min(cores).min(self.options.jobs.get());
        let work: Vec<_> = work.drain(..).map(Mutex::new).collect();
        let worker = || -> Result<()> {
            while let Some(planned) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut planned = planned.lock().unwrap_or_else(PoisonError::into_inner);
                let file = &planned.file;
                let path = place(&folder.path, &file.name);
                let wrong = mismatch(&path, file.size, file.digest, self.hub.cancel(), observer)?;
                planned.state = match (wrong, &planned.state) {
                    (None, _) => {
                        folder.done(file, &self.selection.commit)?;
                        FileState::Present
                    }
                    // It was right once, and nobody wrote into it through the file system.
                    (Some(_), FileState::Present) => FileState::Outdated,
                    (Some(reason), _) => FileState::Foreign { reason },
                };
            }
            Ok(())
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        observer.on(&Event::Finished { phase: Phase::Hash });
        Ok(())
    }

    /// Fetches what is not there; gives the outcome of every file, in order.
    fn transfer(&self, folder: &Folder, plan: &Plan, tally: &Tally<'_>) -> Result<Vec<Outcome>> {
        let there = |state: &FileState| matches!(state, FileState::Present);
        let files: Vec<_> = plan
            .files
            .iter()
            .filter(|planned| !there(&planned.state))
            .map(|planned| &planned.file)
            .collect();
        let mut fetched = Vec::new();
        if !files.is_empty() {
            let bytes = files.iter().map(|file| file.size).sum();
            tally.on(&Event::Started { phase: Phase::Download, bytes });
            fetched = Transfer::new(self.hub, self.selection, folder, &self.options, tally, files)
                .run()?;
            tally.on(&Event::Finished { phase: Phase::Download });
        }
        let mut fetched = fetched.into_iter();
        let outcome = |planned: &crate::PlannedFile| {
            if there(&planned.state) { None } else { fetched.next() }.unwrap_or(Outcome::Kept)
        };
        Ok(plan.files.iter().map(outcome).collect())
    }
}
