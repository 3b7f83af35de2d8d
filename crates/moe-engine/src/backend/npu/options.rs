//! How a model is put on a device.

use super::ExpertForm;

/// How a model is put on an NPU.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NpuOptions {
    /// The number of the device among those that the process sees.
    pub device: i32,
    /// The form of the experts' weights on the device; the best exact one of the chip if `None`: MXFP4 on a 950 where the checkpoint
    /// has it and the sizes suit, else bf16.
    pub experts: Option<ExpertForm>,
    /// Positions that all sequences together have room for in the full layers, in blocks of 128; if `None`, one sequence of the
    /// model's longest context, or as many as nine tenths of what the weights leave have room for if that is less.
    pub kv_positions: Option<usize>,
    /// Sequences that the sliding layers have room for.
    pub sequences: usize,
    /// Whether batches with one token a sequence become graphs.
    pub graphs: bool,
    /// Devices that share the experts; where [`Ranks`](super::Ranks) are given, they are counted.
    pub devices: usize,
    /// Whether devices that share the experts share attention too: each has a part of the heads, and its part of the cache. Half as many
    /// bytes are read and held for it on two devices, for one more sum over all devices in every layer.
    pub tensor_parallel: bool,
}

impl Default for NpuOptions {
    fn default() -> Self {
        Self {
            device: 0,
            experts: None,
            kv_positions: None,
            sequences: 64,
            graphs: true,
            devices: 1,
            tensor_parallel: false,
        }
    }
}

impl NpuOptions {
    /// On this device, all else by default.
    #[must_use]
    pub fn on(device: i32) -> Self {
        Self { device, ..Self::default() }
    }
}
