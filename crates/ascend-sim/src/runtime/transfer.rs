//! Copies and fills: which block, which wait for their turn, which are refused.

use std::sync::Arc;

use super::capture;
use super::config::machine;
use super::counters::counters;
use super::failure::Failure;
use super::memory::{Access, HostSpan, Place, View, access_fault, arena, pinned};
use super::stream::{self, Stream};
use super::thread;
use super::work::{Captured, Run, Work};
use crate::kernel::{Cost, Fault};
use crate::profile::Cann;
use crate::sync::lock;

/// A copy as a call asks for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copy {
    to: Place,
    from: Place,
    pub(crate) count: u64,
}

/// What a pointer points to: device memory by its address, else the host's.
pub(crate) fn place(span: HostSpan) -> Place {
    match arena().and_then(|arena| arena.device(span.address())) {
        Some(_) => Place::Device(span.address()),
        None => Place::Host(span),
    }
}

impl Copy {
    /// A copy of `count` bytes to a place with room for `room`; the kind must be that of the places, or 4, the default.
    pub(crate) fn new(
        to: HostSpan,
        room: u64,
        from: HostSpan,
        count: u64,
        kind: i32,
    ) -> Result<Self, Failure> {
        if count > room {
            let message = format!("count is {count}, destMax {room}: expected count <= destMax");
            return Err(Failure::parameter(message));
        }
        let (to, from) = (place(to), place(from));
        let actual = match (to, from) {
            (Place::Host(_), Place::Host(_)) => 0,
            (Place::Device(_), Place::Host(_)) => 1,
            (Place::Host(_), Place::Device(_)) => 2,
            (Place::Device(_), Place::Device(_)) => 3,
        };
        match kind {
            4 => {}
            5 => {
                return Err(Failure::new(
                    207_000,
                    "kind is 5, host to buffer, which is not supported",
                ));
            }
            0..=3 | 6 | 7 => {
                let asked = if kind > 5 { 3 } else { kind };
                if asked != actual {
                    return Err(Failure::parameter(format!(
                        "kind is {kind} ({}), but the pointers are {}",
                        KINDS[asked as usize], KINDS[actual as usize]
                    )));
                }
            }
            _ => return Err(Failure::parameter(format!("kind is {kind}, expected 0 to 7"))),
        }
        Ok(Self { to, from, count })
    }

    /// Bytes that cross between host and device.
    fn link(&self) -> u64 {
        match (self.to, self.from) {
            (Place::Device(_), Place::Device(_)) | (Place::Host(_), Place::Host(_)) => 0,
            _ => self.count,
        }
    }

    fn is_within_device(&self) -> bool {
        matches!((self.to, self.from), (Place::Device(_), Place::Device(_)))
    }

    fn is_within_host(&self) -> bool {
        matches!((self.to, self.from), (Place::Host(_), Place::Host(_)))
    }

    fn host(&self) -> Option<HostSpan> {
        match (self.to, self.from) {
            (Place::Host(span), _) | (_, Place::Host(span)) => Some(span),
            _ => None,
        }
    }

    /// Refuses device memory that is not there.
    fn check(&self, view: View) -> Result<(), Failure> {
        for (name, place, access) in
            [("dst", self.to, Access::Write), ("src", self.from, Access::Read)]
        {
            if let Place::Device(address) = place {
                view.check(address, self.count, access)
                    .map_err(|why| Failure::parameter(format!("{name}: {why}")))?;
            }
        }
        Ok(())
    }
}

const KINDS: [&str; 4] = ["host to host", "host to device", "device to host", "device to device"];

/// `aclrtMemcpy`: copies now, whatever streams do.
pub(crate) fn copy_now(copies: &[Copy]) -> Result<(), Failure> {
    let context = thread::usable_context()?;
    capture::may_block(context.device, "a blocking copy was made")?;
    let view = View { device: context.device };
    for copy in copies {
        copy.check(view)?;
        view.copy(copy.to, copy.from, copy.count).map_err(Failure::parameter)?;
    }
    counters().blocking_copies();
    Ok(())
}

