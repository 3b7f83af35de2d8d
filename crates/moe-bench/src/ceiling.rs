//! What the machine can do at most, measured.

mod memory;
mod registers;

use std::io;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The rates of a machine, with all threads of the current rayon pool and with one: nothing that reads memory
/// or computes can be faster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rates {
    /// Threads of "all".
    pub threads: usize,
    /// GB/s of reading a buffer that no cache holds, in large pages where the system has them.
    pub read: (f64, f64),
    /// GFLOP/s of chains of multiplications and additions in registers, by name: `f32 (AVX2)`, and bf16 where there
    /// are instructions for it.
    pub arithmetic: Vec<(String, (f64, f64))>,
    /// Whether they are those of a data sheet, and not measured.
    #[serde(default)]
    pub data_sheet: bool,
}

impl Rates {
    /// Measures for about a second; the fastest of many short runs each, as what disturbs only makes them slower.
    ///
    /// # Errors
    /// When there is no memory for the buffer: eight times the last-level caches, 1 GiB at most.
    pub fn measure() -> io::Result<Self> {
        let chains = [Some(registers::f32()), registers::bf16()].into_iter().flatten();
        Ok(Self {
            threads: rayon::current_num_threads(),
            read: memory::read()?,
            arithmetic: chains.map(|chains| (chains.name.to_owned(), chains.rates())).collect(),
            data_sheet: false,
        })
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
