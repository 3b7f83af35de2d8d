//! The tables that a dynamic loader reads: strings, symbols, the hash table over them, relocations.

/// Strings, each ended by a zero byte; the first is empty.
#[derive(Debug)]
pub(super) struct Strings {
    bytes: Vec<u8>,
}

impl Strings {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0] }
    }

    /// Adds a string and gives its place.
    pub(super) fn add(&mut self, text: &[u8]) -> u64 {
        let place = self.bytes.len() as u64;
        self.bytes.extend_from_slice(text);
        self.bytes.push(0);
        place
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes of an `Elf64_Sym`.
pub(super) const SYMBOL: u64 = 24;

/// An `Elf64_Sym` of a global function: `section` 0 is a function of another library.
pub(super) fn symbol(name: u64, section: u16, value: u64, size: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SYMBOL as usize);
    bytes.extend((name as u32).to_le_bytes());
    // STB_GLOBAL, STT_FUNC; STV_DEFAULT.
    bytes.extend([0x12, 0]);
    bytes.extend(section.to_le_bytes());
    bytes.extend(value.to_le_bytes());
    bytes.extend(size.to_le_bytes());
    bytes
}

/// Bytes of an `Elf64_Rela`.
pub(super) const RELOCATION: u64 = 24;

/// An `Elf64_Rela`.
pub(super) fn relocation(at: u64, symbol: u64, kind: u64, addend: u64) -> Vec<u8> {
    [at, symbol << 32 | kind, addend].into_iter().flat_map(u64::to_le_bytes).collect()
}

/// A `DT_HASH` table over the names of symbols, the empty one of place 0 among them.
pub(super) fn hash_table(names: &[&str]) -> Vec<u8> {
    let buckets = (names.len() / 2).max(1);
    let mut heads = vec![0_u32; buckets];
    let mut chains = vec![0_u32; names.len()];
    for (place, name) in names.iter().enumerate().skip(1) {
        let bucket = hash(name) as usize % buckets;
        chains[place] = heads[bucket];
        heads[bucket] = place as u32;
    }
    let counts = [buckets as u32, names.len() as u32];
    counts.into_iter().chain(heads).chain(chains).flat_map(u32::to_le_bytes).collect()
}

/// The hash of the generic ABI.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add(u32::from(byte));
        let high = hash & 0xf000_0000;
        (hash ^ high >> 24) & !high
    })
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn hashes_as_the_generic_abi_does() {
        // Values known from tables that the GNU linker wrote.
        assert_eq!(hash(""), 0);
        assert_eq!(hash("printf"), 0x0779_05a6);
        assert_eq!(hash("exit"), 0x0006_cf04);
        assert_eq!(hash("syscall"), 0x0b09_985c);
    }
}
