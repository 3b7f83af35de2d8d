//! Addresses and physical memory apart from each other.

use super::pointer::{In, Out, Raw};
use crate::runtime::failure::Failure;
use crate::runtime::memory::{arena, physical, space};
use crate::runtime::registry::{handle, pointer};
use crate::runtime::thread;

/// An `aclrtPhysicalMemProp`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Properties {
    handle_type: i32,
    allocation_type: i32,
    attribute: i32,
    id: u32,
    /// 0 host, 1 device.
    location: i32,
    reserve: u64,
}

/// The granularity of addresses and memory.
const PAGE: usize = 2 << 20;

export! {
    "acl_rt";

    /// Reserves addresses of the current device.
    "8.1" fn aclrtReserveMemAddress(
        result: Out<Raw>, size: usize, alignment: usize, expected: Raw, flags: u64,
    ) {
        result.check("virPtr")?;
        let context = thread::usable_context()?;
        if size == 0 || !expected.is_null() || flags > 1 {
            return Err(Failure::parameter(format!(
                "size is {size}, expectPtr {expected:p}, flags {flags}: expected a size, null, and 0 or 1"
            )));
        }
        if alignment != 0 && !alignment.is_power_of_two() {
            let message = format!("alignment is {alignment}, expected 0 or a power of two");
            return Err(Failure::parameter(message));
        }
        let space = space(context.device)?;
        let alignment = alignment.max(PAGE) as u64;
        result.set("virPtr", pointer(space.reserve(size as u64, alignment)?))
    }

    /// Gives reserved addresses back.
    "8.1" fn aclrtReleaseMemAddress(address: Raw) {
        owner(address)?.release(handle(address))
    }

    /// Takes memory of a device, which has no address yet.
    "8.1" fn aclrtMallocPhysical(
        result: Out<Raw>, size: usize, properties: In<Properties>, _flags: u64,
    ) {
        result.check("handle")?;
        thread::usable_context()?;
        let properties = properties.values("prop", 1)?[0];
        if properties.location != 1 {
            let message = format!("prop.location.type is {}, expected 1, a device", properties.location);
            return Err(Failure::parameter(message));
        }
        let device = crate::runtime::device::of(properties.id)?;
        result.set("handle", pointer(physical::allocate(device.id, size as u64)?))
    }

    /// Gives memory back.
    "8.1" fn aclrtFreePhysical(target: Raw) {
        thread::context()?;
        physical::free(handle(target))
    }

    /// Puts memory at reserved addresses.
    "8.1" fn aclrtMapMem(address: Raw, size: usize, offset: usize, target: Raw, _flags: u64) {
        owner(address)?;
        if offset != 0 {
            return Err(Failure::parameter(format!("offset is {offset}, expected 0")));
        }
        physical::map(handle(address), handle(target), size as u64)
    }

    /// Takes memory from its addresses.
    "8.1" fn aclrtUnmapMem(address: Raw) {
        owner(address)?.unmap(handle(address))
    }
}

fn owner(address: Raw) -> Result<&'static crate::runtime::memory::Space, Failure> {
    thread::context()?;
    let device = arena().and_then(|arena| arena.device(handle(address)));
    let device = device.ok_or_else(|| {
        Failure::parameter(format!("virPtr is {address:p}, which is no device address"))
    })?;
    space(device)
}
