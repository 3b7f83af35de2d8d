//! What the host tells the device of a batch.

use std::collections::BTreeMap;
use std::mem;

use ascend_acl::op::Tensor;
use ascend_acl::rt::{Device, DeviceBuffer, HostBuffer, Stream, Transfer};
use half::bf16;

use super::Npu;
use super::cache::{KINDS, NpuCache};
use super::capture::{Recorded, Recording};
use crate::LayerKind;
use crate::backend::Batch;

/// A batch on its way, and the graphs of earlier ones.
#[derive(Debug)]
pub struct NpuPass {
    /// Inputs of batches that are no graph.
    pub(super) eager: Inputs,
    /// Rows of the batch, those that only fill up included.
    pub(super) rows: usize,
    /// Which graph the batch may be, if any.
    pub(super) key: Option<GraphKey>,
    /// Of each kind of batch that came more than once.
    pub(super) graphs: BTreeMap<GraphKey, Recorded>,
    /// What is being captured.
    pub(super) recording: Option<Recording>,
    pub(super) lengths: Lengths,
    /// Places in a batch, of the rows whose logits are wanted.
    pub(super) chosen: Inputs,
    /// Cosines and sines of the rows, `[rows, head]`.
    pub(super) cos: DeviceBuffer<bf16>,
    pub(super) sin: DeviceBuffer<bf16>,
}

/// What batches must have in common to be runs of one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GraphKey {
    /// Sequences, those that only fill up included.
    pub(super) sequences: usize,
    /// Columns of the tables of blocks, full and sliding layers'.
    pub(super) blocks: [usize; 2],
}

/// Lengths that attention is told on the host.
#[derive(Clone, Debug, Default)]
pub(super) struct Lengths {
    /// Where the rows of each sequence end.
    pub(super) ends: Vec<i64>,
    /// Keys of each sequence, in full and in sliding layers.
    pub(super) keys: [Vec<i64>; 2],
}

pub(super) fn index(kind: LayerKind) -> usize {
    usize::from(kind == LayerKind::Sliding)
}

/// Integers on the device with the pinned memory that they come from.
#[derive(Debug)]
pub(super) struct Inputs {
    device: Device,
    there: DeviceBuffer<i32>,
    here: Option<HostBuffer<i32>>,
    copying: Option<Transfer<i32>>,
    layout: Layout,
}

/// Where the parts of a batch's inputs begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Layout {
    rows: usize,
    sequences: usize,
    blocks: [usize; 2],
}

/// Parts begin at multiples of 64 bytes, as allocations do.
const ALIGNMENT: usize = 16;

impl Layout {
    fn table(self, kind: usize) -> usize {
        (self.sequences * self.blocks[kind]).next_multiple_of(ALIGNMENT)
    }

    fn row(self) -> usize {
        self.rows.next_multiple_of(ALIGNMENT)
    }

    /// Tokens, positions, and the slots of both kinds, then both tables.
    fn begin(self, part: usize) -> usize {
        match part {
            0..=4 => part * self.row(),
            _ => 4 * self.row() + self.table(0),
        }
    }

    fn len(self) -> usize {
        4 * self.row() + self.table(0) + self.table(1)
    }
}

impl Inputs {
    pub(super) fn new(device: &Device) -> ascend_acl::Result<Self> {
        Ok(Self {
            device: device.clone(),
            there: DeviceBuffer::new(device, 0)?,
            here: None,
            copying: None,
            layout: Layout::default(),
        })
    }

    /// Queues a copy of `len` integers that `fill` writes. Memory is only made where there is too little; where a graph knows the
    /// memory there never is.
    fn send(
        &mut self,
        stream: &Stream,
        len: usize,
        fill: impl FnOnce(&mut [i32]),
    ) -> ascend_acl::Result<()> {
        if let Some(copying) = self.copying.take() {
            self.here = Some(copying.wait()?);
        }
        let mut here = match self.here.take() {
            Some(here) if here.len() >= len => here,
            _ => HostBuffer::new(&self.device, len.next_power_of_two())?,
        };
        if self.there.len() < len {
            self.there = DeviceBuffer::new(&self.device, len.next_power_of_two())?;
        }
        fill(&mut here[..len]);
        self.copying = Some(stream.upload(here, self.there.slice(..len)?)?);
        Ok(())
    }

