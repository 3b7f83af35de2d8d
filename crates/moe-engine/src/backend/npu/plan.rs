//! What a model will do on a device, and what it will take there.

use std::fmt;

use ascend_acl::op::Capabilities;
use half::bf16;

use super::cache::{BLOCK, KINDS, full_blocks, sliding_blocks};
use super::forms::ExpertForm;
use super::heads::HeadLayout;
use super::options::NpuOptions;
use crate::{Config, Error, LayerKind, Result};

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

/// What a batch of one token a sequence costs.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepCost {
    /// Bytes of weights, keys and values that are read, with as many different experts as random choices hit on average.
    pub bytes: f64,
    /// Multiplications and additions.
    pub flops: f64,
    /// Operators.
    pub launches: usize,
}

/// What costs are counted from.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Work {
    layers: usize,
    sliding: usize,
    window: usize,
    experts: usize,
    chosen: usize,
    /// Bytes of one expert of one layer.
    expert: f64,
    /// Bytes of everything but the experts and the embedding table.
    dense: f64,
    /// Bytes of a position in a layer.
    position: f64,
    /// Of a token in all layers and the head, attention to others left out.
    flops: f64,
    /// Of a token for each key in a layer.
    flops_per_key: f64,
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

/// Bytes on a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// The embedding table and the head.
    pub vocabulary: u64,
    /// Attention, routers and norms.
    pub dense: u64,
    /// Experts.
    pub experts: u64,
    /// Keys and values.
    pub cache: u64,
    /// Activations and constants.
    pub activations: u64,
    /// What operators ask for beside them, estimated.
    pub workspaces: u64,
}

impl Sizes {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { vocabulary, dense, experts, cache, activations, workspaces } = self;
        vocabulary + dense + experts + cache + activations + workspaces
    }

    fn weights(&self) -> u64 {
        self.vocabulary + self.dense + self.experts
    }
}

/// One workspace for the stream and one for each graph: most operators ask for 16 MiB, few for more than twice that.
const WORKSPACES: u64 = 512 << 20;

/// How the steps are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ways {
    pub(super) embed: Embed,
    pub(super) add_norm: InOne,
    pub(super) product: InOne,
    pub(super) rotate: Rotate,
    pub(super) write_cache: WriteCache,
    pub(super) sinks: Sinks,
    pub(super) choose: Choose,
    pub(super) route: Route,
    pub(super) activation: Activation,
    pub(super) sum: Sum,
    pub(super) pick: Pick,
}

/// Which operator looks rows up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Embed {
    Embedding,
    IndexSelect,
    Gather,
}

/// Whether one operator does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InOne {
    Yes,
    No,
}

/// Queries and keys together, or one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rotate {
    Pair,
    Each,
}

/// Keys and values together, or one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteCache {
    Both,
    OneByOne,
}

/// Where sinks enter attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sinks {
    Within,
    Afterwards,
}

/// How experts are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choose {
    AtOnce,
    InParts,
}

/// The integers in which rows of experts are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Counts64,
    Counts32,
}

/// How the gated unit is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    AtOnce,
    InParts,
}

/// How answers of experts are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sum {
    AtOnce,
    InParts,
}

/// How the greatest logit is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    Max,
    TopK,
}

