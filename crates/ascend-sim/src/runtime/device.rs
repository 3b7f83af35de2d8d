//! Devices: who uses them, and how they are.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Instant;

use super::capture::Session;
use super::config::{config, machine};
use super::context::{self, Context};
use super::failure::Failure;
use super::faults::LOST_HEARTBEAT;
use super::order::Scratch;
use super::thread;
use crate::sync::lock;

/// A device of the machine.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) id: u32,
    state: Mutex<State>,
    /// No longer answers.
    lost: AtomicBool,
    /// Captures that go on.
    pub(super) captures: Mutex<Vec<Weak<Session>>>,
    pub(super) scratch: Mutex<Scratch>,
    /// Nanoseconds that workers spent in kernels.
    pub(super) busy: AtomicU64,
    /// When utilisation was last asked for, and what `busy` was then.
    asked: Mutex<(Instant, u64)>,
}

#[derive(Debug, Default)]
struct State {
    references: u32,
    default: Option<Arc<Context>>,
}

fn devices() -> &'static [Device] {
    static DEVICES: OnceLock<Vec<Device>> = OnceLock::new();
    DEVICES.get_or_init(|| (0..machine().devices).map(Device::new).collect())
}

/// The device of this number.
pub(crate) fn device(id: i32) -> Result<&'static Device, Failure> {
    config().map_err(Failure::argument)?;
    usize::try_from(id).ok().and_then(|id| devices().get(id)).ok_or_else(|| {
        let count = devices().len();
        Failure::new(
            107_001,
            format!("deviceId is {id}, expected one of the {count} devices from 0 on"),
        )
    })
}

/// The device of a number that was checked before.
pub(crate) fn of(id: u32) -> Result<&'static Device, Failure> {
    device(i32::try_from(id).unwrap_or(-1))
}

impl Device {
    fn new(id: u32) -> Self {
        Self {
            id,
            state: Mutex::default(),
            lost: AtomicBool::new(false),
            captures: Mutex::default(),
            scratch: Mutex::default(),
            busy: AtomicU64::new(0),
            asked: Mutex::new((Instant::now(), 0)),
        }
    }

    /// `aclrtSetDevice`: the default context becomes current for the thread.
    pub(crate) fn set(&self) -> Result<(), Failure> {
        if self.is_lost() {
            let message =
                format!("device {} lost its heartbeat; aclrtResetDeviceForce revives it", self.id);
            return Err(Failure::new(LOST_HEARTBEAT, message));
        }
        let mut state = lock(&self.state);
        state.references += 1;
        let context = state.default.get_or_insert_with(|| context::create(self.id, true));
        thread::set_context(Some(Arc::clone(context)));
        Ok(())
    }

    /// `aclrtResetDevice`: the last one waits for the streams of the default context, and ends it.
    pub(crate) fn reset(&self) -> Result<(), Failure> {
        let ended = {
            let mut state = lock(&self.state);
            if state.references == 0 {
                let message = format!("device {} was not set, or was reset as often", self.id);
                return Err(Failure::new(107_002, message));
            }
            state.references -= 1;
            if state.references == 0 { state.default.take() } else { None }
        };
        if let Some(context) = ended {
            context.end(false);
        }
        Ok(())
    }

    /// `aclrtResetDeviceForce`: ends all contexts without waiting, and revives a lost device.
    pub(crate) fn reset_by_force(&self) {
        let default = {
            let mut state = lock(&self.state);
            state.references = 0;
            state.default.take()
        };
        for context in context::of_device(self.id).into_iter().chain(default) {
            context.end(true);
        }
        self.lost.store(false, Ordering::Release);
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    /// How busy the workers were since this was last asked, in percent.
    pub(crate) fn utilisation(&self) -> i32 {
        let busy = self.busy.load(Ordering::Relaxed);
        let mut asked = lock(&self.asked);
        let elapsed = asked.0.elapsed().as_nanos().max(1) as f64;
        let share = (busy - asked.1) as f64 / elapsed;
        *asked = (Instant::now(), busy);
        (share.min(1.0) * 100.0).round() as i32
    }
}
