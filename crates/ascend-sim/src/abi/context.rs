//! Contexts.

use super::pointer::{Out, Raw};
use crate::runtime::failure::Failure;
use crate::runtime::registry::{handle, pointer};
use crate::runtime::{context, thread};

export! {
    "acl_rt";

    /// Makes a context of a device, which becomes current.
    "8.1" fn aclrtCreateContext(result: Out<Raw>, device_id: i32) {
        result.check("context")?;
        result.set("context", pointer(context::make(device_id)?))
    }

    /// Waits for the streams of a context, and ends them and it.
    "8.1" fn aclrtDestroyContext(target: Raw) {
        given(target)?;
        context::destroy(handle(target))
    }

    /// Makes a context current for the thread.
    "8.1" fn aclrtSetCurrentContext(target: Raw) {
        given(target)?;
        context::set_current(handle(target))
    }

    /// The context of the thread.
    "8.1" fn aclrtGetCurrentContext(result: Out<Raw>) {
        result.set("context", pointer(thread::context()?.handle))
    }

    /// The stream that null stands for.
    "8.5" fn aclrtCtxGetCurrentDefaultStream(stream: Out<Raw>) {
        stream.set("stream", pointer(thread::context()?.default_stream().handle))
    }
}

fn given(context: Raw) -> Result<(), Failure> {
    if context.is_null() { Err(Failure::null("context")) } else { Ok(()) }
}
