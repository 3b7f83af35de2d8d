//! Keys and values into the cache, and attention over it.

use ascend_acl::op::{self, Attention, AttentionLayout, KeysValues, Window};
use ascend_acl::rt::{DeviceBuffer, Stream};
use ascend_acl::sys::aclDataType;
use half::bf16;

use super::cache::{BLOCK, Layer};
use super::capture::Attended;
use super::inputs::{Inputs, Lengths, NpuPass, index};
use super::plan::{Sinks, WriteCache};
use super::{Npu, NpuBuffer, NpuVector};
use crate::LayerKind;

/// Rows and columns of the mask that windows are told by.
const MASK: usize = 2048;

impl Npu {
    pub(super) fn attention_of(
        &self,
        pass: &mut NpuPass,
        layer: usize,
        [queries, keys, values]: [&NpuBuffer; 3],
        sinks: &NpuVector,
        out: &NpuBuffer,
    ) -> ascend_acl::Result<()> {
        let Some(cache) = self.pools.layer(layer) else { return Ok(()) };
        self.write_cache(pass.inputs(), cache, keys, values)?;
        let memory = [&*queries.data, &*sinks.narrow, &*out.data];
        let attend = || self.attend(&self.stream, layer, pass.inputs(), &pass.lengths, memory);
        if let Sinks::Afterwards = self.ways.sinks {
            // Lengths of one operator of several cannot be updated, so nothing of it is a group.
            attend()?;
            return self.add_sinks(out, sinks);
        }
        let group = self.stream.group(attend)?;
        if let (Some(group), Some(recording)) = (group, &mut pass.recording) {
            recording.push(Attended {
                group,
                layer,
                queries: queries.data.clone(),
                sinks: sinks.narrow.clone(),
                out: out.data.clone(),
            });
        }
        Ok(())
    }

    fn write_cache(
        &self,
        inputs: &Inputs,
        cache: &Layer,
        keys: &NpuBuffer,
        values: &NpuBuffer,
    ) -> ascend_acl::Result<()> {
        let (stream, size) = (&self.stream, self.heads.size);
        let slots = inputs.slots(cache.kind)?;
        let shape = [self.pools.blocks(cache.kind), BLOCK, self.heads.heads.kv, size];
        let there = [&cache.keys, &cache.values].map(|memory| memory.tensor(&shape));
        let [key_cache, value_cache] = there;
        let (key_cache, value_cache) = (key_cache?, value_cache?);
        match self.ways.write_cache {
            WriteCache::Both => {
                let (keys, values) = (keys.heads(size)?, values.heads(size)?);
                op::scatter_kv(stream, (&keys, &values), (&key_cache, &value_cache), &slots)
            }
            WriteCache::OneByOne => {
                let rows = [shape[0] * BLOCK, self.heads.kv_width()];
                let slots = slots.reshape(&[inputs.rows(), 1])?;
                let pairs = [(key_cache, keys), (value_cache, values)];
                pairs.into_iter().try_for_each(|(cache, rows_of)| {
                    op::scatter_nd(stream, &cache.reshape(&rows)?, &slots, &rows_of.tensor()?)
                })
            }
        }
    }

    /// Attention of a layer with `[queries, sinks, out]` in this memory.
    pub(super) fn attend(
        &self,
        stream: &Stream,
        layer: usize,
        inputs: &Inputs,
        lengths: &Lengths,
        [queries, sinks, out]: [&DeviceBuffer<bf16>; 3],
    ) -> ascend_acl::Result<()> {
        let Some(cache) = self.pools.layer(layer) else { return Ok(()) };
        let (heads, size) = (self.heads.heads, self.heads.size);
        let shape = [inputs.rows(), heads.query, size];
        let (queries, out) = (queries.tensor(&shape)?, out.tensor(&shape)?);
        let blocks = [self.pools.blocks(cache.kind), BLOCK, heads.kv * size];
        let (keys, values) = (cache.keys.tensor(&blocks)?, cache.values.tensor(&blocks)?);
        let table = inputs.table(cache.kind)?;
        let window = match cache.kind {
            LayerKind::Full => Window::causal(),
            // A configuration's window is below 2^32: contexts are.
            LayerKind::Sliding => Window::keys(self.config.sliding_window as u32),
        };
        let mask = self.constants.mask.tensor_of(aclDataType::BOOL, &[MASK, MASK])?;
        let sinks = sinks.tensor(&[heads.query])?;
        let log_sum = self.constants.log_sum.as_ref();
        let log_sum = log_sum.map(|(sums, _)| sums.tensor(&[inputs.rows(), heads.query, 1]));
        let log_sum = log_sum.transpose()?;
        let attention = Attention {
            queries: &queries,
            keys_values: KeysValues::Paged {
                keys: &keys,
                values: &values,
                blocks: &table,
                block_size: BLOCK,
            },
            layout: AttentionLayout::Tnd,
            kv_heads: heads.kv,
            scale: 1.0 / (heads.dim as f64).sqrt(),
            window,
            mask: Some(&mask),
            query_lengths: &lengths.ends,
            key_lengths: &lengths.keys[index(cache.kind)],
            sinks: matches!(self.ways.sinks, Sinks::Within).then_some(&sinks),
            log_sum: log_sum.as_ref(),
        };
        attention.launch(stream, &out)
    }

    fn add_sinks(&self, out: &NpuBuffer, sinks: &NpuVector) -> ascend_acl::Result<()> {
        let Some((sums, gate)) = &self.constants.log_sum else { return Ok(()) };
        let heads = self.heads.heads.query;
        let shape = [out.rows, heads, 1];
        let (sums, gate) = (sums.tensor(&shape)?, gate.tensor(&shape)?);
        let (out, sinks) = (out.heads(self.heads.size)?, sinks.wide.tensor(&[heads])?);
        Attention::add_sinks(&self.stream, &out, &sums, &sinks, &gate)
    }
}
