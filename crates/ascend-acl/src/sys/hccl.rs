//! Collectives, `hccl/hccl.h`. Counts are of elements; buffers are device memory.

use std::ffi::{c_char, c_void};

use super::enums::c_enum;
use super::structs::{HcclRootInfo, HcclSendRecvItem};
use super::table::functions;
use super::types::{HcclComm, aclrtStream};

c_enum! {
    /// Element type, numbered otherwise than [`aclDataType`](super::aclDataType).
    HcclDataType: i32, "HCCL_DATA_TYPE_" {
        INT8 = 0, INT16 = 1, INT32 = 2, FP16 = 3, FP32 = 4, INT64 = 5, UINT64 = 6, UINT8 = 7,
        UINT16 = 8, UINT32 = 9, FP64 = 10, BFP16 = 11, INT128 = 12, HIF8 = 14, FP8E4M3 = 15,
        FP8E5M2 = 16, FP8E8M0 = 17,
    }
    /// How values are combined.
    HcclReduceOp: i32, "HCCL_REDUCE_" { SUM = 0, PROD = 1, MAX = 2, MIN = 3 }
    /// What a function returns: 0 or a code.
    HcclResult: i32, "HCCL_" {
        SUCCESS = 0, E_PARA = 1, E_PTR = 2, E_MEMORY = 3, E_INTERNAL = 4, E_NOT_SUPPORT = 5,
        E_NOT_FOUND = 6, E_UNAVAIL = 7, E_SYSCALL = 8, E_TIMEOUT = 9, E_OPEN_FILE_FAILURE = 10,
        E_TCP_CONNECT = 11, E_ROCE_CONNECT = 12, E_TCP_TRANSFER = 13, E_ROCE_TRANSFER = 14,
        E_RUNTIME = 15, E_DRV = 16, E_PROFILING = 17, E_CCE = 18, E_NETWORK = 19, E_AGAIN = 20,
        E_REMOTE = 21, E_SUSPENDING = 22, E_OPRETRY_FAIL = 23, E_OOM = 24,
    }
    /// Direction of a message.
    HcclSendRecvType: i32, "HCCL_" { SEND = 0, RECV = 1 }
}

/// Settings of a communicator. Its length differs from release to release and a function inside C's
/// header fills it in, so it has no layout here.
#[repr(C)]
pub struct HcclCommConfig {
    _private: [u8; 0],
    _neither_send_nor_sync_nor_unpin:
        std::marker::PhantomData<(*mut u8, std::marker::PhantomPinned)>,
}

impl std::fmt::Debug for HcclCommConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HcclCommConfig")
    }
}

