//! Whether tiles may be used.

use std::arch::x86_64::{__cpuid_count, _xgetbv};
use std::array;
use std::sync::OnceLock;

use super::model::{Pair, dot};
use super::tile::{Configured, Sums, Tile};
use super::{Amx, SIDE};

/// Whether the CPU has tiles, the operating system lets this process use them, and they compute what
/// [`model`](super::model) does. Found once.
pub(super) fn detected() -> bool {
    static DETECTED: OnceLock<bool> = OnceLock::new();
    *DETECTED.get_or_init(|| {
        let exists = crate::arch::x86::avx512::detected() && (is_usable() || emulated());
        exists && computes_as_the_model(Amx(()))
    })
}

/// Whether this CPU itself has tiles that this process may use.
pub(super) fn is_usable() -> bool {
    has_tiles() && permitted()
}

/// The tests emulate what is missing.
#[cfg(all(test, target_os = "linux"))]
fn emulated() -> bool {
    super::emulator::install()
}

#[cfg(not(all(test, target_os = "linux")))]
const fn emulated() -> bool {
    false
}

/// Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, section 18.
fn has_tiles() -> bool {
    const BF16_AND_TILE: u32 = 1 << 22 | 1 << 24;
    /// TILECFG and TILEDATA are kept by the operating system.
    const STATE: u64 = 1 << 17 | 1 << 18;
    if __cpuid_count(0, 0).eax < 0x1E || !is_x86_feature_detected!("xsave") {
        return false;
    }
    if __cpuid_count(7, 0).edx & BF16_AND_TILE != BF16_AND_TILE {
        return false;
    }
    // SAFETY: XSAVE is there, and enabled: the standard library checks both.
    if unsafe { _xgetbv(0) } & STATE != STATE {
        return false;
    }
    let (palettes, palette, multiply) =
        (__cpuid_count(0x1D, 0).eax, __cpuid_count(0x1D, 1), __cpuid_count(0x1E, 0).ebx);
    // Of palette 1: all bytes and those of a tile, those of a row and the count of tiles, rows.
    let is_known = (palette.eax, palette.ebx, palette.ecx & 0xFFFF)
        == (1024 << 16 | 8192, 8 << 16 | 64, SIDE as u32);
    // Rows of the second factor, and bytes of its rows.
    palettes >= 1 && is_known && multiply & 0xFF >= SIDE as u32 && multiply >> 8 & 0xFFFF >= 64
}

/// Asks Linux, once and for all threads, for room to keep tiles: Documentation/arch/x86/xstate.rst.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: u64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const TILEDATA: u64 = 18;
    let result: u64;
    // SAFETY: the call reads and writes no memory of the process.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Other systems are not known to need none.
#[cfg(not(target_os = "linux"))]
const fn permitted() -> bool {
    false
}

/// Compares products of tiles that another order or rounding of sums would give otherwise.
fn computes_as_the_model(amx: Amx) -> bool {
    const VECTORS: usize = 5;
    let mut state = 0x2545_F491_u32;
    let mut tile = || {
        let mut tile = Tile::ZERO;
        for pair in tile.0.as_flattened_mut() {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            // Of either sign, from 2⁻⁷ to 2⁹, with all bits of a bf16: the sums need more than 24.
            *pair = state & 0x87FF_87FF | 0x3C00_3C00;
        }
        tile
    };
    let mut vectors: [Tile; VECTORS] = array::from_fn(|_| tile());
    let mut weights: [[Tile; SIDE]; 2] = array::from_fn(|_| array::from_fn(|_| tile()));
    // Of one vector with two rows nothing but 2⁻¹²⁶ · ¼, and 2⁻¹²⁷ · 2⁸.
    weights[1].iter_mut().for_each(|lane| lane.0.iter_mut().for_each(|step| step[..2].fill(0)));
    weights[1][0].0[0][..2].copy_from_slice(&[0x0000_0080, 0x0040_0000]);
    vectors[1].0[0][0] = 0x4380_3E80;
    let mut sums = [[Sums::ZERO; 2]];
    Configured::new(amx, VECTORS).multiply(&vectors, &weights, &mut sums);
    (0..VECTORS).all(|v| {
        (0..2 * SIDE).all(|row| {
            let (half, row) = (row / SIDE, row % SIDE);
            let expected = (0..SIDE).fold(0.0, |sum, lane| {
                let steps = &weights[half][lane].0;
                let column: [Pair; SIDE] = array::from_fn(|step| Pair(steps[step][row]));
                dot(&vectors[v].0[lane].map(Pair), &column, sum)
            });
            sums[0][half].0[v][row].to_bits() == expected.to_bits()
        })
    })
}
