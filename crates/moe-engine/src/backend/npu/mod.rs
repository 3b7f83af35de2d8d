//! An Ascend NPU.
//!
//! [`Npu::open`] looks at the device, makes a [`Plan`] and refuses a model that it cannot run before a weight is read;
//! [`Model::open_npu`](crate::Model::open_npu) does that and uploads the weights. Nothing ever runs on the processor instead: a step
//! for which the installed release has no operator is an error of the plan.
//!
//! # How a batch runs
//!
//! What the host knows of a batch (tokens, positions, places in the cache) goes to the device in one copy of pinned memory;
//! then some fifteen operators a layer are queued, and the host waits once, for the chosen tokens or the logits. A batch in which
//! every sequence has one token is padded to the next of the sizes 1, 2, 4, 8, 16, 24, …: the first one of a size runs operator by
//! operator, the second one is captured as a graph, and all later ones are replays of it, with the lengths of attention updated.
//! Where the driver refuses to capture, operators go on to be queued one by one.
//!
//! # Rounding
//!
//! Activations, keys and values are bf16, sums are f32 inside an operator; [`Precision::Bf16`](crate::Precision::Bf16) is the only precision.
//! Results are close to those of [`Cpu`](super::Cpu) at the same precision, and not the same bits. Nor are the bits the same in every
//! batch: the vendor's kernels choose their order of sums by the shape.

// Positions and rows are below 2^31: the plan sees to it.
#![allow(clippy::cast_possible_wrap)]

mod attention;
mod cache;
mod capture;
mod experts;
mod forms;
mod heads;
mod inputs;
mod memory;
mod open;
mod options;
mod plan;
mod ranks;
mod results;
mod saved;
mod steps;
mod upload;
mod weights;

use std::sync::Mutex;

use ascend_acl::rt::{Comm, Device, DeviceBuffer, Stream};
use half::bf16;

use crate::Config;
use cache::Pools;
use forms::Squares;
use heads::HeadLayout;
use plan::Ways;
use results::Results;
use upload::Upload;

pub use cache::NpuCache;
pub use experts::{NpuExperts, NpuRouting, NpuScratch};
pub use forms::ExpertForm;
pub use inputs::NpuPass;
pub use memory::{NpuBuffer, NpuLinear, NpuVector};
pub use options::NpuOptions;
pub use plan::{Plan, PlannedStep, Sizes, StepCost};
pub use ranks::Ranks;

/// Computes on an Ascend NPU through [`ascend_acl`].
#[derive(Debug)]
pub struct Npu {
    device: Device,
    /// All steps, in order.
    stream: Stream,
    /// Where graphs get other arguments.
    updates: Stream,
    config: Config,
    plan: Plan,
    ways: Ways,
    heads: HeadLayout,
    /// The most rows of a batch.
    rows: usize,
    graphs: bool,
    pools: Pools,
    upload: Mutex<Option<Upload>>,
    constants: Constants,
    /// Held while a batch runs: a stream that is captured takes the steps of one batch.
    turn: Mutex<()>,
    results: Mutex<Results>,
    /// What packing the experts has changed so far.
    rounding: Mutex<Squares>,
    /// The other devices, of which each has a part of the experts.
    comm: Option<Comm>,
}

/// What steps need beside their arguments.
#[derive(Debug)]
struct Constants {
    /// Cosines of every position, `[positions, head]`, each half twice.
    cos: DeviceBuffer<bf16>,
    sin: DeviceBuffer<bf16>,
    /// The triangle that windows are told by.
    mask: DeviceBuffer<u8>,
    /// Queries, keys and values side by side, `[rows, all heads]`.
    fused: DeviceBuffer<bf16>,
    /// What norms also give, `[rows]`.
    rstd: DeviceBuffer<f32>,
    /// Logarithms of the sums of attention, `[rows, heads]`, and what becomes of them; where sinks are added afterwards.
    log_sum: Option<(DeviceBuffer<f32>, DeviceBuffer<bf16>)>,
}
