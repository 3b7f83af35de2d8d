//! Dense values to blocks.

use crate::arch::{self, Format, Level, Writes};
use crate::mxfp4::{BLOCK, BLOCK_BYTES, QuantizeStats, check_length, dense};
use crate::{DType, Dense, Mxfp4Error, on_level};

/// Makes blocks of 32 values each.
///
/// The scale of a block is the OCP one, `2^(floor(log2(largest)) - 2)`, or the next larger, whichever
/// loses less (sum of squares, as an f32 sees the result; the smaller scale where they lose the
/// same). Values go to the nearest code, ties to even; zeros keep their sign. A block whose values
/// all are codes times some scale is therefore kept exactly, though not always with the bytes it
/// came from. The scale of a block of zeros is 0, the smallest.
///
/// # Errors
///
/// [`Mxfp4Error::Ragged`] where `src` is not whole blocks, [`Mxfp4Error::Length`] where `blocks` or
/// `scales` do not fit it; nothing is written then. [`Mxfp4Error::NotFinite`] names the first
/// infinite or NaN element; what was written before it is unspecified.
///
/// ```
/// use lowfloat::mxfp4;
///
/// let mut src = [0f32; 32];
/// src[3] = 1.0;
/// src[4] = 0.3;
/// let (mut blocks, mut scales) = ([0; 16], [0]);
/// let stats = mxfp4::quantize(&src, &mut blocks, &mut scales)?;
/// assert_eq!(stats.exact_blocks, 0);
/// assert!(stats.max_abs_error < 0.06);
///
/// src[7] = f32::NAN;
/// let error = mxfp4::quantize(&src, &mut blocks, &mut scales).unwrap_err();
/// assert!(error.to_string().starts_with("element 7 is NaN"));
/// # Ok::<(), lowfloat::Mxfp4Error>(())
/// ```
pub fn quantize<T: Dense>(
    src: &[T],
    blocks: &mut [u8],
    scales: &mut [u8],
) -> Result<QuantizeStats, Mxfp4Error> {
    quantize_bytes(T::DTYPE, bytemuck::cast_slice(src), blocks, scales)
}

/// As [`quantize`] from little-endian elements of F32, BF16 or F16 at any alignment.
///
/// # Errors
///
/// [`Mxfp4Error::Unsupported`] for any other `from`, and those of [`quantize`].
pub fn quantize_bytes(
    from: DType,
    src: &[u8],
    blocks: &mut [u8],
    scales: &mut [u8],
) -> Result<QuantizeStats, Mxfp4Error> {
    on_level::quantize_bytes(Level::current(), from, src, blocks, scales)
}

/// Checks type and lengths (in bytes).
pub(crate) fn check(
    from: DType,
    src: usize,
    blocks: usize,
    scales: usize,
) -> Result<Format, Mxfp4Error> {
    let from = dense(from)?;
    if !src.is_multiple_of(BLOCK * from.size()) {
        return Err(Mxfp4Error::Ragged { what: "source elements", actual: src / from.size() });
    }
    let count = src / (BLOCK * from.size());
    check_length("block bytes", count * BLOCK_BYTES, blocks)?;
    check_length("scales", count, scales)?;
    Ok(from)
}

/// Blocks that are widened to f32 at a time: 4 KiB, so that they stay in the first-level cache.
const BATCH: usize = 32;

/// Quantises slices that [`check`] has approved.
pub(crate) fn run(
    level: Level,
    from: Format,
    src: &[u8],
    blocks: &mut [u8],
    scales: &mut [u8],
) -> Result<QuantizeStats, Mxfp4Error> {
    let mut stats = QuantizeStats::default();
    let mut values = [[0f32; BLOCK]; BATCH];
    let sources = src.chunks(BATCH * BLOCK * from.size());
    let outputs = blocks.chunks_mut(BATCH * BLOCK_BYTES).zip(scales.chunks_mut(BATCH));
    for (batch, (src, (blocks, scales))) in sources.zip(outputs).enumerate() {
        let values = &mut values[..scales.len()];
        let widened = arch::as_uninit(bytemuck::cast_slice_mut(values));
        arch::cast(level, from, Format::F32, src, widened, Writes::Cached);
        check_finite(values, batch * BATCH * BLOCK)?;
        arch::quantize(level, values, bytemuck::cast_slice_mut(blocks), scales, &mut stats);
    }
    Ok(stats)
}

fn check_finite(values: &[[f32; BLOCK]], first: usize) -> Result<(), Mxfp4Error> {
    let values = values.as_flattened();
    let largest = values.iter().map(|value| value.abs().to_bits()).max();
    if largest < Some(f32::INFINITY.to_bits()) {
        return Ok(());
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(Mxfp4Error::NotFinite { index: first + at, value: values[at] }),
        None => Ok(()),
    }
}

