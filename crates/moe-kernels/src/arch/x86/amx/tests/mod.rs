//! Tiles, on a CPU that has them or under an emulator.

#[cfg(target_os = "linux")]
mod instructions;
mod layers;
mod products;

use super::Amx;
use crate::arch::x86::avx512::{self, Avx512};

/// Proof of AVX-512; `None`, with a word, where this CPU lacks it.
pub(super) fn avx512() -> Option<Avx512> {
    if !avx512::detected() {
        eprintln!("skipped: this CPU has no AVX-512");
        return None;
    }
    // SAFETY: found.
    Some(unsafe { Avx512::new() })
}

/// Proof of tiles; `None` where there is neither a CPU with them nor one that can emulate them.
fn tiles() -> Option<Amx> {
    avx512()?;
    let tiles = Amx::detect();
    if cfg!(target_os = "linux") {
        assert!(tiles.is_some(), "tiles were neither found nor emulated as the model has them");
    } else if tiles.is_none() {
        eprintln!("skipped: no tiles, and signals are emulated on Linux only");
    }
    tiles
}
