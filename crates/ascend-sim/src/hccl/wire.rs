//! Messages between ranks and the hub.

use super::fields::{Fields, Message, array, bytes, int, problem, word, words};
use super::problem::Problem;

/// What a rank says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    /// What the root information holds, so that strangers are turned away.
    pub(super) token: [u8; 16],
    pub(super) ranks: u32,
    pub(super) rank: u32,
    /// The device on this machine that the rank uses.
    pub(super) device: u32,
}

/// What an operation is, as far as all ranks must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) kind: Kind,
    /// `HcclDataType` and `HcclReduceOp` by number, the latter 0 where there is none.
    pub(super) element: i32,
    pub(super) reduction: i32,
    pub(super) root: u32,
    /// Elements: one number, or one for each rank, or for each pair.
    pub(super) counts: Vec<u64>,
}

/// The operations that all ranks take part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Kind {
    Barrier,
    AllReduce,
    Reduce,
    Broadcast,
    AllGather,
    ReduceScatter,
    Scatter,
    AllToAll,
}

const KINDS: [Kind; 8] = [
    Kind::Barrier,
    Kind::AllReduce,
    Kind::Reduce,
    Kind::Broadcast,
    Kind::AllGather,
    Kind::ReduceScatter,
    Kind::Scatter,
    Kind::AllToAll,
];

/// What a rank asks for. A ticket is the rank's own number for what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Collective {
        ticket: u64,
        call: Call,
        /// Elements to each rank and from each, for [`Kind::AllToAll`].
        sends: Vec<u64>,
        receives: Vec<u64>,
        payload: Vec<u8>,
    },
    Send {
        ticket: u64,
        peer: u32,
        element: i32,
        payload: Vec<u8>,
    },
    Receive {
        ticket: u64,
        peer: u32,
        element: i32,
        bytes: u64,
    },
    /// The rank waited too long, or cannot go on.
    Abort(Problem),
    /// The rank destroyed its communicator.
    Leave,
}

/// What the hub answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// All ranks are there.
    Ready,
    Done {
        ticket: u64,
        payload: Vec<u8>,
    },
    /// The communicator is broken, or was never made.
    Failed(Problem),
}

impl Message for Hello {
    fn put(&self, fields: &mut Fields) {
        fields.raw(&self.token);
        fields.int(self.ranks);
        fields.int(self.rank);
        fields.int(self.device);
    }

    fn take(fields: &mut &[u8]) -> Option<Self> {
        Some(Self {
            token: array(fields)?,
            ranks: int(fields)?,
            rank: int(fields)?,
            device: int(fields)?,
        })
    }
}

impl Message for Call {
    fn put(&self, fields: &mut Fields) {
        let Self { kind, element, reduction, root, counts } = self;
        fields.int(*kind as u32);
        fields.int(element.cast_unsigned());
        fields.int(reduction.cast_unsigned());
        fields.int(*root);
        fields.words(counts);
    }

    fn take(fields: &mut &[u8]) -> Option<Self> {
        Some(Self {
            kind: *KINDS.get(int(fields)? as usize)?,
            element: int(fields)?.cast_signed(),
            reduction: int(fields)?.cast_signed(),
            root: int(fields)?,
            counts: words(fields)?,
        })
    }
}

impl Message for Request {
    fn put(&self, fields: &mut Fields) {
        match self {
            Self::Collective { ticket, call, sends, receives, payload } => {
                fields.int(0);
                fields.word(*ticket);
                call.put(fields);
                fields.words(sends);
                fields.words(receives);
                fields.bytes(payload);
            }
            Self::Send { ticket, peer, element, payload } => {
                fields.int(1);
                fields.word(*ticket);
                fields.int(*peer);
                fields.int(element.cast_unsigned());
                fields.bytes(payload);
            }
            Self::Receive { ticket, peer, element, bytes } => {
                fields.int(2);
                fields.word(*ticket);
                fields.int(*peer);
                fields.int(element.cast_unsigned());
                fields.word(*bytes);
            }
            Self::Abort(problem) => {
                fields.int(3);
                fields.problem(problem);
            }
            Self::Leave => fields.int(4),
        }
    }

    fn take(fields: &mut &[u8]) -> Option<Self> {
        Some(match int(fields)? {
            0 => Self::Collective {
                ticket: word(fields)?,
                call: Call::take(fields)?,
                sends: words(fields)?,
                receives: words(fields)?,
                payload: bytes(fields)?,
            },
            1 => Self::Send {
                ticket: word(fields)?,
                peer: int(fields)?,
                element: int(fields)?.cast_signed(),
                payload: bytes(fields)?,
            },
            2 => Self::Receive {
                ticket: word(fields)?,
                peer: int(fields)?,
                element: int(fields)?.cast_signed(),
                bytes: word(fields)?,
            },
            3 => Self::Abort(problem(fields)?),
            4 => Self::Leave,
            _ => return None,
        })
    }
}

impl Message for Reply {
    fn put(&self, fields: &mut Fields) {
        match self {
            Self::Ready => fields.int(0),
            Self::Done { ticket, payload } => {
                fields.int(1);
                fields.word(*ticket);
                fields.bytes(payload);
            }
            Self::Failed(problem) => {
                fields.int(2);
                fields.problem(problem);
            }
        }
    }

    fn take(fields: &mut &[u8]) -> Option<Self> {
        Some(match int(fields)? {
            0 => Self::Ready,
            1 => Self::Done { ticket: word(fields)?, payload: bytes(fields)? },
            2 => Self::Failed(problem(fields)?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hccl::problem::Code;

    fn requests() -> Vec<Request> {
        let call = Call {
            kind: Kind::AllToAll,
            element: 11,
            reduction: -1,
            root: 3,
            counts: vec![1, u64::MAX],
        };
        vec![
            Request::Collective {
                ticket: 9,
                call,
                sends: vec![1, 2],
                receives: vec![],
                payload: vec![1, 2, 3],
            },
            Request::Send { ticket: 1, peer: 2, element: 3, payload: vec![4] },
            Request::Receive { ticket: 1, peer: 2, element: 3, bytes: 4 },
            Request::Abort(Problem::new(Code::Timeout, "late")),
            Request::Leave,
        ]
    }

    #[test]
    fn messages_come_back_as_they_were() {
        for request in requests() {
            let mut bytes = Vec::new();
            request.send(&mut bytes).unwrap();
            assert_eq!(Request::receive(&mut bytes.as_slice()).unwrap(), request);
            for end in 0..bytes.len() {
                assert!(Request::receive(&mut &bytes[..end]).is_err());
            }
        }
        let hello = Hello { token: [7; 16], ranks: 4, rank: 2, device: 5 };
        let mut bytes = Vec::new();
        hello.send(&mut bytes).unwrap();
        assert_eq!(Hello::receive(&mut bytes.as_slice()).unwrap(), hello);
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        let mut bytes = u64::MAX.to_le_bytes().to_vec();
        bytes.extend([0; 20]);
        assert!(Reply::receive(&mut bytes.as_slice()).is_err());
        let mut bytes = 12_u64.to_le_bytes().to_vec();
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(u64::MAX.to_le_bytes());
        assert!(Reply::receive(&mut bytes.as_slice()).is_err());
    }
}
