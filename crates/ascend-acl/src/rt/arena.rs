//! Many small buffers in one allocation.

use std::sync::Arc;

use super::block::Block;
use super::buffer::{DeviceBuffer, bytes_of};
use super::device::Device;
use super::element::Element;
use crate::error::{Error, Result};

/// One allocation, given out piece by piece and freed when the arena and all pieces are gone.
///
/// An allocation takes whole pages, 4 KiB of a small one and 2 MiB of a large one, and its addresses are all that CANN keeps of it: a model with
/// hundreds of weights of a few kilobytes wants an arena. Copies at once wait for whatever uses the allocation, any piece of it, so what
/// streams use all the time does not belong into one arena with what the host writes.
#[derive(Debug)]
pub struct Arena {
    block: Arc<Block>,
    taken: usize,
}

/// Each piece begins at a multiple of so many bytes, as allocations do.
const ALIGNMENT: usize = 64;

impl Arena {
    /// An allocation of so many bytes.
    pub fn new(device: &Device, bytes: usize) -> Result<Self> {
        Ok(Self { block: Block::new(&device.shared, bytes)?, taken: 0 })
    }

    /// The bytes that a buffer of so many numbers takes of an arena.
    #[must_use]
    pub fn bytes_for<T: Element>(len: usize) -> usize {
        // A piece more than it holds, since kernels read whole units of 32 bytes.
        len.saturating_mul(size_of::<T>()).saturating_add(ALIGNMENT).next_multiple_of(ALIGNMENT)
    }

    /// The bytes that are left.
    #[must_use]
    pub fn free(&self) -> usize {
        self.block.bytes - self.taken
    }

    /// A buffer for so many numbers, which are whatever is there.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if it does not fit.
    pub fn take<T: Element>(&mut self, len: usize) -> Result<DeviceBuffer<T>> {
        bytes_of::<T>(len)?;
        let bytes = Self::bytes_for::<T>(len);
        if bytes > self.free() {
            return Err(Error::Argument {
                operation: "Arena::take",
                argument: "len",
                got: format!("{len} numbers, which take {bytes} bytes"),
                expected: format!("at most the {} bytes that are left", self.free()),
            });
        }
        let buffer = DeviceBuffer::over(Arc::clone(&self.block), self.taken, len);
        self.taken += bytes;
        Ok(buffer)
    }
}
