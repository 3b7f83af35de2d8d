//! Keys and values in the blocks of a cache.

use super::lengths::Sequence;
use super::rows::{Blocks, FRACTAL_WIDTH, Paged};
use crate::dtype::DataType;
use crate::kernel::{NO_TILING, Reject};
use crate::ops::check::Check;
use crate::tensor::{FRACTAL_NZ, ND, Tensor};

/// A cache of `[blocks, block_size, heads · D]`, `[blocks, heads, block_size, D]` or
/// `[blocks, heads, D / 16, block_size, 16]`.
pub(super) fn paged(
    check: &Check,
    name: &str,
    list: &[Tensor],
    table: &Tensor,
    heads: i64,
    depth: i64,
    block_size: i64,
) -> Result<Paged, Reject> {
    /// What the kernels can step over between tokens.
    const WIDEST: i64 = 65_535;
    let [cache] = list else {
        let got = format_args!("a list of {}", list.len());
        return Err(check.reject_as(NO_TILING, name, got, "one tensor where keys are paged"));
    };
    let mut cache = cache.clone();
    if cache.format == FRACTAL_NZ && cache.shape.len() == 5 {
        // The shape already spells the blocks out.
        cache.format = ND;
    }
    check.input(name, &cache)?;
    check.input("blockTable", table)?;
    check.dtype("blockTable", table, &[DataType::I32])?;
    let got = format_args!("of shape {:?}", table.shape);
    check.tiling(table.shape.len() == 2 && table.len() > 0, "blockTable", got, "2 dimensions")?;
    let width = FRACTAL_WIDTH as i64;
    let blocks = cache.shape.first().copied().unwrap_or(0);
    let (order, expected) = match cache.shape.len() {
        3 => (Blocks::TokensFirst, vec![blocks, block_size, heads * depth]),
        4 => (Blocks::HeadsFirst, vec![blocks, heads, block_size, depth]),
        _ => (Blocks::Fractal, vec![blocks, heads, depth / width, block_size, width]),
    };
    let got = format_args!("of shape {:?}", cache.shape);
    // A cache as aclnnScatterPaKvCache writes it is [blocks, block_size, heads, D]: it must be seen in 3 dimensions here.
    let rest = "with 3 dimensions where tokens come before heads";
    let fits = blocks > 0 && cache.shape == expected;
    check.tiling(fits, name, got, format_args!("{expected:?}, {rest}"))?;
    if order == Blocks::TokensFirst {
        let expected = format_args!("at most {WIDEST} elements of a token: heads before tokens");
        check.tiling(heads * depth <= WIDEST, name, got, expected)?;
    }
    Ok(Paged {
        cache,
        order,
        table: table.clone(),
        blocks: blocks as usize,
        block_size: block_size as usize,
        heads: heads as usize,
        depth: depth as usize,
        operator: check.operator,
    })
}

/// The table has a row for each sequence, and columns for the longest.
pub(super) fn check_lengths(
    check: &Check,
    paged: &Paged,
    sequences: &[Sequence],
    longest: i64,
) -> Result<(), Reject> {
    let batch = sequences.len() as i64;
    let columns = longest.unsigned_abs().div_ceil(paged.block_size.max(1) as u64) as i64;
    let table = &paged.table.shape;
    let fits = table[0] == batch && table[1] >= columns;
    let got = format_args!("of shape {table:?}");
    check.tiling(fits, "blockTable", got, format_args!("[{batch}, at least {columns}]"))
}
