//! The memory of this process, and energy, where the system tells.

use std::fs;

use serde::{Deserialize, Serialize};

/// Memory of this process, in bytes; 0 where the system does not tell (only Linux does).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The most that was resident, pages of mapped files included.
    pub peak: u64,
    /// What is resident.
    pub resident: u64,
    /// What of it belongs to this process alone: not to files.
    pub anonymous: u64,
}

impl Memory {
    /// What it is now.
    #[must_use]
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let of = |name| kibibytes(&status, name).unwrap_or_default();
        Self { peak: of("VmHWM"), resident: of("VmRSS"), anonymous: of("RssAnon") }
    }
}

/// The bytes of `Name:   123 kB`.
pub(crate) fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let count: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    count.checked_mul(1 << 10)
}

/// Counters of the energy that the processor packages have taken, in microjoules, with where each starts over.
/// Intel and AMD call it RAPL; most virtual machines do not show it, and many systems only to root.
#[derive(Clone, Debug)]
pub(crate) struct Energy(Vec<(u64, u64)>);

impl Energy {
    /// The counters of all packages, if all can be read and there are any.
    pub(crate) fn now() -> Option<Self> {
        let number = |path: std::path::PathBuf| -> Option<u64> {
            fs::read_to_string(path).ok()?.trim().parse().ok()
        };
        let zones = fs::read_dir("/sys/class/powercap").ok()?.flatten().map(|zone| zone.path());
        // `intel-rapl:0` is a package, `intel-rapl:0:0` a part of it.
        let package = |zone: &std::path::PathBuf| {
            let name = zone.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("intel-rapl:") && name.matches(':').count() == 1
        };
        let counters: Option<Vec<_>> = zones
            .filter(package)
            .map(|zone| {
                Some((number(zone.join("energy_uj"))?, number(zone.join("max_energy_range_uj"))?))
            })
            .collect();
        counters.filter(|counters| !counters.is_empty()).map(Self)
    }

    /// Joules from `before` until this.
    pub(crate) fn since(&self, before: &Self) -> f64 {
        let pairs = self.0.iter().zip(&before.0);
        let used = pairs.map(|(&(now, range), &(before, _))| {
            // A counter that is smaller has started over.
            if now >= before { now - before } else { now + range.saturating_sub(before) }
        });
        used.sum::<u64>() as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_status() {
        let text = "VmPeak:\t 100 kB\nVmRSS:\t    1234 kB\nThreads:\t3\n";
        assert_eq!(kibibytes(text, "VmRSS"), Some(1234 << 10));
        assert_eq!(kibibytes(text, "Threads"), None);
        assert_eq!(kibibytes(text, "Vm"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory() {
        let memory = Memory::now();
        assert!(memory.anonymous > 0 && memory.resident >= memory.anonymous);
        assert!(memory.peak >= memory.resident);
    }

    #[test]
    fn a_counter_starts_over() {
        let (before, after) = (Energy(vec![(900, 1000)]), Energy(vec![(150, 1000)]));
        assert!((after.since(&before) - 250e-6).abs() < 1e-15);
    }
}
