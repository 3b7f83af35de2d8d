//! Writes a shared library: names that jump through a table, and a constructor that has the table filled.
//!
//! Everything follows the System V ABI, its x86-64 and `AArch64` supplements, and the generic ELF-64 specification; section
//! headers are there for linkers and for `nm`, the loader uses the program headers alone.

mod aarch64;
mod dynamic;
mod headers;
mod image;
mod x86_64;

/// A library to write.
#[derive(Clone, Debug)]
pub(super) struct SharedObject<'a> {
    pub(super) machine: Machine,
    pub(super) soname: &'a str,
    /// Exported functions, those that the constructor binds first.
    pub(super) functions: &'a [Function<'a>],
    /// What the constructor loads; without it, functions only have their own answers.
    pub(super) load: Option<Load<'a>>,
}

/// An exported function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    /// What it returns as long as nothing is bound to it.
    pub(super) unbound: Answer,
}

/// What an unbound function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// This `int`.
    Status(i32),
    /// A null pointer.
    Null,
}

/// What the constructor does: opens a library and gives it a [`Header`](super::attach::Header).
#[derive(Clone, Copy, Debug)]
pub(super) struct Load<'a> {
    /// Paths for `dlopen`, tried in turn; `$ORIGIN` is the folder of the library written.
    pub(super) paths: [&'a [u8]; 2],
    /// A function of that library, `void (*)(Header *)`.
    pub(super) entry: &'a str,
    /// For [`Header::release`](super::attach::Header::release).
    pub(super) release: u32,
    /// How many functions, from the first, are to be bound.
    pub(super) bound: usize,
}

/// A processor that libraries can be written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    X86_64,
    Aarch64,
}

impl Machine {
    /// The processor that this program runs on.
    pub(super) fn host() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// `e_machine`.
    fn number(self) -> u16 {
        match self {
            Self::X86_64 => 62,
            Self::Aarch64 => 183,
        }
    }

    /// The largest page that its kernels use: segments start on multiples of it.
    fn page(self) -> u64 {
        match self {
            Self::X86_64 => 0x1000,
            Self::Aarch64 => 0x1_0000,
        }
    }

    /// `R_*_GLOB_DAT`: the address of a symbol.
    fn glob_dat(self) -> u64 {
        match self {
            Self::X86_64 => 6,
            Self::Aarch64 => 1025,
        }
    }

    /// `R_*_RELATIVE`: an address in this library.
    fn relative(self) -> u64 {
        match self {
            Self::X86_64 => 8,
            Self::Aarch64 => 1027,
        }
    }

    /// A jump, at `at`, to the address that lies in `slot`; [`JUMP`] bytes.
    fn jump(self, at: u64, slot: u64) -> Vec<u8> {
        match self {
            Self::X86_64 => x86_64::jump(at, slot),
            Self::Aarch64 => aarch64::jump(at, slot),
        }
    }

    /// A function that returns `answer`; [`JUMP`] bytes.
    fn answer(self, answer: Answer) -> Vec<u8> {
        match self {
            Self::X86_64 => x86_64::answer(answer),
            Self::Aarch64 => aarch64::answer(answer),
        }
    }

    /// The constructor, at `at`.
    fn constructor(self, at: u64, operands: &Operands) -> Vec<u8> {
        match self {
            Self::X86_64 => x86_64::constructor(at, operands),
            Self::Aarch64 => aarch64::constructor(at, operands),
        }
    }
}

/// Bytes of a function that jumps or answers.
const JUMP: u64 = 16;

/// Where what the constructor needs lies.
#[derive(Clone, Copy, Debug, Default)]
struct Operands {
    /// Strings: the paths for `dlopen`, and the name for `dlsym`.
    paths: [u64; 2],
    entry: u64,
    /// Words that hold the addresses of `dlopen` and `dlsym`.
    dlopen: u64,
    dlsym: u64,
    /// The argument for the entry.
    header: u64,
}

/// `RTLD_NOW`, without `RTLD_GLOBAL`: the names of the library loaded stay its own.
const RTLD_NOW: u8 = 2;

#[cfg(test)]
mod tests;
