//! A rank, and threads that are ranks.

use crate::loaded::{Device, Loaded, Raw};

pub(crate) const PARA: i32 = 1;
pub(crate) const PTR: i32 = 2;
pub(crate) const NOT_SUPPORT: i32 = 5;
pub(crate) const TIMEOUT: i32 = 9;
pub(crate) const RUNTIME: i32 = 15;
pub(crate) const REMOTE: i32 = 21;

/// What streams report.
pub(crate) const TOO_LATE: i32 = 507_048;
pub(crate) const MISMATCH: i32 = 507_049;
pub(crate) const LOST: i32 = 507_057;

pub(crate) const U8: i32 = 7;
pub(crate) const I32: i32 = 2;
pub(crate) const F32: i32 = 4;
pub(crate) const SUM: i32 = 0;

pub(crate) fn simulator() -> &'static Loaded {
    crate::loaded::loaded(&[("ASCEND_SIM_DEVICES", "8"), ("HCCL_EXEC_TIMEOUT", "60")])
}

/// A rank: its device, stream and communicator.
pub(crate) struct Rank<'a> {
    pub(crate) device: Device<'a>,
    pub(crate) comm: Raw,
    pub(crate) id: u32,
    pub(crate) ranks: u32,
}

impl Rank<'_> {
    pub(crate) fn destroy(self) {
        let loaded = self.device.loaded;
        ok!(loaded, "HcclCommDestroy", self.comm => Raw);
    }

    pub(crate) fn async_error(&self) -> i32 {
        let mut error = -1;
        ok!(self.device.loaded, "HcclGetCommAsyncError", self.comm => Raw, &raw mut error => *mut i32);
        error
    }

    pub(crate) fn all_reduce(
        &self,
        send: Raw,
        recv: Raw,
        count: u64,
        element: i32,
        op: i32,
    ) -> i32 {
        call!(
            self.device.loaded, "HcclAllReduce", send => Raw, recv => Raw, count => u64, element => i32,
            op => i32, self.comm => Raw, self.device.stream => Raw
        )
    }

    pub(crate) fn send(&self, buffer: Raw, count: u64, peer: u32) -> i32 {
        call!(
            self.device.loaded, "HcclSend", buffer => Raw, count => u64, U8 => i32, peer => u32,
            self.comm => Raw, self.device.stream => Raw
        )
    }

    pub(crate) fn recv(&self, buffer: Raw, count: u64, peer: u32) -> i32 {
        call!(
            self.device.loaded, "HcclRecv", buffer => Raw, count => u64, U8 => i32, peer => u32,
            self.comm => Raw, self.device.stream => Raw
        )
    }

    /// Runs one operation with a send and a receive buffer, and gives what is received.
    pub(crate) fn exchange(
        &self,
        send: &[u8],
        size: usize,
        operation: impl FnOnce(Raw, Raw) -> i32,
    ) -> Vec<u8> {
        let (from, to) = (self.device.buffer(send), self.device.buffer(&vec![0xee; size]));
        let status = operation(from, to);
        assert_eq!(status, 0, "{}", self.device.loaded.message());
        self.device.finish();
        self.device.read(to, size)
    }
}

/// Runs a thread for each rank of a communicator that one call makes.
pub(crate) fn with_ranks(count: u32, body: impl Fn(Rank<'_>) + Sync) {
    let loaded = simulator();
    let devices: Vec<i32> = (0..count.cast_signed()).collect();
    let mut comms = vec![std::ptr::null_mut(); count as usize];
    ok!(
        loaded, "HcclCommInitAll", count => u32, devices.as_ptr() => *const i32,
        comms.as_mut_ptr() => *mut Raw
    );
    std::thread::scope(|scope| {
        for (rank, comm) in (0..count).zip(comms) {
            let (comm, body) = (comm as usize, &body);
            scope.spawn(move || {
                let device = Device::open(loaded, rank.cast_signed());
                body(Rank { device, comm: comm as Raw, id: rank, ranks: count });
            });
        }
    });
}

/// `HcclSendRecvItem`.
#[repr(C)]
pub(crate) struct Item {
    pub(crate) kind: i32,
    pub(crate) buffer: Raw,
    pub(crate) count: u64,
    pub(crate) element: i32,
    pub(crate) peer: u32,
}
