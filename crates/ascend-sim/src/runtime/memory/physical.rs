//! Physical memory, which is mapped to reserved addresses.

use std::sync::{Arc, OnceLock};

use super::arena::arena;
use super::backing::Backing;
use super::space::Space;
use crate::runtime::failure::Failure;
use crate::runtime::handles::dead;
use crate::runtime::registry::{Kind, Registry, pointer};

/// Memory of a device that may have an address, or none.
#[derive(Debug)]
pub(crate) struct Physical {
    device: u32,
    backing: Arc<Backing>,
}

/// The granularity of `aclrtMallocPhysical`.
const PAGE: u64 = 2 << 20;

fn registry() -> &'static Registry<Physical> {
    static PHYSICAL: OnceLock<Registry<Physical>> = OnceLock::new();
    PHYSICAL.get_or_init(|| Registry::new(Kind::Physical))
}

fn space(device: u32) -> Result<&'static Space, Failure> {
    let space = arena().and_then(|arena| arena.space(device));
    space.ok_or_else(|| Failure::new(207_001, "no device addresses in this process"))
}

/// Takes memory of a device; the size is a multiple of 2 MiB.
pub(crate) fn allocate(device: u32, size: u64) -> Result<u64, Failure> {
    if size == 0 || !size.is_multiple_of(PAGE) {
        let message = format!("size is {size}, expected a multiple of {PAGE}");
        return Err(Failure::parameter(message));
    }
    let space = space(device)?;
    space.take(size)?;
    match Backing::new(size as usize) {
        Ok(backing) => Ok(registry().insert(Physical { device, backing: Arc::new(backing) })),
        Err(error) => {
            space.give_back(size);
            Err(Failure::new(207_001, format!("{size} bytes: the host has no memory: {error}")))
        }
    }
}

/// Gives the memory back; what is still mapped stays readable until it is unmapped.
pub(crate) fn free(handle: u64) -> Result<(), Failure> {
    let physical = registry().remove(handle).ok_or_else(|| dead("handle", pointer(handle)))?;
    space(physical.device)?.give_back(physical.backing.len() as u64);
    Ok(())
}

/// Puts the memory at reserved addresses of its device.
pub(crate) fn map(address: u64, handle: u64, size: u64) -> Result<(), Failure> {
    let physical = registry().get(handle).ok_or_else(|| dead("handle", pointer(handle)))?;
    let all = physical.backing.len() as u64;
    if size != all {
        return Err(Failure::parameter(format!("size is {size}, the memory has {all} bytes")));
    }
    space(physical.device)?.map(address, Arc::clone(&physical.backing))
}
