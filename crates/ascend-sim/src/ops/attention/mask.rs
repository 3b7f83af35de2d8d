//! Which keys a query sees.

use crate::dtype::DataType;
use crate::kernel::{Fault, NO_TILING, Reject};
use crate::memory::Memory;
use crate::ops::access::{integers, integers_at};
use crate::ops::check::Check;
use crate::tensor::Tensor;

/// Side of the mask that modes 2, 3 and 4 want, whatever the lengths.
const COMPRESSED: i64 = 2048;

/// `sparseMode`, with what it needs.
#[derive(Clone, Debug)]
pub(super) enum Sparse {
    /// Every key.
    All,
    /// A mask for every query and key (1), between two diagonals counted from the upper left corner (0).
    Full { mask: Full, before: i64, after: i64 },
    /// Keys up to the query's number, from the upper left corner.
    LeftUp(Tensor),
    /// The last query sees the last key.
    RightDown(Tensor),
    /// From `before` keys before a query to `after` behind it, counted as `RightDown` does: `before + 1` keys at most where
    /// `after` is 0.
    Band { mask: Tensor, before: i64, after: i64 },
}

/// Dimensions of batch, head, query and key; 1 where it is repeated.
#[derive(Clone, Debug)]
pub(super) struct Full {
    pub(super) tensor: Tensor,
    pub(super) extents: [i64; 4],
}

/// What the caller gave.
pub(super) struct Given {
    pub(super) mode: i64,
    pub(super) mask: Option<Tensor>,
    pub(super) before: i64,
    pub(super) after: i64,
}

/// Beyond every length.
const FAR: i64 = 1 << 40;

impl Sparse {
    /// `batch`, `queries` and `keys` are what a full mask must cover.
    pub(super) fn new(
        check: &Check,
        given: Given,
        [batch, heads, queries, keys]: [i64; 4],
    ) -> Result<Self, Reject> {
        const NAME: &str = "attenMask";
        let Given { mode, mask, before, after } = given;
        if let Some(mask) = &mask {
            check.input(NAME, mask)?;
            check.dtype(NAME, mask, &[DataType::Bool, DataType::I8, DataType::U8])?;
        }
        let (before, after) = (before.clamp(-FAR, FAR), after.clamp(-FAR, FAR));
        let mask = match (mode, mask) {
            (0, None) => return Ok(Self::All),
            (0 | 1, Some(mask)) => {
                let full = Full::new(check, mask, [batch, heads, queries, keys])?;
                let (before, after) = if mode == 0 { (before, after) } else { (FAR, FAR) };
                return Ok(Self::Full { mask: full, before, after });
            }
            (1..=4, None) => {
                let expected = format_args!("given where sparseMode is {mode}");
                return Err(check.reject_as(NO_TILING, NAME, "null", expected));
            }
            (2..=4, Some(mask)) => mask,
            _ => return Err(check.reject_as(NO_TILING, "sparseMode", mode, "0 to 4")),
        };
        let leading = mask.shape.len().saturating_sub(2);
        let fits = mask.shape.len() <= 4
            && mask.shape.ends_with(&[COMPRESSED; 2])
            && mask.shape[..leading].iter().all(|&extent| extent == 1);
        let got = format_args!("of shape {:?}", mask.shape);
        let expected = format_args!("[{COMPRESSED}, {COMPRESSED}] where sparseMode is {mode}");
        check.tiling(fits, NAME, got, expected)?;
        if mode == 4 {
            let got = format_args!("{before} and {after}");
            check.tiling(
                before + after >= 0,
                "preTokens and nextTokens",
                got,
                "a sum of 0 or more",
            )?;
        }
        Ok(match mode {
            2 => Self::LeftUp(mask),
            3 => Self::RightDown(mask),
            _ => Self::Band { mask, before, after },
        })
    }

    /// Reads what is needed for all sequences.
    pub(super) fn load(&self, mem: &dyn Memory, operator: &str) -> Result<Option<Loaded>, Fault> {
        match self {
            Self::All => Ok(None),
            Self::Full { mask, .. } => {
                let values = integers(mem, &mask.tensor)?;
                Ok(Some(Loaded { values, extents: mask.extents.map(|extent| extent as usize) }))
            }
            Self::LeftUp(mask) | Self::RightDown(mask) | Self::Band { mask, .. } => {
                lower_triangle(mem, mask, operator)?;
                Ok(None)
            }
        }
    }

    /// The first and last key of query 0, the diagonals going down from there.
    pub(super) fn diagonals(&self, queries: usize, keys: usize) -> (i64, i64) {
        let shift = keys as i64 - queries as i64;
        match self {
            Self::All => (-FAR, FAR),
            Self::Full { before, after, .. } => (-before, *after),
            Self::LeftUp(_) => (-FAR, 0),
            Self::RightDown(_) => (-FAR, shift),
            Self::Band { before, after, .. } => (shift - before, shift + after),
        }
    }
}

/// The kernels take tiles of the compressed mask as they are: one that is not a triangle gives wrong answers there, and a
/// fault here. Four rows are looked at.
fn lower_triangle(mem: &dyn Memory, mask: &Tensor, operator: &str) -> Result<(), Fault> {
    let side = COMPRESSED as usize;
    for row in [0, 1, side / 2 - 1, side - 1] {
        let values = integers_at(mem, mask, row * side, side)?;
        let wrong = values.iter().enumerate().find(|&(at, &value)| value != i64::from(at > row));
        if let Some((column, value)) = wrong {
            let text = format!(
                "attenMask has {value} at [{row}, {column}], expected 1 above the diagonal only"
            );
            return Err(Fault::cube(format!("{operator}: {text}")));
        }
    }
    Ok(())
}

impl Full {
    fn new(check: &Check, tensor: Tensor, need: [i64; 4]) -> Result<Self, Reject> {
        let [batch, heads, queries, keys] = need;
        let extents = match tensor.shape[..] {
            // One query for each batch has no dimension of its own.
            [first, last] if queries == 1 && first == batch => Some([first, 1, 1, last]),
            [rows, last] => Some([1, 1, rows, last]),
            [first, rows, last] => Some([first, 1, rows, last]),
            [first, of_head, rows, last] => Some([first, of_head, rows, last]),
            _ => None,
        };
        let fits = extents.filter(|&[first, of_head, rows, last]| {
            (first == 1 || first == batch)
                && (of_head == 1 || of_head == heads)
                && rows >= queries
                && last >= keys
        });
        let got = format_args!("of shape {:?}", tensor.shape);
        let expected =
            format_args!("[batch, queries, keys] of at least [{batch} or 1, {queries}, {keys}]");
        match fits {
            Some(extents) => Ok(Self { tensor, extents }),
            None => Err(check.reject_as(NO_TILING, "attenMask", got, expected)),
        }
    }
}

/// A full mask in host memory.
pub(super) struct Loaded {
    values: Vec<i64>,
    extents: [usize; 4],
}

impl Loaded {
    pub(super) fn hides(&self, batch: usize, head: usize, query: usize, key: usize) -> bool {
        let [_, heads, queries, keys] = self.extents;
        let at = |index: usize, extent: usize| if extent == 1 { 0 } else { index };
        let batch = at(batch, self.extents[0]);
        let row = (batch * heads + at(head, heads)) * queries + at(query, queries);
        self.values[row * keys + key] != 0
    }
}
