//! The runtime: devices, contexts, streams, memory, and the handles of programs.

pub(crate) mod callback;
pub(crate) mod capture;
mod clock;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod counters;
pub(crate) mod device;
pub(crate) mod event;
pub(crate) mod exception;
pub(crate) mod executor;
pub(crate) mod failure;
pub(crate) mod faults;
pub(crate) mod graph;
pub(crate) mod group;
pub(crate) mod handles;
pub(crate) mod init;
pub(crate) mod launch;
pub(crate) mod memory;
mod order;
pub(crate) mod registry;
mod status;
pub(crate) mod stream;
pub(crate) mod thread;
pub(crate) mod transfer;
pub(crate) mod work;
mod worker;
