//! The functions of libhcomm: communicators are made, asked about and destroyed.

use std::ffi::{CStr, c_char};
use std::path::PathBuf;

use super::communicator::{all, destroy, find, join};
use super::group;
use super::launch::Collective;
use super::problem::{Code, Problem, call, text};
use super::rendezvous::{Meeting, ROOT_INFO};
use super::table::Table;
use super::wire::{Call, Kind};
use crate::abi::{In, Out, Raw, Text};
use crate::runtime::{device, thread};

interface! { call;
    "8.1" fn HcclGetRootInfo(root_info: Out<[u8; ROOT_INFO]>) {
        root_info.check("rootInfo").map_err(|_| Problem::null("rootInfo"))?;
        // As on hardware: the root needs a device, whose network it listens on.
        thread::usable_context()?;
        let system = |error: std::io::Error| Problem::new(Code::Internal, format!("no socket: {error}"));
        let meeting = Meeting::new().map_err(system)?;
        meeting.open().map_err(system)?;
        Ok(root_info.set("rootInfo", meeting.to_bytes())?)
    }

    "8.1" fn HcclCommInitRootInfo(
        ranks: u32, root_info: In<[u8; ROOT_INFO]>, rank: u32, comm: Out<Raw>,
    ) {
        init(ranks, root_info, rank, comm)
    }

    "8.1" fn HcclCommInitRootInfoConfig(
        ranks: u32, root_info: In<[u8; ROOT_INFO]>, rank: u32, config: In<Config>, comm: Out<Raw>,
    ) {
        if config.is_null() {
            return Err(Problem::null("config"));
        }
        let config = config.values("config", 1)?;
        if let Some(Config { magic, .. }) = config.first().filter(|config| config.magic != MAGIC) {
            let message = format!("config has the magic word {magic:#x}, expected {MAGIC:#x}: was it initialised?");
            return Err(Problem::parameter(message));
        }
        init(ranks, root_info, rank, comm)
    }

    "8.1" fn HcclCommInitAll(count: u32, devices: In<i32>, comms: Out<Raw>) {
        comms.check("comms").map_err(|_| Problem::null("comms"))?;
        if devices.is_null() {
            return Err(Problem::null("devices"));
        }
        if count == 0 {
            return Err(Problem::parameter("ndev is 0, expected at least 1"));
        }
        let numbers = devices.values("devices", count.into())?;
        let mut devices = Vec::new();
        for number in numbers {
            let device = device::device(number).map_err(|failure| Problem::parameter(failure.message))?;
            if devices.contains(&device.id) {
                return Err(Problem::parameter(format!("devices has {number} twice")));
            }
            devices.push(device.id);
        }
        Ok(comms.set_all("comms", &all(&devices)?)?)
    }

    "8.1" fn HcclCommInitClusterInfo(path: Text, rank: u32, comm: Out<Raw>) {
        comm.check("comm").map_err(|_| Problem::null("comm"))?;
        let path = PathBuf::from(path.get().ok_or_else(|| Problem::null("clusterInfo"))?);
        let table = Table::read(&path)?;
        let device = thread::usable_context()?.device;
        let ranks = table.devices.len() as u32;
        let listed = *table.devices.get(rank as usize).ok_or_else(|| no_rank(rank, ranks))?;
        if listed != device {
            return Err(Problem::parameter(format!(
                "{} gives rank {rank} device {listed}, while this thread is on device {device}",
                path.display()
            )));
        }
        if rank == 0 {
            table.meeting.open().map_err(|error| {
                Problem::parameter(format!("another rank 0 of {} waits already: {error}", path.display()))
            })?;
        }
        Ok(comm.set("comm", join(&table.meeting, (ranks, rank, device), true)?)?)
    }

    "8.1" fn HcclCommDestroy(comm: Raw) {
        destroy(comm)
    }

    "8.1" fn HcclGetRankSize(comm: Raw, size: Out<u32>) {
        size.check("rankSize").map_err(|_| Problem::null("rankSize"))?;
        Ok(size.set("rankSize", find(comm)?.ranks)?)
    }

    "8.1" fn HcclGetRankId(comm: Raw, rank: Out<u32>) {
        rank.check("rank").map_err(|_| Problem::null("rank"))?;
        Ok(rank.set("rank", find(comm)?.rank)?)
    }

    "8.1" fn HcclGetCommAsyncError(comm: Raw, error: Out<i32>) {
        error.check("asyncError").map_err(|_| Problem::null("asyncError"))?;
        let problem = find(comm)?.link.problem();
        Ok(error.set("asyncError", problem.map_or(0, |problem| problem.code as i32))?)
    }

    "8.1" fn HcclBarrier(comm: Raw, stream: Raw) {
        let call = Call { kind: Kind::Barrier, element: 0, reduction: 0, root: 0, counts: vec![] };
        let (sends, receives, from, to) = (vec![], vec![], vec![], vec![]);
        let barrier = Collective { name: "HcclBarrier", call, sends, receives, from, to };
        group::collective(find(comm)?, stream, barrier)
    }

    "9.0" fn HcclGroupStart() {
        group::start();
        Ok(())
    }

    "9.0" fn HcclGroupEnd() {
        group::end()
    }
}

/// Name and meaning of a result, good for the life of the process.
#[allow(unsafe_code, non_snake_case, reason = "the vendor's name, exported")]
// SAFETY: a program that loads this library wants this symbol in place of the vendor's.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn HcclGetErrorString(code: i32) -> *const c_char {
    let text: &'static CStr = text(code);
    text.as_ptr()
}

/// How an `HcclCommConfig` begins, in every version.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Config {
    size: usize,
    magic: u32,
    version: u32,
    reserved: u64,
}

/// What the initialiser in the vendor's header writes.
const MAGIC: u32 = 0xf0f0_f0f0;

fn init(
    ranks: u32,
    root_info: In<[u8; ROOT_INFO]>,
    rank: u32,
    comm: Out<Raw>,
) -> Result<(), Problem> {
    comm.check("comm").map_err(|_| Problem::null("comm"))?;
    if root_info.is_null() {
        return Err(Problem::null("rootInfo"));
    }
    if rank >= ranks {
        return Err(no_rank(rank, ranks));
    }
    let device = thread::usable_context()?.device;
    let root_info = root_info.values("rootInfo", 1)?;
    let meeting = root_info.first().and_then(Meeting::from_bytes).ok_or_else(|| {
        Problem::parameter("rootInfo is not what HcclGetRootInfo gave, on whichever rank")
    })?;
    Ok(comm.set("comm", join(&meeting, (ranks, rank, device), false)?)?)
}

fn no_rank(rank: u32, ranks: u32) -> Problem {
    Problem::parameter(format!("rank is {rank}, expected one below {ranks}"))
}
