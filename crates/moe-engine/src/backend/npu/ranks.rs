//! Several devices that share the experts.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ascend_acl::Ascend;
use ascend_acl::rt::{Comm, Device, RootInfo};

use crate::{Error, Result};

/// One device of several that run the same model: each has all of attention and a part of the experts, whose answers are summed
/// over HCCL.
///
/// All do the same: every rank opens the model, takes the same prompts and seeds, and gets the same tokens. In one process each rank is a
/// thread.
#[derive(Debug)]
pub struct Ranks {
    pub(super) comm: Comm,
}

/// How long a rank waits for the file of another one.
const PATIENCE: Duration = Duration::from_secs(120);

impl Ranks {
    /// The ranks of several devices of this process, in the order of the devices; a thread for each is the caller's matter.
    ///
    /// # Errors
    /// [`Error::Device`] without a device, with one twice, or where HCCL is not installed.
    pub fn of(ascend: &Ascend, devices: &[i32]) -> Result<Vec<Self>> {
        let failed = |source| Error::device("connecting devices")(source);
        let devices = devices.iter().map(|&id| Device::open(ascend, id).map_err(failed));
        let devices = devices.collect::<Result<Vec<_>>>()?;
        let comms = Comm::all(&devices).map_err(failed)?;
        Ok(comms.into_iter().map(|comm| Self { comm }).collect())
    }

    /// Rank `rank` of `ranks`, one a process, on this device: rank 0 writes the file, and the others wait for it, two minutes at most.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be written or does not come, [`Error::Device`] if the ranks do not meet.
    pub fn join(
        ascend: &Ascend,
        device: i32,
        rank: usize,
        ranks: usize,
        file: impl AsRef<Path>,
    ) -> Result<Self> {
        let failed = |source| Error::device("connecting devices")(source);
        let file = file.as_ref();
        let device = Device::open(ascend, device).map_err(failed)?;
        let root = if rank == 0 {
            let root = RootInfo::new(&device).map_err(failed)?;
            // Whoever sees the file sees all of it.
            let unfinished = file.with_extension("part");
            fs::write(&unfinished, root.to_bytes()).map_err(Error::io("write", &unfinished))?;
            fs::rename(&unfinished, file).map_err(Error::io("rename", &unfinished))?;
            root
        } else {
            RootInfo::from_bytes(&appeared(file)?).map_err(failed)?
        };
        let (ranks, rank) = (ranks as u32, rank as u32);
        let comm = Comm::join(&device, ranks, &root, rank).map_err(failed)?;
        Ok(Self { comm })
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> i32 {
        self.comm.device().id()
    }

    /// The number of this rank.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.comm.rank() as usize
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.comm.size() as usize
    }
}

fn appeared(file: &Path) -> Result<Vec<u8>> {
    let begin = Instant::now();
    loop {
        match fs::read(file) {
            Ok(bytes) => return Ok(bytes),
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound && begin.elapsed() < PATIENCE =>
            {
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(Error::io("read", file)(error)),
        }
    }
}
