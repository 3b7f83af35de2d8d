use lowfloat::bf16;

use super::Granules;
use super::quantile::quantile;
use super::stream::Stream;
use crate::presets::gpt_oss::{Group, TensorDesc, group_of};

/// A normal distribution that a tensor's elements follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Distribution {
    mean: f64,
    deviation: f64,
}

impl Distribution {
    /// The distribution of a tensor that is no MXFP4 weight.
    pub(super) fn of(tensor: &TensorDesc) -> Self {
        let inputs = tensor.shape.get(1).copied().unwrap_or(1).max(1) as f64;
        let (mean, deviation) = match group_of(&tensor.name) {
            Group::Norm => (1.0, 0.1),
            Group::Embedding => (0.0, 1.0),
            Group::Head => (0.0, 2.0 / inputs.sqrt()),
            _ if tensor.name.ends_with("bias") => (0.0, 0.02),
            _ if tensor.name.ends_with("sinks") => (0.0, 1.0),
            _ => (0.0, 1.0 / inputs.sqrt()),
        };
        Self { mean, deviation }
    }
}

/// The bf16 values that twelve random bits choose from.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) distribution: Distribution,
    values: Box<[u16; SIZE]>,
    /// The bits of a word that are signs: none where the table holds both sides.
    signs: u64,
}

/// A power of two that keeps the table in the first-level cache (8 KiB).
const SIZE: usize = 4096;

impl Table {
    pub(super) fn new(distribution: Distribution) -> Self {
        let Distribution { mean, deviation } = distribution;
        let both_sides = mean != 0.0;
        let mut values = Box::new([0; SIZE]);
        for (index, value) in values.iter_mut().enumerate() {
            let middle = (index as f64 + 0.5) / SIZE as f64;
            let z = quantile(if both_sides { middle } else { 0.5 + 0.5 * middle });
            *value = bf16::from_f32((mean + deviation * z) as f32).to_bits();
        }
        Self { distribution, values, signs: if both_sides { 0 } else { 0x8000_8000_8000_8000 } }
    }
}

/// A bf16 tensor: four elements to a word.
#[derive(Debug)]
pub(super) struct Normal<'a> {
    pub(super) stream: Stream,
    pub(super) table: &'a Table,
}

impl Granules for Normal<'_> {
    #[inline]
    fn one(&self, index: u64) -> [u8; 8] {
        let word = self.stream.word(index);
        let pick = |lane: u32| {
            let choice = (word >> (16 * lane)) as usize % SIZE;
            u64::from(self.table.values[choice]) << (16 * lane)
        };
        let values = pick(0) | pick(1) | pick(2) | pick(3);
        (values ^ (word & self.table.signs)).to_le_bytes()
    }

    fn many(&self, first: u64, dst: &mut [[u8; 8]]) {
        for (index, granule) in (first..).zip(dst) {
            *granule = self.one(index);
        }
    }
}
