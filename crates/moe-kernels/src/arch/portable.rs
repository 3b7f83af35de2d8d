//! Plain Rust, on every CPU.

use super::mxfp4::{VALUES, offset};
use super::simd::{Simd, sum};

/// Arrays that the optimiser turns into the vectors of the target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portable;

impl Simd for Portable {
    type Lanes = [f32; 16];

    const REGISTERS: usize = if cfg!(target_arch = "aarch64") { 8 } else { 4 };

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 16] {
        [value; 16]
    }

    #[inline(always)]
    fn load(self, from: &[f32; 16]) -> [f32; 16] {
        *from
    }

    #[inline(always)]
    fn store(self, lanes: [f32; 16], to: &mut [f32; 16]) {
        *to = lanes;
    }

    #[inline(always)]
    fn mul_add(self, a: [f32; 16], b: [f32; 16], mut c: [f32; 16]) -> [f32; 16] {
        for i in 0..16 {
            c[i] = self.mul_add_one(a[i], b[i], c[i]);
        }
        c
    }

    #[inline(always)]
    fn mul_add_one(self, a: f32, b: f32, c: f32) -> f32 {
        // Without the instruction, `mul_add` is a call of a function that emulates it.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            a.mul_add(b, c)
        } else {
            a * b + c
        }
    }

    #[inline(always)]
    fn sums(self, lanes: [[f32; 16]; 4]) -> [f32; 4] {
        [sum(&lanes[0]), sum(&lanes[1]), sum(&lanes[2]), sum(&lanes[3])]
    }

    type Pairs = [u32; 16];

    #[inline(always)]
    fn load_pairs(self, from: &[u8; 64]) -> [u32; 16] {
        let mut pairs = [0; 16];
        for (pair, bytes) in pairs.iter_mut().zip(from.as_chunks::<4>().0) {
            *pair = u32::from_le_bytes(*bytes);
        }
        pairs
    }

    #[inline(always)]
    fn load_words(self, from: &[u32; 16]) -> [u32; 16] {
        *from
    }

    #[inline(always)]
    fn store_pairs(self, pairs: [u32; 16], to: &mut [u32; 16]) {
        *to = pairs;
    }

    #[inline(always)]
    fn firsts(self, pairs: [u32; 16]) -> [f32; 16] {
        pairs.map(|pair| f32::from_bits(pair << 16))
    }

    #[inline(always)]
    fn seconds(self, pairs: [u32; 16]) -> [f32; 16] {
        pairs.map(|pair| f32::from_bits(pair & 0xFFFF_0000))
    }

    #[inline(always)]
    fn mxfp4(self, codes: [u32; 16], scales: [u8; 4]) -> [[u32; 16]; 4] {
        let mut pairs = [[0; 16]; 4];
        for lane in 0..16 {
            let offset = offset(scales[lane / 4]);
            for (step, pairs) in pairs.iter_mut().enumerate() {
                let value = |shift: usize| {
                    let code = codes[lane] >> shift & 0xF;
                    u32::from(VALUES[code as usize].saturating_sub(offset))
                };
                pairs[lane] = value(4 * step) | value(16 + 4 * step) << 16;
            }
        }
        pairs
    }

    #[inline(always)]
    fn coded(self, indexes: &[u8; 64], lower: &[u8; 128], table: &[u8; 16]) -> [[u32; 16]; 4] {
        let mut pairs = [[0; 16]; 4];
        for (step, pairs) in pairs.iter_mut().enumerate() {
            for (lane, pair) in pairs.iter_mut().enumerate() {
                let value = |element: usize| {
                    let (byte, shift) = super::coded::index_of(element);
                    let upper = table[usize::from(indexes[byte] >> shift & 0xF)];
                    u32::from(upper) << 8 | u32::from(lower[super::coded::lower_of(element)])
                };
                let first = 32 * step + 2 * lane;
                *pair = value(first) | value(first + 1) << 16;
            }
        }
        pairs
    }

    #[inline(always)]
    fn signed(self, from: &[u8; 16]) -> [f32; 16] {
        from.map(|byte| f32::from(byte.cast_signed()))
    }

    #[inline(always)]
    fn join(self, firsts: [f32; 16], seconds: [f32; 16]) -> [u32; 16] {
        let mut pairs = [0; 16];
        for lane in 0..16 {
            pairs[lane] = firsts[lane].to_bits() >> 16 | seconds[lane].to_bits() & 0xFFFF_0000;
        }
        pairs
    }
}
