//! How many tensors there are, and their shapes.

use super::groups::Groups;
use super::request::{Request, Version};
use crate::kernel::Reject;
use crate::profile::Soc;

/// Lists hold at most so many tensors.
const MOST_LISTED: usize = 128;
/// One tensor holds at most so many matrices.
const MOST_STACKED: i64 = 1024;
/// Inner dimensions are smaller.
const INNER_LIMIT: i64 = 65_536;

impl Request {
    /// How many tensors there are of each; true where one tensor holds all matrices.
    pub(super) fn structure(&self) -> Result<bool, Reject> {
        let check = &self.check;
        let (x, weight, out) = (self.x.len(), self.weight.len(), self.out.len());
        for (name, count) in [("x", x), ("weight", weight), ("out", out)] {
            let got = format_args!("a list of {count}");
            let expected = format_args!("1 to {MOST_LISTED} tensors");
            check.require((1..=MOST_LISTED).contains(&count), name, got, expected)?;
        }
        let stacked = weight == 1 && self.weight[0].shape.len() == 3;
        let listed = !matches!(self.groups, Groups::None);
        let single_out = self.split_item >= 2;
        let fits = if single_out { out == 1 } else { out == weight && !stacked };
        let expected =
            "one tensor with splitItem 2 and 3, one for each of a list of weights with 0 and 1";
        check.require(fits, "out", format_args!("a list of {out}"), expected)?;
        if self.group_type == -1 {
            check.require(
                !single_out,
                "splitItem",
                self.split_item,
                "0 or 1 where groupType is -1",
            )?;
            check.require(!listed, "groupListOptional", "given", "null where groupType is -1")?;
        }
        if self.group_type == 0 {
            check.require(
                single_out,
                "splitItem",
                self.split_item,
                "2 or 3 where groupType is 0",
            )?;
        }
        if self.version == Version::V1 {
            check.require(
                !stacked,
                "weight",
                "one tensor of 3 dimensions",
                "a list of matrices",
            )?;
            let one = matches!(&self.groups, Groups::Host(ends) if ends.len() == 1);
            check.require(!one, "groupListOptional", "of one number", "more than one")?;
        }
        if x != weight || stacked {
            let got = format_args!("a list of {x}");
            check.require(x == 1, "x", got, "one tensor, or one for each weight")?;
            check.require(listed, "groupListOptional", "null", "given where x is one tensor")?;
        }
        Ok(stacked)
    }

    pub(super) fn tensors(&self) -> Result<(), Reject> {
        let check = &self.check;
        for x in &self.x {
            check.input("x", x)?;
            check.same_dtype("x", x, "the first of x", &self.x[0])?;
        }
        let blocks = self.version == Version::Nz
            || self.version >= Version::V4 && check.soc != Soc::Ascend950;
        for weight in &self.weight {
            if blocks {
                check.blocked("weight", weight)?;
            } else {
                check.input("weight", weight)?;
            }
            check.same_dtype("weight", weight, "the first of weight", &self.weight[0])?;
        }
        for out in &self.out {
            check.output("out", out)?;
        }
        Ok(())
    }

    /// Rows of all of `x`, the inner dimension, columns; the last two of the first group.
    pub(super) fn sizes(&self, stacked: bool) -> Result<(i64, i64, i64), Reject> {
        let check = &self.check;
        let separate = self.split_item < 2 && self.x.len() == self.weight.len();
        let mut rows = 0;
        for (at, x) in self.x.iter().enumerate() {
            check.rank("x", x, if separate { 2..=6 } else { 2..=2 })?;
            let depth = x.shape[x.shape.len() - 1];
            let got = format_args!("of shape {:?}", x.shape);
            let expected = format_args!("an inner dimension of 1 to {}", INNER_LIMIT - 1);
            check.require((1..INNER_LIMIT).contains(&depth), "x", got, expected)?;
            let of_x = x.len() as i64 / depth;
            rows += of_x;
            if separate {
                let mut expected = x.shape.clone();
                let last = expected.len() - 1;
                expected[last] = self.weight[at].shape.last().copied().unwrap_or(0);
                check.shape("out", &self.out[at], &expected)?;
            }
        }
        for (at, weight) in self.weight.iter().enumerate() {
            let x = &self.x[at.min(self.x.len() - 1)];
            let depth = x.shape[x.shape.len() - 1];
            let (rank, got) = (weight.shape.len(), format_args!("of shape {:?}", weight.shape));
            let fits = rank == 2 + usize::from(stacked) && weight.shape[rank - 2] == depth;
            let form = if stacked { "[experts, " } else { "[" };
            check.require(fits, "weight", got, format_args!("{form}{depth}, columns]"))?;
            let inner = if weight.exchanged() { depth } else { weight.shape[rank - 1] };
            let expected = format_args!("an inner dimension of 1 to {}", INNER_LIMIT - 1);
            check.require((1..INNER_LIMIT).contains(&inner), "weight", got, expected)?;
            if stacked {
                let most = format_args!("at most {MOST_STACKED} matrices");
                check.require(weight.shape[0] <= MOST_STACKED, "weight", got, most)?;
            }
            if self.version == Version::Nz {
                let fits = depth > 1 && weight.shape[rank - 1] > 1;
                check.require(fits, "weight", got, "more than one row and column in blocks")?;
            }
        }
        let depth = self.x[0].shape[self.x[0].shape.len() - 1];
        let width = self.weight[0].shape[self.weight[0].shape.len() - 1];
        if !separate {
            for weight in &self.weight {
                let got = format_args!("of shape {:?}", weight.shape);
                let expected = format_args!("{width} columns, as the first has");
                check.require(weight.shape.last() == Some(&width), "weight", got, expected)?;
            }
            self.joined_outputs(rows, width)?;
        }
        Ok((rows, depth, width))
    }

    /// Results of groups of one `x` lie in one tensor, or with version 1 in one for each group.
    fn joined_outputs(&self, rows: i64, width: i64) -> Result<(), Reject> {
        if let [out] = &self.out[..] {
            return self.check.shape("out", out, &[rows, width]);
        }
        let Groups::Host(ends) = &self.groups else {
            return Err(self.check.reject(
                "groupListOptional",
                "null",
                "given where x is one tensor",
            ));
        };
        let starts = std::iter::once(0).chain(ends.iter().copied());
        for ((start, end), out) in starts.zip(ends).zip(&self.out) {
            self.check.shape("out", out, &[end - start, width])?;
        }
        Ok(())
    }
}
