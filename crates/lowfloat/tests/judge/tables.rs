//! Tables of conversions, as the judge wants them: raw little-endian results, NaNs replaced by the
//! quiet NaN of their sign (packages differ in payloads).
#![allow(unreachable_pub)] // part of a test and of an example

use lowfloat::{DType, E2M1, E8M0, cast_bytes, mxfp4};

/// A conversion applied to a fixed list of patterns.
pub struct Table {
    /// `from_to`, lower case.
    pub name: String,
    /// The results, one after the other.
    pub bytes: Vec<u8>,
}

const SMALL: [DType; 4] = [DType::F16, DType::BF16, DType::F8E4M3, DType::F8E5M2];

/// Every table, always in the same order.
pub fn all() -> Vec<Table> {
    let mut tables = Vec::new();
    for from in SMALL {
        let src: Vec<u8> = match from.size() {
            Some(1) => (0..=255).collect(),
            _ => (0..=u16::MAX).flat_map(u16::to_le_bytes).collect(),
        };
        for to in [DType::F32, DType::F16, DType::BF16, DType::F8E4M3, DType::F8E5M2] {
            if from != to {
                tables.push(cast(from, &src, to));
            }
        }
    }
    let f32s: Vec<u32> = f32_patterns().collect();
    let src: Vec<u8> = f32s.iter().copied().flat_map(u32::to_le_bytes).collect();
    tables.extend(SMALL.map(|to| cast(DType::F32, &src, to)));
    let src: Vec<u8> = f64_patterns(&f32s).flat_map(u64::to_le_bytes).collect();
    tables.extend([DType::F32, DType::F16].map(|to| cast(DType::F64, &src, to)));
    tables.push(scales());
    tables.push(codes());
    tables.extend([DType::F32, DType::BF16, DType::F16].map(blocks));
    tables
}

/// Every upper half with lower halves at, below and above the ties of every narrower format.
fn f32_patterns() -> impl Iterator<Item = u32> {
    (0..=0xFFFFu32).flat_map(|upper| {
        (0..8u32).flat_map(move |top| {
            [0, 1, 0x0FFF, 0x1000, 0x1001, 0x1FFF].map(|low| upper << 16 | top << 13 | low)
        })
    })
}

/// Every 16th of the finite f32, between its neighbours in f64 and next to the ties of f32.
fn f64_patterns(f32s: &[u32]) -> impl Iterator<Item = u64> {
    let finite = f32s.iter().step_by(16).filter(|bits| *bits & 0x7F80_0000 != 0x7F80_0000);
    finite.flat_map(|bits| {
        let bits = f64::from(f32::from_bits(*bits)).to_bits();
        [bits, bits + 1, bits + (1 << 28) - 1, bits + (1 << 28), bits + (1 << 28) + 1]
    })
}

fn cast(from: DType, src: &[u8], to: DType) -> Table {
    let mut bytes = vec![0; src.len() / from.size().unwrap() * to.size().unwrap()];
    cast_bytes(from, src, to, &mut bytes).unwrap();
    canonical(to, &mut bytes);
    Table { name: format!("{from}_{to}").to_lowercase(), bytes }
}

fn scales() -> Table {
    let bytes = (0..=255).flat_map(|bits| E8M0::from_bits(bits).to_f32().to_le_bytes());
    let mut bytes: Vec<u8> = bytes.collect();
    canonical(DType::F32, &mut bytes);
    Table { name: "f8_e8m0_f32".into(), bytes }
}

fn codes() -> Table {
    let bytes = (0..16).flat_map(|bits| E2M1::from_bits(bits).to_f32().to_le_bytes());
    Table { name: "f4_f32".into(), bytes: bytes.collect() }
}

/// Under each scale a block that holds each code twice, in order.
fn blocks(to: DType) -> Table {
    let block: Vec<u8> =
        (0..16u8).map(|byte| (2 * byte % 16) | (((2 * byte + 1) % 16) << 4)).collect();
    let scales: Vec<u8> = (0..=255).collect();
    let mut bytes = vec![0; 256 * 32 * to.size().unwrap()];
    mxfp4::dequantize_bytes(&block.repeat(256), &scales, to, &mut bytes).unwrap();
    canonical(to, &mut bytes);
    Table { name: format!("mxfp4_{to}").to_lowercase(), bytes }
}

fn canonical(dtype: DType, bytes: &mut [u8]) {
    let (infinity, quiet): (u64, u64) = match dtype {
        DType::F32 => (0x7F80_0000, 0x7FC0_0000),
        DType::F16 => (0x7C00, 0x7E00),
        DType::BF16 => (0x7F80, 0x7FC0),
        DType::F8E4M3 => (0x7E, 0x7F),
        _ => (0x7C, 0x7E),
    };
    let size = dtype.size().unwrap();
    let sign = 1 << (8 * size - 1);
    for element in bytes.chunks_mut(size) {
        let mut padded = [0; 8];
        padded[..size].copy_from_slice(element);
        let bits = u64::from_le_bytes(padded);
        if bits & (sign - 1) > infinity {
            element.copy_from_slice(&(bits & sign | quiet).to_le_bytes()[..size]);
        }
    }
}
