//! Batches that are taken in, recorded, and run again.

use std::collections::btree_map::Entry;
use std::sync::Arc;

use ascend_acl::codes::Class;
use ascend_acl::rt::{CaptureMode, Device, DeviceBuffer, Graph, Group};
use half::bf16;

use super::inputs::{GraphKey, Inputs, Lengths, NpuPass};
use super::steps::at;
use super::{Npu, NpuCache};
use crate::backend::Batch;
use crate::{Error, LayerKind, Result};

/// Batches of one kind.
#[derive(Debug)]
pub(super) struct Recorded {
    /// Where the graph finds its inputs.
    pub(super) inputs: Inputs,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    /// The next batch is the first one: it runs as it is, so that kernels are loaded and workspaces grow.
    New,
    /// The next batch is captured.
    Warm,
    Graph(Box<Graph>, Vec<Attended>),
    /// The driver does not capture this.
    Refused,
}

/// What attention of a layer needs to be given other lengths.
#[derive(Debug)]
pub(super) struct Attended {
    pub(super) group: Group,
    pub(super) layer: usize,
    pub(super) queries: Arc<DeviceBuffer<bf16>>,
    pub(super) sinks: Arc<DeviceBuffer<bf16>>,
    pub(super) out: Arc<DeviceBuffer<bf16>>,
}

/// What is noted during a capture.
pub(super) type Recording = Vec<Attended>;

impl Recorded {
    pub(super) fn new(device: &Device) -> ascend_acl::Result<Self> {
        Ok(Self { inputs: Inputs::new(device)?, state: State::New })
    }
}

/// Sizes that batches with one token a sequence are filled up to: few enough to be captured all, near enough to each
/// other that little is computed in vain.
pub(super) fn filled_up(sequences: usize) -> usize {
    match sequences {
        0..=8 => sequences.next_power_of_two(),
        9..=64 => sequences.next_multiple_of(8),
        _ => sequences.next_multiple_of(32),
    }
}

/// Columns that a table of blocks is made wider to, so that a graph lasts while sequences grow.
pub(super) fn widened(blocks: usize, most: usize) -> usize {
    blocks.next_power_of_two().max(8).min(most.max(blocks))
}

