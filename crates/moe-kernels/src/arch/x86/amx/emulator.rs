//! The instructions on tiles for CPUs without them, so that the tests run the kernel's machine code.
//!
//! Such a CPU raises an exception, of which Linux makes SIGILL. The handler decodes the instruction,
//! does what Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, says of it, and goes
//! on behind it. What the manual forbids is not done: the process dies of the signal, as it would.

use std::cell::RefCell;
use std::ptr;
use std::sync::OnceLock;

use libc::{REG_RIP, SA_SIGINFO, SIGILL, c_int, c_void, siginfo_t, ucontext_t};

use super::cpu;
use super::model::{Pair, dot};

/// Makes the process able to execute the instructions; false where it needs no help, or lacks AVX-512.
pub(super) fn install() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        if cpu::is_usable() || !crate::arch::x86::avx512::detected() {
            return false;
        }
        // SAFETY: all zeros are a valid value.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_sigill as *const () as usize;
        action.sa_flags = SA_SIGINFO;
        // SAFETY: the action is valid, and its handler has the type that SA_SIGINFO asks for.
        unsafe { libc::sigaction(SIGILL, &raw const action, ptr::null_mut()) == 0 }
    })
}

thread_local! {
    static STATE: RefCell<State> = const { RefCell::new(State::INITIAL) };
}

extern "C" fn on_sigill(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: Linux passes the interrupted thread's context, which nothing else uses now.
    let context = unsafe { &mut *context.cast::<ucontext_t>() };
    let registers = &mut context.uc_mcontext.gregs;
    let rip = registers[REG_RIP as usize];
    // SAFETY: an instruction was fetched there, of which the decoder reads no more than it has.
    let code = |place: usize| unsafe { (rip as *const u8).wrapping_add(place).read() };
    let register = |number: u8| registers[ORDER[usize::from(number)] as usize].cast_unsigned();
    let done = decode(code).and_then(|(instruction, len)| {
        STATE
            .with_borrow_mut(|state| execute(state, instruction, register))
            .map(|()| i64::from(len))
    });
    if let Some(len) = done {
        registers[REG_RIP as usize] += len;
    } else {
        // The instruction runs again, and ends the process.
        // SAFETY: the default action of a signal needs no handler.
        unsafe { libc::signal(SIGILL, libc::SIG_DFL) };
    }
}

/// Where Linux keeps the registers, in the order of their numbers.
const ORDER: [c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    LoadConfig(Address),
    Release,
    Zero {
        tile: u8,
    },
    Load {
        tile: u8,
        from: Address,
    },
    Store {
        tile: u8,
        to: Address,
    },
    /// `TDPBF16PS sums, a, b`.
    Multiply {
        sums: u8,
        a: u8,
        b: u8,
    },
}

/// An operand in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) base: u8,
    /// The register and the power of two that it is multiplied with.
    pub(super) index: Option<(u8, u8)>,
    pub(super) displacement: i32,
    /// Whether there is a SIB byte.
    pub(super) sib: bool,
}

/// The instruction and its length, if it is one of those.
pub(super) fn decode(code: impl Fn(usize) -> u8) -> Option<(Instruction, u8)> {
    // VEX of three bytes: volume 2, section 2.3. Tiles have only instructions of 128 bits, W0, 0F38.
    if code(0) != 0xC4 || code(1) & 0x1F != 2 || code(2) & 0x84 != 0 {
        return None;
    }
    // Inverted: R, X, B; the third operand.
    let [r, x, b] = [7, 6, 5].map(|bit| code(1) >> bit & 1 ^ 1);
    let third = !(code(2) >> 3) & 0xF;
    let (prefix, opcode, modrm) = (code(2) & 3, code(3), code(4));
    let (mode, reg, rm) = (modrm >> 6, modrm >> 3 & 7, modrm & 7);
    if mode == 3 {
        // Registers that there are not.
        if r != 0 || b != 0 {
            return None;
        }
        let instruction = match (prefix, opcode) {
            (0, 0x49) if modrm == 0xC0 && third == 0 => Instruction::Release,
            (3, 0x49) if rm == 0 && third == 0 => Instruction::Zero { tile: reg },
            (2, 0x5C) if third < 8 => Instruction::Multiply { sums: reg, a: rm, b: third },
            _ => return None,
        };
        return Some((instruction, 5));
    }
    let sib = rm == 4;
    let (base, index, at) = if sib {
        let sib = code(5);
        let index = (x << 3 | sib >> 3 & 7, sib >> 6);
        (b << 3 | sib & 7, (index.0 != 4).then_some(index), 6)
    } else {
        (b << 3 | rm, None, 5)
    };
    let (displacement, len) = match mode {
        // Relative to the next instruction, or to nothing: not used.
        0 if base & 7 == 5 => return None,
        0 => (0, at),
        1 => (i32::from(code(at).cast_signed()), at + 1),
        _ => (i32::from_le_bytes([0, 1, 2, 3].map(|byte| code(at + byte))), at + 4),
    };
    let address = Address { base, index, displacement, sib };
    let instruction = match (prefix, opcode) {
        _ if third != 0 || r != 0 => return None,
        (0, 0x49) if reg == 0 => Instruction::LoadConfig(address),
        (3, 0x4B) if sib => Instruction::Load { tile: reg, from: address },
        (2, 0x4B) if sib => Instruction::Store { tile: reg, to: address },
        _ => return None,
    };
    Some((instruction, len as u8))
}

/// A tile's bytes, whatever its configuration.
type Data = [[u8; 64]; 16];

