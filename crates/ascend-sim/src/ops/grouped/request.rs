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
            for weight in &mut weight {
                weight.format = FRACTAL_NZ;
            }
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
}
