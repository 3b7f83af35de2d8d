//! The functions under test, declared from CANN's documentation and not from the simulator.

use std::ffi::{c_char, c_void};

// The symbols are in the library that the simulator also builds as.
use ascend_sim as _;

pub type Raw = *mut c_void;

#[repr(C)]
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    pub executors: u64,
    pub tensors: u64,
    pub scalars: u64,
    pub lists: u64,
    pub arrays: u64,
    pub streams: u64,
    pub events: u64,
    pub contexts: u64,
    pub graphs: u64,
    pub device_bytes: u64,
    pub pinned_bytes: u64,
    pub launches: u64,
    pub allocations: u64,
    pub blocking_copies: u64,
    pub synchronises: u64,
    pub async_copies: u64,
    pub replays: u64,
    pub preparations: u64,
}

unsafe extern "C" {
    pub fn aclInit(config: *const c_char) -> i32;
    pub fn aclFinalize() -> i32;
    pub fn aclFinalizeReference(count: *mut u64) -> i32;
    pub fn aclGetRecentErrMsg() -> *const c_char;
    pub fn aclrtGetLastError(level: i32) -> i32;
    pub fn aclrtPeekAtLastError(level: i32) -> i32;
    pub fn aclrtGetSocName() -> *const c_char;
    pub fn aclrtGetVersion(major: *mut i32, minor: *mut i32, patch: *mut i32) -> i32;
    pub fn aclsysGetVersionNum(package: *const c_char, number: *mut i32) -> i32;
    pub fn aclsysGetVersionStr(package: *const c_char, text: *mut c_char) -> i32;
    pub fn aclsysGetCANNVersion(name: i32, version: *mut [u8; 512]) -> i32;
    pub fn aclGetDeviceCapability(device: u32, info: i32, value: *mut i64) -> i32;
    pub fn aclGetCannAttribute(attribute: i32, value: *mut i32) -> i32;
    pub fn aclrtGetDeviceInfo(device: u32, attribute: i32, value: *mut i64) -> i32;
    pub fn aclrtGetRunMode(mode: *mut i32) -> i32;
    pub fn aclrtCheckArchCompatibility(soc: *const c_char, can: *mut i32) -> i32;
    pub fn aclrtSetSysParamOpt(option: i32, value: i64) -> i32;
    pub fn aclrtGetSysParamOpt(option: i32, value: *mut i64) -> i32;

    pub fn aclrtSetDevice(device: i32) -> i32;
    pub fn aclrtResetDevice(device: i32) -> i32;
    pub fn aclrtResetDeviceForce(device: i32) -> i32;
    pub fn aclrtGetDevice(device: *mut i32) -> i32;
    pub fn aclrtGetDeviceCount(count: *mut u32) -> i32;
    pub fn aclrtSynchronizeDevice() -> i32;
    pub fn aclrtSynchronizeDeviceWithTimeout(timeout: i32) -> i32;
    pub fn aclrtQueryDeviceStatus(device: i32, status: *mut i32) -> i32;
    pub fn aclrtDeviceGetUuid(device: i32, uuid: *mut [u8; 16]) -> i32;
    pub fn aclrtGetDeviceUtilizationRate(device: i32, info: *mut [i32; 6]) -> i32;
    pub fn aclrtGetMemUsageInfo(
        device: i32,
        usage: *mut [u64; 14],
        n: usize,
        out: *mut usize,
    ) -> i32;
    pub fn aclrtDeviceEnablePeerAccess(peer: i32, flags: u32) -> i32;
    pub fn aclrtDeviceDisablePeerAccess(peer: i32) -> i32;
    pub fn aclrtSetOpExecuteTimeOutWithMs(timeout: u32) -> i32;

    pub fn aclrtCreateContext(context: *mut Raw, device: i32) -> i32;
    pub fn aclrtDestroyContext(context: Raw) -> i32;
    pub fn aclrtSetCurrentContext(context: Raw) -> i32;
    pub fn aclrtGetCurrentContext(context: *mut Raw) -> i32;
    pub fn aclrtCtxGetCurrentDefaultStream(stream: *mut Raw) -> i32;

    pub fn aclrtCreateStream(stream: *mut Raw) -> i32;
    pub fn aclrtCreateStreamWithConfig(stream: *mut Raw, priority: u32, flag: u32) -> i32;
    pub fn aclrtDestroyStream(stream: Raw) -> i32;
    pub fn aclrtDestroyStreamForce(stream: Raw) -> i32;
    pub fn aclrtSynchronizeStream(stream: Raw) -> i32;
    pub fn aclrtSynchronizeStreamWithTimeout(stream: Raw, timeout: i32) -> i32;
    pub fn aclrtStreamQuery(stream: Raw, status: *mut i32) -> i32;
    pub fn aclrtStreamWaitEvent(stream: Raw, event: Raw) -> i32;
    pub fn aclrtSetStreamFailureMode(stream: Raw, mode: u64) -> i32;
    pub fn aclrtStreamGetId(stream: Raw, id: *mut i32) -> i32;
    pub fn aclrtStreamAbort(stream: Raw) -> i32;
    pub fn aclrtSubscribeReport(thread: u64, stream: Raw) -> i32;
    pub fn aclrtUnSubscribeReport(thread: u64, stream: Raw) -> i32;
    pub fn aclrtLaunchCallback(
        function: Option<unsafe extern "C" fn(Raw)>,
        data: Raw,
        block: i32,
        stream: Raw,
    ) -> i32;
    pub fn aclrtProcessReport(timeout: i32) -> i32;
    pub fn aclrtLaunchHostFunc(
        stream: Raw,
        function: Option<unsafe extern "C" fn(Raw)>,
        data: Raw,
    ) -> i32;
    pub fn aclrtSetExceptionInfoCallback(function: Option<unsafe extern "C" fn(Raw)>) -> i32;
    pub fn aclrtGetErrorCodeFromExceptionInfo(info: Raw) -> u32;

    pub fn aclrtCreateEvent(event: *mut Raw) -> i32;
    pub fn aclrtCreateEventWithFlag(event: *mut Raw, flag: u32) -> i32;
    pub fn aclrtCreateEventExWithFlag(event: *mut Raw, flag: u32) -> i32;
    pub fn aclrtDestroyEvent(event: Raw) -> i32;
    pub fn aclrtRecordEvent(event: Raw, stream: Raw) -> i32;
    pub fn aclrtResetEvent(event: Raw, stream: Raw) -> i32;
    pub fn aclrtQueryEventStatus(event: Raw, status: *mut i32) -> i32;
    pub fn aclrtQueryEventWaitStatus(event: Raw, status: *mut i32) -> i32;
    pub fn aclrtSynchronizeEvent(event: Raw) -> i32;
    pub fn aclrtSynchronizeEventWithTimeout(event: Raw, timeout: i32) -> i32;
    pub fn aclrtEventElapsedTime(ms: *mut f32, start: Raw, end: Raw) -> i32;
    pub fn aclrtEventGetTimestamp(event: Raw, timestamp: *mut u64) -> i32;

    pub fn aclrtMalloc(address: *mut Raw, size: usize, policy: i32) -> i32;
    pub fn aclrtMallocAlign32(address: *mut Raw, size: usize, policy: i32) -> i32;
    pub fn aclrtFree(address: Raw) -> i32;
    pub fn aclrtFreeWithDevSync(address: Raw) -> i32;
    pub fn aclrtMallocHost(address: *mut Raw, size: usize) -> i32;
    pub fn aclrtFreeHost(address: Raw) -> i32;
    pub fn aclrtHostRegister(address: Raw, size: u64, kind: i32, device: *mut Raw) -> i32;
    pub fn aclrtHostUnregister(address: Raw) -> i32;
    pub fn aclrtMemcpy(to: Raw, room: usize, from: *const c_void, count: usize, kind: i32) -> i32;
    pub fn aclrtMemcpyAsync(
        to: Raw,
        room: usize,
        from: *const c_void,
        count: usize,
        kind: i32,
        stream: Raw,
    ) -> i32;
    pub fn aclrtMemcpy2d(
        to: Raw,
        to_pitch: usize,
        from: *const c_void,
        from_pitch: usize,
        width: usize,
        height: usize,
        kind: i32,
    ) -> i32;
    pub fn aclrtMemcpyBatch(
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
    pub fn aclrtMemset(address: Raw, room: usize, value: i32, count: usize) -> i32;
    pub fn aclrtMemsetAsync(
        address: Raw,
        room: usize,
        value: i32,
        count: usize,
        stream: Raw,
    ) -> i32;
    pub fn aclrtGetMemInfo(attribute: i32, free: *mut usize, total: *mut usize) -> i32;
    pub fn aclrtPointerGetAttributes(address: *const c_void, attributes: *mut [u32; 7]) -> i32;
    pub fn aclrtReserveMemAddress(
        address: *mut Raw,
        size: usize,
        alignment: usize,
        expected: Raw,
        flags: u64,
    ) -> i32;
    pub fn aclrtReleaseMemAddress(address: Raw) -> i32;
    pub fn aclrtMallocPhysical(
        handle: *mut Raw,
        size: usize,
        prop: *const [u32; 8],
        flags: u64,
    ) -> i32;
    pub fn aclrtFreePhysical(handle: Raw) -> i32;
    pub fn aclrtMapMem(address: Raw, size: usize, offset: usize, handle: Raw, flags: u64) -> i32;
    pub fn aclrtUnmapMem(address: Raw) -> i32;

    pub fn aclmdlRICaptureBegin(stream: Raw, mode: i32) -> i32;
    pub fn aclmdlRICaptureGetInfo(stream: Raw, status: *mut i32, model: *mut Raw) -> i32;
    pub fn aclmdlRICaptureEnd(stream: Raw, model: *mut Raw) -> i32;
    pub fn aclmdlRICaptureThreadExchangeMode(mode: *mut i32) -> i32;
    pub fn aclmdlRICaptureTaskGrpBegin(stream: Raw) -> i32;
    pub fn aclmdlRICaptureTaskGrpEnd(stream: Raw, handle: *mut Raw) -> i32;
    pub fn aclmdlRICaptureTaskUpdateBegin(stream: Raw, handle: Raw) -> i32;
    pub fn aclmdlRICaptureTaskUpdateEnd(stream: Raw) -> i32;
    pub fn aclmdlRIExecute(model: Raw, timeout: i32) -> i32;
    pub fn aclmdlRIExecuteAsync(model: Raw, stream: Raw) -> i32;
    pub fn aclmdlRIDestroy(model: Raw) -> i32;
    pub fn aclmdlRIAbort(model: Raw) -> i32;

    pub fn aclCreateTensor(
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
    pub fn aclDestroyTensor(tensor: Raw) -> i32;
    pub fn aclInitTensor(
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
    pub fn aclCreateTensorList(value: *const Raw, size: u64) -> Raw;
    pub fn aclDestroyTensorList(list: Raw) -> i32;
    pub fn aclGetTensorListSize(list: Raw, size: *mut u64) -> i32;
    pub fn aclCreateScalar(value: *const c_void, dtype: i32) -> Raw;
    pub fn aclDestroyScalar(scalar: Raw) -> i32;
    pub fn aclCreateScalarList(value: *const Raw, size: u64) -> Raw;
    pub fn aclDestroyScalarList(list: Raw) -> i32;
    pub fn aclCreateIntArray(value: *const i64, size: u64) -> Raw;
    pub fn aclDestroyIntArray(array: Raw) -> i32;
    pub fn aclGetIntArraySize(array: Raw, size: *mut u64) -> i32;
    pub fn aclCreateFloatArray(value: *const f32, size: u64) -> Raw;
    pub fn aclDestroyFloatArray(array: Raw) -> i32;
    pub fn aclCreateBoolArray(value: *const bool, size: u64) -> Raw;
    pub fn aclDestroyBoolArray(array: Raw) -> i32;
    pub fn aclGetViewShape(tensor: Raw, dims: *mut *mut i64, count: *mut u64) -> i32;
    pub fn aclGetViewStrides(tensor: Raw, strides: *mut *mut i64, count: *mut u64) -> i32;
    pub fn aclGetStorageShape(tensor: Raw, dims: *mut *mut i64, count: *mut u64) -> i32;
    pub fn aclGetViewOffset(tensor: Raw, offset: *mut i64) -> i32;
    pub fn aclGetFormat(tensor: Raw, format: *mut i32) -> i32;
    pub fn aclGetDataType(tensor: Raw, dtype: *mut i32) -> i32;
    pub fn aclGetRawTensorAddr(tensor: Raw, address: *mut Raw) -> i32;
    pub fn aclSetTensorAddr(executor: Raw, index: usize, tensor: Raw, address: Raw) -> i32;
    pub fn aclSetOutputTensorAddr(executor: Raw, index: usize, tensor: Raw, address: Raw) -> i32;
    pub fn aclSetAclOpExecutorRepeatable(executor: Raw) -> i32;
    pub fn aclDestroyAclOpExecutor(executor: Raw) -> i32;
    pub fn aclnnInit(config: *const c_char) -> i32;
    pub fn aclnnFinalize() -> i32;

    pub fn aclnnInplaceZeroGetWorkspaceSize(
        tensor: Raw,
        bytes: *mut u64,
        executor: *mut Raw,
    ) -> i32;
    pub fn aclnnInplaceZero(workspace: Raw, bytes: u64, executor: Raw, stream: Raw) -> i32;

    pub fn ascendSimCounters(counters: *mut Counters) -> i32;
    pub fn ascendSimResetCounters() -> i32;
}
