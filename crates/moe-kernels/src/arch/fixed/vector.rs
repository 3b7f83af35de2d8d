//! Activations as integers.

use std::fmt::Debug;

use super::{BLOCK, OFFSET};

/// A block of activations: integers, and the step that they count.
///
/// A block with NaN or an infinity has a step of NaN, which makes every product NaN.
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "there are products of integers on x86-64 only")
)]
pub(crate) trait Fixed: Copy + Debug + Send + Sync {
    const ZERO: Self;

    /// Lines of a register that eight decoded rows take for a block.
    const LINES: usize;

    /// The nearest integers.
    fn new(elements: &[f32; BLOCK]) -> Self;

    /// An integer, by the place of its element.
    fn integer(&self, element: usize) -> i32;

    fn step(&self) -> f32;

    /// Minus [`OFFSET`] times the sum of the integers.
    fn correction(&self) -> i32;

    /// The integers as they meet the weights in registers.
    fn words(&self) -> &[[u32; 4]];
}

/// Integers of sixteen bits; their step is a power of two.
///
/// A value of bf16 is exact unless it is less than 2⁻⁷ of the largest of its block; others are off by
/// at most half a step, 2⁻¹⁵ of the largest.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(crate) struct Fixed16 {
    /// Pairs: of elements 0 and 4, 8 and 12 …, of 2 and 6 …, of 1 and 5 …, of 3 and 7 …
    pairs: [[u32; 4]; 4],
    step: f32,
    correction: i32,
}

/// Integers of eight bits, as llama.cpp's `Q8_0` has them: the largest is 127.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct Fixed8 {
    /// Four at a time: of elements 0, 2, 4, 6 …, of 1, 3, 5, 7 …
    quads: [[u32; 4]; 2],
    step: f32,
    correction: i32,
}

impl Fixed16 {
    /// The place among 32 integers of an element. Sixteen bytes of codes are a register of elements with
    /// even numbers and one of odd ones; bytes at even places of each, then at odd ones, become 16 bits.
    const fn place(element: usize) -> usize {
        let (odd, byte) = (element % 2, element / 2);
        16 * odd + 8 * (byte % 2) + byte / 2
    }
}

impl Fixed for Fixed16 {
    const ZERO: Self = Self { pairs: [[0; 4]; 4], step: 0.0, correction: 0 };
    const LINES: usize = 17;

    #[inline]
    fn new(elements: &[f32; BLOCK]) -> Self {
        let largest = largest(elements);
        if !largest.is_finite() {
            return Self { step: f32::NAN, ..Self::ZERO };
        }
        // 2¹⁴ steps or more, below 2¹⁵; of what is subnormal fewer.
        let exponent = (largest.to_bits() >> 23).saturating_sub(14).max(1);
        // One more where the largest would be 2¹⁵.
        let exponent = exponent + u32::from(nearest(largest * power(254 - exponent)) > 32_767);
        let inverse = power(254 - exponent);
        let (mut pairs, mut sum) = ([[0; 4]; 4], 0);
        for (element, value) in elements.iter().enumerate() {
            let integer = nearest(value * inverse);
            sum += integer;
            let place = Self::place(element);
            pairs[place / 8][place % 8 / 2] |= (integer as u32 & 0xFFFF) << (16 * (place % 2));
        }
        Self { pairs, step: power(exponent), correction: -OFFSET * sum }
    }

    #[inline]
    fn integer(&self, element: usize) -> i32 {
        let place = Self::place(element);
        let pair = self.pairs[place / 8][place % 8 / 2];
        i32::from((pair >> (16 * (place % 2))) as i16)
    }

    #[inline(always)]
    fn step(&self) -> f32 {
        self.step
    }

    #[inline(always)]
    fn correction(&self) -> i32 {
        self.correction
    }

    #[inline(always)]
    fn words(&self) -> &[[u32; 4]] {
        &self.pairs
    }
}

impl Fixed8 {
    /// The place among 32 integers of an element: elements with even numbers, then those with odd ones.
    const fn place(element: usize) -> usize {
        16 * (element % 2) + element / 2
    }
}

impl Fixed for Fixed8 {
    const ZERO: Self = Self { quads: [[0; 4]; 2], step: 0.0, correction: 0 };
    const LINES: usize = 9;

    #[inline]
    fn new(elements: &[f32; BLOCK]) -> Self {
        const LARGEST: f32 = 127.0;
        let largest = largest(elements);
        if !largest.is_finite() {
            return Self { step: f32::NAN, ..Self::ZERO };
        }
        // A largest whose inverse is no number is no activation.
        if largest < f32::MIN_POSITIVE * LARGEST {
            return Self::ZERO;
        }
        let inverse = LARGEST / largest;
        let (mut quads, mut sum) = ([[0; 4]; 2], 0);
        for (element, value) in elements.iter().enumerate() {
            let integer = nearest(value * inverse);
            sum += integer;
            let place = Self::place(element);
            quads[place / 16][place % 16 / 4] |= (integer as u32 & 0xFF) << (8 * (place % 4));
        }
        Self { quads, step: largest / LARGEST, correction: -OFFSET * sum }
    }

    #[inline]
    fn integer(&self, element: usize) -> i32 {
        let place = Self::place(element);
        let quad = self.quads[place / 16][place % 16 / 4];
        i32::from((quad >> (8 * (place % 4))) as i8)
    }

    #[inline(always)]
    fn step(&self) -> f32 {
        self.step
    }

    #[inline(always)]
    fn correction(&self) -> i32 {
        self.correction
    }

    #[inline(always)]
    fn words(&self) -> &[[u32; 4]] {
        &self.quads
    }
}

/// The largest magnitude; NaN where one is.
#[inline]
fn largest(elements: &[f32; BLOCK]) -> f32 {
    // The bits of magnitudes are in the order of the magnitudes, those of NaN above all.
    let bits = elements.iter().fold(0, |largest, value| value.abs().to_bits().max(largest));
    f32::from_bits(bits)
}

/// The nearest integer, ties to even, of a number below 2²²: the last bits of a sum without a fraction.
#[inline]
fn nearest(value: f32) -> i32 {
    const LARGE: f32 = 12_582_912.0; // 1.5 · 2²³
    (value + LARGE).to_bits().wrapping_sub(LARGE.to_bits()).cast_signed()
}

/// 2 to the exponent that is biased by 127.
#[inline]
fn power(biased: u32) -> f32 {
    f32::from_bits(biased << 23)
}
