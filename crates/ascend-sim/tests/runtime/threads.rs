//! Threads that use one device at once. Nothing here looks at times, so it can run under a race detector.

use std::ptr::null_mut;

use super::support::*;
use super::sys::Raw;

#[test]
fn threads_with_streams_of_their_own_do_not_disturb_each_other() {
    let _turn = turn();
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            scope.spawn(move || {
                ok!(aclrtSetDevice(0));
                let (stream, data, workspace) = (stream(), malloc(64), malloc(WORKSPACE));
                let host = malloc_host(64);
                for round in 0..20 {
                    pinned_bytes(host, 64).fill(thread.wrapping_add(round));
                    ok!(aclrtMemcpyAsync(data, 64, host, 64, 1, stream));
                    Zero::prepare(data, 8).launch(workspace, stream);
                    ok!(aclrtMemcpyAsync(host, 64, data, 64, 2, stream));
                    ok!(aclrtSynchronizeStream(stream));
                    let there = pinned_bytes(host, 64);
                    assert_eq!(there[..32], [0; 32]);
                    assert_eq!(there[32..], [thread.wrapping_add(round); 32]);
                }
                fails!(100_000, aclrtFree(null_mut()));
                ok!(aclrtFree(data));
                ok!(aclrtFree(workspace));
                ok!(aclrtFreeHost(host));
                ok!(aclrtDestroyStream(stream));
                ok!(aclrtResetDevice(0));
            });
        }
    });
}

#[test]
fn threads_may_share_a_stream() {
    let _turn = turn();
    let (stream, data) = (stream(), malloc(8 * 32));
    let mut context = null_mut();
    ok!(aclrtGetCurrentContext(&raw mut context));
    let (raw, address, context) = (stream as usize, data as usize, context as usize);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                ok!(aclrtSetCurrentContext(context as Raw));
                let own = at(address as Raw, thread * 32);
                for value in 0..50 {
                    ok!(aclrtMemsetAsync(own, 32, value, 32, raw as Raw));
                }
                ok!(aclrtSynchronizeStream(raw as Raw));
                assert_eq!(get(own, 32), [49; 32]);
            });
        }
    });
    ok!(aclrtFree(data));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn threads_that_race_for_memory_get_wrong_bytes_and_nothing_worse() {
    let _turn = turn();
    let (first, second, data) = (stream(), stream(), malloc(1 << 16));
    for round in 0..50 {
        ok!(aclrtMemsetAsync(data, 1 << 16, round, 1 << 16, first));
        ok!(aclrtMemsetAsync(data, 1 << 16, round + 100, 1 << 16, second));
        let _ = get(data, 1 << 16);
    }
    ok!(aclrtSynchronizeDevice());
    assert!(get(data, 1 << 16).iter().all(|byte| [49, 149].contains(byte)));
    ok!(aclrtFree(data));
    ok!(aclrtDestroyStream(first));
    ok!(aclrtDestroyStream(second));
}

#[test]
fn events_pass_work_from_thread_to_thread() {
    let _turn = turn();
    let data = malloc(32);
    ok!(aclrtMemset(data, 32, 0, 32));
    let streams: Vec<usize> = (0..4).map(|_| stream() as usize).collect();
    let events: Vec<usize> = (0..4).map(|_| event() as usize).collect();
    let address = data as usize;
    // Each stream copies the byte before it, once the stream before it has written that.
    for (index, stream) in streams.iter().enumerate() {
        if index > 0 {
            ok!(aclrtStreamWaitEvent(*stream as Raw, events[index - 1] as Raw));
            let (to, from) = (at(address as Raw, index), at(address as Raw, index - 1));
            ok!(aclrtMemcpyAsync(to, 1, from, 1, 3, *stream as Raw));
        } else {
            ok!(aclrtMemsetAsync(data, 1, 77, 1, *stream as Raw));
        }
        ok!(aclrtRecordEvent(events[index] as Raw, *stream as Raw));
    }
    std::thread::spawn(move || {
        ok!(aclrtSetDevice(0));
        ok!(aclrtSynchronizeEvent(events[3] as Raw));
        assert_eq!(get(address as Raw, 4), [77; 4]);
        for event in events {
            ok!(aclrtDestroyEvent(event as Raw));
        }
        ok!(aclrtResetDevice(0));
    })
    .join()
    .unwrap();
    for stream in streams {
        ok!(aclrtDestroyStream(stream as Raw));
    }
    ok!(aclrtFree(data));
}
