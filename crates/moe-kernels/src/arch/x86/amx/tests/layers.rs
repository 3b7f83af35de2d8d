//! Layers at the level of tiles.

use std::env;

use lowfloat::DType;
use ndarray::{Array2, s};

use super::tiles;
use crate::arch::tests::numbers;
use crate::arch::{Level, bf16};
use crate::{
    ExpertMatrix, Experts, ExpertsScratch, Matrix, Repack, Rounding, Routing, Strips, Swiglu,
    linear, reference, route,
};

fn matrix(rows: usize, cols: usize, seed: u32) -> Array2<f32> {
    let values = numbers(rows * cols, seed).into_iter().map(bf16).collect();
    Array2::from_shape_vec((rows, cols), values).unwrap()
}

fn bits<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u32> {
    values.into_iter().map(|value| value.to_bits()).collect()
}

fn dense(rows: usize, cols: usize, seed: u32) -> (Matrix<Vec<u8>>, Vec<f32>) {
    let values: Vec<f32> = numbers(rows * cols, seed).into_iter().map(bf16).collect();
    let bytes = values.iter().flat_map(|w| (w.to_bits() >> 16).to_le_bytes()[..2].to_vec());
    let strips = Strips::new(2 * cols, vec![bytes.collect()]).unwrap();
    (Matrix::dense(DType::BF16, cols, strips).unwrap(), values)
}

fn packed(rows: usize, cols: usize, seed: u32) -> (Matrix<Vec<u8>>, Vec<f32>) {
    let random = numbers(rows * cols, seed);
    let random = || random.iter().map(|number| number.to_bits() >> 3);
    let blocks = random().take(rows * cols / 2).map(|bits| bits as u8).collect();
    let scales = random().rev().take(rows * cols / 32).map(|bits| 120 + (bits % 4) as u8).collect();
    let (blocks, scales) = (
        Strips::new(cols / 2, vec![blocks]).unwrap(),
        Strips::new(cols / 32, vec![scales]).unwrap(),
    );
    with_values(Matrix::mxfp4(cols, blocks, scales).unwrap())
}

fn with_values(matrix: Matrix<Vec<u8>>) -> (Matrix<Vec<u8>>, Vec<f32>) {
    let mut values = vec![0.0; matrix.rows() * matrix.cols()];
    for (row, to) in values.chunks_exact_mut(matrix.cols()).enumerate() {
        matrix.decode_row(row, to).unwrap();
    }
    (matrix, values)
}

fn has_the_level() -> bool {
    if tiles().is_none() {
        return false;
    }
    if env::var_os("MOE_KERNELS_ARCH").is_none() {
        assert_eq!(Level::current().name(), "amx");
    }
    true
}

#[test]
fn the_level_is_there_where_tiles_are_and_is_the_first() {
    let first = Level::available().next().unwrap();
    assert_eq!(first.name() == "amx", tiles().is_some());
    assert_eq!(first.tiles().is_some(), tiles().is_some());
    assert!(Level::PORTABLE.tiles().is_none());
}

#[test]
fn linear_is_the_reference_and_no_token_depends_on_others() {
    if !has_the_level() {
        return;
    }
    for (outputs, cols) in [(1, 7), (33, 96), (70, 544), (200, 160)] {
        let mut kinds = vec![dense(outputs, cols, 1)];
        for repack in [Repack::Coded, Repack::Int8] {
            kinds.extend(kinds[0].0.repacked(repack).unwrap().map(with_values));
        }
        if cols.is_multiple_of(32) {
            kinds.push(packed(outputs, cols, 2));
        }
        for (w, values) in kinds {
            let (x, bias) = (matrix(37, cols, 3), numbers(outputs, 4));
            let run = |x: &Array2<f32>| {
                let mut y = Array2::from_elem((x.nrows(), outputs), f32::NAN);
                linear(x.view(), &w, Some(&bias), Rounding::Bf16, y.view_mut()).unwrap();
                y
            };
            let all = run(&x);
            for (t, x) in x.outer_iter().enumerate() {
                let x: Vec<f64> = x.iter().copied().map(f64::from).collect();
                let expected = reference::linear(&x, &values, Some(&bias)).unwrap();
                let size = x.iter().map(|x| x.abs()).sum::<f64>() + 1.0;
                for (y, expected) in all.row(t).iter().zip(expected) {
                    let allowed = expected.abs() / 256.0 + 1e-6 * size;
                    assert!((f64::from(*y) - expected).abs() <= allowed, "{y}, not {expected}");
                }
            }
            for count in [1, 2, 3, 4, 5, 17, 33] {
                let some = run(&x.slice(s![2..2 + count, ..]).to_owned());
                assert_eq!(bits(&some), bits(all.slice(s![2..2 + count, ..])), "{count}");
            }
        }
    }
}

