//! Communicators of threads and of processes: what each operation gives, and what happens when ranks do not agree or are lost.

#![allow(unsafe_code, reason = "C functions are called")]

mod loaded;

use std::ffi::{CString, c_char, c_void};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use loaded::{Device, Loaded, Raw, text};

const PARA: i32 = 1;
const PTR: i32 = 2;
const NOT_SUPPORT: i32 = 5;
const TIMEOUT: i32 = 9;
const RUNTIME: i32 = 15;
const REMOTE: i32 = 21;

/// What streams report.
const TOO_LATE: i32 = 507_048;
const MISMATCH: i32 = 507_049;
const LOST: i32 = 507_057;

const U8: i32 = 7;
const I32: i32 = 2;
const F32: i32 = 4;
const SUM: i32 = 0;

fn simulator() -> &'static Loaded {
    loaded::loaded(&[("ASCEND_SIM_DEVICES", "8"), ("HCCL_EXEC_TIMEOUT", "60")])
}

/// A rank: its device, stream and communicator.
struct Rank<'a> {
    device: Device<'a>,
    comm: Raw,
    id: u32,
    ranks: u32,
}

impl Rank<'_> {
    fn destroy(self) {
        let loaded = self.device.loaded;
        ok!(loaded, "HcclCommDestroy", self.comm => Raw);
    }

    fn async_error(&self) -> i32 {
        let mut error = -1;
        ok!(self.device.loaded, "HcclGetCommAsyncError", self.comm => Raw, &raw mut error => *mut i32);
        error
    }

    fn all_reduce(&self, send: Raw, recv: Raw, count: u64, element: i32, op: i32) -> i32 {
        call!(
            self.device.loaded, "HcclAllReduce", send => Raw, recv => Raw, count => u64, element => i32,
            op => i32, self.comm => Raw, self.device.stream => Raw
        )
    }

    fn send(&self, buffer: Raw, count: u64, peer: u32) -> i32 {
        call!(
            self.device.loaded, "HcclSend", buffer => Raw, count => u64, U8 => i32, peer => u32,
            self.comm => Raw, self.device.stream => Raw
        )
    }

    fn recv(&self, buffer: Raw, count: u64, peer: u32) -> i32 {
        call!(
            self.device.loaded, "HcclRecv", buffer => Raw, count => u64, U8 => i32, peer => u32,
            self.comm => Raw, self.device.stream => Raw
        )
    }

    /// Runs one operation with a send and a receive buffer, and gives what is received.
    fn exchange(
        &self,
        send: &[u8],
        size: usize,
        operation: impl FnOnce(Raw, Raw) -> i32,
    ) -> Vec<u8> {
        let (from, to) = (self.device.buffer(send), self.device.buffer(&vec![0xee; size]));
        let status = operation(from, to);
        assert_eq!(status, 0, "{}", self.device.loaded.message());
        self.device.finish();
        self.device.read(to, size)
    }
}

