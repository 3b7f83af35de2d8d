//! The functions under test, declared from CANN's documentation and not from the simulator.

use std::ffi::{c_char, c_void};

// The symbols are in the library that the simulator also builds as.
use ascend_sim as _;

pub(crate) type Raw = *mut c_void;

#[repr(C)]
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) executors: u64,
    pub(crate) tensors: u64,
    pub(crate) scalars: u64,
    pub(crate) lists: u64,
    pub(crate) arrays: u64,
    pub(crate) streams: u64,
    pub(crate) events: u64,
    pub(crate) contexts: u64,
    pub(crate) graphs: u64,
    pub(crate) device_bytes: u64,
    pub(crate) pinned_bytes: u64,
    pub(crate) launches: u64,
    pub(crate) allocations: u64,
    pub(crate) blocking_copies: u64,
    pub(crate) synchronises: u64,
    pub(crate) async_copies: u64,
    pub(crate) replays: u64,
    pub(crate) preparations: u64,
}

unsafe extern "C" {
    pub(crate) fn aclInit(config: *const c_char) -> i32;
    pub(crate) fn aclFinalize() -> i32;
    pub(crate) fn aclFinalizeReference(count: *mut u64) -> i32;
    pub(crate) fn aclGetRecentErrMsg() -> *const c_char;
    pub(crate) fn aclrtGetLastError(level: i32) -> i32;
    pub(crate) fn aclrtPeekAtLastError(level: i32) -> i32;
    pub(crate) fn aclrtGetSocName() -> *const c_char;
    pub(crate) fn aclrtGetVersion(major: *mut i32, minor: *mut i32, patch: *mut i32) -> i32;
    pub(crate) fn aclsysGetVersionNum(package: *const c_char, number: *mut i32) -> i32;
    pub(crate) fn aclsysGetVersionStr(package: *const c_char, text: *mut c_char) -> i32;
    pub(crate) fn aclsysGetCANNVersion(name: i32, version: *mut [u8; 512]) -> i32;
    pub(crate) fn aclGetDeviceCapability(device: u32, info: i32, value: *mut i64) -> i32;
    pub(crate) fn aclGetCannAttribute(attribute: i32, value: *mut i32) -> i32;
    pub(crate) fn aclrtGetDeviceInfo(device: u32, attribute: i32, value: *mut i64) -> i32;
    pub(crate) fn aclrtGetRunMode(mode: *mut i32) -> i32;
    pub(crate) fn aclrtCheckArchCompatibility(soc: *const c_char, can: *mut i32) -> i32;
    pub(crate) fn aclrtSetSysParamOpt(option: i32, value: i64) -> i32;
    pub(crate) fn aclrtGetSysParamOpt(option: i32, value: *mut i64) -> i32;

    pub(crate) fn aclrtSetDevice(device: i32) -> i32;
    pub(crate) fn aclrtResetDevice(device: i32) -> i32;
    pub(crate) fn aclrtResetDeviceForce(device: i32) -> i32;
    pub(crate) fn aclrtGetDevice(device: *mut i32) -> i32;
    pub(crate) fn aclrtGetDeviceCount(count: *mut u32) -> i32;
    pub(crate) fn aclrtSynchronizeDevice() -> i32;
    pub(crate) fn aclrtSynchronizeDeviceWithTimeout(timeout: i32) -> i32;
    pub(crate) fn aclrtQueryDeviceStatus(device: i32, status: *mut i32) -> i32;
    pub(crate) fn aclrtDeviceGetUuid(device: i32, uuid: *mut [u8; 16]) -> i32;
    pub(crate) fn aclrtGetDeviceUtilizationRate(device: i32, info: *mut [i32; 6]) -> i32;
    pub(crate) fn aclrtGetMemUsageInfo(
        device: i32,
        usage: *mut [u64; 14],
        n: usize,
        out: *mut usize,
    ) -> i32;
    pub(crate) fn aclrtDeviceEnablePeerAccess(peer: i32, flags: u32) -> i32;
    pub(crate) fn aclrtDeviceDisablePeerAccess(peer: i32) -> i32;
    pub(crate) fn aclrtSetOpExecuteTimeOutWithMs(timeout: u32) -> i32;

    pub(crate) fn aclrtCreateContext(context: *mut Raw, device: i32) -> i32;
    pub(crate) fn aclrtDestroyContext(context: Raw) -> i32;
    pub(crate) fn aclrtSetCurrentContext(context: Raw) -> i32;
    pub(crate) fn aclrtGetCurrentContext(context: *mut Raw) -> i32;
    pub(crate) fn aclrtCtxGetCurrentDefaultStream(stream: *mut Raw) -> i32;

    pub(crate) fn aclrtCreateStream(stream: *mut Raw) -> i32;
    pub(crate) fn aclrtCreateStreamWithConfig(stream: *mut Raw, priority: u32, flag: u32) -> i32;
    pub(crate) fn aclrtDestroyStream(stream: Raw) -> i32;
    pub(crate) fn aclrtDestroyStreamForce(stream: Raw) -> i32;
    pub(crate) fn aclrtSynchronizeStream(stream: Raw) -> i32;
    pub(crate) fn aclrtSynchronizeStreamWithTimeout(stream: Raw, timeout: i32) -> i32;
    pub(crate) fn aclrtStreamQuery(stream: Raw, status: *mut i32) -> i32;
    pub(crate) fn aclrtStreamWaitEvent(stream: Raw, event: Raw) -> i32;
    pub(crate) fn aclrtSetStreamFailureMode(stream: Raw, mode: u64) -> i32;
    pub(crate) fn aclrtStreamGetId(stream: Raw, id: *mut i32) -> i32;
    pub(crate) fn aclrtStreamAbort(stream: Raw) -> i32;
    pub(crate) fn aclrtSubscribeReport(thread: u64, stream: Raw) -> i32;
    pub(crate) fn aclrtUnSubscribeReport(thread: u64, stream: Raw) -> i32;
    pub(crate) fn aclrtLaunchCallback(
        function: Option<unsafe extern "C" fn(Raw)>,
        data: Raw,
        block: i32,
        stream: Raw,
    ) -> i32;
    pub(crate) fn aclrtProcessReport(timeout: i32) -> i32;
    pub(crate) fn aclrtLaunchHostFunc(
        stream: Raw,
        function: Option<unsafe extern "C" fn(Raw)>,
        data: Raw,
    ) -> i32;
    pub(crate) fn aclrtSetExceptionInfoCallback(function: Option<unsafe extern "C" fn(Raw)>)
    -> i32;
    pub(crate) fn aclrtGetErrorCodeFromExceptionInfo(info: Raw) -> u32;

    pub(crate) fn aclrtCreateEvent(event: *mut Raw) -> i32;
    pub(crate) fn aclrtCreateEventWithFlag(event: *mut Raw, flag: u32) -> i32;
    pub(crate) fn aclrtCreateEventExWithFlag(event: *mut Raw, flag: u32) -> i32;
    pub(crate) fn aclrtDestroyEvent(event: Raw) -> i32;
    pub(crate) fn aclrtRecordEvent(event: Raw, stream: Raw) -> i32;
    pub(crate) fn aclrtResetEvent(event: Raw, stream: Raw) -> i32;
    pub(crate) fn aclrtQueryEventStatus(event: Raw, status: *mut i32) -> i32;
    pub(crate) fn aclrtQueryEventWaitStatus(event: Raw, status: *mut i32) -> i32;
    pub(crate) fn aclrtSynchronizeEvent(event: Raw) -> i32;
    pub(crate) fn aclrtSynchronizeEventWithTimeout(event: Raw, timeout: i32) -> i32;
    pub(crate) fn aclrtEventElapsedTime(ms: *mut f32, start: Raw, end: Raw) -> i32;
    pub(crate) fn aclrtEventGetTimestamp(event: Raw, timestamp: *mut u64) -> i32;

    pub(crate) fn aclrtMalloc(address: *mut Raw, size: usize, policy: i32) -> i32;
    pub(crate) fn aclrtMallocAlign32(address: *mut Raw, size: usize, policy: i32) -> i32;
    pub(crate) fn aclrtFree(address: Raw) -> i32;
    pub(crate) fn aclrtFreeWithDevSync(address: Raw) -> i32;
    pub(crate) fn aclrtMallocHost(address: *mut Raw, size: usize) -> i32;
    pub(crate) fn aclrtFreeHost(address: Raw) -> i32;
    pub(crate) fn aclrtHostRegister(address: Raw, size: u64, kind: i32, device: *mut Raw) -> i32;
    pub(crate) fn aclrtHostUnregister(address: Raw) -> i32;
    pub(crate) fn aclrtMemcpy(
        to: Raw,
        room: usize,
        from: *const c_void,
        count: usize,
        kind: i32,
    ) -> i32;
    pub(crate) fn aclrtMemcpyAsync(
        to: Raw,
        room: usize,
        from: *const c_void,
        count: usize,
        kind: i32,
        stream: Raw,
    ) -> i32;
    pub(crate) fn aclrtMemcpy2d(
        to: Raw,
        to_pitch: usize,
        from: *const c_void,
        from_pitch: usize,
        width: usize,
        height: usize,
        kind: i32,
    ) -> i32;
    pub(crate) fn aclrtMemcpyBatch(
        to: *mut Raw,
        rooms: *mut usize,
        from: *mut Raw,
        sizes: *mut usize,
        count: usize,
        attributes: Raw,
        indexes: *mut usize,
        attribute_count: usize,
        failed: *mut usize,
    ) -> i32;
    pub(crate) fn aclrtMemset(address: Raw, room: usize, value: i32, count: usize) -> i32;
    pub(crate) fn aclrtMemsetAsync(
        address: Raw,
        room: usize,
        value: i32,
        count: usize,
        stream: Raw,
    ) -> i32;
    pub(crate) fn aclrtGetMemInfo(attribute: i32, free: *mut usize, total: *mut usize) -> i32;
    pub(crate) fn aclrtPointerGetAttributes(
        address: *const c_void,
        attributes: *mut [u32; 7],
    ) -> i32;
    pub(crate) fn aclrtReserveMemAddress(
        address: *mut Raw,
        size: usize,
        alignment: usize,
        expected: Raw,
        flags: u64,
    ) -> i32;
    pub(crate) fn aclrtReleaseMemAddress(address: Raw) -> i32;
    pub(crate) fn aclrtMallocPhysical(
        handle: *mut Raw,
        size: usize,
        prop: *const [u64; 4],
        flags: u64,
    ) -> i32;
    pub(crate) fn aclrtFreePhysical(handle: Raw) -> i32;
    pub(crate) fn aclrtMapMem(
        address: Raw,
        size: usize,
        offset: usize,
        handle: Raw,
        flags: u64,
    ) -> i32;
    pub(crate) fn aclrtUnmapMem(address: Raw) -> i32;

    pub(crate) fn aclmdlRICaptureBegin(stream: Raw, mode: i32) -> i32;
    pub(crate) fn aclmdlRICaptureGetInfo(stream: Raw, status: *mut i32, model: *mut Raw) -> i32;
    pub(crate) fn aclmdlRICaptureEnd(stream: Raw, model: *mut Raw) -> i32;
    pub(crate) fn aclmdlRICaptureThreadExchangeMode(mode: *mut i32) -> i32;
    pub(crate) fn aclmdlRICaptureTaskGrpBegin(stream: Raw) -> i32;
    pub(crate) fn aclmdlRICaptureTaskGrpEnd(stream: Raw, handle: *mut Raw) -> i32;
    pub(crate) fn aclmdlRICaptureTaskUpdateBegin(stream: Raw, handle: Raw) -> i32;
    pub(crate) fn aclmdlRICaptureTaskUpdateEnd(stream: Raw) -> i32;
    pub(crate) fn aclmdlRIExecute(model: Raw, timeout: i32) -> i32;
    pub(crate) fn aclmdlRIExecuteAsync(model: Raw, stream: Raw) -> i32;
    pub(crate) fn aclmdlRIDestroy(model: Raw) -> i32;
    pub(crate) fn aclmdlRIAbort(model: Raw) -> i32;

    pub(crate) fn aclCreateTensor(
        dims: *const i64,
        dims_num: u64,
        dtype: i32,
        strides: *const i64,
        offset: i64,
        format: i32,
        storage: *const i64,
        storage_num: u64,
        data: Raw,
    ) -> Raw;
    pub(crate) fn aclDestroyTensor(tensor: Raw) -> i32;
    pub(crate) fn aclInitTensor(
        tensor: Raw,
        dims: *const i64,
        dims_num: u64,
        dtype: i32,
        strides: *const i64,
        offset: i64,
        format: i32,
        storage: *const i64,
        storage_num: u64,
        data: Raw,
    ) -> i32;
    pub(crate) fn aclCreateTensorList(value: *const Raw, size: u64) -> Raw;
    pub(crate) fn aclDestroyTensorList(list: Raw) -> i32;
    pub(crate) fn aclGetTensorListSize(list: Raw, size: *mut u64) -> i32;
    pub(crate) fn aclCreateScalar(value: *const c_void, dtype: i32) -> Raw;
    pub(crate) fn aclDestroyScalar(scalar: Raw) -> i32;
    pub(crate) fn aclCreateScalarList(value: *const Raw, size: u64) -> Raw;
    pub(crate) fn aclDestroyScalarList(list: Raw) -> i32;
    pub(crate) fn aclCreateIntArray(value: *const i64, size: u64) -> Raw;
    pub(crate) fn aclDestroyIntArray(array: Raw) -> i32;
    pub(crate) fn aclGetIntArraySize(array: Raw, size: *mut u64) -> i32;
    pub(crate) fn aclCreateFloatArray(value: *const f32, size: u64) -> Raw;
    pub(crate) fn aclDestroyFloatArray(array: Raw) -> i32;
    pub(crate) fn aclCreateBoolArray(value: *const bool, size: u64) -> Raw;
    pub(crate) fn aclDestroyBoolArray(array: Raw) -> i32;
    pub(crate) fn aclGetViewShape(tensor: Raw, dims: *mut *mut i64, count: *mut u64) -> i32;
    pub(crate) fn aclGetViewStrides(tensor: Raw, strides: *mut *mut i64, count: *mut u64) -> i32;
    pub(crate) fn aclGetStorageShape(tensor: Raw, dims: *mut *mut i64, count: *mut u64) -> i32;
    pub(crate) fn aclGetViewOffset(tensor: Raw, offset: *mut i64) -> i32;
    pub(crate) fn aclGetFormat(tensor: Raw, format: *mut i32) -> i32;
    pub(crate) fn aclGetDataType(tensor: Raw, dtype: *mut i32) -> i32;
    pub(crate) fn aclGetRawTensorAddr(tensor: Raw, address: *mut Raw) -> i32;
    pub(crate) fn aclSetTensorAddr(executor: Raw, index: usize, tensor: Raw, address: Raw) -> i32;
    pub(crate) fn aclSetOutputTensorAddr(
        executor: Raw,
        index: usize,
        tensor: Raw,
        address: Raw,
    ) -> i32;
    pub(crate) fn aclSetAclOpExecutorRepeatable(executor: Raw) -> i32;
    pub(crate) fn aclDestroyAclOpExecutor(executor: Raw) -> i32;
    pub(crate) fn aclnnInit(config: *const c_char) -> i32;
    pub(crate) fn aclnnFinalize() -> i32;

    pub(crate) fn aclnnInplaceZeroGetWorkspaceSize(
        tensor: Raw,
        bytes: *mut u64,
        executor: *mut Raw,
    ) -> i32;
    pub(crate) fn aclnnInplaceZero(workspace: Raw, bytes: u64, executor: Raw, stream: Raw) -> i32;

    pub(crate) fn aclnnCatGetWorkspaceSize(
        tensors: Raw,
        dim: i64,
        out: Raw,
        bytes: *mut u64,
        executor: *mut Raw,
    ) -> i32;
    pub(crate) fn aclnnCat(workspace: Raw, bytes: u64, executor: Raw, stream: Raw) -> i32;
    pub(crate) fn aclnnPermuteGetWorkspaceSize(
        tensor: Raw,
        dims: Raw,
        out: Raw,
        bytes: *mut u64,
        executor: *mut Raw,
    ) -> i32;
    pub(crate) fn aclnnPermute(workspace: Raw, bytes: u64, executor: Raw, stream: Raw) -> i32;
    pub(crate) fn aclSetInputTensorAddr(
        executor: Raw,
        index: usize,
        tensor: Raw,
        address: Raw,
    ) -> i32;
    pub(crate) fn aclSetDynamicInputTensorAddr(
        executor: Raw,
        index: usize,
        relative: usize,
        tensors: Raw,
        address: Raw,
    ) -> i32;

    pub(crate) fn ascendSimCounters(counters: *mut Counters) -> i32;
    pub(crate) fn ascendSimResetCounters() -> i32;
}
