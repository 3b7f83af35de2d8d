//! Device memory at addresses that the host cannot follow, and host memory that devices copy from.

mod arena;
mod backing;
mod host;
mod mapping;
mod peers;
pub(crate) mod physical;
mod policy;
mod space;
mod view;

use std::sync::OnceLock;

pub(crate) use arena::arena;
pub(crate) use host::{HostSpan, Pinned};
pub(crate) use peers::Peers;
pub(crate) use policy::Rounding;
pub(crate) use space::{Access, Space};
pub(crate) use view::{Place, View, access_fault};

use super::failure::Failure;

/// Pinned host memory of the process.
pub(crate) fn pinned() -> &'static Pinned {
    static PINNED: OnceLock<Pinned> = OnceLock::new();
    PINNED.get_or_init(Pinned::default)
}

/// Which devices may reach each other.
pub(crate) fn peers() -> &'static Peers {
    static PEERS: OnceLock<Peers> = OnceLock::new();
    PEERS.get_or_init(Peers::default)
}

/// The memory of a device.
pub(crate) fn space(device: u32) -> Result<&'static Space, Failure> {
    let space = arena().and_then(|arena| arena.space(device));
    space.ok_or_else(|| Failure::new(207_001, "the process has no room for device addresses"))
}

/// Bytes in use on all devices.
pub(crate) fn device_bytes() -> u64 {
    let devices = super::config::machine().devices.max(1);
    (0..devices).filter_map(|device| space(device).ok()).map(|space| space.used().0).sum()
}
