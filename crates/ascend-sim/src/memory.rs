//! Device memory as a kernel sees it.

use crate::kernel::Fault;

/// Bytes by device address. An access outside an allocation is a fault of the kernel that makes it; 32 bytes more than
/// a tensor may be read.
pub(crate) trait Memory {
    /// Copies bytes out.
    fn read(&self, address: u64, out: &mut [u8]) -> Result<(), Fault>;
    /// Copies bytes in.
    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Fault>;
    /// The seed of noise in the last bit of float results (`ASCEND_SIM_JITTER`), `None` for exact ones.
    fn jitter(&self) -> Option<u64> {
        None
    }
}
