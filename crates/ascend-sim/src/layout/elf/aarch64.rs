//! Machine code of `AArch64`. Words are named as the Arm Architecture Reference Manual names the instructions.

use super::{Answer, Operands, RTLD_NOW};

/// `adrp x16, slot; ldr x16, [x16, #low]; br x16`: x16 is what veneers may use.
pub(super) fn jump(at: u64, slot: u64) -> Vec<u8> {
    let mut code = Code { at, words: Vec::new() };
    code.load(16, slot);
    code.words.push(0xd61f_0000 | 16 << 5);
    code.filled()
}

/// `movz w0, #low; movk w0, #high, lsl 16; ret`.
pub(super) fn answer(answer: Answer) -> Vec<u8> {
    let mut code = Code { at: 0, words: Vec::new() };
    match answer {
        Answer::Status(status) => {
            let bits = status.cast_unsigned();
            code.words.push(0x5280_0000 | (bits & 0xffff) << 5);
            code.words.push(0x72a0_0000 | (bits >> 16) << 5);
        }
        // movz x0, #0.
        Answer::Null => code.words.push(0xd280_0000),
    }
    code.words.push(RET);
    code.filled()
}

/// Opens the first path, or else the second, and calls its entry with the header and the handle; returns when one of these is not there.
pub(super) fn constructor(at: u64, operands: &Operands) -> Vec<u8> {
    let mut code = Code { at, words: Vec::new() };
    // stp x29, x30, [sp, #-32]!; mov x29, sp; str x19, [sp, #16].
    code.words.extend([0xa9be_7bfd, 0x9100_03fd, 0xf900_0bf3]);
    code.open(operands.paths[0], operands.dlopen);
    let opened = code.branch(CBNZ_X0);
    code.open(operands.paths[1], operands.dlopen);
    code.land(opened);
    let unopened = code.branch(CBZ_X0);
    // mov x19, x0.
    code.words.push(0xaa00_03f3);
    code.address(1, operands.entry);
    code.call(operands.dlsym);
    let unfound = code.branch(CBZ_X0);
    // mov x16, x0; the header into x0; mov x1, x19; blr x16.
    code.words.push(0xaa00_03f0);
    code.address(0, operands.header);
    code.words.extend([0xaa13_03e1, 0xd63f_0000 | 16 << 5]);
    code.land(unopened);
    code.land(unfound);
    // ldr x19, [sp, #16]; ldp x29, x30, [sp], #32.
    code.words.extend([0xf940_0bf3, 0xa8c2_7bfd, RET]);
    code.bytes()
}

const RET: u32 = 0xd65f_03c0;
const CBZ_X0: u32 = 0xb400_0000;
const CBNZ_X0: u32 = 0xb500_0000;
const NOP: u32 = 0xd503_201f;

/// Instructions, and the address of the first.
struct Code {
    at: u64,
    words: Vec<u32>,
}

impl Code {
    /// `adrp`: the page of `target` into a register.
    fn page(&mut self, register: u32, target: u64) {
        let here = self.at + 4 * self.words.len() as u64;
        let pages = (target >> 12).wrapping_sub(here >> 12) as u32;
        self.words.push(0x9000_0000 | (pages & 3) << 29 | (pages >> 2 & 0x7_ffff) << 5 | register);
    }

    /// The address `target` into a register.
    fn address(&mut self, register: u32, target: u64) {
        self.page(register, target);
        let low = (target & 0xfff) as u32;
        self.words.push(0x9100_0000 | low << 10 | register << 5 | register);
    }

    /// The word at `target`, a multiple of 8, into a register.
    fn load(&mut self, register: u32, target: u64) {
        self.page(register, target);
        let low = (target & 0xfff) as u32 / 8;
        self.words.push(0xf940_0000 | low << 10 | register << 5 | register);
    }

    /// Calls the function whose address lies at `target`.
    fn call(&mut self, target: u64) {
        self.load(16, target);
        self.words.push(0xd63f_0000 | 16 << 5);
    }

    fn open(&mut self, path: u64, dlopen: u64) {
        self.address(0, path);
        // movz w1, #RTLD_NOW.
        self.words.push(0x5280_0000 | u32::from(RTLD_NOW) << 5 | 1);
        self.call(dlopen);
    }

    /// A branch whose target is not known yet; gives its place.
    fn branch(&mut self, opcode: u32) -> usize {
        self.words.push(opcode);
        self.words.len() - 1
    }

    /// Lets the branch at `branch` go to where the code ends now.
    fn land(&mut self, branch: usize) {
        self.words[branch] |= ((self.words.len() - branch) as u32) << 5;
    }

    fn filled(mut self) -> Vec<u8> {
        self.words.resize(super::JUMP as usize / 4, NOP);
        self.bytes()
    }

    fn bytes(self) -> Vec<u8> {
        self.words.into_iter().flat_map(u32::to_le_bytes).collect()
    }
}
