use super::{Answer, Function, Load, Machine, Operands, SharedObject};

/// What the disassemblers of LLVM and binutils read as the instructions meant.
#[test]
fn jumps_and_answers_are_the_assemblers() {
    assert_eq!(Machine::X86_64.jump(0x1000, 0x3008)[..6], [0xff, 0x25, 0x02, 0x20, 0, 0]);
    assert_eq!(
        Machine::X86_64.answer(Answer::Status(100_039))[..6],
        [0xb8, 0xc7, 0x86, 0x01, 0, 0xc3]
    );
    assert_eq!(Machine::X86_64.answer(Answer::Null)[..3], [0x31, 0xc0, 0xc3]);
    // adrp x16, 0x11 pages further on; ldr x16, [x16, #0x458]; br x16; nop.
    assert_eq!(
        words(&Machine::Aarch64.jump(0x1_2340, 0x2_3458)),
        [0xb000_0090, 0xf942_2e10, 0xd61f_0200, 0xd503_201f]
    );
    assert_eq!(
        words(&Machine::Aarch64.answer(Answer::Status(100_039))),
        [0x5290_d8e0, 0x72a0_0020, 0xd65f_03c0, 0xd503_201f]
    );
    assert_eq!(words(&Machine::Aarch64.answer(Answer::Null))[..2], [0xd280_0000, 0xd65f_03c0]);
}

const OPERANDS: Operands = Operands {
    paths: [0x1_0010, 0x1_0020],
    entry: 0x1_0030,
    dlopen: 0x2_0000,
    dlsym: 0x2_0008,
    header: 0x2_0010,
};

#[test]
fn constructors_are_what_disassemblers_read_as_meant() {
    assert_eq!(Machine::X86_64.constructor(0, &OPERANDS), X86_64);
    assert_eq!(words(&Machine::Aarch64.constructor(0, &OPERANDS)), AARCH64);
}

#[rustfmt::skip]
const X86_64: [u8; 85] = [
    0x53, 0x48, 0x8d, 0x3d, 0x08, 0x00, 0x01, 0x00, 0xbe, 0x02, 0x00, 0x00, 0x00, 0xff, 0x15, 0xed,
    0xff, 0x01, 0x00, 0x48, 0x85, 0xc0, 0x75, 0x12, 0x48, 0x8d, 0x3d, 0x01, 0x00, 0x01, 0x00, 0xbe,
    0x02, 0x00, 0x00, 0x00, 0xff, 0x15, 0xd6, 0xff, 0x01, 0x00, 0x48, 0x85, 0xc0, 0x74, 0x24, 0x48,
    0x89, 0xc3, 0x48, 0x89, 0xc7, 0x48, 0x8d, 0x35, 0xf4, 0xff, 0x00, 0x00, 0xff, 0x15, 0xc6, 0xff,
    0x01, 0x00, 0x48, 0x85, 0xc0, 0x74, 0x0c, 0x48, 0x8d, 0x3d, 0xc2, 0xff, 0x01, 0x00, 0x48, 0x89,
    0xde, 0xff, 0xd0, 0x5b, 0xc3,
];

#[rustfmt::skip]
const AARCH64: [u32; 32] = [
    0xa9be_7bfd, 0x9100_03fd, 0xf900_0bf3, 0x9000_0080, 0x9100_4000, 0x5280_0041, 0x9000_0110, 0xf940_0210,
    0xd63f_0200, 0xb500_00e0, 0x9000_0080, 0x9100_8000, 0x5280_0041, 0x9000_0110, 0xf940_0210, 0xd63f_0200,
    0xb400_01a0, 0xaa00_03f3, 0x9000_0081, 0x9100_c021, 0x9000_0110, 0xf940_0610, 0xd63f_0200, 0xb400_00c0,
    0xaa00_03f0, 0x9000_0100, 0x9100_4000, 0xaa13_03e1, 0xd63f_0200, 0xf940_0bf3, 0xa8c2_7bfd, 0xd65f_03c0,
];

fn words(bytes: &[u8]) -> Vec<u32> {
    let word = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    bytes.chunks_exact(4).map(word).collect()
}

/// A library without functions, one without a constructor, a whole one: every address that a table names lies in the segment that
/// it should, and the writable segment starts on a page.
#[test]
fn parts_lie_in_their_segments() {
    let load = Load { paths: [b"/a/b", b"$ORIGIN/b"], entry: "enter", release: 85, bound: 2 };
    let status = Answer::Status(100_039);
    let functions = [("one", status), ("two", Answer::Null), ("three", status)];
    let functions = functions.map(|(name, unbound)| Function { name, unbound });
    for machine in [Machine::X86_64, Machine::Aarch64] {
        for (functions, load) in
            [(&functions[..0], None), (&functions[..], None), (&functions[..], Some(load))]
        {
            let file = SharedObject { machine, soname: "libx.so", functions, load }.bytes();
            let word = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
            let (code, data) = (64, 64 + 56);
            assert_eq!(word(code + 8), 0);
            assert_eq!(word(data + 8), word(data + 16));
            assert_eq!(word(data + 8) % machine.page(), 0);
            assert!(word(code + 32) <= word(data + 8));
            let dynamic = 64 + 2 * 56;
            let entries = (0..word(dynamic + 32) / 16).map(|entry| {
                let at = (word(dynamic + 8) + 16 * entry) as usize;
                (word(at), word(at + 8))
            });
            let entries = entries.collect::<std::collections::HashMap<_, _>>();
            let end = word(data + 8) + word(data + 32);
            assert!(entries[&6] >= word(data + 8) && entries[&6] < end);
            for tag in [4, 5, 7] {
                assert!(entries[&tag] <= word(code + 32));
            }
            assert_eq!(entries.contains_key(&25), load.is_some());
            assert_eq!(entries[&8] % 24, 0);
            assert!(word(40) + 11 * 64 <= file.len() as u64);
        }
    }
}
