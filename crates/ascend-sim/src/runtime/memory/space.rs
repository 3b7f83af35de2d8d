//! The memory of a device: what is allocated where.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, RwLock};

use super::backing::Backing;
use super::policy::Rounding;
use crate::runtime::failure::Failure;
use crate::sync::{read, write};

/// An allocation.
#[derive(Debug)]
pub(crate) struct Block {
    pub(super) start: u64,
    /// Bytes that may be written.
    pub(super) size: u64,
    /// Bytes that may be read: kernels read in blocks of 32, beyond the end too.
    readable: u64,
    /// Bytes of capacity that it takes, 0 if its physical memory is accounted for elsewhere.
    charge: u64,
    pub(super) backing: Arc<Backing>,
}

impl Block {
    /// Copies bytes out, from an address inside on.
    pub(super) fn read(&self, address: u64, out: &mut [u8]) {
        self.backing.read((address - self.start) as usize, out);
    }

    /// Copies bytes in, from an address inside on.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) {
        self.backing.write((address - self.start) as usize, bytes);
    }

    /// Sets bytes, from an address inside on.
    pub(super) fn fill(&self, address: u64, count: u64, value: u8) {
        let offset = (address - self.start) as usize;
        self.backing.fill(offset..offset + count as usize, value);
    }

    /// Makes bytes read as 0xFF.
    pub(super) fn poison(&self, address: u64, count: u64) {
        let offset = (address - self.start) as usize;
        self.backing.poison(offset..offset + count as usize);
    }
}

/// What an access wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The allocations of a device.
#[derive(Debug)]
pub(crate) struct Space {
    /// Addresses of the device.
    range: Range<u64>,
    /// Bytes that programs may have.
    capacity: u64,
    inner: RwLock<Inner>,
}

#[derive(Debug)]
struct Inner {
    live: BTreeMap<u64, Arc<Block>>,
    /// Reserved addresses and their length; blocks are mapped into them.
    reserved: BTreeMap<u64, u64>,
    freed: BTreeMap<u64, u64>,
    /// Starts of `freed`, oldest first.
    order: VecDeque<u64>,
    cursor: u64,
    used: u64,
    peak: u64,
}

/// Addresses between allocations that belong to none, so that running over the end is seen.
const GAP: u64 = 4096;
/// What CANN promises about the start of an allocation.
const ALIGNMENT: u64 = 64;
/// How many freed allocations are remembered.
const REMEMBERED: usize = 1 << 16;

impl Space {
    pub(super) fn new(range: Range<u64>, capacity: u64) -> Self {
        let inner = Inner {
            live: BTreeMap::new(),
            reserved: BTreeMap::new(),
            freed: BTreeMap::new(),
            order: VecDeque::new(),
            cursor: range.start,
            used: 0,
            peak: 0,
        };
        Self { range, capacity, inner: RwLock::new(inner) }
    }

    /// Bytes in use and the most that ever were.
    pub(crate) fn used(&self) -> (u64, u64) {
        let inner = read(&self.inner);
        (inner.used, inner.peak)
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Allocates poisoned memory.
    pub(crate) fn allocate(&self, size: u64, rounding: Rounding) -> Result<u64, Failure> {
        let capacity = self.capacity;
        if size > capacity {
            let message = format!("size is {size}, the device has {capacity} bytes of HBM");
            return Err(Failure::new(207_001, message));
        }
        let charge = rounding.charge(size);
        let mut inner = write(&self.inner);
        self.charge(&mut inner, charge, size)?;
        let readable = rounding.readable(size);
        let block = self.place(&mut inner, readable, ALIGNMENT).and_then(|start| {
            let backing = Backing::new(readable as usize).map_err(|error| {
                Failure::new(207_001, format!("{size} bytes: the host has no memory: {error}"))
            })?;
            Ok(Block { start, size, readable, charge, backing: Arc::new(backing) })
        });
        match block {
            Ok(block) => {
                let start = block.start;
                inner.live.insert(start, Arc::new(block));
                Ok(start)
            }
            Err(failure) => {
                inner.used -= charge;
                Err(failure)
            }
        }
    }

    /// Takes capacity for physical memory without an address.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), Failure> {
        self.charge(&mut write(&self.inner), bytes, bytes)
    }

    /// Gives capacity back.
    pub(crate) fn give_back(&self, bytes: u64) {
        write(&self.inner).used -= bytes;
    }

    fn charge(&self, inner: &mut Inner, charge: u64, size: u64) -> Result<(), Failure> {
        let free = self.capacity - inner.used;
        if charge > free {
            let capacity = self.capacity;
            return Err(Failure::new(
                207_001,
                format!(
                    "size is {size}, which takes {charge} bytes with its rounding; {free} of {capacity} bytes of HBM are free"
                ),
            ));
        }
        inner.used += charge;
        inner.peak = inner.peak.max(inner.used);
        Ok(())
    }

