//! Operations on their way to a stream.

use std::ffi::c_void;
use std::sync::Arc;

use super::communicator::Communicator;
use super::problem::Problem;
use super::wire::{Call, Request};
use crate::kernel::{Cost, Fault};
use crate::memory::Memory as _;
use crate::runtime::memory::Access;
use crate::runtime::registry::handle;
use crate::runtime::work::{Run, Work};
use crate::runtime::{stream, thread};

/// A part of device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) address: u64,
    pub(super) bytes: u64,
}

/// What a rank does in a collective: reads these parts, and writes the answer to those.
#[derive(Clone, Debug)]
pub(super) struct Collective {
    pub(super) name: &'static str,
    pub(super) call: Call,
    /// Elements to each rank and from each, where ranks may differ.
    pub(super) sends: Vec<u64>,
    pub(super) receives: Vec<u64>,
    pub(super) from: Vec<Span>,
    pub(super) to: Vec<Span>,
}

/// One message to or from another rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) sends: bool,
    pub(super) peer: u32,
    pub(super) element: i32,
    pub(super) span: Span,
}

/// Puts a collective on a stream.
pub(super) fn collective(
    communicator: &Arc<Communicator>,
    stream: *const c_void,
    collective: Collective,
) -> Result<(), Problem> {
    let bytes = collective.from.iter().chain(&collective.to).map(|span| span.bytes).sum();
    let rank = Arc::clone(communicator);
    enqueue(communicator, stream, collective.name, bytes, move |run| {
        let payload = read(run, &collective.from)?;
        let request = |ticket| Request::Collective {
            ticket,
            call: collective.call.clone(),
            sends: collective.sends.clone(),
            receives: collective.receives.clone(),
            payload,
        };
        let ticket = rank.link.ask(request).map_err(|problem| problem.fault())?;
        let answer = rank.link.answer(ticket, || run.cancelled());
        write(run, &collective.to, &answer.map_err(|problem| problem.fault())?)
    })
}

/// Puts messages on a stream; all are under way at once.
pub(super) fn messages(
    communicator: &Arc<Communicator>,
    stream: *const c_void,
    name: &'static str,
    items: Vec<Item>,
) -> Result<(), Problem> {
    let bytes = items.iter().map(|item| item.span.bytes).sum();
    let rank = Arc::clone(communicator);
    enqueue(communicator, stream, name, bytes, move |run| {
        let mut tickets = Vec::new();
        for item in &items {
            let Item { peer, element, span, .. } = *item;
            let payload = if item.sends { read(run, &[span])? } else { Vec::new() };
            let request = |ticket| {
                if item.sends {
                    Request::Send { ticket, peer, element, payload }
                } else {
                    Request::Receive { ticket, peer, element, bytes: span.bytes }
                }
            };
            tickets.push(rank.link.ask(request).map_err(|problem| problem.fault())?);
        }
        for (item, ticket) in items.iter().zip(tickets) {
            let answer = rank.link.answer(ticket, || run.cancelled());
            let answer = answer.map_err(|problem| problem.fault())?;
            if !item.sends {
                write(run, &[item.span], &answer)?;
            }
        }
        Ok(())
    })
}

fn enqueue(
    communicator: &Arc<Communicator>,
    stream: *const c_void,
    name: &'static str,
    bytes: u64,
    run: impl Fn(&Run<'_>) -> Result<(), Fault> + Send + Sync + 'static,
) -> Result<(), Problem> {
    if stream.is_null() {
        return Err(Problem::null("stream"));
    }
    let (device, current) = (communicator.device, thread::usable_context()?.device);
    if device != current {
        return Err(Problem::parameter(format!(
            "comm is of device {device}, while this thread is on device {current}"
        )));
    }
    if let Some(problem) = communicator.link.problem() {
        return Err(Problem { message: format!("comm is broken: {}", problem.message), ..problem });
    }
    let rank = Arc::clone(communicator);
    let mut work = Work::new(name, move |device| {
        // A rank that cannot go on would keep the others waiting.
        run(device).inspect_err(|fault| rank.link.give_up(&fault.message))
    });
    work.cost = Cost { bytes, flops: 0 };
    stream::enqueue(handle(stream), work).map_err(Problem::from)
}

/// The bytes of these parts, one after the other.
fn read(run: &Run<'_>, parts: &[Span]) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    for part in parts.iter().filter(|part| part.bytes > 0) {
        // Checked before it is believed: a count that is wrong is a fault, not all of the host's memory.
        run.view().check(part.address, part.bytes, Access::Read).map_err(copy_fault)?;
        let start = bytes.len();
        bytes.resize(start + part.bytes as usize, 0);
        run.read(part.address, &mut bytes[start..]).map_err(|fault| copy_fault(fault.message))?;
    }
    Ok(bytes)
}

/// Puts bytes into these parts, one after the other; with no bytes, none of them changes.
fn write(run: &Run<'_>, parts: &[Span], bytes: &[u8]) -> Result<(), Fault> {
    let mut rest = bytes;
    for part in parts {
        let Some((now, after)) = rest.split_at_checked(part.bytes as usize) else { return Ok(()) };
        if !now.is_empty() {
            run.write(part.address, now).map_err(|fault| copy_fault(fault.message))?;
        }
        rest = after;
    }
    Ok(())
}

/// `ACL_ERROR_RT_SYS_DMA`: what moves data between devices is no core, so no context is poisoned.
fn copy_fault(message: String) -> Fault {
    Fault { status: 507_013, message }
}
