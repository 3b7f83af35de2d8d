//! The addresses of all devices: one range of the process in which nothing lies.

use std::sync::OnceLock;

use super::mapping::Mapping;
use super::space::Space;
use crate::profile::Soc;
use crate::runtime::config::{Config, machine};

/// The memories of the devices.
#[derive(Debug)]
pub(crate) struct Arena {
    /// Keeps the range from the rest of the process.
    range: Mapping,
    /// Addresses of a device.
    slot: u64,
    spaces: Vec<Space>,
}

/// Addresses of a device, where the process has room: they come round only after as many bytes were allocated.
const SLOT: u64 = 1 << 40;
/// Below this, a device could not have all its memory at once.
const SMALLEST_SLOT: u64 = 1 << 38;

/// The memories of the devices; none if the process has no addresses left.
pub(crate) fn arena() -> Option<&'static Arena> {
    static ARENA: OnceLock<Option<Arena>> = OnceLock::new();
    ARENA.get_or_init(|| Arena::new(machine())).as_ref()
}

impl Arena {
    fn new(config: &Config) -> Option<Self> {
        let devices = u64::from(config.devices.max(1));
        let mut slot = SLOT;
        let range = loop {
            match Mapping::unreachable((slot * devices) as usize) {
                Ok(range) => break range,
                Err(_) if slot > SMALLEST_SLOT => slot /= 2,
                Err(_) => return None,
            }
        };
        let capacity = config.hbm.unwrap_or_else(|| capacity(config.soc)).min(slot / 2);
        let first = range.address();
        let space = |device| {
            let start = first + device * slot;
            // Offset by one alignment, so that address and offset within the device differ.
            Space::new(start + 64..start + slot, capacity)
        };
        let spaces = (0..devices).map(space).collect();
        Some(Self { range, slot, spaces })
    }

    /// The device whose addresses these are.
    pub(crate) fn device(&self, address: u64) -> Option<u32> {
        let offset = address.checked_sub(self.range.address())?;
        (offset < self.range.bytes() as u64).then(|| (offset / self.slot) as u32)
    }

    /// The memory of a device.
    pub(crate) fn space(&self, device: u32) -> Option<&Space> {
        self.spaces.get(device as usize)
    }
}

/// Bytes that a program may have: what the chip has, less what the device keeps for itself (as `npu-smi` shows it on
/// an idle card: 3.4 GB of 64, 2.9 GB of 32). What a 950 keeps is not known, and assumed to be the same.
fn capacity(soc: Soc) -> u64 {
    const PAGE: u64 = 2 << 20;
    let (all, kept) = match soc {
        Soc::Ascend910B3 | Soc::Ascend910_93 => (64 << 30, 3_400_000_000),
        Soc::Ascend910B4 => (32 << 30, 2_900_000_000),
        Soc::Ascend950 => (128_u64 << 30, 3_400_000_000),
    };
    (all - kept) / PAGE * PAGE
}
