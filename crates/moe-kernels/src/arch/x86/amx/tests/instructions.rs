//! The emulator, and that a CPU with tiles does the same.

use std::arch::asm;
use std::array;

use super::tiles;
use crate::arch::x86::amx::emulator::{Address, Instruction, State, decode, execute};

/// Bytes of the instructions as an assembler gives them.
#[test]
fn instructions_are_decoded() {
    let at = |base, index, displacement, sib| Address { base, index, displacement, sib };
    let cases: [(&[u8], Instruction); 9] = [
        // ldtilecfg [rax]
        (&[0xC4, 0xE2, 0x78, 0x49, 0x00], Instruction::LoadConfig(at(0, None, 0, false))),
        // ldtilecfg [r12 + 64]
        (
            &[0xC4, 0xC2, 0x78, 0x49, 0x44, 0x24, 0x40],
            Instruction::LoadConfig(at(12, None, 64, true)),
        ),
        // tilerelease
        (&[0xC4, 0xE2, 0x78, 0x49, 0xC0], Instruction::Release),
        // tilezero tmm3
        (&[0xC4, 0xE2, 0x7B, 0x49, 0xD8], Instruction::Zero { tile: 3 }),
        // tileloadd tmm0, [rax + rcx + 1024]
        (
            &[0xC4, 0xE2, 0x7B, 0x4B, 0x84, 0x08, 0, 4, 0, 0],
            Instruction::Load { tile: 0, from: at(0, Some((1, 0)), 1024, true) },
        ),
        // tileloadd tmm7, [r15 + r9*4 - 8]
        (
            &[0xC4, 0x82, 0x7B, 0x4B, 0x7C, 0x8F, 0xF8],
            Instruction::Load { tile: 7, from: at(15, Some((9, 2)), -8, true) },
        ),
        // tileloadd tmm1, [rsp]
        (
            &[0xC4, 0xE2, 0x7B, 0x4B, 0x0C, 0x24],
            Instruction::Load { tile: 1, from: at(4, None, 0, true) },
        ),
        // tilestored [rax + rcx], tmm0
        (
            &[0xC4, 0xE2, 0x7A, 0x4B, 0x04, 0x08],
            Instruction::Store { tile: 0, to: at(0, Some((1, 0)), 0, true) },
        ),
        // tdpbf16ps tmm0, tmm4, tmm6
        (&[0xC4, 0xE2, 0x4A, 0x5C, 0xC4], Instruction::Multiply { sums: 0, a: 4, b: 6 }),
    ];
    for (bytes, instruction) in cases {
        assert_eq!(
            decode(|place| bytes[place]),
            Some((instruction, bytes.len() as u8)),
            "{bytes:02X?}"
        );
    }
}

#[test]
fn other_bytes_are_no_instruction_of_tiles() {
    let cases: [&[u8]; 9] = [
        &[0x0F, 0x0B, 0, 0, 0],                // ud2
        &[0xC4, 0xE2, 0x7C, 0x49, 0xC0],       // 256 bits
        &[0xC4, 0xE2, 0xF8, 0x49, 0xC0],       // W1
        &[0xC4, 0xE3, 0x78, 0x49, 0xC0],       // 0F3A
        &[0xC4, 0xE2, 0x78, 0x49, 0xC1],       // tilerelease has no operand
        &[0xC4, 0xE2, 0x70, 0x49, 0xC0],       // nor a third one
        &[0xC4, 0xE2, 0x7B, 0x4B, 0x00],       // tileloadd asks for SIB
        &[0xC4, 0x62, 0x7B, 0x4B, 0x04, 0x08], // tile 8
        &[0xC4, 0xE2, 0x0A, 0x5C, 0xC4],       // tile 14
    ];
    for bytes in cases {
        assert_eq!(decode(|place| bytes[place]), None, "{bytes:02X?}");
    }
}

/// Rows and bytes of a row of eight tiles.
type Shapes = [(u8, u16); 8];

#[repr(align(64))]
struct Config([u8; 64]);

fn config(shapes: Shapes) -> Config {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    for (tile, (rows, row_bytes)) in shapes.into_iter().enumerate() {
        bytes[16 + 2 * tile..][..2].copy_from_slice(&row_bytes.to_le_bytes());
        bytes[48 + tile] = rows;
    }
    Config(bytes)
}

/// A register file in which the numbers are addresses.
fn registers(values: [u64; 3]) -> impl Fn(u8) -> u64 {
    move |number| values[usize::from(number)]
}

const ZERO: Address = Address { base: 0, index: None, displacement: 0, sib: true };

fn configured(shapes: Shapes) -> Option<State> {
    let (mut state, config) = (State::INITIAL, config(shapes));
    let address = registers([config.0.as_ptr() as u64, 0, 0]);
    execute(&mut state, Instruction::LoadConfig(ZERO), address).map(|()| state)
}

