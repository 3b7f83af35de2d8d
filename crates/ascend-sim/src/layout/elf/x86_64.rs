//! Machine code of x86-64.

use super::{Answer, Operands, RTLD_NOW};

/// `jmp *slot(%rip)`.
pub(super) fn jump(at: u64, slot: u64) -> Vec<u8> {
    let mut code = Code { at, bytes: Vec::new() };
    code.relative(&[0xff, 0x25], slot);
    code.filled()
}

/// `mov $status, %eax; ret`.
pub(super) fn answer(answer: Answer) -> Vec<u8> {
    let mut code = Code { at: 0, bytes: Vec::new() };
    match answer {
        Answer::Status(status) => {
            code.raw(&[0xb8]);
            code.raw(&status.to_le_bytes());
        }
        // xor %eax, %eax: clears all of %rax.
        Answer::Null => code.raw(&[0x31, 0xc0]),
    }
    code.raw(&[0xc3]);
    code.filled()
}

/// Opens the first path, or else the second, and calls its entry with the header and the handle; returns when one of these is not there.
pub(super) fn constructor(at: u64, operands: &Operands) -> Vec<u8> {
    let mut code = Code { at, bytes: Vec::new() };
    // push %rbx: to keep the handle in it; and a call needs the stack on a multiple of 16.
    code.raw(&[0x53]);
    code.open(operands.paths[0], operands.dlopen);
    // test %rax, %rax; jne over the second attempt.
    code.raw(&[0x48, 0x85, 0xc0, 0x75, 0]);
    let opened = code.bytes.len();
    code.open(operands.paths[1], operands.dlopen);
    code.land(opened);
    // test %rax, %rax; je to the end.
    code.raw(&[0x48, 0x85, 0xc0, 0x74, 0]);
    let unopened = code.bytes.len();
    // mov %rax, %rbx; mov %rax, %rdi; lea entry(%rip), %rsi; call *dlsym(%rip).
    code.raw(&[0x48, 0x89, 0xc3, 0x48, 0x89, 0xc7]);
    code.relative(&[0x48, 0x8d, 0x35], operands.entry);
    code.relative(&[0xff, 0x15], operands.dlsym);
    code.raw(&[0x48, 0x85, 0xc0, 0x74, 0]);
    let unfound = code.bytes.len();
    // lea header(%rip), %rdi; mov %rbx, %rsi; call *%rax.
    code.relative(&[0x48, 0x8d, 0x3d], operands.header);
    code.raw(&[0x48, 0x89, 0xde, 0xff, 0xd0]);
    code.land(unopened);
    code.land(unfound);
    // pop %rbx; ret.
    code.raw(&[0x5b, 0xc3]);
    code.bytes
}

/// Instructions, and the address of the first.
struct Code {
    at: u64,
    bytes: Vec<u8>,
}

impl Code {
    fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// An instruction that ends with the distance from its end to `target`.
    fn relative(&mut self, opcode: &[u8], target: u64) {
        self.raw(opcode);
        let end = self.at + self.bytes.len() as u64 + 4;
        self.raw(&(target.wrapping_sub(end) as i32).to_le_bytes());
    }

    /// `lea path(%rip), %rdi; mov $RTLD_NOW, %esi; call *dlopen(%rip)`.
    fn open(&mut self, path: u64, dlopen: u64) {
        self.relative(&[0x48, 0x8d, 0x3d], path);
        self.raw(&[0xbe, RTLD_NOW, 0, 0, 0]);
        self.relative(&[0xff, 0x15], dlopen);
    }

    /// Lets the short jump that ends at `jump` go to where the code ends now: less than 128 bytes in all cases here.
    fn land(&mut self, jump: usize) {
        self.bytes[jump - 1] = (self.bytes.len() - jump) as u8;
    }

    /// Filled to the size of a function with `int3`.
    fn filled(mut self) -> Vec<u8> {
        self.bytes.resize(super::JUMP as usize, 0xcc);
        self.bytes
    }
}
