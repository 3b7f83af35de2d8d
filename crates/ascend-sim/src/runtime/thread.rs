//! What each thread has of its own.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::capture::Mode;
use super::context::Context;
use super::failure::Failure;

thread_local! {
    static CONTEXT: RefCell<Option<Arc<Context>>> = const { RefCell::new(None) };
    static MODE: Cell<Mode> = const { Cell::new(Mode::Global) };
}

/// The current context; 107002 without one, as after its end.
pub(crate) fn context() -> Result<Arc<Context>, Failure> {
    let context = CONTEXT.with_borrow(Clone::clone);
    context.filter(|context| context.is_alive()).ok_or_else(|| {
        let message = "this thread has no current context: aclrtSetDevice or aclrtSetCurrentContext comes first";
        Failure::new(107_002, message)
    })
}

/// The current context, if no fault poisoned it.
pub(crate) fn usable_context() -> Result<Arc<Context>, Failure> {
    let context = context()?;
    context.usable()?;
    Ok(context)
}

/// Changes the current context.
pub(crate) fn set_context(context: Option<Arc<Context>>) {
    CONTEXT.with_borrow_mut(|current| *current = context);
}

/// What this thread does while captures go on.
pub(crate) fn mode() -> Mode {
    MODE.get()
}

/// Changes it, and gives the old one.
pub(crate) fn exchange_mode(mode: Mode) -> Mode {
    MODE.replace(mode)
}
