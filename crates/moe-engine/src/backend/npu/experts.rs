//! The experts of a layer on the device.

use std::ops::Range;

use ascend_acl::op::{self, FinalizeRouting, GateOrder, GroupList, GroupedMatmul, Routing, Tensor};
use ascend_acl::rt::{Device, DeviceBuffer};
use half::bf16;
use moe_kernels::Swiglu;

use super::forms::Packed;
use super::plan::{Activation, Choose, Route, Sum};
use super::{Npu, NpuBuffer};

/// Weights and biases of the experts of a layer that are on this device.
#[derive(Debug)]
pub struct NpuExperts {
    pub(super) gate_up: Packed,
    pub(super) down: Packed,
    pub(super) swiglu: Swiglu,
    /// Which of the layer's experts.
    pub(super) here: Range<usize>,
    pub(super) count: usize,
    /// On a device that has not all of them: the number of each expert here, and the factor of its answers. Those of other
    /// devices are given to the last one here and count for nothing: rows that no expert takes would be left as they
    /// are, whatever that is, and one more expert is read sooner than such rows are looked for.
    pub(super) part: Option<(DeviceBuffer<i32>, DeviceBuffer<bf16>)>,
}

/// The choice of experts for each row of a batch, `[rows, chosen]`.
#[derive(Debug)]
pub struct NpuRouting {
    pub(super) weights: DeviceBuffer<bf16>,
    pub(super) experts: DeviceBuffer<i32>,
    /// The same as int64, where the operator gives that.
    long: DeviceBuffer<i64>,
    pub(super) rows: usize,
    pub(super) chosen: usize,
}

impl NpuRouting {
    pub(super) fn new(device: &Device, rows: usize, chosen: usize) -> ascend_acl::Result<Self> {
        let all = rows * chosen;
        Ok(Self {
            weights: DeviceBuffer::new(device, all)?,
            experts: DeviceBuffer::new(device, all)?,
            long: DeviceBuffer::new(device, all)?,
            rows: 0,
            chosen,
        })
    }

    fn tensors(&self) -> ascend_acl::Result<(Tensor<'_>, Tensor<'_>)> {
        let shape = [self.rows, self.chosen];
        Ok((self.weights.tensor(&shape)?, self.experts.tensor(&shape)?))
    }
}

/// Where rows are on their way through the experts.
#[derive(Debug)]
pub struct NpuScratch {
    /// `[rows · chosen, hidden]`: the rows of each expert together, then its answers.
    sorted: DeviceBuffer<bf16>,
    answers: DeviceBuffer<bf16>,
    /// `[rows · chosen, 2 · intermediate]`.
    gate_up: DeviceBuffer<bf16>,
    /// `[rows · chosen, intermediate]`, one to compute in and two for parts of it.
    activated: [DeviceBuffer<bf16>; 3],
    places: DeviceBuffer<i32>,
    counts: DeviceBuffer<i64>,
    short_counts: DeviceBuffer<i32>,
    scales: DeviceBuffer<f32>,
    /// Experts and weights as a device has them that has not all experts.
    experts: DeviceBuffer<i32>,
    weights: DeviceBuffer<bf16>,
    factors: DeviceBuffer<bf16>,
}

impl NpuScratch {
    pub(super) fn new(npu: &Npu, rows: usize) -> ascend_acl::Result<Self> {
        let (device, config) = (&npu.device, &npu.config);
        let all = rows * config.experts_per_token;
        let of = |columns: usize| DeviceBuffer::<bf16>::new(device, all * columns);
        // The last two are for activation in parts.
        let parts =
            if npu.ways.activation == Activation::InParts { config.intermediate } else { 0 };
        let activated = [of(config.intermediate)?, of(parts)?, of(parts)?];
        Ok(Self {
            sorted: of(config.hidden)?,
            answers: of(config.hidden)?,
            gate_up: of(2 * config.intermediate)?,
            activated,
            places: DeviceBuffer::new(device, all)?,
            counts: DeviceBuffer::new(device, config.experts)?,
            short_counts: DeviceBuffer::new(device, config.experts)?,
            scales: DeviceBuffer::new(device, all)?,
            experts: DeviceBuffer::new(device, all)?,
            weights: DeviceBuffer::new(device, all)?,
            factors: DeviceBuffer::new(device, all)?,
        })
    }
}

impl Npu {
    pub(super) fn choose(
        &self,
        logits: &NpuBuffer,
        routing: &mut NpuRouting,
    ) -> ascend_acl::Result<()> {
        routing.rows = logits.rows;
        let stream = &self.stream;
        let (weights, experts) = routing.tensors()?;
        match self.ways.choose {
            Choose::AtOnce => {
                let order = GateOrder::TopKThenSoftmax;
                op::gating_top_k(stream, &logits.tensor()?, None, order, &weights, &experts)
            }
            Choose::InParts => {
                let long = routing.long.tensor(&[routing.rows, routing.chosen])?;
                op::top_k(stream, &logits.tensor()?, 1, &weights, &long)?;
                op::softmax(stream, &weights, 1, &weights)?;
                op::cast(stream, &long, &experts)
            }
        }
    }

