//! C enumerations as numbers that may hold any value: a newer library may give one that is not
//! listed.

/// Declares an enumeration of C: a transparent integer with named values.
macro_rules! c_enum {
    ($($(#[$meta:meta])* $name:ident: $repr:ty, $prefix:literal { $($value:ident $(($c:literal))? = $number:expr),* $(,)? })*) => {
        $($(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub $repr);

        impl $name {
            $(#[doc = $crate::sys::enums::c_value!($prefix, $value $(, $c)?)]
            pub const $value: Self = Self($number);)*

            /// All named values, in the order of the numbers.
            pub const VALUES: &'static [(&'static str, Self)] =
                &[$((stringify!($value), Self::$value)),*];

            /// The name of the value, without the prefix that C gives it.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                Self::VALUES.iter().find(|(_, value)| *value == self).map(|(name, _)| *name)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{name}"),
                    None => write!(f, concat!(stringify!($name), "({})"), self.0),
                }
            }
        })*
    };
}

/// How C names a value, in code marks.
macro_rules! c_value {
    ($prefix:literal, $value:ident) => {
        concat!("`", $prefix, stringify!($value), "`")
    };
    ($prefix:literal, $value:ident, $name:literal) => {
        concat!("`", $name, "`")
    };
}

pub(super) use {c_enum, c_value};

