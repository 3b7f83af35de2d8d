//! Batches that are recorded and run again.

use std::sync::Arc;

use ascend_acl::codes::Class;
use ascend_acl::rt::{CaptureMode, Device, DeviceBuffer, Graph, Group};
use half::bf16;

use super::Npu;
use super::inputs::{GraphKey, Inputs, NpuPass};
use crate::{Error, Result};

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
    Graph(Graph, Vec<Attended>),
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
                    self.instead(key, pass, steps)
                }
                outcome => outcome,
            },
        }
    }

    /// The steps themselves, now and for all later batches of this kind.
    fn instead(
        &self,
        key: GraphKey,
        pass: &mut NpuPass,
        mut steps: impl FnMut(&mut NpuPass) -> Result<()>,
    ) -> Result<()> {
        if let Some(recorded) = pass.graphs.get_mut(&key) {
            recorded.state = State::Refused;
        }
        steps(pass)
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
                return self.instead(key, pass, steps);
            }
            (Err(_), Some(error)) => return Err(error),
            (Err(error), None) if is_refused(&error) => return self.instead(key, pass, steps),
            (Err(error), None) => return Err(Error::device("capturing a graph")(error)),
        };
        // Attention was captured with the lengths of this batch.
        match graph.launch(&self.stream) {
            Ok(()) => {
                if let Some(recorded) = pass.graphs.get_mut(&key) {
                    recorded.state = State::Graph(graph, attended);
                }
                Ok(())
            }
            Err(error) if is_refused(&error) => self.instead(key, pass, steps),
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
