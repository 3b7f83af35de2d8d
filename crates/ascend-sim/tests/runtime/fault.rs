use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering};

use super::support::*;
use super::sys::Raw;

fn zero(data: Raw, workspace: Raw, stream: Raw) {
    Zero::prepare(data, 8).launch(workspace, stream);
}

/// What is refused once a fault was reported.
fn assert_poisoned(status: i32, stream: Raw) {
    let mut out = null_mut();
    assert_eq!(acl!(aclrtMalloc(&raw mut out, 64, 0)), status);
    assert!(message().contains("context poisoned"), "no word of it");
    assert_eq!(acl!(aclrtSynchronizeStream(stream)), status);
    assert_eq!(acl!(aclrtSynchronizeDevice()), status);
    assert_eq!(acl!(aclrtCreateStream(&raw mut out)), status);
}

#[test]
fn a_fault_shows_at_the_next_wait_and_poisons_the_context() {
    let variables = [("ASCEND_SIM_FAULTS", "kernel:2")];
    child("fault::a_fault_shows_at_the_next_wait_and_poisons_the_context", &variables, || {
        let _turn = turn();
        let (stream, data, workspace) = (stream(), malloc(32), malloc(WORKSPACE));
        put(data, &[1; 32]);
        for _ in 0..2 {
            zero(data, workspace, stream);
        }
        // In the default mode the stream goes on behind a fault.
        ok!(aclrtMemsetAsync(data, 32, 5, 32, stream));
        let message = fails!(507_015, aclrtSynchronizeStream(stream));
        assert!(message.starts_with("EE9999") && message.contains("aclnnInplaceZero"), "{message}");
        assert!(message.contains("context poisoned"), "{message}");
        assert_poisoned(507_015, stream);
        let refused = Zero::prepare(data, 8);
        let message =
            fails!(361_001, aclnnInplaceZero(workspace, refused.bytes, refused.executor, stream));
        assert!(message.contains("507015"), "{message}");
        ok!(aclDestroyTensor(refused.tensor));
        // Cleaning up is allowed, and the reset heals.
        ok!(aclrtFree(workspace));
        ok!(aclrtDestroyStream(stream));
        ok!(aclrtResetDevice(0));
        ok!(aclrtSetDevice(0));
        assert_eq!(get(data, 32), [5; 32]);
        ok!(aclrtFree(data));
    });
}

#[test]
fn a_stream_that_stops_leaves_the_rest() {
    let variables = [("ASCEND_SIM_FAULTS", "kernel:1=507035,forgive")];
    child("fault::a_stream_that_stops_leaves_the_rest", &variables, || {
        let _turn = turn();
        let (stream, data, workspace) = (stream(), malloc(32), malloc(WORKSPACE));
        put(data, &[1; 32]);
        ok!(aclrtSetStreamFailureMode(stream, 1));
        let gate = Gate::new();
        gate.close(stream);
        zero(data, workspace, stream);
        ok!(aclrtMemsetAsync(data, 32, 5, 32, stream));
        let mark = event();
        ok!(aclrtRecordEvent(mark, stream));
        gate.open();
        fails!(507_035, aclrtSynchronizeStream(stream));
        assert_eq!(get(data, 32), [1; 32]);
        ok!(aclrtSynchronizeEvent(mark));
        // Forgiven: the context is not poisoned.
        ok!(aclrtSynchronizeStream(stream));
        ok!(aclrtDestroyEvent(mark));
        ok!(aclrtFree(data));
        ok!(aclrtFree(workspace));
        ok!(aclrtDestroyStream(stream));
    });
}

#[test]
fn a_query_reports_a_fault_too() {
    let variables = [("ASCEND_SIM_FAULTS", "kernel:1")];
    child("fault::a_query_reports_a_fault_too", &variables, || {
        let _turn = turn();
        let (stream, data, workspace) = (stream(), malloc(32), malloc(WORKSPACE));
        zero(data, workspace, stream);
        let mut status = 1;
        let code = loop {
            let code = acl!(aclrtStreamQuery(stream, &raw mut status));
            if code != 0 || status == 0 {
                break code;
            }
        };
        assert_eq!(code, 507_015);
        ok!(aclrtFree(data));
        ok!(aclrtFree(workspace));
    });
}

#[test]
fn memory_runs_out_when_asked_to() {
    let variables = [("ASCEND_SIM_FAULTS", "malloc:2")];
    child("fault::memory_runs_out_when_asked_to", &variables, || {
        let _turn = turn();
        let first = malloc(64);
        let mut out = null_mut();
        let message = fails!(207_001, aclrtMalloc(&raw mut out, 64, 0));
        assert!(message.contains("ASCEND_SIM_FAULTS"), "{message}");
        let third = malloc(64);
        ok!(aclrtFree(first));
        ok!(aclrtFree(third));
    });
}

#[test]
fn a_lost_device_is_lost_for_all() {
    let variables = [("ASCEND_SIM_FAULTS", "lost:1")];
    child("fault::a_lost_device_is_lost_for_all", &variables, || {
        let _turn = turn();
        let (stream, other, data, workspace) = (stream(), stream(), malloc(32), malloc(WORKSPACE));
        let mut status = 9;
        ok!(aclrtQueryDeviceStatus(0, &raw mut status));
        assert_eq!(status, 0);
        zero(data, workspace, stream);
        fails!(507_010, aclrtSynchronizeStream(stream));
        ok!(aclrtQueryDeviceStatus(0, &raw mut status));
        assert_eq!(status, 1);
        fails!(507_010, aclrtSynchronizeStream(other));
        fails!(507_010, aclrtSetDevice(0));
        ok!(aclrtFree(data));
        ok!(aclrtFree(workspace));
        ok!(aclrtResetDeviceForce(0));
        ok!(aclrtSetDevice(0));
        ok!(aclrtSynchronizeDevice());
    });
}

