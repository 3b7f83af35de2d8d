//! Which instruction sets this CPU has.

use std::fmt;
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use super::Out;
#[cfg(target_arch = "x86_64")]
use super::fixed::{BlockRow, Fixed, FixedPanel};
use super::portable::Portable;
use super::simd::Kernel;
#[cfg(target_arch = "x86_64")]
use super::x86;

/// An instruction set that this CPU has: a value exists only where its kernels may run.
///
/// The best one is found while running. The environment variable `MOE_KERNELS_ARCH` (`portable`,
/// `avx2`, `avx512`, `avx512bf16`, `amx`, `neon`), read once, sets another for tests and measurements; a
/// level that the CPU lacks or a name that is none is ignored. `amx` asks Linux for room to keep tiles, for
/// the whole process. Weights other than bf16 and MXFP4 are
/// decoded by [`lowfloat`], which has levels of its own.
///
/// ```
/// use moe_kernels::arch::Level;
///
/// assert!(Level::available().any(|level| level == Level::PORTABLE));
/// assert!(Level::available().any(|level| level == Level::current()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Level(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
    #[cfg(target_arch = "x86_64")]
    Amx,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

#[cfg(target_arch = "x86_64")]
const CANDIDATES: &[Set] = &[Set::Amx, Set::Avx512Bf16, Set::Avx512, Set::Avx2, Set::Portable];
#[cfg(target_arch = "aarch64")]
const CANDIDATES: &[Set] = &[Set::Neon, Set::Portable];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const CANDIDATES: &[Set] = &[Set::Portable];

impl Level {
    /// Plain Rust, on every CPU.
    pub const PORTABLE: Self = Self(Set::Portable);

    /// The level that functions use: the fastest one, unless `MOE_KERNELS_ARCH` names another.
    #[must_use]
    pub fn current() -> Self {
        static CURRENT: OnceLock<Level> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let name = std::env::var_os("MOE_KERNELS_ARCH");
            let named = |name| Self::available().find(|level| level.name() == name);
            let fast = |level: &Self| level.0.preferred();
            let best = || Self::available().find(fast).unwrap_or(Self::PORTABLE);
            name.as_ref().and_then(|name| name.to_str()).and_then(named).unwrap_or_else(best)
        })
    }

    /// The levels of this CPU, the one with most instructions first; the last is
    /// [`PORTABLE`](Self::PORTABLE).
    pub fn available() -> impl Iterator<Item = Self> {
        CANDIDATES.iter().copied().filter(|set| set.detected()).map(Self)
    }

    /// The name that `MOE_KERNELS_ARCH` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Set::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Bf16 => "avx512bf16",
            #[cfg(target_arch = "x86_64")]
            Set::Amx => "amx",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "neon",
        }
    }

    /// Whether products of bf16 are best left in bf16: there is an instruction for them.
    pub(crate) const fn has_pairs(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self.0, Set::Avx512Bf16 | Set::Amx);
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// Whether integers of sixteen bits are the fastest form of activations in bf16 for MXFP4: a product
    /// of them takes half of what one in `f32` takes, and there is no product of bf16.
    pub(crate) const fn prefers_integers(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self.0, Set::Avx2);
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// Vectors up to which rows are decoded in registers, even if that is done twice: what is decoded to memory is read
    /// from a second-level cache, and pays later where there are few registers.
    pub(super) const fn few(self) -> usize {
        #[cfg(target_arch = "x86_64")]
        if matches!(self.0, Set::Avx2) {
            return 2 * super::FEW;
        }
        super::FEW
    }

    /// Whether so many vectors in `f32` are multiplied lane by lane: where registers are few.
    pub(crate) const fn goes_by_lane(self, vectors: usize) -> bool {
        #[cfg(target_arch = "x86_64")]
        let registers_are_few = matches!(self.0, Set::Avx2 | Set::Portable);
        #[cfg(not(target_arch = "x86_64"))]
        let registers_are_few = true;
        registers_are_few && vectors > self.few()
    }

    /// Products with integers, where there are instructions for them; false where there are none.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn fixed_products<F: Fixed>(
        self,
        rows: &[BlockRow<'_>],
        vectors: &[&[F]],
        panel: &mut FixedPanel,
        out: &mut Out<'_>,
    ) -> bool {
        if self.0 == Set::Portable {
            return false;
        }
        // SAFETY: the level is proof that the CPU has these instructions: all others have AVX2 and FMA.
        unsafe { x86::fixed::products(rows, vectors, panel, out) };
        true
    }

    /// Runs a loop over `f32`: products of bf16 are of no use to it.
    pub(super) fn run_wide<K: Kernel>(self, kernel: K) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the level is proof that the CPU has these instructions, and others.
            Set::Avx512Bf16 | Set::Amx => unsafe { x86::avx512::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Set::Avx512 => unsafe { x86::avx512::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Set::Avx2 => unsafe { x86::avx2::run(kernel) },
            _ => kernel.run(Portable),
        }
    }

    /// Runs a loop over bf16: levels without products of bf16 do not use it, so it is not compiled
    /// for them.
    pub(super) fn run_narrow<K: Kernel>(self, kernel: K) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the level is proof that the CPU has these instructions.
            Set::Avx512Bf16 => unsafe { x86::avx512bf16::run(kernel) },
            _ => kernel.run(Portable),
        }
    }

    /// Proof of tiles, where this is the level that has them.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn tiles(self) -> Option<x86::amx::Amx> {
        if self.0 == Set::Amx { x86::amx::Amx::detect() } else { None }
    }

    /// Runs a loop with the instructions of this level.
    pub(super) fn run<K: Kernel>(self, kernel: K) {
        match self.0 {
            Set::Portable => kernel.run(Portable),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the level is proof that the CPU has these instructions.
            Set::Avx2 => unsafe { x86::avx2::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above; what has tiles has them too.
            Set::Avx512 | Set::Amx => unsafe { x86::avx512::run(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Set::Avx512Bf16 => unsafe { x86::avx512bf16::run(kernel) },
            // NEON is part of the target: the compiler has used it already.
            #[cfg(target_arch = "aarch64")]
            Set::Neon => kernel.run(Portable),
        }
    }
}

impl Set {
    fn detected(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86::avx2::detected(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => x86::avx512::detected(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => x86::avx512bf16::detected(),
            #[cfg(target_arch = "x86_64")]
            Self::Amx => x86::amx::Amx::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => cfg!(target_feature = "neon"),
        }
    }

    /// Whether this is faster than the sets that it contains, on this CPU.
    fn preferred(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => x86::avx512bf16::preferred(),
            _ => true,
        }
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Level({})", self.name())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
