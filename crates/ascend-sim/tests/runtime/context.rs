use std::ptr::null_mut;

use super::support::*;

#[test]
fn a_thread_without_a_device_gets_nothing() {
    let _turn = turn();
    let stream = stream() as usize;
    std::thread::spawn(move || {
        let mut out = null_mut();
        let mut device = 0;
        let (mut free, mut total) = (0, 0);
        assert!(fails!(107_002, aclrtMalloc(&raw mut out, 64, 0)).contains("aclrtSetDevice"));
        fails!(107_002, aclrtGetDevice(&raw mut device));
        fails!(107_002, aclrtCreateStream(&raw mut out));
        fails!(107_002, aclrtCreateEvent(&raw mut out));
        fails!(107_002, aclrtSynchronizeStream(stream as *mut _));
        fails!(107_002, aclrtSynchronizeDevice());
        fails!(107_002, aclrtGetMemInfo(1, &raw mut free, &raw mut total));
        fails!(107_002, aclrtGetCurrentContext(&raw mut out));
        fails!(107_002, aclrtMallocHost(&raw mut out, 64));
        ok!(aclrtSetDevice(0));
        ok!(aclrtSynchronizeStream(stream as *mut _));
        ok!(aclrtResetDevice(0));
    })
    .join()
    .unwrap();
    ok!(aclrtDestroyStream(stream as *mut _));
}

#[test]
fn set_and_reset_are_counted() {
    let _turn = turn();
    ok!(aclrtSetDevice(0));
    let (mut first, mut second) = (null_mut(), null_mut());
    ok!(aclrtGetCurrentContext(&raw mut first));
    ok!(aclrtResetDevice(0));
    ok!(aclrtGetCurrentContext(&raw mut second));
    assert_eq!(first, second);
    ok!(aclrtResetDevice(0));
    fails!(107_002, aclrtGetCurrentContext(&raw mut second));
    fails!(107_002, aclrtResetDevice(0));
    fails!(107_001, aclrtSetDevice(1));
    fails!(107_001, aclrtSetDevice(-1));
    ok!(aclrtSetDevice(0));
    ok!(aclrtGetCurrentContext(&raw mut second));
    assert_ne!(first, second);
}

#[test]
fn reset_ends_the_streams_after_their_work() {
    let _turn = turn();
    let memory = malloc(64);
    let source = malloc_host(64);
    pinned_bytes(source, 64).fill(3);
    let stream = stream();
    ok!(aclrtMemcpyAsync(memory, 64, source, 64, 1, stream));
    ok!(aclrtResetDevice(0));
    ok!(aclrtSetDevice(0));
    assert_eq!(get(memory, 64), [3; 64]);
    assert!(fails!(107_017, aclrtSynchronizeStream(stream)).contains("not alive"));
    ok!(aclrtFree(memory));
    ok!(aclrtFreeHost(source));
}

#[test]
fn a_stream_belongs_to_its_context() {
    let _turn = turn();
    let mut default = null_mut();
    ok!(aclrtGetCurrentContext(&raw mut default));
    let stream = stream();
    let mut other = null_mut();
    ok!(aclrtCreateContext(&raw mut other, 0));
    let mut current = null_mut();
    ok!(aclrtGetCurrentContext(&raw mut current));
    assert_eq!(current, other);
    let message = fails!(107_003, aclrtSynchronizeStream(stream));
    assert!(message.contains("another context"), "{message}");
    fails!(107_003, aclrtDestroyStream(stream));
    ok!(aclrtSetCurrentContext(default));
    ok!(aclrtSynchronizeStream(stream));
    ok!(aclrtDestroyStream(stream));
    fails!(107_000, aclrtDestroyContext(default));
    ok!(aclrtDestroyContext(other));
    fails!(107_017, aclrtSetCurrentContext(other));
    fails!(107_017, aclrtDestroyContext(other));
}

#[test]
fn a_destroyed_context_is_no_longer_current() {
    let _turn = turn();
    let mut context = null_mut();
    ok!(aclrtCreateContext(&raw mut context, 0));
    let _ends_with_the_context = stream();
    ok!(aclrtDestroyContext(context));
    fails!(107_002, aclrtSynchronizeDevice());
    assert_eq!(counters().streams, 0);
}

#[test]
fn the_default_stream_is_what_null_stands_for() {
    let _turn = turn();
    let mut default = null_mut();
    ok!(aclrtCtxGetCurrentDefaultStream(&raw mut default));
    let (mut null_id, mut id) = (0, 1);
    ok!(aclrtStreamGetId(null_mut(), &raw mut null_id));
    ok!(aclrtStreamGetId(default, &raw mut id));
    assert_eq!(null_id, id);
    fails!(107_000, aclrtDestroyStream(default));
    fails!(100_000, aclrtDestroyStream(null_mut()));
}

#[test]
fn devices_keep_their_memory_apart() {
    let variables = [("ASCEND_SIM_DEVICES", "2")];
    child("context::devices_keep_their_memory_apart", &variables, || {
        let mut count = 0;
        ok!(aclrtGetDeviceCount(&raw mut count));
        assert_eq!(count, 2);
        ok!(aclrtSetDevice(0));
        let first = malloc(64);
        put(first, &[1; 64]);
        ok!(aclrtSetDevice(1));
        let second = malloc(64);
        let message = fails!(107_000, aclrtMemcpy(second, 64, first, 64, 3));
        assert!(message.contains("device 0, which device 1 may not reach"), "{message}");
        ok!(aclrtDeviceEnablePeerAccess(0, 0));
        fails!(107_000, aclrtDeviceEnablePeerAccess(1, 0));
        ok!(aclrtMemcpy(second, 64, first, 64, 3));
        assert_eq!(get(second, 64), [1; 64]);
        ok!(aclrtDeviceDisablePeerAccess(0));
        fails!(107_000, aclrtDeviceDisablePeerAccess(0));
        fails!(107_000, aclrtMemcpy(second, 64, first, 64, 3));
        let mut device = 9;
        ok!(aclrtGetDevice(&raw mut device));
        assert_eq!(device, 1);
        ok!(aclrtFree(second));
        ok!(aclrtFree(first));
        assert_eq!(counters().device_bytes, 0);
    });
}