/// Runs a thread for each rank of a communicator that one call makes.
fn with_ranks(count: u32, body: impl Fn(Rank<'_>) + Sync) {
    let loaded = simulator();
    let devices: Vec<i32> = (0..count.cast_signed()).collect();
    let mut comms = vec![std::ptr::null_mut(); count as usize];
    ok!(
        loaded, "HcclCommInitAll", count => u32, devices.as_ptr() => *const i32,
        comms.as_mut_ptr() => *mut Raw
    );
    std::thread::scope(|scope| {
        for (rank, comm) in (0..count).zip(comms) {
            let (comm, body) = (comm as usize, &body);
            scope.spawn(move || {
                let device = Device::open(loaded, rank.cast_signed());
                body(Rank { device, comm: comm as Raw, id: rank, ranks: count });
            });
        }
    });
}

#[test]
fn ranks_know_their_place() {
    with_ranks(3, |rank| {
        let (mut id, mut size) = (9, 9);
        let loaded = rank.device.loaded;
        ok!(loaded, "HcclGetRankId", rank.comm => Raw, &raw mut id => *mut u32);
        ok!(loaded, "HcclGetRankSize", rank.comm => Raw, &raw mut size => *mut u32);
        assert_eq!((id, size), (rank.id, 3));
        assert_eq!(rank.async_error(), 0);
        rank.destroy();
    });
}

#[test]
fn every_collective_gives_every_rank_its_part() {
    with_ranks(3, |rank| {
        let loaded = rank.device.loaded;
        let (comm, stream) = (rank.comm, rank.device.stream);
        let own = rank.id as u8;
        let bytes = |base: u8| [base + 10 * own, base + 10 * own + 1, base + 10 * own + 2];

        let sum = rank.exchange(&bytes(1), 3, |send, recv| rank.all_reduce(send, recv, 3, U8, SUM));
        assert_eq!(sum, [33, 36, 39]);

        let reduced = rank.exchange(&bytes(1), 3, |send, recv| {
            call!(
                loaded, "HcclReduce", send => Raw, recv => Raw, 3 => u64, U8 => i32, 2 => i32, 1 => u32,
                comm => Raw, stream => Raw
            )
        });
        let expected = if own == 1 { [21, 22, 23] } else { [0xee; 3] };
        assert_eq!(reduced, expected);

        let buffer = rank.device.buffer(&bytes(5));
        ok!(
            loaded, "HcclBroadcast", buffer => Raw, 3 => u64, U8 => i32, 2 => u32, comm => Raw,
            stream => Raw
        );
        rank.device.finish();
        assert_eq!(rank.device.read(buffer, 3), [25, 26, 27]);

        let gathered = rank.exchange(&bytes(1), 9, |send, recv| {
            call!(
                loaded, "HcclAllGather", send => Raw, recv => Raw, 3 => u64, U8 => i32, comm => Raw,
                stream => Raw
            )
        });
        assert_eq!(gathered, [1, 2, 3, 11, 12, 13, 21, 22, 23]);

        let scattered = rank.exchange(&bytes(1), 1, |send, recv| {
            call!(
                loaded, "HcclReduceScatter", send => Raw, recv => Raw, 1 => u64, U8 => i32, SUM => i32,
                comm => Raw, stream => Raw
            )
        });
        assert_eq!(scattered, [33 + 3 * own]);

        // Only the root's send buffer is looked at.
        let (from, to) = (rank.device.buffer(&bytes(1)), rank.device.buffer(&[0]));
        let from = if own == 0 { from } else { std::ptr::null_mut() };
        ok!(
            loaded, "HcclScatter", from => Raw, to => Raw, 1 => u64, U8 => i32, 0 => u32, comm => Raw,
            stream => Raw
        );
        rank.device.finish();
        assert_eq!(rank.device.read(to, 1), [1 + own]);

        let exchanged = rank.exchange(&bytes(1), 3, |send, recv| {
            call!(
                loaded, "HcclAlltoAll", send => Raw, 1 => u64, U8 => i32, recv => Raw, 1 => u64,
                U8 => i32, comm => Raw, stream => Raw
            )
        });
        assert_eq!(exchanged, [1 + own, 11 + own, 21 + own]);

        ok!(loaded, "HcclBarrier", comm => Raw, stream => Raw);
        rank.device.finish();
        rank.destroy();
    });
}

#[test]
fn ranks_may_differ_in_their_counts() {
    with_ranks(2, |rank| {
        let loaded = rank.device.loaded;
        let (comm, stream) = (rank.comm, rank.device.stream);
        let own = rank.id as usize;

        // Rank 0 has one element, rank 1 two; they land at 3 and 0.
        let (counts, places) = ([1_u64, 2], [3_u64, 0]);
        let send = [[1_u8, 0], [2, 3]][own];
        let gathered = rank.exchange(&send[..=own], 4, |send, recv| {
            call!(
                loaded, "HcclAllGatherV", send => Raw, counts[own] => u64, recv => Raw,
                counts.as_ptr() => *const u64, places.as_ptr() => *const u64, U8 => i32,
                comm => Raw, stream => Raw
            )
        });
        assert_eq!(gathered, [2, 3, 0xee, 1]);

        let send = [[1_u8, 2, 3, 4], [10, 20, 30, 40]][own];
        let reduced = rank.exchange(&send, own + 1, |send, recv| {
            call!(
                loaded, "HcclReduceScatterV", send => Raw, counts.as_ptr() => *const u64,
                places.as_ptr() => *const u64, recv => Raw, counts[own] => u64, U8 => i32, SUM => i32,
                comm => Raw, stream => Raw
            )
        });
        assert_eq!(reduced, [vec![44], vec![11, 22]][own]);

        // Rank 0 keeps 1 and sends 2; rank 1 sends 1 and keeps 0.
        let matrix = [1_u64, 2, 1, 0];
        let sends = &matrix[2 * own..2 * own + 2];
        let receives = [matrix[own], matrix[2 + own]];
        let send = [vec![7_u8, 8, 9], vec![5]][own].clone();
        let packed = [vec![7, 5], vec![8, 9]][own].clone();
        let result = rank.exchange(&send, 2, |send, recv| {
            call!(
                loaded, "HcclAlltoAllVC", send => Raw, matrix.as_ptr().cast() => *const c_void, U8 => i32,
                recv => Raw, U8 => i32, comm => Raw, stream => Raw
            )
        });
        assert_eq!(result, packed);

        let from = [0, sends[0]];
        let to = [receives[1], 0];
        let result = rank.exchange(&send, 2, |send, recv| {
            call!(
                loaded, "HcclAlltoAllV", send => Raw, sends.as_ptr().cast() => *const c_void,
                from.as_ptr().cast() => *const c_void, U8 => i32, recv => Raw,
                receives.as_ptr().cast() => *const c_void, to.as_ptr().cast() => *const c_void, U8 => i32,
                comm => Raw, stream => Raw
            )
        });
        // The part of rank 0 comes after that of rank 1, which is empty for rank 1.
        assert_eq!(result, [vec![5, 7], vec![8, 9]][own]);
        rank.destroy();
    });
}

/// Small whole numbers, which every type has: 2 and 3 become 5, 6, 3, 2.
#[test]
fn every_type_is_reduced_in_every_way() {
    let float = |value: f32| {
        [
            (3, lowfloat::f16::from_f32(value).to_le_bytes().to_vec()),
            (4, value.to_le_bytes().to_vec()),
            (10, f64::from(value).to_le_bytes().to_vec()),
            (11, lowfloat::bf16::from_f32(value).to_le_bytes().to_vec()),
            (15, vec![lowfloat::F8E4M3::from_f32(value).to_bits()]),
            (16, vec![lowfloat::F8E5M2::from_f32(value).to_bits()]),
        ]
    };
    let whole = |value: i128| {
        [(0, 1), (1, 2), (2, 4), (5, 8), (6, 8), (7, 1), (8, 2), (9, 4), (12, 16)]
            .map(|(element, size)| (element, value.to_le_bytes()[..size].to_vec()))
    };
    let all = |value: u8| {
        let mut all = float(f32::from(value)).to_vec();
        all.extend(whole(value.into()));
        all
    };
    with_ranks(2, |rank| {
        for (op, expected) in (0..).zip([5, 6, 3, 2]) {
            for ((element, own), (_, expected)) in
                all(2 + rank.id as u8).into_iter().zip(all(expected))
            {
                let reduced = rank.exchange(&own, own.len(), |send, recv| {
                    rank.all_reduce(send, recv, 1, element, op)
                });
                assert_eq!(reduced, expected, "dataType {element}, op {op}");
            }
        }
        rank.destroy();
    });
}

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

/// `HcclSendRecvItem`.
#[repr(C)]
struct Item {
    kind: i32,
    buffer: Raw,
    count: u64,
    element: i32,
    peer: u32,
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

#[test]
fn a_rank_that_leaves_does_not_keep_the_others_waiting() {
    with_ranks(2, |rank| {
        let buffer = rank.device.buffer(&[0; 4]);
        if rank.id == 0 {
            assert_eq!(rank.all_reduce(buffer, buffer, 1, F32, SUM), 0);
            assert_eq!(rank.device.synchronise(), LOST);
            assert!(rank.device.loaded.message().contains("rank 1 has destroyed"));
            assert_eq!(rank.async_error(), REMOTE);
        }
        rank.destroy();
    });
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
fn arguments_are_checked_at_the_call() {
    with_ranks(1, |rank| {
        let loaded = rank.device.loaded;
        let (comm, stream) = (rank.comm, rank.device.stream);
        let null = std::ptr::null_mut();
        let buffer = rank.device.buffer(&[0; 64]);
        let says = |status: i32, expected: i32, text: &str| {
            let message = loaded.message();
            assert_eq!(status, expected, "{message}");
            assert!(message.contains(text), "{message}");
        };
        says(rank.all_reduce(null, buffer, 4, F32, SUM), PTR, "sendBuf");
        says(rank.all_reduce(buffer, null, 4, F32, SUM), PTR, "recvBuf");
        says(rank.all_reduce(buffer, buffer, 4, 13, SUM), NOT_SUPPORT, "dataType is 13");
        says(rank.all_reduce(buffer, buffer, 4, 17, SUM), NOT_SUPPORT, "cannot be reduced");
        says(rank.all_reduce(buffer, buffer, 4, F32, 4), PARA, "op is 4");
        says(rank.all_reduce(buffer, buffer, u64::MAX / 2, F32, SUM), PARA, "count");
        says(rank.send(buffer, 1, 0), PARA, "itself");
        says(rank.send(buffer, 1, 1), PARA, "below 1");
        assert_eq!(rank.all_reduce(null, null, 0, F32, SUM), 0);
        says(
            call!(
                loaded, "HcclBroadcast", buffer => Raw, 1 => u64, U8 => i32, 1 => u32, comm => Raw,
                stream => Raw
            ),
            PARA,
            "root is 1",
        );
        says(
            call!(
                loaded, "HcclAlltoAll", buffer => Raw, 1 => u64, U8 => i32, buffer => Raw, 1 => u64,
                F32 => i32, comm => Raw, stream => Raw
            ),
            PARA,
            "recvType",
        );
        says(call!(loaded, "HcclBarrier", comm => Raw, null => Raw), PTR, "stream");
        says(call!(loaded, "HcclBarrier", null => Raw, stream => Raw), PTR, "comm");
        says(
            call!(loaded, "HcclBarrier", buffer => Raw, stream => Raw),
            PARA,
            "no call of this library",
        );
        says(call!(loaded, "HcclBarrier", comm => Raw, buffer => Raw), RUNTIME, "");
        let item = Item { kind: 2, buffer, count: 1, element: U8, peer: 0 };
        let item = (&raw const item).cast::<c_void>();
        says(
            call!(loaded, "HcclBatchSendRecv", item => *const c_void, 1 => u32, comm => Raw, stream => Raw),
            PARA,
            "sendRecvType is 2",
        );
        says(
            call!(loaded, "HcclGetRankId", comm => Raw, std::ptr::null_mut() => *mut u32),
            PTR,
            "rank",
        );
        let handles = [comm as usize, stream as usize];
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let [comm, stream] = handles.map(|handle| handle as Raw);
                let status = call!(loaded, "HcclBarrier", comm => Raw, stream => Raw);
                says(status, RUNTIME, "107002");
                let other = Device::open(loaded, 1);
                let status = call!(loaded, "HcclBarrier", comm => Raw, other.stream => Raw);
                says(status, PARA, "device 0");
            });
        });
        rank.device.finish();
        let comm = rank.comm;
        rank.destroy();
        says(call!(loaded, "HcclCommDestroy", comm => Raw), PARA, "not alive");
    });
}

