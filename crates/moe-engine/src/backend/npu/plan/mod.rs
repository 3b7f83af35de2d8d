//! What a model will do on a device, and what it will take there.

mod cost;
mod form;
mod show;
mod sizes;
mod ways;

use ascend_acl::op::Capabilities;
use half::bf16;

use super::cache::{BLOCK, KINDS, full_blocks, sliding_blocks};
use super::forms::ExpertForm;
use super::heads::HeadLayout;
use super::options::NpuOptions;
use crate::{Config, Error, Result};
use cost::Work;
use sizes::sizes;

pub use cost::StepCost;
pub use sizes::Sizes;
pub(in crate::backend::npu) use ways::{
    Activation, Choose, Embed, InOne, Pick, Rotate, Route, Sinks, Sum, Ways, WriteCache,
};

/// What a model will do on a device: the operator of each step, and bytes. Made before anything is uploaded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The chip.
    pub soc: String,
    /// Every step of the model.
    pub steps: Vec<PlannedStep>,
    /// The form of the experts' weights.
    pub experts: ExpertForm,
    /// Why it is this one.
    pub why: String,
    /// Of so many devices that share the experts.
    pub devices: usize,
    /// Bytes on each device.
    pub sizes: Sizes,
    /// Bytes that are free there.
    pub free: u64,
    /// Positions that the cache has room for in full layers.
    pub kv_positions: usize,
    /// Sequences that the cache has room for in sliding layers.
    pub sequences: usize,
    /// Operators that a batch takes, those that find the most likely tokens included.
    pub launches: usize,
    /// What a batch reads and computes is counted from.
    work: Work,
}

/// A step of the model and what does it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedStep {
    /// What is computed.
    pub name: &'static str,
    /// The operators; none if the installed release has none.
    pub operators: &'static [&'static str],
    /// Whether they are not the first choice.
    pub is_fallback: bool,
    /// What the first choice lacks.
    pub missing: Vec<&'static str>,
}

/// What a plan is made from.
pub(in crate::backend::npu) struct Facts<'a> {
    pub(in crate::backend::npu) capabilities: &'a Capabilities,
    pub(in crate::backend::npu) config: &'a Config,
    /// Whether the checkpoint's experts are in MXFP4.
    pub(in crate::backend::npu) mxfp4: bool,
    pub(in crate::backend::npu) options: &'a NpuOptions,
    /// The most rows of a batch.
    pub(in crate::backend::npu) rows: usize,
    /// Rows of logits.
    pub(in crate::backend::npu) logits_rows: usize,
    pub(in crate::backend::npu) devices: usize,
    /// Which of them this is.
    pub(in crate::backend::npu) rank: usize,
    pub(in crate::backend::npu) free: u64,
}

impl Plan {
    pub(in crate::backend::npu) fn make(facts: &Facts<'_>) -> Result<(Self, Ways, HeadLayout)> {
        let Facts { capabilities, config, options, devices, .. } = facts;
        let heads = HeadLayout::new(config.heads).ok_or_else(|| Error::Plan {
            reason: format!(
                "heads of {} elements: the device has none above 128",
                config.heads.dim
            ),
        })?;
        if config.experts % devices != 0 {
            let reason =
                format!("{} experts cannot be shared by {devices} devices", config.experts);
            return Err(Error::Plan { reason });
        }
        let heads = if options.tensor_parallel {
            let kv = config.heads.kv;
            heads.part(facts.rank, *devices).ok_or_else(|| Error::Plan {
                reason: format!("{kv} heads of keys cannot be shared by {devices} devices"),
            })?
        } else {
            heads
        };
        let (experts, why) = form::form(facts)?;
        let mut steps: Vec<_> = capabilities.steps().iter().map(planned).collect();
        if let Some(step) = steps.iter_mut().find(|step| step.name == form::PRODUCTS) {
            *step = form::products(capabilities, experts);
        }
        let absent = steps.iter().filter(|step| step.operators.is_empty()).map(|step| {
            format!("{} (the first choice lacks {})", step.name, step.missing.join(", "))
        });
        let absent: Vec<_> = absent.collect();
        if !absent.is_empty() {
            let reason = format!("this release of CANN has no operator for {}", absent.join("; "));
            return Err(Error::Plan { reason });
        }
        let ways = Ways::of(capabilities);
        let mut sizes = sizes(facts, heads, experts);
        let of_kind = |kind| config.layers.iter().filter(|&&other| other == kind).count() as u64;
        let [full, sliding] = KINDS.map(of_kind);
        let block = (2 * BLOCK * heads.kv_width() * size_of::<bf16>()) as u64;
        let sliding = sliding
            * block
            * sliding_blocks(options.sequences, config.sliding_window, facts.rows) as u64;
        let left = facts.free.saturating_sub(sizes.total() + sliding);
        let kv_positions = options.kv_positions.unwrap_or_else(|| {
            let room = left / 10 * 9 / (full * block).max(1) * BLOCK as u64;
            config.max_positions.min(room as usize)
        });
        sizes.cache = full * block * full_blocks(kv_positions) as u64 + sliding;
        let (layers, chosen) = (config.layers.len(), config.experts_per_token);
        let launches = ways.launches(layers, chosen, *devices, options.tensor_parallel);
        let plan = Self {
            launches,
            work: Work::of(facts, heads, experts, &sizes),
            soc: capabilities.soc().to_owned(),
            steps,
            experts,
            why,
            devices: *devices,
            sizes,
            free: facts.free,
            kv_positions,
            sequences: options.sequences,
        };
        plan.check(facts, heads)?;
        Ok((plan, ways, heads))
    }

