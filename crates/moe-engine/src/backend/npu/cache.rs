//! Keys and values in blocks of a pool.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use ascend_acl::rt::{Device, DeviceBuffer, Stream};
use half::bf16;

use super::heads::HeadLayout;
use crate::{Config, Error, LayerKind, Result};

/// Positions of a block: what vendors of paged attention usually take.
pub(super) const BLOCK: usize = 128;

/// Memory for keys and values of all sequences, made once. All layers of a kind see the same positions, so they share the numbers of
/// blocks: block 7 is one of each such layer.
#[derive(Debug)]
pub(super) struct Pools {
    /// Of each layer, in the order of the model.
    layers: Vec<Layer>,
    full: Arc<Numbers>,
    sliding: Arc<Numbers>,
    /// Elements of the keys of a position.
    width: usize,
    /// Keys that sliding layers see.
    window: usize,
}

#[derive(Debug)]
pub(super) struct Layer {
    pub(super) kind: LayerKind,
    /// `[blocks, BLOCK, heads, size]`.
    pub(super) keys: Arc<DeviceBuffer<bf16>>,
    pub(super) values: Arc<DeviceBuffer<bf16>>,
}

/// Numbers of blocks that nobody has.
#[derive(Debug)]
struct Numbers {
    free: Mutex<Vec<u32>>,
    /// All there are, the one for padding included.
    all: usize,
}

impl Numbers {
    fn new(all: usize) -> Arc<Self> {
        // Block 0 is what rows that only fill a batch up look at.
        let free = (1..all as u32).rev().collect();
        Arc::new(Self { free: Mutex::new(free), all })
    }

    fn free(&self) -> usize {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn take(self: &Arc<Self>) -> Option<Arc<Block>> {
        let number = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(Arc::new(Block { number, of: Arc::clone(self) }))
    }
}

/// A block, which goes back to its pool with its last owner.
#[derive(Debug)]
struct Block {
    number: u32,
    of: Arc<Numbers>,
}

impl Drop for Block {
    fn drop(&mut self) {
        self.of.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
    }
}

/// The blocks of one sequence in the layers of a kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    blocks: VecDeque<Arc<Block>>,
    /// The first position of the first block.
    first: usize,
}

impl Table {
    /// Blocks that `len` positions take beyond those that are there, and one if the last one is shared and to be written to.
    fn missing(&self, before: usize, len: usize) -> usize {
        let needed = (len - self.first).div_ceil(BLOCK);
        needed.saturating_sub(self.blocks.len()) + usize::from(self.shares_last(before))
    }

    /// Whether the block in which position `before` would be is there, and somebody else has it too.
    fn shares_last(&self, before: usize) -> bool {
        let last = self.blocks.get((before - self.first) / BLOCK);
        last.is_some_and(|block| Arc::strong_count(block) > 1)
    }

    /// Where a position is: a number of rows from the beginning of the pool.
    fn slot(&self, position: usize) -> i32 {
        let at = position - self.first;
        let block = self.blocks.get(at / BLOCK).map_or(0, |block| block.number);
        // Pools have fewer than 2^31 rows: the plan sees to it.
        block.cast_signed() * BLOCK as i32 + (at % BLOCK) as i32
    }

    fn give_up(&mut self, needed: usize) {
        while self.first + BLOCK <= needed && self.blocks.len() > 1 {
            self.blocks.pop_front();
            self.first += BLOCK;
        }
    }

    pub(super) fn first(&self) -> usize {
        self.first
    }

    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = i32> {
        self.blocks.iter().map(|block| block.number.cast_signed())
    }

    pub(super) fn slots(&self, positions: Range<usize>) -> impl Iterator<Item = i32> {
        positions.map(|position| self.slot(position))
    }
}

/// Keys and values of one sequence.
#[derive(Clone, Debug, Default)]
pub struct NpuCache {
    pub(super) full: Table,
    pub(super) sliding: Table,
    pub(super) len: usize,
}

impl NpuCache {
    pub(super) fn table(&self, kind: LayerKind) -> &Table {
        match kind {
            LayerKind::Full => &self.full,
            LayerKind::Sliding => &self.sliding,
        }
    }