    /// Sends a batch, filled up to `rows` rows and as many more sequences.
    pub(super) fn send_batch(
        &mut self,
        stream: &Stream,
        batch: &Batch<'_>,
        caches: &[&mut NpuCache],
        rows: usize,
        blocks: [usize; 2],
    ) -> ascend_acl::Result<()> {
        let filling = rows - batch.tokens.len();
        let layout = Layout { rows, sequences: caches.len() + filling, blocks };
        self.layout = layout;
        self.send(stream, layout.len(), |to| {
            to.fill(0);
            for (to, &token) in to.iter_mut().zip(batch.tokens) {
                *to = token.cast_signed();
            }
            let (_, to) = to.split_at_mut(layout.row());
            for (to, &position) in to.iter_mut().zip(batch.positions) {
                *to = position as i32;
            }
            let (_, mut to) = to.split_at_mut(layout.row());
            for kind in KINDS {
                let (slots, rest) = mem::take(&mut to).split_at_mut(layout.row());
                // Rows that fill up have places in the block that nobody else has: not every operator
                // leaves out a row without a place.
                let filling = slots[batch.tokens.len()..].iter_mut();
                filling.zip(0..).for_each(|(slot, place)| *slot = place);
                let caches = caches.iter().zip(batch.sequences);
                let all = caches.flat_map(|(cache, rows)| {
                    cache.table(kind).slots(cache.len - rows.len()..cache.len)
                });
                slots.iter_mut().zip(all).for_each(|(to, slot)| *to = slot);
                to = rest;
            }
            for kind in KINDS {
                let (table, rest) = mem::take(&mut to).split_at_mut(layout.table(index(kind)));
                let rows = table.chunks_mut(blocks[index(kind)].max(1));
                for (row, cache) in rows.zip(caches) {
                    let numbers = cache.table(kind).numbers();
                    row.iter_mut().zip(numbers).for_each(|(to, number)| *to = number);
                }
                to = rest;
            }
        })
    }

    /// Sends places.
    pub(super) fn send_rows(&mut self, stream: &Stream, rows: &[usize]) -> ascend_acl::Result<()> {
        self.layout = Layout { rows: rows.len(), ..Layout::default() };
        self.send(stream, rows.len(), |to| {
            to.iter_mut().zip(rows).for_each(|(to, &row)| *to = row as i32);
        })
    }

    pub(super) fn rows(&self) -> usize {
        self.layout.rows
    }

    fn part(&self, part: usize) -> ascend_acl::Result<Tensor<'_>> {
        let begin = self.layout.begin(part);
        self.there.slice(begin..begin + self.layout.rows)?.tensor(&[self.layout.rows])
    }

    /// `[rows]`; of what [`send_rows`](Self::send_rows) sent, the places.
    pub(super) fn tokens(&self) -> ascend_acl::Result<Tensor<'_>> {
        self.part(0)
    }

    /// `[rows]`.
    pub(super) fn positions(&self) -> ascend_acl::Result<Tensor<'_>> {
        self.part(1)
    }

    /// `[rows]`.
    pub(super) fn slots(&self, kind: LayerKind) -> ascend_acl::Result<Tensor<'_>> {
        self.part(2 + index(kind))
    }

    /// `[sequences, blocks]`.
    pub(super) fn table(&self, kind: LayerKind) -> ascend_acl::Result<Tensor<'_>> {
        let Layout { sequences, blocks, .. } = self.layout;
        let (begin, columns) = (self.layout.begin(4 + index(kind)), blocks[index(kind)]);
        self.there.slice(begin..begin + sequences * columns)?.tensor(&[sequences, columns])
    }
}

impl NpuPass {
    pub(super) fn new(npu: &Npu, rows: usize) -> ascend_acl::Result<Self> {
        let (device, size) = (&npu.device, npu.heads.size);
        Ok(Self {
            eager: Inputs::new(device)?,
            rows: 0,
            key: None,
            graphs: BTreeMap::new(),
            recording: None,
            lengths: Lengths::default(),
            chosen: Inputs::new(device)?,
            cos: DeviceBuffer::new(device, rows * size)?,
            sin: DeviceBuffer::new(device, rows * size)?,
        })
    }

    /// The inputs of the batch on its way.
    pub(super) fn inputs(&self) -> &Inputs {
        let graph = self.key.and_then(|key| self.graphs.get(&key));
        graph.map_or(&self.eager, |recorded| &recorded.inputs)
    }
}

impl Lengths {
    pub(super) fn of(batch: &Batch<'_>, caches: &[&mut NpuCache], filling: usize) -> Self {
        let mut lengths = Self::default();
        lengths.ends.extend(batch.sequences.iter().map(|rows| rows.end as i64));
        let rows = batch.tokens.len();
        // A row that fills up is a sequence of one key.
        lengths.ends.extend((1..=filling).map(|more| (rows + more) as i64));
        for kind in KINDS {
            let keys = &mut lengths.keys[index(kind)];
            keys.extend(caches.iter().map(|cache| (cache.len - cache.table(kind).first()) as i64));
            keys.extend((0..filling).map(|_| 1));
        }
        lengths
    }
}
