//! Device memory for tests of operators, without the runtime.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::access;
use crate::dtype::DataType;
use crate::kernel::{Fault, Kernel, Reject};
use crate::memory::Memory;
use crate::profile::{Cann, Site, Soc};
use crate::scalar::Scalar;
use crate::tensor::{ND, Tensor};

/// Atlas A2 with the newer layout.
pub(crate) const A2: Site = Site { soc: Soc::Ascend910B3, cann: Cann::V8_5 };

/// Allocations at addresses that nothing else has; each may be read 32 bytes beyond its end.
#[derive(Default)]
pub(crate) struct Device {
    blocks: RefCell<BTreeMap<u64, Vec<u8>>>,
    jitter: Option<u64>,
}

const SLACK: usize = 32;
const FIRST_ADDRESS: u64 = 0x1000_0000;

impl Device {
    /// One that asks for noise in results.
    pub(crate) fn noisy(seed: u64) -> Self {
        Self { jitter: Some(seed), ..Self::default() }
    }

    /// Poisoned bytes.
    pub(crate) fn allocate(&self, bytes: usize) -> u64 {
        let mut blocks = self.blocks.borrow_mut();
        let address = blocks.last_key_value().map_or(FIRST_ADDRESS, |(address, block)| {
            (address + block.len() as u64).next_multiple_of(512) + 512
        });
        blocks.insert(address, vec![0xFF; bytes + SLACK]);
        address
    }

    /// A contiguous tensor in poisoned memory.
    pub(crate) fn empty(&self, dtype: DataType, shape: &[i64]) -> Tensor {
        let count = shape.iter().product::<i64>() as u64;
        let address = self.allocate((count * dtype.bits()).div_ceil(8) as usize);
        let mut strides = vec![1; shape.len()];
        for dim in (1..shape.len()).rev() {
            strides[dim - 1] = strides[dim] * shape[dim].max(1);
        }
        Tensor {
            dtype,
            shape: shape.to_vec(),
            strides,
            offset: 0,
            format: ND,
            storage: shape.to_vec(),
            address,
        }
    }

    /// A contiguous tensor of these values, rounded to its type.
    pub(crate) fn floats(&self, dtype: DataType, shape: &[i64], values: &[f32]) -> Tensor {
        let tensor = self.empty(dtype, shape);
        assert_eq!(tensor.len(), values.len());
        access::write_converted(self, &tensor, values).unwrap();
        tensor
    }

    /// A contiguous tensor of these integers.
    pub(crate) fn integers(&self, dtype: DataType, shape: &[i64], values: &[i64]) -> Tensor {
        let tensor = self.empty(dtype, shape);
        assert_eq!(tensor.len(), values.len());
        access::write_integers(self, &tensor, values).unwrap();
        tensor
    }

    /// A contiguous tensor with these bytes in memory, packed as they are there.
    pub(crate) fn bytes(&self, dtype: DataType, shape: &[i64], bytes: &[u8]) -> Tensor {
        let tensor = self.empty(dtype, shape);
        self.write(tensor.address, bytes).unwrap();
        tensor
    }

    /// The elements of a tensor.
    pub(crate) fn read_floats(&self, tensor: &Tensor) -> Vec<f32> {
        access::floats(self, tensor).unwrap()
    }

    /// The elements of a tensor.
    pub(crate) fn read_integers(&self, tensor: &Tensor) -> Vec<i64> {
        access::integers(self, tensor).unwrap()
    }

    /// Runs what an operator prepared; it must have been accepted, and must not fault.
    pub(crate) fn run(&self, kernel: Result<Kernel, Reject>) {
        (kernel.expect("accepted").run)(self).expect("no fault");
    }

    /// Runs what an operator prepared, which may fault.
    pub(crate) fn try_run(&self, kernel: Result<Kernel, Reject>) -> Result<(), Fault> {
        (kernel.expect("accepted").run)(self)
    }

    fn with<T>(
        &self,
        address: u64,
        len: usize,
        slack: usize,
        then: impl FnOnce(&mut [u8]) -> T,
    ) -> Result<T, Fault> {
        let mut blocks = self.blocks.borrow_mut();
        if let Some((start, block)) = blocks.range_mut(..=address).next_back() {
            let from = (address - start) as usize;
            let end = block.len() - SLACK + slack;
            if from + len <= end {
                return Ok(then(&mut block[from..from + len]));
            }
        }
        Err(Fault { status: 507_015, message: format!("{len} bytes at {address:#x}") })
    }
}

impl Memory for Device {
    fn read(&self, address: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.with(address, out.len(), SLACK, |bytes| out.copy_from_slice(bytes))
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.with(address, bytes.len(), 0, |block| block.copy_from_slice(bytes))
    }

    fn jitter(&self) -> Option<u64> {
        self.jitter
    }
}

/// A float scalar.
pub(crate) fn scalar(value: f32) -> Scalar {
    Scalar { dtype: DataType::F32, real: value.into(), integer: value as i64 }
}

/// An integer scalar.
pub(crate) fn whole(value: i64) -> Scalar {
    Scalar { dtype: DataType::I64, real: value as f64, integer: value }
}

/// Asserts that an operator refuses with this status, naming these things.
#[track_caller]
pub(crate) fn refused(kernel: Result<Kernel, Reject>, status: i32, names: &[&str]) {
    let reject = kernel.expect_err("refused");
    assert_eq!(reject.status, status, "{reject:?}");
    for name in names {
        assert!(reject.message.contains(name), "{name:?} is not in {:?}", reject.message);
    }
}
