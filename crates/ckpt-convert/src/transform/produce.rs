//! Making any byte range of a tensor of the result.

use std::ops::Range;

use lowfloat::DType;
use lowfloat::mxfp4::QuantizeStats;

use super::Transform;
use crate::io::ReadWindow;
use crate::plan::PlanTensor;
use crate::{Error, Result, Source};

/// Source bytes converted at a time: both sides of a conversion then stay in the L2 cache.
pub(super) const CHUNK: usize = 256 << 10;

/// The largest grain: the 32 f32 values of an MXFP4 block.
const MAX_GRAIN: usize = 128;

/// Makes ranges of tensors; each thread has its own.
#[derive(Debug)]
pub(crate) struct Producer<'a> {
    pub(super) source: &'a Source,
    /// One window for each input that a transform may read in step.
    pub(super) windows: [ReadWindow; 2],
    pub(super) scratch: Vec<u8>,
    pub(super) scales: Vec<u8>,
    pub(super) values: Vec<f32>,
}

impl<'a> Producer<'a> {
    /// `window` is how many bytes may be read ahead.
    pub(crate) fn new(source: &'a Source, window: usize) -> Self {
        Self {
            source,
            windows: [ReadWindow::new(window), ReadWindow::new((window / 8).max(64 << 10))],
            scratch: Vec::new(),
            scales: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Fills `dst` with the bytes `start..` of the tensor. Statistics of packing are added to
    /// `stats`, each block once however ranges are cut.
    pub(crate) fn produce(
        &mut self,
        tensor: &PlanTensor,
        start: u64,
        dst: &mut [u8],
        stats: &mut QuantizeStats,
    ) -> Result<()> {
        let reread = matches!(tensor.transform, Transform::Dequantize { transposed: true, .. });
        self.windows.iter_mut().for_each(|window| window.reread = reread);
        match tensor.transform {
            Transform::Copy { from } => {
                let ahead = dst.len() as u64;
                self.source.read_at(from, start, dst, ahead, &mut self.windows[0])
            }
            Transform::Cast { from } => {
                let grain = size_of(tensor.dtype);
                by_grain(start, dst, grain, |first, dst| self.cast(from, tensor, first, dst))
            }
            Transform::Dequantize { blocks, scales, transposed: false } => {
                let grain = 32 * size_of(tensor.dtype);
                by_grain(start, dst, grain, |first, dst| {
                    self.dequantize(blocks, scales, tensor, first, dst)
                })
            }
            Transform::Dequantize { blocks, scales, transposed: true } => {
                let grain = size_of(tensor.dtype);
                by_grain(start, dst, grain, |first, dst| {
                    self.dequantize_transposed(blocks, scales, tensor, first, dst)
                })
            }
            Transform::PackBlocks { from, transposed } => {
                self.pack(from, transposed, tensor, super::pack::Part::Blocks, start, dst, stats)
            }
            Transform::PackScales { from, transposed } => {
                self.pack(from, transposed, tensor, super::pack::Part::Scales, start, dst, stats)
            }
        }
    }

    fn cast(&mut self, from: usize, tensor: &PlanTensor, first: u64, dst: &mut [u8]) -> Result<()> {
        let source = self.source.tensors()[from].dtype;
        let (wide, narrow) = (size_of(source), size_of(tensor.dtype));
        let mut at = first * wide as u64;
        let end = at + (dst.len() / narrow * wide) as u64;
        for dst in dst.chunks_mut(CHUNK / wide.max(narrow) * narrow) {
            let len = dst.len() / narrow * wide;
            self.scratch.resize(len, 0);
            self.source.read_at(from, at, &mut self.scratch, end - at, &mut self.windows[0])?;
            lowfloat::cast_bytes(source, &self.scratch, tensor.dtype, dst)
                .map_err(|error| value(tensor, &error))?;
            at += len as u64;
        }
        Ok(())
    }
}

pub(super) fn value(tensor: &PlanTensor, error: &dyn std::fmt::Display) -> Error {
    Error::Value { tensor: tensor.name.clone(), reason: error.to_string() }
}

pub(super) fn size_of(dtype: DType) -> usize {
    dtype.size().unwrap_or(1)
}

/// Cuts the byte range at `start` into whole grains for `make` (which gets the index of the first
/// one), and makes the grains that the range only touches on the side.
fn by_grain(
    start: u64,
    dst: &mut [u8],
    grain: usize,
    mut make: impl FnMut(u64, &mut [u8]) -> Result<()>,
) -> Result<()> {
    let mut one = [0; MAX_GRAIN];
    let mut partly = |within: Range<usize>,
                      index: u64,
                      dst: &mut [u8],
                      make: &mut dyn FnMut(u64, &mut [u8]) -> Result<()>| {
        make(index, &mut one[..grain])?;
        dst.copy_from_slice(&one[within]);
        Ok::<_, Error>(())
    };
    let within = (start % grain as u64) as usize;
    let mut index = start / grain as u64;
    let mut rest = dst;
    if within > 0 {
        let len = rest.len().min(grain - within);
        let (head, tail) = rest.split_at_mut(len);
        partly(within..within + len, index, head, &mut make)?;
        (rest, index) = (tail, index + 1);
    }
    let whole = rest.len() / grain;
    let (middle, tail) = rest.split_at_mut(whole * grain);
    if whole > 0 {
        make(index, middle)?;
    }
    if !tail.is_empty() {
        partly(0..tail.len(), index + whole as u64, tail, &mut make)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grains_are_whole_wherever_ranges_are_cut() {
        let truth: Vec<u8> = (0..60_u8).flat_map(|index| [index, 100, 200, index]).collect();
        for start in 0..20 {
            for end in start..60 {
                let mut dst = vec![0; end - start];
                by_grain(start as u64, &mut dst, 4, |first, dst| {
                    assert!(dst.len().is_multiple_of(4) && !dst.is_empty());
                    let first = 4 * first as usize;
                    dst.copy_from_slice(&truth[first..first + dst.len()]);
                    Ok(())
                })
                .unwrap();
                assert_eq!(dst, truth[start..end]);
            }
        }
    }
}
