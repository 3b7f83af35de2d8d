//! Kernels on their way to a stream.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::config::machine;
use super::counters::counters;
use super::failure::Failure;
use super::faults::{Faults, Injected, LOST_HEARTBEAT};
use super::memory::access_fault;
use super::work::{Run, Work};
use super::{device, stream};
use crate::kernel::{Fault, Kernel};

/// The faults of the process.
pub(crate) fn faults() -> &'static Faults {
    static FAULTS: OnceLock<Faults> = OnceLock::new();
    FAULTS.get_or_init(|| Faults::new(machine().faults.clone()))
}

/// Puts a kernel with its workspace (address, bytes) on a stream.
pub(crate) fn kernel(
    operator: &'static str,
    kernel: Kernel,
    (workspace, bytes): (u64, u64),
    stream: u64,
) -> Result<(), Failure> {
    let stream = stream::find(stream)?;
    counters().launches();
    let injected = faults().launch();
    let cost = kernel.cost;
    let mut work = Work::new(operator, move |run: &Run<'_>| {
        if let Some(injected) = injected {
            inject(injected, run)?;
        }
        if bytes > 0 {
            let view = run.view();
            view.poison(workspace, bytes)
                .map_err(|why| access_fault("use of the workspace", &why))?;
        }
        (kernel.run)(run)
    });
    work.cost = cost;
    work.launch = true;
    if bytes > 0 {
        work.scratch.push(workspace..workspace.saturating_add(bytes));
    }
    stream.submit(work)
}

fn inject(injected: Injected, run: &Run<'_>) -> Result<(), Fault> {
    let fault = |status, message: &str| Err(Fault { status, message: message.to_owned() });
    match injected {
        Injected::Fault(status) => fault(status, "a fault that ASCEND_SIM_FAULTS asks for"),
        Injected::Lost => {
            if let Ok(device) = device::of(run.device()) {
                device.lose();
            }
            fault(LOST_HEARTBEAT, "the device is lost, as ASCEND_SIM_FAULTS asks for")
        }
        Injected::Slow(milliseconds) => {
            run.sleep(Duration::from_millis(milliseconds));
            Ok(())
        }
        Injected::Hang => {
            let begin = Instant::now();
            while !run.cancelled() {
                if execute_timeout().is_some_and(|longest| begin.elapsed() >= longest) {
                    return fault(
                        507_014,
                        "the kernel did not end in the time of aclrtSetOpExecuteTimeOut",
                    );
                }
                run.sleep(Duration::from_millis(5));
            }
            Ok(())
        }
    }
}

static EXECUTE_TIMEOUT: AtomicU64 = AtomicU64::new(0);

/// `aclrtSetOpExecuteTimeOut`: milliseconds after which a kernel that hangs faults; 0 for never.
pub(crate) fn set_execute_timeout(milliseconds: u64) {
    EXECUTE_TIMEOUT.store(milliseconds, Ordering::Relaxed);
}

fn execute_timeout() -> Option<Duration> {
    let milliseconds = EXECUTE_TIMEOUT.load(Ordering::Relaxed);
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
}
