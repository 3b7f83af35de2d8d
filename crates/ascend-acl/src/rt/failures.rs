//! What went wrong where nobody could be told: in destructors.

use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::library::Ascend;

/// So many are kept until somebody asks; the first ones say most.
const MOST: usize = 64;

static FAILURES: Mutex<Vec<Error>> = Mutex::new(Vec::new());

/// Keeps an error of a destructor.
pub(crate) fn record(error: Error) {
    let mut failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    if failures.len() < MOST {
        failures.push(error);
    }
}

impl Ascend {
    /// Takes the errors that happened in destructors since this was last asked, the first 64 of them: memory
    /// that could not be freed, a stream that could not be waited for.
    ///
    /// Those that follow from a device fault are left out; the fault itself is reported by the call that finds it.
    #[must_use]
    pub fn take_drop_errors(self) -> Vec<Error> {
        std::mem::take(&mut *FAILURES.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
