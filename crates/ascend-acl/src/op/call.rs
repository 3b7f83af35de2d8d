//! One call of an operator: both phases, with the workspace between them.

use std::ptr;

use super::argument::Operands;
use crate::error::Result;
use crate::library::Ascend;
use crate::rt::{Stream, Task, record_failure};
use crate::sys::{aclOpExecutor, aclnnExecute, aclnnStatus};

/// What the first phase prepares. The second one consumes it, whether it succeeds or not; where it does
/// not come to that, it is destroyed.
struct Executor {
    ascend: Ascend,
    raw: *mut aclOpExecutor,
}

impl Executor {
    fn take(mut self) -> *mut aclOpExecutor {
        std::mem::replace(&mut self.raw, ptr::null_mut())
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        if self.raw.is_null() {
            return;
        }
        let destroyed =
            self.ascend.base().aclDestroyAclOpExecutor().map_err(Into::into).and_then(|destroy| {
                // SAFETY: the first phase made the executor, and no second phase has had it.
                let code = unsafe { destroy(self.raw) };
                self.ascend.check("aclDestroyAclOpExecutor", code)
            });
        if let Err(error) = destroyed {
            record_failure(error);
        }
    }
}

/// Prepares an operator and puts it on a stream. `prepare` calls the first phase of the operator whose second phase
/// is `execute`, with arguments made by the operands that it is given.
pub(super) fn run<'a>(
    stream: &Stream,
    operator: &'static str,
    execute: aclnnExecute,
    prepare: impl FnOnce(
        &mut Operands<'_, 'a>,
        *mut u64,
        *mut *mut aclOpExecutor,
    ) -> Result<aclnnStatus>,
) -> Result<()> {
    let device = stream.shared();
    let prepare = || {
        let mut operands = Operands::new(stream, operator);
        let mut bytes = 0_u64;
        let mut executor = Executor { ascend: device.ascend, raw: ptr::null_mut() };
        let code = prepare(&mut operands, &raw mut bytes, &raw mut executor.raw)?;
        device.check(operator, code)?;
        let used = std::mem::take(&mut operands.used);
        // Memory that is larger than the address space is not there to be had.
        let workspace = usize::try_from(bytes).unwrap_or(usize::MAX);
        Ok(Task { workspace, used, payload: (operands, executor, bytes) })
    };
    stream.put(prepare, |place, (operands, executor, bytes)| {
        // SAFETY: the executor comes from the first phase of the same operator and runs once; the workspace has
        // as many bytes as it asked for; the stream keeps it, and the memory of all tensors, until the operator is over.
        let code = unsafe { execute(place.workspace, bytes, executor.take(), place.stream) };
        drop(operands);
        device.check(operator, code)
    })
}

/// Calls an operator of one of the tables with arguments that become those of C.
macro_rules! launch {
    ($stream:expr, $table:ident.$operator:ident($($argument:expr),* $(,)?)) => {{
        let stream: &$crate::rt::Stream = $stream;
        let operator = stream.ascend().aclnn().$table.$operator()?;
        $crate::op::call::run(stream, operator.name, operator.execute, |operands, bytes, executor| {
            // SAFETY: the arguments have the types of the prototype; pointers are to objects that live in the
            // operands, or null where the operator takes that; `bytes` and `executor` can be written to.
            Ok(unsafe { (operator.prepare)($(operands.raw($argument)?,)* bytes, executor) })
        })
    }};
}

pub(super) use launch;
