//! A device made ready for a model.

use std::sync::Mutex;

use ascend_acl::Ascend;
use ascend_acl::op::{self, Capabilities};
use ascend_acl::rt::{Device, DeviceBuffer, Stream};
use half::bf16;
use moe_kernels::Rope;

use super::cache::{BLOCK, Pools};
use super::forms::Squares;
use super::heads::HeadLayout;
use super::plan::{Facts, Plan, Sinks};
use super::results::Results;
use super::upload::Upload;
use super::{Constants, Npu, NpuOptions, Ranks};
use crate::model::LOGITS_ROWS;
use crate::weights::Weights;
use crate::{Config, Error, Options, Precision, Result};

impl Npu {
    /// What a model would do on a device and what it would take there; nothing is uploaded.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn plan(
        ascend: &Ascend,
        config: &Config,
        weights: &Weights,
        options: &Options,
        npu: &NpuOptions,
    ) -> Result<Plan> {
        let failed = |source| Error::device("opening the device")(source);
        let device = Device::open(ascend, npu.device).map_err(failed)?;
        Ok(planned(&device, config, weights, options, npu, (0, npu.devices.max(1)))?.0)
    }

    /// A device with room for a model's weights, caches and activations.
    ///
    /// # Errors
    /// - [`Error::Option`] for another precision than bf16;
    /// - [`Error::Plan`] when the device has no operator for a step, or does not take the experts in the form asked for;
    /// - [`Error::DeviceMemory`] when the model does not fit, with the sizes and what would help;
    /// - [`Error::Device`] for a device that is not there.
    pub fn open(
        ascend: &Ascend,
        config: &Config,
        weights: &Weights,
        options: &Options,
        npu: &NpuOptions,
    ) -> Result<Self> {
        Self::with_ranks(ascend, config, weights, options, npu, None)
    }

    /// [`open`](Self::open), with a part of the experts if there are other ranks.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn with_ranks(
        ascend: &Ascend,
        config: &Config,
        weights: &Weights,
        options: &Options,
        npu: &NpuOptions,
        ranks: Option<Ranks>,
    ) -> Result<Self> {
        let failed = |source| Error::device("opening the device")(source);
        let id = ranks.as_ref().map_or(npu.device, Ranks::device);
        let device = Device::open(ascend, id).map_err(failed)?;
        let rank = ranks.as_ref().map_or((0, 1), |ranks| (ranks.rank(), ranks.count()));
        let (plan, ways, heads) = planned(&device, config, weights, options, npu, rank)?;
        tracing::info!(
            device = id,
            soc = plan.soc,
            experts = plan.experts.name(),
            bytes = plan.sizes.total(),
            free = plan.free,
            "planned"
        );
        let rows = options.chunk;
        let blocks = plan.blocks(config.sliding_window, rows);
        // Blocks are used to their ends, also where fewer positions were asked for.
        let positions = config.max_positions.min(plan.kv_positions.next_multiple_of(BLOCK));
        let (cos, sin) = angles(config, heads, positions)?;
        let make = || {
            let log_sum = match ways.sinks {
                Sinks::Within => None,
                Sinks::Afterwards => Some((
                    DeviceBuffer::new(&device, rows * heads.heads.query)?,
                    DeviceBuffer::new(&device, rows * heads.heads.query)?,
                )),
            };
            Ok(Self {
                stream: Stream::new(&device)?,
                updates: Stream::new(&device)?,
                pools: Pools::new(&device, config, heads, blocks)?,
                upload: Mutex::new(Some(Upload::new(&device)?)),
                constants: Constants {
                    cos: DeviceBuffer::from_slice(&device, &cos)?,
                    sin: DeviceBuffer::from_slice(&device, &sin)?,
                    mask: op::causal_mask(&device)?,
                    fused: DeviceBuffer::new(
                        &device,
                        rows * (heads.query_width() + 2 * heads.kv_width()),
                    )?,
                    rstd: DeviceBuffer::new(&device, rows)?,
                    log_sum,
                },
                results: Mutex::new(Results::new(&device)?),
                config: config.clone(),
                // A collective has no place in a graph.
                graphs: npu.graphs && ranks.is_none() && ways.sinks == Sinks::Within,
                plan,
                ways,
                heads,
                rows,
                turn: Mutex::new(()),
                rounding: Mutex::new(Squares::default()),
                comm: ranks.map(|ranks| ranks.comm),
                device: device.clone(),
            })
        };
        make().map_err(Error::device("making room on the device"))
    }

    /// What the model does on the device, and what it takes there.
    #[must_use]
    pub fn planned(&self) -> &Plan {
        &self.plan
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How far the experts' weights on the device are from those of the checkpoint: the root of the mean square of the differences,
    /// relative to that of the weights. 0 for exact forms.
    #[must_use]
    pub fn rounding_error(&self) -> f64 {
        let squares = self.rounding.lock().map(|squares| *squares).unwrap_or_default();
        if squares.all > 0.0 { (squares.error / squares.all).sqrt() } else { 0.0 }
    }
}

fn planned(
    device: &Device,
    config: &Config,
    weights: &Weights,
    options: &Options,
    npu: &NpuOptions,
    (rank, devices): (usize, usize),
) -> Result<(Plan, super::plan::Ways, HeadLayout)> {
    if options.precision != Precision::Bf16 {
        let reason = format!(
            "is {}, expected bf16: the device's attention takes 16 bits, and gpt-oss was trained in bf16",
            options.precision
        );
        return Err(Error::Option { option: "precision", reason });
    }
    let failed = |source| Error::device("asking the device")(source);
    let capabilities = Capabilities::of(device).map_err(failed)?;
    let layer = weights.layers.first();
    let mxfp4 = layer.and_then(|layer| layer.experts.gate_up().matrix().mxfp4_row(0)).is_some();
    Plan::make(&Facts {
        capabilities: &capabilities,
        config,
        mxfp4,
        options: npu,
        rows: options.chunk,
        logits_rows: options.chunk.min(LOGITS_ROWS),
        devices,
        rank,
        free: device.memory().map_err(failed)?.free as u64,
    })
}

/// Cosines and sines of so many positions, `[positions, head]` each, rounded as transformers' bf16 model rounds them.
fn angles(config: &Config, heads: HeadLayout, positions: usize) -> Result<(Vec<bf16>, Vec<bf16>)> {
    let rope = Rope::new(&config.rope)?;
    let (mut cos, mut sin) = (Vec::new(), Vec::new());
    let mut row = [vec![0.0; heads.size], vec![0.0; heads.size]];
    for position in 0..positions {
        let [of_cos, of_sin] = &mut row;
        heads.angles(&rope, position, of_cos, of_sin)?;
        cos.extend(of_cos.iter().map(|&value| bf16::from_f32(value)));
        sin.extend(of_sin.iter().map(|&value| bf16::from_f32(value)));
    }
    Ok((cos, sin))
}
