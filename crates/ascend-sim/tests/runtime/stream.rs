use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::support::*;
use super::sys::Raw;

fn query(stream: Raw) -> i32 {
    let mut status = 9;
    ok!(aclrtStreamQuery(stream, &raw mut status));
    status
}

#[test]
fn a_stream_runs_by_itself_and_in_order() {
    let _turn = turn();
    let (first, second, gate) = (stream(), stream(), Gate::new());
    let address = malloc(32);
    gate.close(first);
    ok!(aclrtMemsetAsync(address, 32, 1, 32, first));
    ok!(aclrtMemsetAsync(address, 32, 2, 32, first));
    assert_eq!(query(first), 1);
    ok!(aclrtMemsetAsync(address, 32, 3, 32, second));
    ok!(aclrtSynchronizeStream(second));
    assert_eq!(get(address, 32), [3; 32]);
    gate.open();
    ok!(aclrtSynchronizeStream(first));
    assert_eq!(query(first), 0);
    assert_eq!(get(address, 32), [2; 32]);
    ok!(aclrtFree(address));
    ok!(aclrtDestroyStream(first));
    ok!(aclrtDestroyStream(second));
}

#[test]
fn null_is_a_stream_of_its_own() {
    let _turn = turn();
    let (other, gate, address) = (stream(), Gate::new(), malloc(32));
    gate.close(other);
    ok!(aclrtMemsetAsync(address, 32, 7, 32, null_mut()));
    ok!(aclrtSynchronizeStream(null_mut()));
    assert_eq!(get(address, 32), [7; 32]);
    gate.open();
    ok!(aclrtSynchronizeDevice());
    assert_eq!(gate.passed(), 1);
    ok!(aclrtFree(address));
    ok!(aclrtDestroyStream(other));
}

#[test]
fn waiting_ends_in_time() {
    let _turn = turn();
    let (stream, gate) = (stream(), Gate::new());
    gate.close(stream);
    let begin = Instant::now();
    let message = fails!(507_046, aclrtSynchronizeStreamWithTimeout(stream, 20));
    assert!(message.contains("not done in time"), "{message}");
    assert!(begin.elapsed() >= Duration::from_millis(20));
    fails!(507_046, aclrtSynchronizeDeviceWithTimeout(20));
    fails!(107_000, aclrtSynchronizeStreamWithTimeout(stream, -2));
    gate.open();
    ok!(aclrtSynchronizeStreamWithTimeout(stream, -1));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn abort_drops_what_waits() {
    let _turn = turn();
    let (stream, gate, address) = (stream(), Gate::new(), malloc(32));
    put(address, &[1; 32]);
    gate.close(stream);
    gate.reached();
    ok!(aclrtMemsetAsync(address, 32, 2, 32, stream));
    let mark = event();
    ok!(aclrtRecordEvent(mark, stream));
    std::thread::scope(|scope| {
        let raw = stream as usize;
        let mut context = null_mut();
        ok!(aclrtGetCurrentContext(&raw mut context));
        let context = context as usize;
        let waiter = scope.spawn(move || {
            ok!(aclrtSetCurrentContext(context as Raw));
            fails!(107_023, aclrtSynchronizeStream(raw as Raw));
        });
        std::thread::sleep(Duration::from_millis(30));
        ok!(aclrtStreamAbort(stream));
        gate.open();
        waiter.join().unwrap();
    });
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(get(address, 32), [1; 32]);
    // Nobody waits for ever for an event of an aborted stream.
    ok!(aclrtSynchronizeEvent(mark));
    ok!(aclrtMemsetAsync(address, 32, 3, 32, stream));
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(get(address, 32), [3; 32]);
    ok!(aclrtDestroyEvent(mark));
    ok!(aclrtFree(address));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn destroying_waits_and_by_force_does_not() {
    let _turn = turn();
    let (gentle, gate, address) = (stream(), Gate::new(), malloc(32));
    gate.close(gentle);
    ok!(aclrtMemsetAsync(address, 32, 4, 32, gentle));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            gate.open();
        });
        ok!(aclrtDestroyStream(gentle));
    });
    assert_eq!(get(address, 32), [4; 32]);
    fails!(107_017, aclrtDestroyStream(gentle));
    let (forced, gate) = (stream(), Gate::new());
    gate.close(forced);
    gate.reached();
    ok!(aclrtMemsetAsync(address, 32, 5, 32, forced));
    ok!(aclrtDestroyStreamForce(forced));
    assert_eq!(gate.passed(), 0);
    gate.open();
    while gate.passed() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(get(address, 32), [4; 32]);
    ok!(aclrtFree(address));
}

