//! Dense expert weights packed as MXFP4.

use lowfloat::DType;
use lowfloat::mxfp4::{self, QuantizeStats};

use super::Packed;
use super::produce::{Producer, size_of, value};
use crate::plan::PlanTensor;
use crate::{Error, Result};

/// Which half of an MXFP4 pair to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    Blocks,
    Scales,
}

/// Rows packed at a time: with 32 columns of f32 they stay in the L2 cache.
const ROWS: u64 = 4096;

impl Producer<'_> {
    /// Bytes from `start` on of the blocks or the scales.
    #[expect(clippy::too_many_arguments, reason = "the input, its layout, and the range")]
    pub(super) fn pack(
        &mut self,
        from: usize,
        transposed: bool,
        tensor: &PlanTensor,
        part: Part,
        start: u64,
        dst: &mut [u8],
        stats: &mut QuantizeStats,
    ) -> Result<()> {
        let (unit, shape) = match part {
            Part::Blocks => (mxfp4::BLOCK_BYTES as u64, &tensor.shape[..tensor.shape.len() - 1]),
            Part::Scales => (1, &tensor.shape[..]),
        };
        let packed = Packed::from_scales(shape);
        let groups = packed.groups();
        let end = start + dst.len() as u64;
        let (first, last) = (start / unit, end.div_ceil(unit));
        let mut row = first / groups;
        let mut strip = Strip::default();
        // Row by row of the stack; a strip is up to ROWS rows of one matrix, 32 columns wide.
        while row * groups < last {
            let in_matrix = packed.rows - row % packed.rows;
            let rows = ROWS.min(in_matrix).min(last.div_ceil(groups) - row);
            let wanted = |block: u64| (first..last).contains(&block);
            for group in 0..groups {
                if rows == 1 && !wanted(row * groups + group) {
                    continue;
                }
                self.read_strip(from, transposed, packed, row, rows, group)?;
                let strip_stats = strip.pack(&self.values, tensor)?;
                let whole =
                    wanted(row * groups + group) && wanted((row + rows - 1) * groups + group);
                let counts =
                    part == Part::Blocks && whole && (row * groups + group) * unit >= start;
                if counts {
                    stats.merge(&strip_stats);
                }
                for index in 0..rows {
                    let block = (row + index) * groups + group;
                    if !wanted(block) {
                        continue;
                    }
                    let bytes = match part {
                        Part::Blocks => &strip.blocks[16 * index as usize..][..16],
                        Part::Scales => &strip.scales[index as usize..=index as usize],
                    };
                    copy_overlap(bytes, block * unit, start, dst);
                    if part == Part::Blocks && !counts && block * unit >= start {
                        let values = &self.values[32 * index as usize..][..32];
                        stats.merge(&measure(values, tensor)?);
                    }
                }
            }
            row += rows;
        }
        Ok(())
    }

    /// Reads columns `32 * group ..+ 32` of `rows` rows as f32, row after row.
    fn read_strip(
        &mut self,
        from: usize,
        transposed: bool,
        packed: Packed,
        row: u64,
        rows: u64,
        group: u64,
    ) -> Result<()> {
        let dtype = self.source.tensors()[from].dtype;
        let size = size_of(dtype) as u64;
        let (matrix, inside) = (row / packed.rows, row % packed.rows);
        self.values.resize(32 * rows as usize, 0.0);
        // A line is contiguous in the dense tensor: one column of many rows, or 32 columns of one.
        let (lines, length) = if transposed { (32, rows) } else { (rows, 32) };
        self.scratch.resize((length * size) as usize, 0);
        let mut line_values = vec![0.0_f32; length as usize];
        for line in 0..lines {
            let element = if transposed {
                (matrix * packed.columns + 32 * group + line) * packed.rows + inside
            } else {
                (row + line) * packed.columns + 32 * group
            };
            let len = length * size;
            self.source.read_at(
                from,
                element * size,
                &mut self.scratch,
                len,
                &mut self.windows[0],
            )?;
            widen(dtype, &self.scratch, &mut line_values);
            if let Some(at) = line_values.iter().position(|value| !value.is_finite()) {
                let place = element + at as u64;
                return Err(Error::Value {
                    tensor: self.source.tensors()[from].name.clone(),
                    reason: format!(
                        "element {place} is {}, and MXFP4 holds finite values only",
                        line_values[at]
                    ),
                });
            }
            if transposed {
                let column = self.values[line as usize..].iter_mut().step_by(32);
                column.zip(&line_values).for_each(|(slot, value)| *slot = *value);
            } else {
                self.values[32 * line as usize..][..32].copy_from_slice(&line_values);
            }
        }
        Ok(())
    }
}

/// What packing one strip gives.
#[derive(Debug, Default)]
struct Strip {
    blocks: Vec<u8>,
    scales: Vec<u8>,
}

impl Strip {
    fn pack(&mut self, values: &[f32], tensor: &PlanTensor) -> Result<QuantizeStats> {
        self.blocks.resize(values.len() / 2, 0);
        self.scales.resize(values.len() / 32, 0);
        mxfp4::quantize(values, &mut self.blocks, &mut self.scales)
            .map_err(|error| value(tensor, &error))
    }
}

fn measure(values: &[f32], tensor: &PlanTensor) -> Result<QuantizeStats> {
    let (mut block, mut scale) = ([0; 16], [0]);
    mxfp4::quantize(values, &mut block, &mut scale).map_err(|error| value(tensor, &error))
}

fn widen(dtype: DType, bytes: &[u8], values: &mut [f32]) {
    // The plan admits only types that convert to f32, and the lengths fit by construction.
    let _ = lowfloat::cast_bytes(dtype, bytes, DType::F32, bytemuck::cast_slice_mut(values));
}

/// Copies the part of `bytes` (at `place`) that lies in `dst` (at `start`).
fn copy_overlap(bytes: &[u8], place: u64, start: u64, dst: &mut [u8]) {
    let from = start.saturating_sub(place) as usize;
    let to = place.saturating_sub(start) as usize;
    let len = (bytes.len() - from).min(dst.len() - to);
    dst[to..to + len].copy_from_slice(&bytes[from..from + len]);
}
