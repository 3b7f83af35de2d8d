//! What each collective gives each rank.

use std::ffi::c_void;

use super::rank::{SUM, U8, with_ranks};
use crate::loaded::Raw;

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
