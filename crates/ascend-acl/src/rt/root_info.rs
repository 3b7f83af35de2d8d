//! What ranks must know of each other before they are a communicator.

use std::ffi::c_char;
use std::fmt;

use super::device::{Device, forget_current};
use crate::error::{Error, Result};
use crate::sys::HcclRootInfo;

/// Made on one rank, handed to all others as bytes, by a file or a socket.
#[derive(Clone)]
pub struct RootInfo(Box<HcclRootInfo>);

impl RootInfo {
    /// How many bytes it has.
    pub const BYTES: usize = size_of::<HcclRootInfo>();

    /// Makes one, on the rank that the others will call first.
    pub fn new(device: &Device) -> Result<Self> {
        let shared = &device.shared;
        let get = shared.ascend.hccl()?.HcclGetRootInfo()?;
        shared.bind()?;
        let mut info = Box::new(HcclRootInfo { internal: [0; Self::BYTES] });
        // SAFETY: the structure can be written to, and the function keeps no pointer to it.
        let result = unsafe { get(&raw mut *info) };
        forget_current();
        shared.ascend.check_hccl("HcclGetRootInfo", result)?;
        Ok(Self(info))
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.internal.iter().map(|&byte| byte.cast_unsigned()).collect()
    }

    /// That of another rank.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] unless there are [`RootInfo::BYTES`] bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() != Self::BYTES {
            return Err(Error::Argument {
                operation: "RootInfo::from_bytes",
                argument: "bytes",
                got: format!("{} bytes", bytes.len()),
                expected: format!("{}", Self::BYTES),
            });
        }
        let mut info = Box::new(HcclRootInfo { internal: [0; Self::BYTES] });
        for (to, from) in info.internal.iter_mut().zip(bytes) {
            *to = from.cast_signed() as c_char;
        }
        Ok(Self(info))
    }

    pub(super) fn as_ptr(&self) -> *const HcclRootInfo {
        &raw const *self.0
    }
}

impl fmt::Debug for RootInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootInfo").finish_non_exhaustive()
    }
}
