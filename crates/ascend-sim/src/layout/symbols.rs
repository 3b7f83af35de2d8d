//! Which function is in which library, and since when; the operators have their own table.

use super::since::Since;

/// A group of functions that stay together in every release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// `acl*`, `aclrt*`, `aclmdlRI*`.
    Runtime,
    /// Tensors, scalars, lists and executors.
    Base,
    /// Operators, by the package that has them.
    Math,
    Nn,
    Cv,
    Transformer,
    /// What communicates.
    Collectives,
    /// What makes communicators and asks about them; in hcomm's header from 8.5 on.
    Communicators,
    /// The device management interface of the driver.
    Driver,
}

/// A function that a program can find in some library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    pub(super) name: &'static str,
    pub(super) home: Home,
    pub(super) since: Since,
}

impl Symbol {
    /// Whether it returns a pointer: its answer where there is nothing behind the library is null.
    pub(super) fn gives_pointer(&self) -> bool {
        self.name.starts_with("aclCreate")
            || ["aclGetRecentErrMsg", "aclrtGetSocName", "HcclGetErrorString"].contains(&self.name)
    }
}

/// Every function that the simulator has.
pub(super) fn all() -> Vec<Symbol> {
    let lists = [
        (Home::Runtime, RUNTIME),
        (Home::Base, BASE),
        (Home::Collectives, COLLECTIVES),
        (Home::Communicators, COMMUNICATORS),
        (Home::Driver, DRIVER),
    ];
    let mut symbols = Vec::new();
    for (home, list) in lists {
        for (since, names) in list {
            symbols.extend(names.iter().map(|name| Symbol { name, home, since: *since }));
        }
    }
    symbols.extend(super::operators::all());
    symbols
}

/// The runtime, with the first release whose headers have each.
const RUNTIME: &[(Since, &[&str])] = &[
    (
        Since::V8_1,
        &[
            "aclInit",
            "aclFinalize",
            "aclGetRecentErrMsg",
            "aclrtGetSocName",
            "aclrtGetVersion",
            "aclsysGetCANNVersion",
            "aclrtGetRunMode",
            "aclGetCannAttribute",
            "aclGetDeviceCapability",
            "aclrtGetLastError",
            "aclrtPeekAtLastError",
            "aclrtSetDevice",
            "aclrtResetDevice",
            "aclrtResetDeviceForce",
            "aclrtGetDevice",
            "aclrtGetDeviceCount",
            "aclrtSynchronizeDevice",
            "aclrtSynchronizeDeviceWithTimeout",
            "aclrtGetDeviceUtilizationRate",
            "aclrtQueryDeviceStatus",
            "aclrtDeviceCanAccessPeer",
            "aclrtDeviceEnablePeerAccess",
            "aclrtDeviceDisablePeerAccess",
            "aclrtSetDeviceSatMode",
            "aclrtGetDeviceSatMode",
            "aclrtSetOpExecuteTimeOut",
            "aclrtSetOpExecuteTimeOutWithMs",
            "aclrtSetOpWaitTimeout",
            "aclrtSetSysParamOpt",
            "aclrtGetSysParamOpt",
            "aclrtCtxSetSysParamOpt",
            "aclrtCtxGetSysParamOpt",
            "aclrtCreateContext",
            "aclrtDestroyContext",
            "aclrtSetCurrentContext",
            "aclrtGetCurrentContext",
            "aclrtCreateStream",
            "aclrtCreateStreamWithConfig",
            "aclrtDestroyStream",
            "aclrtDestroyStreamForce",
            "aclrtSynchronizeStream",
            "aclrtSynchronizeStreamWithTimeout",
            "aclrtStreamQuery",
            "aclrtStreamWaitEvent",
            "aclrtSetStreamFailureMode",
            "aclrtStreamGetId",
            "aclrtStreamAbort",
            "aclrtSubscribeReport",
            "aclrtUnSubscribeReport",
            "aclrtLaunchCallback",
            "aclrtProcessReport",
            "aclrtSetExceptionInfoCallback",
            "aclrtCreateEvent",
            "aclrtCreateEventWithFlag",
            "aclrtCreateEventExWithFlag",
            "aclrtDestroyEvent",
            "aclrtRecordEvent",
            "aclrtResetEvent",
            "aclrtQueryEventStatus",
            "aclrtQueryEventWaitStatus",
            "aclrtSynchronizeEvent",
            "aclrtSynchronizeEventWithTimeout",
            "aclrtEventElapsedTime",
            "aclrtEventGetTimestamp",
            "aclrtMalloc",
            "aclrtMallocAlign32",
            "aclrtMallocCached",
            "aclrtMallocWithCfg",
            "aclrtFree",
            "aclrtMallocHost",
            "aclrtFreeHost",
            "aclrtHostRegister",
            "aclrtHostUnregister",
            "aclrtMemcpy",
            "aclrtMemcpyAsync",
            "aclrtMemcpy2d",
            "aclrtMemcpy2dAsync",
            "aclrtMemset",
            "aclrtMemsetAsync",
            "aclrtGetMemInfo",
            "aclrtPointerGetAttributes",
            "aclrtCmoAsync",
            "aclrtReserveMemAddress",
            "aclrtReleaseMemAddress",
            "aclrtMallocPhysical",
            "aclrtFreePhysical",
            "aclrtMapMem",
            "aclrtUnmapMem",
            "aclmdlRICaptureBegin",
            "aclmdlRICaptureGetInfo",
            "aclmdlRICaptureEnd",
            "aclmdlRICaptureThreadExchangeMode",
            "aclmdlRICaptureTaskGrpBegin",
            "aclmdlRICaptureTaskGrpEnd",
            "aclmdlRICaptureTaskUpdateBegin",
            "aclmdlRICaptureTaskUpdateEnd",
            "aclmdlRIExecuteAsync",
            "aclmdlRIDestroy",
            "aclmdlRIDebugPrint",
        ],
    ),
    (
        Since::V8_5,
        &[
            "aclFinalizeReference",
            "aclsysGetVersionStr",
            "aclsysGetVersionNum",
            "aclrtGetErrorVerbose",
            "aclrtCheckArchCompatibility",
            "aclrtGetDeviceInfo",
            "aclrtDeviceGetUuid",
            "aclrtCtxGetCurrentDefaultStream",
            "aclrtLaunchHostFunc",
            "aclrtSetStreamResLimit",
            "aclrtFreeWithDevSync",
            "aclrtGetMemUsageInfo",
            "aclrtMemcpyBatch",
            "aclrtMemcpyBatchAsync",
            "aclmdlRIExecute",
            "aclmdlRIAbort",
        ],
    ),
];

