//! Memory of the host: what programs pass, and what is pinned.
#![allow(
    unsafe_code,
    reason = "host memory belongs to the program; this module is where it is copied from and to"
)]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::ptr;
use std::sync::RwLock;

use crate::runtime::failure::Failure;
use crate::sync::{read, write};

/// Host memory that a call names.
///
/// Invariant: its bytes are valid for the access that the call asks for, until the call returns, or as long as they are
/// pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostSpan {
    address: usize,
    bytes: usize,
}

impl HostSpan {
    /// Host memory as the caller of an exported function promises it.
    ///
    /// # Safety
    ///
    /// `bytes` bytes at `address`, an exposed one, must be valid for what the call does with them, until it returns or as
    /// long as they are pinned.
    pub(crate) unsafe fn new(address: usize, bytes: usize) -> Self {
        Self { address, bytes }
    }

    pub(crate) fn address(self) -> u64 {
        self.address as u64
    }

    /// A part; the caller has checked that it lies inside.
    pub(super) fn part(self, offset: usize, bytes: usize) -> Self {
        debug_assert!(offset + bytes <= self.bytes);
        Self { address: self.address + offset, bytes }
    }

    /// Copies the bytes out.
    pub(super) fn read(self, out: &mut [u8]) {
        let bytes = self.bytes.min(out.len());
        let from = ptr::with_exposed_provenance::<u8>(self.address);
        // SAFETY: the invariant makes the source readable; `out` is a borrow of our own that the program cannot reach.
        unsafe { ptr::copy_nonoverlapping(from, out.as_mut_ptr(), bytes) };
    }

    /// Copies bytes in.
    pub(super) fn write(self, bytes: &[u8]) {
        let count = self.bytes.min(bytes.len());
        let to = ptr::with_exposed_provenance_mut::<u8>(self.address);
        // SAFETY: the invariant makes the destination writable; `bytes` is ours and overlaps no memory of the program.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, count) };
    }

    /// Copies to memory that may overlap.
    pub(super) fn move_to(self, to: Self) {
        let count = self.bytes.min(to.bytes);
        let from = ptr::with_exposed_provenance::<u8>(self.address);
        let to = ptr::with_exposed_provenance_mut::<u8>(to.address);
        // SAFETY: the invariant makes one readable and the other writable; they may overlap.
        unsafe { ptr::copy(from, to, count) };
    }
}

/// Pinned memory of the process.
#[derive(Debug, Default)]
pub(crate) struct Pinned {
    regions: RwLock<BTreeMap<usize, Region>>,
}

#[derive(Clone, Copy, Debug)]
struct Region {
    bytes: usize,
    /// That of memory from `aclrtMallocHost`; none of memory that the program registered.
    layout: Option<Layout>,
}

/// Pages, as drivers pin them.
const ALIGNMENT: usize = 4096;

impl Pinned {
    /// Allocates pinned memory.
    pub(crate) fn allocate(&self, bytes: usize) -> Result<usize, Failure> {
        let no_memory = || Failure::new(207_001, format!("no {bytes} bytes of host memory"));
        let layout = Layout::from_size_align(bytes.max(1), ALIGNMENT).map_err(|_| no_memory())?;
        // SAFETY: the layout has at least one byte.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            return Err(no_memory());
        }
        let start = start.expose_provenance();
        write(&self.regions).insert(start, Region { bytes, layout: Some(layout) });
        Ok(start)
    }

    /// Frees memory of [`Pinned::allocate`]; waits for copies from and to it that run.
    pub(crate) fn free(&self, start: usize) -> Result<(), Failure> {
        let mut regions = write(&self.regions);
        let Some(layout) = regions.get(&start).and_then(|region| region.layout) else {
            let message = format!("hostPtr {start:#x} was not given by aclrtMallocHost");
            return Err(Failure::parameter(message));
        };
        regions.remove(&start);
        // SAFETY: `alloc_zeroed` gave this start for this layout, and its entry, gone now, lets this happen once.
        unsafe { dealloc(ptr::with_exposed_provenance_mut(start), layout) };
        Ok(())
    }

    /// Pins memory of the program.
    pub(crate) fn register(&self, span: HostSpan) -> Result<(), Failure> {
        let mut regions = write(&self.regions);
        let end = span.address.saturating_add(span.bytes);
        let taken = regions.range(..end).next_back();
        if taken.is_some_and(|(start, region)| start + region.bytes > span.address) {
            let message = format!("ptr {:#x} is pinned already", span.address);
            return Err(Failure::new(507_910, message));
        }
        regions.insert(span.address, Region { bytes: span.bytes, layout: None });
        Ok(())
    }

    /// Ends [`Pinned::register`].
    pub(crate) fn unregister(&self, start: usize) -> Result<(), Failure> {
        let mut regions = write(&self.regions);
        if regions.get(&start).is_none_or(|region| region.layout.is_some()) {
            let message = format!("ptr {start:#x} is not registered");
            return Err(Failure::new(507_911, message));
        }
        regions.remove(&start);
        Ok(())
    }

    /// Whether all of a span is pinned.
    pub(crate) fn contains(&self, span: HostSpan) -> bool {
        covers(&read(&self.regions), span)
    }

    /// Runs a copy while the span stays pinned; `None` if it no longer is.
    pub(super) fn while_pinned<T>(&self, span: HostSpan, copy: impl FnOnce() -> T) -> Option<T> {
        let regions = read(&self.regions);
        covers(&regions, span).then(copy)
    }

    /// Pinned bytes.
    pub(crate) fn bytes(&self) -> u64 {
        read(&self.regions).values().map(|region| region.bytes as u64).sum()
    }
}

fn covers(regions: &BTreeMap<usize, Region>, span: HostSpan) -> bool {
    regions.range(..=span.address).next_back().is_some_and(|(start, region)| {
        (span.address - start).checked_add(span.bytes).is_some_and(|end| end <= region.bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(address: usize, bytes: usize) -> HostSpan {
        // SAFETY: these tests look at the address alone.
        unsafe { HostSpan::new(address, bytes) }
    }

    #[test]
    fn pinned_memory_is_known_by_its_addresses() {
        let pinned = Pinned::default();
        let start = pinned.allocate(100).unwrap();
        assert!(pinned.contains(span(start, 100)));
        assert!(pinned.contains(span(start + 40, 60)));
        assert!(!pinned.contains(span(start + 41, 60)));
        assert!(!pinned.contains(span(start - 1, 1)));
        assert_eq!(pinned.bytes(), 100);
        assert!(pinned.unregister(start).is_err());
        pinned.free(start).unwrap();
        assert_eq!(pinned.free(start).unwrap_err().status, 107_000);
        assert_eq!(pinned.bytes(), 0);
    }

    #[test]
    fn memory_is_registered_once() {
        let pinned = Pinned::default();
        pinned.register(span(0x5000, 0x1000)).unwrap();
        assert_eq!(pinned.register(span(0x5800, 0x1000)).unwrap_err().status, 507_910);
        assert!(pinned.free(0x5000).is_err());
        assert!(pinned.while_pinned(span(0x5000, 8), || ()).is_some());
        pinned.unregister(0x5000).unwrap();
        assert_eq!(pinned.unregister(0x5000).unwrap_err().status, 507_911);
        assert!(pinned.while_pinned(span(0x5000, 8), || ()).is_none());
    }
}
