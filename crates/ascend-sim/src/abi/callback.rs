//! Callbacks of streams, and of faults.
#![allow(
    unsafe_code,
    reason = "functions of the program are called with the pointers that it gave"
)]

use std::ffi::c_void;
use std::sync::Arc;

use super::device::milliseconds;
use super::pointer::Raw;
use crate::runtime::callback;
use crate::runtime::exception::{self, ExceptionInfo};
use crate::runtime::failure::Failure;
use crate::runtime::registry::handle;
use crate::runtime::stream::find;
use crate::runtime::work::Work;

/// An `aclrtCallback`, `aclrtHostFunc`: null, or a function that may be called with its argument from any thread.
pub(crate) type HostFunction = Option<unsafe extern "C" fn(*mut c_void)>;
/// An `aclrtExceptionInfoCallback`.
pub(crate) type ExceptionFunction = Option<unsafe extern "C" fn(*mut ExceptionInfo)>;

/// A function of the program and its argument.
#[derive(Clone, Copy, Debug)]
struct HostCall {
    function: unsafe extern "C" fn(*mut c_void),
    argument: *mut c_void,
}

// SAFETY: the program gave function and argument to be used on another thread.
unsafe impl Send for HostCall {}
// SAFETY: as above; the pointer itself is only copied.
unsafe impl Sync for HostCall {}

impl HostCall {
    fn new(function: HostFunction, argument: Raw) -> Result<Self, Failure> {
        let function = function.ok_or_else(|| Failure::null("fn"))?;
        Ok(Self { function, argument })
    }

    fn call(self) {
        // SAFETY: the program gave the function to be called once with this argument for each time it is run.
        unsafe { (self.function)(self.argument) };
    }
}

export! {
    "acl_rt";

    /// Makes a thread, by its `pthread_t`, the one that runs the callbacks of a stream.
    "8.1" fn aclrtSubscribeReport(thread: u64, stream: Raw) {
        callback::subscribe(thread, &*find(handle(stream))?)
    }

    /// Ends it.
    "8.1" fn aclrtUnSubscribeReport(thread: u64, stream: Raw) {
        callback::unsubscribe(thread, &*find(handle(stream))?)
    }

    /// Leaves a call to the thread that is subscribed; the stream waits for it if it blocks (1).
    "8.1" fn aclrtLaunchCallback(function: HostFunction, data: Raw, block_type: i32, stream: Raw) {
        let call = HostCall::new(function, data)?;
        if !(0..=1).contains(&block_type) {
            let message = format!("blockType is {block_type}, expected 0 (no) or 1 (yes)");
            return Err(Failure::parameter(message));
        }
        callback::launch(&find(handle(stream))?, Arc::new(move || call.call()), block_type == 1)
    }

    /// Runs one callback of the calling thread; waits for it, milliseconds at most.
    "8.1" fn aclrtProcessReport(timeout: i32) {
        // SAFETY: `pthread_self` has no requirements.
        let thread = unsafe { libc::pthread_self() };
        callback::process(thread as u64, milliseconds(timeout)?)
    }

    /// Leaves a call to a stream, which waits for it.
    "8.5" fn aclrtLaunchHostFunc(stream: Raw, function: HostFunction, argument: Raw) {
        let call = HostCall::new(function, argument)?;
        let stream = find(handle(stream))?;
        stream.submit(Work::new("aclrtLaunchHostFunc", move |_| {
            call.call();
            Ok(())
        }))
    }

    /// Sets who is told of device faults, null for nobody.
    "8.1" fn aclrtSetExceptionInfoCallback(function: ExceptionFunction) {
        exception::set_teller(function.map(|function| -> exception::Teller {
            Arc::new(move |info: &ExceptionInfo| {
                let mut info = *info;
                // SAFETY: the program gave the function to be called with a valid description.
                unsafe { function(&raw mut info) };
            })
        }));
        Ok(())
    }
}

/// A getter of an `aclrtExceptionInfo`: the value, or all bits set for null.
macro_rules! getter {
    ($name:ident, $field:ident) => {
        #[doc = concat!("The ", stringify!($field), " of a fault.")]
        #[allow(non_snake_case, reason = "the vendor's name, exported")]
        // SAFETY: a program that loads this library wants this symbol in place of the vendor's.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(info: *const ExceptionInfo) -> u32 {
            // SAFETY: the caller passes null, or what its callback was given.
            unsafe { info.as_ref() }.map_or(u32::MAX, |info| info.$field)
        }
    };
}

getter!(aclrtGetTaskIdFromExceptionInfo, task);
getter!(aclrtGetStreamIdFromExceptionInfo, stream);
getter!(aclrtGetThreadIdFromExceptionInfo, thread);
getter!(aclrtGetDeviceIdFromExceptionInfo, device);
getter!(aclrtGetErrorCodeFromExceptionInfo, code);
