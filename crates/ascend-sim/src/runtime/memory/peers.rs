//! Which devices may reach each other's memory.

use std::collections::HashSet;
use std::sync::RwLock;

use crate::sync::{read, write};

/// Pairs of a device and one whose memory it may reach.
#[derive(Debug, Default)]
pub(crate) struct Peers(RwLock<HashSet<(u32, u32)>>);

impl Peers {
    /// Whether `device` may reach the memory of `other`.
    pub(crate) fn reach(&self, device: u32, other: u32) -> bool {
        read(&self.0).contains(&(device, other))
    }

    /// Lets it; false if it could already.
    pub(crate) fn enable(&self, device: u32, other: u32) -> bool {
        write(&self.0).insert((device, other))
    }

    /// Ends it; false if it could not.
    pub(crate) fn disable(&self, device: u32, other: u32) -> bool {
        write(&self.0).remove(&(device, other))
    }
}
