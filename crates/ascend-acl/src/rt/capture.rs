//! Writing a stream's tasks down instead of running them.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::device::CaptureMark;
use super::graph::{Graph, Group, Part};
use super::handle::Handle;
use super::recording::Recording;
use super::stream::{Mode, Stream};
use super::sync::lock;
use super::workspace::Workspace;
use crate::error::{Error, Result};
use crate::sys::aclmdlRICaptureMode;

/// What a capture forbids besides waiting for what is captured, which is never allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureMode {
    /// Waiting, copies at once and allocation, to every thread that works with the device.
    Global,
    /// The same, to the thread that captures.
    ThreadLocal,
    /// Nothing more.
    Relaxed,
}

impl CaptureMode {
    fn code(self) -> aclmdlRICaptureMode {
        match self {
            Self::Global => aclmdlRICaptureMode::GLOBAL,
            Self::ThreadLocal => aclmdlRICaptureMode::THREAD_LOCAL,
            Self::Relaxed => aclmdlRICaptureMode::RELAXED,
        }
    }
}

/// A capture that goes on; see [`Stream::capture`]. It ends on the thread that it began on, and does not go to another:
///
/// ```compile_fail,E0277
/// fn elsewhere(capture: &ascend_acl::rt::Capture<'_>) {
///     std::thread::scope(|scope| {
///         scope.spawn(|| capture.group(|| Ok(())));
///     });
/// }
/// ```
#[derive(Debug)]
pub struct Capture<'s> {
    stream: &'s Stream,
    /// A capture ends on the thread that it began on.
    not_send: PhantomData<*mut ()>,
}

/// Numbers of captures, so that a group is not taken for that of another graph.
static CAPTURES: AtomicU64 = AtomicU64::new(0);

impl Stream {
    /// Writes what `record` puts on the stream down into a graph, without running it. The graph keeps all memory alive that
    /// its tasks use, and has a workspace of its own.
    ///
    /// Operators prepare their kernels when they are first used, and workspaces grow: run the same tasks once before the
    /// capture, so that as little as possible happens in it.
    ///
    /// ```
    /// use ascend_acl::op;
    /// use ascend_acl::rt::{CaptureMode, DeviceBuffer, Stream};
    ///
    /// fn doubled_twice(stream: &Stream, x: &DeviceBuffer<f32>) -> ascend_acl::Result<()> {
    ///     let x = x.tensor(&[x.len()])?;
    ///     op::scale_in_place(stream, &x, 2.0)?;
    ///     let (graph, ()) =
    ///         stream.capture(CaptureMode::Global, |_| op::scale_in_place(stream, &x, 2.0))?;
    ///     graph.launch(stream)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `record`; [`Error::Capturing`] if the stream is being captured already; the vendor's refusals, class
    /// [`Capture`](crate::codes::Class::Capture). Inside, whatever waits or copies between host and device is refused with
    /// [`Error::Capturing`] before it can make the capture void, and so are events: a graph has the tasks of one stream.
    pub fn capture<R>(
        &self,
        mode: CaptureMode,
        record: impl FnOnce(&Capture<'_>) -> Result<R>,
    ) -> Result<(Graph, R)> {
        let session = Session::begin(self, mode)?;
        let capture = Capture { stream: self, not_send: PhantomData };
        let recorded = record(&capture);
        let ended = session.end();
        let recorded = match recorded {
            Ok(recorded) => recorded,
            Err(error) => {
                if let Ok((handle, recording)) = ended {
                    super::graph::discard(&self.device, handle, recording.into_kept());
                }
                return Err(error);
            }
        };
        let (handle, recording) = ended?;
        let graph = Graph::new(&self.device, handle, recording)?;
        Ok((graph, recorded))
    }

    /// Puts on the stream what `record` does. While the stream is captured, that becomes a group, as with
    /// [`Capture::group`]: for code that does not know whether it is captured. Otherwise there is none.
    ///
    /// # Errors
    ///
    /// Those of `record`; [`Error::Capturing`] inside another group.
    pub fn group(&self, record: impl FnOnce() -> Result<()>) -> Result<Option<Group>> {
        if !matches!(lock(&self.state).mode, Mode::Capture(_)) {
            return record().map(|()| None);
        }
        let acl = self.device.ascend.acl();
        let (begin, end) = (acl.aclmdlRICaptureTaskGrpBegin()?, acl.aclmdlRICaptureTaskGrpEnd()?);
        self.recording("aclmdlRICaptureTaskGrpBegin", |recording| {
            if recording.group.is_some() {
                return Err(Error::Capturing { call: "aclmdlRICaptureTaskGrpBegin" });
            }
            // SAFETY: the stream lives as long as the borrow.
            let code = unsafe { begin(self.handle.get()) };
            self.device.check("aclmdlRICaptureTaskGrpBegin", code)?;
            recording.group = Some(recording.len());
            Ok(())
        })?;
        let recorded = record();
        let group = self.recording("aclmdlRICaptureTaskGrpEnd", |recording| {
            let mut group = ptr::null_mut();
            // SAFETY: the stream lives as long as the borrow; `group` can be written to.
            let code = unsafe { end(self.handle.get(), &raw mut group) };
            let begin = recording.group.take().unwrap_or_default();
            let kept = recording.since(begin);
            self.device.check("aclmdlRICaptureTaskGrpEnd", code)?;
            recording.parts.push(Part { handle: Handle::new(group), kept });
            Ok(Group { graph: recording.id, index: recording.parts.len() - 1 })
        });
        recorded?;
        group.map(Some)
    }

    fn recording<R>(
        &self,
        call: &'static str,
        action: impl FnOnce(&mut Recording) -> Result<R>,
    ) -> Result<R> {
        match &mut lock(&self.state).mode {
            Mode::Capture(recording) => action(recording),
            Mode::Eager | Mode::Update(_) => Err(Error::Capturing { call }),
        }
    }
}

impl Capture<'_> {
    /// The stream that is captured.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        self.stream
    }

    /// Makes a group of the operators that `record` puts on the stream: [`Graph::update`] can give them other arguments later.
    ///
    /// # Errors
    ///
    /// Those of `record`; [`Error::Capturing`] inside another group.
    pub fn group(&self, record: impl FnOnce() -> Result<()>) -> Result<Group> {
        // The stream is captured as long as this lives.
        let ended = Error::Capturing { call: "aclmdlRICaptureTaskGrpBegin" };
        self.stream.group(record)?.ok_or(ended)
    }
}