#[test]
fn communicators_are_not_made_of_nonsense() {
    let loaded = simulator();
    let _device = Device::open(loaded, 0);
    let mut comms = [std::ptr::null_mut(); 2];
    let comms = comms.as_mut_ptr();
    let all = |count: u32, devices: *const i32| call!(loaded, "HcclCommInitAll", count => u32, devices => *const i32, comms => *mut Raw);
    assert_eq!(all(2, [0, 0].as_ptr()), PARA);
    assert!(loaded.message().contains("twice"));
    assert_eq!(all(2, [0, 99].as_ptr()), PARA);
    assert_eq!(all(0, [0].as_ptr()), PARA);
    assert_eq!(all(2, std::ptr::null()), PTR);
    let root = vec![0_u8; 4108];
    let join = |ranks: u32, rank: u32, root: *const u8| {
        call!(
            loaded, "HcclCommInitRootInfo", ranks => u32, root => *const u8, rank => u32,
            comms => *mut Raw
        )
    };
    assert_eq!(join(2, 2, root.as_ptr()), PARA);
    assert_eq!(join(2, 0, std::ptr::null()), PTR);
    assert_eq!(join(2, 0, root.as_ptr()), PARA);
    assert!(loaded.message().contains("HcclGetRootInfo"));
    let config = [0_u8; 24];
    let status = call!(
        loaded, "HcclCommInitRootInfoConfig", 1 => u32, root.as_ptr() => *const u8, 0 => u32,
        config.as_ptr() => *const u8, comms => *mut Raw
    );
    assert_eq!(status, PARA);
    assert!(loaded.message().contains("magic"));
}