impl Ways {
    fn of(capabilities: &Capabilities) -> Self {
        let uses = |step: &str, first: &str| {
            capabilities.used_by(step).is_some_and(|operators| operators.contains(&first))
        };
        let either = |step, first, yes, no| if uses(step, first) { yes } else { no };
        Self {
            embed: if uses("embedding", "aclnnEmbedding") {
                Embed::Embedding
            } else {
                either("embedding", "aclnnIndexSelect", Embed::IndexSelect, Embed::Gather)
            },
            add_norm: if uses("norm with residual", "aclnnAddRmsNorm") {
                InOne::Yes
            } else {
                InOne::No
            },
            product: if uses("router", "aclnnAddmm") { InOne::Yes } else { InOne::No },
            rotate: if uses("rotary positions", "aclnnApplyRotaryPosEmb") {
                Rotate::Pair
            } else {
                Rotate::Each
            },
            write_cache: if uses("cache write", "aclnnScatterPaKvCache") {
                WriteCache::Both
            } else {
                WriteCache::OneByOne
            },
            sinks: if uses("attention with sinks", "aclnnFusedInferAttentionScoreV3") {
                Sinks::Afterwards
            } else {
                Sinks::Within
            },
            choose: if uses("expert choice", "aclnnMoeGatingTopKSoftmaxV2") {
                Choose::AtOnce
            } else {
                Choose::InParts
            },
            route: if uses("routing", "aclnnMoeInitRoutingV3") {
                Route::Counts64
            } else {
                Route::Counts32
            },
            activation: if uses("expert activation", "aclnnClippedSwiglu") {
                Activation::AtOnce
            } else {
                Activation::InParts
            },
            sum: if uses("expert sum", "aclnnMoeFinalizeRoutingV2") {
                Sum::AtOnce
            } else {
                Sum::InParts
            },
            pick: if uses("logits and choice of a token", "aclnnMaxDim") {
                Pick::Max
            } else {
                Pick::TopK
            },
        }
    }
}

/// What a plan is made from.
pub(super) struct Facts<'a> {
    pub(super) capabilities: &'a Capabilities,
    pub(super) config: &'a Config,
    /// Whether the checkpoint's experts are in MXFP4.
    pub(super) mxfp4: bool,
    pub(super) options: &'a NpuOptions,
    /// The most rows of a batch.
    pub(super) rows: usize,
    /// Rows of logits.
    pub(super) logits_rows: usize,
    pub(super) devices: usize,
    /// Which of them this is.
    pub(super) rank: usize,
    pub(super) free: u64,
}

/// The step that the form of the experts decides on.
const PRODUCTS: &str = "experts, up and down";
const NATIVE: &str = "aclnnGroupedMatmulWeightNz";

