use moe_kernels::{Error, Rounding, add};
use ndarray::Array2;

use crate::made::{matrix, on_any_threads};

#[test]
fn sums_are_rounded_only_in_bf16() {
    // More than one task.
    let (x, y) = (matrix(40, 1000, 1), matrix(40, 1000, 2));
    for (rounding, rounded) in [
        (Rounding::None, Rounding::None),
        (Rounding::F16, Rounding::None),
        (Rounding::Bf16, Rounding::Bf16),
    ] {
        let sum = on_any_threads(|| {
            let mut x = x.clone();
            add(x.view_mut(), y.view(), rounding).unwrap();
            x
        });
        assert_eq!(sum, (&x + &y).mapv(|value| rounded.round(value)), "{rounding:?}");
    }
}

#[test]
fn other_shapes_are_refused() {
    let (mut x, y) = (Array2::zeros((2, 3)), Array2::zeros((3, 2)));
    assert_eq!(
        add(x.view_mut(), y.view(), Rounding::None),
        Err(Error::Shape { argument: "y of add", expected: [2, 3], found: [3, 2] })
    );
}
