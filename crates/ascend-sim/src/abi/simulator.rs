//! What the simulator has beyond the vendor's symbols, for tests of programs.

use super::pointer::Out;
use crate::runtime::counters::{Counters, counters};

export! {
    "simulator";

    /// What is alive and what was done: `uint64_t` each, in the order of the documentation.
    "8.1" fn ascendSimCounters(result: Out<Counters>) {
        result.set("counters", counters().now())
    }

    /// Counts what is done from 0 again.
    "8.1" fn ascendSimResetCounters() {
        counters().reset();
        Ok(())
    }
}
