//! What the constructor of a front library calls: its table is filled with the functions of this library.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::since::Since;
use super::symbols::all;
use crate::profile::Cann;
use crate::runtime::faults::Plan;

/// The name of [`ascendSimAttach`], for the constructor.
pub(super) const ENTRY: &str = "ascendSimAttach";

/// What a front library shows of itself. [`elf::image`](super::elf) writes it.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Header {
    /// 83 or 85.
    release: u32,
    reserved: u32,
    /// How many functions are to be bound.
    bound: u64,
    /// The addresses that those functions jump to.
    table: *mut *mut c_void,
    /// Their entries in the dynamic symbol table, which lies in memory that can be written.
    symbols: *mut ElfSymbol,
    /// The names that those entries point into.
    strings: *const c_char,
}

/// An `Elf64_Sym`.
#[repr(C)]
#[derive(Debug)]
struct ElfSymbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: AtomicU64,
    size: u64,
}

/// The release of the libraries attached, as a number; 0 before.
static RELEASE: AtomicU32 = AtomicU32::new(0);

/// The number of a release in a [`Header`].
pub(super) fn number(cann: Cann) -> u32 {
    match cann {
        Cann::V8_3 => 83,
        Cann::V8_5 => 85,
    }
}

/// The release of the layout that this process loaded first, if it did load one.
pub(crate) fn attached() -> Option<Cann> {
    [Cann::V8_3, Cann::V8_5]
        .into_iter()
        .find(|cann| number(*cann) == RELEASE.load(Ordering::Acquire))
}

/// Binds the functions of a front library, and takes away the symbols that `ASCEND_SIM_FAULTS=missing:…` names or that the chip of
/// `ASCEND_SIM_SOC` did not have yet.
///
/// # Safety
/// `header` is that of a library that [`elf`](super::elf) wrote, and `handle` what `dlopen` gave for this library; nothing else uses
/// the library's tables meanwhile.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub(super) unsafe extern "C" fn ascendSimAttach(header: *mut Header, handle: *mut c_void) {
    if header.is_null() {
        return;
    }
    // SAFETY: not null, and the header of a library that is loaded, by the contract of this function.
    let header = unsafe { &*header };
    // The first layout stays: a second one in the same process is the same device.
    let _ = RELEASE.compare_exchange(0, header.release, Ordering::AcqRel, Ordering::Acquire);
    let missing = missing();
    for index in 0..header.bound as usize {
        // SAFETY: the symbol table has an entry for each bound function.
        let symbol = unsafe { header.symbols.add(index) };
        // SAFETY: as above; the entries lie in a segment that is readable and writable.
        let symbol = unsafe { &*symbol };
        // SAFETY: names are places in the string table, by the ELF specification.
        let name = unsafe { header.strings.add(symbol.name as usize) };
        // SAFETY: the string table's entries are ended by zero bytes, and live as long as the library.
        let name = unsafe { CStr::from_ptr(name) };
        if name.to_str().is_ok_and(|name| missing.iter().any(|other| other == name)) {
            // A symbol without a value is not defined: dlsym passes it over.
            symbol.value.store(0, Ordering::Release);
            continue;
        }
        // SAFETY: the handle is this library's, the name is ended by a zero byte.
        let function = unsafe { libc::dlsym(handle, name.as_ptr()) };
        if function.is_null() {
            continue;
        }
        // SAFETY: the table has a word for each bound function.
        let slot = unsafe { header.table.add(index) };
        // SAFETY: as above; words are aligned and writable, and the constructor runs before anything calls through them.
        unsafe { slot.write(function) };
    }
}

/// Names to take away.
fn missing() -> Vec<String> {
    // Not through the configuration: a program may set its variables after it loaded the libraries.
    let faults = std::env::var("ASCEND_SIM_FAULTS").unwrap_or_default();
    let mut missing = Plan::parse(&faults).unwrap_or_default().missing;
    if !std::env::var("ASCEND_SIM_SOC").is_ok_and(|soc| soc.starts_with("Ascend950")) {
        let newer = all().into_iter().filter(|symbol| symbol.since > Since::V8_5);
        missing.extend(newer.map(|symbol| symbol.name.to_owned()));
    }
    missing
}