#[test]
fn experts_are_the_reference_and_no_token_depends_on_others() {
    const COUNT: usize = 3;
    if !has_the_level() {
        return;
    }
    let (hidden, intermediate) = (160, 96);
    let (gate_up, gate_up_values) = packed(COUNT * 2 * intermediate, hidden, 5);
    let (down, down_values) = packed(COUNT * hidden, intermediate, 6);
    let (gate_up_bias, down_bias) =
        (numbers(COUNT * 2 * intermediate, 7), numbers(COUNT * hidden, 8));
    let swiglu = Swiglu { alpha: 1.702, limit: 7.0 };
    let experts = Experts::new(
        COUNT,
        ExpertMatrix::RowsOut(gate_up),
        gate_up_bias.clone(),
        ExpertMatrix::RowsOut(down),
        down_bias.clone(),
        swiglu,
    )
    .unwrap();
    let x = matrix(43, hidden, 9);
    let routing = route(matrix(43, COUNT, 10).view(), 2, Rounding::Bf16).unwrap();
    let run = |from: usize, to: usize| {
        let routing = Routing {
            experts: routing.experts.slice(s![from..to, ..]).to_owned(),
            weights: routing.weights.slice(s![from..to, ..]).to_owned(),
        };
        let mut y = Array2::from_elem((to - from, hidden), f32::NAN);
        let x = x.slice(s![from..to, ..]);
        let scratch = &mut ExpertsScratch::default();
        experts.forward(x, &routing, Rounding::Bf16, scratch, y.view_mut()).unwrap();
        y
    };
    let all = run(0, 43);
    for t in 0..43 {
        assert_eq!(bits(&run(t, t + 1)), bits(all.row(t)), "token {t}");
    }
    assert_eq!(bits(&run(5, 20)), bits(all.slice(s![5..20, ..])));

    let of = |all: &[f32], expert: usize| -> Vec<f32> {
        all.chunks_exact(all.len() / COUNT).nth(expert).unwrap().to_vec()
    };
    for (t, y) in all.outer_iter().enumerate() {
        let x: Vec<f64> = x.row(t).iter().copied().map(f64::from).collect();
        let mut expected = vec![0.0; hidden];
        for (expert, weight) in routing.experts.row(t).iter().zip(routing.weights.row(t)) {
            let expert = *expert as usize;
            let bias = of(&gate_up_bias, expert);
            let u = reference::linear(&x, &of(&gate_up_values, expert), Some(&bias)).unwrap();
            let swiglu = reference::Swiglu { alpha: 1.702, limit: 7.0 };
            let h = reference::swiglu(&u, swiglu).unwrap();
            let bias = of(&down_bias, expert);
            let results = reference::linear(&h, &of(&down_values, expert), Some(&bias)).unwrap();
            expected.iter_mut().zip(results).for_each(|(to, r)| *to += f64::from(*weight) * r);
        }
        let size = expected.iter().fold(1.0, |size: f64, value| size.max(value.abs()));
        for (y, expected) in y.iter().zip(expected) {
            let distance = (f64::from(*y) - expected).abs();
            assert!(distance < 0.03 * size, "token {t}: {y}, not {expected} (of {size})");
        }
    }
}