impl Plan {
    pub(super) fn make(facts: &Facts<'_>) -> Result<(Self, Ways, HeadLayout)> {
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
        let (experts, why) = form(facts)?;
        let mut steps: Vec<_> = capabilities.steps().iter().map(planned).collect();
        if let Some(step) = steps.iter_mut().find(|step| step.name == PRODUCTS) {
            *step = products(capabilities, experts);
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
        let launches = launches(ways, layers, chosen, *devices, options.tensor_parallel);
        let plan = Self {
            launches,
            work: work(facts, heads, experts, &sizes),
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

    /// What a batch of `sequences` tokens costs a device, each with `keys` keys before it.
    #[must_use]
    pub fn step(&self, sequences: usize, keys: usize) -> StepCost {
        let Work { layers, sliding, window, experts, chosen, .. } = self.work;
        // How many of the experts independent choices leave out, all of equal chance.
        let left_out = (1.0 - chosen as f64 / experts as f64).powf(sequences as f64);
        let here = (experts / self.devices) as f64 * (1.0 - left_out);
        // One more, where experts of other devices are stood in for.
        let here = if self.devices > 1 { here + 1.0 } else { here };
        let seen = (layers - sliding) * keys + sliding * keys.min(window);
        let (sequences, seen) = (sequences as f64, seen as f64);
        StepCost {
            bytes: self.work.dense
                + layers as f64 * here * self.work.expert
                + sequences * seen * self.work.position,
            flops: sequences * (self.work.flops + seen * self.work.flops_per_key),
            launches: self.launches,
        }
    }

    /// Blocks of each kind of layers.
    pub(super) fn blocks(&self, window: usize, rows: usize) -> (usize, usize) {
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
            if devices > facts.devices && facts.config.experts % devices == 0 && each <= self.free {
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

/// The products of experts in this form.
fn products(capabilities: &Capabilities, form: ExpertForm) -> PlannedStep {
    let ways: &[&'static [&'static str]] = match form {
        ExpertForm::Mxfp4 => &[&[NATIVE]],
        _ => &[&["aclnnGroupedMatmulV5"], &["aclnnGroupedMatmulV4"]],
    };
    let used = ways.iter().position(|way| way.iter().all(|name| capabilities.has(name)));
    PlannedStep {
        name: PRODUCTS,
        operators: used.map_or(&[], |at| ways[at]),
        is_fallback: used.is_some_and(|at| at > 0),
        missing: if used == Some(0) { Vec::new() } else { ways[0].to_vec() },
    }
}

/// The form of the experts' weights, and why.
fn form(facts: &Facts<'_>) -> Result<(ExpertForm, String)> {
    let Facts { capabilities, config, mxfp4, options, .. } = facts;
    let is_950 = capabilities.soc().starts_with("Ascend950");
    let sizes = [config.hidden, config.intermediate, 2 * config.intermediate];
    let in_blocks = sizes.iter().all(|size| size % 64 == 0);
    let refuse = |reason: String| Err(Error::Plan { reason });
    match options.experts {
        None if is_950 && *mxfp4 && in_blocks => {
            Ok((ExpertForm::Mxfp4, "as the checkpoint has them, which this chip multiplies".into()))
        }
        None if is_950 && *mxfp4 => {
            let why =
                format!("sizes {sizes:?} are not all multiples of 64, which MXFP4 takes here");
            Ok((ExpertForm::Bf16, why))
        }
        None if *mxfp4 => Ok((ExpertForm::Bf16, "this chip does not multiply MXFP4".into())),
        None => Ok((ExpertForm::Bf16, "as the checkpoint has them".into())),
        Some(ExpertForm::Mxfp4) if !is_950 => refuse(format!(
            "{} does not multiply MXFP4; expected bf16, int8 or int4",
            capabilities.soc()
        )),
        Some(ExpertForm::Mxfp4) if !mxfp4 => {
            refuse("the checkpoint's experts are not in MXFP4; expected bf16".to_owned())
        }
        Some(ExpertForm::Mxfp4) if !in_blocks => {
            refuse(format!("sizes {sizes:?} are not all multiples of 64, which MXFP4 takes here"))
        }
        Some(form @ (ExpertForm::Int8 | ExpertForm::Int4)) if is_950 => refuse(format!(
            "{} takes no weights in {form}; expected bf16 or mxfp4",
            capabilities.soc()
        )),
        Some(ExpertForm::Int4) if config.hidden % 32 != 0 || config.intermediate % 32 != 0 => {
            refuse(format!("sizes {sizes:?} are not all multiples of 32, the groups of int4"))
        }
        Some(form) => Ok((form, "asked for".to_owned())),
    }
}

/// All but the cache.
fn sizes(facts: &Facts<'_>, heads: HeadLayout, form: ExpertForm) -> Sizes {
    let Facts { config, rows, logits_rows, devices, .. } = facts;
    let (hidden, inner, experts) = (config.hidden, config.intermediate, config.experts);
    let layers = config.layers.len() as u64;
    let (query, kv) = (heads.query_width(), heads.kv_width());
    let fused = query + 2 * kv;
    let half = size_of::<bf16>();
    let dense = hidden * fused + fused + query * hidden + hidden + experts * hidden + experts;
    let here = experts / devices;
    let biases = 4 * (here * (2 * inner + hidden)) as u64;
    let of_experts = form.bytes(here, 2 * inner, hidden) + form.bytes(here, hidden, inner) + biases;
    let row = 3 * hidden + fused + 2 * (query + kv) + experts;
    let routed = config.experts_per_token * (2 * hidden + 5 * inner);
    Sizes {
        vocabulary: (2 * config.vocab * hidden * half) as u64,
        dense: layers * ((dense + 6 * hidden) * half) as u64,
        experts: layers * of_experts,
        cache: 0,
        activations: ((rows * (row + routed) + logits_rows * config.vocab) * half) as u64
            + (2 * config.max_positions * heads.size * half) as u64,
        workspaces: WORKSPACES.min(facts.free / 16),
    }
}

/// Operators of a batch.
fn launches(ways: Ways, layers: usize, chosen: usize, devices: usize, shared: bool) -> usize {
    let one_or = |one: bool, other: usize| if one { 1 } else { other };
    let norm = one_or(ways.add_norm == InOne::Yes, 2);
    let product = one_or(ways.product == InOne::Yes, 2);
    let experts = [
        one_or(ways.choose == Choose::AtOnce, 3),
        one_or(ways.route == Route::Counts64, 2),
        // Up and down.
        2,
        one_or(ways.activation == Activation::AtOnce, 7),
        one_or(ways.sum == Sum::AtOnce, 2 + chosen),
        // The part of a device, and the sum over all.
        if devices > 1 { 4 } else { 0 },
        usize::from(devices > 1 && shared),
    ];
    let layer = 2 * norm
        // Queries, keys and values, which are split; output; router.
        + 3 * product
        + 1
        + one_or(ways.rotate == Rotate::Pair, 2)
        + one_or(ways.write_cache == WriteCache::Both, 2)
        + one_or(ways.sinks == Sinks::Within, 5)
        + experts.iter().sum::<usize>();
    // Embedding and angles; the first norm has nothing to add; the last sum; rows, norm, head and choice.
    3 + layers * layer + 1 - norm + 1 + 4
}

fn work(facts: &Facts<'_>, heads: HeadLayout, form: ExpertForm, sizes: &Sizes) -> Work {
    let Config { hidden, intermediate, experts, experts_per_token, vocab, .. } = *facts.config;
    let layers = facts.config.layers.len();
    let sliding = facts.config.layers.iter().filter(|&&kind| kind == LayerKind::Sliding).count();
    let (query, kv) = (heads.query_width(), heads.kv_width());
    let attention = hidden * (query + 2 * kv) + query * hidden;
    // Of all devices together.
    let shared = if facts.options.tensor_parallel { facts.devices } else { 1 };
    let (attention, query) = (attention * shared, query * shared);
    let chosen = 3 * hidden * intermediate * experts_per_token;
    let of_layer = attention + hidden * experts + chosen;
    let biases = 4 * (2 * intermediate + hidden);
    let expert = form.bytes(1, 2 * intermediate, hidden) + form.bytes(1, hidden, intermediate);
    Work {
        layers,
        sliding,
        window: facts.config.sliding_window,
        experts,
        chosen: experts_per_token,
        expert: (expert + biases as u64) as f64,
        dense: (sizes.dense + sizes.vocabulary / 2) as f64,
        position: (2 * kv * size_of::<bf16>()) as f64,
        flops: 2.0 * (layers * of_layer + vocab * hidden) as f64,
        flops_per_key: 4.0 * query as f64,
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

impl fmt::Display for Plan {
    /// Two tables: steps with operators, and sizes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<30}  operators", "step")?;
        for step in &self.steps {
            write!(f, "{:<30}  {}", step.name, step.operators.join(" "))?;
            if step.is_fallback {
                write!(f, "  (for lack of {})", step.missing.join(" "))?;
            }
            writeln!(f)?;
        }
        let Sizes { vocabulary, dense, experts, cache, activations, workspaces } = self.sizes;
        writeln!(f)?;
        writeln!(f, "{:<30}  {}", "device", self.soc)?;
        writeln!(f, "{:<30}  {} ({})", "experts in", self.experts, self.why)?;
        if self.devices > 1 {
            writeln!(f, "{:<30}  {} devices", "experts shared by", self.devices)?;
        }
        let room = format!("{} positions, {} sequences", self.kv_positions, self.sequences);
        writeln!(f, "{:<30}  {room}", "cache")?;
        writeln!(f, "{:<30}  {}", "operators of a batch", self.launches)?;
        let parts = [
            ("embedding and head", vocabulary),
            ("attention, routers, norms", dense),
            ("experts", experts),
            ("keys and values", cache),
            ("activations, constants", activations),
            ("workspaces (estimated)", workspaces),
            ("all", self.sizes.total()),
            ("free", self.free),
        ];
        for (name, bytes) in parts {
            writeln!(f, "{name:<30}  {:>12.3} GB", bytes as f64 / 1e9)?;
        }
        Ok(())
    }
}
