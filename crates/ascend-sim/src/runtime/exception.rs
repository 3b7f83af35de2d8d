//! The callback for device faults.

use std::sync::Mutex;

use super::stream::Stream;
use crate::kernel::Fault;
use crate::sync::lock;

/// What an `aclrtExceptionInfo` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct ExceptionInfo {
    pub(crate) task: u32,
    pub(crate) stream: u32,
    pub(crate) thread: u32,
    pub(crate) device: u32,
    pub(crate) code: u32,
}

type Teller = Box<dyn Fn(&ExceptionInfo) + Send>;

static TELLER: Mutex<Option<Teller>> = Mutex::new(None);

/// Sets who is told of faults, from the thread of the stream.
pub(crate) fn set_teller(teller: Option<Teller>) {
    *lock(&TELLER) = teller;
}

pub(super) fn tell(stream: &Stream, number: u64, fault: &Fault) {
    if let Some(teller) = &*lock(&TELLER) {
        teller(&ExceptionInfo {
            task: number as u32,
            stream: stream.id().cast_unsigned(),
            thread: 0,
            device: stream.device,
            code: fault.status.cast_unsigned(),
        });
    }
}
