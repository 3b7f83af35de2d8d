//! Products of rows and vectors at the level of tiles.

use std::array;

use super::tiles;
use crate::arch::order::{GROUP, Narrow, Order};
use crate::arch::source::{Bf16Row, Mxfp4Row};
use crate::arch::tests::numbers;
use crate::arch::x86::amx::model::{Pair, dot};
use crate::arch::x86::amx::{Amx, Scratch, Tiled, products};
use crate::arch::{Out, bf16};

/// Rows of weights as they are stored, and as they are.
struct Rows {
    kind: Kind,
    bytes: Vec<u8>,
    scales: Vec<u8>,
    cols: usize,
    weights: Vec<f32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Bf16,
    Mxfp4,
}

impl Rows {
    fn bf16(weights: &[f32], cols: usize) -> Self {
        let weights: Vec<f32> = weights.iter().map(|weight| bf16(*weight)).collect();
        let bytes = weights.iter().flat_map(|w| (w.to_bits() >> 16).to_le_bytes()[..2].to_vec());
        Self { kind: Kind::Bf16, bytes: bytes.collect(), scales: Vec::new(), cols, weights }
    }

    /// Any codes, with scales from 2⁻⁵ to 2⁻².
    fn mxfp4(count: usize, cols: usize, seed: u32) -> Self {
        let random = numbers(count * cols, seed);
        let random = || random.iter().map(|number| number.to_bits() >> 3);
        let bytes: Vec<u8> = random().take(count * cols / 2).map(|bits| bits as u8).collect();
        let scales: Vec<u8> =
            random().rev().take(count * cols / 32).map(|bits| 122 + (bits % 4) as u8).collect();
        let mut rows = Self { kind: Kind::Mxfp4, bytes, scales, cols, weights: Vec::new() };
        rows.decode();
        rows
    }

    fn decode(&mut self) {
        const VALUES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
        let value = |place: usize| {
            let code = self.bytes[place / 2] >> (4 * (place % 2));
            let sign = if code & 8 == 0 { 1.0 } else { -1.0 };
            let scale = match self.scales[place / 32] {
                255 => f32::NAN,
                scale => 2f32.powi(i32::from(scale) - 127),
            };
            sign * VALUES[usize::from(code & 7)] * scale
        };
        self.weights = (0..2 * self.bytes.len()).map(value).collect();
    }

    fn order(&self) -> Order {
        if self.kind == Kind::Bf16 { Order::Natural } else { Order::Mxfp4 }
    }

    /// The products of the first rows with vectors, `[vector][row]`.
    fn times(
        &self,
        count: usize,
        vectors: &[&[Narrow]],
        amx: Amx,
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let tiled = Tiled::new(amx, vectors.to_vec());
        self.times_part(count, &tiled, 0..vectors.len(), scratch)
    }

    fn times_part(
        &self,
        count: usize,
        tiled: &Tiled<'_>,
        places: std::ops::Range<usize>,
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let mut data = vec![f32::NAN; count * places.len()];
        let out = Out { data: &mut data, row_step: 1, vector_step: count };
        let part = tiled.part(places);
        match self.kind {
            Kind::Bf16 => {
                let rows = self.bytes.chunks_exact(2 * self.cols).map(Bf16Row::new);
                let rows: Vec<_> = rows.take(count).collect();
                products(&rows, part, scratch, out);
            }
            Kind::Mxfp4 => {
                let codes = self.bytes.chunks_exact(self.cols / 2);
                let rows = codes.zip(self.scales.chunks_exact(self.cols / 32));
                let rows: Vec<_> =
                    rows.take(count).map(|(codes, scales)| Mxfp4Row::new(codes, scales)).collect();
                products(&rows, part, scratch, out);
            }
        }
        data
    }

    /// What the order of sums and the model of the instruction make of a row and a vector.
    fn model(&self, row: usize, vector: &[Narrow]) -> f32 {
        let row = packed(self.order(), &self.weights[row * self.cols..][..self.cols]);
        let steps = |groups: &[Narrow]| -> [[u32; 16]; 16] {
            let steps: Vec<_> = groups.iter().flat_map(|group| group.0).collect();
            array::from_fn(|step| steps.get(step).copied().unwrap_or_default())
        };
        let mut sum = 0.0;
        for (row, vector) in row.chunks(4).zip(vector.chunks(4)) {
            let (row, vector) = (steps(row), steps(vector));
            for lane in 0..16 {
                let lane_of = |steps: [[u32; 16]; 16]| steps.map(|step| Pair(step[lane]));
                sum = dot(&lane_of(vector), &lane_of(row), sum);
            }
        }
        sum
    }
}

