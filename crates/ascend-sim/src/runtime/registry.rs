//! Handles: what a C program holds in place of an object.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use crate::sync;

/// A kind of object, and the mark in its handles.
///
/// A handle is no address: the mark makes it one that no process can map, so a program that looks inside faults. None is
/// ever used again, so a stale one is always recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Kind {
    Context = 0x0A01,
    Stream = 0x0A02,
    Event = 0x0A03,
    Graph = 0x0A04,
    TaskGroup = 0x0A05,
    Physical = 0x0A06,
    Tensor = 0x0A11,
    TensorList = 0x0A12,
    Scalar = 0x0A13,
    ScalarList = 0x0A14,
    IntArray = 0x0A15,
    FloatArray = 0x0A16,
    BoolArray = 0x0A17,
    Executor = 0x0A18,
    Communicator = 0x0A21,
}

impl Kind {
    const ALL: [Self; 15] = [
        Self::Context,
        Self::Stream,
        Self::Event,
        Self::Graph,
        Self::TaskGroup,
        Self::Physical,
        Self::Tensor,
        Self::TensorList,
        Self::Scalar,
        Self::ScalarList,
        Self::IntArray,
        Self::FloatArray,
        Self::BoolArray,
        Self::Executor,
        Self::Communicator,
    ];

    /// What the pointer `raw` is, for messages: a live or dead handle of some kind, or a foreign pointer.
    pub(crate) fn describe(raw: *const c_void) -> String {
        let mark = (raw.addr() as u64 >> MARK_SHIFT) as u16;
        match Self::ALL.into_iter().find(|kind| *kind as u16 == mark) {
            Some(kind) => format!("{raw:p}, a handle of kind {kind:?} that is not alive"),
            None if raw.is_null() => "null".to_owned(),
            None => format!("{raw:p}, which no call of this library returned"),
        }
    }
}

const MARK_SHIFT: u32 = 48;
/// Handles look like addresses of objects of 64 bytes.
const STEP: u64 = 64;

/// The live objects of a kind.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    kind: Kind,
    next: AtomicU64,
    live: RwLock<HashMap<u64, Arc<T>>>,
}

impl<T> Registry<T> {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, next: AtomicU64::new(1), live: RwLock::default() }
    }

    /// Adds an object that knows its handle.
    pub(crate) fn insert_with(&self, make: impl FnOnce(u64) -> T) -> (u64, Arc<T>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let handle = (u64::from(self.kind as u16) << MARK_SHIFT) | (number * STEP);
        let object = Arc::new(make(handle));
        sync::write(&self.live).insert(handle, Arc::clone(&object));
        (handle, object)
    }

    /// Adds an object.
    pub(crate) fn insert(&self, object: T) -> u64 {
        self.insert_with(|_| object).0
    }

    /// The object of this handle, if it is alive.
    pub(crate) fn get(&self, handle: u64) -> Option<Arc<T>> {
        sync::read(&self.live).get(&handle).cloned()
    }

    /// Ends the life of a handle.
    pub(crate) fn remove(&self, handle: u64) -> Option<Arc<T>> {
        sync::write(&self.live).remove(&handle)
    }

    /// How many are alive.
    pub(crate) fn len(&self) -> usize {
        sync::read(&self.live).len()
    }

    /// All that are alive.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        sync::read(&self.live).values().cloned().collect()
    }
}

/// The pointer that stands for a handle.
pub(crate) fn pointer(handle: u64) -> *mut c_void {
    std::ptr::without_provenance_mut(handle as usize)
}

/// The handle that a pointer stands for.
pub(crate) fn handle<T>(pointer: *const T) -> u64 {
    pointer.addr() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_not_used_again() {
        let registry = Registry::new(Kind::Event);
        let first = registry.insert("a");
        assert_eq!(registry.remove(first).as_deref(), Some(&"a"));
        let second = registry.insert("b");
        assert_ne!(first, second);
        assert!(registry.get(first).is_none());
        assert_eq!(registry.get(second).as_deref(), Some(&"b"));
        assert_eq!(registry.len(), 1);
    }

    #[test]
    fn a_stray_pointer_is_described() {
        let registry = Registry::new(Kind::Stream);
        let handle = registry.insert(());
        assert!(Kind::describe(pointer(handle)).contains("Stream"));
        assert!(Kind::describe((&raw const registry).cast()).contains("no call"));
        assert_eq!(Kind::describe(std::ptr::null()), "null");
    }
}
