//! Which instruction sets this CPU has.

use core::fmt;

/// An instruction set that this CPU has: a value exists only where its kernels may run.
///
/// Results do not depend on the level. With the `std` feature the best level is found while
/// running, and the environment variable `LOWFLOAT_ARCH` (`portable`, `avx2`, `avx512`, `neon`),
/// read once, lowers it for tests and measurements; a level that the CPU lacks or a name that is
/// none is ignored. Without `std`, the level follows from the features that the compiler was told
/// to use.
///
/// ```
/// use lowfloat::arch::Level;
///
/// assert!(Level::available().any(|level| level == Level::PORTABLE));
/// assert!(Level::available().any(|level| level == Level::current()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Level(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

#[cfg(target_arch = "x86_64")]
const CANDIDATES: &[Set] = &[Set::Avx512, Set::Avx2, Set::Portable];
#[cfg(target_arch = "aarch64")]
const CANDIDATES: &[Set] = &[Set::Neon, Set::Portable];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const CANDIDATES: &[Set] = &[Set::Portable];

impl Level {
    /// Plain Rust, on every CPU.
    pub const PORTABLE: Self = Self(Set::Portable);

    /// The level that functions use: the best one, unless `LOWFLOAT_ARCH` names another.
    #[must_use]
    pub fn current() -> Self {
        #[cfg(feature = "std")]
        {
            static CURRENT: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
            *CURRENT.get_or_init(|| {
                let name = std::env::var_os("LOWFLOAT_ARCH");
                let named = |name| Self::available().find(|level| level.name() == name);
                name.as_ref().and_then(|n| n.to_str()).and_then(named).unwrap_or_else(Self::best)
            })
        }
        #[cfg(not(feature = "std"))]
        Self::best()
    }

    /// The levels of this CPU, best first; the last is [`PORTABLE`](Self::PORTABLE).
    pub fn available() -> impl Iterator<Item = Self> {
        CANDIDATES.iter().copied().filter(|set| set.detected()).map(Self)
    }

    /// The name that `LOWFLOAT_ARCH` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Set::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "neon",
        }
    }

    pub(super) const fn set(self) -> Set {
        self.0
    }

    fn best() -> Self {
        Self::available().next().unwrap_or(Self::PORTABLE)
    }
}

/// True where the CPU has every one of the features.
#[cfg(target_arch = "x86_64")]
macro_rules! detected {
    ($($feature:tt),*) => {{
        #[cfg(feature = "std")]
        { true $(&& std::arch::is_x86_feature_detected!($feature))* }
        #[cfg(not(feature = "std"))]
        { true $(&& cfg!(target_feature = $feature))* }
    }};
}

impl Set {
    fn detected(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => detected!("avx2", "f16c"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                detected!("avx2", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl")
            }
            // Every AArch64 target of Rust with a hardware float ABI has it.
            #[cfg(target_arch = "aarch64")]
            Self::Neon => cfg!(target_feature = "neon"),
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
