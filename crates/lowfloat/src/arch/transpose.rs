//! The safe side of the transposing MXFP4 kernels: a matrix tile by tile.

use core::ops::Range;

use super::level::Set;
use super::portable::mxfp4 as portable;
use super::{Format, Level, Writes, kernel, stream};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::mxfp4::transpose::Plan;
use crate::mxfp4::{BLOCK, BLOCK_BYTES};

/// Rows of a tile, as many as a block has columns.
pub(super) const TILE: usize = 32;
/// Rows that are decoded before they are written: long runs in every destination row, while the
/// 64-byte lines that hold four neighbouring blocks of each row stay in a near cache until all four
/// are used.
const STRIP: usize = 512;
/// Elements from one column of the buffer to the next: an odd number of cache lines, so that
/// columns do not compete for the same sets of the cache.
pub(super) const COLUMN: usize = STRIP + TILE;

/// 32 blocks below one another, transposed: the blocks of the first row, bytes from one row to the
/// next, the scales of the rows, and where element (row, column) goes: `column * COLUMN + row`.
///
/// Safe to call where 16 bytes are readable at each of the 32 rows and `31 * COLUMN + 32` elements
/// are writable, on a CPU that has the level it belongs to. Only the source may be unaligned.
pub(super) type TileKernel = unsafe fn(*const u8, usize, &[u8; TILE], *mut u16);

/// The scales under which every value is a normal number of a 16-bit format: there a scale only
/// adds to the exponents of the patterns that scale 127 gives.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Dense16 {
    pub(super) first: u8,
    pub(super) last: u8,
}

#[cfg(target_arch = "x86_64")]
impl Dense16 {
    /// Biased exponents of 0.5 to 6 are 126 to 129 and may go from 1 to 254.
    pub(super) const BF16: Self = Self { first: 2, last: 252 };
    /// Biased exponents of 0.5 to 6 are 14 to 17 and may go from 1 to 30.
    pub(super) const F16: Self = Self { first: 114, last: 140 };

    pub(super) fn fits(self, scales: &[u8; TILE]) -> bool {
        scales.iter().fold(true, |fits, scale| fits & (self.first..=self.last).contains(scale))
    }
}

/// Destination rows from one that is written to one that is prepared for.
const AHEAD: usize = 4;

/// The columns of one block over the rows of a strip.
#[repr(align(64))]
struct Columns([[u16; COLUMN]; BLOCK]);

/// Decodes `columns` of the plan's matrix, each to a row of `dst`.
pub(crate) fn dequantize_transposed(
    level: Level,
    plan: &Plan<'_>,
    columns: Range<usize>,
    dst: &mut [u8],
) {
    if columns.is_empty() {
        return;
    }
    let size = plan.to.size();
    let tiles = tile_kernel(level, plan.to);
    // 34 KiB; there may be no heap.
    #[allow(clippy::large_stack_arrays)]
    let mut buffer = Columns([[0; COLUMN]; BLOCK]);
    // The first strip is short, so that the others start on a line where they can.
    let mut first = 0;
    let mut end = STRIP - dst.as_ptr().addr() % 64 / size;
    while first < plan.matrix.rows {
        end = end.min(plan.matrix.rows);
        for block in columns.start / BLOCK..columns.end.div_ceil(BLOCK) {
            decode(tiles, plan, block, first..end, &mut buffer);
            let from = columns.start.max(block * BLOCK);
            let to = columns.end.min((block + 1) * BLOCK);
            for column in from..to {
                let at = ((column - columns.start) * plan.stride + first) * size;
                // Every run is on pages of its own: have the address of a later one translated.
                stream::prefetch(
                    dst.as_ptr()
                        .wrapping_add(at.wrapping_add((AHEAD * size).wrapping_mul(plan.stride))),
                );
                let values = &buffer.0[column % BLOCK][..end - first];
                write(level, plan, values, &mut dst[at..at + (end - first) * size]);
            }
        }
        first = end;
        end += STRIP;
    }
    if plan.writes == Writes::Streamed {
        stream::finish();
    }
}

/// Decodes one block column of some rows, at most [`STRIP`].
fn decode(
    kernel: TileKernel,
    plan: &Plan<'_>,
    block: usize,
    rows: Range<usize>,
    buffer: &mut Columns,
) {
    let per_row = plan.matrix.columns / BLOCK;
    let mut padded = [[0; BLOCK_BYTES]; TILE];
    for first in rows.clone().step_by(TILE) {
        let count = (rows.end - first).min(TILE);
        let mut scales = [0; TILE];
        for (row, scale) in scales[..count].iter_mut().enumerate() {
            *scale = plan.matrix.scales[(first + row) * per_row + block];
            // The next four blocks of every row: too many streams for the CPU to foresee.
            let at = (first + row) * per_row + block + 4;
            stream::prefetch(plan.matrix.blocks.as_ptr().wrapping_add(at * BLOCK_BYTES));
        }
        let row_bytes = per_row * BLOCK_BYTES;
        let start = first * row_bytes + block * BLOCK_BYTES;
        let end = start + (count - 1) * row_bytes + BLOCK_BYTES;
        let blocks = &plan.matrix.blocks[start..end];
        let out = &mut buffer.0.as_flattened_mut()[first - rows.start..];
        let (blocks, stride) = if count == TILE {
            (blocks.as_ptr(), row_bytes)
        } else {
            for (row, block) in blocks.chunks(row_bytes).zip(&mut padded) {
                block.copy_from_slice(&row[..BLOCK_BYTES]);
            }
            (padded.as_ptr().cast(), BLOCK_BYTES)
        };
        // `first - rows.start` is a multiple of 32 below STRIP.
        debug_assert!(out.len() >= (BLOCK - 1) * COLUMN + TILE);
        // SAFETY: the slice above spans all 32 rows, or the padded copy does; the buffer has 32
        // columns, of which at least 32 elements follow; the kernel fits the level.
        unsafe { kernel(blocks, stride, &scales, out.as_mut_ptr()) };
    }
}

/// Writes part of a destination row; `values` are f16 or bf16 patterns, or bf16 for f32.
fn write(level: Level, plan: &Plan<'_>, values: &[u16], dst: &mut [u8]) {
    let bytes = bytemuck::cast_slice(values);
    if plan.to != Format::F32 {
        return stream::write(bytes, dst, plan.writes);
    }
    let mut wide = [0; STRIP * 4];
    let wide = &mut wide[..values.len() * 4];
    let uninit = super::as_uninit(wide);
    kernel::cast(level, Format::Bf16, Format::F32, bytes, uninit, Writes::Cached);
    stream::write(wide, dst, plan.writes);
}

fn tile_kernel(level: Level, to: Format) -> TileKernel {
    let (bf16, f16): (TileKernel, TileKernel) = match level.set() {
        Set::Portable => (portable::tile_bf16, portable::tile_f16),
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => (avx2::mxfp4::tile_bf16, avx2::mxfp4::tile_f16),
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => (avx512::mxfp4::tile_bf16, avx512::mxfp4::tile_f16),
        #[cfg(target_arch = "aarch64")]
        Set::Neon => (portable::tile_bf16, portable::tile_f16),
    };
    if to == Format::F16 { f16 } else { bf16 }
}
