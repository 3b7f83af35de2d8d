//! Libraries for another processor, which the dynamic linker calls missing.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Where an ELF file says its machine, and the numbers of those that CANN exists for (System V ABI,
/// `e_machine`).
const MACHINE: usize = 18;
const X86_64: u16 = 62;
const AARCH64: u16 = 183;

const THIS: u16 = if cfg!(target_arch = "x86_64") {
    X86_64
} else if cfg!(target_arch = "aarch64") {
    AARCH64
} else {
    0
};

/// What the dynamic linker said, or more if it only said that a file is missing which is there.
pub(super) fn explained(file: &Path, words: String) -> String {
    // A missing library that this one needs is named instead of it.
    if !words.starts_with(&*file.to_string_lossy()) {
        return words;
    }
    match machine(file) {
        Some(machine) if machine != THIS => {
            let name = match machine {
                X86_64 => "x86-64".to_owned(),
                AARCH64 => "AArch64".to_owned(),
                other => format!("ELF machine {other}"),
            };
            format!("the file is for another processor: {name}")
        }
        _ => words,
    }
}

fn machine(file: &Path) -> Option<u16> {
    let mut header = [0; MACHINE + 2];
    File::open(file).ok()?.read_exact(&mut header).ok()?;
    let little = header[..4] == *b"\x7FELF" && header[5] == 1;
    little.then(|| u16::from_le_bytes([header[MACHINE], header[MACHINE + 1]]))
}
