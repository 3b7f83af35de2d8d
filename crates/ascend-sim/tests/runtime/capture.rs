use std::ptr::null_mut;

use super::support::*;
use super::sys::Raw;

/// A call that waits for something, or asks whether it is done.
type Wait<'a> = &'a dyn Fn() -> i32;

const GLOBAL: i32 = 0;
const THREAD_LOCAL: i32 = 1;
const RELAXED: i32 = 2;

fn begin(stream: Raw, mode: i32) {
    ok!(aclmdlRICaptureBegin(stream, mode));
}

fn end(stream: Raw) -> Raw {
    let mut graph = null_mut();
    ok!(aclmdlRICaptureEnd(stream, &raw mut graph));
    assert!(!graph.is_null());
    graph
}

fn status(stream: Raw) -> i32 {
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

fn run(graph: Raw, stream: Raw) {
    ok!(aclmdlRIExecuteAsync(graph, stream));
    ok!(aclrtSynchronizeStream(stream));
}

fn fill(address: Raw, value: i32, count: usize, stream: Raw) {
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

#[test]
fn streams_join_by_events() {
    let _turn = turn();
    let (origin, side, data) = (stream(), stream(), malloc(64));
    let (fork, join) = (event(), event());
    begin(origin, GLOBAL);
    fill(data, 1, 64, origin);
    ok!(aclrtRecordEvent(fork, origin));
    ok!(aclrtStreamWaitEvent(side, fork));
    assert_eq!(status(side), 1);
    fill(data, 2, 32, side);
    ok!(aclrtRecordEvent(join, side));
    ok!(aclrtStreamWaitEvent(origin, join));
    fill(at(data, 16), 3, 32, origin);
    let graph = end(origin);
    assert_eq!(status(side), 0);
    run(graph, origin);
    assert_eq!(get(data, 64), [[2; 16].as_slice(), &[3; 32], &[1; 16]].concat());
    ok!(aclmdlRIDestroy(graph));
    // Not joined.
    begin(origin, GLOBAL);
    ok!(aclrtRecordEvent(fork, origin));
    ok!(aclrtStreamWaitEvent(side, fork));
    fill(data, 2, 32, side);
    let message = end_fails!(107_025, origin);
    assert!(message.contains("not joined"), "{message}");
    assert_eq!(status(side), 0);
    // The side stream does not end it.
    begin(origin, GLOBAL);
    ok!(aclrtRecordEvent(fork, origin));
    ok!(aclrtStreamWaitEvent(side, fork));
    let mut graph = null_mut();
    fails!(107_036, aclmdlRICaptureEnd(side, &raw mut graph));
    end_fails!(507_903, origin);
    // The default stream cannot take part.
    begin(origin, GLOBAL);
    ok!(aclrtRecordEvent(fork, origin));
    fails!(107_031, aclrtStreamWaitEvent(null_mut(), fork));
    end_fails!(507_903, origin);
    // Events from outside are no part of the capture.
    ok!(aclrtRecordEvent(join, side));
    begin(origin, GLOBAL);
    fails!(107_024, aclrtStreamWaitEvent(origin, join));
    end_fails!(507_903, origin);
    // Nor are those of another one.
    begin(origin, GLOBAL);
    begin(side, GLOBAL);
    ok!(aclrtRecordEvent(fork, origin));
    fails!(107_032, aclrtStreamWaitEvent(side, fork));
    end_fails!(507_903, side);
    ok!(aclmdlRIDestroy(end(origin)));
    ok!(aclrtDestroyEvent(fork));
    ok!(aclrtDestroyEvent(join));
    ok!(aclrtFree(data));
    ok!(aclrtDestroyStream(origin));
    ok!(aclrtDestroyStream(side));
}

#[test]
fn branches_without_an_order_are_found_out() {
    let variables = [("ASCEND_SIM_DELAY", "3")];
    child("capture::branches_without_an_order_are_found_out", &variables, || {
        let _turn = turn();
        let (origin, side, data) = (stream(), stream(), malloc(32));
        let (fork, join) = (event(), event());
        begin(origin, GLOBAL);
        ok!(aclrtRecordEvent(fork, origin));
        ok!(aclrtStreamWaitEvent(side, fork));
        fill(data, 1, 1, origin);
        fill(data, 2, 1, side);
        fill(at(data, 1), 3, 1, side);
        fill(at(data, 1), 4, 1, side);
        ok!(aclrtRecordEvent(join, side));
        ok!(aclrtStreamWaitEvent(origin, join));
        let graph = end(origin);
        let mut seen = [false; 3];
        for _ in 0..50 {
            run(graph, origin);
            let there = get(data, 2);
            seen[usize::from(there[0])] = true;
            assert_eq!(there[1], 4);
        }
        assert!(seen[1] && seen[2]);
        ok!(aclmdlRIDestroy(graph));
        ok!(aclrtDestroyEvent(fork));
        ok!(aclrtDestroyEvent(join));
        ok!(aclrtFree(data));
        ok!(aclrtDestroyStream(origin));
        ok!(aclrtDestroyStream(side));
    });
}

#[test]
fn branches_that_share_a_workspace_are_a_fault() {
    let _turn = turn();
    let (origin, side, data, workspace) = (stream(), stream(), malloc(64), malloc(WORKSPACE));
    let (fork, join) = (event(), event());
    begin(origin, GLOBAL);
    ok!(aclrtRecordEvent(fork, origin));
    ok!(aclrtStreamWaitEvent(side, fork));
    Zero::prepare(data, 8).launch(workspace, origin);
    Zero::prepare(at(data, 32), 8).launch(workspace, side);
    ok!(aclrtRecordEvent(join, side));
    ok!(aclrtStreamWaitEvent(origin, join));
    let graph = end(origin);
    ok!(aclmdlRIExecuteAsync(graph, origin));
    let message = fails!(507_015, aclrtSynchronizeStream(origin));
    assert!(message.contains("same workspace"), "{message}");
    ok!(aclmdlRIDestroy(graph));
    ok!(aclrtDestroyEvent(fork));
    ok!(aclrtDestroyEvent(join));
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
}

#[test]
fn memory_freed_under_a_graph_is_a_fault() {
    let _turn = turn();
    let (stream, data, workspace) = (stream(), malloc(64), malloc(WORKSPACE));
    begin(stream, GLOBAL);
    Zero::prepare(data, 8).launch(workspace, stream);
    let graph = end(stream);
    run(graph, stream);
    ok!(aclrtFree(data));
    ok!(aclmdlRIExecuteAsync(graph, stream));
    let message = fails!(507_015, aclrtSynchronizeStream(stream));
    assert!(
        message.contains("task 0 (aclnnInplaceZero)") && message.contains("was freed"),
        "{message}"
    );
    ok!(aclmdlRIDestroy(graph));
    ok!(aclrtFree(workspace));
}

#[test]
fn a_graph_shares_no_workspace_with_another_stream() {
    let _turn = turn();
    let (stream, other, data, workspace) = (stream(), stream(), malloc(64), malloc(WORKSPACE));
    begin(stream, GLOBAL);
    Zero::prepare(data, 8).launch(workspace, stream);
    let graph = end(stream);
    run(graph, stream);
    Zero::prepare(data, 8).launch(workspace, other);
    ok!(aclmdlRIExecuteAsync(graph, stream));
    fails!(507_015, aclrtSynchronizeStream(stream));
    ok!(aclrtResetDeviceForce(0));
    ok!(aclrtSetDevice(0));
    ok!(aclmdlRIDestroy(graph));
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
}

#[test]
fn a_graph_that_runs_is_not_destroyed() {
    let _turn = turn();
    let (stream, gate, data) = (stream(), Gate::new(), malloc(32));
    put(data, &[1; 32]);
    begin(stream, GLOBAL);
    gate.close(stream);
    fill(data, 2, 32, stream);
    let graph = end(stream);
    ok!(aclmdlRIExecuteAsync(graph, stream));
    fails!(107_037, aclmdlRIDestroy(graph));
    fails!(507_046, aclrtSynchronizeStreamWithTimeout(stream, 20));
    ok!(aclmdlRIAbort(graph));
    gate.open();
    fails!(507_023, aclrtSynchronizeStream(stream));
    assert_eq!(get(data, 32), [1; 32]);
    // It can run again.
    run(graph, stream);
    assert_eq!(get(data, 32), [2; 32]);
    fails!(107_000, aclmdlRIExecute(graph, -7));
    ok!(aclmdlRIDestroy(graph));
    ok!(aclrtFree(data));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn task_groups_take_other_arguments() {
    let _turn = turn();
    let (stream, update, workspace) = (stream(), stream(), malloc(WORKSPACE));
    let (first, second) = (malloc(64), malloc(64));
    let mut group = null_mut();
    fails!(107_029, aclmdlRICaptureTaskGrpBegin(stream));
    begin(stream, GLOBAL);
    fails!(107_033, aclmdlRICaptureTaskGrpEnd(stream, &raw mut group));
    ok!(aclmdlRICaptureTaskGrpBegin(stream));
    fails!(107_033, aclmdlRICaptureTaskGrpBegin(stream));
    Zero::prepare(first, 8).launch(workspace, stream);
    ok!(aclmdlRICaptureTaskGrpEnd(stream, &raw mut group));
    fill(at(first, 32), 4, 32, stream);
    let graph = end(stream);
    let reset = || {
        put(first, &[1; 64]);
        put(second, &[1; 64]);
    };
    reset();
    run(graph, stream);
    assert_eq!(get(first, 64), [[0; 32], [4; 32]].concat());

    ok!(aclmdlRICaptureTaskUpdateBegin(update, group));
    fails!(107_033, aclmdlRICaptureTaskUpdateBegin(update, group));
    Zero::prepare(second, 4).launch(workspace, update);
    ok!(aclmdlRICaptureTaskUpdateEnd(update));
    ok!(aclrtSynchronizeStream(update));
    reset();
    run(graph, stream);
    assert_eq!(get(first, 64), [[1; 32], [4; 32]].concat());
    assert_eq!(get(second, 20), [[0; 16].as_slice(), &[1; 4]].concat());

    // Too few, too many, or another task.
    ok!(aclmdlRICaptureTaskUpdateBegin(update, group));
    fails!(107_040, aclmdlRICaptureTaskUpdateEnd(update));
    fails!(107_033, aclmdlRICaptureTaskUpdateEnd(update));
    ok!(aclmdlRICaptureTaskUpdateBegin(update, group));
    let message = fails!(107_040, aclrtMemsetAsync(first, 8, 0, 8, update));
    assert!(message.contains("where aclnnInplaceZero was captured"), "{message}");
    Zero::prepare(second, 4).launch(workspace, update);
    let more = Zero::prepare(second, 4);
    let message = fails!(361_001, aclnnInplaceZero(workspace, more.bytes, more.executor, update));
    assert!(message.contains("107040"), "{message}");
    ok!(aclDestroyTensor(more.tensor));
    ok!(aclmdlRICaptureTaskUpdateEnd(update));
    ok!(aclrtSynchronizeStream(update));
    ok!(aclmdlRIDestroy(graph));
    let message = fails!(107_017, aclmdlRICaptureTaskUpdateBegin(update, group));
    assert!(message.contains("lives as long as its graph"), "{message}");
    // A group that is left open.
    begin(stream, GLOBAL);
    ok!(aclmdlRICaptureTaskGrpBegin(stream));
    end_fails!(107_034, stream);
    for address in [first, second, workspace] {
        ok!(aclrtFree(address));
    }
    ok!(aclrtDestroyStream(stream));
    ok!(aclrtDestroyStream(update));
}

#[test]
fn host_arrays_are_those_of_the_capture_until_an_update() {
    let _turn = turn();
    let (stream, data, workspace) = (stream(), malloc(256), malloc(WORKSPACE));
    let values: Vec<u8> = [0.0_f32, 1.0, 2.0, 3.0].into_iter().flat_map(f32::to_le_bytes).collect();
    put(data, &values);
    let (from, to) = (tensor(&[2, 2], data), tensor(&[2, 2], at(data, 64)));
    let permute = |dims: [i64; 2]| {
        let array = acl!(aclCreateIntArray(dims.as_ptr(), 2));
        let (mut bytes, mut executor) = (0, null_mut());
        ok!(aclnnPermuteGetWorkspaceSize(from, array, to, &raw mut bytes, &raw mut executor));
        ok!(aclnnPermute(workspace, bytes, executor, stream));
        ok!(aclDestroyIntArray(array));
    };
    let result = || -> Vec<f32> {
        let bytes = get(at(data, 64), 16);
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let mut group = null_mut();
    begin(stream, GLOBAL);
    ok!(aclmdlRICaptureTaskGrpBegin(stream));
    permute([1, 0]);
    ok!(aclmdlRICaptureTaskGrpEnd(stream, &raw mut group));
    let graph = end(stream);
    for _ in 0..2 {
        run(graph, stream);
        assert_eq!(result(), [0.0, 2.0, 1.0, 3.0]);
    }
    ok!(aclmdlRICaptureTaskUpdateBegin(stream, group));
    permute([0, 1]);
    ok!(aclmdlRICaptureTaskUpdateEnd(stream));
    run(graph, stream);
    assert_eq!(result(), [0.0, 1.0, 2.0, 3.0]);
    ok!(aclmdlRIDestroy(graph));
    ok!(aclDestroyTensor(from));
    ok!(aclDestroyTensor(to));
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn an_external_event_holds_a_graph_until_its_update() {
    let _turn = turn();
    let (stream, update, workspace) = (stream(), stream(), malloc(WORKSPACE));
    let (first, second) = (malloc(32), malloc(32));
    let mut ready = null_mut();
    ok!(aclrtCreateEventWithFlag(&raw mut ready, 0x20));
    let mut group = null_mut();
    begin(stream, GLOBAL);
    ok!(aclrtStreamWaitEvent(stream, ready));
    ok!(aclrtResetEvent(ready, stream));
    ok!(aclmdlRICaptureTaskGrpBegin(stream));
    Zero::prepare(first, 8).launch(workspace, stream);
    ok!(aclmdlRICaptureTaskGrpEnd(stream, &raw mut group));
    let graph = end(stream);
    for (step, target) in [first, second, first].into_iter().enumerate() {
        put(first, &[1; 32]);
        put(second, &[1; 32]);
        ok!(aclmdlRIExecuteAsync(graph, stream));
        fails!(507_046, aclrtSynchronizeStreamWithTimeout(stream, 15));
        ok!(aclmdlRICaptureTaskUpdateBegin(update, group));
        Zero::prepare(target, 8).launch(workspace, update);
        ok!(aclmdlRICaptureTaskUpdateEnd(update));
        ok!(aclrtRecordEvent(ready, update));
        ok!(aclrtSynchronizeStream(stream));
        let expected = if target == first { ([0; 32], [1; 32]) } else { ([1; 32], [0; 32]) };
        assert_eq!(
            (get(first, 32), get(second, 32)),
            (expected.0.to_vec(), expected.1.to_vec()),
            "{step}"
        );
    }
    ok!(aclmdlRIDestroy(graph));
    ok!(aclrtDestroyEvent(ready));
    for address in [first, second, workspace] {
        ok!(aclrtFree(address));
    }
    ok!(aclrtDestroyStream(stream));
    ok!(aclrtDestroyStream(update));
}

#[test]
fn a_graph_is_no_part_of_another_and_keeps_to_its_context() {
    let _turn = turn();
    let (stream, data) = (stream(), malloc(32));
    begin(stream, GLOBAL);
    fill(data, 1, 32, stream);
    let graph = end(stream);
    begin(stream, GLOBAL);
    fails!(107_026, aclmdlRIExecuteAsync(graph, stream));
    end_fails!(507_903, stream);
    let (mut own, mut other) = (null_mut(), null_mut());
    ok!(aclrtGetCurrentContext(&raw mut own));
    ok!(aclrtCreateContext(&raw mut other, 0));
    fails!(107_004, aclmdlRIExecuteAsync(graph, null_mut()));
    ok!(aclrtDestroyContext(other));
    ok!(aclrtSetCurrentContext(own));
    ok!(aclmdlRIDestroy(graph));
    ok!(aclrtFree(data));
    ok!(aclrtDestroyStream(stream));
}
