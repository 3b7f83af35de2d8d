//! What a graph's tasks use, noted while they are written down.

use std::sync::Arc;

use super::block::Block;
use super::device::Shared;
use super::graph::Part;
use super::workspace::Workspace;
use crate::error::Result;
use crate::sys::aclmdlRICaptureMode;

/// Tasks on their way into a graph.
#[derive(Debug)]
pub(super) struct Recording {
    /// Which capture, 0 for an update.
    pub(super) id: u64,
    /// The groups so far.
    pub(super) parts: Vec<Part>,
    /// Everything that the tasks use.
    kept: Vec<Arc<Block>>,
    /// Where the kept memory of the open task group begins.
    pub(super) group: Option<usize>,
    /// The graph's own: it may run while the stream that it was captured on does something else.
    pub(super) workspace: Workspace,
    /// Whether the capture forbids things that the first phase of an operator does.
    pub(super) is_strict: bool,
}

impl Recording {
    pub(super) fn new(id: u64, workspace: Workspace, is_strict: bool) -> Self {
        Self { id, parts: Vec::new(), kept: Vec::new(), group: None, workspace, is_strict }
    }

    pub(super) fn keep<'a>(&mut self, blocks: impl Iterator<Item = &'a Arc<Block>>) {
        self.kept.extend(blocks.cloned());
    }

    /// How much is kept by now.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// What is kept since there was so much, each once.
    pub(super) fn since(&self, begin: usize) -> Vec<Arc<Block>> {
        unique(self.kept.get(begin..).unwrap_or_default().to_vec())
    }

    /// Everything that is kept, each once.
    pub(super) fn into_kept(self) -> Vec<Arc<Block>> {
        unique(self.kept)
    }

    /// Does what a strict capture forbids, in the way that the vendor's samples do it: with the thread's
    /// mode exchanged for the time.
    pub(super) fn relaxed<R>(
        &mut self,
        device: &Shared,
        action: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        if !self.is_strict {
            return action(self);
        }
        let before = exchange(device, aclmdlRICaptureMode::RELAXED)?;
        let outcome = action(self);
        exchange(device, before)?;
        outcome
    }
}

fn unique(mut blocks: Vec<Arc<Block>>) -> Vec<Arc<Block>> {
    blocks.sort_by_key(Arc::as_ptr);
    blocks.dedup_by(|a, b| Arc::ptr_eq(a, b));
    blocks
}

fn exchange(device: &Shared, mut mode: aclmdlRICaptureMode) -> Result<aclmdlRICaptureMode> {
    let exchange = device.ascend.acl().aclmdlRICaptureThreadExchangeMode()?;
    // SAFETY: `mode` can be read and written to, and the function keeps no pointer to it.
    let code = unsafe { exchange(&raw mut mode) };
    device.check("aclmdlRICaptureThreadExchangeMode", code)?;
    Ok(mode)
}
