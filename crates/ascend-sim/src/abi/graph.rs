//! Capture and replay.

use super::device::milliseconds;
use super::pointer::{Out, Raw};
use crate::runtime::capture::{self, Mode};
use crate::runtime::failure::Failure;
use crate::runtime::registry::{handle, pointer};
use crate::runtime::stream::find;
use crate::runtime::{graph, group, thread};

export! {
    "acl_rt";

    /// Begins to write down what is put on a stream.
    "8.1" fn aclmdlRICaptureBegin(stream: Raw, mode: i32) {
        capture::begin(&find(handle(stream))?, Mode::of(mode)?)
    }

    /// Whether a stream is captured: 0 no, 1 yes, 2 in vain. The graph exists at the end only; null until then.
    "8.1" fn aclmdlRICaptureGetInfo(stream: Raw, status: Out<i32>, model: Out<Raw>) {
        status.set("status", capture::status(&*find(handle(stream))?))?;
        model.set_if_wanted(std::ptr::null_mut());
        Ok(())
    }

    /// Ends a capture with its graph.
    "8.1" fn aclmdlRICaptureEnd(stream: Raw, model: Out<Raw>) {
        model.check("modelRI")?;
        model.set("modelRI", std::ptr::null_mut())?;
        model.set("modelRI", pointer(capture::end(&find(handle(stream))?)?))
    }

    /// Changes what captures forbid to the thread, and gives the old mode.
    "8.1" fn aclmdlRICaptureThreadExchangeMode(mode: Out<i32>) {
        let new = Mode::of(mode.get("mode")?)?;
        mode.set("mode", thread::exchange_mode(new).number())
    }

    /// Begins a task group.
    "8.1" fn aclmdlRICaptureTaskGrpBegin(stream: Raw) {
        capture::begin_group(&*find(handle(stream))?)
    }

    /// Ends a task group.
    "8.1" fn aclmdlRICaptureTaskGrpEnd(stream: Raw, result: Out<Raw>) {
        result.check("handle")?;
        result.set("handle", pointer(capture::end_group(&*find(handle(stream))?)?))
    }

    /// Begins to replace the launches of a task group by those that come on the stream.
    "8.1" fn aclmdlRICaptureTaskUpdateBegin(stream: Raw, target: Raw) {
        group::begin_update(&*find(handle(stream))?, handle(target))
    }

    /// Replaces them, when the stream comes to it.
    "8.1" fn aclmdlRICaptureTaskUpdateEnd(stream: Raw) {
        group::end_update(&find(handle(stream))?)
    }

    /// Runs a graph, and waits, milliseconds at most; −1 for ever.
    "8.5" fn aclmdlRIExecute(model: Raw, timeout: i32) {
        let context = thread::usable_context()?;
        given(model)?;
        graph::find(handle(model))?.execute_and_wait(&context, milliseconds(timeout)?)
    }

    /// Puts a run of a graph on a stream.
    "8.1" fn aclmdlRIExecuteAsync(model: Raw, stream: Raw) {
        given(model)?;
        graph::find(handle(model))?.execute(&find(handle(stream))?)
    }

    /// Ends a graph that does not run.
    "8.1" fn aclmdlRIDestroy(model: Raw) {
        given(model)?;
        thread::context()?;
        graph::destroy(handle(model))
    }

    /// Checks the graph; a library does not print.
    "8.1" fn aclmdlRIDebugPrint(model: Raw) {
        given(model)?;
        graph::find(handle(model)).map(drop)
    }

    /// Ends the runs of a graph before their next task.
    "8.5" fn aclmdlRIAbort(model: Raw) {
        given(model)?;
        graph::find(handle(model))?.abort();
        Ok(())
    }
}

fn given(model: Raw) -> Result<(), Failure> {
    if model.is_null() { Err(Failure::null("modelRI")) } else { Ok(()) }
}
