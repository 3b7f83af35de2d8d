//! What calls are given: buffers, counts, ranks.

use std::ffi::c_void;
use std::sync::Arc;

use super::communicator::Communicator;
use super::dtype::Element;
use super::launch::{Item, Span};
use super::problem::Problem;
use crate::abi::{In, Raw};
use crate::runtime::registry::handle;

/// So many elements from the start of a buffer.
pub(super) fn span(
    argument: &str,
    buffer: *const c_void,
    element: Element,
    count: u64,
) -> Result<Span, Problem> {
    if buffer.is_null() && count > 0 {
        return Err(Problem::null(argument));
    }
    Ok(Span { address: handle(buffer), bytes: element.bytes(count)? })
}

/// A part of a buffer for each rank: one after the other, or at displacements.
pub(super) fn spans(
    argument: &str,
    buffer: *const c_void,
    element: Element,
    counts: &[u64],
    displacements: Option<&[u64]>,
) -> Result<Vec<Span>, Problem> {
    let mut end = 0_u64;
    let mut spans = Vec::new();
    for (rank, count) in counts.iter().enumerate() {
        let Span { address, bytes } = span(argument, buffer, element, *count)?;
        let start = match displacements {
            Some(displacements) => element.bytes(displacements[rank])?,
            None => end,
        };
        let beyond = || {
            Problem::parameter(format!(
                "{argument}: the part of rank {rank} is beyond all addresses"
            ))
        };
        end = start.checked_add(bytes).ok_or_else(beyond)?;
        spans.push(Span { address: address.checked_add(start).ok_or_else(beyond)?, bytes });
    }
    Ok(spans)
}

/// An array of the host with a number for each rank.
pub(super) fn per_rank(
    argument: &str,
    values: In<u64>,
    rank: &Arc<Communicator>,
) -> Result<Vec<u64>, Problem> {
    if values.is_null() {
        return Err(Problem::null(argument));
    }
    Ok(values.values(argument, rank.ranks.into())?)
}

/// The rank's own count must be what the list says of it.
pub(super) fn own(
    argument: &str,
    count: u64,
    list: &str,
    counts: &[u64],
    rank: &Communicator,
) -> Result<(), Problem> {
    let listed = counts[rank.rank as usize];
    if count == listed {
        return Ok(());
    }
    let own = rank.rank;
    Err(Problem::parameter(format!(
        "{argument} is {count}, but {list}[{own}] of rank {own} is {listed}"
    )))
}

pub(super) fn one_type(sends: i32, receives: i32) -> Result<Element, Problem> {
    if sends != receives {
        let message = format!("sendType is {sends}, recvType is {receives}, expected the same");
        return Err(Problem::parameter(message));
    }
    Element::of(sends)
}

/// A rank of the communicator.
pub(super) fn other(argument: &str, peer: u32, rank: &Communicator) -> Result<u32, Problem> {
    if peer < rank.ranks {
        return Ok(peer);
    }
    Err(Problem::parameter(format!("{argument} is {peer}, expected a rank below {}", rank.ranks)))
}

pub(super) fn not_self(argument: &str, peer: u32, rank: &Communicator) -> Result<u32, Problem> {
    if peer == rank.rank {
        return Err(Problem::parameter(format!("{argument} is {peer}, this rank itself")));
    }
    other(argument, peer, rank)
}

pub(super) fn message(
    sends: bool,
    buffer: Raw,
    count: u64,
    element: i32,
    peer: u32,
) -> Result<Item, Problem> {
    let span = span("buf", buffer, Element::of(element)?, count)?;
    Ok(Item { sends, peer, element, span })
}
