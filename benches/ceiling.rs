//! What the machine can do at most, measured when a bench program starts.

use std::env;

use criterion::Criterion;
use moe_bench::Rates;

/// Whether times are taken: not under `--test` or `--list`, nor in `cargo test`. Without them what is
/// benched may be small.
pub(crate) fn measured() -> bool {
    let given = |argument: &str| env::args().any(|given| given == argument);
    given("--bench") && !given("--test") && !given("--list")
}

/// Measures for about a second and prints; the first in every `criterion_group!`.
pub(crate) fn ceiling(_: &mut Criterion) {
    if !measured() {
        return;
    }
    let Rates { threads, read: (all, one), arithmetic, .. } =
        Rates::measure().expect("memory for the buffer");
    println!("ceiling: read {all:.1} GB/s ({threads} threads), {one:.1} (1)");
    for (name, (all, one)) in arithmetic {
        println!("ceiling: {name} {all:.0} GFLOP/s ({threads} threads), {one:.0} (1)");
    }
}
