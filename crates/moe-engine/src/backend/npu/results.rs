//! What comes back from the device.

use ascend_acl::op;
use ascend_acl::rt::{Device, DeviceBuffer, HostBuffer};
use ascend_acl::sys::aclDataType;
use half::bf16;

use super::plan::Pick;
use super::{Npu, NpuBuffer};
use crate::backend::Best;

/// Memory on both sides for the greatest logits of a batch.
#[derive(Debug)]
pub(super) struct Results {
    there: DeviceBuffer<u8>,
    here: Option<HostBuffer<u8>>,
}

/// Bytes of a value and of an index, each at a multiple of what the device asks for.
const INDEX: usize = size_of::<i64>();
const VALUE: usize = size_of::<bf16>();
const ALIGNMENT: usize = 64;

impl Results {
    pub(super) fn new(device: &Device) -> ascend_acl::Result<Self> {
        Ok(Self { there: DeviceBuffer::new(device, 0)?, here: None })
    }
}

impl Npu {
    /// The greatest `count` of each row among the first `below` columns.
    pub(super) fn greatest(
        &self,
        results: &mut Results,
        logits: &NpuBuffer,
        count: usize,
        below: usize,
    ) -> ascend_acl::Result<Vec<Best>> {
        let (stream, rows) = (&self.stream, logits.rows);
        let count = count.min(below);
        let all = rows * count;
        let indices_end = (all * INDEX).next_multiple_of(ALIGNMENT);
        let bytes = indices_end + (all * VALUE).next_multiple_of(ALIGNMENT);
        if all == 0 {
            return Ok(vec![Vec::new(); rows]);
        }
        if results.there.len() < bytes {
            results.there = DeviceBuffer::new(&self.device, bytes.next_power_of_two())?;
        }
        let here = results.here.take().filter(|here| here.len() >= bytes);
        let here = match here {
            Some(here) => here,
            None => HostBuffer::new(&self.device, bytes.next_power_of_two())?,
        };
        let shape = [rows, count];
        let part = results.there.slice(..bytes)?;
        let indices = part.slice(..indices_end)?.tensor_of(aclDataType::INT64, &shape)?;
        let values = part.slice(indices_end..)?.tensor_of(aclDataType::BF16, &shape)?;
        let logits = logits.tensor()?.slice(1, ..below)?;
        if count == 1 && self.ways.pick == Pick::Max {
            op::max(stream, &logits, 1, &values, &indices)?;
        } else {
            op::top_k(stream, &logits, 1, &values, &indices)?;
        }
        let here = stream.download(part, here)?.wait()?;
        let index = |at: usize| {
            let bytes = here[at * INDEX..][..INDEX].first_chunk().copied().unwrap_or_default();
            // Below the number of columns.
            i64::from_le_bytes(bytes) as u32
        };
        let value = |at: usize| {
            let bytes = here[indices_end + at * VALUE..][..VALUE].first_chunk().copied();
            bf16::from_le_bytes(bytes.unwrap_or_default()).to_f32()
        };
        let row = |row: usize| {
            let mut best: Best =
                (row * count..(row + 1) * count).map(|at| (index(at), value(at))).collect();
            best.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
            best
        };
        let best = (0..rows).map(row).collect();
        results.here = Some(here);
        Ok(best)
    }
}
