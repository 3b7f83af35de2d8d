//! What functions of DCMI return.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Errors by the vendor's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Error {
    InvalidParameter = -8001,
    Inner = -8005,
    NoSuchDevice = -8008,
    NotReady = -8012,
    NotSupported = -8255,
}

/// Runs the body of an exported function; a panic is an inner error.
pub(super) fn call(_name: &str, body: impl FnOnce() -> Result<(), Error>) -> i32 {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => error as i32,
        Err(_) => Error::Inner as i32,
    }
}