    pub(super) fn feed_forward(
        &self,
        x: &NpuBuffer,
        experts: &NpuExperts,
        routing: &NpuRouting,
        scratch: &mut NpuScratch,
        y: &NpuBuffer,
    ) -> ascend_acl::Result<()> {
        let stream = &self.stream;
        let (hidden, inner) = (self.config.hidden, self.config.intermediate);
        let (rows, chosen) = (routing.rows, routing.chosen);
        let all = rows * chosen;
        let (mut weights, mut chosen_experts) = routing.tensors()?;
        let count = experts.here.len();
        if let Some((numbers, factors)) = &experts.part {
            let shape = [rows, chosen];
            let local = scratch.experts.tensor(&shape)?;
            let factor = scratch.factors.tensor(&shape)?;
            let own = scratch.weights.tensor(&shape)?;
            let all = experts.count;
            op::gather(stream, &numbers.tensor(&[all])?, 0, &chosen_experts, &local)?;
            op::gather(stream, &factors.tensor(&[all])?, 0, &chosen_experts, &factor)?;
            op::mul(stream, &weights, &factor, &own)?;
            (weights, chosen_experts) = (own, local);
        }
        let sorted = scratch.sorted.tensor(&[all, hidden])?;
        let places = scratch.places.tensor(&[all])?;
        let counts = scratch.counts.tensor(&[count])?;
        match self.ways.route {
            Route::Counts64 => {
                let out = Routing { rows: &sorted, places: &places, counts: &counts };
                let scales = scratch.scales.tensor(&[all])?;
                let (of, list) = (op::Experts::all(count), GroupList::Counts);
                op::init_routing(stream, &x.tensor()?, &chosen_experts, &of, list, out, &scales)?;
            }
            Route::Counts32 => {
                let short = scratch.short_counts.tensor(&[count])?;
                let out = Routing { rows: &sorted, places: &places, counts: &short };
                let list = GroupList::Counts;
                op::init_routing_v2(stream, &x.tensor()?, &chosen_experts, count, list, out)?;
                op::cast(stream, &short, &counts)?;
            }
        }
        let gate_up = scratch.gate_up.tensor(&[all, 2 * inner])?;
        self.grouped(&sorted, &experts.gate_up, &counts, &gate_up)?;
        let [activated, parts @ ..] = &scratch.activated;
        let activated = activated.tensor(&[all, inner])?;
        let unit = op::ClippedSwiglu {
            alpha: f64::from(experts.swiglu.alpha),
            limit: f64::from(experts.swiglu.limit),
            bias: 1.0,
            interleaved: true,
        };
        match self.ways.activation {
            Activation::AtOnce => unit.launch(stream, &gate_up, None, 1, &activated)?,
            Activation::InParts => {
                let [first, second] = parts;
                let parts = [first.tensor(&[all, inner])?, second.tensor(&[all, inner])?];
                unit.launch_in_parts(stream, &gate_up, 1, [&parts[0], &parts[1]], &activated)?;
            }
        }
        let answers = scratch.answers.tensor(&[all, hidden])?;
        self.grouped(&activated, &experts.down, &counts, &answers)?;
        self.sum(&answers, &places, &weights, &sorted, y)?;
        self.sum_over_devices(y)
    }

    fn grouped(
        &self,
        rows: &Tensor<'_>,
        weights: &Packed,
        groups: &Tensor<'_>,
        out: &Tensor<'_>,
    ) -> ascend_acl::Result<()> {
        let (tensor, bias) = (weights.tensor()?, weights.bias()?);
        let (scale, offset) = (weights.scale()?, weights.offset()?);
        GroupedMatmul {
            rows,
            weights: &tensor,
            groups,
            list: GroupList::Counts,
            bias: Some(&bias),
            scale: scale.as_ref(),
            offset: offset.as_ref(),
        }
        .launch(&self.stream, out)
    }

    /// `y[t] = Σ weight · answer` over the experts of a row; `scratch` is of the shape of the answers.
    fn sum<'a>(
        &self,
        answers: &Tensor<'a>,
        places: &Tensor<'a>,
        weights: &Tensor<'a>,
        scratch: &Tensor<'a>,
        y: &'a NpuBuffer,
    ) -> ascend_acl::Result<()> {
        let stream = &self.stream;
        let out = y.tensor()?;
        match self.ways.sum {
            Sum::AtOnce => {
                let (rows, weights) = (answers, Some(weights));
                FinalizeRouting { rows, places, weights, residual: None, bias: None }
                    .launch(stream, &out)
            }
            Sum::InParts => {
                op::index_select(stream, answers, 0, places, scratch)?;
                let chosen = weights.dim(1) as usize;
                let all = scratch.reshape(&[y.rows, chosen, y.columns])?;
                op::mul_in_place(stream, &all, &weights.unsqueeze(2)?)?;
                let first = all.select(1, 0)?;
                for other in 1..chosen {
                    op::add_in_place(stream, &first, &all.select(1, other)?)?;
                }
                op::copy(stream, &first, &out)
            }
        }
    }
}
