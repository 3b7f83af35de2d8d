//! The exported functions, called as a C program calls them.
//!
//! The simulator is one device for the process, as the vendor's runtime is, so tests take turns; those that need another
//! machine run in a process of their own.

#[macro_use]
#[path = "runtime/support.rs"]
mod support;
#[path = "runtime/sys.rs"]
mod sys;

#[path = "runtime/branches.rs"]
mod branches;
#[path = "runtime/capture.rs"]
mod capture;
#[path = "runtime/context.rs"]
mod context;
#[path = "runtime/copy.rs"]
mod copy;
#[path = "runtime/cycles.rs"]
mod cycles;
#[path = "runtime/event.rs"]
mod event;
#[path = "runtime/executor.rs"]
mod executor;
#[path = "runtime/fault.rs"]
mod fault;
#[path = "runtime/init.rs"]
mod init;
#[path = "runtime/memory.rs"]
mod memory;
#[path = "runtime/stream.rs"]
mod stream;
#[path = "runtime/telemetry.rs"]
mod telemetry;
#[path = "runtime/threads.rs"]
mod threads;
#[path = "runtime/updates.rs"]
mod updates;
