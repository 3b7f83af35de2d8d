//! Counting on the way to the observer.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{Event, Observer};

#[derive(Debug)]
pub(super) struct Tally<'a> {
    observer: &'a dyn Observer,
    advanced: AtomicU64,
    resumed: AtomicU64,
    retries: AtomicU64,
}

impl<'a> Tally<'a> {
    pub(super) fn new(observer: &'a dyn Observer) -> Self {
        let zero = || AtomicU64::new(0);
        Self { observer, advanced: zero(), resumed: zero(), retries: zero() }
    }

    /// Bytes that were there already.
    pub(super) fn resume(&self, bytes: u64) {
        self.resumed.fetch_add(bytes, Relaxed);
        self.on(&Event::Advanced { bytes });
    }

    pub(super) fn received(&self) -> u64 {
        self.advanced.load(Relaxed).saturating_sub(self.resumed())
    }

    pub(super) fn resumed(&self) -> u64 {
        self.resumed.load(Relaxed)
    }

    pub(super) fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }
}

impl Observer for Tally<'_> {
    fn on(&self, event: &Event<'_>) {
        match event {
            Event::Advanced { bytes } => self.advanced.fetch_add(*bytes, Relaxed),
            Event::Retry { .. } => self.retries.fetch_add(1, Relaxed),
            _ => 0,
        };
        self.observer.on(event);
    }
}