#[test]
fn results_have_texts() {
    let function = simulator().find("HcclGetErrorString").unwrap();
    // SAFETY: its prototype.
    let function: extern "C" fn(i32) -> *const c_char = unsafe { std::mem::transmute(function) };
    assert!(text(function(TIMEOUT)).starts_with("HCCL_E_TIMEOUT"));
    assert!(text(function(-5)).contains("unknown"));
}

/// Joins as one rank of a communicator by root information.
fn join<'a>(device: Device<'a>, root: &[u8], ranks: u32, rank: u32) -> Result<Rank<'a>, i32> {
    let mut comm = std::ptr::null_mut();
    let mut config = [0_u8; 32];
    config[0] = 32;
    config[8..12].copy_from_slice(&0xf0f0_f0f0_u32.to_le_bytes());
    let status = if rank == 0 {
        call!(
            device.loaded, "HcclCommInitRootInfo", ranks => u32, root.as_ptr() => *const u8,
            rank => u32, &raw mut comm => *mut Raw
        )
    } else {
        call!(
            device.loaded, "HcclCommInitRootInfoConfig", ranks => u32, root.as_ptr() => *const u8,
            rank => u32, config.as_ptr() => *const u8, &raw mut comm => *mut Raw
        )
    };
    if status == 0 { Ok(Rank { device, comm, id: rank, ranks }) } else { Err(status) }
}

