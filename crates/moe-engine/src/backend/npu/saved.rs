//! Sessions that leave the device and come back.

use half::bf16;

use super::steps::at;
use super::weights::HALF;
use super::{Npu, NpuCache};
use crate::{Error, LayerKind, Result};

impl Npu {
    /// Keys and values of a layer as the model has them, and the first position.
    pub(super) fn saved(
        &self,
        cache: &NpuCache,
        layer: usize,
    ) -> Result<(Vec<u8>, Vec<u8>, usize)> {
        self.has_all_heads()?;
        let both = at("reading the cache", self.pools.read(cache, layer))?;
        let [keys, values] = both.map(|rows| {
            let rows = rows.chunks(self.heads.kv_width());
            let rows = rows.flat_map(|row| self.heads.gathered(row));
            rows.flat_map(bf16::to_le_bytes).collect::<Vec<u8>>()
        });
        let first = self.pools.layer(layer).map_or(0, |layer| cache.table(layer.kind).first());
        Ok((keys, values, first))
    }

    /// Fills a layer with what [`saved`](Self::saved) gave; false if it is not of this form.
    pub(super) fn restore(
        &self,
        cache: &mut NpuCache,
        layer: usize,
        [keys, values]: [&[u8]; 2],
        first: usize,
        len: usize,
    ) -> Result<bool> {
        self.has_all_heads()?;
        let Some(kind) = self.pools.layer(layer).map(|layer| layer.kind) else { return Ok(false) };
        let row = self.heads.heads.kv * self.heads.heads.dim;
        let whole = len.checked_sub(first).and_then(|rows| rows.checked_mul(row * HALF));
        let needed = match kind {
            LayerKind::Full => 0,
            LayerKind::Sliding => (len + 1).saturating_sub(self.config.sliding_window),
        };
        if whole != Some(keys.len()) || whole != Some(values.len()) || first > needed {
            return Ok(false);
        }
        self.pools.reserve(cache, kind, first, len)?;
        if cache.table(kind).first() != first && len > first {
            return Ok(false);
        }
        cache.len = len;
        let width = self.heads.kv_width();
        let spread = |bytes: &[u8]| {
            let halves = bytes.as_chunks::<HALF>().0.iter();
            let rows: Vec<_> = halves.map(|&half| bf16::from_le_bytes(half)).collect();
            let mut there = vec![bf16::ZERO; (len - first) * width];
            for (from, to) in rows.chunks(row).zip(there.chunks_mut(width)) {
                self.heads.spread(from, to);
            }
            there
        };
        let both = [spread(keys), spread(values)];
        at("filling the cache", self.pools.write(cache, layer, [&both[0], &both[1]]))?;
        Ok(true)
    }

    /// A session is saved whole.
    fn has_all_heads(&self) -> Result<()> {
        if self.heads.heads == self.config.heads {
            return Ok(());
        }
        let reason = "keys and values are shared by several devices: none has a whole session";
        Err(Error::Session { reason: reason.to_owned() })
    }
}
