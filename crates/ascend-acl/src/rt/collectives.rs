//! What the ranks of a communicator do together.

use super::buffer::DeviceSlice;
use super::comm::Comm;
use super::element::Element;
use super::stream::Stream;
use crate::error::{Error, Result};
use crate::sys::{HcclReduceOp, HcclSendRecvItem, HcclSendRecvType};

/// How values of several ranks become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their product.
    Product,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

impl Reduction {
    fn code(self) -> HcclReduceOp {
        match self {
            Self::Sum => HcclReduceOp::SUM,
            Self::Product => HcclReduceOp::PROD,
            Self::Max => HcclReduceOp::MAX,
            Self::Min => HcclReduceOp::MIN,
        }
    }
}

/// A message of [`Comm::exchange`].
#[derive(Debug, Clone, Copy)]
pub enum Message<'a, T> {
    /// Sends to a rank.
    Send(DeviceSlice<'a, T>, u32),
    /// Receives from a rank.
    Receive(DeviceSlice<'a, T>, u32),
}

/// The pieces of an exchange with every rank: elements, and where they begin, in the order of the ranks.
#[derive(Debug, Clone, Copy)]
pub struct Pieces<'p> {
    /// How many elements.
    pub counts: &'p [u64],
    /// Elements from the beginning of the buffer.
    pub offsets: &'p [u64],
}

impl Comm {
    fn refuse(
        operation: &'static str,
        argument: &'static str,
        got: String,
        expected: String,
    ) -> Error {
        Error::Argument { operation, argument, got, expected }
    }

    fn length<T: Element>(
        operation: &'static str,
        argument: &'static str,
        buffer: &DeviceSlice<'_, T>,
        expected: Option<usize>,
    ) -> Result<()> {
        if Some(buffer.len()) == expected {
            return Ok(());
        }
        let expected = expected.map_or_else(|| "a smaller part".to_owned(), |len| len.to_string());
        let got = format!("{} elements", buffer.len());
        Err(Self::refuse(operation, argument, got, expected))
    }

    fn is_rank(&self, operation: &'static str, argument: &'static str, rank: u32) -> Result<()> {
        if rank < self.size() {
            return Ok(());
        }
        Err(Self::refuse(
            operation,
            argument,
            rank.to_string(),
            format!("one of 0..{}", self.size()),
        ))
    }

    fn times(&self, len: usize) -> Option<usize> {
        len.checked_mul(self.size() as usize)
    }

    /// Queues a wait of every rank for every other.
    pub fn barrier(&self, stream: &Stream) -> Result<()> {
        let barrier = self.device.ascend.hccl()?.HcclBarrier()?;
        self.put(stream, "HcclBarrier", Vec::new(), |comm, stream| {
            // SAFETY: communicator and stream live as long as the borrows.
            unsafe { barrier(comm, stream) }
        })
    }

    /// Queues a reduction of `send` over all ranks, whose result every rank gets in `receive`, of the same length. Both may be one buffer.
    pub fn all_reduce<'a, 'b, T: Element>(
        &self,
        stream: &Stream,
        send: impl Into<DeviceSlice<'a, T>>,
        receive: impl Into<DeviceSlice<'b, T>>,
        reduction: Reduction,
    ) -> Result<()> {
        const CALL: &str = "HcclAllReduce";
        let (send, receive) = (send.into(), receive.into());
        Self::length(CALL, "receive", &receive, Some(send.len()))?;
        let reduce = self.device.ascend.hccl()?.HcclAllReduce()?;
        let (from, to, count) = (send.address(), receive.address(), send.len() as u64);
        self.put(stream, CALL, vec![send.block(), receive.block()], |comm, stream| {
            // SAFETY: both buffers have so many elements of this type and are kept until the task is over;
            // communicator and stream live as long as the borrows.
            unsafe { reduce(from, to, count, T::COLLECTIVE, reduction.code(), comm, stream) }
        })
    }

