//! Graphs of several streams, and the memory that they share with each other and with what runs beside them.

use std::ptr::null_mut;

use super::capture::*;
use super::support::*;
use super::sys::Raw;

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
    child("branches::branches_without_an_order_are_found_out", &variables, || {
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
