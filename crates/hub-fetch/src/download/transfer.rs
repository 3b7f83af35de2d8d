//! Threads that take files and parts of files until all are there.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::Options;
use super::fetch::{Fetch, Fetched};
use super::queue::{Open, Queue, Ranged, Stage, Task};
use super::tally::Tally;
use crate::client::Client;
use crate::folder::Folder;
use crate::partial::Partial;
use crate::url::shown;
use crate::{Error, Event, Hub, Observer, Outcome, RemoteFile, Result, Selection};

pub(super) struct Transfer<'a> {
    pub(super) hub: &'a Hub,
    pub(super) client: Arc<Client>,
    pub(super) tally: &'a Tally<'a>,
    selection: &'a Selection,
    folder: &'a Folder,
    options: &'a Options,
    items: Vec<Item<'a>>,
    queue: Mutex<Queue>,
    changed: Condvar,
    failed: AtomicBool,
}

/// A file to fetch.
pub(super) struct Item<'a> {
    pub(super) file: &'a RemoteFile,
    pub(super) url: String,
    path: PathBuf,
    /// Those who fetch parts of it stop.
    pub(super) restart: AtomicBool,
}

/// How long an idle thread waits before it looks whether it was cancelled.
const IDLE: Duration = Duration::from_millis(100);