    /// Finds addresses that nothing has, those that were not used for the longest time first.
    fn place(&self, inner: &mut Inner, len: u64, alignment: u64) -> Result<u64, Failure> {
        for _ in 0..2 {
            loop {
                let start = inner.cursor.next_multiple_of(alignment);
                let Some(end) = start.checked_add(len + GAP).filter(|end| *end <= self.range.end)
                else {
                    break;
                };
                let block = inner.live.range(..end).next_back();
                let block = block.map_or(0, |(at, block)| at + block.readable);
                let reserved = inner.reserved.range(..end).next_back();
                let reserved = reserved.map_or(0, |(at, len)| at + len);
                let taken = block.max(reserved);
                if taken <= start {
                    inner.cursor = end;
                    inner.forget(start..end);
                    return Ok(start);
                }
                inner.cursor = taken + GAP;
            }
            inner.cursor = self.range.start;
        }
        Err(Failure::new(207_001, format!("no {len} device addresses in one piece")))
    }

    /// Ends the allocation that begins at an address.
    pub(crate) fn free(&self, address: u64) -> Result<(), Failure> {
        let mut inner = write(&self.inner);
        if inner.live.get(&address).is_some_and(|block| block.charge > 0) {
            let block = inner.end(address);
            inner.used -= block.map_or(0, |block| block.charge);
            return Ok(());
        }
        Err(Failure::parameter(format!("devPtr is {}", inner.describe(address))))
    }

    /// The block that has these bytes, or what is there instead.
    pub(super) fn find(
        &self,
        address: u64,
        count: u64,
        access: Access,
    ) -> Result<Arc<Block>, String> {
        let inner = read(&self.inner);
        if let Some((_, block)) = inner.live.range(..=address).next_back() {
            let limit = match access {
                Access::Read => block.readable,
                Access::Write => block.size,
            };
            let offset = address - block.start;
            if offset.checked_add(count).is_some_and(|end| end <= limit) {
                return Ok(Arc::clone(block));
            }
        }
        Err(format!("{count} bytes at {}", inner.describe(address)))
    }

    /// Reserves addresses without memory.
    pub(crate) fn reserve(&self, size: u64, alignment: u64) -> Result<u64, Failure> {
        let mut inner = write(&self.inner);
        let start = self.place(&mut inner, size, alignment)?;
        inner.reserved.insert(start, size);
        Ok(start)
    }

    /// Gives reserved addresses back; nothing may be mapped there.
    pub(crate) fn release(&self, address: u64) -> Result<(), Failure> {
        let mut inner = write(&self.inner);
        let Some(len) = inner.reserved.get(&address).copied() else {
            return Err(Failure::parameter(format!("virPtr {address:#x} is no reserved range")));
        };
        if inner.live.range(address..address + len).next().is_some() {
            return Err(Failure::parameter(format!("virPtr {address:#x} is still mapped")));
        }
        inner.reserved.remove(&address);
        Ok(())
    }

    /// Puts physical memory at reserved addresses.
    pub(super) fn map(&self, address: u64, backing: Arc<Backing>) -> Result<(), Failure> {
        let mut inner = write(&self.inner);
        let size = backing.len() as u64;
        let fits = inner.reserved.range(..=address).next_back().is_some_and(|(start, len)| {
            address.checked_add(size).is_some_and(|end| end <= start + len)
        });
        if !fits {
            let message = format!("virPtr {address:#x} has no {size} reserved bytes");
            return Err(Failure::parameter(message));
        }
        let taken = inner.live.range(..address + size).next_back();
        if taken.is_some_and(|(start, block)| start + block.size > address) {
            return Err(Failure::parameter(format!("virPtr {address:#x} is mapped already")));
        }
        let block = Block { start: address, size, readable: size, charge: 0, backing };
        inner.live.insert(address, Arc::new(block));
        Ok(())
    }

    /// Takes physical memory from its addresses.
    pub(crate) fn unmap(&self, address: u64) -> Result<(), Failure> {
        let mut inner = write(&self.inner);
        if inner.live.get(&address).is_some_and(|block| block.charge == 0) {
            inner.end(address);
            return Ok(());
        }
        Err(Failure::parameter(format!("virPtr is {}, not mapped", inner.describe(address))))
    }
}