#[test]
fn priorities_and_flags_are_checked() {
    let _turn = turn();
    let mut stream = null_mut();
    fails!(107_000, aclrtCreateStreamWithConfig(&raw mut stream, 8, 0));
    fails!(107_000, aclrtCreateStreamWithConfig(&raw mut stream, 0, 0x40));
    ok!(aclrtCreateStreamWithConfig(&raw mut stream, 0, 3));
    fails!(107_000, aclrtSetStreamFailureMode(stream, 2));
    ok!(aclrtDestroyStream(stream));
    fails!(100_000, aclrtCreateStream(null_mut()));
}

#[test]
fn there_is_an_end_to_streams() {
    let _turn = turn();
    let streams: Vec<Raw> = (0..1984).map(|_| stream()).collect();
    let mut one_more = null_mut();
    fails!(207_008, aclrtCreateStream(&raw mut one_more));
    for stream in streams {
        ok!(aclrtDestroyStream(stream));
    }
}

unsafe extern "C" fn count(counter: Raw) {
    // SAFETY: the tests pass a counter that outlives the call.
    unsafe { &*counter.cast::<AtomicUsize>() }.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn callbacks_run_on_the_thread_that_reports() {
    let _turn = turn();
    let stream = stream();
    let counter = AtomicUsize::new(0);
    let data = (&raw const counter).cast_mut().cast();
    let message = fails!(107_015, aclrtLaunchCallback(Some(count), data, 1, stream));
    assert!(message.contains("aclrtSubscribeReport"), "{message}");
    fails!(107_012, aclrtProcessReport(1));
    // SAFETY: no requirements.
    let own = unsafe { libc::pthread_self() } as u64;
    ok!(aclrtSubscribeReport(own, stream));
    fails!(107_011, aclrtSubscribeReport(own, stream));
    fails!(107_019, aclrtProcessReport(1));
    let address = malloc(32);
    put(address, &[0; 32]);
    ok!(aclrtLaunchCallback(Some(count), data, 1, stream));
    ok!(aclrtMemsetAsync(address, 32, 1, 32, stream));
    fails!(507_046, aclrtSynchronizeStreamWithTimeout(stream, 30));
    assert_eq!((counter.load(Ordering::SeqCst), get(address, 1)[0]), (0, 0));
    ok!(aclrtProcessReport(-1));
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!((counter.load(Ordering::SeqCst), get(address, 1)[0]), (1, 1));
    // One that does not block lets the stream go on.
    ok!(aclrtLaunchCallback(Some(count), data, 0, stream));
    ok!(aclrtSynchronizeStream(stream));
    ok!(aclrtProcessReport(1000));
    assert_eq!(counter.load(Ordering::SeqCst), 2);
    fails!(100_000, aclrtLaunchCallback(None, data, 0, stream));
    fails!(107_000, aclrtLaunchCallback(Some(count), data, 2, stream));
    ok!(aclrtUnSubscribeReport(own, stream));
    fails!(107_012, aclrtUnSubscribeReport(own, stream));
    ok!(aclrtFree(address));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn host_functions_need_no_subscription() {
    let _turn = turn();
    let stream = stream();
    let counter = AtomicUsize::new(0);
    let data = (&raw const counter).cast_mut().cast();
    ok!(aclrtLaunchHostFunc(stream, Some(count), data));
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(counter.load(Ordering::SeqCst), 1);
    fails!(100_000, aclrtLaunchHostFunc(stream, None, data));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn delays_reorder_streams_but_not_their_tasks() {
    let variables = [("ASCEND_SIM_DELAY", "7")];
    child("stream::delays_reorder_streams_but_not_their_tasks", &variables, || {
        let _turn = turn();
        let (first, second) = (stream(), stream());
        let address = malloc(32);
        let mut winners = [0, 0];
        for _ in 0..60 {
            ok!(aclrtMemsetAsync(address, 1, 1, 1, first));
            ok!(aclrtMemsetAsync(address, 1, 2, 1, second));
            ok!(aclrtMemsetAsync(at(address, 1), 1, 3, 1, first));
            ok!(aclrtMemsetAsync(at(address, 1), 1, 4, 1, first));
            ok!(aclrtSynchronizeDevice());
            let there = get(address, 2);
            winners[usize::from(there[0]) - 1] += 1;
            assert_eq!(there[1], 4);
        }
        assert!(winners[0] > 0 && winners[1] > 0, "{winners:?}");
        ok!(aclrtFree(address));
        ok!(aclrtDestroyStream(first));
        ok!(aclrtDestroyStream(second));
    });
}
