//! What is to be freed once the streams that use it have come so far.

use std::sync::Arc;

use super::block::Block;
use super::device::Shared;
use super::failures;
use super::handle::Handle;
use super::uses::{Progress, Uses};
use crate::codes::Class;
use crate::error::Result;

/// Something whose owner is gone while streams still use it.
#[derive(Debug)]
pub(crate) struct Garbage {
    pub(crate) uses: Uses,
    pub(crate) item: Item,
}

/// What it is.
#[derive(Debug)]
pub(crate) enum Item {
    /// Device memory.
    Memory(Handle),
    /// Pinned host memory.
    Pinned(Handle),
    Event(Handle),
    /// A graph, and the memory that it refers to.
    Graph(Handle, Vec<Arc<Block>>),
    /// A stream, which is waited for before it is destroyed.
    Stream(Arc<Progress>),
}

impl Item {
    /// Frees it. Nothing may use it any more.
    pub(super) fn free(self, device: &Shared) {
        let outcome = self.try_free(device);
        if let Err(error) = outcome.inspect_err(|error| device.notice(error))
            && error.class() != Class::DeviceFault
        {
            failures::record(error);
        }
    }

    fn try_free(self, device: &Shared) -> Result<()> {
        let acl = device.ascend.acl();
        device.attach()?;
        match self {
            Self::Memory(address) => {
                let free = acl.aclrtFree()?;
                // SAFETY: the address came from `aclrtMalloc` and was freed by nobody: its one owner is
                // gone, and no task on any stream uses the memory any more.
                let code = unsafe { free(address.get()) };
                device.check("aclrtFree", code)
            }
            Self::Pinned(address) => {
                let free = acl.aclrtFreeHost()?;
                // SAFETY: the address came from `aclrtMallocHost`; as above.
                let code = unsafe { free(address.get()) };
                device.check("aclrtFreeHost", code)
            }
            Self::Event(event) => {
                let destroy = acl.aclrtDestroyEvent()?;
                // SAFETY: the event was created and not destroyed, and no task waits for it any more.
                let code = unsafe { destroy(event.get()) };
                device.check("aclrtDestroyEvent", code)
            }
            Self::Graph(graph, memory) => {
                let destroy = acl.aclmdlRIDestroy()?;
                // SAFETY: the graph was captured and not destroyed, and does not run any more.
                let code = unsafe { destroy(graph.get()) };
                drop(memory);
                device.check("aclmdlRIDestroy", code)
            }
            Self::Stream(progress) => {
                let waited = progress.wait(device, progress.put());
                let Some(stream) = progress.take() else { return waited };
                let destroy = acl.aclrtDestroyStream()?;
                // SAFETY: the stream was created, and `take` gives its handle only once.
                let code = unsafe { destroy(stream.get()) };
                progress.end();
                waited.and(device.check("aclrtDestroyStream", code))
            }
        }
    }
}
