//! Streams.

use super::device::milliseconds;
use super::pointer::{Out, Raw};
use crate::runtime::counters::counters;
use crate::runtime::failure::Failure;
use crate::runtime::registry::{handle, pointer};
use crate::runtime::stream::{create, find};

const KNOWN_FLAGS: u32 = 0x3F;

export! {
    "acl_rt";

    /// Makes a stream of the current context.
    "8.1" fn aclrtCreateStream(stream: Out<Raw>) {
        stream.check("stream")?;
        stream.set("stream", pointer(create()?))
    }

    /// Makes a stream; priority (0 to 7) and flags have no effect.
    "8.1" fn aclrtCreateStreamWithConfig(stream: Out<Raw>, priority: u32, flag: u32) {
        stream.check("stream")?;
        if priority > 7 {
            return Err(Failure::parameter(format!("priority is {priority}, expected 0 to 7")));
        }
        if flag & !KNOWN_FLAGS != 0 {
            let message = format!("flag is {flag:#x}, expected bits of {KNOWN_FLAGS:#x}");
            return Err(Failure::parameter(message));
        }
        stream.set("stream", pointer(create()?))
    }

    /// Waits for a stream, and ends it.
    "8.1" fn aclrtDestroyStream(stream: Raw) {
        given(stream)?;
        find(handle(stream))?.destroy(false)
    }

    /// Drops what is on a stream, and ends it.
    "8.1" fn aclrtDestroyStreamForce(stream: Raw) {
        given(stream)?;
        find(handle(stream))?.destroy(true)
    }

    /// Waits for what is on a stream.
    "8.1" fn aclrtSynchronizeStream(stream: Raw) {
        counters().synchronises();
        find(handle(stream))?.synchronise(None)
    }

    /// Waits for what is on a stream, milliseconds at most; −1 for ever.
    "8.1" fn aclrtSynchronizeStreamWithTimeout(stream: Raw, timeout: i32) {
        counters().synchronises();
        find(handle(stream))?.synchronise(milliseconds(timeout)?)
    }

    /// 0 if all is done, 1 if not.
    "8.1" fn aclrtStreamQuery(stream: Raw, status: Out<i32>) {
        status.check("status")?;
        status.set("status", (!find(handle(stream))?.query()?).into())
    }

    /// Holds a stream until an event has happened.
    "8.1" fn aclrtStreamWaitEvent(stream: Raw, target: Raw) {
        let target = super::event::find(target)?;
        target.hold(&find(handle(stream))?)
    }

    /// Whether a stream stops at a fault (1) or goes on (0).
    "8.1" fn aclrtSetStreamFailureMode(stream: Raw, mode: u64) {
        let stream = find(handle(stream))?;
        if mode > 1 {
            let message = format!("mode is {mode}, expected 0 (continue) or 1 (stop)");
            return Err(Failure::parameter(message));
        }
        stream.set_stop_on_failure(mode == 1);
        Ok(())
    }

    /// The number of a stream.
    "8.1" fn aclrtStreamGetId(stream: Raw, stream_id: Out<i32>) {
        stream_id.set("streamId", find(handle(stream))?.id())
    }

    /// Drops what is on a stream.
    "8.1" fn aclrtStreamAbort(stream: Raw) {
        find(handle(stream))?.abort();
        Ok(())
    }
}

fn given(stream: Raw) -> Result<(), Failure> {
    if stream.is_null() { Err(Failure::null("stream")) } else { Ok(()) }
}
