//! Devices, streams, memory and graphs, safe to use.
//!
//! # How memory stays alive
//!
//! What is put on a stream runs later, when the borrows of the call that put it there are over. So memory does not rely on borrows:
//!
//! - A stream numbers its tasks. Device memory notes, for every stream, the last task that uses it — before the task is put on the stream, and under the stream's lock.
//! - When the last owner of memory is gone, it is freed if all those tasks are known to be over. If not, its device keeps it, and frees it when
//!   somebody next waits for a stream that shows that they are; at the latest when the stream is dropped, which waits, or when memory
//!   runs short.
//! - A copy between host and device that does not go through a stream waits for those tasks first, and no task that uses the memory
//!   is put on a stream until the copy is over.
//! - A graph owns all memory that its tasks use, workspaces included. Each run of it counts as a use of all of them.
//! - Pinned host memory is given to the stream for the time of a copy ([`Transfer`]); it comes back when the copy is over.
//!
//! Nothing of this depends on a destructor running: what is forgotten is never freed. Two streams that use the same memory
//! without an event between them are a race, as they are for CANN: the numbers may be any, but the memory is there.
//!
//! Streams, buffers, events and graphs hold on to their device, so they may be dropped in any order, on any thread. An error in a destructor
//! is kept for [`Ascend::take_drop_errors`](crate::Ascend::take_drop_errors).
//!
//! # Device faults
//!
//! A fault sticks: the context is of no use any more. The call that finds it gives the code; every later call gives
//! [`Error::ContextLost`](crate::Error::ContextLost), both of class [`DeviceFault`](crate::codes::Class::DeviceFault). When everything that
//! belongs to the device is dropped, it can be opened again.

mod arena;
mod block;
mod buffer;
mod capture;
mod collectives;
mod comm;
mod device;
mod element;
mod event;
mod failures;
mod garbage;
mod graph;
mod handle;
mod host;
mod recording;
mod root_info;
mod runtime;
mod stream;
mod sync;
mod telemetry;
mod transfer;
mod uses;
mod workspace;

pub use arena::Arena;
pub(crate) use block::Block;
pub use buffer::{DeviceBuffer, DeviceSlice};
pub use capture::{Capture, CaptureMode};
pub use collectives::{Message, Pieces, Reduction};
pub use comm::Comm;
pub use device::Device;
pub use element::Element;
pub use event::Event;
pub(crate) use failures::record as record_failure;
pub use graph::{Graph, Group, Update};
pub use host::HostBuffer;
pub use root_info::RootInfo;
pub use runtime::Runtime;
pub use stream::Stream;
pub(crate) use stream::Task;
pub use telemetry::{MemoryInfo, MemoryUse, Utilisation};
pub use transfer::Transfer;
