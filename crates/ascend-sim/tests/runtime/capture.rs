//! What may be done while a stream is captured, and how a capture ends.

use std::ptr::null_mut;

use super::support::*;
use super::sys::Raw;

/// A call that waits for something, or asks whether it is done.
pub(crate) type Wait<'a> = &'a dyn Fn() -> i32;

pub(crate) const GLOBAL: i32 = 0;
pub(crate) const THREAD_LOCAL: i32 = 1;
pub(crate) const RELAXED: i32 = 2;

pub(crate) fn begin(stream: Raw, mode: i32) {
    ok!(aclmdlRICaptureBegin(stream, mode));
}

pub(crate) fn end(stream: Raw) -> Raw {
    let mut graph = null_mut();
    ok!(aclmdlRICaptureEnd(stream, &raw mut graph));
    assert!(!graph.is_null());
    graph
}

pub(crate) fn status(stream: Raw) -> i32 {
    let mut status = 9;
    ok!(aclmdlRICaptureGetInfo(stream, &raw mut status, null_mut()));
    status
}

/// Ends a capture that must come to nothing.
macro_rules! end_fails {
    ($status:literal, $stream:expr) => {{
        let mut graph = 8 as Raw;
        let message = fails!($status, aclmdlRICaptureEnd($stream, &raw mut graph));
        assert!(graph.is_null());
        assert_eq!(status($stream), 0);
        message
    }};
}
pub(crate) use end_fails;

pub(crate) fn run(graph: Raw, stream: Raw) {
    ok!(aclmdlRIExecuteAsync(graph, stream));
    ok!(aclrtSynchronizeStream(stream));
}