    fn table_mut(&mut self, kind: LayerKind) -> &mut Table {
        match kind {
            LayerKind::Full => &mut self.full,
            LayerKind::Sliding => &mut self.sliding,
        }
    }
}

pub(super) const KINDS: [LayerKind; 2] = [LayerKind::Full, LayerKind::Sliding];

/// Blocks of the sliding layers for so many sequences that see `window` keys: those that a token sees lie in one block more than they fill,
/// and a batch of `rows` new ones comes on top, in the worst case a block of each sequence begun.
pub(super) fn sliding_blocks(sequences: usize, window: usize, rows: usize) -> usize {
    1 + sequences * (window.div_ceil(BLOCK) + 1) + rows.div_ceil(BLOCK) + sequences
}

/// Blocks of the full layers for so many positions of all sequences.
pub(super) fn full_blocks(positions: usize) -> usize {
    1 + positions.div_ceil(BLOCK)
}

impl Pools {
    pub(super) fn new(
        device: &Device,
        config: &Config,
        heads: HeadLayout,
        (full, sliding): (usize, usize),
    ) -> Result<Self, ascend_acl::Error> {
        let width = heads.kv_width();
        let layer = |&kind: &LayerKind| {
            let blocks = if kind == LayerKind::Full { full } else { sliding };
            let memory = || {
                let memory = DeviceBuffer::<bf16>::new(device, blocks * BLOCK * width)?;
                // What rows of padding look at.
                memory.slice(..BLOCK * width)?.fill_bytes(0)?;
                Ok::<_, ascend_acl::Error>(Arc::new(memory))
            };
            Ok(Layer { kind, keys: memory()?, values: memory()? })
        };
        Ok(Self {
            layers: config.layers.iter().map(layer).collect::<Result<_, ascend_acl::Error>>()?,
            full: Numbers::new(full),
            sliding: Numbers::new(sliding),
            width,
            window: config.sliding_window,
        })
    }

    pub(super) fn layer(&self, layer: usize) -> Option<&Layer> {
        self.layers.get(layer)
    }

    /// Blocks of a layer of this kind.
    pub(super) fn blocks(&self, kind: LayerKind) -> usize {
        self.numbers(kind).all
    }

    fn numbers(&self, kind: LayerKind) -> &Arc<Numbers> {
        match kind {
            LayerKind::Full => &self.full,
            LayerKind::Sliding => &self.sliding,
        }
    }