fn root_info(loaded: &Loaded) -> Vec<u8> {
    let mut root = vec![0_u8; 4108];
    ok!(loaded, "HcclGetRootInfo", root.as_mut_ptr() => *mut u8);
    root
}

#[test]
fn threads_meet_by_root_information() {
    let loaded = simulator();
    let _device = Device::open(loaded, 0);
    let root = root_info(loaded);
    std::thread::scope(|scope| {
        for rank in 0..4_u32 {
            let root = &root;
            scope.spawn(move || {
                let device = Device::open(loaded, rank.cast_signed());
                let rank = join(device, root, 4, rank).unwrap();
                ring(&rank);
                rank.destroy();
            });
        }
    });
}

/// Every rank adds its number to what goes round, and all check the sum.
fn ring(rank: &Rank<'_>) {
    let (next, before) = ((rank.id + 1) % rank.ranks, (rank.id + rank.ranks - 1) % rank.ranks);
    let own = rank.device.buffer(&[rank.id as u8 + 1]);
    let other = rank.device.buffer(&[0xee]);
    if rank.id == 0 {
        assert_eq!(rank.send(own, 1, next), 0);
        assert_eq!(rank.recv(other, 1, before), 0);
    } else {
        assert_eq!(rank.recv(other, 1, before), 0);
        assert_eq!(rank.send(own, 1, next), 0);
    }
    rank.device.finish();
    assert_eq!(rank.device.read(other, 1), [before as u8 + 1]);
    let sum = rank.exchange(&(rank.id + 1).to_le_bytes(), 4, |send, recv| {
        rank.all_reduce(send, recv, 1, I32, SUM)
    });
    assert_eq!(sum, (rank.ranks * (rank.ranks + 1) / 2).to_le_bytes());
}

