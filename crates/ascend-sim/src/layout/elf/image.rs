//! Puts the parts of a library in their places: what is executed and read in the first segment, what is written in the second.

use super::dynamic::{RELOCATION, SYMBOL, Strings, hash_table, relocation, symbol};
use super::headers::{FILE_HEADER, PARTS, Part, SEGMENT, SEGMENTS};
use super::{Answer, JUMP, Load, Operands, SharedObject};

/// Words of the header before the table.
const HEADER: u64 = 40;

/// Libraries that have `dlopen` and `dlsym`: the second had them before glibc 2.34, and is still there.
const NEEDED: [&str; 2] = ["libc.so.6", "libdl.so.2"];
const IMPORTS: [&str; 2] = ["dlopen", "dlsym"];

impl SharedObject<'_> {
    /// The library as a file.
    pub(in crate::layout) fn bytes(&self) -> Vec<u8> {
        Plan::new(self).write(self)
    }
}

/// Where everything is; addresses are places in the file.
pub(super) struct Plan {
    strings: Strings,
    /// Places in `strings`: the own name, the libraries needed, the symbols.
    soname: u64,
    needed: Vec<u64>,
    names: Vec<u64>,
    imports: usize,
    /// Start and size of each part, in the order of [`PARTS`].
    spans: [(u64, u64); 10],
    operands: Operands,
}

impl Plan {
    fn new(object: &SharedObject<'_>) -> Self {
        let mut strings = Strings::new();
        let soname = strings.add(object.soname.as_bytes());
        let imports: &[&str] = if object.load.is_some() { &IMPORTS } else { &[] };
        let needed = if object.load.is_some() { &NEEDED[..] } else { &[] };
        let needed = needed.iter().map(|name| strings.add(name.as_bytes())).collect::<Vec<_>>();
        let names = imports
            .iter()
            .copied()
            .chain(object.functions.iter().map(|function| function.name))
            .map(|name| strings.add(name.as_bytes()))
            .collect::<Vec<_>>();
        let mut plan = Self {
            strings,
            soname,
            needed,
            imports: imports.len(),
            names,
            spans: [(0, 0); 10],
            operands: Operands::default(),
        };
        plan.place(object);
        plan
    }

    fn place(&mut self, object: &SharedObject<'_>) {
        let functions = object.functions.len() as u64;
        let symbols = 1 + self.names.len() as u64;
        let loads = object.load.is_some();
        let constructor = object.machine.constructor(0, &self.operands).len() as u64;
        let texts = object.load.as_ref().map_or(0, |load| {
            load.paths.iter().map(|path| path.len() as u64 + 1).sum::<u64>()
                + load.entry.len() as u64
                + 1
        });
        let words = if loads { 8 * self.imports as u64 + HEADER } else { 0 };
        let sizes = [
            4 * (2 + symbols + (symbols / 2).max(1)),
            self.strings.bytes().len() as u64,
            RELOCATION * self.relocation_count(object),
            texts,
            JUMP * (functions + answers(object).len() as u64) + if loads { constructor } else { 0 },
            SYMBOL * symbols,
            16 * self.dynamic_count(loads),
            if loads { 8 } else { 0 },
            words + 8 * functions,
            1 + PARTS.iter().map(|(_, name)| name.len() as u64 + 1).sum::<u64>(),
        ];
        let mut at = FILE_HEADER + SEGMENT * SEGMENTS;
        for ((span, size), (part, _)) in self.spans.iter_mut().zip(sizes).zip(PARTS) {
            at =
                at.next_multiple_of(if part == Part::Symbols { object.machine.page() } else { 16 });
            *span = (at, size);
            at += size;
        }
        let (texts, data) = (self.start(Part::Texts), self.start(Part::Data));
        if let Some(load) = &object.load {
            let second = texts + load.paths[0].len() as u64 + 1;
            self.operands = Operands {
                paths: [texts, second],
                entry: second + load.paths[1].len() as u64 + 1,
                dlopen: data,
                dlsym: data + 8,
                header: data + 16,
            };
        }
    }

    pub(super) fn span(&self, part: Part) -> (u64, u64) {
        self.spans[part as usize - 1]
    }

    pub(super) fn start(&self, part: Part) -> u64 {
        self.span(part).0
    }

    pub(super) fn end(&self, part: Part) -> u64 {
        let (start, size) = self.span(part);
        start + size
    }

    /// The word that the function `index` jumps through.
    fn slot(&self, index: usize, functions: usize) -> u64 {
        self.end(Part::Data) - 8 * (functions - index) as u64
    }

    /// The function that answers when `index` is not bound.
    fn unbound(&self, object: &SharedObject<'_>, index: usize) -> u64 {
        let place = answers(object)
            .iter()
            .position(|answer| *answer == object.functions[index].unbound)
            .unwrap_or_default();
        self.start(Part::Code) + JUMP * (object.functions.len() + place) as u64
    }

    fn constructor(&self, object: &SharedObject<'_>) -> u64 {
        self.start(Part::Code) + JUMP * (object.functions.len() + answers(object).len()) as u64
    }

    fn relocation_count(&self, object: &SharedObject<'_>) -> u64 {
        let loading = if object.load.is_some() { self.imports as u64 + 4 } else { 0 };
        loading + object.functions.len() as u64
    }