/// The time between begin and end; ends with a panic too.
struct Session<'s> {
    stream: &'s Stream,
    mark: CaptureMark,
    is_open: bool,
}

impl<'s> Session<'s> {
    fn begin(stream: &'s Stream, mode: CaptureMode) -> Result<Self> {
        let device = &stream.device;
        let acl = device.ascend.acl();
        let begin = acl.aclmdlRICaptureBegin()?;
        acl.aclmdlRICaptureEnd()?;
        let mut state = lock(&stream.state);
        if !matches!(state.mode, Mode::Eager) {
            return Err(Error::Capturing { call: "aclmdlRICaptureBegin" });
        }
        device.bind()?;
        // As large as what the stream has needed so far, before allocation is forbidden.
        let workspace = Workspace::with(device, state.workspace_bytes())?;
        let mark = CaptureMark { mode: mode.code(), thread: thread::current().id() };
        // SAFETY: the stream lives as long as the borrow.
        let code = unsafe { begin(stream.handle.get(), mode.code()) };
        device.check("aclmdlRICaptureBegin", code)?;
        let id = CAPTURES.fetch_add(1, Ordering::Relaxed) + 1;
        state.mode = Mode::Capture(Recording::new(id, workspace, mode != CaptureMode::Relaxed));
        stream.progress.set_captured(true);
        device.begin_capture(mark);
        Ok(Self { stream, mark, is_open: true })
    }

    fn end(mut self) -> Result<(Handle, Recording)> {
        self.finish()
    }

    fn finish(&mut self) -> Result<(Handle, Recording)> {
        self.is_open = false;
        let (stream, device) = (self.stream, &self.stream.device);
        let mut graph = ptr::null_mut();
        let (mode, outcome) = {
            let mut state = lock(&stream.state);
            let mode = std::mem::replace(&mut state.mode, Mode::Eager);
            let outcome = device.attach().and_then(|()| {
                let end = device.ascend.acl().aclmdlRICaptureEnd()?;
                // SAFETY: the stream lives as long as the borrow; `graph` can be written to.
                let code = unsafe { end(stream.handle.get(), &raw mut graph) };
                device.check("aclmdlRICaptureEnd", code)
            });
            stream.progress.set_captured(false);
            (mode, outcome)
        };
        device.end_capture(self.mark);
        outcome?;
        match mode {
            Mode::Capture(recording) => Ok((Handle::new(graph), recording)),
            Mode::Eager | Mode::Update(_) => Err(Error::Capturing { call: "aclmdlRICaptureEnd" }),
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        // A panic went through: the graph is of no use.
        if let Ok((handle, recording)) = self.finish() {
            super::graph::discard(&self.stream.device, handle, recording.into_kept());
        }
    }
}
