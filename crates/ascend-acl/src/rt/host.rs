//! Pinned memory of the host, which the device reaches by itself.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::slice;
use std::sync::Arc;

use super::buffer::bytes_of;
use super::device::{Device, Shared};
use super::element::Element;
use super::garbage::{Garbage, Item};
use super::handle::Handle;
use super::uses::Uses;
use crate::error::Result;

/// Numbers in host memory that is pinned, all of them 0 at first: what a stream can copy from and to while the host goes on.
///
/// It is a slice to the host. A copy through a stream takes the buffer away, and gives it back when it is
/// over ([`Transfer`](super::Transfer)), so the host cannot touch it meanwhile.
pub struct HostBuffer<T> {
    device: Arc<Shared>,
    /// Null if there are no bytes.
    address: Handle,
    len: usize,
    elements: PhantomData<T>,
}

impl<T: Element> HostBuffer<T> {
    /// Pinned memory for so many numbers.
    pub fn new(device: &Device, len: usize) -> Result<Self> {
        let shared = &device.shared;
        let bytes = bytes_of::<T>(len)?;
        let mut address = ptr::null_mut();
        if bytes > 0 {
            let malloc = shared.ascend.acl().aclrtMallocHost()?;
            shared.bind()?;
            // SAFETY: `address` can be written to, and the function keeps no pointer to it.
            let code = unsafe { malloc(&raw mut address, bytes) };
            shared.check("aclrtMallocHost", code)?;
            // SAFETY: so many bytes were allocated just now, and nobody else knows of them.
            unsafe { ptr::write_bytes(address.cast::<u8>(), 0, bytes) };
        }
        let address = Handle::new(address);
        Ok(Self { device: Arc::clone(shared), address, len, elements: PhantomData })
    }

    /// Pinned memory with a copy of numbers.
    pub fn from_slice(device: &Device, numbers: &[T]) -> Result<Self> {
        let mut buffer = Self::new(device, numbers.len())?;
        buffer.copy_from_slice(numbers);
        Ok(buffer)
    }
}

impl<T> HostBuffer<T> {
    pub(super) fn address(&self) -> Handle {
        self.address
    }

    /// Gives the memory up while tasks use it: it is freed when they are over.
    pub(super) fn abandon(mut self, uses: Uses) {
        let address = std::mem::replace(&mut self.address, Handle::NULL);
        if !address.is_null() {
            self.device.discard(Garbage { uses, item: Item::Pinned(address) });
        }
    }
}

impl<T: Element> Deref for HostBuffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        if self.address.is_null() {
            return &[];
        }
        // SAFETY: so many numbers were allocated and set to 0, aligned to more than any number is; any
        // bits are a number. No stream writes to them: a copy that does owns the buffer.
        unsafe { slice::from_raw_parts(self.address.get().cast(), self.len) }
    }
}

impl<T: Element> DerefMut for HostBuffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        if self.address.is_null() {
            return &mut [];
        }
        // SAFETY: as in `deref`; the buffer is borrowed alone, and no stream reads from it.
        unsafe { slice::from_raw_parts_mut(self.address.get().cast(), self.len) }
    }
}

impl<T> Drop for HostBuffer<T> {
    fn drop(&mut self) {
        if !self.address.is_null() {
            let uses = Uses::default();
            self.device.discard(Garbage { uses, item: Item::Pinned(self.address) });
        }
    }
}

impl<T> fmt::Debug for HostBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBuffer").field("len", &self.len).finish_non_exhaustive()
    }
}
