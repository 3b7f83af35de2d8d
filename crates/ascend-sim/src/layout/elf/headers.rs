//! The file header, and the two tables that say what lies where: segments for the loader, sections for linkers.

use super::SharedObject;
use super::dynamic::{RELOCATION, SYMBOL};
use super::image::Plan;

/// Bytes of `Elf64_Ehdr`, `Elf64_Phdr`, `Elf64_Shdr`.
pub(super) const FILE_HEADER: u64 = 64;
pub(super) const SEGMENT: u64 = 56;
const SECTION: u64 = 64;
/// Two that are loaded, the dynamic one, the one that says how the stack is protected.
pub(super) const SEGMENTS: u64 = 4;

/// Sections by their order in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Hash = 1,
    Strings,
    Relocations,
    Texts,
    Code,
    Symbols,
    Dynamic,
    Constructors,
    Data,
    Names,
}

pub(super) const PARTS: [(Part, &str); 10] = [
    (Part::Hash, ".hash"),
    (Part::Strings, ".dynstr"),
    (Part::Relocations, ".rela.dyn"),
    (Part::Texts, ".rodata"),
    (Part::Code, ".text"),
    (Part::Symbols, ".dynsym"),
    (Part::Dynamic, ".dynamic"),
    (Part::Constructors, ".init_array"),
    (Part::Data, ".data"),
    (Part::Names, ".shstrtab"),
];

impl Plan {
    pub(super) fn section_headers(&self) -> u64 {
        self.end(Part::Names).next_multiple_of(8)
    }

    pub(super) fn file_header(&self, object: &SharedObject<'_>) -> Vec<u8> {
        // 64 bits, little endian, version 1, System V.
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        // ET_DYN.
        bytes.extend(3_u16.to_le_bytes());
        bytes.extend(object.machine.number().to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        for word in [0, FILE_HEADER, self.section_headers()] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(0_u32.to_le_bytes());
        let sections = PARTS.len() as u16 + 1;
        for half in [
            FILE_HEADER as u16,
            SEGMENT as u16,
            SEGMENTS as u16,
            SECTION as u16,
            sections,
            Part::Names as u16,
        ] {
            bytes.extend(half.to_le_bytes());
        }
        bytes
    }

    pub(super) fn segments(&self, object: &SharedObject<'_>) -> Vec<u8> {
        let read = self.end(Part::Code);
        let written = self.start(Part::Symbols);
        let dynamic = self.span(Part::Dynamic);
        let page = object.machine.page();
        // PT_LOAD 1, PT_DYNAMIC 2, PT_GNU_STACK; PF_X 1, PF_W 2, PF_R 4.
        [
            (1, 5, 0, read, page),
            (1, 6, written, self.end(Part::Data) - written, page),
            (2, 6, dynamic.0, dynamic.1, 8),
            (0x6474_e551, 6, 0, 0, 16),
        ]
        .into_iter()
        .flat_map(|(kind, flags, start, size, align): (u32, u32, u64, u64, u64)| {
            let mut bytes = Vec::new();
            bytes.extend(kind.to_le_bytes());
            bytes.extend(flags.to_le_bytes());
            for word in [start, start, start, size, size, align] {
                bytes.extend(word.to_le_bytes());
            }
            bytes
        })
        .collect()
    }

    pub(super) fn sections(&self, names: [u64; 10]) -> Vec<u8> {
        let mut bytes = vec![0; SECTION as usize];
        for ((part, _), name) in PARTS.into_iter().zip(names) {
            // SHT_PROGBITS 1, STRTAB 3, RELA 4, HASH 5, DYNAMIC 6, DYNSYM 11, INIT_ARRAY 14; SHF_WRITE 1, ALLOC 2, EXECINSTR 4.
            let (kind, flags, link, info, entry): (u32, u64, u32, u32, u64) = match part {
                Part::Hash => (5, 2, Part::Symbols as u32, 0, 4),
                Part::Strings => (3, 2, 0, 0, 0),
                Part::Relocations => (4, 2, Part::Symbols as u32, 0, RELOCATION),
                Part::Texts => (1, 2, 0, 0, 0),
                Part::Code => (1, 6, 0, 0, 0),
                Part::Symbols => (11, 3, Part::Strings as u32, 1, SYMBOL),
                Part::Dynamic => (6, 3, Part::Strings as u32, 0, 16),
                Part::Constructors => (14, 3, 0, 0, 8),
                Part::Data => (1, 3, 0, 0, 0),
                Part::Names => (3, 0, 0, 0, 0),
            };
            let (start, size) = self.span(part);
            bytes.extend((name as u32).to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            let address = if part == Part::Names { 0 } else { start };
            for word in [flags, address, start, size] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.extend(link.to_le_bytes());
            bytes.extend(info.to_le_bytes());
            for word in [16, entry] {
                bytes.extend(word.to_le_bytes());
            }
        }
        bytes
    }
}