/// `aclrtMemcpyAsync`: leaves the copy to a stream, except that one of pageable memory is waited for.
pub(crate) fn copy_later(copies: Vec<Copy>, stream: u64) -> Result<(), Failure> {
    let stream = stream::find(stream)?;
    let view = View { device: stream.device };
    let mut pageable = false;
    for copy in &copies {
        if copy.is_within_host() {
            let message =
                "both pointers are of the host, which an asynchronous copy does not support";
            return Err(Failure::new(207_000, message));
        }
        copy.check(view)?;
        pageable |= copy.host().is_some_and(|span| !pinned().contains(span));
    }
    let link = copies.iter().map(Copy::link).sum();
    let within = copies.iter().filter(|copy| copy.is_within_device()).map(|copy| copy.count);
    let cost = Cost { bytes: within.sum::<u64>() * 2, flops: 0 };
    let captured = if pageable {
        Captured::Refused(capture::refusal(), "host memory of the copy is not pinned")
    } else if cost.bytes > 0 && machine().cann == Cann::V8_3 {
        Captured::Refused(507_009, "8.3 cannot capture copies within the device")
    } else {
        Captured::Recorded
    };
    let run = move |run: &Run<'_>| {
        for copy in &copies {
            let view = run.view();
            let outcome = if pageable {
                view.copy(copy.to, copy.from, copy.count)
            } else {
                view.copy_pinned(copy.to, copy.from, copy.count)
            };
            outcome.map_err(|why| access_fault("copy", &why))?;
        }
        Ok(())
    };
    let work = Work { cost, link, captured, ..Work::new("aclrtMemcpyAsync", run) };
    if pageable {
        counters().blocking_copies();
        return submit_and_wait(&stream, work);
    }
    counters().async_copies();
    stream.submit(work)
}

/// Submits work whose host memory is good until the call returns, so the call returns after it.
fn submit_and_wait(stream: &Arc<Stream>, work: Work) -> Result<(), Failure> {
    let captured = lock(&stream.capture).is_some();
    if captured || lock(&stream.update).is_some() {
        // Refused there, with a reason.
        return stream.submit(work);
    }
    stream.context()?.usable()?;
    let number = stream.push(work)?;
    stream.wait_for(number);
    Ok(())
}

/// A fill of device memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    address: u64,
    count: u64,
    value: u8,
}

impl Fill {
    /// Sets `count` of at most `room` bytes.
    pub(crate) fn new(address: u64, room: u64, value: i32, count: u64) -> Result<Self, Failure> {
        if count > room {
            let message = format!("count is {count}, maxCount {room}: expected count <= maxCount");
            return Err(Failure::parameter(message));
        }
        Ok(Self { address, count, value: value as u8 })
    }

    fn check(&self, view: View) -> Result<(), Failure> {
        view.check(self.address, self.count, Access::Write)
            .map_err(|why| Failure::parameter(format!("devPtr: {why}")))
    }
}

/// `aclrtMemset`.
pub(crate) fn fill_now(fill: Fill) -> Result<(), Failure> {
    let context = thread::usable_context()?;
    capture::may_block(context.device, "memory was set by a blocking call")?;
    let view = View { device: context.device };
    fill.check(view)?;
    counters().blocking_copies();
    view.fill(fill.address, fill.count, fill.value).map_err(Failure::parameter)
}

/// `aclrtMemsetAsync`.
pub(crate) fn fill_later(fill: Fill, stream: u64) -> Result<(), Failure> {
    let stream = stream::find(stream)?;
    fill.check(View { device: stream.device })?;
    counters().async_copies();
    let work = Work::new("aclrtMemsetAsync", move |run: &Run<'_>| -> Result<(), Fault> {
        run.view()
            .fill(fill.address, fill.count, fill.value)
            .map_err(|why| access_fault("fill", &why))
    });
    stream.submit(Work { cost: Cost { bytes: fill.count, flops: 0 }, ..work })
}
