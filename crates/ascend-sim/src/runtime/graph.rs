//! Graphs: what a capture wrote down, run as often as wanted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::config::{machine, mix};
use super::context::Context;
use super::failure::Failure;
use super::faults::CORE_EXCEPTION;
use super::registry::{Kind, Registry, pointer};
use super::stream::{self, Stream};
use super::work::{Run, Work};
use super::{counters, group};
use crate::kernel::Fault;
use crate::sync::lock;

/// A task of a graph, which an update can replace.
#[derive(Debug)]
pub(crate) struct Slot(Mutex<Work>);

impl Slot {
    pub(super) fn new(work: Work) -> Self {
        Self(Mutex::new(work))
    }

    pub(super) fn work(&self) -> Work {
        lock(&self.0).clone()
    }

    pub(super) fn replace(&self, work: Work) {
        *lock(&self.0) = work;
    }
}

/// A task and those that come before it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(super) slot: Arc<Slot>,
    pub(super) after: Vec<usize>,
}

/// A live `aclmdlRI`.
#[derive(Debug)]
pub(crate) struct Graph {
    context: u64,
    nodes: Vec<Node>,
    groups: Vec<u64>,
    /// Two tasks that use the same workspace without an order.
    race: Option<String>,
    /// Runs that were asked for and are not over.
    runs: AtomicU64,
    aborted: AtomicBool,
    /// Held by the run that goes on: another waits for it.
    running: Mutex<()>,
    /// The stream of `aclmdlRIExecute`.
    own_stream: OnceLock<Arc<Stream>>,
}

fn graphs() -> &'static Registry<Graph> {
    static GRAPHS: OnceLock<Registry<Graph>> = OnceLock::new();
    GRAPHS.get_or_init(|| Registry::new(Kind::Graph))
}

/// Which nodes come before `ends`, those included.
pub(super) fn ancestors(nodes: &[Node], ends: &[usize]) -> Vec<bool> {
    let mut seen = vec![false; nodes.len()];
    let mut open = ends.to_vec();
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut seen[node], true) {
            open.extend(&nodes[node].after);
        }
    }
    seen
}

/// Makes a graph of a capture.
pub(super) fn create(
    context: &Arc<Context>,
    nodes: Vec<Node>,
    groups: Vec<u64>,
) -> Result<u64, Failure> {
    context.usable()?;
    let race = race(&nodes);
    Ok(graphs().insert(Graph {
        context: context.handle,
        nodes,
        groups,
        race,
        runs: AtomicU64::new(0),
        aborted: AtomicBool::new(false),
        running: Mutex::default(),
        own_stream: OnceLock::new(),
    }))
}

/// Finds two tasks that share scratch memory though neither comes before the other.
fn race(nodes: &[Node]) -> Option<String> {
    let is_chain = nodes.iter().enumerate().all(|(at, node)| {
        if at == 0 { node.after.is_empty() } else { node.after.contains(&(at - 1)) }
    });
    if is_chain {
        return None;
    }
    let works: Vec<Work> = nodes.iter().map(|node| node.slot.work()).collect();
    for (later, work) in works.iter().enumerate() {
        let before = ancestors(nodes, &[later]);
        for (earlier, other) in works.iter().enumerate().take(later) {
            let shares = work
                .scratch
                .iter()
                .any(|a| other.scratch.iter().any(|b| a.start < b.end && b.start < a.end));
            if shares && !before[earlier] {
                return Some(format!(
                    "tasks {earlier} ({}) and {later} ({}) of the graph use the same workspace, and nothing orders them",
                    other.name, work.name
                ));
            }
        }
    }
    None
}

/// A run that was asked for; over when the task is gone, run or not.
#[derive(Debug)]
struct Ticket(Arc<Graph>);

impl Ticket {
    fn new(graph: &Arc<Graph>) -> Self {
        graph.runs.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(graph))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.0.runs.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.aborted.store(false, Ordering::Release);
        }
    }
}

/// The live graph of a handle.
pub(crate) fn find(handle: u64) -> Result<Arc<Graph>, Failure> {
    graphs().get(handle).ok_or_else(|| {
        let what = Kind::describe(pointer(handle));
        Failure::new(107_017, format!("modelRI is {what}"))
    })
}

