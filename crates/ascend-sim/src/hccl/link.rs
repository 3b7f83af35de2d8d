//! A rank's connection to the hub.

use std::collections::HashMap;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::fields::Message as _;
use super::problem::{Code, Problem};
use super::wire::{Reply, Request};
use crate::sync::{lock, wait_for};

/// How long a wait may go on before it looks whether it is cancelled.
const GLANCE: Duration = Duration::from_millis(20);

/// Sends requests and waits for answers; any number of threads may.
#[derive(Debug)]
pub(super) struct Link {
    writer: Mutex<UnixStream>,
    tickets: AtomicU64,
    inbox: Arc<Inbox>,
    patience: Option<Duration>,
}

#[derive(Debug, Default)]
struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    answers: HashMap<u64, Vec<u8>>,
    /// Why nothing more will come.
    end: Option<Problem>,
}

impl Link {
    /// Takes over a connection on which the hub has said that all ranks are there.
    pub(super) fn new(stream: UnixStream, patience: Option<Duration>) -> std::io::Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let (reader, behind) = (stream.try_clone()?, Arc::clone(&inbox));
        std::thread::Builder::new()
            .name("hccl link".into())
            .spawn(move || listen(reader, &behind))?;
        Ok(Self { writer: Mutex::new(stream), tickets: AtomicU64::new(1), inbox, patience })
    }

    /// Sends the request that `make` gives for a ticket, and gives the ticket.
    pub(super) fn ask(&self, make: impl FnOnce(u64) -> Request) -> Result<u64, Problem> {
        if let Some(problem) = self.problem() {
            return Err(problem);
        }
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let request = make(ticket);
        // A connection that is closed has an end that the listener will have seen, or will see.
        if request.send(&mut *lock(&self.writer)).is_err() {
            self.inbox.end(hub_gone());
        }
        Ok(ticket)
    }

    /// Waits for the answer to a ticket, as long as operations may take, and unless `cancelled` says otherwise.
    pub(super) fn answer(
        &self,
        ticket: u64,
        cancelled: impl Fn() -> bool,
    ) -> Result<Vec<u8>, Problem> {
        let deadline = self.patience.map(|patience| Instant::now() + patience);
        let mut state = lock(&self.inbox.state);
        loop {
            if let Some(payload) = state.answers.remove(&ticket) {
                return Ok(payload);
            }
            if let Some(problem) = &state.end {
                return Err(problem.clone());
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                drop(state);
                return Err(self.too_late());
            }
            if cancelled() {
                drop(state);
                return Err(Problem::new(Code::Remote, "the stream was aborted"));
            }
            let left = deadline.map_or(GLANCE, |deadline| deadline.duration_since(now).min(GLANCE));
            state = wait_for(&self.inbox.changed, state, left);
        }
    }

    /// Why the communicator is broken, if it is.
    pub(super) fn problem(&self) -> Option<Problem> {
        lock(&self.inbox.state).end.clone()
    }

    fn too_late(&self) -> Problem {
        let seconds = self.patience.unwrap_or_default().as_secs();
        let message =
            format!("the other ranks did not come within {seconds} s (HCCL_EXEC_TIMEOUT)");
        self.end(Problem::new(Code::Timeout, message))
    }

    /// Ends the communicator for all ranks, if it has not ended before.
    pub(super) fn give_up(&self, why: &str) {
        self.end(Problem::new(Code::Remote, why));
    }

    fn end(&self, problem: Problem) -> Problem {
        if self.problem().is_none() {
            let _ = Request::Abort(problem.clone()).send(&mut *lock(&self.writer));
            self.inbox.end(problem.clone());
        }
        problem
    }
}

impl Inbox {
    /// The first end is the reason.
    fn end(&self, problem: Problem) {
        lock(&self.state).end.get_or_insert(problem);
        self.changed.notify_all();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut stream = lock(&self.writer);
        let _ = Request::Leave.send(&mut *stream);
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn listen(mut stream: UnixStream, inbox: &Inbox) {
    loop {
        match Reply::receive(&mut stream) {
            Ok(Reply::Done { ticket, payload }) => {
                lock(&inbox.state).answers.insert(ticket, payload);
                inbox.changed.notify_all();
            }
            Ok(Reply::Failed(problem)) => inbox.end(problem),
            Ok(Reply::Ready) => {}
            Err(_) => return inbox.end(hub_gone()),
        }
    }
}

fn hub_gone() -> Problem {
    Problem::new(Code::Remote, "the process that made the root information has ended")
}
