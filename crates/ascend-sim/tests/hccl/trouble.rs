//! Ranks that do not agree, that are lost, or that do not come.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::meeting::{join, ring, root_file};
use super::process::{child, passed, spawn};
use super::rank::{F32, I32, LOST, MISMATCH, PARA, REMOTE, SUM, TIMEOUT, TOO_LATE, U8, with_ranks};
use crate::loaded::Raw;

#[test]
fn an_aborted_stream_does_not_wait_and_the_others_hear_of_it() {
    let aborted = Barrier::new(2);
    with_ranks(2, |rank| {
        let buffer = rank.device.buffer(&[0; 4]);
        if rank.id == 0 {
            // An abort that comes before the operation has begun drops it, and breaks nothing; one that comes after is seen
            // when the stream looks, before which the other rank must not come.
            while rank.async_error() == 0 {
                assert_eq!(rank.all_reduce(buffer, buffer, 1, F32, SUM), 0);
                std::thread::sleep(Duration::from_millis(50));
                ok!(rank.device.loaded, "aclrtStreamAbort", rank.device.stream => Raw);
                std::thread::sleep(Duration::from_millis(100));
            }
            aborted.wait();
        } else {
            aborted.wait();
            // The end of the other may be known before this call or after it.
            let status = rank.all_reduce(buffer, buffer, 1, F32, SUM);
            assert!(status == REMOTE || status == 0 && rank.device.synchronise() == LOST);
        }
        assert_eq!(rank.async_error(), REMOTE);
        rank.destroy();
    });
}

#[test]
fn ranks_that_disagree_all_hear_of_it() {
    with_ranks(3, |rank| {
        let buffer = rank.device.buffer(&[0; 64]);
        let count = if rank.id == 1 { 5 } else { 4 };
        assert_eq!(rank.all_reduce(buffer, buffer, count, F32, SUM), 0);
        assert_eq!(rank.device.synchronise(), MISMATCH);
        let message = rank.device.loaded.message();
        assert!(message.contains("rank 1") && message.contains("[5]"), "{message}");
        assert_eq!(rank.async_error(), PARA);
        assert_eq!(rank.all_reduce(buffer, buffer, 4, F32, SUM), PARA);
        assert!(rank.device.loaded.message().contains("broken"));
        rank.destroy();
    });
}

#[test]
fn disagreement_in_type_operation_root_and_kind_is_found() {
    for case in 0..5 {
        with_ranks(2, |rank| {
            let buffer = rank.device.buffer(&[0; 64]);
            let (loaded, comm, stream) = (rank.device.loaded, rank.comm, rank.device.stream);
            let second = rank.id.cast_signed();
            let status = match case {
                0 => rank.all_reduce(buffer, buffer, 4, if second == 1 { I32 } else { F32 }, SUM),
                1 => rank.all_reduce(buffer, buffer, 4, F32, second),
                2 => call!(
                    loaded, "HcclBroadcast", buffer => Raw, 4 => u64, U8 => i32, rank.id => u32,
                    comm => Raw, stream => Raw
                ),
                3 if second == 1 => call!(loaded, "HcclBarrier", comm => Raw, stream => Raw),
                3 => rank.all_reduce(buffer, buffer, 4, F32, SUM),
                _ if second == 1 => rank.send(buffer, 4, 0),
                _ => rank.recv(buffer, 5, 1),
            };
            assert_eq!(status, 0);
            assert_eq!(rank.device.synchronise(), MISMATCH, "case {case}");
            assert_eq!(rank.async_error(), PARA);
            rank.destroy();
        });
    }
}

