//! Structures that cross the interface, laid out as in C.

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_ulonglong, c_void};

use super::enums::{
    aclrtErrorType, aclrtMemAllocationType, aclrtMemAttr, aclrtMemHandleType, aclrtMemLocationType,
};
use super::hccl::HcclDataType;
use super::hccl::HcclSendRecvType;

/// How busy a device is, in per cent; `memoryUtilization` is always -1.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct aclrtUtilizationInfo {
    /// Cube cores.
    pub cubeUtilization: i32,
    /// Vector cores.
    pub vectorUtilization: i32,
    /// AI CPUs.
    pub aicpuUtilization: i32,
    /// Not measured.
    pub memoryUtilization: i32,
    /// Must be null.
    pub utilizationExtend: *mut c_void,
}

/// Memory that one component of the software uses.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct aclrtMemUsageInfo {
    /// Name, ended by a zero.
    pub name: [c_char; 32],
    /// Bytes now.
    pub curMemSize: u64,
    /// Bytes at most so far.
    pub memPeakSize: u64,
    /// Unused.
    pub reserved: [usize; 8],
}

/// Version of a package; texts ended by a zero.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct aclCANNPackageVersion {
    /// The whole version.
    pub version: [c_char; 128],
    /// First part.
    pub majorVersion: [c_char; 64],
    /// Second part.
    pub minorVersion: [c_char; 64],
    /// Third part.
    pub releaseVersion: [c_char; 64],
    /// Fourth part.
    pub patchVersion: [c_char; 64],
    /// Unused.
    pub reserved: [c_char; 128],
}

/// Where memory is.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct aclrtMemLocation {
    /// Device number.
    pub id: u32,
    /// Host or device.
    pub r#type: aclrtMemLocationType,
}

/// What is known of a pointer.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct aclrtPtrAttributes {
    /// Where it points.
    pub location: aclrtMemLocation,
    /// Size of the pages there, in bytes.
    pub pageSize: u32,
    /// Unused.
    pub rsv: [u32; 4],
}

/// Properties of memory without an address.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct aclrtPhysicalMemProp {
    /// Kind of handle.
    pub handleType: aclrtMemHandleType,
    /// How it is held.
    pub allocationType: aclrtMemAllocationType,
    /// Kind of memory.
    pub memAttr: aclrtMemAttr,
    /// Where it is.
    pub location: aclrtMemLocation,
    /// Unused.
    pub reserve: u64,
}

/// Where the pieces of a batched copy are.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct aclrtMemcpyBatchAttr {
    /// Target.
    pub dstLoc: aclrtMemLocation,
    /// Source.
    pub srcLoc: aclrtMemLocation,
    /// Unused.
    pub rsv: [u8; 16],
}

/// Identity of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct aclrtUuid {
    /// Sixteen bytes.
    pub bytes: [c_char; 16],
}

/// An attribute of an allocation.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct aclrtMallocAttribute {
    /// Which one: 1 module, 2 device.
    pub attr: i32,
    /// Its value: a number in the first bytes.
    pub value: aclrtMallocAttrValue,
}

/// Value of an attribute of an allocation. In C a union of integers and eight bytes.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(4))]
pub struct aclrtMallocAttrValue {
    /// The bytes.
    pub rsv: [u8; 8],
}

/// Attributes of an allocation.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct aclrtMallocConfig {
    /// The first of them.
    pub attrs: *mut aclrtMallocAttribute,
    /// How many.
    pub numAttrs: usize,
}

/// A range of memory with uncorrectable errors.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct aclrtMemUceInfo {
    /// Where it begins.
    pub addr: *mut c_void,
    /// Bytes.
    pub len: usize,
    /// Unused.
    pub reserved: [usize; 14],
}

/// Ranges of memory with uncorrectable errors.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct aclrtMemUceInfoArray {
    /// How many are filled in.
    pub arraySize: usize,
    /// The ranges.
    pub memUceInfoArray: [aclrtMemUceInfo; 20],
}

/// Details of a hardware fault, by its kind.
#[derive(Clone, Copy)]
#[repr(C)]
pub union aclrtErrorInfoDetail {
    /// For `ERROR_MEMORY`.
    pub uceInfo: aclrtMemUceInfoArray,
    /// For `ERROR_AICORE`: 0 unknown, 1 software, 2 hardware.
    pub aicoreErrType: i32,
}

impl std::fmt::Debug for aclrtErrorInfoDetail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("aclrtErrorInfoDetail { .. }")
    }
}

/// A hardware fault.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct aclrtErrorInfo {
    /// Whether a repair may be tried.
    pub tryRepair: u8,
    /// Whether `detail` is filled in.
    pub hasDetail: u8,
    /// Unused.
    pub reserved: [u8; 2],
    /// Kind.
    pub errorType: aclrtErrorType,
    /// Details.
    pub detail: aclrtErrorInfoDetail,
}

/// What ranks must know of each other before they are a communicator: made by one, handed to all.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct HcclRootInfo {
    /// Bytes without a meaning to others.
    pub internal: [c_char; 4108],
}

impl std::fmt::Debug for HcclRootInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HcclRootInfo { .. }")
    }
}

/// One message of `HcclBatchSendRecv`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct HcclSendRecvItem {
    /// Whether it is sent or received.
    pub sendRecvType: HcclSendRecvType,
    /// Device memory.
    pub buf: *mut c_void,
    /// Elements.
    pub count: u64,
    /// Element type.
    pub dataType: HcclDataType,
    /// The other rank.
    pub remoteRank: u32,
}

/// Memory on the card; sizes in MB.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct dcmi_hbm_info {
    /// Size.
    pub memory_size: c_ulonglong,
    /// Clock in MHz.
    pub freq: c_uint,
    /// In use.
    pub memory_usage: c_ulonglong,
    /// Degrees Celsius.
    pub temp: c_int,
    /// Use of the bandwidth in per cent.
    pub bandwith_util_rate: c_uint,
}

/// Names of a chip, ended by a zero each.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct dcmi_chip_info {
    /// Such as `Ascend`.
    pub chip_type: [u8; 32],
    /// Such as `910B3`.
    pub chip_name: [u8; 32],
    /// Such as `V1`.
    pub chip_ver: [u8; 32],
    /// AI cores.
    pub aicore_cnt: c_uint,
}

/// Names of a chip, ended by a zero each, as newer drivers give them.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct dcmi_chip_info_v2 {
    /// Such as `Ascend`.
    pub chip_type: [u8; 32],
    /// Such as `910B3`.
    pub chip_name: [u8; 32],
    /// Such as `V1`.
    pub chip_ver: [u8; 32],
    /// AI cores.
    pub aicore_cnt: c_uint,
    /// Name of the NPU.
    pub npu_name: [u8; 32],
}

/// Memory that one process uses on a device.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct dcmi_proc_mem_info {
    /// Process number.
    pub proc_id: c_int,
    /// Bytes.
    pub proc_mem_usage: c_ulong,
}
