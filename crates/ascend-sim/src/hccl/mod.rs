//! HCCL: communicators of ranks in threads or processes of one machine.
//!
//! A communicator is a star. The process that makes the root information runs the [`hub`]: it matches what the ranks ask
//! for, reduces in the order of ranks, answers, and tells all when something does not fit or a rank is gone. Ranks reach it
//! through Unix sockets, those of the same process too. An operation is a kernel on a stream: it reads device memory when the
//! stream comes to it, and its stream waits for the answer.

mod arguments;
mod calls;
mod communicator;
mod dtype;
mod fields;
mod group;
mod hub;
mod json;
mod launch;
mod link;
mod manage;
mod problem;
mod reduce;
mod rendezvous;
mod round;
mod table;
mod timeout;
mod wire;

pub(crate) use calls::EXPORTS as COLLECTIVES;
pub(crate) use manage::EXPORTS as COMMUNICATORS;
