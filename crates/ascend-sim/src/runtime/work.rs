//! What streams run.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock;
use super::memory::View;
use super::stream::Stream;
use crate::kernel::{Cost, Fault};
use crate::memory::Memory;

/// What a task does; it may run many times.
pub(crate) type Task = dyn Fn(&Run<'_>) -> Result<(), Fault> + Send + Sync;

/// A task of a stream, or of a graph, which runs it many times.
#[derive(Clone)]
pub(crate) struct Work {
    /// What it is called in messages: an operator, or a call.
    pub(crate) name: Arc<str>,
    pub(crate) run: Arc<Task>,
    /// For the time model.
    pub(crate) cost: Cost,
    /// Bytes that cross between host and device, for the time model.
    pub(crate) link: u64,
    /// Device memory that nothing else may use at the same time.
    pub(crate) scratch: Vec<Range<u64>>,
    /// What happens if it is put on a stream that is being captured.
    pub(crate) captured: Captured,
    /// Whether it runs on a stream that stopped at a fault, too: others wait for it.
    pub(crate) always: bool,
    /// Whether it is the launch of an operator, which a task group can replace.
    pub(crate) launch: bool,
}

/// What a capture does with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Captured {
    /// It becomes a node.
    Recorded,
    /// It is refused with this status and reason, and the capture is void.
    Refused(i32, &'static str),
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Work {
    /// Work of this name that costs nothing in the time model, and that captures record.
    pub(crate) fn new(
        name: impl Into<Arc<str>>,
        run: impl Fn(&Run<'_>) -> Result<(), Fault> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            run: Arc::new(run),
            cost: Cost::default(),
            link: 0,
            scratch: Vec::new(),
            captured: Captured::Recorded,
            always: false,
            launch: false,
        }
    }

    /// Work that a capture refuses.
    pub(crate) fn refused_by_capture(self, status: i32, why: &'static str) -> Self {
        Self { captured: Captured::Refused(status, why), ..self }
    }
}

/// Where work runs: the memory that it may touch, and whether it should give up.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    stream: &'a Stream,
}

impl<'a> Run<'a> {
    pub(crate) fn new(stream: &'a Stream) -> Self {
        Self { stream }
    }

    pub(crate) fn device(&self) -> u32 {
        self.stream.device
    }

    /// The memory of the device.
    pub(crate) fn view(&self) -> View {
        View { device: self.stream.device }
    }

    /// Whether the stream was aborted: work that waits for others must end.
    pub(crate) fn cancelled(&self) -> bool {
        self.stream.is_cancelled()
    }

    /// Simulated nanoseconds on this stream.
    pub(crate) fn now(&self) -> u64 {
        self.stream.simulated_now()
    }

    /// Lets simulated time pass until this moment, if it has not come yet.
    pub(crate) fn wait_until(&self, nanoseconds: u64) {
        self.stream.simulated_wait(nanoseconds);
    }

    /// Lets the time pass that work costs.
    pub(crate) fn spend(&self, work: &Work, in_graph: bool) {
        self.stream.simulated_pass(clock::nanoseconds(work, in_graph));
    }

    /// Sleeps, unless the stream is aborted.
    pub(crate) fn sleep(&self, longest: Duration) {
        let end = Instant::now() + longest;
        while !self.cancelled() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(2)));
        }
    }
}

impl Memory for Run<'_> {
    fn read(&self, address: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.view().read(address, out)
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.view().write(address, bytes)
    }

    fn jitter(&self) -> Option<u64> {
        self.view().jitter()
    }
}