impl<'a> Transfer<'a> {
    pub(super) fn new(
        hub: &'a Hub,
        selection: &'a Selection,
        folder: &'a Folder,
        options: &'a Options,
        tally: &'a Tally<'a>,
        files: Vec<&'a RemoteFile>,
    ) -> Self {
        let endpoint = &hub.settings().endpoint;
        let item = |file: &'a RemoteFile| Item {
            file,
            url: endpoint.file(&selection.repo, &selection.commit, &file.name),
            path: folder.file(&file.name),
            restart: AtomicBool::new(false),
        };
        Self {
            hub,
            client: hub.client(options.jobs.get()),
            tally,
            selection,
            folder,
            options,
            queue: Mutex::new(Queue::new(files.len())),
            items: files.into_iter().map(item).collect(),
            changed: Condvar::new(),
            failed: AtomicBool::new(false),
        }
    }

    /// Runs until all files are there; gives what was done with each.
    pub(super) fn run(self) -> Result<Vec<Outcome>> {
        thread::scope(|scope| {
            for _ in 0..self.options.jobs.get() {
                scope.spawn(|| self.work());
            }
        });
        let queue = self.queue.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut outcomes = Vec::new();
        for stage in &queue.stages {
            match stage {
                Stage::Done(outcome) => outcomes.push(*outcome),
                // What came is noted, so that the next run goes on from there; if that fails, from an
                // earlier note, and the first error is the one to know of.
                Stage::Open(open) | Stage::Finishing(open) => drop(open.partial.note()),
                Stage::Waiting | Stage::Opening => {}
            }
        }
        self.hub.cancel().check()?;
        queue.failed.map_or(Ok(outcomes), Err)
    }

    fn work(&self) {
        loop {
            let task = match self.next() {
                Ok(Task::Stop) => return,
                Ok(task) => self.perform(task),
                Err(error) => Err(error),
            };
            if let Err(error) = task {
                self.queue().failed.get_or_insert(error);
                self.failed.store(true, Ordering::Relaxed);
                // Wakes the others, who may be waiting for a server.
                self.client.close();
                self.changed.notify_all();
                return;
            }
        }
    }

    fn next(&self) -> Result<Task> {
        let mut queue = self.queue();
        loop {
            self.hub.cancel().check()?;
            match queue.next()? {
                Task::Wait => {}
                task => return Ok(task),
            }
            let woken = self.changed.wait_timeout(queue, IDLE);
            queue = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn perform(&self, task: Task) -> Result<()> {
        match task {
            Task::Open(index) => self.open(index),
            Task::Fetch { index, partial, range, alone } => {
                self.fetch(index, &partial, range, alone)
            }
            Task::Finish { index, partial } => self.finish(index, &partial),
            Task::Wait | Task::Stop => Ok(()),
        }
    }

    fn open(&self, index: usize) -> Result<()> {
        let item = &self.items[index];
        if let Some(parent) = item.path.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        let partial = Partial::open(&item.path, item.file)?;
        let have = partial.len();
        self.tally.resume(have);
        // Without a digest only the server's tag tells whether parts belong together: one after the other.
        let (ranges, piece) = match item.file.digest {
            Some(_) => (Ranged::Unknown, self.options.piece),
            None => (Ranged::No, u64::MAX),
        };
        self.queue().stages[index] = Stage::Open(Open {
            pending: partial.missing(piece).into(),
            partial: Arc::new(partial),
            active: 0,
            ranges,
            restart: false,
            again: false,
            outcome: if have > 0 { Outcome::Resumed } else { Outcome::Downloaded },
        });
        self.changed.notify_all();
        Ok(())
    }

    fn fetch(&self, index: usize, partial: &Partial, range: Range<u64>, alone: bool) -> Result<()> {
        let item = &self.items[index];
        let fetched = Fetch::new(self, item, index, partial, range, alone).run()?;
        if partial.len() < item.file.size {
            // The others may wait for a server for long, and the process may end before they get anything.
            partial.note()?;
        }
        let mut queue = self.queue();
        if let Some(open) = queue.open(index) {
            open.active -= 1;
            if let Fetched::Unranged = fetched
                && !open.restart
            {
                open.restart = true;
                item.restart.store(true, Ordering::Relaxed);
                self.lost(item, partial, "the server does not give parts of it any more");
            }
            if open.restart && open.active == 0 {
                item.restart.store(false, Ordering::Relaxed);
            }
        }
        drop(queue);
        self.changed.notify_all();
        Ok(())
    }

    /// Verifies what came and gives it its name.
    fn finish(&self, index: usize, partial: &Arc<Partial>) -> Result<()> {
        let item = &self.items[index];
        if let Some(expected) = item.file.digest {
            let actual = expected.of_file(partial.path(), item.file.size, |_| self.stopped())?;
            if let Some(actual) = actual.filter(|actual| *actual != expected) {
                return self.refuse(index, partial, expected, actual);
            }
        }
        partial.finish(&item.path)?;
        self.folder.done(item.file, &self.selection.commit)?;
        let mut queue = self.queue();
        if let Stage::Finishing(open) = &queue.stages[index] {
            queue.stages[index] = Stage::Done(open.outcome);
        }
        drop(queue);
        self.tally.on(&Event::File { name: &item.file.name });
        self.changed.notify_all();
        Ok(())
    }

    /// Other bytes came than were announced: once it is tried again from the beginning.
    fn refuse(
        &self,
        index: usize,
        partial: &Arc<Partial>,
        expected: crate::Digest,
        actual: crate::Digest,
    ) -> Result<()> {
        let item = &self.items[index];
        let mut queue = self.queue();
        let stage = std::mem::replace(&mut queue.stages[index], Stage::Opening);
        let Stage::Finishing(mut open) = stage else { return Ok(()) };
        if open.again {
            drop(queue);
            partial.discard()?;
            let (path, url) = (item.path.clone(), shown(&item.url));
            return Err(Error::Digest { path, url, expected, actual });
        }
        self.lost(item, partial, &format!("{actual} came, expected {expected}"));
        partial.forget()?;
        open.pending = partial.missing(self.options.piece).into();
        (open.again, open.outcome) = (true, Outcome::Downloaded);
        queue.stages[index] = Stage::Open(open);
        drop(queue);
        self.changed.notify_all();
        Ok(())
    }

    /// Says that what came of a file is of no use.
    pub(super) fn lost(&self, item: &Item<'_>, partial: &Partial, reason: &str) {
        let bytes = partial.len();
        if bytes > 0 {
            self.tally.on(&Event::Lost { file: &item.file.name, bytes, reason });
        }
    }

    /// The server gave a part: others may ask for more. True if whoever asked is still the only one.
    pub(super) fn gives_ranges(&self, index: usize) -> bool {
        let mut queue = self.queue();
        let Some(open) = queue.open(index) else { return false };
        if open.ranges == Ranged::Unknown {
            open.ranges = Ranged::Yes;
            self.changed.notify_all();
        }
        open.ranges == Ranged::No
    }

    /// The server gave all instead of a part, to one who was alone: who takes it.
    pub(super) fn gives_all(&self, index: usize) {
        if let Some(open) = self.queue().open(index) {
            open.ranges = Ranged::No;
            open.pending.clear();
            open.outcome = Outcome::Downloaded;
        }
    }

    /// An error when there is no use in going on.
    pub(super) fn stopped(&self) -> Result<()> {
        self.hub.cancel().check()?;
        if self.failed.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Says in an error which repository and file it is about.
    pub(super) fn about(&self, error: Error, item: &Item<'_>) -> Error {
        let Selection { repo, commit, .. } = self.selection;
        let name = &item.file.name;
        match self.hub.about(error, repo, &format!("{repo} at {commit} has no file {name}")) {
            Error::Answer { url, reason, .. } => Error::Answer { url, file: name.clone(), reason },
            other => other,
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
