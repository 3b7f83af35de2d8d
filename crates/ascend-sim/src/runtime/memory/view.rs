//! Memory as one device reaches it.

use std::sync::Arc;

use super::arena::arena;
use super::host::HostSpan;
use super::space::{Access, Block};
use super::{peers, pinned};
use crate::kernel::Fault;
use crate::memory::Memory;
use crate::runtime::config::machine;
use crate::runtime::faults::CORE_EXCEPTION;

/// The memory of a device, and that of peers whose access is enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) device: u32,
}

/// A place that bytes are copied from or to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Host(HostSpan),
    /// A device address.
    Device(u64),
}

/// What moves at a time between two allocations.
const CHUNK: u64 = 1 << 20;

impl View {
    fn find(self, address: u64, count: u64, access: Access) -> Result<Arc<Block>, String> {
        let arena = arena().ok_or("no device addresses in this process")?;
        let Some(owner) = arena.device(address) else {
            return Err(format!("{count} bytes at {address:#x}, which is no device address"));
        };
        if owner != self.device && !peers().reach(self.device, owner) {
            return Err(format!(
                "{count} bytes at {address:#x} of device {owner}, which device {} may not reach: peer access is not enabled",
                self.device
            ));
        }
        let space = arena.space(owner).ok_or_else(|| format!("device {owner} does not exist"))?;
        space.find(address, count, access)
    }

    /// Refuses what is not allocated, with the reason.
    pub(crate) fn check(self, address: u64, count: u64, access: Access) -> Result<(), String> {
        self.find(address, count, access).map(drop)
    }

    /// Sets bytes.
    pub(crate) fn fill(self, address: u64, count: u64, value: u8) -> Result<(), String> {
        self.find(address, count, Access::Write)?.fill(address, count, value);
        Ok(())
    }

    /// Makes a workspace read as 0xFF.
    pub(crate) fn poison(self, address: u64, count: u64) -> Result<(), String> {
        self.find(address, count, Access::Write)?.poison(address, count);
        Ok(())
    }

    /// Copies bytes that lie on host or device; on the device the ranges may overlap only if they are the same.
    pub(crate) fn copy(self, to: Place, from: Place, count: u64) -> Result<(), String> {
        match (to, from) {
            (Place::Host(to), Place::Host(from)) => {
                from.move_to(to);
                Ok(())
            }
            (Place::Device(to), Place::Host(from)) => {
                let block = self.find(to, count, Access::Write)?;
                chunks(count, |offset, buffer| {
                    from.part(offset as usize, buffer.len()).read(buffer);
                    block.write(to + offset, buffer);
                });
                Ok(())
            }
            (Place::Host(to), Place::Device(from)) => {
                let block = self.find(from, count, Access::Read)?;
                chunks(count, |offset, buffer| {
                    block.read(from + offset, buffer);
                    to.part(offset as usize, buffer.len()).write(buffer);
                });
                Ok(())
            }
            (Place::Device(to), Place::Device(from)) => {
                let source = self.find(from, count, Access::Read)?;
                let target = self.find(to, count, Access::Write)?;
                if to != from && to < from.saturating_add(count) && from < to.saturating_add(count)
                {
                    return Err(format!(
                        "{count} bytes from {from:#x} to {to:#x} overlap, which gives no defined result"
                    ));
                }
                chunks(count, |offset, buffer| {
                    source.read(from + offset, buffer);
                    target.write(to + offset, buffer);
                });
                Ok(())
            }
        }
    }

    /// Copies as [`View::copy`] does, when a stream comes to it: host memory must still be pinned.
    pub(crate) fn copy_pinned(self, to: Place, from: Place, count: u64) -> Result<(), String> {
        let gone = |span: HostSpan| {
            format!(
                "host memory at {:#x} was freed or unregistered before the copy ran",
                span.address()
            )
        };
        match (to, from) {
            (Place::Host(span), Place::Device(_)) | (Place::Device(_), Place::Host(span)) => {
                pinned()
                    .while_pinned(span, || self.copy(to, from, count))
                    .unwrap_or_else(|| Err(gone(span)))
            }
            _ => self.copy(to, from, count),
        }
    }
}

fn chunks(count: u64, mut step: impl FnMut(u64, &mut [u8])) {
    let mut buffer = vec![0; count.min(CHUNK) as usize];
    let mut offset = 0;
    while offset < count {
        let bytes = CHUNK.min(count - offset);
        step(offset, &mut buffer[..bytes as usize]);
        offset += bytes;
    }
}

/// An access that the device does not survive.
pub(crate) fn access_fault(what: &str, why: &str) -> Fault {
    Fault { status: CORE_EXCEPTION, message: format!("illegal {what}: {why}") }
}

impl Memory for View {
    fn read(&self, address: u64, out: &mut [u8]) -> Result<(), Fault> {
        if out.is_empty() {
            return Ok(());
        }
        let block = self
            .find(address, out.len() as u64, Access::Read)
            .map_err(|why| access_fault("read", &why))?;
        block.read(address, out);
        Ok(())
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.is_empty() {
            return Ok(());
        }
        let block = self
            .find(address, bytes.len() as u64, Access::Write)
            .map_err(|why| access_fault("write", &why))?;
        block.write(address, bytes);
        Ok(())
    }

    fn jitter(&self) -> Option<u64> {
        machine().jitter
    }
}
