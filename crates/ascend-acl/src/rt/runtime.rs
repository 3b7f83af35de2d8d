//! The runtime: begun once for the process.

use std::ffi::CStr;
use std::ptr;
use std::sync::Mutex;

use super::device;
use super::sync::lock;
use crate::error::{Error, Result};
use crate::library::Ascend;

/// `ACL_ERROR_REPEAT_INITIALIZE`: another library of the process was first, which is harmless.
const REPEATED: i32 = 100_002;

/// The runtime of the process, begun.
///
/// A copy costs nothing. [`Device::open`](super::Device::open) begins the runtime by itself; this type is for programs that
/// want to ask it something first, or to end it.
#[derive(Debug, Clone, Copy)]
pub struct Runtime {
    ascend: Ascend,
}

static STARTED: Mutex<bool> = Mutex::new(false);

impl Runtime {
    /// Begins the runtime, unless it was begun before, here or by another library of the process.
    pub fn start(ascend: &Ascend) -> Result<Self> {
        let mut started = lock(&STARTED);
        if !*started {
            let init = ascend.acl().aclInit()?;
            // SAFETY: a null path asks for the defaults.
            let code = unsafe { init(ptr::null()) };
            if code != REPEATED {
                ascend.check("aclInit", code)?;
            }
            *started = true;
        }
        Ok(Self { ascend: *ascend })
    }

    /// The runtime that a device's opening has begun.
    pub(super) fn of(ascend: Ascend) -> Self {
        Self { ascend }
    }

    /// The libraries.
    #[must_use]
    pub fn ascend(&self) -> Ascend {
        self.ascend
    }

    /// How many devices this process sees.
    pub fn device_count(&self) -> Result<u32> {
        let count_of = self.ascend.acl().aclrtGetDeviceCount()?;
        let mut count = 0;
        // SAFETY: `count` can be written to, and the function keeps no pointer to it.
        let code = unsafe { count_of(&raw mut count) };
        self.ascend.check("aclrtGetDeviceCount", code)?;
        Ok(count)
    }

    /// The name of the chip, such as `Ascend910B3`.
    pub fn soc_name(&self) -> Result<String> {
        let name_of = self.ascend.acl().aclrtGetSocName()?;
        // SAFETY: the function takes nothing.
        let name = unsafe { name_of() };
        if name.is_null() {
            return Err(Error::Null {
                call: "aclrtGetSocName",
                message: self.ascend.recent_message(),
            });
        }
        // SAFETY: what is not null is a string that stays for the life of the process.
        let name = unsafe { CStr::from_ptr(name) };
        Ok(name.to_string_lossy().into_owned())
    }

    /// Ends the runtime, which nothing makes necessary: the vendor's libraries tidy up when the process ends.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] while a [`Device`](super::Device) of this process is open, or anything that belongs to one lives.
    pub fn finalise(self) -> Result<()> {
        let _none_opens_meanwhile = device::none_open()?;
        let mut started = lock(&STARTED);
        if *started {
            let finalize = self.ascend.acl().aclFinalize()?;
            // SAFETY: no device is open, so nothing of this crate uses the runtime any more; the locks
            // keep others from beginning it meanwhile.
            let code = unsafe { finalize() };
            self.ascend.check("aclFinalize", code)?;
            *started = false;
        }
        Ok(())
    }
}
