//! Graphs: tasks written down once and run as often as wanted.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::block::Block;
use super::device::{Device, Shared};
use super::event::Event;
use super::garbage::{Garbage, Item};
use super::handle::Handle;
use super::recording::Recording;
use super::stream::{Mode, Stream};
use super::sync::lock;
use super::uses::{Use, Uses};
use super::workspace::Workspace;
use crate::error::{Error, Result};

/// Tasks that [`Stream::capture`] wrote down.
///
/// A run uses the memory that the tasks were captured with, whose contents may change between runs. The graph keeps that memory alive. Runs of
/// one graph follow each other, on whichever streams they are.
pub struct Graph {
    device: Arc<Shared>,
    handle: Handle,
    id: u64,
    /// The tasks that run it. Shared with the memory that it uses, so that the host waits for them.
    runs: Arc<Mutex<Uses>>,
    state: Mutex<State>,
    /// Recorded after each run.
    ran: Event,
    /// Recorded after each update.
    updated: Event,
}

struct State {
    kept: Vec<Arc<Block>>,
    parts: Vec<Part>,
    workspace: Workspace,
    last_run: Option<Use>,
    /// An update was made since the last run.
    is_updated: bool,
}

/// A group of tasks and the memory that they use by now.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) handle: Handle,
    pub(super) kept: Vec<Arc<Block>>,
}

/// Tasks of a graph whose arguments can be replaced; see [`Capture::group`](super::Capture::group).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    pub(super) graph: u64,
    pub(super) index: usize,
}

/// An update that goes on; see [`Graph::update`].
#[derive(Debug)]
pub struct Update<'g> {
    graph: &'g Graph,
    stream: &'g Stream,
}

/// Destroys a graph that nobody has seen.
pub(super) fn discard(device: &Shared, handle: Handle, kept: Vec<Arc<Block>>) {
    device.discard(Garbage { uses: Uses::default(), item: Item::Graph(handle, kept) });
}

impl Graph {
    pub(super) fn new(
        device: &Arc<Shared>,
        handle: Handle,
        mut recording: Recording,
    ) -> Result<Self> {
        let workspace = std::mem::take(&mut recording.workspace);
        let parts = std::mem::take(&mut recording.parts);
        let id = recording.id;
        let kept = recording.into_kept();
        let events =
            Event::create(device, false).and_then(|ran| Ok((ran, Event::create(device, false)?)));
        let (ran, updated) = match events {
            Ok(events) => events,
            Err(error) => {
                discard(device, handle, kept);
                return Err(error);
            }
        };
        let runs = Arc::default();
        for block in &kept {
            block.mark_graph(&runs);
        }
        let state = Mutex::new(State { kept, parts, workspace, last_run: None, is_updated: false });
        Ok(Self { device: Arc::clone(device), handle, id, runs, state, ran, updated })
    }

    /// The device of the graph.
    #[must_use]
    pub fn device(&self) -> Device {
        Device { shared: Arc::clone(&self.device) }
    }

    /// Puts a run of the graph on a stream. It begins after the last run and the last update of the graph.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for a stream of another device; [`Error::Capturing`] on a stream that is being captured.
    pub fn launch(&self, stream: &Stream) -> Result<()> {
        stream.same_device("launch", "the graph", &self.device)?;
        let execute = self.device.ascend.acl().aclmdlRIExecuteAsync()?;
        let mut state = lock(&self.state);
        self.follow_last_run(&state, stream)?;
        if state.is_updated {
            stream.wait_event(&self.updated)?;
        }
        stream.put_eager("aclmdlRIExecuteAsync", |place, used| {
            // Waits for a host copy to or from the memory of the graph.
            lock(&self.runs).mark(&used.progress, used.task);
            state.last_run = Some(used);
            // SAFETY: graph and stream live as long as the borrows, and the graph, with all memory that it uses, is
            // kept until the run is over.
            let code = unsafe { execute(self.handle.get(), place.stream) };
            self.device.check("aclmdlRIExecuteAsync", code)
        })?;
        state.is_updated = false;
        stream.record(&self.ran)
    }

