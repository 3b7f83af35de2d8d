//! The functions of libhccl: collective operations and messages.
//!
//! What all ranks must agree on goes into the [`Call`] that the hub compares. Counts are elements; displacements too, and they
//! stay with the rank.

use super::arguments::{message, not_self, one_type, other, own, per_rank, span, spans};
use super::communicator::find;
use super::dtype::{Element, Reduction};
use super::group;
use super::launch::Collective;
use super::problem::{Problem, call};
use super::wire::{Call, Kind};
use crate::abi::{In, Raw};

interface! { call;
    "8.1" fn HcclAllReduce(
        send: Raw, recv: Raw, count: u64, element: i32, op: i32, comm: Raw, stream: Raw,
    ) {
        let rank = find(comm)?;
        let element = Element::of(element)?;
        let mut collective = Collective::new("HcclAllReduce", Kind::AllReduce, element, vec![count]);
        collective.call.reduction = Reduction::of(op, element)? as i32;
        collective.from = vec![span("sendBuf", send, element, count)?];
        collective.to = vec![span("recvBuf", recv, element, count)?];
        group::collective(rank, stream, collective)
    }

    "8.1" fn HcclReduce(
        send: Raw, recv: Raw, count: u64, element: i32, op: i32, root: u32, comm: Raw, stream: Raw,
    ) {
        let rank = find(comm)?;
        let element = Element::of(element)?;
        let mut collective = Collective::new("HcclReduce", Kind::Reduce, element, vec![count]);
        collective.call.reduction = Reduction::of(op, element)? as i32;
        collective.call.root = other("root", root, &rank)?;
        collective.from = vec![span("sendBuf", send, element, count)?];
        if rank.rank == root {
            collective.to = vec![span("recvBuf", recv, element, count)?];
        }
        group::collective(rank, stream, collective)
    }

    "8.1" fn HcclBroadcast(buffer: Raw, count: u64, element: i32, root: u32, comm: Raw, stream: Raw) {
        let rank = find(comm)?;
        let element = Element::of(element)?;
        let mut collective = Collective::new("HcclBroadcast", Kind::Broadcast, element, vec![count]);
        collective.call.root = other("root", root, &rank)?;
        let all = vec![span("buf", buffer, element, count)?];
        if rank.rank == root { collective.from = all } else { collective.to = all }
        group::collective(rank, stream, collective)
    }

    "8.1" fn HcclAllGather(send: Raw, recv: Raw, count: u64, element: i32, comm: Raw, stream: Raw) {
        let rank = find(comm)?;
        let element = Element::of(element)?;
        let counts = vec![count; rank.ranks as usize];
        let mut collective = Collective::new("HcclAllGather", Kind::AllGather, element, counts.clone());
        collective.from = vec![span("sendBuf", send, element, count)?];
        collective.to = spans("recvBuf", recv, element, &counts, None)?;
        group::collective(rank, stream, collective)
    }

    "8.1" fn HcclAllGatherV(
        send: Raw, count: u64, recv: Raw, counts: In<u64>, displacements: In<u64>, element: i32,
        comm: Raw, stream: Raw,
    ) {
        let rank = find(comm)?;
        let element = Element::of(element)?;
        let counts = per_rank("recvCounts", counts, &rank)?;
        let displacements = per_rank("recvDispls", displacements, &rank)?;
        own("sendCount", count, "recvCounts", &counts, &rank)?;
        let mut collective = Collective::new("HcclAllGatherV", Kind::AllGather, element, counts.clone());
        collective.from = vec![span("sendBuf", send, element, count)?];
        collective.to = spans("recvBuf", recv, element, &counts, Some(&displacements))?;
        group::collective(rank, stream, collective)
    }

    "8.1" fn HcclReduceScatter(
        send: Raw, recv: Raw, count: u64, element: i32, op: i32, comm: Raw, stream: Raw,
    ) {
        let rank = find(comm)?;
        let element = Element::of(element)?;
        let counts = vec![count; rank.ranks as usize];
        let mut collective =
            Collective::new("HcclReduceScatter", Kind::ReduceScatter, element, counts.clone());
        collective.call.reduction = Reduction::of(op, element)? as i32;
        collective.from = spans("sendBuf", send, element, &counts, None)?;
        collective.to = vec![span("recvBuf", recv, element, count)?];
        group::collective(rank, stream, collective)
    }

    "8.1" fn HcclReduceScatterV(
        send: Raw, counts: In<u64>, displacements: In<u64>, recv: Raw, count: u64, element: i32,
        op: i32, comm: Raw, stream: Raw,
    ) {
        let rank = find(comm)?;
        let element = Element::of(element)?;
        let counts = per_rank("sendCounts", counts, &rank)?;
        let displacements = per_rank("sendDispls", displacements, &rank)?;
        own("recvCount", count, "sendCounts", &counts, &rank)?;
        let mut collective =
            Collective::new("HcclReduceScatterV", Kind::ReduceScatter, element, counts.clone());
        collective.call.reduction = Reduction::of(op, element)? as i32;
        collective.from = spans("sendBuf", send, element, &counts, Some(&displacements))?;
        collective.to = vec![span("recvBuf", recv, element, count)?];
        group::collective(rank, stream, collective)
    }

