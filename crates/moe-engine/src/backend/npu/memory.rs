//! What lies on the device.

use std::sync::Arc;

use ascend_acl::op::Tensor;
use ascend_acl::rt::DeviceBuffer;
use ascend_acl::sys::aclDataType;
use half::bf16;

/// Rows of bf16 on the device. The memory is for the most rows that there can be.
#[derive(Debug)]
pub struct NpuBuffer {
    pub(super) data: Arc<DeviceBuffer<bf16>>,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl NpuBuffer {
    /// The rows in use.
    pub(super) fn tensor(&self) -> ascend_acl::Result<Tensor<'_>> {
        self.data.tensor(&[self.rows, self.columns])
    }

    /// So many of the rows that there is memory for, whether in use or not.
    pub(super) fn first(&self, rows: usize) -> ascend_acl::Result<Tensor<'_>> {
        self.data.tensor(&[rows, self.columns])
    }

    /// The rows in use, each as heads of so many elements.
    pub(super) fn heads(&self, size: usize) -> ascend_acl::Result<Tensor<'_>> {
        self.data.tensor(&[self.rows, self.columns / size, size])
    }
}

/// A small vector on the device.
#[derive(Debug)]
pub struct NpuVector {
    pub(super) narrow: Arc<DeviceBuffer<bf16>>,
    /// The same in f32, for operators that want that.
    pub(super) wide: Arc<DeviceBuffer<f32>>,
}

/// A matrix on the device, `[outputs, inputs]` in bf16, with its bias.
#[derive(Debug)]
pub struct NpuLinear {
    pub(super) weight: DeviceBuffer<u8>,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    pub(super) bias: Option<DeviceBuffer<bf16>>,
    /// Whether this is a part of the inputs, so that results are summed over all devices.
    pub(super) is_part: bool,
}

impl NpuLinear {
    /// `[outputs, inputs]`.
    pub(super) fn table(&self) -> ascend_acl::Result<Tensor<'_>> {
        self.weight.tensor_of(aclDataType::BF16, &[self.outputs, self.inputs])
    }

    pub(super) fn bytes(&self) -> u64 {
        let bias = self.bias.as_ref().map_or(0, DeviceBuffer::len);
        (self.weight.len() + bias * size_of::<bf16>()) as u64
    }
}
