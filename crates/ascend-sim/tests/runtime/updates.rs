//! Graphs that get other arguments, and what they hold on to.

use std::ptr::null_mut;

use super::capture::*;
use super::support::*;
use super::sys::Raw;

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
