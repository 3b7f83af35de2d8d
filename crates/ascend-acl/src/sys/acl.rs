//! The runtime, `acl_rt.h`: devices, contexts, streams, events, memory, graphs.

use std::ffi::{c_char, c_void};

use super::enums::{
    aclCANNPackageName, aclCannAttr, aclDeviceInfo, aclSysParamOpt, aclmdlRICaptureMode,
    aclmdlRICaptureStatus, aclrtCallbackBlockType, aclrtCmoType, aclrtDevAttr,
    aclrtDevResLimitType, aclrtDeviceStatus, aclrtEventRecordedStatus, aclrtEventWaitStatus,
    aclrtFloatOverflowMode, aclrtHostRegisterType, aclrtLastErrLevel, aclrtMemAttr,
    aclrtMemMallocPolicy, aclrtMemcpyKind, aclrtRunMode, aclrtStreamStatus,
};
use super::structs::{
    aclCANNPackageVersion, aclrtErrorInfo, aclrtMallocConfig, aclrtMemUsageInfo,
    aclrtMemcpyBatchAttr, aclrtPhysicalMemProp, aclrtPtrAttributes, aclrtUtilizationInfo,
    aclrtUuid,
};
use super::table::functions;
use super::types::{
    aclError, aclmdlRI, aclrtCallback, aclrtContext, aclrtDrvMemHandle, aclrtEvent,
    aclrtExceptionInfoCallback, aclrtHostFunc, aclrtStream, aclrtTaskGrp,
};