/// Starts this program again as one rank, in the role of the ignored test of this name.
fn spawn(role: &str, root: &Path, ranks: u32, rank: u32, variables: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", role])
        .env("ROOT", root)
        .env("RANKS", ranks.to_string())
        .env("RANK", rank.to_string())
        .env("ASCEND_SIM_DEVICES", "8")
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn passed(child: Child) {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
}

/// Device, root information, number of ranks and rank of a child.
fn child() -> (Device<'static>, Vec<u8>, u32, u32) {
    let number = |name: &str| std::env::var(name).unwrap().parse::<u32>().unwrap();
    let (ranks, rank) = (number("RANKS"), number("RANK"));
    let device = Device::open(simulator(), rank.cast_signed());
    let root = std::fs::read(std::env::var_os("ROOT").unwrap()).unwrap_or_default();
    (device, root, ranks, rank)
}

/// Root information in a file, made by this process.
fn root_file() -> tempfile::NamedTempFile {
    let loaded = simulator();
    let _device = Device::open(loaded, 0);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), root_info(loaded)).unwrap();
    file
}

#[test]
fn processes_meet_by_root_information() {
    let file = root_file();
    let children: Vec<_> =
        (0..3).map(|rank| spawn("a_process_in_a_ring", file.path(), 3, rank, &[])).collect();
    children.into_iter().for_each(passed);
}

#[test]
#[ignore = "run by `processes_meet_by_root_information`"]
fn a_process_in_a_ring() {
    let (device, root, ranks, rank) = child();
    let rank = join(device, &root, ranks, rank).unwrap();
    ring(&rank);
    rank.destroy();
}

#[test]
fn a_process_that_dies_is_missed_at_once() {
    let file = root_file();
    let dies = spawn("a_process_that_dies", file.path(), 3, 2, &[]);
    let begin = Instant::now();
    let stays: Vec<_> = (0..2)
        .map(|rank| spawn("a_process_that_is_left_alone", file.path(), 3, rank, &[]))
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
    passed(spawn("a_process_that_waits", file.path(), 2, 0, &limits));
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

#[test]
fn ranks_meet_by_a_table() {
    let loaded = simulator();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ranks.json");
    let devices = r#"{"device_id": "5", "rank_id": "1"}, {"device_id": "4", "rank_id": "0"}"#;
    let server = format!(r#"{{"server_id": "127.0.0.1", "device": [{devices}]}}"#);
    let table = format!(
        r#"{{"version": "1.0", "status": "completed", "server_count": "1", "server_list": [{server}]}}"#
    );
    std::fs::write(&path, table).unwrap();
    let path = CString::new(path.to_str().unwrap()).unwrap();
    std::thread::scope(|scope| {
        for rank in 0..2_u32 {
            let path = &path;
            scope.spawn(move || {
                let device = Device::open(loaded, 4 + rank.cast_signed());
                let mut comm = std::ptr::null_mut();
                ok!(
                    loaded, "HcclCommInitClusterInfo", path.as_ptr() => *const c_char, rank => u32,
                    &raw mut comm => *mut Raw
                );
                let rank = Rank { device, comm, id: rank, ranks: 2 };
                ring(&rank);
                rank.destroy();
            });
        }
    });
    let _device = Device::open(loaded, 0);
    let mut comm = std::ptr::null_mut();
    let status = call!(
        loaded, "HcclCommInitClusterInfo", path.as_ptr() => *const c_char, 0 => u32,
        &raw mut comm => *mut Raw
    );
    assert_eq!(status, PARA);
    assert!(loaded.message().contains("device 4"));
}

#[test]
fn groups_are_started_at_their_end() {
    let root = Path::new("/dev/null");
    passed(spawn("a_process_with_groups", root, 1, 0, &[("ASCEND_SIM_SOC", "Ascend950PR")]));
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