const NONE: (u8, u16) = (0, 0);
const FULL: (u8, u16) = (16, 64);

#[test]
fn a_product_of_small_tiles_by_hand() {
    // Two vectors of three pairs, with one row: 2 x 1 sums.
    let mut state = configured([(2, 4), (2, 12), (3, 4), FULL, NONE, NONE, NONE, NONE]).unwrap();
    let pair = |first: f32, second: f32| first.to_bits() >> 16 | second.to_bits();
    let vectors = [
        [pair(1.0, 2.0), pair(3.0, 4.0), pair(5.0, 6.0), u32::MAX],
        [pair(-1.0, 0.5), pair(0.0, 8.0), pair(2.0, 0.25), u32::MAX],
    ];
    let row = [[pair(10.0, 1.0)], [pair(100.0, 2.0)], [pair(1000.0, 4.0)]];
    let mut sums = [[0.5f32, 7.0], [-0.5, 7.0], [9.0, 9.0]];
    let sums_at = sums.as_mut_ptr() as u64;
    let mut run = |instruction, base: u64, stride: u64| {
        execute(&mut state, instruction, registers([base, stride, 0])).unwrap();
    };
    let at = Address { index: Some((1, 0)), ..ZERO };
    run(Instruction::Load { tile: 0, from: at }, sums_at, 8);
    run(Instruction::Load { tile: 1, from: at }, vectors.as_ptr() as u64, 16);
    run(Instruction::Load { tile: 2, from: at }, row.as_ptr() as u64, 4);
    run(Instruction::Multiply { sums: 0, a: 1, b: 2 }, 0, 0);
    let tail = Address { displacement: -8, ..at };
    run(Instruction::Store { tile: 0, to: tail }, sums_at + 8, 8);
    // 10 + 300 + 5000 + 2 + 8 + 24, -10 + 0 + 2000 + 0.5 + 16 + 1; nothing beside them is written.
    assert_eq!(sums, [[5344.5, 7.0], [2007.0, 7.0], [9.0, 9.0]]);
    run(Instruction::Zero { tile: 0 }, 0, 0);
    run(Instruction::Store { tile: 0, to: at }, sums_at, 8);
    assert_eq!(sums, [[0.0, 7.0], [0.0, 7.0], [9.0, 9.0]]);
}

#[test]
fn what_is_behind_a_shape_is_zero() {
    let mut state = configured([FULL, (2, 8), (2, 64), NONE, NONE, NONE, NONE, NONE]).unwrap();
    let ones = [[1u8; 64]; 16];
    let mut found = [[9u8; 64]; 16];
    let (ones_at, found_at) = (ones.as_ptr() as u64, found.as_mut_ptr() as u64);
    let at = Address { index: Some((1, 6)), ..ZERO };
    let mut run = |instruction, base| execute(&mut state, instruction, registers([base, 1, 0]));
    run(Instruction::Load { tile: 1, from: at }, ones_at).unwrap();
    // Another shape without another load: the tiles are zero then.
    let wider = config([FULL; 8]);
    run(Instruction::LoadConfig(ZERO), wider.0.as_ptr() as u64).unwrap();
    run(Instruction::Store { tile: 1, to: at }, found_at).unwrap();
    assert_eq!(found, [[0; 64]; 16]);
    run(Instruction::Load { tile: 1, from: at }, ones_at).unwrap();
    run(Instruction::Store { tile: 1, to: at }, found_at).unwrap();
    assert_eq!(found, ones);
}

#[test]
fn what_the_manual_forbids_is_not_done() {
    let refused = |shapes| configured(shapes).is_none();
    assert!(refused([(17, 64), NONE, NONE, NONE, NONE, NONE, NONE, NONE]));
    assert!(refused([(16, 65), NONE, NONE, NONE, NONE, NONE, NONE, NONE]));
    assert!(refused([(16, 0), NONE, NONE, NONE, NONE, NONE, NONE, NONE]));
    for (byte, value) in [(0, 2), (1, 1), (2, 1), (15, 1), (32, 1), (56, 1)] {
        let mut config = config([FULL; 8]);
        config.0[byte] = value;
        let address = registers([config.0.as_ptr() as u64, 0, 0]);
        let done = execute(&mut State::INITIAL.clone(), Instruction::LoadConfig(ZERO), address);
        assert_eq!(done, None, "byte {byte}");
    }
    let do_it = |state: Option<State>, instruction| {
        let mut bytes = [0u8; 1024];
        let address = registers([bytes.as_mut_ptr() as u64, 0, 0]);
        execute(&mut state.unwrap(), instruction, address)
    };
    let load = Instruction::Load { tile: 0, from: ZERO };
    let store = Instruction::Store { tile: 0, to: ZERO };
    let multiply = Instruction::Multiply { sums: 0, a: 1, b: 2 };
    for instruction in [load, store, multiply, Instruction::Zero { tile: 0 }] {
        assert_eq!(do_it(Some(State::INITIAL), instruction), None);
        assert_eq!(do_it(configured([NONE; 8]), instruction), None);
        let mut state = configured([FULL; 8]);
        assert_eq!(do_it(state.clone(), instruction), Some(()));
        execute(state.as_mut().unwrap(), Instruction::Release, |_| 0).unwrap();
        assert_eq!(do_it(state, instruction), None);
    }
    // Sums of five vectors and three rows, from seven pairs; then shapes that do not fit.
    let fits = [(5, 12), (5, 28), (7, 12)];
    for (tile, other) in
        [(0, (5, 12)), (0, (4, 12)), (0, (5, 16)), (1, (5, 24)), (2, (7, 16)), (2, (6, 12))]
    {
        let mut shapes = [NONE; 8];
        shapes[..3].copy_from_slice(&fits);
        shapes[tile] = other;
        let done = do_it(configured(shapes), multiply);
        assert_eq!(done.is_some(), other == fits[tile], "{shapes:?}");
    }
    for (sums, a, b) in [(0, 0, 1), (0, 1, 0), (0, 1, 1)] {
        assert_eq!(do_it(configured([FULL; 8]), Instruction::Multiply { sums, a, b }), None);
    }
}