pub(crate) fn fill(address: Raw, value: i32, count: usize, stream: Raw) {
    ok!(aclrtMemsetAsync(address, count, value, count, stream));
}
#[test]
fn nothing_runs_until_the_graph_does() {
    let _turn = turn();
    let (stream, data, workspace) = (stream(), malloc(64), malloc(WORKSPACE));
    put(data, &[1; 64]);
    assert_eq!(status(stream), 0);
    begin(stream, GLOBAL);
    assert_eq!(status(stream), 1);
    Zero::prepare(data, 8).launch(workspace, stream);
    fill(at(data, 32), 7, 8, stream);
    let graph = end(stream);
    assert_eq!((status(stream), counters().graphs), (0, 1));
    assert_eq!(get(data, 64), [1; 64]);
    run(graph, stream);
    assert_eq!(get(data, 48), [[0; 32].as_slice(), &[7; 8], &[1; 8]].concat());
    // It runs as often as wanted, on what lies in memory then, and nothing else happens.
    put(data, &[3; 64]);
    ok!(ascendSimResetCounters());
    for _ in 0..3 {
        ok!(aclmdlRIExecuteAsync(graph, stream));
    }
    let done = counters();
    assert_eq!((done.replays, done.launches, done.allocations, done.preparations), (3, 0, 0, 0));
    assert_eq!((done.blocking_copies, done.async_copies, done.synchronises), (0, 0, 0));
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(get(data, 8), [0; 8]);
    ok!(aclmdlRIExecute(graph, -1));
    ok!(aclmdlRIDestroy(graph));
    fails!(107_017, aclmdlRIExecuteAsync(graph, stream));
    fails!(107_017, aclmdlRIDestroy(graph));
    fails!(100_000, aclmdlRIExecuteAsync(null_mut(), stream));
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn captures_begin_and_end_by_the_rules() {
    let _turn = turn();
    let (stream, other) = (stream(), stream());
    let mut graph = null_mut();
    let message = fails!(107_031, aclmdlRICaptureBegin(null_mut(), GLOBAL));
    assert!(message.contains("default"), "{message}");
    fails!(107_000, aclmdlRICaptureBegin(stream, 3));
    fails!(107_029, aclmdlRICaptureEnd(stream, &raw mut graph));
    begin(stream, GLOBAL);
    fails!(107_027, aclmdlRICaptureBegin(stream, GLOBAL));
    fails!(107_029, aclmdlRICaptureEnd(other, &raw mut graph));
    fails!(107_027, aclrtDestroyStream(stream));
    end_fails!(507_903, stream);
    // An empty graph is one.
    begin(stream, THREAD_LOCAL);
    let graph = end(stream);
    run(graph, stream);
    ok!(aclmdlRIDestroy(graph));
    ok!(aclrtDestroyStream(stream));
    ok!(aclrtDestroyStream(other));
}

#[test]
fn another_thread_ends_a_relaxed_capture_only() {
    let _turn = turn();
    let stream = stream();
    let mut context = null_mut();
    ok!(aclrtGetCurrentContext(&raw mut context));
    for (mode, expected) in [(GLOBAL, 107_038), (RELAXED, 0)] {
        begin(stream, mode);
        let (raw, context) = (stream as usize, context as usize);
        let ended = std::thread::spawn(move || {
            ok!(aclrtSetCurrentContext(context as Raw));
            let mut graph = null_mut();
            let status = acl!(aclmdlRICaptureEnd(raw as Raw, &raw mut graph));
            (status, graph as usize)
        });
        let (status, graph) = ended.join().unwrap();
        assert_eq!(status, expected);
        if status == 0 {
            ok!(aclmdlRIDestroy(graph as Raw));
        } else {
            end_fails!(507_903, stream);
        }
    }
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn waiting_for_a_captured_stream_makes_the_capture_void() {
    let _turn = turn();
    let (stream, mark) = (stream(), event());
    let mut out = 0;
    let mut query = || acl!(aclrtStreamQuery(stream, &raw mut out));
    begin(stream, RELAXED);
    assert_eq!(query(), 107_027);
    end_fails!(507_903, stream);
    let waits: [(Wait<'_>, i32); 4] = [
        (&|| acl!(aclrtSynchronizeStream(stream)), 107_027),
        (&|| acl!(aclrtSynchronizeDevice()), 107_027),
        (&|| acl!(aclrtSynchronizeEvent(mark)), 107_028),
        (&|| acl!(aclrtQueryEventStatus(mark, &raw mut (*Box::leak(Box::new(0))))), 107_028),
    ];
    for (wait, expected) in waits {
        begin(stream, RELAXED);
        ok!(aclrtRecordEvent(mark, stream));
        assert_eq!(wait(), expected, "{}", message());
        assert_eq!(status(stream), 2);
        fails!(507_903, aclrtRecordEvent(mark, stream));
        end_fails!(507_903, stream);
    }
    ok!(aclrtDestroyEvent(mark));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn blocking_calls_are_refused_by_mode() {
    let _turn = turn();
    let (captured, free, data) = (stream(), stream(), malloc(64));
    let bytes = [0_u8; 32];
    let mut out = null_mut();
    let copy = || acl!(aclrtMemcpy(data, 32, bytes.as_ptr().cast(), 32, 1));
    begin(captured, GLOBAL);
    assert_eq!(copy(), 107_041);
    end_fails!(507_903, captured);
    begin(captured, GLOBAL);
    fails!(107_041, aclrtMemset(data, 32, 0, 32));
    end_fails!(507_903, captured);
    begin(captured, GLOBAL);
    fails!(107_041, aclrtMalloc(&raw mut out, 64, 0));
    end_fails!(507_903, captured);
    begin(captured, GLOBAL);
    fails!(107_027, aclrtSynchronizeStream(free));
    end_fails!(507_903, captured);

    // A thread that says so may, and in the other modes other threads may anyway.
    let mut context = null_mut();
    ok!(aclrtGetCurrentContext(&raw mut context));
    let context = context as usize;
    let elsewhere = |exchange: Option<i32>| {
        let address = data as usize;
        let thread = std::thread::spawn(move || {
            ok!(aclrtSetCurrentContext(context as Raw));
            if let Some(mut mode) = exchange {
                ok!(aclmdlRICaptureThreadExchangeMode(&raw mut mode));
                assert_eq!(mode, GLOBAL);
            }
            let bytes = [0_u8; 32];
            acl!(aclrtMemcpy(address as Raw, 32, bytes.as_ptr().cast(), 32, 1))
        });
        thread.join().unwrap()
    };
    begin(captured, GLOBAL);
    assert_eq!(elsewhere(Some(RELAXED)), 0);
    assert_eq!(elsewhere(Some(THREAD_LOCAL)), 0);
    assert_eq!(status(captured), 1);
    assert_eq!(elsewhere(None), 107_041);
    end_fails!(507_903, captured);
    begin(captured, THREAD_LOCAL);
    assert_eq!(elsewhere(None), 0);
    assert_eq!(copy(), 107_041);
    end_fails!(507_903, captured);
    begin(captured, RELAXED);
    assert_eq!(copy(), 0);
    ok!(aclrtSynchronizeStream(free));
    ok!(aclmdlRIDestroy(end(captured)));
    let mut wrong = 5;
    fails!(107_000, aclmdlRICaptureThreadExchangeMode(&raw mut wrong));
    ok!(aclrtFree(data));
    ok!(aclrtDestroyStream(captured));
    ok!(aclrtDestroyStream(free));
}

#[test]
fn copies_are_captured_from_pinned_memory_only() {
    let _turn = turn();
    let (stream, data, host) = (stream(), malloc(64), malloc_host(32));
    let pageable = [0_u8; 32];
    begin(stream, RELAXED);
    let message =
        fails!(107_041, aclrtMemcpyAsync(data, 32, pageable.as_ptr().cast(), 32, 1, stream));
    assert!(message.contains("not pinned"), "{message}");
    end_fails!(507_903, stream);
    begin(stream, GLOBAL);
    ok!(aclrtMemcpyAsync(data, 32, host, 32, 1, stream));
    ok!(aclrtMemcpyAsync(at(data, 32), 32, data, 32, 3, stream));
    let graph = end(stream);
    for value in [5, 6] {
        pinned_bytes(host, 32).fill(value);
        run(graph, stream);
        assert_eq!(get(data, 64), [value; 64]);
    }
    ok!(aclmdlRIDestroy(graph));
    ok!(aclrtFree(data));
    ok!(aclrtFreeHost(host));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn release_8_3_refuses_more() {
    let variables = [("ASCEND_SIM_CANN", "8.3")];
    child("capture::release_8_3_refuses_more", &variables, || {
        let _turn = turn();
        let (stream, data) = (stream(), malloc(64));
        begin(stream, GLOBAL);
        let message = fails!(507_009, aclrtMemcpyAsync(data, 32, at(data, 32), 32, 3, stream));
        assert!(message.contains("8.3"), "{message}");
        end_fails!(507_903, stream);
        begin(stream, GLOBAL);
        fails!(107_030, aclrtMemset(data, 32, 0, 32));
        end_fails!(507_903, stream);
        ok!(aclrtMemcpyAsync(data, 32, at(data, 32), 32, 3, stream));
        ok!(aclrtFree(data));
        ok!(aclrtDestroyStream(stream));
    });
}

#[test]
fn allocating_during_a_capture_can_be_allowed() {
    let variables = [("ASCEND_SIM_CAPTURE_MALLOC", "1")];
    child("capture::allocating_during_a_capture_can_be_allowed", &variables, || {
        let _turn = turn();
        let stream = stream();
        begin(stream, GLOBAL);
        let data = malloc(64);
        fill(data, 1, 64, stream);
        let graph = end(stream);
        run(graph, stream);
        assert_eq!(get(data, 64), [1; 64]);
        ok!(aclmdlRIDestroy(graph));
        ok!(aclrtFree(data));
        ok!(aclrtDestroyStream(stream));
    });
}
