//! Why a call fails, and the message that the caller may fetch.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString};

use thiserror::Error;

use super::status;
use crate::kernel::{Fault, Reject};

/// A status and its explanation.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("[{status} {name}] {message}", name = status::name(*status))]
pub(crate) struct Failure {
    pub(crate) status: i32,
    /// Which argument, what it was, and what was expected.
    pub(crate) message: String,
}

impl Failure {
    /// A failure of this status.
    pub(crate) fn new(status: i32, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// `ACL_ERROR_INVALID_PARAM`: refused before the runtime is asked.
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(100_000, message)
    }

    /// `ACL_ERROR_RT_PARAM_INVALID`: refused by the runtime.
    pub(crate) fn parameter(message: impl Into<String>) -> Self {
        Self::new(107_000, message)
    }

    /// A required pointer is null.
    pub(crate) fn null(argument: &str) -> Self {
        Self::argument(format!("{argument} is null, expected a valid pointer"))
    }
}

impl From<Reject> for Failure {
    fn from(reject: Reject) -> Self {
        Self { status: reject.status, message: reject.message }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { status: fault.status, message: fault.message }
    }
}

thread_local! {
    static RECENT: RefCell<Recent> = const { RefCell::new(Recent { pending: None, handed: None }) };
    static LAST: Cell<i32> = const { Cell::new(0) };
}

struct Recent {
    pending: Option<CString>,
    /// The text last given out, alive until the next is asked for.
    handed: Option<CString>,
}

/// Keeps a failure of `call` for `aclGetRecentErrMsg` and `aclrtGetLastError` of this thread.
pub(crate) fn record(call: &str, failure: &Failure) {
    LAST.set(failure.status);
    note(&format!("{}: {call}: {failure}", text_code(failure.status)));
}

/// Keeps a text that belongs to no failure.
pub(crate) fn note(text: &str) {
    let text = CString::new(text.replace('\0', "?")).unwrap_or_default();
    RECENT.with_borrow_mut(|recent| recent.pending = Some(text));
}

/// Takes the message of this thread; the pointer is good until the next call on the same thread, null if there is none.
pub(crate) fn take_recent() -> *const std::ffi::c_char {
    RECENT.with_borrow_mut(|recent| {
        recent.handed = recent.pending.take();
        recent.handed.as_deref().map_or(std::ptr::null(), CStr::as_ptr)
    })
}

/// The last status of this thread that was not 0; `clear` forgets it.
pub(crate) fn last(clear: bool) -> i32 {
    if clear { LAST.replace(0) } else { LAST.get() }
}

/// The code that the vendor's texts begin with: `EE1001` for an argument, `EZ9999` inside operators, else `EE9999`.
fn text_code(status: i32) -> &'static str {
    match status {
        100_000..=100_045 | 107_000..=107_001 | 107_017 | 161_001..=161_002 => "EE1001",
        361_001 | 561_000..=561_999 => "EZ9999",
        _ => "EE9999",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_given_once_and_to_its_thread() {
        record("aclrtMalloc", &Failure::argument("size is 0, expected at least 1"));
        let other = std::thread::spawn(|| take_recent().is_null());
        assert!(other.join().unwrap());
        assert!(!take_recent().is_null());
        assert!(take_recent().is_null());
        assert_eq!(last(false), 100_000);
        assert_eq!(last(true), 100_000);
        assert_eq!(last(true), 0);
    }

    #[test]
    fn a_message_says_code_call_status_and_reason() {
        let failure = Failure::parameter("deviceId is 9, expected 0 to 1");
        assert_eq!(text_code(failure.status), "EE1001");
        assert_eq!(
            failure.to_string(),
            "[107000 ACL_ERROR_RT_PARAM_INVALID] deviceId is 9, expected 0 to 1"
        );
    }
}
