//! How full and how busy a device is.

use std::ptr;

use super::device::Device;
use crate::error::Result;
use crate::sys::{aclrtMemAttr, aclrtMemUsageInfo, aclrtUtilizationInfo};

/// Memory of a device, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryInfo {
    /// Not in use.
    pub free: usize,
    /// All that programs may use.
    pub total: usize,
}

/// How busy a device is, in per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Utilisation {
    /// Cube cores.
    pub cube: i32,
    /// Vector cores.
    pub vector: i32,
    /// AI CPUs.
    pub ai_cpu: i32,
}

/// Memory that a component of CANN uses, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryUse {
    /// The component.
    pub name: String,
    /// Now.
    pub bytes: u64,
    /// At most so far.
    pub peak_bytes: u64,
}

impl Device {
    /// The device's HBM.
    pub fn memory(&self) -> Result<MemoryInfo> {
        let shared = &self.shared;
        let get = shared.ascend.acl().aclrtGetMemInfo()?;
        shared.bind()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: both numbers can be written to.
        let code = unsafe { get(aclrtMemAttr::HBM_MEM, &raw mut free, &raw mut total) };
        shared.check("aclrtGetMemInfo", code)?;
        Ok(MemoryInfo { free, total })
    }

    /// How busy the device is. Not to be had while it is profiled, nor on a part of a divided device.
    pub fn utilisation(&self) -> Result<Utilisation> {
        let shared = &self.shared;
        let get = shared.ascend.acl().aclrtGetDeviceUtilizationRate()?;
        shared.bind()?;
        let mut info = aclrtUtilizationInfo {
            cubeUtilization: 0,
            vectorUtilization: 0,
            aicpuUtilization: 0,
            memoryUtilization: 0,
            utilizationExtend: ptr::null_mut(),
        };
        // SAFETY: the structure can be written to.
        let code = unsafe { get(shared.id(), &raw mut info) };
        shared.check("aclrtGetDeviceUtilizationRate", code)?;
        Ok(Utilisation {
            cube: info.cubeUtilization,
            vector: info.vectorUtilization,
            ai_cpu: info.aicpuUtilization,
        })
    }

    /// Which components of CANN use how much of the device's memory, CANN 8.5. The list has 64 at most.
    pub fn memory_use(&self) -> Result<Vec<MemoryUse>> {
        let shared = &self.shared;
        let get = shared.ascend.acl().aclrtGetMemUsageInfo()?;
        shared.bind()?;
        let empty =
            aclrtMemUsageInfo { name: [0; 32], curMemSize: 0, memPeakSize: 0, reserved: [0; 8] };
        let mut infos = [empty; 64];
        let mut count = 0;
        // SAFETY: the array has as many items as the function is told; `count` can be written to.
        let code = unsafe { get(shared.id(), infos.as_mut_ptr(), infos.len(), &raw mut count) };
        shared.check("aclrtGetMemUsageInfo", code)?;
        Ok(infos.iter().take(count).map(MemoryUse::of).collect())
    }
}

impl MemoryUse {
    fn of(info: &aclrtMemUsageInfo) -> Self {
        let name = info.name.iter().take_while(|byte| **byte != 0);
        let name: Vec<u8> = name.map(|byte| byte.cast_unsigned()).collect();
        Self {
            name: String::from_utf8_lossy(&name).into_owned(),
            bytes: info.curMemSize,
            peak_bytes: info.memPeakSize,
        }
    }
}