/// A kilobyte of any bits, of bf16 near 1, or around the least normal number.
fn random(seed: &mut u32, kind: usize) -> [[u32; 16]; 16] {
    let mut next = || {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        *seed
    };
    array::from_fn(|_| {
        array::from_fn(|_| match kind {
            0 => next() & 0x87FF_87FF | 0x3C00_3C00,
            // Products from 2⁻¹³⁰ to 2⁻¹²².
            1 => next() & 0x81FF_81FF | 0x1F80_1F80,
            // 2⁻¹²⁷, subnormal, to 2⁻¹²³; with factors near 1.
            _ => next() & 0x81FF_81FF,
        })
    })
}

/// What a CPU with tiles gives, the emulator's own functions give; without one, this is the way through
/// the signal.
#[test]
fn machine_code_does_what_the_emulator_does() {
    if tiles().is_none() {
        return;
    }
    let mut seed = 0x1234_5678;
    for round in 0..300 {
        let rows = (round % 16 + 1) as u8;
        let depth = (round / 3 % 16 + 1) as u8;
        let columns = (round / 7 % 16 + 1) as u16;
        let shapes = [(rows, 4 * columns), (rows, 4 * u16::from(depth)), (depth, 4 * columns)];
        let mut all = [NONE; 8];
        all[..3].copy_from_slice(&shapes);
        let config = config(all);
        let kind = round % 4;
        let a = random(&mut seed, kind);
        let b = random(&mut seed, if kind == 2 { 0 } else { kind });
        // As `f32`: from 2⁻⁷ to 2⁹, or from subnormal to 2⁻¹²³, or zero.
        let mut sums = match kind {
            0 | 2 => random(&mut seed, 2 - kind.min(2)),
            1 => [[0; 16]; 16],
            _ => random(&mut seed, 2),
        };
        let mut expected = sums;

        let mut state = State::INITIAL;
        let mut run = |instruction, base: u64| {
            execute(&mut state, instruction, registers([base, 64, 0])).unwrap();
        };
        let at = Address { index: Some((1, 0)), ..ZERO };
        run(Instruction::LoadConfig(ZERO), config.0.as_ptr() as u64);
        let expected_at = expected.as_mut_ptr() as u64;
        run(Instruction::Load { tile: 0, from: at }, expected_at);
        run(Instruction::Load { tile: 1, from: at }, a.as_ptr() as u64);
        run(Instruction::Load { tile: 2, from: at }, b.as_ptr() as u64);
        run(Instruction::Multiply { sums: 0, a: 1, b: 2 }, 0);
        run(Instruction::Multiply { sums: 0, a: 1, b: 2 }, 0);
        run(Instruction::Store { tile: 0, to: at }, expected_at);

        // SAFETY: there are tiles, and the shapes are within what is read and written.
        unsafe {
            asm!(
                "ldtilecfg [{config}]",
                "tileloadd tmm0, [{sums} + {line}*4]",
                "tileloadd tmm1, [{a} + {line}*4]",
                "tileloadd tmm2, [{b} + {line}*4]",
                "tdpbf16ps tmm0, tmm1, tmm2",
                "tdpbf16ps tmm0, tmm1, tmm2",
                "tilestored [{sums} + {line}*4], tmm0",
                "tilezero tmm0",
                "tilerelease",
                config = in(reg) config.0.as_ptr(),
                sums = in(reg) sums.as_mut_ptr(),
                a = in(reg) a.as_ptr(),
                b = in(reg) b.as_ptr(),
                line = in(reg) 16usize,
                out("tmm0") _, out("tmm1") _, out("tmm2") _,
                options(nostack),
            );
        }
        assert_eq!(sums, expected, "round {round}: {shapes:?}");
    }
}
