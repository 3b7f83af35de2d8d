//! Communicators of threads and of processes: what each operation gives, and what happens when ranks do not agree or are lost.

#![allow(unsafe_code, reason = "C functions are called")]

#[macro_use]
mod loaded;

#[path = "hccl/arguments.rs"]
mod arguments;
#[path = "hccl/collectives.rs"]
mod collectives;
#[path = "hccl/meeting.rs"]
mod meeting;
#[path = "hccl/process.rs"]
mod process;
#[path = "hccl/rank.rs"]
mod rank;
#[path = "hccl/streams.rs"]
mod streams;
#[path = "hccl/trouble.rs"]
mod trouble;
