//! Integers, and every level against the definition.
#![expect(clippy::float_cmp, reason = "exactness is what is asked")]

use super::{BLOCK, BlockRow, Fixed, Fixed8, Fixed16, FixedPanel, fixed_products, plain};
use crate::arch::tests::numbers;
use crate::arch::{Level, Out};

fn blocks<F: Fixed>(values: &[f32]) -> Vec<F> {
    values.as_chunks::<BLOCK>().0.iter().map(F::new).collect()
}

/// Codes and scales without a pattern; with `special`, a tenth of the scales are 0, 1, 254 or 255.
fn weights(rows: usize, blocks: usize, special: bool) -> (Vec<u8>, Vec<u8>) {
    let random: Vec<u32> =
        numbers(17 * rows * blocks, 5).iter().map(|n| n.to_bits() >> 3).collect();
    let (codes, scales) = random.split_at(16 * rows * blocks);
    let codes = codes.iter().map(|bits| *bits as u8).collect();
    let scales = scales.iter().map(|bits| match bits % 40 {
        which @ 0..4 if special => [0, 1, 254, 255][which as usize],
        _ => 118 + (bits / 64 % 9) as u8,
    });
    (codes, scales.collect())
}

/// Products on a level, `[vectors, rows]`.
fn products<F: Fixed>(level: Level, rows: &[BlockRow<'_>], vectors: &[&[F]]) -> Vec<f32> {
    let mut products = vec![-1.0; rows.len() * vectors.len()];
    let out = Out { data: &mut products, row_step: 1, vector_step: rows.len() };
    fixed_products(level, rows, vectors, &mut FixedPanel::default(), out);
    products
}

fn every_level_is_the_definition<F: Fixed>() {
    for (rows, cut, special) in [
        (1, 1, false),
        (3, 2, true),
        (8, 4, false),
        (9, 5, true),
        (16, 3, false),
        (17, 35, true),
        (32, 90, false),
        (40, 90, true),
    ] {
        // Codes begin at an odd address.
        let (codes, scales) = weights(rows, cut, special);
        let shifted = [vec![0xFF], codes].concat();
        let rows: Vec<_> = shifted[1..]
            .chunks_exact(16 * cut)
            .zip(scales.chunks_exact(cut))
            .map(|(codes, scales)| BlockRow::new(codes, scales))
            .collect();
        for count in [1, 2, 3, 4, 5, 6, 7, 8, 9, 13] {
            let mut values = numbers(count * cut * BLOCK, 6);
            // Blocks of zeros, of one value, of very small and of very large ones.
            for (block, values) in values.chunks_exact_mut(BLOCK).enumerate() {
                match block % 11 {
                    3 => values.fill(0.0),
                    5 => values[1..].fill(0.0),
                    7 => values.iter_mut().for_each(|value| *value *= 1e-38),
                    9 => values.iter_mut().for_each(|value| *value *= 1e20),
                    _ => {}
                }
            }
            let all: Vec<F> = blocks(&values);
            let vectors: Vec<&[F]> = all.chunks_exact(cut).collect();
            let expected: Vec<u32> = vectors
                .iter()
                .flat_map(|vector| rows.iter().map(|row| plain::product(*row, vector).to_bits()))
                .collect();
            for level in Level::available() {
                let found = products(level, &rows, &vectors);
                for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let same = found.to_bits() == *expected
                        || (found.is_nan() && f32::from_bits(*expected).is_nan());
                    assert!(same, "{level}, {} rows of {cut}, {count}: {index}", rows.len());
                }
            }
        }
    }
}

#[test]
fn sixteen_bits_are_the_definition_on_every_level() {
    every_level_is_the_definition::<Fixed16>();
}

#[test]
fn eight_bits_are_the_definition_on_every_level() {
    every_level_is_the_definition::<Fixed8>();
}

