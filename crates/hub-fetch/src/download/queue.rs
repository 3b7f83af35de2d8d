//! Who does what next.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::partial::Partial;
use crate::{Error, Outcome, Result};

/// All files of a transfer, and how far each is.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) stages: Vec<Stage>,
    /// The first error: the others stop.
    pub(super) failed: Option<Error>,
}

#[derive(Debug)]
pub(super) enum Stage {
    Waiting,
    Opening,
    Open(Open),
    Finishing(Open),
    Done(Outcome),
}

/// A file of which parts are being fetched.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) partial: Arc<Partial>,
    /// What nobody fetches yet.
    pub(super) pending: VecDeque<Range<u64>>,
    /// How many fetch parts of it.
    pub(super) active: usize,
    pub(super) ranges: Ranged,
    /// All that came is to be forgotten, once nobody fetches parts any more.
    pub(super) restart: bool,
    /// It was fetched whole once and was not what it should be.
    pub(super) again: bool,
    pub(super) outcome: Outcome,
}

/// Whether the server gives parts of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ranged {
    /// Not known: one asks, the others wait.
    Unknown,
    Yes,
    /// One fetches all of it.
    No,
}

/// Work for one thread.
#[derive(Debug)]
pub(super) enum Task {
    /// Open the file.
    Open(usize),
    /// Fetch a range of it; `alone` if nobody else does.
    Fetch { index: usize, partial: Arc<Partial>, range: Range<u64>, alone: bool },
    /// Verify it and give it its name.
    Finish { index: usize, partial: Arc<Partial> },
    /// There may be something later.
    Wait,
    /// There is nothing left.
    Stop,
}

impl Queue {
    pub(super) fn new(files: usize) -> Self {
        Self { stages: (0..files).map(|_| Stage::Waiting).collect(), failed: None }
    }

    /// Files come in order, parts of a file too, so that few are open at a time.
    pub(super) fn next(&mut self) -> Result<Task> {
        if self.failed.is_some() {
            return Ok(Task::Stop);
        }
        let mut done = true;
        for (index, stage) in self.stages.iter_mut().enumerate() {
            done &= matches!(stage, Stage::Done(_));
            match stage {
                Stage::Waiting => {
                    *stage = Stage::Opening;
                    return Ok(Task::Open(index));
                }
                Stage::Open(open) => {
                    if let Some(task) = open.next(index)? {
                        if matches!(task, Task::Finish { .. })
                            && let Stage::Open(open) = std::mem::replace(stage, Stage::Opening)
                        {
                            *stage = Stage::Finishing(open);
                        }
                        return Ok(task);
                    }
                }
                Stage::Opening | Stage::Finishing(_) | Stage::Done(_) => {}
            }
        }
        Ok(if done { Task::Stop } else { Task::Wait })
    }

    pub(super) fn open(&mut self, index: usize) -> Option<&mut Open> {
        match self.stages.get_mut(index) {
            Some(Stage::Open(open)) => Some(open),
            _ => None,
        }
    }
}

impl Open {
    fn next(&mut self, index: usize) -> Result<Option<Task>> {
        if self.restart && self.active == 0 {
            self.partial.forget()?;
            self.pending = self.partial.missing(u64::MAX).into();
            (self.restart, self.ranges) = (false, Ranged::No);
        }
        if self.restart || (self.active > 0 && self.ranges != Ranged::Yes) {
            return Ok(None);
        }
        let partial = Arc::clone(&self.partial);
        if let Some(range) = self.pending.pop_front() {
            self.active += 1;
            let alone = self.ranges != Ranged::Yes;
            return Ok(Some(Task::Fetch { index, partial, range, alone }));
        }
        Ok((self.active == 0).then_some(Task::Finish { index, partial }))
    }
}
