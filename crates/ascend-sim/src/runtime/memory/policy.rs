//! How sizes are rounded.

use crate::profile::Soc;
use crate::runtime::failure::Failure;

/// What an allocation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rounding {
    /// The pages that it takes.
    pub(super) page: u64,
    /// What is added after rounding to 32 bytes.
    pub(super) pad: u64,
}

const BLOCK: u64 = 32;
const NORMAL_PAGE: u64 = 4 << 10;
const HUGE_PAGE: u64 = 2 << 20;
const GIANT_PAGE: u64 = 1 << 30;

impl Rounding {
    /// That of an `aclrtMemMallocPolicy`; A2 and A3 add 32 bytes unless `aligned` asks for rounding alone.
    pub(crate) fn of(policy: i32, aligned: bool, soc: Soc) -> Result<Self, Failure> {
        // Bandwidth and read-only flags are hints: 0x100, 0x1000, 0x10_0000.
        let page = match policy & !0x10_1100 {
            0 | 1 | 3 | 4 => HUGE_PAGE,
            2 | 5 => NORMAL_PAGE,
            6 | 7 => GIANT_PAGE,
            _ => {
                let message =
                    format!("policy is {policy}, expected an aclrtMemMallocPolicy, 0 to 7");
                return Err(Failure::argument(message));
            }
        };
        let pad = if aligned || soc == Soc::Ascend950 { 0 } else { BLOCK };
        Ok(Self { page, pad })
    }

    /// Bytes that may be read.
    pub(super) fn readable(self, size: u64) -> u64 {
        size.next_multiple_of(BLOCK) + self.pad
    }

    /// Bytes of capacity.
    pub(super) fn charge(self, size: u64) -> u64 {
        self.readable(size).next_multiple_of(self.page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_by_policy_and_chip() {
        let huge = Rounding::of(0, false, Soc::Ascend910B3).unwrap();
        assert_eq!((huge.readable(1), huge.charge(1)), (64, 2 << 20));
        assert_eq!(huge.charge(2 << 20), 4 << 20);
        let aligned = Rounding::of(0, true, Soc::Ascend910B3).unwrap();
        assert_eq!((aligned.readable(1), aligned.charge(2 << 20)), (32, 2 << 20));
        let normal = Rounding::of(2, false, Soc::Ascend950).unwrap();
        assert_eq!((normal.readable(33), normal.charge(33)), (64, 4096));
        assert_eq!(Rounding::of(0x1000, false, Soc::Ascend910B4).unwrap().page, 2 << 20);
        assert_eq!(Rounding::of(8, false, Soc::Ascend910B3).unwrap_err().status, 100_000);
    }
}
