//! Handles, opaque objects and callbacks, under the names that C gives them.

use std::ffi::{c_int, c_void};

/// What a runtime function returns: 0, or a code that [`codes`](crate::codes) explains.
pub type aclError = c_int;
/// What an operator or a function of `libnnopbase` returns: 0 or a code.
pub type aclnnStatus = i32;
/// A stream; null is the default stream of the current context.
pub type aclrtStream = *mut c_void;
/// An event.
pub type aclrtEvent = *mut c_void;
/// A context.
pub type aclrtContext = *mut c_void;
/// A captured graph.
pub type aclmdlRI = *mut c_void;
/// A group of tasks in a captured graph, whose arguments can be replaced.
pub type aclrtTaskGrp = *mut c_void;
/// Device memory without an address.
pub type aclrtDrvMemHandle = *mut c_void;
/// A communicator.
pub type HcclComm = *mut c_void;

/// A function for `aclrtLaunchCallback`.
pub type aclrtCallback = unsafe extern "C" fn(userData: *mut c_void);
/// A function for `aclrtLaunchHostFunc`.
pub type aclrtHostFunc = unsafe extern "C" fn(args: *mut c_void);
/// A function that is told of failed tasks; `None` takes the last one back.
pub type aclrtExceptionInfoCallback =
    Option<unsafe extern "C" fn(exceptionInfo: *mut aclrtExceptionInfo)>;

macro_rules! opaque {
    ($($(#[$meta:meta])* $name:ident;)*) => {
        $($(#[$meta])* ///
        /// Made and destroyed by C only; see the [Rustonomicon](https://doc.rust-lang.org/nomicon/ffi.html#representing-opaque-structs).
        #[repr(C)]
        pub struct $name {
            _private: [u8; 0],
            _neither_send_nor_sync_nor_unpin:
                std::marker::PhantomData<(*mut u8, std::marker::PhantomPinned)>,
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        })*
    };
}

opaque! {
    /// A tensor as an operator sees it: shape, strides, type, format and a device address.
    aclTensor;
    /// A list of tensors, which owns them.
    aclTensorList;
    /// A number on the host.
    aclScalar;
    /// A list of scalars, which owns them.
    aclScalarList;
    /// An array of int64 on the host.
    aclIntArray;
    /// An array of f32 on the host.
    aclFloatArray;
    /// An array of bool on the host.
    aclBoolArray;
    /// What the first phase of an operator prepares and the second consumes.
    aclOpExecutor;
    /// A failed task.
    aclrtExceptionInfo;
}
