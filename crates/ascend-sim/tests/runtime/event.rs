use std::ptr::null_mut;
use std::time::Duration;

use super::support::*;
use super::sys::Raw;

const NOT_READY: i32 = 0;
const COMPLETE: i32 = 1;

fn status(event: Raw) -> i32 {
    let mut status = 9;
    ok!(aclrtQueryEventStatus(event, &raw mut status));
    status
}

fn with_flag(flag: u32) -> Raw {
    let mut event = null_mut();
    ok!(aclrtCreateEventWithFlag(&raw mut event, flag));
    event
}

#[test]
fn the_status_of_a_record_is_the_other_way_round() {
    let _turn = turn();
    let (stream, gate, event) = (stream(), Gate::new(), event());
    assert_eq!(status(event), NOT_READY);
    gate.close(stream);
    ok!(aclrtRecordEvent(event, stream));
    assert_eq!(status(event), NOT_READY);
    fails!(507_047, aclrtSynchronizeEventWithTimeout(event, 10));
    gate.open();
    ok!(aclrtSynchronizeEvent(event));
    assert_eq!(status(event), COMPLETE);
    ok!(aclrtDestroyEvent(event));
    fails!(107_017, aclrtDestroyEvent(event));
    fails!(100_000, aclrtDestroyEvent(null_mut()));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn an_ex_event_is_complete_before_it_is_recorded() {
    let _turn = turn();
    let mut event = null_mut();
    ok!(aclrtCreateEventExWithFlag(&raw mut event, 1));
    assert_eq!(status(event), COMPLETE);
    ok!(aclrtSynchronizeEvent(event));
    ok!(aclrtDestroyEvent(event));
    let plain = with_flag(1);
    assert!(fails!(107_000, aclrtSynchronizeEvent(plain)).contains("never recorded"));
    ok!(aclrtDestroyEvent(plain));
    fails!(107_000, aclrtCreateEventWithFlag(&raw mut event, 0x80));
}

#[test]
fn a_stream_waits_for_another() {
    let _turn = turn();
    let (first, second, gate, event) = (stream(), stream(), Gate::new(), event());
    let address = malloc(32);
    gate.close(first);
    ok!(aclrtMemsetAsync(address, 32, 1, 32, first));
    ok!(aclrtRecordEvent(event, first));
    ok!(aclrtStreamWaitEvent(second, event));
    ok!(aclrtMemsetAsync(address, 32, 2, 32, second));
    fails!(507_046, aclrtSynchronizeStreamWithTimeout(second, 20));
    let mut waiting = 9;
    ok!(aclrtQueryEventWaitStatus(event, &raw mut waiting));
    assert_eq!(waiting, 1);
    gate.open();
    ok!(aclrtSynchronizeStream(second));
    assert_eq!(get(address, 32), [2; 32]);
    ok!(aclrtQueryEventWaitStatus(event, &raw mut waiting));
    assert_eq!(waiting, 0);
    ok!(aclrtFree(address));
    ok!(aclrtDestroyEvent(event));
    ok!(aclrtDestroyStream(first));
    ok!(aclrtDestroyStream(second));
}

#[test]
fn a_wait_is_for_the_record_before_it() {
    let _turn = turn();
    let (first, second, gate, event) = (stream(), stream(), Gate::new(), event());
    // Never recorded: nothing to wait for.
    ok!(aclrtStreamWaitEvent(second, event));
    ok!(aclrtSynchronizeStream(second));
    ok!(aclrtRecordEvent(event, first));
    ok!(aclrtStreamWaitEvent(second, event));
    gate.close(first);
    // Recorded again, behind the gate, which the wait above does not see.
    ok!(aclrtRecordEvent(event, first));
    ok!(aclrtSynchronizeStream(second));
    assert_eq!(status(event), NOT_READY);
    gate.open();
    ok!(aclrtSynchronizeStream(first));
    ok!(aclrtResetEvent(event, first));
    ok!(aclrtSynchronizeStream(first));
    assert_eq!(status(event), NOT_READY);
    ok!(aclrtDestroyEvent(event));
    ok!(aclrtDestroyStream(first));
    ok!(aclrtDestroyStream(second));
}

#[test]
fn an_event_destroyed_early_still_holds() {
    let _turn = turn();
    let (first, second, gate, event) = (stream(), stream(), Gate::new(), event());
    gate.close(first);
    ok!(aclrtRecordEvent(event, first));
    ok!(aclrtStreamWaitEvent(second, event));
    ok!(aclrtDestroyEvent(event));
    fails!(507_046, aclrtSynchronizeStreamWithTimeout(second, 20));
    gate.open();
    ok!(aclrtSynchronizeStream(second));
    ok!(aclrtDestroyStream(first));
    ok!(aclrtDestroyStream(second));
}

#[test]
fn times_want_the_flag_and_the_right_order() {
    let _turn = turn();
    let stream = stream();
    let (start, end, untimed) = (event(), with_flag(8), with_flag(1));
    let mut ms = -1.0;
    fails!(107_006, aclrtEventElapsedTime(&raw mut ms, start, end));
    ok!(aclrtRecordEvent(start, stream));
    ok!(aclrtSynchronizeEvent(start));
    let gate = Gate::new();
    gate.close(stream);
    ok!(aclrtRecordEvent(end, stream));
    ok!(aclrtRecordEvent(untimed, stream));
    fails!(507_006, aclrtEventElapsedTime(&raw mut ms, start, end));
    std::thread::sleep(Duration::from_millis(5));
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    ok!(aclrtEventElapsedTime(&raw mut ms, start, end));
    assert!((4.0..10_000.0).contains(&ms), "{ms}");
    fails!(107_007, aclrtEventElapsedTime(&raw mut ms, end, start));
    assert!(
        fails!(107_006, aclrtEventElapsedTime(&raw mut ms, start, untimed)).contains("TIME_LINE")
    );
    let (mut first, mut second) = (0, 0);
    ok!(aclrtEventGetTimestamp(start, &raw mut first));
    ok!(aclrtEventGetTimestamp(end, &raw mut second));
    assert!(second >= first + 4000);
    for event in [start, end, untimed] {
        ok!(aclrtDestroyEvent(event));
    }
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn modelled_times_are_those_of_the_model() {
    let variables = [("ASCEND_SIM_TIME", "1")];
    child("event::modelled_times_are_those_of_the_model", &variables, || {
        let _turn = turn();
        let (stream, other) = (stream(), stream());
        let (start, end) = (event(), event());
        let address = malloc(16_000_000);
        ok!(aclrtRecordEvent(start, stream));
        ok!(aclrtMemsetAsync(address, 16_000_000, 0, 16_000_000, stream));
        ok!(aclrtRecordEvent(end, stream));
        ok!(aclrtSynchronizeStream(stream));
        let mut ms = 0.0_f32;
        ok!(aclrtEventElapsedTime(&raw mut ms, start, end));
        // 16 MB at 1.6 TB/s, and 17 microseconds for the launch.
        assert!((ms - 0.027).abs() < 1e-4, "{ms}");
        // Another stream that waits is not earlier than what it waits for.
        ok!(aclrtStreamWaitEvent(other, end));
        ok!(aclrtMemsetAsync(address, 1, 0, 1, other));
        let later = event();
        ok!(aclrtRecordEvent(later, other));
        ok!(aclrtSynchronizeStream(other));
        ok!(aclrtEventElapsedTime(&raw mut ms, end, later));
        assert!((ms - 0.017).abs() < 1e-4, "{ms}");
        for event in [start, end, later] {
            ok!(aclrtDestroyEvent(event));
        }
        ok!(aclrtFree(address));
        ok!(aclrtDestroyStream(stream));
        ok!(aclrtDestroyStream(other));
    });
}