/// Metadata of tensors.
const BASE: &[(Since, &[&str])] = &[(
    Since::V8_1,
    &[
        "aclCreateTensor",
        "aclDestroyTensor",
        "aclCreateTensorList",
        "aclDestroyTensorList",
        "aclCreateScalar",
        "aclDestroyScalar",
        "aclCreateScalarList",
        "aclDestroyScalarList",
        "aclCreateIntArray",
        "aclDestroyIntArray",
        "aclCreateFloatArray",
        "aclDestroyFloatArray",
        "aclCreateBoolArray",
        "aclDestroyBoolArray",
        "aclGetViewShape",
        "aclGetStorageShape",
        "aclGetViewStrides",
        "aclGetViewOffset",
        "aclGetFormat",
        "aclGetDataType",
        "aclGetRawTensorAddr",
        "aclGetIntArraySize",
        "aclGetTensorListSize",
        "aclInitTensor",
        "aclSetTensorAddr",
        "aclSetDynamicTensorAddr",
        "aclSetInputTensorAddr",
        "aclSetOutputTensorAddr",
        "aclSetDynamicInputTensorAddr",
        "aclSetDynamicOutputTensorAddr",
        "aclSetAclOpExecutorRepeatable",
        "aclDestroyAclOpExecutor",
    ],
)];

/// Collective and point-to-point operations.
const COLLECTIVES: &[(Since, &[&str])] = &[(
    Since::V8_1,
    &[
        "HcclAllReduce",
        "HcclReduce",
        "HcclBroadcast",
        "HcclAllGather",
        "HcclAllGatherV",
        "HcclReduceScatter",
        "HcclReduceScatterV",
        "HcclScatter",
        "HcclAlltoAll",
        "HcclAlltoAllV",
        "HcclAlltoAllVC",
        "HcclSend",
        "HcclRecv",
        "HcclBatchSendRecv",
    ],
)];

/// Communicators.
const COMMUNICATORS: &[(Since, &[&str])] = &[
    (
        Since::V8_1,
        &[
            "HcclGetRootInfo",
            "HcclCommInitRootInfo",
            "HcclCommInitRootInfoConfig",
            "HcclCommInitAll",
            "HcclCommInitClusterInfo",
            "HcclCommDestroy",
            "HcclGetRankSize",
            "HcclGetRankId",
            "HcclGetCommAsyncError",
            "HcclGetErrorString",
            "HcclBarrier",
        ],
    ),
    (Since::V9_0, &["HcclGroupStart", "HcclGroupEnd"]),
];

/// DCMI, whose versions are those of the driver.
const DRIVER: &[(Since, &[&str])] = &[(
    Since::V8_1,
    &[
        "dcmi_init",
        "dcmi_get_card_list",
        "dcmi_get_device_num_in_card",
        "dcmi_get_card_id_device_id_from_logicid",
        "dcmi_get_device_logic_id",
        "dcmi_get_device_phyid_from_logicid",
        "dcmi_get_device_logicid_from_phyid",
        "dcmi_get_all_device_count",
        "dcmi_get_device_health",
        "dcmi_get_device_utilization_rate",
        "dcmi_get_device_hbm_info",
        "dcmi_get_device_power_info",
        "dcmi_get_device_temperature",
        "dcmi_get_device_frequency",
        "dcmi_get_device_chip_info",
        "dcmi_get_device_chip_info_v2",
        "dcmi_get_device_resource_info",
        "dcmi_get_driver_version",
        "dcmiv2_init",
        "dcmiv2_get_device_list",
        "dcmiv2_get_device_chip_info",
        "dcmiv2_get_device_utilization_rate",
        "dcmiv2_get_device_hbm_info",
        "dcmiv2_get_device_power_info",
        "dcmiv2_get_device_temperature",
        "dcmiv2_get_device_frequency",
        "dcmiv2_get_device_health",
        "dcmiv2_get_device_resource_info",
    ],
)];