impl Inner {
    fn end(&mut self, address: u64) -> Option<Arc<Block>> {
        let block = self.live.remove(&address)?;
        self.freed.insert(address, block.size);
        self.order.push_back(address);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.freed.remove(&oldest);
        }
        Some(block)
    }

    /// Drops the memory of what was freed where something new begins.
    fn forget(&mut self, range: Range<u64>) {
        let again: Vec<u64> = self.freed.range(range).map(|(start, _)| *start).collect();
        for start in again {
            self.freed.remove(&start);
            self.order.retain(|other| *other != start);
        }
    }

    /// What lies at an address, for messages.
    fn describe(&self, address: u64) -> String {
        let live = self.live.range(..=address).next_back();
        if let Some((start, block)) =
            live.filter(|(start, block)| address - **start < block.readable)
        {
            let (offset, size) = (address - start, block.size);
            return format!("{address:#x}, byte {offset} of an allocation of {size} at {start:#x}");
        }
        let freed = self.freed.range(..=address).next_back();
        if let Some((start, size)) = freed.filter(|(start, size)| address - **start < **size) {
            return format!(
                "{address:#x}, in an allocation of {size} bytes at {start:#x} that was freed"
            );
        }
        match live.filter(|(start, block)| address - **start < block.readable + GAP) {
            Some((start, block)) => {
                let size = block.size;
                format!(
                    "{address:#x}, beyond the end of an allocation of {size} bytes at {start:#x}"
                )
            }
            None => format!("{address:#x}, where nothing is allocated"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NORMAL: Rounding = Rounding { page: 4096, pad: 32 };

    fn space(addresses: u64, capacity: u64) -> Space {
        Space::new(0x10_0000..0x10_0000 + addresses, capacity)
    }

    #[test]
    fn bounds_are_those_of_the_allocation() {
        let space = space(1 << 20, 1 << 20);
        let start = space.allocate(100, NORMAL).unwrap();
        assert!(start.is_multiple_of(64));
        assert!(space.find(start + 90, 10, Access::Write).is_ok());
        let over = space.find(start + 90, 11, Access::Write).unwrap_err();
        assert!(over.contains("byte 90 of an allocation of 100"), "{over}");
        // 100 rounded up to 128, and 32 more.
        assert!(space.find(start, 160, Access::Read).is_ok());
        assert!(space.find(start, 161, Access::Read).is_err());
        assert!(space.find(start + 200, 1, Access::Read).unwrap_err().contains("beyond the end"));
        assert!(space.find(start + 90_000, 1, Access::Read).unwrap_err().contains("nothing"));
        assert!(space.find(u64::MAX, u64::MAX, Access::Read).is_err());
    }

    #[test]
    fn freed_memory_is_known_as_such_and_not_used_at_once() {
        let space = space(1 << 20, 1 << 20);
        let first = space.allocate(100, NORMAL).unwrap();
        space.free(first).unwrap();
        assert_ne!(space.allocate(100, NORMAL).unwrap(), first);
        assert!(space.find(first, 1, Access::Read).unwrap_err().contains("was freed"));
        assert!(space.free(first).unwrap_err().message.contains("was freed"));
        assert_eq!(space.free(first + 1).unwrap_err().status, 107_000);
    }

    #[test]
    fn addresses_come_round_again() {
        let space = space(64 << 10, 1 << 30);
        let kept = space.allocate(100, NORMAL).unwrap();
        let first = space.allocate(100, NORMAL).unwrap();
        space.free(first).unwrap();
        let mut again = false;
        for _ in 0..40 {
            let next = space.allocate(100, NORMAL).unwrap();
            assert_ne!(next, kept);
            again |= next == first;
            space.free(next).unwrap();
        }
        assert!(again);
    }

    #[test]
    fn capacity_is_counted_in_pages() {
        let space = space(1 << 30, 3 << 21);
        let huge = Rounding { page: 2 << 20, pad: 32 };
        let first = space.allocate(1, huge).unwrap();
        assert_eq!(space.used().0, 2 << 20);
        // 2 MiB and 32 bytes take two pages.
        let second = space.allocate(2 << 20, huge).unwrap();
        assert_eq!(space.allocate(1, huge).unwrap_err().status, 207_001);
        space.free(first).unwrap();
        space.free(second).unwrap();
        assert_eq!(space.used(), (0, 3 << 21));
    }

    #[test]
    fn physical_memory_moves_between_addresses() {
        let space = space(1 << 30, 1 << 30);
        let range = space.reserve(4 << 20, 2 << 20).unwrap();
        let backing = Arc::new(Backing::new(2 << 20).unwrap());
        space.map(range, Arc::clone(&backing)).unwrap();
        assert!(space.map(range, Arc::clone(&backing)).is_err());
        assert!(space.map(range + (3 << 20), Arc::clone(&backing)).is_err());
        space.find(range, 4, Access::Write).unwrap().write(range, &[1, 2, 3, 4]);
        assert!(space.free(range).is_err());
        assert!(space.release(range).is_err());
        space.unmap(range).unwrap();
        let second = range + (2 << 20);
        space.map(second, backing).unwrap();
        let mut bytes = [0; 4];
        space.find(second, 4, Access::Read).unwrap().read(second, &mut bytes);
        assert_eq!(bytes, [1, 2, 3, 4]);
        space.unmap(second).unwrap();
        space.release(range).unwrap();
    }
}
