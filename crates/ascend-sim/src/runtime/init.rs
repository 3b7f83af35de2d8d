//! `aclInit` and its end.

use std::sync::Mutex;

use super::config::config;
use super::counters::counters;
use super::failure::{self, Failure};
use crate::sync::lock;

#[derive(Debug, Default)]
struct State {
    /// Calls of `aclInit` that `aclFinalizeReference` has not taken back.
    references: u64,
    finalised: bool,
    /// `aclnnInit` alone.
    operators: bool,
}

static STATE: Mutex<State> =
    Mutex::new(State { references: 0, finalised: false, operators: false });

/// `aclInit`; 100002 if it was called before, which counts nevertheless.
pub(crate) fn initialise() -> Result<(), Failure> {
    config().map_err(Failure::argument)?;
    let mut state = lock(&STATE);
    state.references += 1;
    if state.references > 1 {
        return Err(Failure::new(100_002, "aclInit was called before in this process"));
    }
    state.finalised = false;
    Ok(())
}

/// `aclFinalize`: what is still alive is the recent message afterwards, though the call succeeds.
pub(crate) fn finalise() -> Result<(), Failure> {
    let mut state = lock(&STATE);
    if state.references == 0 {
        return Err(if state.finalised {
            Failure::new(100_037, "aclFinalize was called before in this process")
        } else {
            Failure::new(100_001, "aclInit was not called in this process")
        });
    }
    *state = State { references: 0, finalised: true, operators: false };
    drop(state);
    if let Some(leaks) = counters().now().leaks() {
        failure::note(&format!("EE9999: aclFinalize: still alive: {leaks}"));
    }
    Ok(())
}

/// `aclFinalizeReference`: takes one `aclInit` back, the last one as `aclFinalize`; how many are left.
pub(crate) fn finalise_reference() -> Result<u64, Failure> {
    {
        let mut state = lock(&STATE);
        if state.references > 1 {
            state.references -= 1;
            return Ok(state.references);
        }
    }
    finalise().map(|()| 0)
}

/// Whether operators can be prepared.
pub(crate) fn is_initialised() -> bool {
    let state = lock(&STATE);
    state.references > 0 || state.operators
}

/// `aclnnInit`.
pub(crate) fn prepare_operators() -> Result<(), Failure> {
    config().map_err(Failure::argument)?;
    lock(&STATE).operators = true;
    Ok(())
}

/// `aclnnFinalize`.
pub(crate) fn end_operators() {
    lock(&STATE).operators = false;
}
