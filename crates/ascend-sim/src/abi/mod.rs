//! The C symbols.
//!
//! Every exported function is `unsafe`: its caller promises that each pointer is null or as the vendor's documentation
//! wants it. What can be checked is checked, and none unwinds.

#[macro_use]
mod export;
#[macro_use]
mod operator;
mod argument;
mod arrays;
mod callback;
mod context;
mod copy;
mod device;
mod event;
mod executor;
mod graph;
mod info;
mod lists;
mod memory;
mod options;
mod pointer;
mod simulator;
mod stream;
mod tensor;
mod virtual_memory;
mod weight_size;

pub(crate) use argument::Argument;
pub(crate) use export::Export;
pub(crate) use info::cores;
pub(crate) use operator::{Operator, first_phase, second_phase};
pub(crate) use pointer::{In, Out, Raw, Text};

/// Every function of the runtime and of libnnopbase that returns a status. Those that do not: `aclGetRecentErrMsg`,
/// `aclrtGetSocName`, `aclrtGetLastError`, `aclrtPeekAtLastError`, `aclrtGet*FromExceptionInfo` and `aclCreate*`.
pub(crate) const EXPORTS: &[&[Export]] = &[
    arrays::EXPORTS,
    callback::EXPORTS,
    context::EXPORTS,
    copy::EXPORTS,
    device::EXPORTS,
    event::EXPORTS,
    executor::EXPORTS,
    graph::EXPORTS,
    info::EXPORTS,
    lists::EXPORTS,
    memory::EXPORTS,
    simulator::EXPORTS,
    stream::EXPORTS,
    tensor::EXPORTS,
    virtual_memory::EXPORTS,
    weight_size::EXPORTS,
];
