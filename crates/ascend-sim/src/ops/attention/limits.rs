//! Sizes and modes that the kernels for inference take.

use super::layout::Extents;
use crate::kernel::Reject;
use crate::ops::check::Check;
use crate::profile::Soc;

pub(super) struct Limits<'a> {
    pub(super) check: &'a Check,
    pub(super) query: Extents,
    pub(super) kv_heads: i64,
    pub(super) value_depth: i64,
    /// Sequences follow each other (TND, NTD).
    pub(super) packed: bool,
    /// The output has another layout than the query.
    pub(super) crossed: bool,
    pub(super) mode: i64,
    pub(super) inner_precise: i64,
    /// f16, otherwise bf16.
    pub(super) half: bool,
}

/// `sparseMode` from prefix to block-local, which nothing supports, and trees, which are not simulated, begin here.
const MODES: i64 = 5;

impl Limits<'_> {
    /// Lengths of rows.
    pub(super) fn depths(&self) -> Result<(), Reject> {
        let (check, depth, value) = (self.check, self.query.depth, self.value_depth);
        let got = format_args!("rows of {depth} and {value}");
        let aligned =
            (1..=512).contains(&depth) && depth % 16 == 0 && value % 16 == 0 && value <= 512;
        check.tiling(aligned, "query and value", got, "rows of at most 512, multiples of 16")?;
        let few = [(64, 64), (128, 128), (192, 128)].contains(&(depth, value));
        let special = self.packed || self.crossed;
        let expected = "rows of 64 or 128, or 192 beside values of 128, in this layout";
        check.tiling(few || !special, "query and value", got, expected)?;
        let heads = self.query.heads;
        check.tiling(heads <= 256, "numHeads", heads, "at most 256")
    }

    /// `innerPrecise` and the modes of packed sequences.
    pub(super) fn precision(&self, queries: i64, masked: bool) -> Result<(), Reject> {
        let (check, mode, precise) = (self.check, self.mode, self.inner_precise);
        check.tiling((0..MODES).contains(&mode), "sparseMode", mode, "0 to 4")?;
        let most = if queries == 1 && !self.packed { 1 } else { 3 };
        check.tiling(
            (0..=most).contains(&precise),
            "innerPrecise",
            precise,
            format_args!("0 to {most}"),
        )?;
        if !self.packed || check.soc == Soc::Ascend950 {
            return Ok(());
        }
        let fits = [0, 3, 4].contains(&mode);
        check.tiling(fits, "sparseMode", mode, "0, 3 or 4 where sequences are packed")?;
        let expected = "null where sequences are packed and sparseMode is 0";
        check.tiling(mode != 0 || !masked, "attenMask", "given", expected)?;
        let shared = self.query.heads != self.kv_heads;
        let most = i64::from(self.half && !shared);
        let expected = format_args!("at most {most} with these heads where sequences are packed");
        check.tiling(precise <= most, "innerPrecise", precise, expected)
    }

    /// Tokens in a block of a paged cache.
    pub(super) fn block_size(&self, size: i64, queries: i64) -> Result<(), Reject> {
        let usual = [64, 128].contains(&self.query.depth) && self.value_depth == self.query.depth;
        let (step, most) = match (usual, queries) {
            (true, _) => (16, 1024),
            (false, 1) => (16, 512),
            (false, _) => (128, 1024),
        };
        let fits = size > 0 && size % step == 0 && size <= most;
        let expected = format_args!("a multiple of {step}, at most {most}");
        self.check.tiling(fits, "blockSize", size, expected)
    }
}
