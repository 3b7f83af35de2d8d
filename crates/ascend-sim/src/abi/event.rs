//! Events.

use std::sync::Arc;

use super::device::milliseconds;
use super::pointer::{Out, Raw};
use crate::runtime::counters::counters;
use crate::runtime::event::{self, Event, TIME_LINE};
use crate::runtime::failure::Failure;
use crate::runtime::registry::{handle, pointer};
use crate::runtime::stream;

export! {
    "acl_rt";

    /// Makes an event that has a time.
    "8.1" fn aclrtCreateEvent(result: Out<Raw>) {
        result.check("event")?;
        result.set("event", pointer(event::create(TIME_LINE, false)?))
    }

    /// Makes an event.
    "8.1" fn aclrtCreateEventWithFlag(result: Out<Raw>, flag: u32) {
        result.check("event")?;
        result.set("event", pointer(event::create(flag, false)?))
    }

    /// Makes an event that is complete until it is recorded.
    "8.1" fn aclrtCreateEventExWithFlag(result: Out<Raw>, flag: u32) {
        result.check("event")?;
        result.set("event", pointer(event::create(flag, true)?))
    }

    /// Ends an event.
    "8.1" fn aclrtDestroyEvent(target: Raw) {
        find(target)?;
        event::destroy(handle(target))
    }

    /// Marks a place on a stream.
    "8.1" fn aclrtRecordEvent(target: Raw, stream: Raw) {
        find(target)?.record(&stream::find(handle(stream))?)
    }

    /// Makes the event as if never recorded, in the order of the stream.
    "8.1" fn aclrtResetEvent(target: Raw, stream: Raw) {
        find(target)?.reset(&stream::find(handle(stream))?)
    }

    /// 1 if the event has happened, 0 if not: the other way round than every other status.
    "8.1" fn aclrtQueryEventStatus(target: Raw, status: Out<i32>) {
        status.set("status", find(target)?.is_complete()?.into())
    }

    /// 0 if all waits for the event are over, 1 if not.
    "8.1" fn aclrtQueryEventWaitStatus(target: Raw, status: Out<i32>) {
        status.set("status", (!find(target)?.are_waits_over()?).into())
    }

    /// Waits until the event has happened.
    "8.1" fn aclrtSynchronizeEvent(target: Raw) {
        counters().synchronises();
        find(target)?.synchronise(None)
    }

    /// Waits until the event has happened, milliseconds at most; −1 for ever.
    "8.1" fn aclrtSynchronizeEventWithTimeout(target: Raw, timeout: i32) {
        counters().synchronises();
        find(target)?.synchronise(milliseconds(timeout)?)
    }

    /// Milliseconds between two events.
    "8.1" fn aclrtEventElapsedTime(ms: Out<f32>, start: Raw, end: Raw) {
        ms.set("ms", find(start)?.elapsed(&*find(end)?)?)
    }

    /// Microseconds on the clock of the device.
    "8.1" fn aclrtEventGetTimestamp(target: Raw, timestamp: Out<u64>) {
        timestamp.set("timestamp", find(target)?.timestamp()?)
    }
}

/// The live event behind a pointer.
pub(super) fn find(event: Raw) -> Result<Arc<Event>, Failure> {
    if event.is_null() {
        return Err(Failure::null("event"));
    }
    event::find(handle(event))
}