/// Whether it leaves while another waits for it, or before.
#[test]
fn a_rank_that_leaves_does_not_keep_the_others_waiting() {
    for waits in [true, false] {
        let other = Barrier::new(2);
        with_ranks(2, |rank| {
            let buffer = rank.device.buffer(&[0; 4]);
            let begin = Instant::now();
            if rank.id == 1 {
                if waits {
                    other.wait();
                    std::thread::sleep(Duration::from_millis(200));
                }
                rank.destroy();
                if !waits {
                    other.wait();
                }
                return;
            }
            if !waits {
                other.wait();
                std::thread::sleep(Duration::from_millis(200));
            }
            assert_eq!(rank.all_reduce(buffer, buffer, 1, F32, SUM), 0);
            if waits {
                other.wait();
            }
            assert_eq!(rank.device.synchronise(), LOST);
            assert!(rank.device.loaded.message().contains("rank 1 has destroyed"));
            assert_eq!(rank.async_error(), REMOTE);
            assert!(begin.elapsed() < Duration::from_secs(30));
            rank.destroy();
        });
    }
}

#[test]
fn an_address_that_is_none_is_a_fault_and_ends_the_communicator_for_all() {
    with_ranks(2, |rank| {
        let buffer = rank.device.buffer(&[0; 64]);
        let send = if rank.id == 0 { buffer.wrapping_byte_add(1 << 30) } else { buffer };
        assert_eq!(rank.all_reduce(send, buffer, 16, F32, SUM), 0);
        assert_eq!(rank.device.synchronise(), if rank.id == 0 { 507_013 } else { LOST });
        assert!(rank.device.loaded.message().contains("bytes at 0x"));
        assert_eq!(rank.async_error(), REMOTE);
        rank.destroy();
    });
}

#[test]
fn a_process_that_dies_is_missed_at_once() {
    let file = root_file();
    let dies = spawn("trouble::a_process_that_dies", file.path(), 3, 2, &[]);
    let begin = Instant::now();
    let stays: Vec<_> = (0..2)
        .map(|rank| spawn("trouble::a_process_that_is_left_alone", file.path(), 3, rank, &[]))
        .collect();
    let output = dies.wait_with_output().unwrap();
    assert!(!output.status.success());
    stays.into_iter().for_each(passed);
    assert!(begin.elapsed() < Duration::from_secs(40));
}

#[test]
#[ignore = "run by `a_process_that_dies_is_missed_at_once`"]
fn a_process_that_dies() {
    let (device, root, ranks, rank) = child();
    let rank = join(device, &root, ranks, rank).unwrap();
    ring(&rank);
    std::process::abort();
}

#[test]
#[ignore = "run by `a_process_that_dies_is_missed_at_once`"]
fn a_process_that_is_left_alone() {
    let (device, root, ranks, rank) = child();
    let rank = join(device, &root, ranks, rank).unwrap();
    ring(&rank);
    let buffer = rank.device.buffer(&[0; 4]);
    // The loss may be known before this call or after it.
    let status = rank.all_reduce(buffer, buffer, 1, F32, SUM);
    if status == 0 {
        assert_eq!(rank.device.synchronise(), LOST);
        assert!(rank.device.loaded.message().contains("rank 2 ended"));
    } else {
        assert_eq!(status, REMOTE);
    }
    assert_eq!(rank.async_error(), REMOTE);
    rank.destroy();
}

#[test]
fn waiting_has_an_end() {
    let file = root_file();
    let limits = [("HCCL_EXEC_TIMEOUT", "1"), ("HCCL_CONNECT_TIMEOUT", "2")];
    passed(spawn("trouble::a_process_that_waits", file.path(), 2, 0, &limits));
}

#[test]
#[ignore = "run by `waiting_has_an_end`"]
fn a_process_that_waits() {
    let (device, root, ranks, rank) = child();
    let loaded = device.loaded;
    assert_eq!(join(device, &root, ranks, rank).map(|_| ()), Err(TIMEOUT));
    assert!(loaded.message().contains("HCCL_CONNECT_TIMEOUT"));
    with_ranks(2, |rank| {
        let buffer = rank.device.buffer(&[0; 4]);
        if rank.id == 0 {
            assert_eq!(rank.all_reduce(buffer, buffer, 1, F32, SUM), 0);
            assert_eq!(rank.device.synchronise(), TOO_LATE);
            assert!(rank.device.loaded.message().contains("HCCL_EXEC_TIMEOUT"));
        } else {
            while rank.async_error() == 0 {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        assert_eq!(rank.async_error(), TIMEOUT);
        rank.destroy();
    });
}
