//! Copies through a stream.

use std::ffi::c_void;
use std::fmt;
use std::mem;
use std::sync::Arc;

use super::block::Block;
use super::buffer::DeviceSlice;
use super::element::Element;
use super::event::Event;
use super::host::HostBuffer;
use super::stream::{Stream, Task};
use super::uses::Uses;
use crate::error::{Error, Result};
use crate::sys::aclrtMemcpyKind;

/// A copy between pinned memory and a device that may still go on. It owns the pinned memory, so nobody can touch that
/// meanwhile, and gives it back when the copy is over:
///
/// ```compile_fail,E0382
/// use ascend_acl::rt::{DeviceBuffer, HostBuffer, Stream};
///
/// fn reuse(stream: &Stream, mut host: HostBuffer<f32>, to: &DeviceBuffer<f32>) -> ascend_acl::Result<()> {
///     let transfer = stream.upload(host, to)?;
///     host[0] = 1.0; // the stream may not have read it yet
///     transfer.wait()?;
///     Ok(())
/// }
/// ```
///
/// A transfer that is dropped or forgotten goes on; its pinned memory is freed when it is over, or
/// never if it was forgotten.
#[must_use = "the pinned memory comes back through `wait`"]
pub struct Transfer<T> {
    host: Option<HostBuffer<T>>,
    /// Recorded after the copy; `None` if there was nothing to copy.
    event: Option<Event>,
    /// The copy.
    uses: Uses,
}

impl<T: Element> Transfer<T> {
    /// Waits for the copy, and gives the pinned memory back. Work that came on the stream after the copy is not waited for.
    ///
    /// # Errors
    ///
    /// A device fault before the copy; the pinned memory is freed in time then.
    pub fn wait(mut self) -> Result<HostBuffer<T>> {
        if let Some(event) = &self.event {
            event.synchronise()?;
        }
        // It is there until this takes it.
        self.host.take().ok_or(Error::Null { call: "Transfer::wait", message: None })
    }

    /// Whether the copy is over. Does not wait.
    pub fn is_over(&self) -> Result<bool> {
        self.event.as_ref().map_or(Ok(true), Event::has_passed)
    }
}

impl<T> Drop for Transfer<T> {
    fn drop(&mut self) {
        if let Some(host) = self.host.take() {
            host.abandon(mem::take(&mut self.uses));
        }
    }
}

impl<T> fmt::Debug for Transfer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer").finish_non_exhaustive()
    }
}

impl Stream {
    /// Queues a copy of the first numbers of pinned memory to the device, as many as there is room for.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if there are fewer numbers than room, or for memory of another device; [`Error::Capturing`] in a
    /// capture.
    pub fn upload<'a, T: Element>(
        &self,
        host: HostBuffer<T>,
        to: impl Into<DeviceSlice<'a, T>>,
    ) -> Result<Transfer<T>> {
        self.transfer("upload", host, to.into(), aclrtMemcpyKind::HOST_TO_DEVICE)
    }

    /// Queues a copy of numbers of the device to the beginning of pinned memory.
    ///
    /// # Errors
    ///
    /// As [`Stream::upload`].
    pub fn download<'a, T: Element>(
        &self,
        from: impl Into<DeviceSlice<'a, T>>,
        host: HostBuffer<T>,
    ) -> Result<Transfer<T>> {
        self.transfer("download", host, from.into(), aclrtMemcpyKind::DEVICE_TO_HOST)
    }

    fn transfer<T: Element>(
        &self,
        operation: &'static str,
        host: HostBuffer<T>,
        device: DeviceSlice<'_, T>,
        kind: aclrtMemcpyKind,
    ) -> Result<Transfer<T>> {
        self.same_device(operation, "device memory", device.device())?;
        if host.len() < device.len() {
            return Err(Error::Argument {
                operation,
                argument: "host",
                got: format!("{} numbers", host.len()),
                expected: format!("at least {}, as many as on the device", device.len()),
            });
        }
        if device.is_empty() {
            return Ok(Transfer { host: Some(host), event: None, uses: Uses::default() });
        }
        let copy = self.device.ascend.acl().aclrtMemcpyAsync()?;
        let event = Event::create(&self.device, false)?;
        let bytes = device.bytes();
        let there = device.address();
        let here = host.address().get();
        let (to, from) =
            if kind == aclrtMemcpyKind::HOST_TO_DEVICE { (there, here) } else { (here, there) };
        let mut transfer = Transfer { host: Some(host), event: Some(event), uses: Uses::default() };
        let uses = &mut transfer.uses;
        self.put_eager("aclrtMemcpyAsync", |place, used| {
            device.block().mark(&used.progress, used.task);
            uses.mark(&used.progress, used.task);
            // SAFETY: so many bytes are behind both addresses. The device's are kept until the task is over, and
            // so are the host's: they belong to the transfer, which gives them to nobody before its event.
            let code = unsafe { copy(to, bytes, from, bytes, kind, place.stream) };
            self.device.check("aclrtMemcpyAsync", code)
        })?;
        transfer.event.as_ref().map_or(Ok(()), |event| self.record(event))?;
        Ok(transfer)
    }

    /// Queues a copy within the device.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if the lengths differ, or for memory of another device. CANN 8.3 cannot capture such copies
    /// (507009).
    pub fn copy<'a, 'b, T: Element>(
        &self,
        from: impl Into<DeviceSlice<'a, T>>,
        to: impl Into<DeviceSlice<'b, T>>,
    ) -> Result<()> {
        let (from, to) = (from.into(), to.into());
        self.same_device("copy", "from", from.device())?;
        self.same_device("copy", "to", to.device())?;
        if from.len() != to.len() {
            return Err(Error::Argument {
                operation: "copy",
                argument: "to",
                got: format!("{} numbers", to.len()),
                expected: format!("{}, as many as are copied", from.len()),
            });
        }
        if from.is_empty() {
            return Ok(());
        }
        let copy = self.device.ascend.acl().aclrtMemcpyAsync()?;
        let bytes = from.bytes();
        let (source, target) = (from.address(), to.address());
        self.put_simple(vec![from.block(), to.block()], |place| {
            let kind = aclrtMemcpyKind::DEVICE_TO_DEVICE;
            // SAFETY: so many bytes are behind both addresses, whose blocks are kept until the task is over.
            let code = unsafe { copy(target, bytes, source, bytes, kind, place) };
            self.device.check("aclrtMemcpyAsync", code)
        })
    }

    /// Queues setting every byte of some device memory.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for memory of another device.
    pub fn fill_bytes<'a, T: Element>(
        &self,
        to: impl Into<DeviceSlice<'a, T>>,
        value: u8,
    ) -> Result<()> {
        let to = to.into();
        self.same_device("fill_bytes", "to", to.device())?;
        if to.is_empty() {
            return Ok(());
        }
        let memset = self.device.ascend.acl().aclrtMemsetAsync()?;
        let (address, bytes) = (to.address(), to.bytes());
        self.put_simple(vec![to.block()], |place| {
            // SAFETY: so many bytes are behind the address, whose block is kept until the task is over.
            let code = unsafe { memset(address, bytes, i32::from(value), bytes, place) };
            self.device.check("aclrtMemsetAsync", code)
        })
    }

    /// Puts a task without a workspace on the stream.
    pub(super) fn put_simple(
        &self,
        used: Vec<&Arc<Block>>,
        put: impl FnOnce(*mut c_void) -> Result<()>,
    ) -> Result<()> {
        let prepare = || Ok(Task { workspace: 0, used, payload: () });
        self.put(prepare, |place, ()| put(place.stream))
    }
}
