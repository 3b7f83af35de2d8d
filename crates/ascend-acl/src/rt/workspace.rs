//! Memory that operators work in.

use std::sync::Arc;

use super::block::Block;
use super::device::Shared;
use crate::error::Result;

/// One allocation that all operators of a stream share, since they run one after another. It only grows; the
/// one that was outgrown is freed when the stream has passed the last operator that uses it.
#[derive(Debug, Default, Clone)]
pub(super) struct Workspace(Option<Arc<Block>>);

/// The size of huge pages, in which device memory is handed out anyway.
const PAGE: usize = 2 << 20;

impl Workspace {
    /// One of this size at least from the beginning.
    pub(super) fn with(device: &Arc<Shared>, bytes: usize) -> Result<Self> {
        let mut workspace = Self::default();
        workspace.of(device, bytes)?;
        Ok(workspace)
    }

    /// The workspace, with so many bytes at least; none if none are asked for.
    pub(super) fn of(&mut self, device: &Arc<Shared>, bytes: usize) -> Result<Option<Arc<Block>>> {
        if bytes == 0 {
            return Ok(None);
        }
        if self.bytes() < bytes {
            // The padding behind each allocation (32 bytes on A2) would begin another page.
            let room = bytes.checked_add(32).map_or(bytes, |room| room.next_multiple_of(PAGE) - 32);
            self.0 = Some(Block::new(device, room.max(bytes))?);
        }
        Ok(self.0.clone())
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |block| block.bytes)
    }

    pub(super) fn block(self) -> Option<Arc<Block>> {
        self.0
    }
}