c_enum! {
    /// Element type of a tensor.
    aclDataType: i32, "ACL_" {
        UNDEFINED ("ACL_DT_UNDEFINED") = -1, FLOAT = 0, FLOAT16 = 1, INT8 = 2, INT32 = 3, UINT8 = 4, INT16 = 6, UINT16 = 7,
        UINT32 = 8, INT64 = 9, UINT64 = 10, DOUBLE = 11, BOOL = 12, STRING = 13, COMPLEX64 = 16,
        COMPLEX128 = 17, BF16 = 27, INT4 = 29, UINT1 = 30, COMPLEX32 = 33, HIFLOAT8 = 34,
        FLOAT8_E5M2 = 35, FLOAT8_E4M3FN = 36, FLOAT8_E8M0 = 37, FLOAT6_E3M2 = 38, FLOAT6_E2M3 = 39,
        FLOAT4_E2M1 = 40, FLOAT4_E1M2 = 41,
    }
    /// Order of a tensor's elements.
    aclFormat: i32, "ACL_FORMAT_" {
        UNDEFINED = -1, NCHW = 0, NHWC = 1, ND = 2, NC1HWC0 = 3, FRACTAL_Z = 4, NC1HWC0_C04 = 12,
        HWCN = 16, NDHWC = 27, FRACTAL_NZ = 29, NCDHW = 30, NDC1HWC0 = 32, FRACTAL_Z_3D ("ACL_FRACTAL_Z_3D") = 33, NC = 35,
        NCL = 47, FRACTAL_NZ_C0_16 = 50, FRACTAL_NZ_C0_32 = 51, FRACTAL_NZ_C0_2 = 52,
        FRACTAL_NZ_C0_4 = 53, FRACTAL_NZ_C0_8 = 54,
    }
    /// Direction of a copy.
    aclrtMemcpyKind: i32, "ACL_MEMCPY_" {
        HOST_TO_HOST = 0, HOST_TO_DEVICE = 1, DEVICE_TO_HOST = 2, DEVICE_TO_DEVICE = 3, DEFAULT = 4,
        HOST_TO_BUF_TO_DEVICE = 5, INNER_DEVICE_TO_DEVICE = 6, INTER_DEVICE_TO_DEVICE = 7,
    }
    /// Pages that an allocation uses; the last three are flags that are added to one of the others.
    aclrtMemMallocPolicy: i32, "ACL_MEM_" {
        MALLOC_HUGE_FIRST = 0, MALLOC_HUGE_ONLY = 1, MALLOC_NORMAL_ONLY = 2, MALLOC_HUGE_FIRST_P2P = 3,
        MALLOC_HUGE_ONLY_P2P = 4, MALLOC_NORMAL_ONLY_P2P = 5, MALLOC_HUGE1G_ONLY = 6,
        MALLOC_HUGE1G_ONLY_P2P = 7, TYPE_LOW_BAND_WIDTH = 0x100, TYPE_HIGH_BAND_WIDTH = 0x1000,
        ACCESS_USER_SPACE_READONLY = 0x10_0000,
    }
    /// Kind of memory that `aclrtGetMemInfo` counts.
    aclrtMemAttr: i32, "ACL_" {
        DDR_MEM = 0, HBM_MEM = 1, DDR_MEM_HUGE = 2, DDR_MEM_NORMAL = 3, HBM_MEM_HUGE = 4,
        HBM_MEM_NORMAL = 5, DDR_MEM_P2P_HUGE = 6, DDR_MEM_P2P_NORMAL = 7, HBM_MEM_P2P_HUGE = 8,
        HBM_MEM_P2P_NORMAL = 9, HBM_MEM_HUGE1G = 10, HBM_MEM_P2P_HUGE1G = 11,
    }
    /// Where the program runs.
    aclrtRunMode: i32, "ACL_" { DEVICE = 0, HOST = 1 }
    /// State of an event as the deprecated query gives it.
    aclrtEventStatus: i32, "ACL_EVENT_STATUS_" { COMPLETE = 0, NOT_READY = 1, RESERVED = 2 }
    /// State of an event's record: here, unlike everywhere else, 0 is *not* complete.
    aclrtEventRecordedStatus: i32, "ACL_EVENT_RECORDED_STATUS_" { NOT_READY = 0, COMPLETE = 1 }
    /// State of the waits for an event.
    aclrtEventWaitStatus: i32, "ACL_EVENT_WAIT_STATUS_" { COMPLETE = 0, NOT_READY = 1, RESERVED = 0xFFFF }
    /// State of a stream.
    aclrtStreamStatus: i32, "ACL_STREAM_STATUS_" { COMPLETE = 0, NOT_READY = 1, RESERVED = 0xFFFF }
    /// Whether a callback holds the stream up.
    aclrtCallbackBlockType: i32, "ACL_CALLBACK_" { NO_BLOCK = 0, BLOCK = 1 }
    /// What is forbidden, and to whom, while a stream is being captured.
    aclmdlRICaptureMode: i32, "ACL_MODEL_RI_CAPTURE_MODE_" { GLOBAL = 0, THREAD_LOCAL = 1, RELAXED = 2 }
    /// Whether a stream is being captured.
    aclmdlRICaptureStatus: i32, "ACL_MODEL_RI_CAPTURE_STATUS_" { NONE = 0, ACTIVE = 1, INVALIDATED = 2 }
    /// An option of the process or of a context.
    aclSysParamOpt: i32, "ACL_OPT_" {
        DETERMINISTIC = 0, ENABLE_DEBUG_KERNEL = 1, STRONG_CONSISTENCY = 2,
        ENABLE_KERNEL_EARLY_START = 3,
    }
    /// An ability of the installation.
    aclCannAttr: i32, "ACL_CANN_ATTR_" { INF_NAN = 0, BF16 = 1, JIT_COMPILE = 2 }
    /// A number about a device, for `aclGetDeviceCapability`.
    aclDeviceInfo: i32, "ACL_DEVICE_INFO_" { AI_CORE_NUM = 0, VECTOR_CORE_NUM = 1, L2_SIZE = 2 }
    /// A number about a device, for `aclrtGetDeviceInfo`.
    aclrtDevAttr: i32, "ACL_DEV_ATTR_" {
        AICPU_CORE_NUM = 1, AICORE_CORE_NUM = 101, CUBE_CORE_NUM = 102, VECTOR_CORE_NUM = 201,
        TOTAL_GLOBAL_MEM_SIZE = 301, L2_CACHE_SIZE = 302, SMP_ID = 401, PHY_CHIP_ID = 402, IS_VIRTUAL = 501,
        NPU_ARCH = 601,
    }
    /// Whether a device is in order.
    aclrtDeviceStatus: i32, "ACL_RT_DEVICE_STATUS_" { NORMAL = 0, ABNORMAL = 1, END = 0xFFFF }
    /// How floats overflow.
    aclrtFloatOverflowMode: i32, "ACL_RT_OVERFLOW_MODE_" { SATURATION = 0, INFNAN = 1, UNDEF = 2 }
    /// An operation on the cache.
    aclrtCmoType: i32, "ACL_RT_CMO_TYPE_" { PREFETCH = 0, WRITEBACK = 1, INVALID = 2, FLUSH = 3 }
    /// Whose last error is meant.
    aclrtLastErrLevel: i32, "ACL_RT_" { THREAD_LEVEL = 0 }
    /// How host memory is registered.
    aclrtHostRegisterType: i32, "ACL_HOST_REGISTER_" { MAPPED = 0 }
    /// A package, for `aclsysGetCANNVersion`.
    aclCANNPackageName: i32, "ACL_PKG_NAME_" {
        CANN = 0, RUNTIME = 1, COMPILER = 2, HCCL = 3, TOOLKIT = 4, OPP = 5, OPP_KERNEL = 6, DRIVER = 7,
    }
    /// Cores that a stream's limit counts.
    aclrtDevResLimitType: i32, "ACL_RT_DEV_RES_" { CUBE_CORE = 0, VECTOR_CORE = 1 }
    /// Where memory is.
    aclrtMemLocationType: i32, "ACL_MEM_LOCATION_TYPE_" { HOST = 0, DEVICE = 1 }
    /// Kind of handle of physical memory.
    aclrtMemHandleType: i32, "ACL_MEM_HANDLE_TYPE_" { NONE = 0 }
    /// How physical memory is held.
    aclrtMemAllocationType: i32, "ACL_MEM_ALLOCATION_TYPE_" { PINNED = 0 }
    /// Kind of a hardware fault.
    aclrtErrorType: i32, "ACL_RT_" {
        NO_ERROR = 0, ERROR_MEMORY = 1, ERROR_L2 = 2, ERROR_AICORE = 3, ERROR_LINK = 4, ERROR_OTHERS = 0xFFFF,
    }
}