/// Quantises as many finite blocks as all three slices hold.
///
/// Sums are taken in a fixed order, so that the choice of scale and the statistics are the same
/// whatever instructions the loops become.
#[inline(always)]
pub(crate) fn quantize_blocks(
    values: &[[f32; BLOCK]],
    blocks: &mut [[u8; BLOCK_BYTES]],
    scales: &mut [u8],
    stats: &mut QuantizeStats,
) {
    for ((values, block), scale) in values.iter().zip(blocks).zip(scales) {
        let ocp = ocp_scale(values);
        let mut best = Attempt::new(values, ocp);
        if best.squared_error > 0.0 && ocp < 254 {
            let larger = Attempt::new(values, ocp + 1);
            if larger.squared_error < best.squared_error {
                best = larger;
            }
        }
        *scale = best.scale;
        *block = best.block();
        stats.blocks += 1;
        stats.exact_blocks += u64::from(best.squared_error == 0.0);
        stats.max_abs_error = stats.max_abs_error.max(best.largest_error);
        stats.sum_squared_error += best.squared_error;
        stats.sum_squares += sum_squares(values);
    }
}

/// `floor(log2(largest)) - 2` (OCP MX 1.0, section 6.3; 2 is the exponent of the largest e2m1
/// value), as far as a scale can hold it.
#[inline(always)]
fn ocp_scale(values: &[f32; BLOCK]) -> u8 {
    let largest = values.iter().fold(0, |most, value| most.max(value.to_bits() & 0x7FFF_FFFF));
    // The exponent field of a normal number is its floor(log2) + 127. Subnormals are below 2^-126:
    // two less than that is less than any scale already.
    (largest >> 23).saturating_sub(2).min(254) as u8
}

/// Sums run in so many lanes, which are then added in order.
const LANES: usize = 8;

/// A block under one scale.
struct Attempt {
    scale: u8,
    codes: [u8; BLOCK],
    squared_error: f64,
    largest_error: f64,
}

impl Attempt {
    #[inline(always)]
    fn new(values: &[f32; BLOCK], scale: u8) -> Self {
        let unit = crate::E8M0::from_bits(scale).to_f32();
        let inverse = crate::E8M0::from_bits(254 - scale).to_f32();
        let mut codes = [0; BLOCK];
        let mut errors = [0f64; BLOCK];
        for ((value, code), error) in values.iter().zip(&mut codes).zip(&mut errors) {
            let magnitude = value.abs();
            // A power of two: exact, unless it becomes far too small to matter.
            let (nearest, bits) = round(magnitude * inverse);
            *code = bits | ((value.to_bits() >> 28) & 8) as u8;
            // Infinite where an f32 cannot hold the result: never the better scale.
            *error = f64::from(magnitude) - f64::from(nearest * unit);
        }
        let mut squares = [0f64; LANES];
        let mut largest = [0f64; LANES];
        for errors in errors.as_chunks::<LANES>().0 {
            for ((error, square), most) in errors.iter().zip(&mut squares).zip(&mut largest) {
                *square += error * error;
                *most = if error.abs() > *most { error.abs() } else { *most };
            }
        }
        Self {
            scale,
            codes,
            squared_error: squares.iter().sum(),
            largest_error: largest.iter().fold(0.0, |most: f64, error| most.max(*error)),
        }
    }

    #[inline(always)]
    fn block(&self) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        for (byte, pair) in block.iter_mut().zip(self.codes.as_chunks::<2>().0) {
            *byte = pair[0] | (pair[1] << 4);
        }
        block
    }
}

/// The nearest e2m1 magnitude and its code, ties to even; `magnitude` is at least 0.
#[inline(always)]
fn round(magnitude: f32) -> (f32, u8) {
    // Its last place is 0.5, the distance of the codes below 2.
    const ANCHOR: f32 = 4_194_304.0;
    let bits = magnitude.to_bits();
    let halves = (magnitude + ANCHOR).to_bits() - ANCHOR.to_bits();
    let small = (magnitude + ANCHOR) - ANCHOR;
    // One mantissa bit stays of 23; 6 is the largest.
    let kept = ((bits + 0x001F_FFFF + ((bits >> 22) & 1)) >> 22).min(0x40C0_0000 >> 22);
    let code = if magnitude < 1.0 { halves } else { kept - (126 << 1) };
    let value = if magnitude < 1.0 { small } else { f32::from_bits(kept << 22) };
    (value, code as u8)
}

#[inline(always)]
fn sum_squares(values: &[f32; BLOCK]) -> f64 {
    let mut lanes = [0f64; LANES];
    for values in values.as_chunks::<LANES>().0 {
        for (value, lane) in values.iter().zip(&mut lanes) {
            *lane += f64::from(*value) * f64::from(*value);
        }
    }
    lanes.iter().sum()
}
