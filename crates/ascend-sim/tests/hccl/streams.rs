//! Messages, and how operations stand on streams.

use std::ffi::c_void;
use std::path::Path;
use std::sync::Barrier;

use super::process::{passed, spawn};
use super::rank::{F32, I32, Item, PARA, SUM, U8, with_ranks};
use crate::loaded::Raw;

#[test]
fn messages_meet_in_the_order_of_their_pair() {
    with_ranks(2, |rank| {
        let buffers: Vec<Raw> =
            (0..8).map(|value| rank.device.buffer(&[value, 10 + value])).collect();
        for pair in buffers.chunks(2) {
            if rank.id == 0 {
                assert_eq!(rank.send(pair[0], 2, 1), 0);
                assert_eq!(rank.recv(pair[1], 2, 1), 0);
            } else {
                assert_eq!(rank.recv(pair[1], 2, 0), 0);
                assert_eq!(rank.send(pair[0], 2, 0), 0);
            }
        }
        rank.device.finish();
        for (value, pair) in (0..).step_by(2).zip(buffers.chunks(2)) {
            assert_eq!(rank.device.read(pair[1], 2), [value, 10 + value]);
        }
        rank.destroy();
    });
}

#[test]
fn a_batch_sends_and_receives_at_once() {
    with_ranks(4, |rank| {
        let (next, before) = ((rank.id + 1) % 4, (rank.id + 3) % 4);
        let send = rank.device.buffer(&vec![rank.id as u8; 1 << 20]);
        let recv = rank.device.buffer(&vec![0xee; 1 << 20]);
        let own = rank.device.buffer(&[0xee; 4]);
        let items = [
            Item { kind: 0, buffer: send, count: 1 << 20, element: U8, peer: next },
            Item { kind: 0, buffer: send, count: 1, element: I32, peer: rank.id },
            Item { kind: 1, buffer: own, count: 1, element: I32, peer: rank.id },
            Item { kind: 1, buffer: recv, count: 1 << 20, element: U8, peer: before },
        ];
        ok!(
            rank.device.loaded, "HcclBatchSendRecv", items.as_ptr().cast() => *const c_void, 4 => u32,
            rank.comm => Raw, rank.device.stream => Raw
        );
        rank.device.finish();
        assert_eq!(rank.device.read(recv, 1 << 20), vec![before as u8; 1 << 20]);
        assert_eq!(rank.device.read(own, 4), [rank.id as u8; 4]);
        rank.destroy();
    });
}

#[test]
fn an_operation_waits_on_its_stream_and_not_at_its_call() {
    let called = Barrier::new(2);
    with_ranks(2, |rank| {
        let buffer = rank.device.buffer(&1.0_f32.to_le_bytes());
        if rank.id == 0 {
            assert_eq!(rank.all_reduce(buffer, buffer, 1, F32, SUM), 0);
            let mut status = -1;
            ok!(
                rank.device.loaded, "aclrtStreamQuery", rank.device.stream => Raw,
                &raw mut status => *mut i32
            );
            assert_eq!(status, 1);
            called.wait();
        } else {
            called.wait();
            assert_eq!(rank.all_reduce(buffer, buffer, 1, F32, SUM), 0);
        }
        rank.device.finish();
        assert_eq!(rank.device.read(buffer, 4), 2.0_f32.to_le_bytes());
        rank.destroy();
    });
}

#[test]
fn a_captured_operation_runs_with_its_graph() {
    with_ranks(2, |rank| {
        let (loaded, stream) = (rank.device.loaded, rank.device.stream);
        let buffer = rank.device.buffer(&1.0_f32.to_le_bytes());
        ok!(loaded, "aclmdlRICaptureBegin", stream => Raw, 1 => i32);
        assert_eq!(rank.all_reduce(buffer, buffer, 1, F32, SUM), 0);
        let mut graph = std::ptr::null_mut();
        ok!(loaded, "aclmdlRICaptureEnd", stream => Raw, &raw mut graph => *mut Raw);
        assert_eq!(rank.device.read(buffer, 4), 1.0_f32.to_le_bytes());
        for expected in [2.0_f32, 4.0, 8.0] {
            ok!(loaded, "aclmdlRIExecuteAsync", graph => Raw, stream => Raw);
            rank.device.finish();
            assert_eq!(rank.device.read(buffer, 4), expected.to_le_bytes());
        }
        ok!(loaded, "aclmdlRIDestroy", graph => Raw);
        rank.destroy();
    });
}

#[test]
fn groups_are_started_at_their_end() {
    let root = Path::new("/dev/null");
    passed(spawn(
        "streams::a_process_with_groups",
        root,
        1,
        0,
        &[("ASCEND_SIM_SOC", "Ascend950PR")],
    ));
}

#[test]
#[ignore = "run by `groups_are_started_at_their_end`"]
fn a_process_with_groups() {
    with_ranks(2, |rank| {
        let loaded = rank.device.loaded;
        let peer = 1 - rank.id;
        let send = rank.device.buffer(&[rank.id as u8]);
        let recv = rank.device.buffer(&[0xee]);
        ok!(loaded, "HcclGroupStart");
        ok!(loaded, "HcclGroupStart");
        // Both send first: without a group, each stream would wait for the other.
        assert_eq!(rank.send(send, 1, peer), 0);
        ok!(loaded, "HcclGroupEnd");
        assert_eq!(rank.recv(recv, 1, peer), 0);
        rank.device.finish();
        assert_eq!(rank.device.read(recv, 1), [0xee]);
        ok!(loaded, "HcclGroupEnd");
        rank.device.finish();
        assert_eq!(rank.device.read(recv, 1), [peer as u8]);
        assert_eq!(call!(loaded, "HcclGroupEnd"), PARA);
        rank.destroy();
    });
}