/// How many are alive.
pub(crate) fn made() -> u64 {
    graphs().len() as u64
}

/// `aclmdlRIDestroy`; refused while it runs.
pub(crate) fn destroy(handle: u64) -> Result<(), Failure> {
    let graph = find(handle)?;
    let runs = graph.runs.load(Ordering::Acquire);
    if runs > 0 {
        return Err(Failure::new(107_037, format!("modelRI has {runs} runs that are not over")));
    }
    graphs().remove(handle);
    group::forget(&graph.groups);
    if let Some(stream) = graph.own_stream.get() {
        stream.close(true);
    }
    Ok(())
}

impl Graph {
    /// `aclmdlRIExecuteAsync`: puts a run on a stream.
    pub(crate) fn execute(self: &Arc<Self>, stream: &Arc<Stream>) -> Result<(), Failure> {
        if stream.context()?.handle != self.context {
            let message = "modelRI was captured in another context than that of the stream";
            return Err(Failure::new(107_004, message));
        }
        let ticket = Ticket::new(self);
        let work = Work::new("aclmdlRIExecuteAsync", move |run| ticket.0.run(run))
            .refused_by_capture(107_026, "a graph cannot be part of another");
        counters::counters().replays();
        stream.submit(Work { scratch: self.scratch(), ..work })
    }

    /// `aclmdlRIExecute`: runs it, and waits for so long at most.
    pub(crate) fn execute_and_wait(
        self: &Arc<Self>,
        context: &Arc<Context>,
        longest: Option<Duration>,
    ) -> Result<(), Failure> {
        let stream = self.own_stream.get_or_init(|| stream::create_hidden(context));
        self.execute(stream)?;
        stream.synchronise(longest)
    }

    /// `aclmdlRIAbort`: the runs that were asked for end before their next task.
    pub(crate) fn abort(&self) {
        if self.runs.load(Ordering::Acquire) > 0 {
            self.aborted.store(true, Ordering::Release);
        }
    }

    fn scratch(&self) -> Vec<std::ops::Range<u64>> {
        let mut all: Vec<_> = self.nodes.iter().flat_map(|node| node.slot.work().scratch).collect();
        all.sort_by_key(|range| (range.start, range.end));
        all.dedup();
        all
    }

    fn run(&self, run: &Run<'_>) -> Result<(), Fault> {
        let _going = lock(&self.running);
        if let Some(race) = &self.race {
            return Err(Fault { status: CORE_EXCEPTION, message: race.clone() });
        }
        for index in self.sequence() {
            if run.cancelled() {
                return Ok(());
            }
            if self.aborted.load(Ordering::Acquire) {
                let message = format!("the graph was aborted before its task {index}");
                return Err(Fault { status: 507_023, message });
            }
            let work = self.nodes[index].slot.work();
            (work.run)(run).map_err(|fault| {
                let message =
                    format!("task {index} ({}) of the graph: {}", work.name, fault.message);
                Fault { message, ..fault }
            })?;
            run.spend(&work, true);
        }
        Ok(())
    }

    /// An order that respects what comes before what: that of the capture, or with `ASCEND_SIM_DELAY` another one in
    /// each run, so that what is missing shows.
    fn sequence(&self) -> Vec<usize> {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let Some(seed) = machine().delay else {
            return (0..self.nodes.len()).collect();
        };
        let mut chance = mix(seed ^ RUNS.fetch_add(1, Ordering::Relaxed));
        let mut missing: Vec<usize> = self.nodes.iter().map(|node| node.after.len()).collect();
        let mut followers = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            node.after.iter().for_each(|before| followers[*before].push(index));
        }
        let mut ready: Vec<usize> = (0..missing.len()).filter(|node| missing[*node] == 0).collect();
        let mut sequence = Vec::with_capacity(missing.len());
        while !ready.is_empty() {
            chance = mix(chance);
            let node = ready.swap_remove((chance % ready.len() as u64) as usize);
            for follower in &followers[node] {
                missing[*follower] -= 1;
                if missing[*follower] == 0 {
                    ready.push(*follower);
                }
            }
            sequence.push(node);
        }
        sequence
    }
}
