//! Communicators: devices that compute together.

use std::fmt;
use std::ptr;
use std::sync::{Arc, Mutex};

use super::block::Block;
use super::device::{Device, Shared, forget_current};
use super::failures;
use super::handle::Handle;
use super::root_info::RootInfo;
use super::stream::Stream;
use super::sync::lock;
use super::uses::Uses;
use crate::codes::Class;
use crate::error::{Error, Result};
use crate::sys::{HcclComm, HcclResult};

/// One rank of a communicator: a device among several that exchange what they computed.
///
/// In one process, [`Comm::all`] makes the ranks of several devices, one for each, to be handed to a thread each. Ranks of different
/// processes share a [`RootInfo`]. A collective is queued on a stream like an operator, and runs when every rank has queued
/// it; all ranks queue the same ones in the same order.
///
/// The ranks of one process must not all be used by one thread that waits in between: a collective that the others have not queued
/// yet never ends.
pub struct Comm {
    pub(super) device: Arc<Shared>,
    pub(super) handle: Handle,
    rank: u32,
    size: u32,
    uses: Mutex<Uses>,
}

impl Comm {
    /// The ranks of several devices of this process, in the order of the devices.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] without a device, or with one twice; [`Error::NotFound`] where HCCL is not installed.
    pub fn all(devices: &[Device]) -> Result<Vec<Self>> {
        let refuse = |got: String, expected: &str| Error::Argument {
            operation: "HcclCommInitAll",
            argument: "devices",
            got,
            expected: expected.to_owned(),
        };
        let Some(first) = devices.first() else {
            return Err(refuse("empty".to_owned(), "at least one device"));
        };
        let mut ids: Vec<i32> = devices.iter().map(Device::id).collect();
        let twice = (1..ids.len()).find(|&at| ids[..at].contains(&ids[at]));
        let count = u32::try_from(ids.len());
        let (None, Ok(count)) = (twice, count) else {
            return Err(refuse(format!("{ids:?}"), "each device once"));
        };
        for device in devices {
            device.shared.bind()?;
        }
        let ascend = first.shared.ascend;
        let init = ascend.hccl()?.HcclCommInitAll()?;
        let mut handles: Vec<HcclComm> = vec![ptr::null_mut(); ids.len()];
        // SAFETY: both arrays have as many items as devices; the second can be written to.
        let result = unsafe { init(count, ids.as_mut_ptr(), handles.as_mut_ptr()) };
        // It works with every device, and leaves whichever one current.
        forget_current();
        ascend.check_hccl("HcclCommInitAll", result)?;
        let comms = devices.iter().zip(handles).zip(0..);
        Ok(comms.map(|((device, handle), rank)| Self::over(device, handle, rank, count)).collect())
    }

    /// The rank of a device among several that were given the same root info, in this process or in others. Returns when all
    /// of them have called this.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for a rank that is not below `ranks`; a timeout if other ranks do not come.
    pub fn join(device: &Device, ranks: u32, root: &RootInfo, rank: u32) -> Result<Self> {
        if rank >= ranks {
            return Err(Error::Argument {
                operation: "HcclCommInitRootInfo",
                argument: "rank",
                got: rank.to_string(),
                expected: format!("one of 0..{ranks}"),
            });
        }
        let shared = &device.shared;
        let init = shared.ascend.hccl()?.HcclCommInitRootInfo()?;
        shared.bind()?;
        let mut handle = ptr::null_mut();
        // SAFETY: the root info lives as long as the borrow; `handle` can be written to.
        let result = unsafe { init(ranks, root.as_ptr(), rank, &raw mut handle) };
        forget_current();
        shared.ascend.check_hccl("HcclCommInitRootInfo", result)?;
        Ok(Self::over(device, handle, rank, ranks))
    }

    fn over(device: &Device, handle: HcclComm, rank: u32, size: u32) -> Self {
        let device = Arc::clone(&device.shared);
        Self { device, handle: Handle::new(handle), rank, size, uses: Mutex::default() }
    }

    /// The number of this rank.
    #[must_use]
    pub fn rank(&self) -> u32 {
        self.rank
    }

    /// How many ranks there are.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The device of this rank.
    #[must_use]
    pub fn device(&self) -> Device {
        Device { shared: Arc::clone(&self.device) }
    }

    /// What went wrong on the way since the communicator was made, if anything: a rank that is gone, a
    /// link that broke.
    pub fn health(&self) -> Result<()> {
        let ascend = self.device.ascend;
        let get = ascend.hccl()?.HcclGetCommAsyncError()?;
        let mut problem = HcclResult::SUCCESS;
        // SAFETY: the communicator lives as long as `self`; `problem` can be written to.
        let result = unsafe { get(self.handle.get(), &raw mut problem) };
        ascend.check_hccl("HcclGetCommAsyncError", result)?;
        ascend.check_hccl("HcclGetCommAsyncError", problem)
    }

    /// Puts a collective on a stream. Not into a graph, which would have to keep the communicator.
    pub(super) fn put(
        &self,
        stream: &Stream,
        call: &'static str,
        used: Vec<&Arc<Block>>,
        put: impl FnOnce(HcclComm, *mut std::ffi::c_void) -> HcclResult,
    ) -> Result<()> {
        stream.same_device(call, "the communicator", &self.device)?;
        for block in &used {
            stream.same_device(call, "a buffer", &block.device)?;
        }
        stream.put_eager(call, |place, task| {
            for block in used {
                block.mark(&task.progress, task.task);
            }
            // Held during the call: HCCL does not say that threads may share a communicator.
            let mut tasks = lock(&self.uses);
            tasks.mark(&task.progress, task.task);
            let result = put(self.handle.get(), place.stream);
            self.device.ascend.check_hccl(call, result)
        })
    }
}

impl Drop for Comm {
    fn drop(&mut self) {
        let waited = lock(&self.uses).wait(&self.device);
        let destroyed = self.device.attach().and_then(|()| {
            let destroy = self.device.ascend.hccl()?.HcclCommDestroy()?;
            // SAFETY: the communicator was made and not destroyed, and the streams that used it were waited for.
            let result = unsafe { destroy(self.handle.get()) };
            self.device.ascend.check_hccl("HcclCommDestroy", result)
        });
        forget_current();
        for error in [waited, destroyed].into_iter().filter_map(Result::err) {
            if error.class() != Class::DeviceFault {
                failures::record(error);
            }
        }
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Comm");
        debug.field("rank", &self.rank).field("size", &self.size).finish_non_exhaustive()
    }
}
