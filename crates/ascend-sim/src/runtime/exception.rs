//! The callback for device faults.

use std::sync::{Arc, Mutex};

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

/// A function that is told of faults.
pub(crate) type Teller = Arc<dyn Fn(&ExceptionInfo) + Send + Sync>;

static TELLER: Mutex<Option<Teller>> = Mutex::new(None);

/// Sets who is told of faults, from the thread of the stream.
pub(crate) fn set_teller(teller: Option<Teller>) {
    *lock(&TELLER) = teller;
}

pub(super) fn tell(stream: &Stream, number: u64, fault: &Fault) {
    // Not held while the program's function runs, which may set another.
    let teller = lock(&TELLER).clone();
    if let Some(teller) = teller {
        teller(&ExceptionInfo {
            task: number as u32,
            stream: stream.id().cast_unsigned(),
            thread: 0,
            device: stream.device,
            code: fault.status.cast_unsigned(),
        });
    }
}