    /// Queues a reduction of `send` over all ranks, whose result rank `root` gets in `receive`, of the same length.
    pub fn reduce<'a, 'b, T: Element>(
        &self,
        stream: &Stream,
        send: impl Into<DeviceSlice<'a, T>>,
        receive: impl Into<DeviceSlice<'b, T>>,
        reduction: Reduction,
        root: u32,
    ) -> Result<()> {
        const CALL: &str = "HcclReduce";
        let (send, receive) = (send.into(), receive.into());
        Self::length(CALL, "receive", &receive, Some(send.len()))?;
        self.is_rank(CALL, "root", root)?;
        let reduce = self.device.ascend.hccl()?.HcclReduce()?;
        let (from, to, count) = (send.address(), receive.address(), send.len() as u64);
        self.put(stream, CALL, vec![send.block(), receive.block()], |comm, stream| {
            // SAFETY: both buffers have so many elements of this type and are kept until the task is over;
            // communicator and stream live as long as the borrows.
            unsafe { reduce(from, to, count, T::COLLECTIVE, reduction.code(), root, comm, stream) }
        })
    }

    /// Queues a copy of the buffer of rank `root` to that of every rank.
    pub fn broadcast<'a, T: Element>(
        &self,
        stream: &Stream,
        buffer: impl Into<DeviceSlice<'a, T>>,
        root: u32,
    ) -> Result<()> {
        const CALL: &str = "HcclBroadcast";
        let buffer = buffer.into();
        self.is_rank(CALL, "root", root)?;
        let broadcast = self.device.ascend.hccl()?.HcclBroadcast()?;
        let (address, count) = (buffer.address(), buffer.len() as u64);
        self.put(stream, CALL, vec![buffer.block()], |comm, stream| {
            // SAFETY: the buffer has so many elements of this type and is kept until the task is over;
            // communicator and stream live as long as the borrows.
            unsafe { broadcast(address, count, T::COLLECTIVE, root, comm, stream) }
        })
    }

    /// Queues gathering `send` of all ranks, one after another, in `receive` of every rank.
    pub fn all_gather<'a, 'b, T: Element>(
        &self,
        stream: &Stream,
        send: impl Into<DeviceSlice<'a, T>>,
        receive: impl Into<DeviceSlice<'b, T>>,
    ) -> Result<()> {
        const CALL: &str = "HcclAllGather";
        let (send, receive) = (send.into(), receive.into());
        Self::length(CALL, "receive", &receive, self.times(send.len()))?;
        let gather = self.device.ascend.hccl()?.HcclAllGather()?;
        let (from, to, count) = (send.address(), receive.address(), send.len() as u64);
        self.put(stream, CALL, vec![send.block(), receive.block()], |comm, stream| {
            // SAFETY: the first buffer has so many elements of this type, the second as many for each rank; both are
            // kept until the task is over; communicator and stream live as long as the borrows.
            unsafe { gather(from, to, count, T::COLLECTIVE, comm, stream) }
        })
    }

    /// Queues a reduction of `send` over all ranks, of whose result each rank gets its part in `receive`.
    pub fn reduce_scatter<'a, 'b, T: Element>(
        &self,
        stream: &Stream,
        send: impl Into<DeviceSlice<'a, T>>,
        receive: impl Into<DeviceSlice<'b, T>>,
        reduction: Reduction,
    ) -> Result<()> {
        const CALL: &str = "HcclReduceScatter";
        let (send, receive) = (send.into(), receive.into());
        Self::length(CALL, "send", &send, self.times(receive.len()))?;
        let scatter = self.device.ascend.hccl()?.HcclReduceScatter()?;
        let (from, to, count) = (send.address(), receive.address(), receive.len() as u64);
        self.put(stream, CALL, vec![send.block(), receive.block()], |comm, stream| {
            // SAFETY: the second buffer has so many elements of this type, the first as many for each rank; both are
            // kept until the task is over; communicator and stream live as long as the borrows.
            unsafe { scatter(from, to, count, T::COLLECTIVE, reduction.code(), comm, stream) }
        })
    }

    /// Queues handing each rank its part of `send` of rank `root`; the others' `send` is not read.
    pub fn scatter<'a, 'b, T: Element>(
        &self,
        stream: &Stream,
        send: impl Into<DeviceSlice<'a, T>>,
        receive: impl Into<DeviceSlice<'b, T>>,
        root: u32,
    ) -> Result<()> {
        const CALL: &str = "HcclScatter";
        let (send, receive) = (send.into(), receive.into());
        self.is_rank(CALL, "root", root)?;
        if self.rank() == root {
            Self::length(CALL, "send", &send, self.times(receive.len()))?;
        }
        let scatter = self.device.ascend.hccl()?.HcclScatter()?;
        let (from, to, count) = (send.address(), receive.address(), receive.len() as u64);
        self.put(stream, CALL, vec![send.block(), receive.block()], |comm, stream| {
            // SAFETY: the second buffer has so many elements of this type, the first on `root` as many for each rank;
            // both are kept until the task is over; communicator and stream live as long as the borrows.
            unsafe { scatter(from, to, count, T::COLLECTIVE, root, comm, stream) }
        })
    }

    /// Queues an exchange: part `j` of `send` of rank `i` becomes part `i` of `receive` of rank `j`. All parts are equally long.
    pub fn all_to_all<'a, 'b, T: Element>(
        &self,
        stream: &Stream,
        send: impl Into<DeviceSlice<'a, T>>,
        receive: impl Into<DeviceSlice<'b, T>>,
    ) -> Result<()> {
        const CALL: &str = "HcclAlltoAll";
        let (send, receive) = (send.into(), receive.into());
        Self::length(CALL, "receive", &receive, Some(send.len()))?;
        let part = send.len() / self.size().max(1) as usize;
        Self::length(CALL, "send", &send, self.times(part))?;
        let exchange = self.device.ascend.hccl()?.HcclAlltoAll()?;
        let (from, to, count) = (send.address(), receive.address(), part as u64);
        self.put(stream, CALL, vec![send.block(), receive.block()], |comm, stream| {
            // SAFETY: both buffers have so many elements of this type for each rank and are kept until the task
            // is over; communicator and stream live as long as the borrows.
            unsafe { exchange(from, count, T::COLLECTIVE, to, count, T::COLLECTIVE, comm, stream) }
        })
    }

    /// Queues an exchange of pieces of any lengths: piece `j` of `send` of rank `i` becomes piece `i` of `receive` of rank `j`.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] unless there is a piece for each rank, and all lie within their buffers.
    pub fn all_to_all_pieces<'a, 'b, T: Element>(
        &self,
        stream: &Stream,
        (send, there): (impl Into<DeviceSlice<'a, T>>, Pieces<'_>),
        (receive, back): (impl Into<DeviceSlice<'b, T>>, Pieces<'_>),
    ) -> Result<()> {
        const CALL: &str = "HcclAlltoAllV";
        let (send, receive) = (send.into(), receive.into());
        self.pieces(CALL, "send", there, send.len())?;
        self.pieces(CALL, "receive", back, receive.len())?;
        let exchange = self.device.ascend.hccl()?.HcclAlltoAllV()?;
        let (from, to) = (send.address(), receive.address());
        self.put(stream, CALL, vec![send.block(), receive.block()], |comm, stream| {
            // SAFETY: the four arrays have a number for each rank and are read before the call returns; the pieces
            // lie within the buffers, which are kept until the task is over; communicator and stream live as
            // long as the borrows.
            unsafe {
                exchange(
                    from,
                    there.counts.as_ptr().cast(),
                    there.offsets.as_ptr().cast(),
                    T::COLLECTIVE,
                    to,
                    back.counts.as_ptr().cast(),
                    back.offsets.as_ptr().cast(),
                    T::COLLECTIVE,
                    comm,
                    stream,
                )
            }
        })
    }

    fn pieces(
        &self,
        operation: &'static str,
        argument: &'static str,
        pieces: Pieces<'_>,
        len: usize,
    ) -> Result<()> {
        let ranks = self.size() as usize;
        let within = |(count, offset): (&u64, &u64)| {
            count.checked_add(*offset).is_some_and(|end| end <= len as u64)
        };
        if pieces.counts.len() == ranks
            && pieces.offsets.len() == ranks
            && pieces.counts.iter().zip(pieces.offsets).all(within)
        {
            return Ok(());
        }
        let got = format!("counts {:?} at {:?}", pieces.counts, pieces.offsets);
        let expected = format!("{ranks} pieces, one for each rank, within {len} elements");
        Err(Self::refuse(operation, argument, got, expected))
    }

    /// Queues a message to a rank, which receives it with [`Comm::receive`].
    pub fn send<'a, T: Element>(
        &self,
        stream: &Stream,
        buffer: impl Into<DeviceSlice<'a, T>>,
        to: u32,
    ) -> Result<()> {
        let buffer = buffer.into();
        self.is_rank("HcclSend", "to", to)?;
        let send = self.device.ascend.hccl()?.HcclSend()?;
        let (address, count) = (buffer.address(), buffer.len() as u64);
        self.put(stream, "HcclSend", vec![buffer.block()], |comm, stream| {
            // SAFETY: the buffer has so many elements of this type and is kept until the task is over;
            // communicator and stream live as long as the borrows.
            unsafe { send(address, count, T::COLLECTIVE, to, comm, stream) }
        })
    }

    /// Queues a message from a rank, of the length of the buffer.
    pub fn receive<'a, T: Element>(
        &self,
        stream: &Stream,
        buffer: impl Into<DeviceSlice<'a, T>>,
        from: u32,
    ) -> Result<()> {
        let buffer = buffer.into();
        self.is_rank("HcclRecv", "from", from)?;
        let receive = self.device.ascend.hccl()?.HcclRecv()?;
        let (address, count) = (buffer.address(), buffer.len() as u64);
        self.put(stream, "HcclRecv", vec![buffer.block()], |comm, stream| {
            // SAFETY: the buffer has so many elements of this type and is kept until the task is over;
            // communicator and stream live as long as the borrows.
            unsafe { receive(address, count, T::COLLECTIVE, from, comm, stream) }
        })
    }

    /// Queues several messages at once, which do not wait for each other.
    pub fn exchange<T: Element>(&self, stream: &Stream, messages: &[Message<'_, T>]) -> Result<()> {
        const CALL: &str = "HcclBatchSendRecv";
        let exchange = self.device.ascend.hccl()?.HcclBatchSendRecv()?;
        let mut items = Vec::with_capacity(messages.len());
        let mut used = Vec::with_capacity(messages.len());
        for message in messages {
            let (direction, buffer, rank) = match message {
                Message::Send(buffer, to) => (HcclSendRecvType::SEND, buffer, *to),
                Message::Receive(buffer, from) => (HcclSendRecvType::RECV, buffer, *from),
            };
            self.is_rank(CALL, "rank", rank)?;
            used.push(buffer.block());
            items.push(HcclSendRecvItem {
                sendRecvType: direction,
                buf: buffer.address(),
                count: buffer.len() as u64,
                dataType: T::COLLECTIVE,
                remoteRank: rank,
            });
        }
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        self.put(stream, CALL, used, |comm, stream| {
            // SAFETY: the array has so many items and is read before the call returns; their buffers have as many
            // elements as they say and are kept until the task is over; communicator and stream live as long
            // as the borrows.
            unsafe { exchange(items.as_mut_ptr(), count, comm, stream) }
        })
    }
}
