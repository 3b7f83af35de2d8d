//! How the bytes of one tensor of the result are made from the source.

mod dense;
mod pack;
mod produce;

pub(crate) use produce::Producer;

use serde::Serialize;

/// How one tensor of the result is made. Numbers are indexes into
/// [`Source::tensors`](crate::Source::tensors).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "transform", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Transform {
    /// The same bytes.
    Copy {
        /// The tensor copied.
        #[serde(skip)]
        from: usize,
    },
    /// Every element converted to nearest, ties to even.
    Cast {
        /// The tensor converted.
        #[serde(skip)]
        from: usize,
    },
    /// MXFP4 blocks times their scales.
    Dequantize {
        /// The packed values, `[.., rows, columns / 32, 16]`.
        #[serde(skip)]
        blocks: usize,
        /// Their scales, `[.., rows, columns / 32]`.
        #[serde(skip)]
        scales: usize,
        /// True when the result is `[.., columns, rows]`.
        transposed: bool,
    },
    /// The blocks of a dense tensor packed as MXFP4.
    PackBlocks {
        /// The dense tensor.
        #[serde(skip)]
        from: usize,
        /// True when the dense tensor is `[.., columns, rows]`.
        transposed: bool,
    },
    /// The scales of a dense tensor packed as MXFP4.
    PackScales {
        /// The dense tensor.
        #[serde(skip)]
        from: usize,
        /// True when the dense tensor is `[.., columns, rows]`.
        transposed: bool,
    },
}

impl Transform {
    /// The source tensors it reads.
    #[must_use]
    pub fn inputs(self) -> Vec<usize> {
        match self {
            Self::Copy { from }
            | Self::Cast { from }
            | Self::PackBlocks { from, .. }
            | Self::PackScales { from, .. } => vec![from],
            Self::Dequantize { blocks, scales, .. } => vec![blocks, scales],
        }
    }
}

/// A stack of MXFP4 matrices: `matrices` × `[rows, columns]`, blocks running along the columns.
#[derive(Clone, Copy, Debug)]
struct Packed {
    rows: u64,
    columns: u64,
}

impl Packed {
    /// From the shape of the scales, `[.., rows, columns / 32]`.
    fn from_scales(shape: &[usize]) -> Self {
        match *shape {
            [.., rows, groups] => Self { rows: rows as u64, columns: 32 * groups as u64 },
            [groups] => Self { rows: 1, columns: 32 * groups as u64 },
            [] => Self { rows: 0, columns: 0 },
        }
    }

    fn groups(self) -> u64 {
        self.columns / 32
    }

    fn elements(self) -> u64 {
        self.rows * self.columns
    }
}
