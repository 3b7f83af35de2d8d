//! Elements of tensors in device memory, in the order of the view: strides, offset, storage and blocked formats are
//! dealt with here, so that operators see rows.
//!
//! Three representations: `elements` (little-endian bytes as they are, for moves), `floats` (f32, for arithmetic) and
//! `integers` (i64, for indices and integer arithmetic).

mod decode;
mod jitter;
mod runs;

pub(super) use self::runs::{BLOCK_ROW_BITS, BLOCK_ROWS, ceil};
use self::runs::{Run, Runs};
use crate::dtype::DataType;
use crate::kernel::Fault;
use crate::memory::Memory;
use crate::tensor::Tensor;

/// All elements as f32. Every type but F64 below 2^24 is exact.
pub(crate) fn floats(mem: &dyn Memory, tensor: &Tensor) -> Result<Vec<f32>, Fault> {
    floats_at(mem, tensor, 0, tensor.len())
}

/// `count` elements from `first` on, in view order, as f32.
pub(crate) fn floats_at(
    mem: &dyn Memory,
    tensor: &Tensor,
    first: usize,
    count: usize,
) -> Result<Vec<f32>, Fault> {
    Ok(decode::to_floats(tensor.dtype, &elements_at(mem, tensor, first, count)?))
}

/// All elements as i64. Floats are cut towards zero.
pub(crate) fn integers(mem: &dyn Memory, tensor: &Tensor) -> Result<Vec<i64>, Fault> {
    integers_at(mem, tensor, 0, tensor.len())
}

/// `count` elements from `first` on, in view order, as i64.
pub(crate) fn integers_at(
    mem: &dyn Memory,
    tensor: &Tensor,
    first: usize,
    count: usize,
) -> Result<Vec<i64>, Fault> {
    Ok(decode::to_integers(tensor.dtype, &elements_at(mem, tensor, first, count)?))
}

/// All elements as they are, little-endian, one after another. Four-bit elements take a byte each here, in its low half.
pub(crate) fn elements(mem: &dyn Memory, tensor: &Tensor) -> Result<Vec<u8>, Fault> {
    elements_at(mem, tensor, 0, tensor.len())
}

/// Writes all elements, rounded to nearest even once; integer types take the nearest integer, saturated. Where the memory asks
/// for it, floats get noise in their last bit.
pub(crate) fn write_floats(mem: &dyn Memory, tensor: &Tensor, values: &[f32]) -> Result<(), Fault> {
    write_floats_at(mem, tensor, 0, values)
}

/// Writes the elements from `first` on, in view order.
pub(crate) fn write_floats_at(
    mem: &dyn Memory,
    tensor: &Tensor,
    first: usize,
    values: &[f32],
) -> Result<(), Fault> {
    let mut bytes = decode::from_floats(tensor.dtype, values);
    if let Some(seed) = mem.jitter() {
        jitter::jitter(tensor.dtype, &mut bytes, seed, first as u64);
    }
    write_elements_at(mem, tensor, first, &bytes)
}

/// As [`write_floats`], never with noise: for conversions, which every device does alike.
pub(crate) fn write_converted(
    mem: &dyn Memory,
    tensor: &Tensor,
    values: &[f32],
) -> Result<(), Fault> {
    write_elements(mem, tensor, &decode::from_floats(tensor.dtype, values))
}

/// Writes all elements; integer types wrap, as conversions in C do, and float types round.
pub(crate) fn write_integers(
    mem: &dyn Memory,
    tensor: &Tensor,
    values: &[i64],
) -> Result<(), Fault> {
    write_integers_at(mem, tensor, 0, values)
}

/// Writes the elements from `first` on, in view order.
pub(crate) fn write_integers_at(
    mem: &dyn Memory,
    tensor: &Tensor,
    first: usize,
    values: &[i64],
) -> Result<(), Fault> {
    write_elements_at(mem, tensor, first, &decode::from_integers(tensor.dtype, values))
}

/// Writes all elements as they are; the inverse of [`elements`].
pub(crate) fn write_elements(mem: &dyn Memory, tensor: &Tensor, bytes: &[u8]) -> Result<(), Fault> {
    write_elements_at(mem, tensor, 0, bytes)
}

/// Fills an output with what nobody could take for a result: all bits set, NaN in every float type but e2m1.
pub(crate) fn poison(mem: &dyn Memory, tensor: &Tensor) -> Result<(), Fault> {
    let fill = if tensor.dtype.bits() == 4 { 0x0F } else { 0xFF };
    write_elements(mem, tensor, &vec![fill; tensor.len() * width(tensor.dtype)])
}