    /// Blocks of each kind of layers.
    pub(in crate::backend::npu) fn blocks(&self, window: usize, rows: usize) -> (usize, usize) {
        (full_blocks(self.kv_positions), sliding_blocks(self.sequences, window, rows))
    }

    fn check(&self, facts: &Facts<'_>, heads: HeadLayout) -> Result<()> {
        let needed = self.sizes.total();
        if needed <= self.free && self.kv_positions > 0 {
            return self.check_positions();
        }
        let mut ways = Vec::new();
        for other in ExpertForm::ALL {
            let there = facts.capabilities.soc().starts_with("Ascend950");
            let possible = (other == ExpertForm::Mxfp4) == there && other != ExpertForm::Bf16;
            let smaller = sizes(facts, heads, other).total() + self.sizes.cache;
            if possible && other != self.experts && smaller < needed {
                let fits = if smaller <= self.free { "fits" } else { "still does not fit" };
                ways.push(format!("experts in {other} ({}, {fits})", gigabytes(smaller)));
            }
        }
        for devices in 2..=facts.config.experts.min(8) {
            let shared = Facts { devices, ..*facts };
            let each = sizes(&shared, heads, self.experts).total() + self.sizes.cache;
            if devices > facts.devices
                && facts.config.experts.is_multiple_of(devices)
                && each <= self.free
            {
                ways.push(format!("{devices} devices ({} each)", gigabytes(each)));
                break;
            }
        }
        let layers = facts.config.layers.len() as u64;
        let layer = (self.sizes.dense + self.sizes.experts + self.sizes.cache) / layers.max(1);
        let over = needed.saturating_sub(self.free).div_ceil(layer.max(1));
        if over < layers {
            ways.push(format!("a model cut to {} layers", layers - over));
        }
        if self.sizes.cache > needed.saturating_sub(self.free) {
            ways.push("a smaller cache".to_owned());
        }
        Err(Error::DeviceMemory {
            needed,
            weights: self.sizes.weights(),
            cache: self.sizes.cache,
            free: self.free,
            ways,
        })
    }

    /// Places in the cache are counted in 32 bits.
    fn check_positions(&self) -> Result<()> {
        let most = i32::MAX as usize - 2 * BLOCK;
        if self.kv_positions <= most {
            return Ok(());
        }
        let reason = format!("{} positions, expected at most {most}", self.kv_positions);
        Err(Error::Option { option: "kv_positions", reason })
    }
}

fn planned(step: &ascend_acl::Step) -> PlannedStep {
    let used = step.uses.and_then(|at| step.choices.get(at));
    let missing = match step.uses {
        Some(0) => Vec::new(),
        _ => step.choices.first().map(|choice| choice.missing.clone()).unwrap_or_default(),
    };
    PlannedStep {
        name: step.name,
        operators: used.map_or(&[], |choice| choice.operators),
        is_fallback: step.uses.is_some_and(|at| at > 0),
        missing,
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}
