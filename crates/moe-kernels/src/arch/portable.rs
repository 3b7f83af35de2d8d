//! Plain Rust, on every CPU.

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
}
