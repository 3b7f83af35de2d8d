//! Communicators, and the handles of programs for them.

use std::ffi::c_void;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};

use super::hub;
use super::link::Link;
use super::problem::{Code, Problem};
use super::rendezvous::Meeting;
use super::timeout;
use super::wire::Hello;
use crate::runtime::registry::{Kind, Registry, handle, pointer};

/// What an `HcclComm` stands for.
#[derive(Debug)]
pub(super) struct Communicator {
    pub(super) rank: u32,
    pub(super) ranks: u32,
    /// The device of this rank, as this process counts.
    pub(super) device: u32,
    pub(super) link: Link,
}

fn communicators() -> &'static Registry<Communicator> {
    static COMMUNICATORS: OnceLock<Registry<Communicator>> = OnceLock::new();
    COMMUNICATORS.get_or_init(|| Registry::new(Kind::Communicator))
}

/// The live communicator of a handle.
pub(super) fn find(comm: *const c_void) -> Result<Arc<Communicator>, Problem> {
    if comm.is_null() {
        return Err(Problem::null("comm"));
    }
    let found = communicators().get(handle(comm));
    found.ok_or_else(|| Problem::parameter(format!("comm is {}", Kind::describe(comm))))
}

/// Ends a handle. Operations that wait on streams still go through; then the other ranks hear that this one left.
pub(super) fn destroy(comm: *const c_void) -> Result<(), Problem> {
    find(comm)?;
    communicators().remove(handle(comm));
    Ok(())
}

/// Meets the other ranks.
pub(super) fn join(
    meeting: &Meeting,
    (ranks, rank, device): (u32, u32, u32),
    late: bool,
) -> Result<*mut c_void, Problem> {
    let hello = Hello { token: meeting.token, ranks, rank, device: on_this_machine(device) };
    let stream = meeting.join(&hello, late)?;
    let link = Link::new(stream, timeout::execute()).map_err(|error| system(&error))?;
    Ok(pointer(communicators().insert(Communicator { rank, ranks, device, link })))
}

/// Makes all ranks in this process.
pub(super) fn all(devices: &[u32]) -> Result<Vec<*mut c_void>, Problem> {
    let mut inside = Vec::new();
    let mut outside = Vec::new();
    for _ in devices {
        let (one, other) = UnixStream::pair().map_err(|error| system(&error))?;
        inside.push(one);
        outside.push(other);
    }
    hub::serve(inside).map_err(|error| system(&error))?;
    let ranks = devices.len() as u32;
    let mut links = Vec::new();
    for stream in outside {
        links.push(Link::new(stream, timeout::execute()).map_err(|error| system(&error))?);
    }
    let made = links.into_iter().zip(devices).zip(0..).map(|((link, device), rank)| {
        pointer(communicators().insert(Communicator { rank, ranks, device: *device, link }))
    });
    Ok(made.collect())
}

/// The number that the machine has for a device that `ASCEND_RT_VISIBLE_DEVICES` may have renumbered.
fn on_this_machine(device: u32) -> u32 {
    let visible = std::env::var("ASCEND_RT_VISIBLE_DEVICES").unwrap_or_default();
    let listed = visible.split(',').nth(device as usize);
    listed.and_then(|number| number.trim().parse().ok()).unwrap_or(device)
}

fn system(error: &std::io::Error) -> Problem {
    Problem::new(Code::Internal, format!("the host has no socket or thread for a rank: {error}"))
}