/// Bytes of an element in the representation of [`elements`].
pub(crate) fn width(dtype: DataType) -> usize {
    dtype.bits().div_ceil(8) as usize
}

/// `count` elements from `first` on, in view order, as they are.
pub(crate) fn elements_at(
    mem: &dyn Memory,
    tensor: &Tensor,
    first: usize,
    count: usize,
) -> Result<Vec<u8>, Fault> {
    let width = width(tensor.dtype);
    let mut out = vec![0; count * width];
    if let Some(span) = Span::worthwhile(tensor, first, count) {
        let memory = read_run(mem, tensor, span.first, span.len)?;
        let mut at = 0;
        for run in Runs::new(tensor, first, count) {
            let from = (run.position - span.first) as usize * width;
            let len = run.len * width;
            out[at..at + len].copy_from_slice(&memory[from..from + len]);
            at += len;
        }
        return Ok(out);
    }
    let mut at = 0;
    for Run { position, len } in Runs::new(tensor, first, count) {
        if tensor.dtype.bits() == 4 {
            out[at..at + len].copy_from_slice(&read_run(mem, tensor, position, len)?);
        } else {
            let address = address(tensor, position);
            mem.read(address, &mut out[at..at + len * width])?;
        }
        at += len * width;
    }
    Ok(out)
}

/// Writes elements as they are from `first` on, in view order.
pub(crate) fn write_elements_at(
    mem: &dyn Memory,
    tensor: &Tensor,
    first: usize,
    bytes: &[u8],
) -> Result<(), Fault> {
    let width = width(tensor.dtype);
    let mut rest = bytes;
    for Run { position, len } in Runs::new(tensor, first, bytes.len() / width) {
        let (now, later) = rest.split_at(len * width);
        if tensor.dtype.bits() == 4 {
            write_nibbles(mem, tensor, position, now)?;
        } else {
            mem.write(address(tensor, position), now)?;
        }
        rest = later;
    }
    Ok(())
}

/// The address of an element that starts a byte.
fn address(tensor: &Tensor, position: i64) -> u64 {
    let bytes = position * tensor.dtype.bits().cast_signed() / 8;
    tensor.address.wrapping_add_signed(bytes)
}

fn read_run(
    mem: &dyn Memory,
    tensor: &Tensor,
    position: i64,
    len: usize,
) -> Result<Vec<u8>, Fault> {
    if tensor.dtype.bits() != 4 {
        let mut out = vec![0; len * width(tensor.dtype)];
        mem.read(address(tensor, position), &mut out)?;
        return Ok(out);
    }
    let odd = position.rem_euclid(2) as usize;
    let mut packed = vec![0; (odd + len).div_ceil(2)];
    mem.read(address(tensor, position - odd as i64), &mut packed)?;
    Ok((odd..odd + len).map(|nibble| packed[nibble / 2] >> (4 * (nibble % 2)) & 0x0F).collect())
}

/// A byte of which only one half is written keeps the other.
fn write_nibbles(
    mem: &dyn Memory,
    tensor: &Tensor,
    position: i64,
    nibbles: &[u8],
) -> Result<(), Fault> {
    let odd = position.rem_euclid(2) as usize;
    let start = address(tensor, position - odd as i64);
    let mut packed = vec![0; (odd + nibbles.len()).div_ceil(2)];
    if odd == 1 || (odd + nibbles.len()) % 2 == 1 {
        mem.read(start, &mut packed)?;
    }
    for (at, nibble) in (odd..).zip(nibbles) {
        let shift = 4 * (at % 2);
        packed[at / 2] = packed[at / 2] & !(0x0F << shift) | (nibble & 0x0F) << shift;
    }
    mem.write(start, &packed)
}

/// A stretch of memory that holds many short runs.
struct Span {
    first: i64,
    len: usize,
}

impl Span {
    /// One large read costs less than many small ones, unless it reads much that nobody asked for.
    fn worthwhile(tensor: &Tensor, first: usize, count: usize) -> Option<Self> {
        const SHORT: usize = 32;
        const WASTE: usize = 8;
        let longest = Runs::new(tensor, first, count).next()?.len;
        if longest >= SHORT || longest == count {
            return None;
        }
        let (mut low, mut high) = (i64::MAX, i64::MIN);
        for run in Runs::new(tensor, first, count) {
            low = low.min(run.position);
            high = high.max(run.position + run.len as i64);
        }
        let len = (high - low) as usize;
        (len <= WASTE * count).then_some(Self { first: low, len })
    }
}

#[cfg(test)]
mod tests;