    /// Gives groups of tasks other arguments, for all runs from now on. The update takes its turn on `stream`, after the last run
    /// and before the next one, whichever streams those are on; the host does not wait.
    ///
    /// ```
    /// use ascend_acl::op;
    /// use ascend_acl::rt::{CaptureMode, DeviceBuffer, Stream};
    ///
    /// fn scaled(stream: &Stream, updates: &Stream, x: &DeviceBuffer<f32>) -> ascend_acl::Result<()> {
    ///     let x = x.tensor(&[x.len()])?;
    ///     let (graph, group) = stream.capture(CaptureMode::Global, |capture| {
    ///         capture.group(|| op::scale_in_place(stream, &x, 2.0))
    ///     })?;
    ///     graph.launch(stream)?;
    ///     graph.update(updates, |update| {
    ///         update.group(&group, || op::scale_in_place(updates, &x, 3.0))
    ///     })?;
    ///     graph.launch(stream)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `change`. What was updated before an error stays updated.
    pub fn update<R>(
        &self,
        stream: &Stream,
        change: impl FnOnce(&Update<'_>) -> Result<R>,
    ) -> Result<R> {
        stream.same_device("update", "the graph", &self.device)?;
        self.follow_last_run(&lock(&self.state), stream)?;
        let changed = change(&Update { graph: self, stream });
        lock(&self.state).is_updated = true;
        stream.record(&self.updated)?;
        changed
    }

    fn follow_last_run(&self, state: &State, stream: &Stream) -> Result<()> {
        match &state.last_run {
            Some(last) if !Arc::ptr_eq(&last.progress, &stream.progress) => {
                stream.wait_event(&self.ran)
            }
            _ => Ok(()),
        }
    }
}

impl Update<'_> {
    /// Replaces the arguments of a group: `record` must put the same operators on the stream of the update that the group was
    /// captured with, in the same order.
    ///
    /// # Errors
    ///
    /// Those of `record`; [`Error::Argument`] for a group of another graph; the vendor's 107040, perhaps wrapped as
    /// 361001, if the operators are others. The group is as before then.
    pub fn group(&self, group: &Group, record: impl FnOnce() -> Result<()>) -> Result<()> {
        let (graph, stream) = (self.graph, self.stream);
        let acl = graph.device.ascend.acl();
        let begin = acl.aclmdlRICaptureTaskUpdateBegin()?;
        acl.aclmdlRICaptureTaskUpdateEnd()?;
        let (handle, workspace) = {
            let state = lock(&graph.state);
            let part = state.parts.get(group.index).filter(|_| group.graph == graph.id);
            let Some(part) = part else {
                return Err(Error::Argument {
                    operation: "update",
                    argument: "group",
                    got: "one of another graph".to_owned(),
                    expected: "one that was made while this graph was captured".to_owned(),
                });
            };
            (part.handle, state.workspace.clone())
        };
        let started = {
            let mut state = lock(&stream.state);
            if matches!(state.mode, Mode::Eager) {
                graph.device.bind().and_then(|()| {
                    // SAFETY: the stream lives as long as the borrow, the group as long as its graph.
                    let code = unsafe { begin(stream.handle.get(), handle.get()) };
                    graph.device.check("aclmdlRICaptureTaskUpdateBegin", code)?;
                    state.mode = Mode::Update(Recording::new(0, workspace, false));
                    Ok(())
                })
            } else {
                Err(Error::Capturing { call: "aclmdlRICaptureTaskUpdateBegin" })
            }
        };
        started?;
        let session = Session { graph, stream, index: group.index, is_open: true };
        let recorded = record();
        let ended = session.end(recorded.is_ok());
        recorded.and(ended)
    }
}

/// The time between begin and end of an update; ends with a panic too.
struct Session<'g> {
    graph: &'g Graph,
    stream: &'g Stream,
    index: usize,
    is_open: bool,
}

impl Session<'_> {
    fn end(mut self, is_whole: bool) -> Result<()> {
        self.finish(is_whole)
    }

    fn finish(&mut self, is_whole: bool) -> Result<()> {
        self.is_open = false;
        let (graph, stream) = (self.graph, self.stream);
        // Held until the memory knows of the graph, so that no run begins before.
        let mut graph_state = lock(&graph.state);
        let (mode, ended) = {
            let mut state = lock(&stream.state);
            let mode = std::mem::replace(&mut state.mode, Mode::Eager);
            let task = stream.progress.put() + 1;
            lock(&graph.runs).mark(&stream.progress, task);
            let ended = graph.device.attach().and_then(|()| {
                let end = graph.device.ascend.acl().aclmdlRICaptureTaskUpdateEnd()?;
                // SAFETY: the stream lives as long as the borrow.
                let code = unsafe { end(stream.handle.get()) };
                graph.device.check("aclmdlRICaptureTaskUpdateEnd", code)
            });
            stream.progress.set_put(task);
            (mode, ended)
        };
        let Mode::Update(mut recording) = mode else { return ended };
        graph_state.workspace = std::mem::take(&mut recording.workspace);
        let kept = recording.into_kept();
        for block in &kept {
            block.mark_graph(&graph.runs);
        }
        let Some(part) = graph_state.parts.get_mut(self.index) else { return ended };
        if is_whole && ended.is_ok() {
            let old = std::mem::replace(&mut part.kept, kept);
            drop(graph_state);
            // Runs that go on, and the update itself, come before the old memory is freed.
            let uses = lock(&graph.runs).clone();
            for block in &old {
                block.mark_all(&uses);
            }
        } else {
            // Whatever became of it, nothing is freed that it might refer to.
            part.kept.extend(kept);
        }
        ended
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // A panic goes through, which is the news; the vendor refuses half an update.
            let _ = self.finish(false);
        }
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        let uses = std::mem::take(&mut *lock(&self.runs));
        let mut state = lock(&self.state);
        let mut kept = std::mem::take(&mut state.kept);
        kept.extend(state.parts.drain(..).flat_map(|part| part.kept));
        kept.extend(std::mem::take(&mut state.workspace).block());
        self.device.discard(Garbage { uses, item: Item::Graph(self.handle, kept) });
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("id", &self.id).finish_non_exhaustive()
    }
}
