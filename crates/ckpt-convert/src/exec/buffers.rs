//! A fixed number of blocks going round.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::io::AlignedBuf;

/// Hands out blocks of the file to fill, in order, each with a buffer.
///
/// A buffer and the next block are taken together, so the block that everything waits for always
/// has one.
#[derive(Debug)]
pub(super) struct Buffers {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: Vec<AlignedBuf>,
    next: u64,
    end: u64,
    stopped: bool,
}

impl Buffers {
    pub(super) fn new(count: usize, size: usize, blocks: std::ops::Range<u64>) -> Self {
        let count = count.min((blocks.end - blocks.start) as usize).max(1);
        let free = (0..count).map(|_| AlignedBuf::new(size)).collect();
        let state = State { free, next: blocks.start, end: blocks.end, stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The next block and a buffer for it; `None` when there is nothing more to do.
    pub(super) fn claim(&self) -> Option<(u64, AlignedBuf)> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.next == state.end {
                return None;
            }
            if let Some(buffer) = state.free.pop() {
                state.next += 1;
                return Some((state.next - 1, buffer));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn give_back(&self, buffer: AlignedBuf) {
        self.lock().free.push(buffer);
        self.changed.notify_one();
    }

    /// Lets every thread come to its end.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops the buffers when it goes, however that comes about: a thread that ends, in order or by a
/// panic, must not leave others waiting for a buffer that never comes back.
#[derive(Debug)]
pub(super) struct StopOnDrop<'a>(pub(super) &'a Buffers);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
