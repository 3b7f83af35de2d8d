//! From codes to errors.

use std::ffi::CStr;

use crate::codes::Interface;
use crate::error::{Error, Failure, Result};
use crate::library::Ascend;
use crate::sys::HcclResult;

impl Ascend {
    /// Turns what a function of the runtime or an operator returned into a result. To be called right
    /// after it on the same thread, since it takes the message that the vendor keeps for the thread.
    pub fn check(self, call: &'static str, code: i32) -> Result<()> {
        self.checked(call, Interface::Acl, code)
    }

    /// [`Ascend::check`] for collectives.
    pub fn check_hccl(self, call: &'static str, result: HcclResult) -> Result<()> {
        self.checked(call, Interface::Hccl, result.0)
    }

    /// [`Ascend::check`] for telemetry, which leaves no message.
    pub fn check_dcmi(self, call: &'static str, code: i32) -> Result<()> {
        self.checked(call, Interface::Dcmi, code)
    }

    fn checked(self, call: &'static str, interface: Interface, code: i32) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        let message = match interface {
            Interface::Acl | Interface::Hccl => self.recent_message(),
            Interface::Dcmi => None,
        };
        Err(Error::from(Box::new(Failure { call, interface, code, message })))
    }

    /// Takes the newest message that the vendor keeps for the calling thread, and so removes it.
    #[must_use]
    pub fn recent_message(self) -> Option<String> {
        let take = self.acl().aclGetRecentErrMsg().ok()?;
        // SAFETY: the function takes nothing, and may be called on any thread at any time.
        let text = unsafe { take() };
        if text.is_null() {
            return None;
        }
        // SAFETY: what is not null is a string, which stays until the thread asks again.
        let text = unsafe { CStr::from_ptr(text) };
        let text = text.to_string_lossy();
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}