#[test]
fn a_kernel_that_hangs_can_be_left() {
    let variables = [("ASCEND_SIM_FAULTS", "hang:1")];
    child("fault::a_kernel_that_hangs_can_be_left", &variables, || {
        let _turn = turn();
        let (stream, data, workspace) = (stream(), malloc(32), malloc(WORKSPACE));
        zero(data, workspace, stream);
        fails!(507_046, aclrtSynchronizeStreamWithTimeout(stream, 30));
        ok!(aclrtStreamAbort(stream));
        ok!(aclrtSynchronizeStream(stream));
        ok!(aclrtDestroyStream(stream));
        ok!(aclrtFree(data));
        ok!(aclrtFree(workspace));
    });
}

#[test]
fn a_kernel_that_hangs_ends_with_a_time_limit() {
    let variables = [("ASCEND_SIM_FAULTS", "hang:1")];
    child("fault::a_kernel_that_hangs_ends_with_a_time_limit", &variables, || {
        let _turn = turn();
        ok!(aclrtSetOpExecuteTimeOutWithMs(30));
        let (data, workspace) = (malloc(32), malloc(WORKSPACE));
        zero(data, workspace, null_mut());
        fails!(507_014, aclrtSynchronizeStream(null_mut()));
        ok!(aclrtFree(data));
        ok!(aclrtFree(workspace));
    });
}

#[test]
fn freeing_what_queued_work_uses_is_a_fault() {
    let _turn = turn();
    let (stream, gate, data, workspace) = (stream(), Gate::new(), malloc(32), malloc(WORKSPACE));
    gate.close(stream);
    zero(data, workspace, stream);
    ok!(aclrtFree(data));
    gate.open();
    let message = fails!(507_015, aclrtSynchronizeStream(stream));
    assert!(message.contains("was freed"), "{message}");
    ok!(aclrtFree(workspace));
}

#[test]
fn freeing_a_workspace_in_use_is_a_fault() {
    let _turn = turn();
    let (stream, gate, data, workspace) = (stream(), Gate::new(), malloc(32), malloc(WORKSPACE));
    gate.close(stream);
    zero(data, workspace, stream);
    ok!(aclrtFree(workspace));
    gate.open();
    let message = fails!(507_015, aclrtSynchronizeStream(stream));
    assert!(message.contains("workspace") && message.contains("was freed"), "{message}");
    ok!(aclrtFree(data));
}

#[test]
fn a_workspace_shared_by_two_streams_is_a_fault() {
    let _turn = turn();
    let (first, second, data, workspace) = (stream(), stream(), malloc(64), malloc(2 * WORKSPACE));
    // Whether the first is done by chance does not matter: nothing orders the two.
    zero(data, workspace, first);
    zero(at(data, 32), at(workspace, 4096), second);
    ok!(aclrtSynchronizeStream(first));
    let message = fails!(507_015, aclrtSynchronizeStream(second));
    assert!(message.contains("use the same workspace"), "{message}");
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
}

#[test]
fn a_workspace_may_be_shared_in_an_order() {
    let _turn = turn();
    let (first, second, data, workspace) = (stream(), stream(), malloc(64), malloc(WORKSPACE));
    let mark = event();
    zero(data, workspace, first);
    zero(data, workspace, first);
    // By an event,
    ok!(aclrtRecordEvent(mark, first));
    ok!(aclrtStreamWaitEvent(second, mark));
    zero(at(data, 32), workspace, second);
    // by a host that waited for the stream,
    ok!(aclrtSynchronizeStream(second));
    zero(data, workspace, first);
    // or by one that waited for an event.
    ok!(aclrtRecordEvent(mark, first));
    ok!(aclrtSynchronizeEvent(mark));
    zero(data, workspace, second);
    ok!(aclrtSynchronizeDevice());
    // An event that was recorded too early orders nothing.
    ok!(aclrtRecordEvent(mark, first));
    zero(data, workspace, first);
    ok!(aclrtStreamWaitEvent(second, mark));
    zero(data, workspace, second);
    ok!(aclrtSynchronizeStream(first));
    fails!(507_015, aclrtSynchronizeStream(second));
    ok!(aclrtDestroyEvent(mark));
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
}

static TOLD: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" fn tell(info: Raw) {
    TOLD.store(acl!(aclrtGetErrorCodeFromExceptionInfo(info)), Ordering::SeqCst);
}

#[test]
fn a_callback_hears_of_faults() {
    let variables = [("ASCEND_SIM_FAULTS", "kernel:1=507035")];
    child("fault::a_callback_hears_of_faults", &variables, || {
        let _turn = turn();
        ok!(aclrtSetExceptionInfoCallback(Some(tell)));
        let (data, workspace) = (malloc(32), malloc(WORKSPACE));
        zero(data, workspace, null_mut());
        fails!(507_035, aclrtSynchronizeStream(null_mut()));
        assert_eq!(TOLD.load(Ordering::SeqCst), 507_035);
        ok!(aclrtSetExceptionInfoCallback(None));
        ok!(aclrtFree(data));
        ok!(aclrtFree(workspace));
    });
}
