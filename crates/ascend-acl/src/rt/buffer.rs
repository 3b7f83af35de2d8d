//! Device memory as the owner of numbers.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use super::block::Block;
use super::device::{Device, Shared};
use super::element::Element;
use crate::error::{Error, Result};
use crate::sys::aclrtMemcpyKind;

/// Numbers in device memory.
///
/// The memory begins at a multiple of 64 bytes; a buffer of length zero has none. The host cannot look into it: it copies, either
/// at once ([`write`](Self::write), [`read`](Self::read)) or through a stream ([`Stream::upload`](super::Stream::upload)).
/// Copies at once wait for everything that uses the memory, on any stream.
///
/// Operators write through shared references, as through a `Cell`: Rust never has a reference into device memory, and streams put the
/// tasks in order, not borrows. See [the module](super) for what keeps the memory alive.
pub struct DeviceBuffer<T> {
    block: Arc<Block>,
    /// Bytes from the beginning of the block.
    offset: usize,
    len: usize,
    elements: PhantomData<fn() -> T>,
}

/// A part of a [`DeviceBuffer`].
pub struct DeviceSlice<'a, T> {
    block: &'a Arc<Block>,
    offset: usize,
    len: usize,
    elements: PhantomData<fn() -> T>,
}

impl<T: Element> DeviceBuffer<T> {
    /// Memory for so many numbers, which are whatever is there.
    ///
    /// # Errors
    ///
    /// [`Class::OutOfMemory`](crate::codes::Class::OutOfMemory) if there is not enough, even after everything
    /// that was dropped while in use has been waited for and freed.
    pub fn new(device: &Device, len: usize) -> Result<Self> {
        let block = Block::new(&device.shared, bytes_of::<T>(len)?)?;
        Ok(Self::over(block, 0, len))
    }

    /// Memory for so many numbers, all of them 0.
    pub fn zeroed(device: &Device, len: usize) -> Result<Self> {
        let buffer = Self::new(device, len)?;
        buffer.as_slice().fill_bytes(0)?;
        Ok(buffer)
    }

    /// Memory with a copy of numbers of the host.
    pub fn from_slice(device: &Device, numbers: &[T]) -> Result<Self> {
        let buffer = Self::new(device, numbers.len())?;
        buffer.write(numbers)?;
        Ok(buffer)
    }

    pub(super) fn over(block: Arc<Block>, offset: usize, len: usize) -> Self {
        Self { block, offset, len, elements: PhantomData }
    }

    /// How many numbers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of it.
    #[must_use]
    pub fn as_slice(&self) -> DeviceSlice<'_, T> {
        DeviceSlice {
            block: &self.block,
            offset: self.offset,
            len: self.len,
            elements: PhantomData,
        }
    }

    /// A part of it.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if the range does not lie within.
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Result<DeviceSlice<'_, T>> {
        self.as_slice().slice(range)
    }

    /// Copies numbers of the host to all of it, once nothing uses it any more. See [`DeviceSlice::write`].
    pub fn write(&self, numbers: &[T]) -> Result<()> {
        self.as_slice().write(numbers)
    }

    /// Copies all of it to the host, once nothing uses it any more. See [`DeviceSlice::read`].
    pub fn read(&self, numbers: &mut [T]) -> Result<()> {
        self.as_slice().read(numbers)
    }

    /// A copy of all of it on the host, made once nothing uses it any more.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        self.as_slice().to_vec()
    }
}