functions! {
    /// Collectives and communicators, from `libhccl.so` and, since 8.5, `libhcomm.so`.
    Hccl {
        /// Makes the root info, on one rank.
        Communicators "8.1" fn HcclGetRootInfo(rootInfo: *mut HcclRootInfo) -> HcclResult;
        /// Makes a communicator; all ranks call it with the same root info.
        Communicators "8.1" fn HcclCommInitRootInfo(
            nRanks: u32, rootInfo: *const HcclRootInfo, rank: u32, comm: *mut HcclComm,
        ) -> HcclResult;
        /// Makes a communicator with settings.
        Communicators "8.1" fn HcclCommInitRootInfoConfig(
            nRanks: u32, rootInfo: *const HcclRootInfo, rank: u32, config: *const HcclCommConfig,
            comm: *mut HcclComm,
        ) -> HcclResult;
        /// Makes the communicators of several devices of one process.
        Communicators "8.1" fn HcclCommInitAll(
            ndev: u32, devices: *mut i32, comms: *mut HcclComm,
        ) -> HcclResult;
        /// Makes a communicator from a rank table.
        Communicators "8.1" fn HcclCommInitClusterInfo(
            clusterInfo: *const c_char, rank: u32, comm: *mut HcclComm,
        ) -> HcclResult;
        /// Destroys a communicator.
        Communicators "8.1" fn HcclCommDestroy(comm: HcclComm) -> HcclResult;
        /// How many ranks there are.
        Communicators "8.1" fn HcclGetRankSize(comm: HcclComm, rankSize: *mut u32) -> HcclResult;
        /// The rank of this side.
        Communicators "8.1" fn HcclGetRankId(comm: HcclComm, rank: *mut u32) -> HcclResult;
        /// What went wrong since, if anything.
        Communicators "8.1" fn HcclGetCommAsyncError(
            comm: HcclComm, asyncError: *mut HcclResult,
        ) -> HcclResult;
        /// Text for a code.
        Communicators "8.1" fn HcclGetErrorString(code: HcclResult) -> *const c_char;
        /// Queues a barrier.
        Collectives "8.1" fn HcclBarrier(comm: HcclComm, stream: aclrtStream) -> HcclResult;
        /// Queues a reduction whose result all ranks get.
        Collectives "8.1" fn HcclAllReduce(
            sendBuf: *mut c_void, recvBuf: *mut c_void, count: u64, dataType: HcclDataType,
            op: HcclReduceOp, comm: HcclComm, stream: aclrtStream,
        ) -> HcclResult;
        /// Queues a reduction whose result one rank gets.
        Collectives "8.1" fn HcclReduce(
            sendBuf: *mut c_void, recvBuf: *mut c_void, count: u64, dataType: HcclDataType,
            op: HcclReduceOp, root: u32, comm: HcclComm, stream: aclrtStream,
        ) -> HcclResult;
        /// Queues a copy from one rank to all.
        Collectives "8.1" fn HcclBroadcast(
            buf: *mut c_void, count: u64, dataType: HcclDataType, root: u32, comm: HcclComm,
            stream: aclrtStream,
        ) -> HcclResult;
        /// Queues gathering equal parts of all ranks on all of them.
        Collectives "8.1" fn HcclAllGather(
            sendBuf: *mut c_void, recvBuf: *mut c_void, sendCount: u64, dataType: HcclDataType,
            comm: HcclComm, stream: aclrtStream,
        ) -> HcclResult;
        /// Queues gathering parts of all ranks on all of them; counts are host arrays of uint64.
        Collectives "8.1" fn HcclAllGatherV(
            sendBuf: *mut c_void, sendCount: u64, recvBuf: *mut c_void, recvCounts: *const c_void,
            recvDispls: *const c_void, dataType: HcclDataType, comm: HcclComm, stream: aclrtStream,
        ) -> HcclResult;
        /// Queues a reduction of which each rank gets an equal part.
        Collectives "8.1" fn HcclReduceScatter(
            sendBuf: *mut c_void, recvBuf: *mut c_void, recvCount: u64, dataType: HcclDataType,
            op: HcclReduceOp, comm: HcclComm, stream: aclrtStream,
        ) -> HcclResult;
        /// Queues a reduction of which each rank gets a part; counts are host arrays of uint64.
        Collectives "8.1" fn HcclReduceScatterV(
            sendBuf: *mut c_void, sendCounts: *const c_void, sendDispls: *const c_void,
            recvBuf: *mut c_void, recvCount: u64, dataType: HcclDataType, op: HcclReduceOp,
            comm: HcclComm, stream: aclrtStream,
        ) -> HcclResult;
        /// Queues handing equal parts of one rank to all.
        Collectives "8.1" fn HcclScatter(
            sendBuf: *mut c_void, recvBuf: *mut c_void, recvCount: u64, dataType: HcclDataType,
            root: u32, comm: HcclComm, stream: aclrtStream,
        ) -> HcclResult;
        /// Queues an exchange of equal parts.
        Collectives "8.1" fn HcclAlltoAll(
            sendBuf: *const c_void, sendCount: u64, sendType: HcclDataType, recvBuf: *const c_void,
            recvCount: u64, recvType: HcclDataType, comm: HcclComm, stream: aclrtStream,
        ) -> HcclResult;
        /// Queues an exchange of parts; counts are host arrays of uint64.
        Collectives "8.1" fn HcclAlltoAllV(
            sendBuf: *const c_void, sendCounts: *const c_void, sdispls: *const c_void,
            sendType: HcclDataType, recvBuf: *const c_void, recvCounts: *const c_void,
            rdispls: *const c_void, recvType: HcclDataType, comm: HcclComm, stream: aclrtStream,
        ) -> HcclResult;
        /// Queues an exchange of parts; the host matrix of uint64 has the counts of all ranks.
        Collectives "8.1" fn HcclAlltoAllVC(
            sendBuf: *const c_void, sendCountMatrix: *const c_void, sendType: HcclDataType,
            recvBuf: *const c_void, recvType: HcclDataType, comm: HcclComm, stream: aclrtStream,
        ) -> HcclResult;
        /// Queues a message to a rank.
        Collectives "8.1" fn HcclSend(
            sendBuf: *mut c_void, count: u64, dataType: HcclDataType, destRank: u32, comm: HcclComm,
            stream: aclrtStream,
        ) -> HcclResult;
        /// Queues a message from a rank.
        Collectives "8.1" fn HcclRecv(
            recvBuf: *mut c_void, count: u64, dataType: HcclDataType, srcRank: u32, comm: HcclComm,
            stream: aclrtStream,
        ) -> HcclResult;
        /// Queues messages to and from ranks.
        Collectives "8.1" fn HcclBatchSendRecv(
            sendRecvInfo: *mut HcclSendRecvItem, itemNum: u32, comm: HcclComm, stream: aclrtStream,
        ) -> HcclResult;
        /// Begins a group of calls.
        Communicators "9.0" fn HcclGroupStart() -> HcclResult;
        /// Ends a group of calls.
        Communicators "9.0" fn HcclGroupEnd() -> HcclResult;
    }
}
