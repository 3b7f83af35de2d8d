//! How fast numbers in registers are multiplied and added.

// Calls of functions that were compiled for an instruction set.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use std::arch::is_x86_feature_detected;
use std::hint::black_box;

use super::{fastest, seconds};

/// Multiplications with an addition in chains that do not wait for each other.
pub(super) struct Chains {
    /// The numbers and the instructions.
    pub(super) name: &'static str,
    /// Multiplications and additions of a round.
    flop: usize,
    run: fn(rounds: usize),
}

impl Chains {
    /// GFLOP/s with all threads, and with one.
    pub(super) fn rates(&self) -> (f64, f64) {
        let mut rounds = 1 << 12;
        while seconds(|| (self.run)(rounds)) < 2e-3 {
            rounds *= 2;
        }
        let work = (rounds * self.flop) as f64 / 1e9;
        let all = fastest(|| {
            rayon::broadcast(|_| (self.run)(rounds));
        });
        let one = fastest(|| (self.run)(rounds));
        (work * rayon::current_num_threads() as f64 / all, work / one)
    }
}

/// Those of `f32` with the widest instructions.
pub(super) fn f32() -> Chains {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the CPU has the feature.
        let run = |rounds| unsafe { x86::avx512(rounds) };
        return Chains { name: "f32 (AVX-512)", flop: 2 * 16 * x86::MANY, run };
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx") && is_x86_feature_detected!("fma") {
        // SAFETY: the CPU has the features.
        let run = |rounds| unsafe { x86::fma(rounds) };
        return Chains { name: "f32 (AVX2)", flop: 2 * 8 * x86::FEW, run };
    }
    Chains { name: "f32", flop: 2 * 4 * portable::CHAINS, run: portable::multiply_add }
}

/// Those of bf16 with sums in `f32`, if there is an instruction.
pub(super) fn bf16() -> Option<Chains> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16") {
        // SAFETY: the CPU has the features.
        let run = |rounds| unsafe { x86::avx512bf16(rounds) };
        return Some(Chains { name: "bf16 (AVX-512 BF16)", flop: 2 * 32 * x86::MANY, run });
    }
    None
}

mod portable {
    use super::black_box;

    /// Of four numbers each: in all but the two registers of factors, of 16 or of 32.
    pub(super) const CHAINS: usize = if cfg!(target_arch = "aarch64") { 24 } else { 12 };

    pub(super) fn multiply_add(rounds: usize) {
        let (a, b) = (black_box([0.5f32; 4]), black_box([0.5f32; 4]));
        let mut sums = black_box([[1f32; 4]; CHAINS]);
        for _ in 0..rounds {
            for sum in sums.as_flattened_mut().as_chunks_mut::<4>().0 {
                for (sum, (a, b)) in sum.iter_mut().zip(a.iter().zip(&b)) {
                    // Where it is no instruction, `mul_add` is a call.
                    let fused = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
                    *sum = if fused { sum.mul_add(*a, *b) } else { *sum * a + b };
                }
            }
        }
        black_box(sums);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _mm256_fmadd_ps, _mm256_set1_ps, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps,
        _mm512_fmadd_ps, _mm512_set1_ps,
    };

    use super::black_box;

    /// Chains where there are 32 registers: more than two instructions a cycle, each of six cycles, need.
    pub(super) const MANY: usize = 24;

    /// Chains where there are 16 registers.
    pub(super) const FEW: usize = 12;

    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512(rounds: usize) {
        let (a, b) = black_box((_mm512_set1_ps(0.5), _mm512_set1_ps(0.5)));
        // What the compiler takes for different numbers.
        let mut sums: [__m512; MANY] = black_box([_mm512_set1_ps(1.0); MANY]);
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, a, b);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx,fma")]
    pub(super) fn fma(rounds: usize) {
        let (a, b) = black_box((_mm256_set1_ps(0.5), _mm256_set1_ps(0.5)));
        let mut sums: [__m256; FEW] = black_box([_mm256_set1_ps(1.0); FEW]);
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, a, b);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn avx512bf16(rounds: usize) {
        let (one, minus_one) = (_mm512_set1_ps(1.0), _mm512_set1_ps(-1.0));
        let a = black_box(_mm512_cvtne2ps_pbh(one, minus_one));
        let b = black_box(_mm512_cvtne2ps_pbh(one, one));
        let mut sums: [__m512; MANY] = black_box([_mm512_set1_ps(1.0); MANY]);
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, a, b);
            }
        }
        black_box(sums);
    }
}
