use std::ptr::null_mut;

use super::support::*;
use super::sys::Counters;

#[test]
fn ten_thousand_cycles_leave_nothing() {
    let _turn = turn();
    let before = threads();
    for _ in 0..10_000 {
        let (stream, event) = (stream(), event());
        let (memory, host) = (malloc(1000), malloc_host(64));
        let tensor = tensor(&[4], memory);
        let ints = acl!(aclCreateIntArray([1].as_ptr(), 1));
        let (mut bytes, mut executor) = (0, null_mut());
        ok!(aclnnInplaceZeroGetWorkspaceSize(tensor, &raw mut bytes, &raw mut executor));
        ok!(aclrtMemcpyAsync(memory, 64, host, 64, 1, stream));
        ok!(aclrtRecordEvent(event, stream));
        ok!(aclrtSynchronizeEvent(event));
        ok!(aclDestroyAclOpExecutor(executor));
        ok!(aclDestroyIntArray(ints));
        let list = acl!(aclCreateTensorList(&raw const tensor, 1));
        ok!(aclDestroyTensorList(list));
        ok!(aclrtFree(memory));
        ok!(aclrtFreeHost(host));
        ok!(aclrtDestroyEvent(event));
        ok!(aclrtDestroyStream(stream));
    }
    ok!(ascendSimResetCounters());
    assert_eq!(counters(), Counters::default());
    // The threads of the streams end, too.
    let mut after = usize::MAX;
    for _ in 0..100 {
        after = threads();
        if after <= before {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(after <= before + 2, "{before} threads before, {after} after");
}

#[test]
fn devices_and_contexts_come_and_go() {
    let _turn = turn();
    for _ in 0..300 {
        let mut context = null_mut();
        ok!(aclrtCreateContext(&raw mut context, 0));
        let memory = malloc(64);
        ok!(aclrtMemsetAsync(memory, 64, 1, 64, null_mut()));
        let stream = stream();
        ok!(aclrtMemsetAsync(memory, 64, 1, 64, stream));
        let mut graph = null_mut();
        ok!(aclmdlRICaptureBegin(stream, 0));
        ok!(aclrtMemsetAsync(memory, 64, 1, 64, stream));
        ok!(aclmdlRICaptureEnd(stream, &raw mut graph));
        ok!(aclmdlRIExecute(graph, -1));
        ok!(aclmdlRIDestroy(graph));
        ok!(aclrtFreeWithDevSync(memory));
        ok!(aclrtDestroyContext(context));
        ok!(aclrtSetDevice(0));
        ok!(aclrtResetDevice(0));
    }
}

/// Threads of the process, where the system tells.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Prints what a launch costs on the host; for the documentation.
#[test]
#[ignore = "measures"]
fn launches_a_second() {
    const LAUNCHES: u32 = 20_000;
    let _turn = turn();
    let (stream, data, workspace) = (stream(), malloc(64), malloc(WORKSPACE));
    let begin = std::time::Instant::now();
    for _ in 0..LAUNCHES {
        Zero::prepare(data, 8).launch(workspace, stream);
    }
    ok!(aclrtSynchronizeStream(stream));
    println!("eager: {:?} each", begin.elapsed() / LAUNCHES);
    let mut graph = null_mut();
    ok!(aclmdlRICaptureBegin(stream, 0));
    for _ in 0..320 {
        Zero::prepare(data, 8).launch(workspace, stream);
    }
    ok!(aclmdlRICaptureEnd(stream, &raw mut graph));
    let begin = std::time::Instant::now();
    for _ in 0..50 {
        ok!(aclmdlRIExecuteAsync(graph, stream));
    }
    ok!(aclrtSynchronizeStream(stream));
    println!("in a graph: {:?} each", begin.elapsed() / (50 * 320));
    let bytes = vec![1_u8; 64 << 20];
    let large = malloc(64 << 20);
    put(large, &bytes);
    let begin = std::time::Instant::now();
    put(large, &bytes);
    println!("copy of 64 MiB to the device: {:?}", begin.elapsed());
    ok!(aclmdlRIDestroy(graph));
    for address in [data, workspace, large] {
        ok!(aclrtFree(address));
    }
    ok!(aclrtDestroyStream(stream));
}
