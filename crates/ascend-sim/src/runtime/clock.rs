//! The time model: what work would take on the device. An estimate that knows bandwidth, peak and launch costs only.

use super::config::machine;
use super::work::Work;
use crate::profile::Soc;

/// Bytes a second of HBM and operations a second of the cube cores in bf16, from the notes of vendors and third
/// parties: 910B3 1.6 TB/s and 295 T; 910B4 0.8 TB/s and 246 T; 910C a die 1.6 TB/s and 376 T; 950PR 1.6 TB/s and 426 T.
fn rates(soc: Soc) -> (f64, f64) {
    match soc {
        Soc::Ascend910B3 => (1.6e12, 295e12),
        Soc::Ascend910B4 => (0.8e12, 246e12),
        Soc::Ascend910_93 => (1.6e12, 376e12),
        Soc::Ascend950 => (1.6e12, 426e12),
    }
}

/// A launch from the host: a third party measured 17 µs for each of two small kernels on a 910B4.
const LAUNCH: f64 = 17_000.0;
/// A task of a graph; assumed, a third of a launch.
const TASK_OF_GRAPH: f64 = 5_000.0;
/// Bytes a second between host and device; assumed, what 16 lanes of PCI Express 4 give.
const LINK: f64 = 25e9;

/// What this work would take; events and callbacks take nothing.
pub(crate) fn nanoseconds(work: &Work, in_graph: bool) -> u64 {
    if !work.launch && work.link == 0 && work.cost.bytes == 0 {
        return 0;
    }
    let (bandwidth, peak) = rates(machine().soc);
    let moved = work.cost.bytes as f64 / bandwidth;
    let computed = work.cost.flops as f64 / peak;
    let linked = work.link as f64 / LINK;
    let begin = if in_graph { TASK_OF_GRAPH } else { LAUNCH };
    (begin + (moved.max(computed) + linked) * 1e9) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Cost;

    #[test]
    fn the_slower_of_memory_and_arithmetic_counts() {
        let mut work = Work::new("aclnnMm", |_| Ok(()));
        work.launch = true;
        work.cost = Cost { bytes: 1_600_000_000, flops: 0 };
        assert_eq!(nanoseconds(&work, false), 1_017_000);
        work.cost.flops = 295_000_000_000;
        assert_eq!(nanoseconds(&work, true), 1_005_000);
        work.cost.flops *= 2;
        assert_eq!(nanoseconds(&work, true), 2_005_000);
    }
}