#[test]
fn the_largest_integers_do_not_overflow() {
    // All weights 6 or -6, all activations the largest of either sign.
    for (code, sign) in [(0x77, 1.0), (0xFF, 1.0), (0x77, -1.0), (0xFF, -1.0)] {
        let (codes, scales) = ([code; 16 * 9 * 2], [127; 9 * 2]);
        let rows: Vec<_> = codes
            .chunks_exact(32)
            .zip(scales.chunks_exact(2))
            .map(|(codes, scales)| BlockRow::new(codes, scales))
            .collect();
        // 32767 steps of 2^-14.
        let values = [sign * 32767.0 / 16384.0; 5 * 64];
        let weight = if code == 0x77 { 6.0 } else { -6.0 };
        let expected = weight * f64::from(values[0]) * 64.0;
        let (sixteen, eight) = (blocks::<Fixed16>(&values), blocks::<Fixed8>(&values));
        for count in [1, 5] {
            for level in Level::available() {
                let vectors: Vec<_> = sixteen.chunks_exact(2).take(count).collect();
                for found in products(level, &rows, &vectors) {
                    assert!((f64::from(found) - expected).abs() < 1e-4, "{level}: {found}");
                }
                let vectors: Vec<_> = eight.chunks_exact(2).take(count).collect();
                for found in products(level, &rows, &vectors) {
                    assert!((f64::from(found) - expected).abs() < 1e-4, "{level}: {found}");
                }
            }
        }
    }
}

fn value<F: Fixed>(block: &F, element: usize) -> f64 {
    f64::from(block.integer(element)) * f64::from(block.step())
}

#[test]
fn integers_are_the_nearest_and_bf16_is_exact_beside_its_equals() {
    for seed in 0..200 {
        let mut values = numbers(BLOCK, seed);
        let scale = 2f32.powi(seed.cast_signed() - 100);
        for value in &mut values {
            *value *= scale;
        }
        let values: [f32; BLOCK] = values.try_into().unwrap();
        let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let (sixteen, eight) = (Fixed16::new(&values), Fixed8::new(&values));
        for (element, x) in values.iter().enumerate() {
            let (x, largest) = (f64::from(*x), f64::from(largest));
            assert!((value(&sixteen, element) - x).abs() <= largest / 32768.0, "{x}");
            assert!((value(&eight, element) - x).abs() <= largest / 253.9, "{x}");
        }
        let rounded = values.map(crate::arch::bf16);
        let sixteen = Fixed16::new(&rounded);
        for (element, x) in rounded.iter().enumerate() {
            let exact = value(&sixteen, element) == f64::from(*x);
            assert!(exact || x.abs() < largest / 127.0, "{x} beside {largest}");
        }
    }
}

#[test]
fn the_sum_of_integers_is_the_correction() {
    let values: [f32; BLOCK] = numbers(BLOCK, 7).try_into().unwrap();
    let (sixteen, eight) = (Fixed16::new(&values), Fixed8::new(&values));
    let sum = |integer: &dyn Fn(usize) -> i32| (0..BLOCK).map(integer).sum::<i32>();
    assert_eq!(sixteen.correction(), -12 * sum(&|element| sixteen.integer(element)));
    assert_eq!(eight.correction(), -12 * sum(&|element| eight.integer(element)));
}

#[test]
fn what_is_not_finite_makes_products_nan_and_nothing_is_nothing() {
    let (codes, scales) = ([0x22; 16], [127]);
    let row = [BlockRow::new(&codes, &scales)];
    for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = [1.0; BLOCK];
        values[17] = special;
        for level in Level::available() {
            assert!(products(level, &row, &[&[Fixed16::new(&values)][..]])[0].is_nan());
            assert!(products(level, &row, &[&[Fixed8::new(&values)][..]])[0].is_nan());
        }
    }
    for level in Level::available() {
        assert_eq!(products::<Fixed8>(level, &row, &[]), []);
        assert_eq!(products(level, &[], &[&[Fixed16::ZERO][..]]), []);
        assert_eq!(products(level, &row, &[&[Fixed16::ZERO][..]]), [0.0]);
        assert_eq!(products(level, &row, &[&[Fixed8::ZERO][..]]), [0.0]);
    }
}