functions! {
    /// The runtime, from `libacl_rt.so` or `libascendcl.so`.
    Acl {
        /// Starts ACL for the process, with an optional JSON file of settings; must come before any
        /// operator. A second call gives 100002.
        Runtime "8.1" fn aclInit(configPath: *const c_char) -> aclError;
        /// Ends ACL for the process. A second call gives 100037.
        Runtime "8.1" fn aclFinalize() -> aclError;
        /// Gives up one reference to ACL and says how many are left; the last one ends it.
        Runtime "8.5" fn aclFinalizeReference(refCount: *mut u64) -> aclError;
        /// Takes the newest error text of the calling thread: null if there is none, valid until
        /// the next call.
        Runtime "8.1" fn aclGetRecentErrMsg() -> *const c_char;
        /// Version of the runtime interface.
        Runtime "8.1" fn aclrtGetVersion(
            majorVersion: *mut i32, minorVersion: *mut i32, patchVersion: *mut i32,
        ) -> aclError;
        /// Version of an installed package, up to 8.3.
        Runtime "8.1" fn aclsysGetCANNVersion(
            name: aclCANNPackageName, version: *mut aclCANNPackageVersion,
        ) -> aclError;
        /// Version of a named package as text.
        Runtime "8.5" fn aclsysGetVersionStr(
            pkgName: *mut c_char, versionStr: *mut c_char,
        ) -> aclError;
        /// Version of a named package as a number.
        Runtime "8.5" fn aclsysGetVersionNum(
            pkgName: *mut c_char, versionNum: *mut i32,
        ) -> aclError;
        /// Name of the chip, such as `Ascend910B3`.
        Runtime "8.1" fn aclrtGetSocName() -> *const c_char;
        /// Whether the program runs on the host or on the device.
        Runtime "8.1" fn aclrtGetRunMode(runMode: *mut aclrtRunMode) -> aclError;
        /// Whether the installation has an ability.
        Runtime "8.1" fn aclGetCannAttribute(cannAttr: aclCannAttr, value: *mut i32) -> aclError;
        /// A number about a device's cores or cache.
        Runtime "8.1" fn aclGetDeviceCapability(
            deviceId: u32, deviceInfo: aclDeviceInfo, value: *mut i64,
        ) -> aclError;
        /// Details of a hardware fault.
        Runtime "8.5" fn aclrtGetErrorVerbose(
            deviceId: i32, errorInfo: *mut aclrtErrorInfo,
        ) -> aclError;
        /// Takes the last error code of the thread.
        Runtime "8.1" fn aclrtGetLastError(level: aclrtLastErrLevel) -> aclError;
        /// Reads the last error code of the thread and leaves it.
        Runtime "8.1" fn aclrtPeekAtLastError(level: aclrtLastErrLevel) -> aclError;
        /// Whether programs for another chip run on this one.
        Runtime "8.5" fn aclrtCheckArchCompatibility(
            socVersion: *const c_char, canCompatible: *mut i32,
        ) -> aclError;
        /// Binds the calling thread to a device and its default context; counted.
        Runtime "8.1" fn aclrtSetDevice(deviceId: i32) -> aclError;
        /// Gives back one `aclrtSetDevice`.
        Runtime "8.1" fn aclrtResetDevice(deviceId: i32) -> aclError;
        /// Gives a device back whatever the count.
        Runtime "8.1" fn aclrtResetDeviceForce(deviceId: i32) -> aclError;
        /// The device of the calling thread.
        Runtime "8.1" fn aclrtGetDevice(deviceId: *mut i32) -> aclError;
        /// How many devices the process sees.
        Runtime "8.1" fn aclrtGetDeviceCount(count: *mut u32) -> aclError;
        /// Waits for everything on the thread's device.
        Runtime "8.1" fn aclrtSynchronizeDevice() -> aclError;
        /// Waits for everything on the thread's device, so many milliseconds at most.
        Runtime "8.1" fn aclrtSynchronizeDeviceWithTimeout(timeout: i32) -> aclError;
        /// How busy the cores of a device are, in per cent.
        Runtime "8.1" fn aclrtGetDeviceUtilizationRate(
            deviceId: i32, utilizationInfo: *mut aclrtUtilizationInfo,
        ) -> aclError;
        /// Whether a device is in order.
        Runtime "8.1" fn aclrtQueryDeviceStatus(
            deviceId: i32, deviceStatus: *mut aclrtDeviceStatus,
        ) -> aclError;
        /// An attribute of a device.
        Runtime "8.5" fn aclrtGetDeviceInfo(
            deviceId: u32, attr: aclrtDevAttr, value: *mut i64,
        ) -> aclError;
        /// The sixteen bytes that identify a device.
        Runtime "8.5" fn aclrtDeviceGetUuid(deviceId: i32, uuid: *mut aclrtUuid) -> aclError;
        /// Whether one device can reach the memory of another.
        Runtime "8.1" fn aclrtDeviceCanAccessPeer(
            canAccessPeer: *mut i32, deviceId: i32, peerDeviceId: i32,
        ) -> aclError;
        /// Lets the thread's device reach the memory of another.
        Runtime "8.1" fn aclrtDeviceEnablePeerAccess(peerDeviceId: i32, flags: u32) -> aclError;
        /// Ends the access to the memory of another device.
        Runtime "8.1" fn aclrtDeviceDisablePeerAccess(peerDeviceId: i32) -> aclError;
        /// Whether floats saturate or overflow to infinity.
        Runtime "8.1" fn aclrtSetDeviceSatMode(mode: aclrtFloatOverflowMode) -> aclError;
        /// How floats overflow.
        Runtime "8.1" fn aclrtGetDeviceSatMode(mode: *mut aclrtFloatOverflowMode) -> aclError;
        /// Limit of a kernel's time in seconds.
        Runtime "8.1" fn aclrtSetOpExecuteTimeOut(timeout: u32) -> aclError;
        /// Limit of a kernel's time in milliseconds.
        Runtime "8.1" fn aclrtSetOpExecuteTimeOutWithMs(timeout: u32) -> aclError;
        /// Limit of a wait between tasks in seconds.
        Runtime "8.1" fn aclrtSetOpWaitTimeout(timeout: u32) -> aclError;
        /// Sets an option of the process, such as determinism.
        Runtime "8.1" fn aclrtSetSysParamOpt(opt: aclSysParamOpt, value: i64) -> aclError;
        /// Reads an option of the process.
        Runtime "8.1" fn aclrtGetSysParamOpt(opt: aclSysParamOpt, value: *mut i64) -> aclError;
        /// Sets an option of the current context.
        Runtime "8.1" fn aclrtCtxSetSysParamOpt(opt: aclSysParamOpt, value: i64) -> aclError;
        /// Reads an option of the current context.
        Runtime "8.1" fn aclrtCtxGetSysParamOpt(opt: aclSysParamOpt, value: *mut i64) -> aclError;
        /// Makes a context on a device and makes it the thread's current one.
        Runtime "8.1" fn aclrtCreateContext(context: *mut aclrtContext, deviceId: i32) -> aclError;
        /// Destroys a context made by `aclrtCreateContext`.
        Runtime "8.1" fn aclrtDestroyContext(context: aclrtContext) -> aclError;
        /// Makes a context the thread's current one.
        Runtime "8.1" fn aclrtSetCurrentContext(context: aclrtContext) -> aclError;
        /// The thread's current context.
        Runtime "8.1" fn aclrtGetCurrentContext(context: *mut aclrtContext) -> aclError;
        /// The default stream of the current context.
        Runtime "8.5" fn aclrtCtxGetCurrentDefaultStream(stream: *mut aclrtStream) -> aclError;
        /// Makes a stream in the current context.
        Runtime "8.1" fn aclrtCreateStream(stream: *mut aclrtStream) -> aclError;
        /// Makes a stream with a priority and flags ([`stream_flag`](super::flags::stream_flag)).
        Runtime "8.1" fn aclrtCreateStreamWithConfig(
            stream: *mut aclrtStream, priority: u32, flag: u32,
        ) -> aclError;
        /// Waits for a stream's work and destroys it.
        Runtime "8.1" fn aclrtDestroyStream(stream: aclrtStream) -> aclError;
        /// Destroys a stream and drops its work.
        Runtime "8.1" fn aclrtDestroyStreamForce(stream: aclrtStream) -> aclError;
        /// Waits for a stream, and reports what failed on it.
        Runtime "8.1" fn aclrtSynchronizeStream(stream: aclrtStream) -> aclError;
        /// Waits for a stream, so many milliseconds at most (-1: for ever); 507046 if it takes
        /// longer.
        Runtime "8.1" fn aclrtSynchronizeStreamWithTimeout(
            stream: aclrtStream, timeout: i32,
        ) -> aclError;
        /// Whether a stream's work is done.
        Runtime "8.1" fn aclrtStreamQuery(
            stream: aclrtStream, status: *mut aclrtStreamStatus,
        ) -> aclError;
        /// Lets a stream wait for an event.
        Runtime "8.1" fn aclrtStreamWaitEvent(stream: aclrtStream, event: aclrtEvent) -> aclError;
        /// What a stream does after a failed task ([`failure_mode`](super::flags::failure_mode)).
        Runtime "8.1" fn aclrtSetStreamFailureMode(stream: aclrtStream, mode: u64) -> aclError;
        /// The number of a stream.
        Runtime "8.1" fn aclrtStreamGetId(stream: aclrtStream, streamId: *mut i32) -> aclError;
        /// Stops a stream's work.
        Runtime "8.1" fn aclrtStreamAbort(stream: aclrtStream) -> aclError;
        /// Names the thread that runs a stream's callbacks.
        Runtime "8.1" fn aclrtSubscribeReport(threadId: u64, stream: aclrtStream) -> aclError;
        /// Ends a subscription.
        Runtime "8.1" fn aclrtUnSubscribeReport(threadId: u64, stream: aclrtStream) -> aclError;
        /// Queues a callback, which the subscribed thread runs in `aclrtProcessReport`.
        Runtime "8.1" fn aclrtLaunchCallback(
            fn: aclrtCallback, userData: *mut c_void, blockType: aclrtCallbackBlockType,
            stream: aclrtStream,
        ) -> aclError;
        /// Runs waiting callbacks on this thread, waiting so many milliseconds at most.
        Runtime "8.1" fn aclrtProcessReport(timeout: i32) -> aclError;
        /// Queues a host function, which a thread of the runtime runs.
        Runtime "8.5" fn aclrtLaunchHostFunc(
            stream: aclrtStream, fn: aclrtHostFunc, args: *mut c_void,
        ) -> aclError;
        /// Names the function that is told of failed tasks.
        Runtime "8.1" fn aclrtSetExceptionInfoCallback(
            callback: aclrtExceptionInfoCallback,
        ) -> aclError;
        /// Limits how many cores a stream uses.
        Runtime "8.5" fn aclrtSetStreamResLimit(
            stream: aclrtStream, type: aclrtDevResLimitType, value: u32,
        ) -> aclError;
        /// Makes an event.
        Runtime "8.1" fn aclrtCreateEvent(event: *mut aclrtEvent) -> aclError;
        /// Makes an event with flags ([`event_flag`](super::flags::event_flag)).
        Runtime "8.1" fn aclrtCreateEventWithFlag(event: *mut aclrtEvent, flag: u32) -> aclError;
        /// Makes an event of the newer kind, which reports complete until it is recorded.
        Runtime "8.1" fn aclrtCreateEventExWithFlag(event: *mut aclrtEvent, flag: u32) -> aclError;
        /// Destroys an event.
        Runtime "8.1" fn aclrtDestroyEvent(event: aclrtEvent) -> aclError;
        /// Records an event on a stream.
        Runtime "8.1" fn aclrtRecordEvent(event: aclrtEvent, stream: aclrtStream) -> aclError;
        /// Clears an event on a stream.
        Runtime "8.1" fn aclrtResetEvent(event: aclrtEvent, stream: aclrtStream) -> aclError;
        /// Whether the record of an event has been passed; its values are inverted.
        Runtime "8.1" fn aclrtQueryEventStatus(
            event: aclrtEvent, status: *mut aclrtEventRecordedStatus,
        ) -> aclError;
        /// Whether the waits for an event are over.
        Runtime "8.1" fn aclrtQueryEventWaitStatus(
            event: aclrtEvent, status: *mut aclrtEventWaitStatus,
        ) -> aclError;
        /// Waits for an event.
        Runtime "8.1" fn aclrtSynchronizeEvent(event: aclrtEvent) -> aclError;
        /// Waits for an event, so many milliseconds at most.
        Runtime "8.1" fn aclrtSynchronizeEventWithTimeout(
            event: aclrtEvent, timeout: i32,
        ) -> aclError;
        /// Milliseconds between two events, both made for it.
        Runtime "8.1" fn aclrtEventElapsedTime(
            ms: *mut f32, startEvent: aclrtEvent, endEvent: aclrtEvent,
        ) -> aclError;
        /// Device time at an event, in microseconds.
        Runtime "8.1" fn aclrtEventGetTimestamp(event: aclrtEvent, timestamp: *mut u64) -> aclError;
        /// Allocates device memory, which is not cleared. Size 0 is an error.
        Runtime "8.1" fn aclrtMalloc(
            devPtr: *mut *mut c_void, size: usize, policy: aclrtMemMallocPolicy,
        ) -> aclError;
        /// Allocates device memory without the padding of `aclrtMalloc`.
        Runtime "8.1" fn aclrtMallocAlign32(
            devPtr: *mut *mut c_void, size: usize, policy: aclrtMemMallocPolicy,
        ) -> aclError;
        /// Allocates device memory that is cached on the host side.
        Runtime "8.1" fn aclrtMallocCached(
            devPtr: *mut *mut c_void, size: usize, policy: aclrtMemMallocPolicy,
        ) -> aclError;
        /// Allocates device memory with attributes.
        Runtime "8.1" fn aclrtMallocWithCfg(
            devPtr: *mut *mut c_void, size: usize, policy: aclrtMemMallocPolicy,
            cfg: *mut aclrtMallocConfig,
        ) -> aclError;
        /// Frees device memory at once, without waiting for kernels that use it.
        Runtime "8.1" fn aclrtFree(devPtr: *mut c_void) -> aclError;
        /// Waits for the device, then frees device memory.
        Runtime "8.5" fn aclrtFreeWithDevSync(devPtr: *mut c_void) -> aclError;
        /// Allocates pinned host memory.
        Runtime "8.1" fn aclrtMallocHost(hostPtr: *mut *mut c_void, size: usize) -> aclError;
        /// Frees pinned host memory.
        Runtime "8.1" fn aclrtFreeHost(hostPtr: *mut c_void) -> aclError;
        /// Pins memory of the caller and maps it to the device.
        Runtime "8.1" fn aclrtHostRegister(
            ptr: *mut c_void, size: u64, type: aclrtHostRegisterType, devPtr: *mut *mut c_void,
        ) -> aclError;
        /// Ends a registration.
        Runtime "8.1" fn aclrtHostUnregister(ptr: *mut c_void) -> aclError;
        /// Copies and waits for the copy, but for no stream. `count` may not exceed `destMax`.
        Runtime "8.1" fn aclrtMemcpy(
            dst: *mut c_void, destMax: usize, src: *const c_void, count: usize,
            kind: aclrtMemcpyKind,
        ) -> aclError;
        /// Queues a copy; asynchronous only with pinned host memory.
        Runtime "8.1" fn aclrtMemcpyAsync(
            dst: *mut c_void, destMax: usize, src: *const c_void, count: usize,
            kind: aclrtMemcpyKind, stream: aclrtStream,
        ) -> aclError;
        /// Copies rows with pitches and waits for the copy.
        Runtime "8.1" fn aclrtMemcpy2d(
            dst: *mut c_void, dpitch: usize, src: *const c_void, spitch: usize, width: usize,
            height: usize, kind: aclrtMemcpyKind,
        ) -> aclError;
        /// Queues a copy of rows with pitches.
        Runtime "8.1" fn aclrtMemcpy2dAsync(
            dst: *mut c_void, dpitch: usize, src: *const c_void, spitch: usize, width: usize,
            height: usize, kind: aclrtMemcpyKind, stream: aclrtStream,
        ) -> aclError;
        /// Fills device memory with a byte.
        Runtime "8.1" fn aclrtMemset(
            devPtr: *mut c_void, maxCount: usize, value: i32, count: usize,
        ) -> aclError;
        /// Queues filling device memory with a byte.
        Runtime "8.1" fn aclrtMemsetAsync(
            devPtr: *mut c_void, maxCount: usize, value: i32, count: usize, stream: aclrtStream,
        ) -> aclError;
        /// Free and total bytes of a kind of memory of the thread's device.
        Runtime "8.1" fn aclrtGetMemInfo(
            attr: aclrtMemAttr, free: *mut usize, total: *mut usize,
        ) -> aclError;
        /// Bytes in use by component.
        Runtime "8.5" fn aclrtGetMemUsageInfo(
            deviceId: i32, memUsageInfo: *mut aclrtMemUsageInfo, inputNum: usize,
            outputNum: *mut usize,
        ) -> aclError;
        /// Where a pointer points.
        Runtime "8.1" fn aclrtPointerGetAttributes(
            ptr: *const c_void, attributes: *mut aclrtPtrAttributes,
        ) -> aclError;
        /// Copies many pieces.
        Runtime "8.5" fn aclrtMemcpyBatch(
            dsts: *mut *mut c_void, destMaxs: *mut usize, srcs: *mut *mut c_void, sizes: *mut usize,
            numBatches: usize, attrs: *mut aclrtMemcpyBatchAttr, attrsIndexes: *mut usize,
            numAttrs: usize, failIndex: *mut usize,
        ) -> aclError;
        /// Queues copies of many pieces.
        Runtime "8.5" fn aclrtMemcpyBatchAsync(
            dsts: *mut *mut c_void, destMaxs: *mut usize, srcs: *mut *mut c_void, sizes: *mut usize,
            numBatches: usize, attrs: *mut aclrtMemcpyBatchAttr, attrsIndexes: *mut usize,
            numAttrs: usize, failIndex: *mut usize, stream: aclrtStream,
        ) -> aclError;
        /// Queues an operation on the cache, such as a prefetch.
        Runtime "8.1" fn aclrtCmoAsync(
            src: *mut c_void, size: usize, cmoType: aclrtCmoType, stream: aclrtStream,
        ) -> aclError;
        /// Reserves a range of device addresses.
        Runtime "8.1" fn aclrtReserveMemAddress(
            virPtr: *mut *mut c_void, size: usize, alignment: usize, expectPtr: *mut c_void,
            flags: u64,
        ) -> aclError;
        /// Gives a range of device addresses back.
        Runtime "8.1" fn aclrtReleaseMemAddress(virPtr: *mut c_void) -> aclError;
        /// Allocates device memory without an address.
        Runtime "8.1" fn aclrtMallocPhysical(
            handle: *mut aclrtDrvMemHandle, size: usize, prop: *const aclrtPhysicalMemProp,
            flags: u64,
        ) -> aclError;
        /// Frees what `aclrtMallocPhysical` gave.
        Runtime "8.1" fn aclrtFreePhysical(handle: aclrtDrvMemHandle) -> aclError;
        /// Maps memory to a reserved address.
        Runtime "8.1" fn aclrtMapMem(
            virPtr: *mut c_void, size: usize, offset: usize, handle: aclrtDrvMemHandle, flags: u64,
        ) -> aclError;
        /// Ends a mapping.
        Runtime "8.1" fn aclrtUnmapMem(virPtr: *mut c_void) -> aclError;
        /// Begins to record a stream's work instead of running it.
        Runtime "8.1" fn aclmdlRICaptureBegin(
            stream: aclrtStream, mode: aclmdlRICaptureMode,
        ) -> aclError;
        /// Whether a stream is being recorded, and into which graph.
        Runtime "8.1" fn aclmdlRICaptureGetInfo(
            stream: aclrtStream, status: *mut aclmdlRICaptureStatus, modelRI: *mut aclmdlRI,
        ) -> aclError;
        /// Ends the recording and gives the graph.
        Runtime "8.1" fn aclmdlRICaptureEnd(
            stream: aclrtStream, modelRI: *mut aclmdlRI,
        ) -> aclError;
        /// Exchanges the thread's capture mode with the one given.
        Runtime "8.1" fn aclmdlRICaptureThreadExchangeMode(
            mode: *mut aclmdlRICaptureMode,
        ) -> aclError;
        /// Begins a group of tasks that can be updated later.
        Runtime "8.1" fn aclmdlRICaptureTaskGrpBegin(stream: aclrtStream) -> aclError;
        /// Ends a group of tasks and gives its handle.
        Runtime "8.1" fn aclmdlRICaptureTaskGrpEnd(
            stream: aclrtStream, handle: *mut aclrtTaskGrp,
        ) -> aclError;
        /// Begins to replace the arguments of a group's tasks.
        Runtime "8.1" fn aclmdlRICaptureTaskUpdateBegin(
            stream: aclrtStream, handle: aclrtTaskGrp,
        ) -> aclError;
        /// Ends an update.
        Runtime "8.1" fn aclmdlRICaptureTaskUpdateEnd(stream: aclrtStream) -> aclError;
        /// Runs a graph and waits for it, so many milliseconds at most.
        Runtime "8.5" fn aclmdlRIExecute(modelRI: aclmdlRI, timeout: i32) -> aclError;
        /// Queues a run of a graph.
        Runtime "8.1" fn aclmdlRIExecuteAsync(modelRI: aclmdlRI, stream: aclrtStream) -> aclError;
        /// Destroys a graph.
        Runtime "8.1" fn aclmdlRIDestroy(modelRI: aclmdlRI) -> aclError;
        /// Prints a graph to the log.
        Runtime "8.1" fn aclmdlRIDebugPrint(modelRI: aclmdlRI) -> aclError;
        /// Stops the runs of a graph.
        Runtime "8.5" fn aclmdlRIAbort(modelRI: aclmdlRI) -> aclError;
    }
}