impl Npu {
    /// Gives a batch's sequences room, and sends what the device has to know of it.
    pub(super) fn take_in(
        &self,
        pass: &mut NpuPass,
        batch: &Batch<'_>,
        caches: &mut [&mut NpuCache],
    ) -> Result<()> {
        let counts: Vec<_> = batch.sequences.iter().map(std::ops::Range::len).collect();
        self.pools.grow(&self.stream, caches, &counts)?;
        let most = |kind| caches.iter().map(|cache| cache.table(kind).len()).max().unwrap_or(1);
        let mut blocks = [LayerKind::Full, LayerKind::Sliding].map(most);
        let mut rows = batch.tokens.len();
        let decodes = counts.iter().all(|&count| count == 1);
        let filled = filled_up(counts.len());
        pass.key = None;
        if self.graphs && decodes && !batch.watched && filled <= self.rows {
            rows = filled;
            let kinds = [LayerKind::Full, LayerKind::Sliding].map(|kind| self.pools.blocks(kind));
            blocks = [widened(blocks[0], kinds[0]), widened(blocks[1], kinds[1])];
            pass.key = Some(GraphKey { sequences: filled, blocks });
        }
        pass.lengths = Lengths::of(batch, caches, rows - batch.tokens.len());
        pass.rows = rows;
        let inputs = match pass.key {
            None => &mut pass.eager,
            Some(key) => {
                let recorded = match pass.graphs.entry(key) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => {
                        new.insert(at("making room", Recorded::new(&self.device))?)
                    }
                };
                &mut recorded.inputs
            }
        };
        let sent = inputs.send_batch(&self.stream, batch, caches, rows, blocks);
        at("sending a batch", sent)?;
        self.pools.give_up(caches);
        Ok(())
    }

    /// Runs the steps of a batch, or the graph of an earlier one.
    pub(super) fn run_steps(
        &self,
        pass: &mut NpuPass,
        mut steps: impl FnMut(&mut NpuPass) -> Result<()>,
    ) -> Result<()> {
        let Some(key) = pass.key else { return steps(pass) };
        let Some(recorded) = pass.graphs.get_mut(&key) else { return steps(pass) };
        match &recorded.state {
            State::Refused => steps(pass),
            State::New => {
                recorded.state = State::Warm;
                steps(pass)
            }
            State::Warm => self.capture(key, pass, steps),
            State::Graph(..) => match self.replay(key, pass) {
                Err(Error::Device { source, .. }) if is_refused(&source) => {
                    instead(&source, key, pass, steps)
                }
                outcome => outcome,
            },
        }
    }

    fn capture(
        &self,
        key: GraphKey,
        pass: &mut NpuPass,
        mut steps: impl FnMut(&mut NpuPass) -> Result<()>,
    ) -> Result<()> {
        pass.recording = Some(Vec::new());
        let mut failed = None;
        // Other threads save sessions and run other models on the device meanwhile.
        let captured = self.stream.capture(CaptureMode::ThreadLocal, |_| {
            steps(pass).map_err(|error| {
                // The capture ends with an error of its own kind; the step's is the one to tell.
                let stopped = ascend_acl::Error::Capturing { call: "the steps of a batch" };
                failed = Some(error);
                stopped
            })
        });
        let attended = pass.recording.take().unwrap_or_default();
        let graph = match (captured, failed) {
            (Ok((graph, ())), _) => graph,
            (Err(_), Some(Error::Device { source, .. })) if is_refused(&source) => {
                return instead(&source, key, pass, steps);
            }
            (Err(_), Some(error)) => return Err(error),
            (Err(error), None) if is_refused(&error) => return instead(&error, key, pass, steps),
            (Err(error), None) => return Err(Error::device("capturing a graph")(error)),
        };
        // Attention was captured with the lengths of this batch.
        match graph.launch(&self.stream) {
            Ok(()) => {
                tracing::debug!(sequences = key.sequences, blocks = ?key.blocks, "graph captured");
                if let Some(recorded) = pass.graphs.get_mut(&key) {
                    recorded.state = State::Graph(Box::new(graph), attended);
                }
                Ok(())
            }
            Err(error) if is_refused(&error) => instead(&error, key, pass, steps),
            Err(error) => Err(Error::device("running a graph")(error)),
        }
    }

    fn replay(&self, key: GraphKey, pass: &NpuPass) -> Result<()> {
        let Some(Recorded { state: State::Graph(graph, attended), inputs }) = pass.graphs.get(&key)
        else {
            return Ok(());
        };
        let update = |update: &ascend_acl::rt::Update<'_>| {
            attended.iter().try_for_each(|layer| {
                update.group(&layer.group, || {
                    let Attended { layer, queries, sinks, out, .. } = layer;
                    let memory = [queries, sinks, out].map(|memory| &**memory);
                    self.attend(&self.updates, *layer, inputs, &pass.lengths, memory)
                })
            })
        };
        graph.update(&self.updates, update).map_err(Error::device("updating a graph"))?;
        graph.launch(&self.stream).map_err(Error::device("running a graph"))
    }
}

/// The steps themselves, now and for all later batches of this kind.
fn instead(
    error: &ascend_acl::Error,
    key: GraphKey,
    pass: &mut NpuPass,
    mut steps: impl FnMut(&mut NpuPass) -> Result<()>,
) -> Result<()> {
    tracing::warn!(%error, "no graph: operators are queued one by one");
    if let Some(recorded) = pass.graphs.get_mut(&key) {
        recorded.state = State::Refused;
    }
    steps(pass)
}

/// Whether a driver has no such graphs; then nothing of the batch has run.
fn is_refused(error: &ascend_acl::Error) -> bool {
    matches!(error.class(), Class::Capture | Class::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_sizes_are_captured() {
        let sizes: std::collections::BTreeSet<_> = (1..=64).map(filled_up).collect();
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64]);
        assert!((1..500).all(|sequences| filled_up(sequences) >= sequences));
    }

    #[test]
    fn tables_stay_within_the_pool() {
        assert_eq!((widened(1, 100), widened(9, 100), widened(70, 100)), (8, 16, 100));
        assert_eq!(widened(3, 2), 3);
    }
}
