//! The runtime: devices, contexts, streams, memory, and the handles of programs.

pub(crate) mod config;
pub(crate) mod executor;
pub(crate) mod failure;
pub(crate) mod faults;
pub(crate) mod handles;
pub(crate) mod init;
pub(crate) mod launch;
pub(crate) mod memory;
pub(crate) mod registry;
mod status;
pub(crate) mod thread;
