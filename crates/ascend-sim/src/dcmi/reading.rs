//! What the sensors of a device say.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::status::Error;
use crate::profile::Soc;
use crate::runtime::config::machine;
use crate::runtime::device;
use crate::runtime::memory::space;
use crate::sync::lock;

/// Of a chip, whatever it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chip {
    /// Without the `Ascend` in front.
    pub(super) name: &'static str,
    /// MHz of the cores and of HBM. The clocks of the cores are the notes' of vendors; that of HBM follows from bandwidth and width.
    pub(super) core_clock: u32,
    pub(super) hbm_clock: u32,
    /// MB of HBM.
    hbm: u64,
    /// Tenths of a watt when idle and when busy; by the order of what cards are said to take.
    watts: (u32, u32),
}

/// The chip of the machine.
pub(super) fn chip() -> Chip {
    let machine = machine();
    let name = machine.soc_name.to_str().unwrap_or_default();
    let name = name.strip_prefix("Ascend").unwrap_or(name);
    let (core_clock, hbm_clock, hbm, watts) = match machine.soc {
        Soc::Ascend910B3 => (1800, 1600, 65_536, (900, 3000)),
        Soc::Ascend910B4 => (1650, 1600, 32_768, (850, 2700)),
        Soc::Ascend910_93 => (1850, 1600, 65_536, (1500, 3500)),
        Soc::Ascend950 => (1650, 1600, 131_072, (1500, 6000)),
    };
    Chip { name, core_clock, hbm_clock, hbm, watts }
}

/// Memory of a device, in MB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hbm {
    pub(super) total: u64,
    pub(super) used: u64,
}

/// The bytes that this process has allocated.
pub(super) fn allocated(logical: u32) -> Result<u64, Error> {
    Ok(space(logical).map_err(|_| Error::Inner)?.used().0)
}

/// What is there and what is used; an idle card uses what programs cannot have.
pub(super) fn hbm(logical: u32) -> Result<Hbm, Error> {
    const MB: u64 = 1 << 20;
    let capacity = space(logical).map_err(|_| Error::Inner)?.capacity() / MB;
    // A capacity that the environment gives may be more than the chip has.
    let total = if machine().hbm.is_some() { capacity } else { chip().hbm };
    Ok(Hbm { total, used: allocated(logical)?.div_ceil(MB) + total.saturating_sub(capacity) })
}

/// How busy the streams were, in percent; measured anew when the last measurement is a tenth of a second old, so that readings
/// of one moment agree.
pub(super) fn utilisation(logical: u32) -> Result<u32, Error> {
    static MEASURED: OnceLock<Mutex<HashMap<u32, (Instant, u32)>>> = OnceLock::new();
    let device = device::of(logical).map_err(|_| Error::NoSuchDevice)?;
    let mut measured = lock(MEASURED.get_or_init(Mutex::default));
    let now = Instant::now();
    if let Some((then, share)) = measured.get(&logical)
        && now.duration_since(*then) < Duration::from_millis(100)
    {
        return Ok(*share);
    }
    let share = u32::try_from(device.utilisation()).unwrap_or(0);
    measured.insert(logical, (now, share));
    Ok(share)
}

/// Degrees Celsius: 40 when idle, 65 when busy.
pub(super) fn temperature(logical: u32) -> Result<i32, Error> {
    Ok(40 + utilisation(logical)?.cast_signed() / 4)
}

/// Tenths of a watt.
pub(super) fn power(logical: u32) -> Result<i32, Error> {
    let (idle, busy) = chip().watts;
    Ok((idle + (busy - idle) * utilisation(logical)? / 100).cast_signed())
}

/// 0 for a device that works, 3 (critical) for one that lost its heartbeat.
pub(super) fn health(logical: u32) -> Result<u32, Error> {
    let device = device::of(logical).map_err(|_| Error::NoSuchDevice)?;
    Ok(if device.is_lost() { 3 } else { 0 })
}
