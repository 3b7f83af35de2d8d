//! The examples in bad weather: full disks, kills, links, odd names, wrong arguments. Nothing is
//! lost, no half-written file has its final name, and every message says what and where.

#[path = "../examples/mod.rs"]
mod examples;

mod arguments;
#[cfg(target_os = "linux")]
mod disk;
mod inputs;
#[cfg(unix)]
mod kill;
#[cfg(unix)]
mod links;
#[cfg(target_os = "linux")]
mod names;
mod nesting;
mod run;
