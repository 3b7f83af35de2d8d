//! Device memory and pinned memory.

use super::pointer::{Address, Out, Raw};
use crate::runtime::config::machine;
use crate::runtime::counters::counters;
use crate::runtime::failure::Failure;
use crate::runtime::launch::faults;
use crate::runtime::memory::{Place, Rounding, arena, pinned, space};
use crate::runtime::registry::{handle, pointer};
use crate::runtime::transfer::place;
use crate::runtime::{capture, stream, thread};

/// An `aclrtMemUsageInfo`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Usage {
    name: [u8; 32],
    current: u64,
    peak: u64,
    reserved: [usize; 8],
}

/// An `aclrtPtrAttributes`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Attributes {
    id: u32,
    /// 0 host, 1 device.
    location: i32,
    page_size: u32,
    reserved: [u32; 4],
}

export! {
    "acl_rt";

    /// Allocates device memory; it is poisoned with 0xFF.
    "8.1" fn aclrtMalloc(result: Out<Raw>, size: usize, policy: i32) {
        allocate(result, size, policy, false)
    }

    /// As `aclrtMalloc`, without the 32 bytes more.
    "8.1" fn aclrtMallocAlign32(result: Out<Raw>, size: usize, policy: i32) {
        allocate(result, size, policy, true)
    }

    /// As `aclrtMalloc`.
    "8.1" fn aclrtMallocCached(result: Out<Raw>, size: usize, policy: i32) {
        allocate(result, size, policy, false)
    }

    /// As `aclrtMalloc`; the configuration is not read.
    "8.1" fn aclrtMallocWithCfg(result: Out<Raw>, size: usize, policy: i32, _config: Raw) {
        allocate(result, size, policy, false)
    }

    /// Frees device memory at once, whatever streams still do with it.
    "8.1" fn aclrtFree(address: Raw) {
        free(address)
    }

    /// Waits for the device, and frees device memory.
    "8.5" fn aclrtFreeWithDevSync(address: Raw) {
        counters().synchronises();
        stream::synchronise_device(None)?;
        free(address)
    }

    /// Allocates pinned host memory.
    "8.1" fn aclrtMallocHost(result: Out<Raw>, size: usize) {
        result.check("hostPtr")?;
        some(size)?;
        let context = thread::usable_context()?;
        capture::may_allocate(context.device)?;
        let start = pinned().allocate(size)?;
        result.set("hostPtr", std::ptr::with_exposed_provenance_mut(start))
    }

    /// Frees pinned host memory.
    "8.1" fn aclrtFreeHost(address: Raw) {
        given(address, "hostPtr")?;
        thread::context()?;
        pinned().free(address.addr())
    }

    /// Pins memory of the program. The device address is that of the host, which kernels cannot reach here.
    "8.1" fn aclrtHostRegister(address: Address, size: u64, kind: i32, device: Out<Raw>) {
        thread::usable_context()?;
        address.check("ptr")?;
        some(size as usize)?;
        if kind != 0 {
            return Err(Failure::parameter(format!("type is {kind}, expected 0, mapped")));
        }
        let span = address.span(size as usize);
        pinned().register(span)?;
        device.set_if_wanted(pointer(span.address()));
        Ok(())
    }

    /// Ends it.
    "8.1" fn aclrtHostUnregister(address: Raw) {
        given(address, "ptr")?;
        thread::context()?;
        pinned().unregister(address.addr())
    }

    /// Free and all memory of the current device, of an `aclrtMemAttr`; 0 and 0 for one that the chip has not.
    "8.1" fn aclrtGetMemInfo(attribute: i32, free: Out<usize>, total: Out<usize>) {
        let context = thread::context()?;
        let space = space(context.device)?;
        let (used, _) = space.used();
        let (free_bytes, total_bytes) = match attribute {
            // HBM, with normal, huge and peer-to-peer pages.
            1 | 4 | 5 | 8..=11 => (space.capacity() - used, space.capacity()),
            0 | 2 | 3 | 6 | 7 => (0, 0),
            _ => {
                let message = format!("attr is {attribute}, expected an aclrtMemAttr, 0 to 11");
                return Err(Failure::parameter(message));
            }
        };
        free.set("free", free_bytes as usize)?;
        total.set("total", total_bytes as usize)
    }

    /// Memory in use by component; there is one, the program.
    "8.5" fn aclrtGetMemUsageInfo(
        device_id: i32, usage: Out<Usage>, input_num: usize, output_num: Out<usize>,
    ) {
        let device = crate::runtime::device::device(device_id)?;
        usage.check("memUsageInfo")?;
        output_num.check("outputNum")?;
        if input_num == 0 {
            return Err(Failure::parameter("inputNum is 0, expected room for one component"));
        }
        let (current, peak) = space(device.id)?.used();
        let mut name = [0; 32];
        name[..3].copy_from_slice(b"app");
        usage.set("memUsageInfo", Usage { name, current, peak, reserved: [0; 8] })?;
        output_num.set("outputNum", 1)
    }

    /// Whether a pointer is of host or device, and of which.
    "8.1" fn aclrtPointerGetAttributes(target: Address, attributes: Out<Attributes>) {
        thread::context()?;
        target.check("ptr")?;
        let (id, location) = match place(target.span(1)) {
            Place::Device(address) => {
                (arena().and_then(|arena| arena.device(address)).unwrap_or(0), 1)
            }
            Place::Host(_) => (0, 0),
        };
        let page_size = if location == 1 { 2 << 20 } else { 4 << 10 };
        attributes.set("attributes", Attributes { id, location, page_size, reserved: [0; 4] })
    }
}

fn allocate(result: Out<Raw>, size: usize, policy: i32, aligned: bool) -> Result<(), Failure> {
    result.check("devPtr")?;
    some(size)?;
    let rounding = Rounding::of(policy, aligned, machine().soc)?;
    let context = thread::usable_context()?;
    capture::may_allocate(context.device)?;
    counters().allocations();
    if faults().allocation_fails() {
        let message = format!("size is {size}: no memory, as ASCEND_SIM_FAULTS asks for");
        return Err(Failure::new(207_001, message));
    }
    let address = space(context.device)?.allocate(size as u64, rounding)?;
    result.set("devPtr", pointer(address))
}

fn free(address: Raw) -> Result<(), Failure> {
    given(address, "devPtr")?;
    thread::context()?;
    let address = handle(address);
    let owner = arena().and_then(|arena| arena.device(address)).ok_or_else(|| {
        Failure::parameter(format!("devPtr is {address:#x}, which is no device address"))
    })?;
    space(owner)?.free(address)
}

fn some(size: usize) -> Result<(), Failure> {
    if size == 0 {
        return Err(Failure::argument("size is 0, expected at least 1"));
    }
    Ok(())
}

fn given(pointer: Raw, argument: &str) -> Result<(), Failure> {
    if pointer.is_null() { Err(Failure::null(argument)) } else { Ok(()) }
}
