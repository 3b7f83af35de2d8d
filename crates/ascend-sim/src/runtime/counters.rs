//! What is alive, and what was done: for the tests of programs.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::handles::handles;
use super::memory::{device_bytes, pinned};
use super::{context, event, graph, stream};

/// The counts that `ascendSimCounters` gives, in this order, each a `uint64_t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Counters {
    // What is alive.
    pub(crate) executors: u64,
    pub(crate) tensors: u64,
    /// Scalars, those in lists included.
    pub(crate) scalars: u64,
    /// Lists of tensors and of scalars.
    pub(crate) lists: u64,
    /// Arrays of integers, floats and booleans.
    pub(crate) arrays: u64,
    /// Streams that were created, without default ones.
    pub(crate) streams: u64,
    pub(crate) events: u64,
    /// Contexts that were created, without default ones.
    pub(crate) contexts: u64,
    pub(crate) graphs: u64,
    /// Bytes of capacity in use on all devices.
    pub(crate) device_bytes: u64,
    pub(crate) pinned_bytes: u64,
    // What was done since the last reset.
    /// Second phases of operators.
    pub(crate) launches: u64,
    /// Device allocations.
    pub(crate) allocations: u64,
    /// Copies and fills that the host waited for, those of pageable memory included.
    pub(crate) blocking_copies: u64,
    /// Waits for streams, events and devices.
    pub(crate) synchronises: u64,
    /// Copies and fills that were left to a stream.
    pub(crate) async_copies: u64,
    /// Runs of graphs.
    pub(crate) replays: u64,
    /// First phases of operators that made an executor.
    pub(crate) preparations: u64,
}

/// Counts of what was done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    launches: AtomicU64,
    allocations: AtomicU64,
    blocking_copies: AtomicU64,
    synchronises: AtomicU64,
    async_copies: AtomicU64,
    replays: AtomicU64,
    preparations: AtomicU64,
}

/// The counts of the process.
pub(crate) fn counters() -> &'static Done {
    static DONE: Done = Done {
        launches: AtomicU64::new(0),
        allocations: AtomicU64::new(0),
        blocking_copies: AtomicU64::new(0),
        synchronises: AtomicU64::new(0),
        async_copies: AtomicU64::new(0),
        replays: AtomicU64::new(0),
        preparations: AtomicU64::new(0),
    };
    &DONE
}

impl Done {
    pub(crate) fn launches(&self) {
        self.launches.fetch_add(1, Relaxed);
    }

    pub(crate) fn allocations(&self) {
        self.allocations.fetch_add(1, Relaxed);
    }

    pub(crate) fn blocking_copies(&self) {
        self.blocking_copies.fetch_add(1, Relaxed);
    }

    pub(crate) fn synchronises(&self) {
        self.synchronises.fetch_add(1, Relaxed);
    }

    pub(crate) fn async_copies(&self) {
        self.async_copies.fetch_add(1, Relaxed);
    }

    pub(crate) fn replays(&self) {
        self.replays.fetch_add(1, Relaxed);
    }

    pub(crate) fn preparations(&self) {
        self.preparations.fetch_add(1, Relaxed);
    }

    /// Begins to count from 0 again.
    pub(crate) fn reset(&self) {
        for count in [
            &self.launches,
            &self.allocations,
            &self.blocking_copies,
            &self.synchronises,
            &self.async_copies,
            &self.replays,
            &self.preparations,
        ] {
            count.store(0, Relaxed);
        }
    }

    /// All counts now.
    pub(crate) fn now(&self) -> Counters {
        let handles = handles();
        Counters {
            executors: handles.executors.len() as u64,
            tensors: handles.tensors.len() as u64,
            scalars: handles.scalars.len() as u64,
            lists: (handles.tensor_lists.len() + handles.scalar_lists.len()) as u64,
            arrays: (handles.int_arrays.len()
                + handles.float_arrays.len()
                + handles.bool_arrays.len()) as u64,
            streams: stream::made(),
            events: event::made(),
            contexts: context::made(),
            graphs: graph::made(),
            device_bytes: device_bytes(),
            pinned_bytes: pinned().bytes(),
            launches: self.launches.load(Relaxed),
            allocations: self.allocations.load(Relaxed),
            blocking_copies: self.blocking_copies.load(Relaxed),
            synchronises: self.synchronises.load(Relaxed),
            async_copies: self.async_copies.load(Relaxed),
            replays: self.replays.load(Relaxed),
            preparations: self.preparations.load(Relaxed),
        }
    }
}

impl Counters {
    /// What is alive, in words; `None` if nothing is.
    pub(crate) fn leaks(&self) -> Option<String> {
        let alive = [
            ("executors", self.executors),
            ("tensors", self.tensors),
            ("scalars", self.scalars),
            ("lists", self.lists),
            ("arrays", self.arrays),
            ("streams", self.streams),
            ("events", self.events),
            ("contexts", self.contexts),
            ("graphs", self.graphs),
            ("bytes of device memory", self.device_bytes),
            ("bytes of pinned memory", self.pinned_bytes),
        ];
        let leaks: Vec<String> = alive
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        (!leaks.is_empty()).then(|| leaks.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaks_are_named() {
        assert_eq!(Counters::default().leaks(), None);
        let counters =
            Counters { tensors: 2, device_bytes: 64, launches: 9, ..Counters::default() };
        assert_eq!(counters.leaks().unwrap(), "2 tensors, 64 bytes of device memory");
    }
}
