//! How long things may take, as HCCL's environment variables say.

use std::time::Duration;

/// `HCCL_CONNECT_TIMEOUT`: how long a rank waits for the others; 120 seconds unless it says otherwise.
pub(super) fn connect() -> Duration {
    seconds("HCCL_CONNECT_TIMEOUT")
        .filter(|time| !time.is_zero())
        .unwrap_or(Duration::from_secs(120))
}

/// `HCCL_EXEC_TIMEOUT`: how long an operation waits for the other ranks; 1836 seconds unless it says otherwise, `None` for 0.
pub(super) fn execute() -> Option<Duration> {
    let time = seconds("HCCL_EXEC_TIMEOUT").unwrap_or(Duration::from_secs(1836));
    (!time.is_zero()).then_some(time)
}

fn seconds(name: &str) -> Option<Duration> {
    std::env::var(name).ok()?.trim().parse().ok().map(Duration::from_secs)
}
