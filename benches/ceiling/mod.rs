//! What the machine can do at most, measured when a bench program starts.

mod memory;
mod registers;

use std::env;
use std::time::{Duration, Instant};

use criterion::Criterion;

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
    let threads = rayon::current_num_threads();
    let (all, one) = memory::read();
    println!("ceiling: read {all:.1} GB/s ({threads} threads), {one:.1} (1)");
    for chains in [Some(registers::f32()), registers::bf16()].into_iter().flatten() {
        let (name, (all, one)) = (chains.name, chains.rates());
        println!("ceiling: {name} {all:.0} GFLOP/s ({threads} threads), {one:.0} (1)");
    }
}

/// Seconds of the fastest of all runs in a fifth of a second: what disturbs a run only makes it slower.
fn fastest(mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut fastest = f64::INFINITY;
    while start.elapsed() < Duration::from_millis(200) {
        fastest = fastest.min(seconds(&mut run));
    }
    fastest
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}