    fn of_kind(&self, kind: LayerKind) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(move |layer| layer.kind == kind)
    }

    /// Gives each cache room for so many more positions, and blocks of its own where it will write.
    ///
    /// # Errors
    /// [`Error::CacheFull`], and nothing is changed then.
    pub(super) fn grow(
        &self,
        stream: &Stream,
        caches: &mut [&mut NpuCache],
        counts: &[usize],
    ) -> Result<()> {
        for kind in KINDS {
            let each = caches.iter().zip(counts);
            let needed: usize = each
                .map(|(cache, count)| cache.table(kind).missing(cache.len, cache.len + count))
                .sum();
            let free = self.numbers(kind).free();
            if needed > free {
                return Err(Error::CacheFull {
                    layers: kind,
                    needed: needed * BLOCK,
                    free: free * BLOCK,
                });
            }
        }
        for (cache, &count) in caches.iter_mut().zip(counts) {
            let (before, len) = (cache.len, cache.len + count);
            for kind in KINDS {
                self.own_last(stream, kind, cache.table_mut(kind), before)?;
                let table = cache.table_mut(kind);
                while table.blocks.len() * BLOCK < len - table.first {
                    let block = self.numbers(kind).take();
                    // Counted above; only this call takes blocks.
                    table.blocks.push_back(block.ok_or(Error::CacheFull {
                        layers: kind,
                        needed: BLOCK,
                        free: 0,
                    })?);
                }
            }
            cache.len = len;
        }
        Ok(())
    }

    /// Copies the block that will be written to if somebody else has it too.
    fn own_last(
        &self,
        stream: &Stream,
        kind: LayerKind,
        table: &mut Table,
        before: usize,
    ) -> Result<()> {
        let at = (before - table.first) / BLOCK;
        if !table.shares_last(before) {
            return Ok(());
        }
        let (Some(old), Some(own)) = (table.blocks.get_mut(at), self.numbers(kind).take()) else {
            return Ok(());
        };
        let rows = |block: &Block| {
            let begin = block.number as usize * BLOCK * self.width;
            begin..begin + BLOCK * self.width
        };
        for layer in self.of_kind(kind) {
            for memory in [&layer.keys, &layer.values] {
                let copied = memory
                    .slice(rows(old))
                    .and_then(|from| stream.copy(from, memory.slice(rows(&own))?));
                copied.map_err(Error::device("copying a shared block of the cache"))?;
            }
        }
        *old = own;
        Ok(())
    }

    /// Gives up what no token after the last one sees. Tasks that are queued already still find it: whoever gets the blocks next
    /// writes to them later on the same stream.
    pub(super) fn give_up(&self, caches: &mut [&mut NpuCache]) {
        for cache in caches {
            let needed = (cache.len + 1).saturating_sub(self.window);
            cache.sliding.give_up(needed);
        }
    }

    /// Bytes that a sequence holds.
    pub(super) fn bytes(&self, cache: &NpuCache) -> u64 {
        let of_kind = |kind| self.of_kind(kind).count() * cache.table(kind).len();
        let blocks: usize = KINDS.into_iter().map(of_kind).sum();
        (2 * blocks * BLOCK * self.width * size_of::<bf16>()) as u64
    }

    /// Forgets positions; false if what the next token would see is not all there.
    pub(super) fn truncate(&self, cache: &mut NpuCache, len: usize) -> bool {
        if len >= cache.len {
            return true;
        }
        let needed = (len + 1).saturating_sub(self.window);
        if needed < cache.sliding.first || len < cache.sliding.first {
            return false;
        }
        for kind in KINDS {
            let table = cache.table_mut(kind);
            table.blocks.truncate((len - table.first).div_ceil(BLOCK));
        }
        cache.len = len;
        true
    }

    /// Keys and values of a layer, of all positions that are kept, one block after another.
    pub(super) fn read(
        &self,
        cache: &NpuCache,
        layer: usize,
    ) -> Result<[Vec<bf16>; 2], ascend_acl::Error> {
        let Some(layer) = self.layer(layer) else { return Ok([Vec::new(), Vec::new()]) };
        let table = cache.table(layer.kind);
        let mut both = [Vec::new(), Vec::new()];
        for block in &table.blocks {
            let begin = block.number as usize * BLOCK * self.width;
            for (memory, to) in [&layer.keys, &layer.values].into_iter().zip(&mut both) {
                to.extend(memory.slice(begin..begin + BLOCK * self.width)?.to_vec()?);
            }
        }
        for rows in &mut both {
            rows.truncate((cache.len - table.first) * self.width);
        }
        Ok(both)
    }

    /// Gives an empty cache, or one with other layers filled in the same way, positions from `first` to `len` of a kind of layers.
    pub(super) fn reserve(
        &self,
        cache: &mut NpuCache,
        kind: LayerKind,
        first: usize,
        len: usize,
    ) -> Result<()> {
        let table = cache.table_mut(kind);
        if !table.blocks.is_empty() || len == first {
            return Ok(());
        }
        let needed = (len - first).div_ceil(BLOCK);
        let free = self.numbers(kind).free();
        let full = || Error::CacheFull { layers: kind, needed: needed * BLOCK, free: free * BLOCK };
        table.first = first;
        for _ in 0..needed {
            table.blocks.push_back(self.numbers(kind).take().ok_or_else(full)?);
        }
        Ok(())
    }

    /// Fills a layer of a cache that has room.
    pub(super) fn write(
        &self,
        cache: &NpuCache,
        layer: usize,
        both: [&[bf16]; 2],
    ) -> Result<(), ascend_acl::Error> {
        let Some(layer) = self.layer(layer) else { return Ok(()) };
        let table = cache.table(layer.kind);
        for (memory, rows) in [&layer.keys, &layer.values].into_iter().zip(both) {
            for (block, rows) in table.blocks.iter().zip(rows.chunks(BLOCK * self.width)) {
                let begin = block.number as usize * BLOCK * self.width;
                memory.slice(begin..begin + rows.len())?.write(rows)?;
            }
        }
        Ok(())
    }
}