/// What a thread has.
#[derive(Clone, Debug)]
pub(super) struct State {
    configured: bool,
    /// Rows and bytes of a row.
    shapes: [(usize, usize); 8],
    data: [Data; 8],
}

impl State {
    pub(super) const INITIAL: Self =
        Self { configured: false, shapes: [(0, 0); 8], data: [[[0; 64]; 16]; 8] };

    /// The shape of a tile that may be used.
    fn shape(&self, tile: u8) -> Option<(usize, usize)> {
        let (rows, row_bytes) = *self.shapes.get(usize::from(tile))?;
        (self.configured && rows > 0 && row_bytes.is_multiple_of(4)).then_some((rows, row_bytes))
    }

    fn load_config(&mut self, bytes: &[u8; 64]) -> Option<()> {
        *self = Self::INITIAL;
        let row_bytes: [u16; 16] = std::array::from_fn(|tile| {
            u16::from_le_bytes([bytes[16 + 2 * tile], bytes[17 + 2 * tile]])
        });
        let rows = &bytes[48..];
        match bytes[0] {
            0 => return Some(()),
            1 => {}
            _ => return None,
        }
        // An interrupted load is never continued here: the start row is zero, as what is reserved.
        if bytes[1..16].iter().any(|byte| *byte != 0) {
            return None;
        }
        for tile in 0..16 {
            let shape = (usize::from(rows[tile]), usize::from(row_bytes[tile]));
            let is_valid = match shape {
                (0, 0) => true,
                (1..=16, 1..=64) => tile < 8,
                _ => false,
            };
            if !is_valid {
                return None;
            }
            if let Some(to) = self.shapes.get_mut(tile) {
                *to = shape;
            }
        }
        self.configured = true;
        Some(())
    }

    /// What is read behind the shape is zero.
    fn load(&mut self, tile: u8, row: impl Fn(usize) -> *const u8) -> Option<()> {
        let (rows, row_bytes) = self.shape(tile)?;
        let data = &mut self.data[usize::from(tile)];
        *data = [[0; 64]; 16];
        for (index, to) in data.iter_mut().enumerate().take(rows) {
            // SAFETY: an instruction reads there; where it may not, so does the handler not.
            unsafe { ptr::copy_nonoverlapping(row(index), to.as_mut_ptr(), row_bytes) };
        }
        Some(())
    }

    fn store(&self, tile: u8, row: impl Fn(usize) -> *mut u8) -> Option<()> {
        let (rows, row_bytes) = self.shape(tile)?;
        for (index, from) in self.data[usize::from(tile)].iter().enumerate().take(rows) {
            // SAFETY: an instruction writes there; where it may not, so does the handler not.
            unsafe { ptr::copy_nonoverlapping(from.as_ptr(), row(index), row_bytes) };
        }
        Some(())
    }

    fn multiply(&mut self, sums: u8, a: u8, b: u8) -> Option<()> {
        let shapes = (self.shape(sums)?, self.shape(a)?, self.shape(b)?);
        let ((rows, row_bytes), (a_rows, a_bytes), (b_rows, b_bytes)) = shapes;
        let fits = rows == a_rows && a_bytes == 4 * b_rows && row_bytes == b_bytes;
        if !fits || sums == a || sums == b || a == b {
            return None;
        }
        let (a, b) = (words(&self.data[usize::from(a)]), words(&self.data[usize::from(b)]));
        let to = &mut self.data[usize::from(sums)];
        let before = words(to);
        *to = [[0; 64]; 16];
        for (row, to) in to.iter_mut().enumerate().take(rows) {
            let (to, _) = to.as_chunks_mut::<4>();
            for (column, to) in to.iter_mut().enumerate().take(row_bytes / 4) {
                let of_column: [Pair; 16] = std::array::from_fn(|k| Pair(b[k][column]));
                let of_row = &a[row].map(Pair)[..b_rows];
                let sum = f32::from_bits(before[row][column]);
                *to = dot(of_row, &of_column[..b_rows], sum).to_le_bytes();
            }
        }
        Some(())
    }
}

fn words(data: &Data) -> [[u32; 16]; 16] {
    data.map(|row| {
        let (words, _) = row.as_chunks::<4>();
        std::array::from_fn(|word| u32::from_le_bytes(words[word]))
    })
}

/// Does it, unless the manual forbids it.
pub(super) fn execute(
    state: &mut State,
    instruction: Instruction,
    register: impl Fn(u8) -> u64,
) -> Option<()> {
    let start = |address: Address| {
        register(address.base).wrapping_add_signed(i64::from(address.displacement))
    };
    let row = |address: Address, row: usize| {
        let stride = address.index.map_or(0, |(index, scale)| register(index) << scale);
        start(address).wrapping_add(stride.wrapping_mul(row as u64))
    };
    match instruction {
        Instruction::LoadConfig(address) => {
            // An index counts once.
            // SAFETY: an instruction reads there; where it may not, so does the handler not.
            state.load_config(unsafe { &*(row(address, 1) as *const [u8; 64]) })
        }
        Instruction::Release => {
            *state = State::INITIAL;
            Some(())
        }
        Instruction::Zero { tile } => {
            state.shape(tile)?;
            state.data[usize::from(tile)] = [[0; 64]; 16];
            Some(())
        }
        Instruction::Load { tile, from } => state.load(tile, |index| row(from, index) as *const u8),
        Instruction::Store { tile, to } => state.store(tile, |index| row(to, index) as *mut u8),
        Instruction::Multiply { sums, a, b } => state.multiply(sums, a, b),
    }
}
