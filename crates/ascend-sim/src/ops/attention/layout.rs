//! The orders of batch, token and head, and where a row of a head lies in them.

use crate::kernel::{NO_TILING, Reject};
use crate::ops::check::Check;
use crate::tensor::Tensor;

/// Order of dimensions, the head's row last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Heads and rows are one dimension.
    Bsh,
    /// The same, tokens first.
    Sbh,
    Bsnd,
    Bnsd,
    Nbsd,
    /// Sequences one after another.
    Tnd,
    Ntd,
}

/// Extents of a tensor in a layout; sequences that follow each other are one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extents {
    pub(super) batch: i64,
    pub(super) tokens: i64,
    pub(super) heads: i64,
    pub(super) depth: i64,
}

/// Elements between neighbours of each dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    batch: usize,
    token: usize,
    head: usize,
}

impl Layout {
    /// Those of inputs and, after `_`, of the output: `"BNSD_BSND"`.
    pub(super) fn pair(name: &str) -> Option<(Self, Self)> {
        let one = |name: &str| match name {
            "BSH" => Some(Self::Bsh),
            "SBH" => Some(Self::Sbh),
            "BSND" => Some(Self::Bsnd),
            "BNSD" => Some(Self::Bnsd),
            "NBSD" => Some(Self::Nbsd),
            "TND" => Some(Self::Tnd),
            "NTD" => Some(Self::Ntd),
            _ => None,
        };
        match name.split_once('_') {
            None => one(name).map(|layout| (layout, layout)),
            Some((input, output)) => Some((one(input)?, one(output)?)),
        }
    }

    /// Sequences follow each other without padding.
    pub(super) fn packed(self) -> bool {
        matches!(self, Self::Tnd | Self::Ntd)
    }

    /// The extents of a tensor; `heads` is needed where they are one dimension with rows.
    pub(super) fn extents(
        self,
        check: &Check,
        name: &str,
        tensor: &Tensor,
        heads: i64,
    ) -> Result<Extents, Reject> {
        let found = match (self, &tensor.shape[..]) {
            (Self::Bsh, &[batch, tokens, all]) | (Self::Sbh, &[tokens, batch, all])
                if heads > 0 && all % heads == 0 =>
            {
                Some(Extents { batch, tokens, heads, depth: all / heads })
            }
            (Self::Bsnd, &[batch, tokens, heads, depth])
            | (Self::Bnsd, &[batch, heads, tokens, depth])
            | (Self::Nbsd, &[heads, batch, tokens, depth]) => {
                Some(Extents { batch, tokens, heads, depth })
            }
            (Self::Tnd, &[tokens, heads, depth]) | (Self::Ntd, &[heads, tokens, depth]) => {
                Some(Extents { batch: 1, tokens, heads, depth })
            }
            _ => None,
        };
        let got = format_args!("of shape {:?}", tensor.shape);
        let expected = format_args!("the dimensions of {self:?} with {heads} heads");
        let found = found.filter(|extents| extents.heads == heads);
        found.ok_or_else(|| check.reject_as(NO_TILING, name, got, expected))
    }

    /// The shape of a tensor.
    pub(super) fn shape(self, of: Extents) -> Vec<i64> {
        let Extents { batch, tokens, heads, depth } = of;
        match self {
            Self::Bsh => vec![batch, tokens, heads * depth],
            Self::Sbh => vec![tokens, batch, heads * depth],
            Self::Bsnd => vec![batch, tokens, heads, depth],
            Self::Bnsd => vec![batch, heads, tokens, depth],
            Self::Nbsd => vec![heads, batch, tokens, depth],
            Self::Tnd => vec![tokens, heads, depth],
            Self::Ntd => vec![heads, tokens, depth],
        }
    }

    pub(super) fn place(self, of: Extents) -> Place {
        let (batches, tokens) = (of.batch as usize, of.tokens as usize);
        let (heads, depth) = (of.heads as usize, of.depth as usize);
        let (batch, token, head) = match self {
            Self::Bsh | Self::Bsnd => (tokens * heads * depth, heads * depth, depth),
            Self::Sbh => (heads * depth, batches * heads * depth, depth),
            Self::Bnsd => (heads * tokens * depth, depth, tokens * depth),
            Self::Nbsd => (tokens * depth, depth, batches * tokens * depth),
            Self::Tnd => (0, heads * depth, depth),
            Self::Ntd => (0, depth, tokens * depth),
        };
        Place { batch, token, head }
    }
}

impl Place {
    /// The first element of a row.
    pub(super) fn row(&self, batch: usize, token: usize, head: usize) -> usize {
        batch * self.batch + token * self.token + head * self.head
    }

    /// Stretches of memory that hold the rows of `count` tokens: first element, elements, first token and head.
    pub(super) fn stretches(
        &self,
        batch: usize,
        token: usize,
        count: usize,
        heads: usize,
        depth: usize,
    ) -> Vec<Stretch> {
        let whole = self.head == depth && self.token == heads * depth;
        let by_head = self.token == depth;
        let mut stretches = Vec::new();
        if whole {
            let (first, len) = (self.row(batch, token, 0), count * heads * depth);
            stretches.push(Stretch { first, len, token: 0, head: 0, across: true });
        } else if by_head {
            for head in 0..heads {
                let (first, len) = (self.row(batch, token, head), count * depth);
                stretches.push(Stretch { first, len, token: 0, head, across: false });
            }
        } else {
            for at in 0..count {
                let (first, len) = (self.row(batch, token + at, 0), heads * depth);
                stretches.push(Stretch { first, len, token: at, head: 0, across: true });
            }
        }
        stretches
    }
}

/// Rows that lie together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) first: usize,
    pub(super) len: usize,
    token: usize,
    head: usize,
    /// The next row is of the next head, otherwise of the next token.
    across: bool,
}

impl Stretch {
    /// Token and head of row after row.
    pub(super) fn rows(self, heads: usize, depth: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..self.len / depth).map(move |row| {
            if self.across {
                (self.token + row / heads, row % heads)
            } else {
                (self.token + row, self.head)
            }
        })
    }
}
