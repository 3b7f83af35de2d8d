//! Device memory with a memory of who uses it.

use std::sync::{Arc, Mutex, Weak};

use super::device::Shared;
use super::garbage::{Garbage, Item};
use super::handle::Handle;
use super::sync::lock;
use super::uses::{Progress, Uses};
use crate::error::Result;

/// An allocation on a device. It is freed when the last owner is gone and every task that uses it is over.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) device: Arc<Shared>,
    /// Null if there are no bytes.
    pub(crate) address: Handle,
    pub(crate) bytes: usize,
    users: Mutex<Users>,
}

#[derive(Debug, Default)]
struct Users {
    streams: Uses,
    /// Graphs that refer to the memory: they use it whenever they run.
    graphs: Vec<Weak<Mutex<Uses>>>,
}

impl Block {
    pub(crate) fn new(device: &Arc<Shared>, bytes: usize) -> Result<Arc<Self>> {
        let address = if bytes == 0 { Handle::NULL } else { device.allocate(bytes)? };
        let users = Mutex::default();
        Ok(Arc::new(Self { device: Arc::clone(device), address, bytes, users }))
    }

    /// Notes that a task of a stream uses the memory. To be called before the task is put there.
    pub(crate) fn mark(&self, progress: &Arc<Progress>, task: u64) {
        lock(&self.users).streams.mark(progress, task);
    }

    /// Notes tasks that use the memory and were put on their streams before.
    pub(crate) fn mark_all(&self, uses: &Uses) {
        lock(&self.users).streams.mark_all(uses);
    }

    /// Notes that a graph refers to the memory.
    pub(crate) fn mark_graph(&self, runs: &Arc<Mutex<Uses>>) {
        let graphs = &mut lock(&self.users).graphs;
        graphs.retain(|graph| graph.strong_count() > 0);
        if !graphs.iter().any(|graph| std::ptr::eq(graph.as_ptr(), Arc::as_ptr(runs))) {
            graphs.push(Arc::downgrade(runs));
        }
    }

    /// Waits until no task uses the memory, then calls `action` while no other task can be put on a stream
    /// that does.
    pub(crate) fn quiet<R>(&self, action: impl FnOnce() -> Result<R>) -> Result<R> {
        let mut users = lock(&self.users);
        users.streams.wait(&self.device)?;
        users.graphs.retain(|graph| graph.strong_count() > 0);
        // Held until the action is over, so that no graph that uses the memory begins to run.
        let mut graphs: Vec<_> = users.graphs.iter().filter_map(Weak::upgrade).collect();
        // In one order for all, lest two that wait hold what the other wants.
        graphs.sort_by_key(Arc::as_ptr);
        let mut runs: Vec<_> = graphs.iter().map(|graph| lock(graph)).collect();
        for run in &mut runs {
            run.wait(&self.device)?;
        }
        action()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.address.is_null() {
            return;
        }
        let uses = std::mem::take(&mut lock(&self.users).streams);
        self.device.discard(Garbage { uses, item: Item::Memory(self.address) });
    }
}
