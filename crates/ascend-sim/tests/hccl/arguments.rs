//! What is refused at the call.

use std::ffi::{c_char, c_void};

use super::rank::{
    F32, Item, NOT_SUPPORT, PARA, PTR, RUNTIME, SUM, TIMEOUT, U8, simulator, with_ranks,
};
use crate::loaded::{Device, Raw, text};

#[test]
fn arguments_are_checked_at_the_call() {
    with_ranks(1, |rank| {
        let loaded = rank.device.loaded;
        let (comm, stream) = (rank.comm, rank.device.stream);
        let null = std::ptr::null_mut();
        let buffer = rank.device.buffer(&[0; 64]);
        let says = |status: i32, expected: i32, text: &str| {
            let message = loaded.message();
            assert_eq!(status, expected, "{message}");
            assert!(message.contains(text), "{message}");
        };
        says(rank.all_reduce(null, buffer, 4, F32, SUM), PTR, "sendBuf");
        says(rank.all_reduce(buffer, null, 4, F32, SUM), PTR, "recvBuf");
        says(rank.all_reduce(buffer, buffer, 4, 13, SUM), NOT_SUPPORT, "dataType is 13");
        says(rank.all_reduce(buffer, buffer, 4, 17, SUM), NOT_SUPPORT, "cannot be reduced");
        says(rank.all_reduce(buffer, buffer, 4, F32, 4), PARA, "op is 4");
        says(rank.all_reduce(buffer, buffer, u64::MAX / 2, F32, SUM), PARA, "count");
        says(rank.send(buffer, 1, 0), PARA, "itself");
        says(rank.send(buffer, 1, 1), PARA, "below 1");
        assert_eq!(rank.all_reduce(null, null, 0, F32, SUM), 0);
        says(
            call!(
                loaded, "HcclBroadcast", buffer => Raw, 1 => u64, U8 => i32, 1 => u32, comm => Raw,
                stream => Raw
            ),
            PARA,
            "root is 1",
        );
        says(
            call!(
                loaded, "HcclAlltoAll", buffer => Raw, 1 => u64, U8 => i32, buffer => Raw, 1 => u64,
                F32 => i32, comm => Raw, stream => Raw
            ),
            PARA,
            "recvType",
        );
        says(call!(loaded, "HcclBarrier", comm => Raw, null => Raw), PTR, "stream");
        says(call!(loaded, "HcclBarrier", null => Raw, stream => Raw), PTR, "comm");
        says(
            call!(loaded, "HcclBarrier", buffer => Raw, stream => Raw),
            PARA,
            "no call of this library",
        );
        says(call!(loaded, "HcclBarrier", comm => Raw, buffer => Raw), RUNTIME, "");
        let item = Item { kind: 2, buffer, count: 1, element: U8, peer: 0 };
        let item = (&raw const item).cast::<c_void>();
        says(
            call!(loaded, "HcclBatchSendRecv", item => *const c_void, 1 => u32, comm => Raw, stream => Raw),
            PARA,
            "sendRecvType is 2",
        );
        says(
            call!(loaded, "HcclGetRankId", comm => Raw, std::ptr::null_mut() => *mut u32),
            PTR,
            "rank",
        );
        let handles = [comm as usize, stream as usize];
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let [comm, stream] = handles.map(|handle| handle as Raw);
                let status = call!(loaded, "HcclBarrier", comm => Raw, stream => Raw);
                says(status, RUNTIME, "107002");
                let other = Device::open(loaded, 1);
                let status = call!(loaded, "HcclBarrier", comm => Raw, other.stream => Raw);
                says(status, PARA, "device 0");
            });
        });
        rank.device.finish();
        let comm = rank.comm;
        rank.destroy();
        says(call!(loaded, "HcclCommDestroy", comm => Raw), PARA, "not alive");
    });
}

#[test]
fn communicators_are_not_made_of_nonsense() {
    let loaded = simulator();
    let _device = Device::open(loaded, 0);
    let mut comms = [std::ptr::null_mut(); 2];
    let comms = comms.as_mut_ptr();
    let all = |count: u32, devices: *const i32| call!(loaded, "HcclCommInitAll", count => u32, devices => *const i32, comms => *mut Raw);
    assert_eq!(all(2, [0, 0].as_ptr()), PARA);
    assert!(loaded.message().contains("twice"));
    assert_eq!(all(2, [0, 99].as_ptr()), PARA);
    assert_eq!(all(0, [0].as_ptr()), PARA);
    assert_eq!(all(2, std::ptr::null()), PTR);
    let root = vec![0_u8; 4108];
    let join = |ranks: u32, rank: u32, root: *const u8| {
        call!(
            loaded, "HcclCommInitRootInfo", ranks => u32, root => *const u8, rank => u32,
            comms => *mut Raw
        )
    };
    assert_eq!(join(2, 2, root.as_ptr()), PARA);
    assert_eq!(join(2, 0, std::ptr::null()), PTR);
    assert_eq!(join(2, 0, root.as_ptr()), PARA);
    assert!(loaded.message().contains("HcclGetRootInfo"));
    let config = [0_u8; 24];
    let status = call!(
        loaded, "HcclCommInitRootInfoConfig", 1 => u32, root.as_ptr() => *const u8, 0 => u32,
        config.as_ptr() => *const u8, comms => *mut Raw
    );
    assert_eq!(status, PARA);
    assert!(loaded.message().contains("magic"));
}

#[test]
fn results_have_texts() {
    let function = simulator().find("HcclGetErrorString").unwrap();
    // SAFETY: its prototype.
    let function: extern "C" fn(i32) -> *const c_char = unsafe { std::mem::transmute(function) };
    assert!(text(function(TIMEOUT)).starts_with("HCCL_E_TIMEOUT"));
    assert!(text(function(-5)).contains("unknown"));
}
