//! What Ascend chips can do at most, and what a step of a model would take of them.

use std::fmt::Write as _;

use crate::{Ceiling, Rates, Work};

/// An Ascend chip, by its data sheets.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Chip {
    /// The name.
    pub name: &'static str,
    /// How `aclrtGetSocName` begins.
    pub soc: &'static str,
    /// Bytes a second of its HBM.
    pub bandwidth: f64,
    /// Multiplications and additions a second of its cubes, bf16 dense.
    pub flops: f64,
}

impl Chip {
    /// Those that are known: bandwidths and rates of Huawei's migration guide for operators, the A2's representative part for 910B1 to
    /// 910B3; the 910B4's of arXiv 2505.15112 and the card's page; the 910C's, of one of two dies, of the `CloudMatrix` paper (arXiv 2506.12708).
    pub const ALL: [Self; 6] = [
        Self { name: "910B1", soc: "Ascend910B1", bandwidth: 1.6e12, flops: 364e12 },
        Self { name: "910B2", soc: "Ascend910B2", bandwidth: 1.6e12, flops: 354e12 },
        Self { name: "910B3", soc: "Ascend910B3", bandwidth: 1.6e12, flops: 295e12 },
        Self { name: "910B4", soc: "Ascend910B4", bandwidth: 0.8e12, flops: 246e12 },
        Self { name: "910C, a die", soc: "Ascend910_93", bandwidth: 1.6e12, flops: 376e12 },
        Self { name: "950PR", soc: "Ascend950", bandwidth: 1.6e12, flops: 426e12 },
    ];

    /// The one of this name of a system on a chip.
    ///
    /// ```
    /// use moe_bench::Chip;
    ///
    /// assert_eq!(Chip::of("Ascend910_9392").unwrap().name, "910C, a die");
    /// assert!(Chip::of("Ascend310P3").is_none());
    /// ```
    #[must_use]
    pub fn of(soc: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|chip| soc.starts_with(chip.soc))
    }

    /// Its limits in the place of a machine's measured ones.
    #[must_use]
    pub fn rates(&self) -> Rates {
        let name = format!("bf16 ({})", self.name);
        Rates {
            threads: 1,
            read: (self.bandwidth / 1e9, self.bandwidth / 1e9),
            arithmetic: vec![(name, (self.flops / 1e9, self.flops / 1e9))],
            data_sheet: true,
        }
    }

    fn ceiling(&self) -> Ceiling {
        Ceiling::of(&self.rates(), "bf16")
    }
}

/// What a step costs: a batch of one token a sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Sequences.
    pub sequences: usize,
    /// Bytes that are read.
    pub bytes: f64,
    /// Multiplications and additions.
    pub flops: f64,
    /// Operators that are launched.
    pub launches: usize,
}

/// Seconds that an operator takes to be launched from a host that queues them one by one: two of them with their wait took 35 µs
/// on a 910B4 with CANN 8.3 (measured by others, the project `OminiX-Ascend`).
pub const LAUNCH: f64 = 17e-6;

impl Step {
    /// Tokens a second, of all sequences, that a chip cannot exceed: by its memory or its cubes, whichever is slower.
    #[must_use]
    pub fn limit(&self, chip: &Chip) -> f64 {
        let work = Work { bytes: self.bytes as u64, flops: self.flops as u64 };
        self.sequences as f64 / chip.ceiling().seconds(&work)
    }

    /// The same where every operator is [launched](LAUNCH) from the host, and that takes longer.
    #[must_use]
    pub fn limit_without_graphs(&self, chip: &Chip) -> f64 {
        self.limit(chip).min(self.sequences as f64 / (self.launches as f64 * LAUNCH))
    }
}

/// A table of steps on all chips: what they read and compute, and the limits. Nothing of it is measured here.
#[must_use]
pub fn roofline(steps: &[Step]) -> String {
    let mut text = String::from(
        "limits by data sheets, tokens/s of all sequences; \"launched\" is where every operator is queued by the host at 17 us\n",
    );
    for step in steps {
        let Step { sequences, bytes, flops, launches } = step;
        let work = format!("{:.2} GB, {:.1} GFLOP", bytes / 1e9, flops / 1e9);
        let _ = writeln!(text, "\nbatch {sequences}: {work}, {launches} operators a step");
        let _ = writeln!(text, "{:<14} {:>10} {:>10} {:>10}", "chip", "limit", "by", "launched");
        for chip in Chip::ALL {
            let by = if bytes / chip.bandwidth > flops / chip.flops { "memory" } else { "cubes" };
            let (limit, launched) = (step.limit(&chip), step.limit_without_graphs(&chip));
            let _ = writeln!(text, "{:<14} {limit:>10.0} {by:>10} {launched:>10.0}", chip.name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token of gpt-oss-20b in bf16 reads 7.21 GB.
    const ONE: Step = Step { sequences: 1, bytes: 7.21e9, flops: 7.22e9, launches: 368 };

    #[test]
    fn one_token_waits_for_memory() {
        let b3 = Chip::of("Ascend910B3").expect("a chip");
        assert!((ONE.limit(&b3) - 222.0).abs() < 1.0);
        assert!((ONE.limit_without_graphs(&b3) - 160.0).abs() < 1.0);
        let b4 = Chip::of("Ascend910B4").expect("a chip");
        assert!((ONE.limit(&b4) - 111.0).abs() < 1.0);
    }

    #[test]
    fn a_large_batch_waits_for_the_cubes() {
        let batch = Step { sequences: 4096, bytes: 40e9, flops: 4096.0 * 7.22e9, launches: 368 };
        let b3 = Chip::of("Ascend910B3").expect("a chip");
        assert!(batch.limit(&b3) < 4096.0 / (40e9 / b3.bandwidth));
        assert!(roofline(&[ONE, batch]).contains("cubes"));
    }
}