impl<'a, T: Element> DeviceSlice<'a, T> {
    /// How many numbers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A part of it.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if the range does not lie within.
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Result<Self> {
        let refuse = || Error::Argument {
            operation: "slice",
            argument: "range",
            got: format!("{:?}..{:?}", range.start_bound(), range.end_bound()),
            expected: format!("a range within 0..{}", self.len),
        };
        let start = match range.start_bound() {
            Bound::Included(&at) => at,
            Bound::Excluded(&at) => at.checked_add(1).ok_or_else(refuse)?,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&at) => at.checked_add(1).ok_or_else(refuse)?,
            Bound::Excluded(&at) => at,
            Bound::Unbounded => self.len,
        };
        if start > end || end > self.len {
            return Err(refuse());
        }
        let offset = self.offset + start * size_of::<T>();
        Ok(Self { block: self.block, offset, len: end - start, elements: PhantomData })
    }

    /// Copies numbers of the host here, once no task on any stream uses the memory any more.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if the lengths differ; [`Error::Capturing`] where a capture forbids to wait.
    pub fn write(&self, numbers: &[T]) -> Result<()> {
        self.same_length("write", numbers.len())?;
        self.copy_now(|address, bytes| {
            (address, numbers.as_ptr().cast_mut().cast(), bytes, aclrtMemcpyKind::HOST_TO_DEVICE)
        })
    }

    /// Copies from here to numbers of the host, once no task on any stream uses the memory any more.
    ///
    /// # Errors
    ///
    /// As [`DeviceSlice::write`].
    pub fn read(&self, numbers: &mut [T]) -> Result<()> {
        self.same_length("read", numbers.len())?;
        self.copy_now(|address, bytes| {
            (numbers.as_mut_ptr().cast(), address, bytes, aclrtMemcpyKind::DEVICE_TO_HOST)
        })
    }

    /// A copy on the host, made once no task on any stream uses the memory any more.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        let mut numbers = Vec::<T>::with_capacity(self.len);
        self.copy_now(|address, bytes| {
            (numbers.as_mut_ptr().cast(), address, bytes, aclrtMemcpyKind::DEVICE_TO_HOST)
        })?;
        // SAFETY: so many numbers were reserved, and the copy that succeeded has filled all of them; any
        // bits are a number.
        unsafe { numbers.set_len(self.len) };
        Ok(numbers)
    }

    /// Sets every byte, once no task on any stream uses the memory any more.
    pub fn fill_bytes(&self, value: u8) -> Result<()> {
        if self.len == 0 {
            return Ok(());
        }
        let device = &self.block.device;
        let memset = device.ascend.acl().aclrtMemset()?;
        device.may_wait("aclrtMemset")?;
        device.bind()?;
        self.block.quiet(|| {
            let bytes = self.bytes();
            // SAFETY: so many bytes from this address belong to the block, which `self` keeps.
            let code = unsafe { memset(self.address(), bytes, i32::from(value), bytes) };
            device.check("aclrtMemset", code)
        })
    }

    fn copy_now(
        &self,
        between: impl FnOnce(
            *mut std::ffi::c_void,
            usize,
        )
            -> (*mut std::ffi::c_void, *mut std::ffi::c_void, usize, aclrtMemcpyKind),
    ) -> Result<()> {
        if self.len == 0 {
            return Ok(());
        }
        let device = &self.block.device;
        let memcpy = device.ascend.acl().aclrtMemcpy()?;
        device.may_wait("aclrtMemcpy")?;
        device.bind()?;
        self.block.quiet(|| {
            let (to, from, bytes, kind) = between(self.address(), self.bytes());
            // SAFETY: one side is this slice, whose block `self` keeps; the other is memory of the host
            // for as many numbers, which the caller of this function borrows. The call is over when it
            // returns, and no task uses the block meanwhile.
            let code = unsafe { memcpy(to, bytes, from, bytes, kind) };
            device.check("aclrtMemcpy", code)
        })
    }

    fn same_length(&self, operation: &'static str, len: usize) -> Result<()> {
        if len == self.len {
            return Ok(());
        }
        Err(Error::Argument {
            operation,
            argument: "numbers",
            got: format!("{len} numbers"),
            expected: format!("{}, as many as on the device", self.len),
        })
    }

    pub(crate) fn block(&self) -> &'a Arc<Block> {
        self.block
    }

    pub(crate) fn device(&self) -> &'a Arc<Shared> {
        &self.block.device
    }

    /// Bytes from the beginning of the block.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// The address on the device, which only C may use.
    pub(crate) fn address(&self) -> *mut std::ffi::c_void {
        self.block.address.at(self.offset)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.len * size_of::<T>()
    }
}

pub(super) fn bytes_of<T>(len: usize) -> Result<usize> {
    let most = isize::MAX as usize;
    len.checked_mul(size_of::<T>()).filter(|bytes| *bytes <= most).ok_or_else(|| Error::Argument {
        operation: "allocate",
        argument: "len",
        got: format!("{len} numbers of {} bytes", size_of::<T>()),
        expected: format!("at most {most} bytes"),
    })
}

impl<'a, T: Element> From<&'a DeviceBuffer<T>> for DeviceSlice<'a, T> {
    fn from(buffer: &'a DeviceBuffer<T>) -> Self {
        buffer.as_slice()
    }
}

impl<T> Clone for DeviceSlice<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for DeviceSlice<'_, T> {}

impl<T> fmt::Debug for DeviceBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceBuffer").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for DeviceSlice<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceSlice").field("len", &self.len).finish_non_exhaustive()
    }
}
