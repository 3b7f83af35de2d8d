use std::ptr::null_mut;

use super::support::*;

#[test]
fn room_kind_and_pointers_are_checked() {
    let _turn = turn();
    let address = malloc(64);
    let mut host = [0_u8; 64];
    let own = host.as_mut_ptr().cast();
    let message = fails!(107_000, aclrtMemcpy(address, 63, own, 64, 1));
    assert!(message.contains("count is 64, destMax 63"), "{message}");
    fails!(100_000, aclrtMemcpy(null_mut(), 64, own, 64, 1));
    fails!(100_000, aclrtMemcpy(address, 64, null_mut(), 64, 1));
    let message = fails!(107_000, aclrtMemcpy(address, 64, own, 64, 2));
    assert!(message.contains("device to host") && message.contains("host to device"), "{message}");
    fails!(207_000, aclrtMemcpy(address, 64, own, 64, 5));
    fails!(107_000, aclrtMemcpy(address, 64, own, 64, 8));
    fails!(107_000, aclrtMemset(address, 63, 0, 64));
    ok!(aclrtMemcpy(address, 64, own, 64, 4));
    ok!(aclrtMemcpy(address, 64, own, 0, 1));
    // Between host addresses only the call that blocks can.
    let mut other = [1_u8; 64];
    ok!(aclrtMemcpy(other.as_mut_ptr().cast(), 64, own, 64, 0));
    assert_eq!(other, [0; 64]);
    fails!(207_000, aclrtMemcpyAsync(other.as_mut_ptr().cast(), 64, own, 64, 0, null_mut()));
    ok!(aclrtFree(address));
}

#[test]
fn a_blocking_copy_does_not_wait_for_streams() {
    let _turn = turn();
    let (stream, gate, address) = (stream(), Gate::new(), malloc(32));
    put(address, &[1; 32]);
    gate.close(stream);
    ok!(aclrtMemsetAsync(address, 32, 2, 32, stream));
    assert_eq!(get(address, 32), [1; 32]);
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(get(address, 32), [2; 32]);
    ok!(aclrtFree(address));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn pinned_memory_is_read_when_the_stream_comes_to_it() {
    let _turn = turn();
    let (stream, gate, address, host) = (stream(), Gate::new(), malloc(32), malloc_host(32));
    pinned_bytes(host, 32).fill(1);
    gate.close(stream);
    ok!(aclrtMemcpyAsync(address, 32, host, 32, 1, stream));
    // The mistake that this shows: the staging buffer is used again before the copy has run.
    pinned_bytes(host, 32).fill(2);
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(get(address, 32), [2; 32]);
    ok!(aclrtFree(address));
    ok!(aclrtFreeHost(host));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn pageable_memory_is_copied_before_the_call_returns_and_in_order() {
    let _turn = turn();
    let (stream, gate, address) = (stream(), Gate::new(), malloc(32));
    gate.close(stream);
    ok!(aclrtMemsetAsync(address, 32, 9, 16, stream));
    ok!(ascendSimResetCounters());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(30));
            assert_eq!(gate.passed(), 0);
            gate.open();
        });
        let host = [4_u8; 24];
        ok!(aclrtMemcpyAsync(at(address, 8), 24, host.as_ptr().cast(), 24, 1, stream));
    });
    assert_eq!(gate.passed(), 1);
    let done = counters();
    assert_eq!((done.blocking_copies, done.async_copies, done.synchronises), (1, 0, 0));
    assert_eq!(get(address, 32), [[9; 8].as_slice(), &[4; 24]].concat());
    let mut back = [0_u8; 32];
    ok!(aclrtMemcpyAsync(back.as_mut_ptr().cast(), 32, address, 32, 2, stream));
    assert_eq!(back[..8], [9; 8]);
    ok!(aclrtFree(address));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn pinned_memory_freed_too_early_is_a_fault() {
    let _turn = turn();
    let (stream, gate, address, host) = (stream(), Gate::new(), malloc(32), malloc_host(32));
    gate.close(stream);
    ok!(aclrtMemcpyAsync(address, 32, host, 32, 1, stream));
    ok!(aclrtFreeHost(host));
    gate.open();
    let message = fails!(507_015, aclrtSynchronizeStream(stream));
    assert!(message.contains("was freed or unregistered before the copy ran"), "{message}");
    ok!(aclrtFree(address));
}

#[test]
fn registered_memory_is_pinned() {
    let _turn = turn();
    let (stream, address) = (stream(), malloc(32));
    let mut host = vec![6_u8; 32];
    let own = host.as_mut_ptr().cast();
    ok!(aclrtHostRegister(own, 32, 0, null_mut()));
    ok!(ascendSimResetCounters());
    ok!(aclrtMemcpyAsync(address, 32, own, 32, 1, stream));
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!((counters().async_copies, counters().blocking_copies), (1, 0));
    assert_eq!(get(address, 32), [6; 32]);
    ok!(aclrtHostUnregister(own));
    ok!(aclrtFree(address));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn rows_and_batches_are_copied() {
    let _turn = turn();
    let address = malloc(64);
    ok!(aclrtMemset(address, 64, 0, 64));
    let rows: Vec<u8> = (0..12).collect();
    ok!(aclrtMemcpy2d(address, 16, rows.as_ptr().cast(), 4, 3, 3, 1));
    let there = get(address, 64);
    assert_eq!(there[..4], [0, 1, 2, 0]);
    assert_eq!(there[16..20], [4, 5, 6, 0]);
    assert_eq!(there[32..36], [8, 9, 10, 0]);
    fails!(107_000, aclrtMemcpy2d(address, 2, rows.as_ptr().cast(), 4, 3, 3, 1));
    let mut to = [address, at(address, 60)];
    let mut rooms = [4_usize, 4];
    let mut from = [rows.as_ptr().cast_mut().cast(), rows.as_ptr().cast_mut().cast()];
    let mut sizes = [4_usize, 2];
    let (mut index, mut failed) = (0_usize, 0_usize);
    ok!(aclrtMemcpyBatch(
        to.as_mut_ptr(),
        rooms.as_mut_ptr(),
        from.as_mut_ptr(),
        sizes.as_mut_ptr(),
        2,
        null_mut(),
        &raw mut index,
        0,
        &raw mut failed
    ));
    assert_eq!(get(at(address, 60), 2), [0, 1]);
    sizes[1] = 5;
    fails!(
        107_000,
        aclrtMemcpyBatch(
            to.as_mut_ptr(),
            rooms.as_mut_ptr(),
            from.as_mut_ptr(),
            sizes.as_mut_ptr(),
            2,
            null_mut(),
            &raw mut index,
            0,
            &raw mut failed
        )
    );
    assert_eq!(failed, 1);
    ok!(aclrtFree(address));
}

#[test]
fn copies_within_a_device_do_not_overlap() {
    let _turn = turn();
    let address = malloc(128);
    put(address, &[1; 128]);
    ok!(aclrtMemcpy(at(address, 64), 64, address, 64, 3));
    let message = fails!(107_000, aclrtMemcpy(at(address, 32), 64, address, 64, 3));
    assert!(message.contains("overlap"), "{message}");
    ok!(aclrtFree(address));
}