    "8.1" fn HcclScatter(
        send: Raw, recv: Raw, count: u64, element: i32, root: u32, comm: Raw, stream: Raw,
    ) {
        let rank = find(comm)?;
        let element = Element::of(element)?;
        let counts = vec![count; rank.ranks as usize];
        let mut collective = Collective::new("HcclScatter", Kind::Scatter, element, counts.clone());
        collective.call.root = other("root", root, &rank)?;
        if rank.rank == root {
            collective.from = spans("sendBuf", send, element, &counts, None)?;
        }
        collective.to = vec![span("recvBuf", recv, element, count)?];
        group::collective(rank, stream, collective)
    }

    "8.1" fn HcclAlltoAll(
        send: Raw, sends: u64, send_element: i32, recv: Raw, receives: u64, recv_element: i32,
        comm: Raw, stream: Raw,
    ) {
        let rank = find(comm)?;
        let element = one_type(send_element, recv_element)?;
        let all = |count| vec![count; rank.ranks as usize];
        let collective = Collective {
            from: spans("sendBuf", send, element, &all(sends), None)?,
            to: spans("recvBuf", recv, element, &all(receives), None)?,
            sends: all(sends),
            receives: all(receives),
            ..Collective::new("HcclAlltoAll", Kind::AllToAll, element, Vec::new())
        };
        group::collective(rank, stream, collective)
    }

    "8.1" fn HcclAlltoAllV(
        send: Raw, sends: In<u64>, send_displacements: In<u64>, send_element: i32,
        recv: Raw, receives: In<u64>, recv_displacements: In<u64>, recv_element: i32,
        comm: Raw, stream: Raw,
    ) {
        let rank = find(comm)?;
        let element = one_type(send_element, recv_element)?;
        let sends = per_rank("sendCounts", sends, &rank)?;
        let receives = per_rank("recvCounts", receives, &rank)?;
        let from = per_rank("sdispls", send_displacements, &rank)?;
        let to = per_rank("rdispls", recv_displacements, &rank)?;
        let collective = Collective {
            from: spans("sendBuf", send, element, &sends, Some(&from))?,
            to: spans("recvBuf", recv, element, &receives, Some(&to))?,
            sends,
            receives,
            ..Collective::new("HcclAlltoAllV", Kind::AllToAll, element, Vec::new())
        };
        group::collective(rank, stream, collective)
    }

    "8.1" fn HcclAlltoAllVC(
        send: Raw, matrix: In<u64>, send_element: i32, recv: Raw, recv_element: i32, comm: Raw,
        stream: Raw,
    ) {
        let rank = find(comm)?;
        let element = one_type(send_element, recv_element)?;
        let ranks = rank.ranks as usize;
        if matrix.is_null() {
            return Err(Problem::null("sendCountMatrix"));
        }
        let matrix = matrix.values("sendCountMatrix", (ranks * ranks) as u64)?;
        let own = rank.rank as usize;
        let sends = matrix[own * ranks..][..ranks].to_vec();
        let receives: Vec<u64> = (0..ranks).map(|from| matrix[from * ranks + own]).collect();
        let collective = Collective {
            from: spans("sendBuf", send, element, &sends, None)?,
            to: spans("recvBuf", recv, element, &receives, None)?,
            sends,
            receives,
            ..Collective::new("HcclAlltoAllVC", Kind::AllToAll, element, matrix)
        };
        group::collective(rank, stream, collective)
    }

    "8.1" fn HcclSend(buffer: Raw, count: u64, element: i32, peer: u32, comm: Raw, stream: Raw) {
        let rank = find(comm)?;
        let item = message(true, buffer, count, element, not_self("destRank", peer, &rank)?)?;
        group::messages(rank, stream, "HcclSend", vec![item])
    }

    "8.1" fn HcclRecv(buffer: Raw, count: u64, element: i32, peer: u32, comm: Raw, stream: Raw) {
        let rank = find(comm)?;
        let item = message(false, buffer, count, element, not_self("srcRank", peer, &rank)?)?;
        group::messages(rank, stream, "HcclRecv", vec![item])
    }

    "8.1" fn HcclBatchSendRecv(items: In<SendRecvItem>, count: u32, comm: Raw, stream: Raw) {
        let rank = find(comm)?;
        if items.is_null() {
            return Err(Problem::null("sendRecvInfo"));
        }
        if count == 0 {
            return Err(Problem::parameter("itemNum is 0, expected at least 1"));
        }
        let items = items.values("sendRecvInfo", count.into())?;
        let read = |item: &SendRecvItem| {
            let sends = match item.kind {
                0 => true,
                1 => false,
                kind => {
                    let message = format!("sendRecvType is {kind}, expected SEND 0 or RECV 1");
                    return Err(Problem::parameter(message));
                }
            };
            let peer = other("remoteRank", item.peer, &rank)?;
            message(sends, item.buffer, item.count, item.element, peer)
        };
        let items = items.iter().map(read).collect::<Result<_, _>>()?;
        group::messages(rank, stream, "HcclBatchSendRecv", items)
    }
}

/// `HcclSendRecvItem`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct SendRecvItem {
    kind: i32,
    buffer: Raw,
    count: u64,
    element: i32,
    peer: u32,
}

impl Collective {
    fn new(name: &'static str, kind: Kind, element: Element, counts: Vec<u64>) -> Self {
        let call = Call { kind, element: element as i32, reduction: 0, root: 0, counts };
        Self { name, call, sends: vec![], receives: vec![], from: vec![], to: vec![] }
    }
}
