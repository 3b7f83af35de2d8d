//! Ranks in processes of their own: this program, started again.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::rank::simulator;
use crate::loaded::Device;

/// Starts this program again as one rank, in the role of the ignored test of this name.
pub(crate) fn spawn(
    role: &str,
    root: &Path,
    ranks: u32,
    rank: u32,
    variables: &[(&str, &str)],
) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", role])
        .env("ROOT", root)
        .env("RANKS", ranks.to_string())
        .env("RANK", rank.to_string())
        .env("ASCEND_SIM_DEVICES", "8")
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

pub(crate) fn passed(child: Child) {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
}

/// Device, root information, number of ranks and rank of a child.
pub(crate) fn child() -> (Device<'static>, Vec<u8>, u32, u32) {
    let number = |name: &str| std::env::var(name).unwrap().parse::<u32>().unwrap();
    let (ranks, rank) = (number("RANKS"), number("RANK"));
    let device = Device::open(simulator(), rank.cast_signed());
    let root = std::fs::read(std::env::var_os("ROOT").unwrap()).unwrap_or_default();
    (device, root, ranks, rank)
}