fn packed(order: Order, elements: &[f32]) -> Vec<Narrow> {
    let group = |elements: &[f32]| {
        let mut whole = [0.0; GROUP];
        whole[..elements.len()].copy_from_slice(elements);
        Narrow::new(order, &whole)
    };
    elements.chunks(GROUP).map(group).collect()
}

fn vectors(order: Order, elements: &[f32], cols: usize) -> Vec<Vec<Narrow>> {
    elements.chunks_exact(cols).map(|vector| packed(order, vector)).collect()
}

fn slices(vectors: &[Vec<Narrow>]) -> Vec<&[Narrow]> {
    vectors.iter().map(Vec::as_slice).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

const ROWS: usize = 40;
const VECTORS: usize = 70;

/// Both kinds of weights, of as many columns as kinds have.
fn both(cols: usize) -> impl Iterator<Item = Rows> {
    let dense = Rows::bf16(&numbers(ROWS * cols, 1), cols);
    let packed = cols.is_multiple_of(32).then(|| Rows::mxfp4(ROWS, cols, 2));
    [dense].into_iter().chain(packed)
}

#[test]
fn products_are_those_of_the_model_to_the_bit_whatever_is_beside_them() {
    let Some(amx) = tiles() else { return };
    let scratch = &mut Scratch::default();
    for cols in [1, 17, 96, 128, 512, 513, 640, 2880] {
        for rows in both(cols) {
            let x = vectors(rows.order(), &numbers(VECTORS * cols, 3), cols);
            let x = slices(&x);
            let model: Vec<Vec<u32>> = x
                .iter()
                .map(|x| (0..ROWS).map(|row| rows.model(row, x).to_bits()).collect())
                .collect();
            let mut check = |count: usize, first: usize, vectors: usize| {
                let found = rows.times(count, &x[first..first + vectors], amx, scratch);
                for (v, found) in found.chunks_exact(count).enumerate() {
                    let name = format!("{:?}, {count} x {cols} x {vectors}", rows.kind);
                    assert_eq!(bits(found), model[first + v][..count], "{name}, vector {v}");
                }
            };
            let all = cols == 17 || cols == 640;
            for count in (1..=ROWS).filter(|count| all || count % 13 == 0) {
                check(count, 7, 2);
                check(count, 8, 5);
            }
            for vectors in (1..=VECTORS).filter(|vectors| all || vectors % 24 < 2) {
                check(if vectors % 16 < 2 { 35 } else { 3 }, 0, vectors);
            }
        }
    }
}

#[test]
fn products_are_near_the_exact_ones() {
    let Some(amx) = tiles() else { return };
    for cols in [17, 96, 2880] {
        for rows in both(cols) {
            let elements: Vec<f32> =
                numbers(6 * cols, 4).iter().map(|element| bf16(*element)).collect();
            let x = vectors(rows.order(), &elements, cols);
            for vectors in [1, 6] {
                let found = rows.times(ROWS, &slices(&x)[..vectors], amx, &mut Scratch::default());
                for (at, found) in found.iter().enumerate() {
                    let (x, row) =
                        (&elements[at / ROWS * cols..], &rows.weights[at % ROWS * cols..]);
                    let terms =
                        || x.iter().zip(row).take(cols).map(|(x, w)| f64::from(*x) * f64::from(*w));
                    let (exact, size): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
                    let distance = (f64::from(*found) - exact).abs();
                    assert!(distance <= 1e-6 * size, "{found}, not {exact}");
                }
            }
        }
    }
}

#[test]
fn a_part_of_the_vectors_is_what_they_are_alone() {
    let Some(amx) = tiles() else { return };
    let (cols, scratch) = (672, &mut Scratch::default());
    for rows in both(cols) {
        let x = vectors(rows.order(), &numbers(50 * cols, 5), cols);
        let x = slices(&x);
        // Some of them twice.
        let chosen: Vec<_> = (0..90).map(|place| x[place * 7 % 50]).collect();
        let tiled = Tiled::new(amx, chosen.clone());
        for places in [0..90, 0..1, 89..90, 3..7, 20..25, 41..58, 57..90, 5..5] {
            let found = rows.times_part(33, &tiled, places.clone(), scratch);
            for (found, x) in found.chunks_exact(33).zip(&chosen[places.clone()]) {
                assert_eq!(bits(found), bits(&rows.times(33, &[*x], amx, scratch)), "{places:?}");
            }
        }
    }
}

#[test]
fn bytes_may_begin_anywhere() {
    let Some(amx) = tiles() else { return };
    let (cols, scratch) = (160, &mut Scratch::default());
    for rows in both(cols) {
        let x = vectors(rows.order(), &numbers(6 * cols, 6), cols);
        for vectors in [1, 6] {
            let expected = bits(&rows.times(ROWS, &slices(&x)[..vectors], amx, scratch));
            for shift in 1..4 {
                let shifted = [vec![0xFF; shift], rows.bytes.clone()].concat();
                let codes = shifted[shift..].chunks_exact(rows.bytes.len() / ROWS);
                let tiled = Tiled::new(amx, slices(&x)[..vectors].to_vec());
                let mut data = vec![0.0; ROWS * vectors];
                let out = Out { data: &mut data, row_step: 1, vector_step: ROWS };
                let part = tiled.part(0..vectors);
                if rows.kind == Kind::Bf16 {
                    let rows: Vec<_> = codes.map(Bf16Row::new).collect();
                    products(&rows, part, scratch, out);
                } else {
                    let rows = codes.zip(rows.scales.chunks_exact(cols / 32));
                    let rows: Vec<_> = rows.map(|(c, s)| Mxfp4Row::new(c, s)).collect();
                    products(&rows, part, scratch, out);
                }
                assert_eq!(bits(&data), expected, "{shift}");
            }
        }
    }
}

#[test]
fn results_go_where_they_are_asked_for() {
    let Some(amx) = tiles() else { return };
    let (cols, scratch) = (96, &mut Scratch::default());
    let rows = Rows::bf16(&numbers(ROWS * cols, 1), cols);
    let stored: Vec<_> = rows.bytes.chunks_exact(2 * cols).map(Bf16Row::new).collect();
    let x = vectors(Order::Natural, &numbers(20 * cols, 7), cols);
    for vectors in [2, 3, 20] {
        let x = &slices(&x)[..vectors];
        let expected = rows.times(ROWS, x, amx, scratch);
        let tiled = Tiled::new(amx, x.to_vec());
        let mut data = vec![7.0; 3 * ROWS * vectors - 2];
        let out = Out { data: &mut data, row_step: 3 * vectors, vector_step: 3 };
        products(&stored, tiled.part(0..vectors), scratch, out);
        for (at, found) in data.iter().enumerate() {
            let (row, v) = (at / 3 / vectors, at / 3 % vectors);
            let expected = if at % 3 == 0 { expected[v * ROWS + row] } else { 7.0 };
            assert_eq!(found.to_bits(), expected.to_bits());
        }
    }
}

#[test]
fn subnormal_numbers_are_zero_for_one_vector_as_for_many() {
    let Some(amx) = tiles() else { return };
    let cols = 700;
    // Of weights near 1 with activations near the least number, of either near its root, and so on.
    for (w, x) in [(0, -125), (-125, 0), (-63, -63), (-60, -65), (-130, 5), (3, -132)] {
        let rows = Rows::bf16(&scaled(numbers(ROWS * cols, 8), w), cols);
        let x = vectors(Order::Natural, &scaled(numbers(9 * cols, 9), x), cols);
        let x = slices(&x);
        for vectors in [1, 2, 3, 4, 5, 9] {
            let scratch = &mut Scratch::default();
            let found = rows.times(ROWS, &x[..vectors], amx, scratch);
            assert_eq!(scratch.tiles.is_empty(), vectors > 4, "few vectors need tiles here");
            for (at, found) in found.iter().enumerate() {
                let (v, row) = (at / ROWS, at % ROWS);
                assert_eq!(found.to_bits(), rows.model(row, x[v]).to_bits(), "2^{w}: {vectors}");
            }
        }
    }
}

/// Numbers times a power of two, which `f32` need not have.
fn scaled(mut numbers: Vec<f32>, power: i32) -> Vec<f32> {
    let factor = 2f64.powi(power);
    for number in &mut numbers {
        *number = (f64::from(*number) * factor) as f32;
    }
    numbers
}

#[test]
fn few_vectors_of_usual_numbers_need_no_tiles() {
    let Some(amx) = tiles() else { return };
    for rows in both(2880) {
        let x = vectors(rows.order(), &numbers(4 * 2880, 10), 2880);
        let scratch = &mut Scratch::default();
        rows.times(ROWS, &slices(&x), amx, scratch);
        assert!(scratch.tiles.is_empty());
    }
}

#[test]
fn one_subnormal_number_is_enough_to_need_tiles() {
    let Some(amx) = tiles() else { return };
    let cols = 300;
    let least = f32::MIN_POSITIVE;
    // A weight, an activation, the result of a step, a sum of lanes, the total.
    let cases = [
        ("weight", vec![(299, least / 2.0, 1.0)]),
        ("activation", vec![(130, 1.0, least / 2.0)]),
        ("product", vec![(6, least, 0.5), (7, 1.0, 1.0)]),
        ("sum of a lane", vec![(2, least * 1.5, 1.0), (3, -least, 1.0), (40, 1.0, 1.0)]),
        ("total", vec![(2, least * 1.5, 1.0), (4, -least, 1.0)]),
    ];
    for (name, elements) in cases {
        let (mut weights, mut x) = (vec![0.0; ROWS * cols], vec![0.0; cols]);
        for (column, weight, element) in elements {
            // The last row.
            weights[(ROWS - 1) * cols + column] = weight;
            x[column] = element;
        }
        let (rows, x) = (Rows::bf16(&weights, cols), packed(Order::Natural, &x));
        for vectors in 1..=4 {
            let scratch = &mut Scratch::default();
            let found = rows.times(ROWS, &vec![x.as_slice(); vectors], amx, scratch);
            assert!(!scratch.tiles.is_empty(), "{name}");
            for (at, found) in found.iter().enumerate() {
                assert_eq!(found.to_bits(), rows.model(at % ROWS, &x).to_bits(), "{name}");
            }
        }
    }
}

#[test]
fn infinities_and_nan_are_the_same_for_one_vector_as_for_many() {
    let Some(amx) = tiles() else { return };
    let (cols, scratch) = (200, &mut Scratch::default());
    let mut weights = numbers(ROWS * cols, 11);
    weights[3 * cols + 5] = f32::INFINITY;
    weights[4 * cols + 6] = f32::NAN;
    weights[5 * cols..][..2].copy_from_slice(&[3e38, 3e38]);
    let rows = Rows::bf16(&weights, cols);
    let mut elements = numbers(7 * cols, 12);
    elements[2 * cols + 5] = 0.0;
    elements[3 * cols + 9] = f32::NEG_INFINITY;
    elements[4 * cols..][..2].copy_from_slice(&[30.0, 30.0]);
    elements[5 * cols..][..2].copy_from_slice(&[30.0, -30.0]);
    let x = vectors(Order::Natural, &elements, cols);
    let x = slices(&x);
    let all = rows.times(ROWS, &x, amx, scratch);
    for (v, all) in all.chunks_exact(ROWS).enumerate() {
        let scratch = &mut Scratch::default();
        assert_eq!(bits(all), bits(&rows.times(ROWS, &x[v..=v], amx, scratch)), "vector {v}");
        // Which NaN an instruction gives is its own affair: tiles decide.
        assert!(!scratch.tiles.is_empty(), "the row of NaN needs tiles");
        for (row, found) in all.iter().enumerate() {
            let of_row = &rows.weights[row * cols..][..cols];
            let terms = of_row.iter().zip(&elements[v * cols..]);
            let exact: f64 = terms.map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            assert_eq!(found.is_nan(), exact.is_nan() || (row, v) == (5, 5), "{row}, {v}: {exact}");
            let infinite = exact.abs() > f64::from(f32::MAX);
            assert_eq!(found.is_infinite(), infinite && (row, v) != (5, 5), "{row}, {v}: {exact}");
        }
    }
}

#[test]
fn scales_beyond_the_table_are_right_for_one_vector_as_for_many() {
    let Some(amx) = tiles() else { return };
    let (cols, scratch) = (672, &mut Scratch::default());
    let mut rows = Rows::mxfp4(ROWS, cols, 13);
    let row_scales = cols / 32;
    rows.scales[2 * row_scales] = 0;
    rows.scales[3 * row_scales + 20] = 1;
    rows.scales[17 * row_scales + 3] = 228;
    rows.scales[18 * row_scales + 16] = 254;
    rows.scales[34 * row_scales + 20] = 255;
    rows.decode();
    let elements: Vec<f32> = numbers(9 * cols, 14).iter().map(|x| bf16(x / 1024.0)).collect();
    let x = vectors(Order::Mxfp4, &elements, cols);
    let x = slices(&x);
    let all = rows.times(ROWS, &x, amx, scratch);
    for (v, all) in all.chunks_exact(ROWS).enumerate() {
        assert_eq!(bits(all), bits(&rows.times(ROWS, &x[v..=v], amx, scratch)), "vector {v}");
        for (row, found) in all.iter().enumerate() {
            let of_row = rows.weights[row * cols..][..cols].iter().map(|w| f64::from(*w));
            let terms =
                || of_row.clone().zip(&elements[v * cols..]).map(|(w, x)| w * f64::from(*x));
            let (exact, size): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
            let near = (f64::from(*found) - exact).abs() <= 1e-6 * size;
            assert!(near || (found.is_nan() && exact.is_nan()), "row {row}: {found}, not {exact}");
        }
    }
}
