use moe_kernels::{Error, Rounding, reference, rms_norm};
use ndarray::Array2;

use crate::made::{bits, matrix, numbers, on_any_threads, rows, to_f64};

fn run(x: &Array2<f32>, weight: &[f32], rounding: Rounding) -> Array2<f32> {
    let mut y = Array2::from_elem(x.dim(), f32::NAN);
    rms_norm(x.view(), weight, 1e-5, rounding, y.view_mut()).unwrap();
    y
}

#[test]
fn it_is_the_reference() {
    for hidden in [1, 7, 8, 17, 64, 2880] {
        let weight = numbers(hidden, 1);
        // Small enough that eps is most of the sum, then small enough that it matters, then not.
        for scale in [1e-4, 1e-2, 1.0, 1e4] {
            let x = matrix(5, hidden, 2) * scale;
            let y = run(&x, &weight, Rounding::None);
            for (x, y) in x.outer_iter().zip(y.outer_iter()) {
                let x = to_f64(x.as_slice().unwrap());
                let expected = reference::rms_norm(&x, &weight, f64::from(1e-5f32)).unwrap();
                for (y, expected) in y.iter().zip(expected) {
                    let distance = (f64::from(*y) - expected).abs();
                    assert!(distance <= 3e-7 * expected.abs(), "{hidden}: {y}, not {expected}");
                }
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_batch_or_the_threads() {
    let (x, weight) = (matrix(40, 33, 3), numbers(33, 4));
    let all = on_any_threads(|| run(&x, &weight, Rounding::None));
    for (t, row) in rows(&x) {
        assert_eq!(bits(&run(&row, &weight, Rounding::None)), bits(all.row(t)));
    }
}

#[test]
fn results_are_rounded_once() {
    let (x, weight) = (matrix(3, 100, 5), numbers(100, 6));
    let exact = run(&x, &weight, Rounding::None);
    for rounding in [Rounding::Bf16, Rounding::F16] {
        let expected = exact.mapv(|value| rounding.round(value));
        assert_eq!(run(&x, &weight, rounding), expected);
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let x = Array2::zeros((2, 3));
    let mut y = Array2::zeros((2, 3));
    assert_eq!(
        rms_norm(x.view(), &[1.0; 2], 1e-5, Rounding::None, y.view_mut()),
        Err(Error::Length { argument: "weight of rms_norm", expected: 3, found: 2 })
    );
    let mut y = Array2::zeros((3, 3));
    assert_eq!(
        rms_norm(x.view(), &[1.0; 3], 1e-5, Rounding::None, y.view_mut()),
        Err(Error::Shape { argument: "y of rms_norm", expected: [2, 3], found: [3, 3] })
    );
    let (x, mut y) = (Array2::zeros((2, 0)), Array2::zeros((2, 0)));
    assert_eq!(rms_norm(x.view(), &[], 1e-5, Rounding::None, y.view_mut()), Ok(()));
}