    fn relocations(&self, object: &SharedObject<'_>) -> Vec<u8> {
        let relative = object.machine.relative();
        let mut bytes = Vec::new();
        if object.load.is_some() {
            let Operands { dlopen, dlsym, header, .. } = self.operands;
            for (word, import) in [dlopen, dlsym].into_iter().zip(1..) {
                bytes.extend(relocation(word, import, object.machine.glob_dat(), 0));
            }
            let init = self.start(Part::Constructors);
            bytes.extend(relocation(init, 0, relative, self.constructor(object)));
            let symbols = self.start(Part::Symbols) + SYMBOL * (1 + self.imports as u64);
            let table = self.slot(0, object.functions.len());
            for (word, target) in
                [table, symbols, self.start(Part::Strings)].into_iter().enumerate()
            {
                bytes.extend(relocation(header + 16 + 8 * word as u64, 0, relative, target));
            }
        }
        for index in 0..object.functions.len() {
            let slot = self.slot(index, object.functions.len());
            bytes.extend(relocation(slot, 0, relative, self.unbound(object, index)));
        }
        bytes
    }

    fn dynamic_count(&self, loads: bool) -> u64 {
        self.needed.len() as u64 + if loads { 2 } else { 0 } + 10
    }

    fn dynamic(&self, object: &SharedObject<'_>) -> Vec<u8> {
        // DT_NEEDED 1, DT_HASH 4, DT_STRTAB 5, DT_SYMTAB 6, DT_RELA 7, DT_RELASZ 8, DT_RELAENT 9, DT_STRSZ 10, DT_SYMENT 11,
        // DT_SONAME 14, DT_INIT_ARRAY 25, DT_INIT_ARRAYSZ 27.
        let mut entries = self.needed.iter().map(|name| (1, *name)).collect::<Vec<_>>();
        entries.extend([
            (14, self.soname),
            (4, self.start(Part::Hash)),
            (5, self.start(Part::Strings)),
            (10, self.span(Part::Strings).1),
            (6, self.start(Part::Symbols)),
            (11, SYMBOL),
            (7, self.start(Part::Relocations)),
            (8, self.span(Part::Relocations).1),
            (9, RELOCATION),
        ]);
        if object.load.is_some() {
            entries.extend([(25, self.start(Part::Constructors)), (27, 8)]);
        }
        entries.push((0, 0));
        entries
            .into_iter()
            .flat_map(|(tag, value): (u64, u64)| [tag, value])
            .flat_map(u64::to_le_bytes)
            .collect()
    }

    fn symbols(&self) -> Vec<u8> {
        let mut bytes = vec![0; SYMBOL as usize];
        for (index, name) in self.names.iter().enumerate() {
            bytes.extend(match index.checked_sub(self.imports) {
                None => symbol(*name, 0, 0, 0),
                Some(function) => {
                    let value = self.start(Part::Code) + JUMP * function as u64;
                    symbol(*name, Part::Code as u16, value, JUMP)
                }
            });
        }
        bytes
    }

    fn code(&self, object: &SharedObject<'_>) -> Vec<u8> {
        let start = self.start(Part::Code);
        let functions = object.functions.len();
        let mut bytes = Vec::new();
        for index in 0..functions {
            let at = start + bytes.len() as u64;
            bytes.extend(object.machine.jump(at, self.slot(index, functions)));
        }
        for answer in answers(object) {
            bytes.extend(object.machine.answer(answer));
        }
        if object.load.is_some() {
            bytes.extend(object.machine.constructor(self.constructor(object), &self.operands));
        }
        bytes
    }

    /// Words for imports, the header as [`Header`](crate::layout::attach::Header) has it, the table: pointers are set by relocations.
    fn data(&self, object: &SharedObject<'_>) -> Vec<u8> {
        let mut bytes = vec![0; self.span(Part::Data).1 as usize];
        if let Some(Load { release, bound, .. }) = object.load {
            bytes[16..20].copy_from_slice(&release.to_le_bytes());
            bytes[24..32].copy_from_slice(&(bound as u64).to_le_bytes());
        }
        bytes
    }

    fn write(&self, object: &SharedObject<'_>) -> Vec<u8> {
        let mut names = Strings::new();
        let section_names = PARTS.map(|(_, name)| names.add(name.as_bytes()));
        let symbol_names = [""]
            .into_iter()
            .chain(IMPORTS.into_iter().take(self.imports))
            .chain(object.functions.iter().map(|function| function.name))
            .collect::<Vec<_>>();
        let texts = object.load.as_ref().map_or_else(Vec::new, |load| {
            [load.paths[0], load.paths[1], load.entry.as_bytes()]
                .map(|text| [text, &[0]].concat())
                .concat()
        });
        let constructors = if object.load.is_some() { vec![0; 8] } else { Vec::new() };
        let contents = [
            hash_table(&symbol_names),
            self.strings.bytes().to_vec(),
            self.relocations(object),
            texts,
            self.code(object),
            self.symbols(),
            self.dynamic(object),
            constructors,
            self.data(object),
            names.bytes().to_vec(),
        ];
        let mut file = self.file_header(object);
        file.extend(self.segments(object));
        for (content, (start, size)) in contents.into_iter().zip(self.spans) {
            debug_assert_eq!(content.len() as u64, size);
            file.resize(start as usize, 0);
            file.extend(content);
        }
        file.resize(self.section_headers() as usize, 0);
        file.extend(self.sections(section_names));
        file
    }
}

/// The answers that functions of a library have, each once.
fn answers(object: &SharedObject<'_>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for function in object.functions {
        if !answers.contains(&function.unbound) {
            answers.push(function.unbound);
        }
    }
    answers
}
