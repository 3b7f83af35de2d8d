//! What was asked for, and whether its parts fit each other.

use super::groups::{Groups, ListType};
use super::parameters::Parameters;
use super::product::Plan;
use super::scheme::Scheme;
use crate::kernel::{Cost, Kernel, NO_KERNEL, Reject};
use crate::ops::check::Check;
use crate::profile::{Site, Soc};
use crate::tensor::{FRACTAL_NZ, Tensor};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    V1,
    V2,
    V3,
    V4,
    V5,
    Nz,
}

pub(super) struct Request {
    pub(super) check: Check,
    pub(super) version: Version,
    pub(super) x: Vec<Tensor>,
    pub(super) weight: Vec<Tensor>,
    pub(super) bias: Option<Vec<Tensor>>,
    pub(super) scale: Option<Vec<Tensor>>,
    pub(super) offset: Option<Vec<Tensor>>,
    pub(super) antiquant_scale: Option<Vec<Tensor>>,
    pub(super) antiquant_offset: Option<Vec<Tensor>>,
    pub(super) per_token_scale: Option<Vec<Tensor>>,
    pub(super) groups: Groups,
    pub(super) activation: [Option<Vec<Tensor>>; 3],
    pub(super) more_outputs: [Option<Vec<Tensor>>; 2],
    pub(super) split_item: i64,
    pub(super) group_type: i64,
    pub(super) list_type: i64,
    pub(super) act_type: i64,
    pub(super) tuning: Option<Vec<i64>>,
    pub(super) quant_group: i64,
    pub(super) out: Vec<Tensor>,
}

/// Lists hold at most so many tensors.
const MOST_LISTED: usize = 128;
/// One tensor holds at most so many matrices.
const MOST_STACKED: i64 = 1024;
/// Inner dimensions are smaller.
const INNER_LIMIT: i64 = 65_536;
/// `groupType` of version 1, which has none.
const UNNAMED: i64 = -2;

impl Request {
    pub(super) fn new(
        site: &Site,
        operator: &'static str,
        version: Version,
        x: Vec<Tensor>,
        mut weight: Vec<Tensor>,
        out: Vec<Tensor>,
    ) -> Self {
        if version == Version::Nz {
            weight.iter_mut().for_each(|weight| weight.format = FRACTAL_NZ);
        }
        Self {
            check: Check::new(site, operator),
            version,
            x,
            weight,
            bias: None,
            scale: None,
            offset: None,
            antiquant_scale: None,
            antiquant_offset: None,
            per_token_scale: None,
            groups: Groups::None,
            activation: [None, None, None],
            more_outputs: [None, None],
            split_item: 0,
            group_type: UNNAMED,
            list_type: 0,
            act_type: 0,
            tuning: None,
            quant_group: 0,
            out,
        }
    }

    pub(super) fn quantisation(
        &mut self,
        bias: Option<Vec<Tensor>>,
        scale: Option<Vec<Tensor>>,
        offset: Option<Vec<Tensor>>,
        antiquant_scale: Option<Vec<Tensor>>,
        antiquant_offset: Option<Vec<Tensor>>,
    ) {
        self.bias = bias;
        self.scale = scale;
        self.offset = offset;
        self.antiquant_scale = antiquant_scale;
        self.antiquant_offset = antiquant_offset;
    }

    pub(super) fn prepare(mut self) -> Result<Kernel, Reject> {
        self.drop_empty_lists();
        self.attributes()?;
        let stacked = self.structure()?;
        self.tensors()?;
        let scheme = Scheme::of(&self)?;
        let (rows, depth, width) = self.sizes(stacked)?;
        let experts = if stacked { self.weight[0].shape[0] } else { self.weight.len() as i64 };
        let list_type = match self.list_type {
            0 => ListType::Cumulative,
            1 => ListType::Counts,
            _ => ListType::Pairs,
        };
        self.groups.check(&self.check, experts, rows, list_type)?;
        let parameters = Parameters::of(&mut self, scheme, stacked, experts, depth, width)?;
        let tensors = self.x.iter().chain(&self.weight).chain(&self.out).collect::<Vec<_>>();
        // Experts without rows are not read: a guess for the time model, since counts are not known yet.
        let flops = 2 * (rows * depth * width).unsigned_abs();
        let plan = Plan {
            operator: self.check.operator,
            scheme,
            rows: rows as usize,
            depth: depth as usize,
            width: width as usize,
            experts: experts as usize,
            stacked,
            list_type,
            parameters,
            cost: Cost::of(&tensors, flops),
            groups: self.groups,
            x: self.x,
            weight: self.weight,
            out: self.out,
        };
        Ok(plan.kernel())
    }

    /// A list of nothing, or of tensors without elements, is as good as none.
    fn drop_empty_lists(&mut self) {
        let [a, b, c] = &mut self.activation;
        let [d, e] = &mut self.more_outputs;
        for list in [
            &mut self.bias,
            &mut self.scale,
            &mut self.offset,
            &mut self.antiquant_scale,
            &mut self.antiquant_offset,
            &mut self.per_token_scale,
            a,
            b,
            c,
            d,
            e,
        ] {
            if list.as_ref().is_some_and(|list| list.iter().all(|tensor| tensor.len() == 0)) {
                *list = None;
            }
        }
        if matches!(&self.groups, Groups::Host(list) if list.is_empty()) {
            self.groups = Groups::None;
        }
    }

    fn attributes(&self) -> Result<(), Reject> {
        let check = &self.check;
        check.require(
            (0..=3).contains(&self.split_item),
            "splitItem",
            self.split_item,
            "0 to 3",
        )?;
        let types = if self.version == Version::V1 { [UNNAMED; 3] } else { [-1, 0, 2] };
        let expected = "-1, 0 or 2";
        check.require(types.contains(&self.group_type), "groupType", self.group_type, expected)?;
        if self.group_type == 2 {
            let expected = "-1 or 0: groups of columns are not simulated";
            return Err(check.reject_as(NO_KERNEL, "groupType", 2, expected));
        }
        check.require(
            (0..=2).contains(&self.list_type),
            "groupListType",
            self.list_type,
            "0, 1 or 2",
        )?;
        if check.soc == Soc::Ascend950 {
            let expected = "0 or 1: pairs are for int8 rows on the 950, which is not simulated";
            let got = self.list_type;
            check.require(self.list_type < 2, "groupListType", got, expected)?;
        }
        check.require(self.act_type == 0, "actType", self.act_type, "0 (none)")?;
        let names = [
            "activationInputOptional",
            "activationQuantScaleOptional",
            "activationQuantOffsetOptional",
        ];
        for (list, name) in self.activation.iter().zip(names) {
            check.require(list.is_none(), name, "given", "null")?;
        }
        for (list, name) in self
            .more_outputs
            .iter()
            .zip(["activationFeatureOutOptional", "dynQuantScaleOutOptional"])
        {
            check.require(list.is_none(), name, "given", "null")?;
        }
        let Some(tuning) = &self.tuning else { return Ok(()) };
        let got = format_args!("{tuning:?}");
        let sound = tuning.first().is_none_or(|&rows| rows >= 0);
        check.require(sound, "tuningConfigOptional", got, "a number of rows that is not negative")
    }

    /// How many tensors there are of each; true where one tensor holds all matrices.
    fn structure(&self) -> Result<bool, Reject> {
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

    fn tensors(&self) -> Result<(), Reject> {
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
    fn sizes(&self, stacked: bool) -> Result<(i64, i64, i64), Reject> {
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
