//! Random shapes against sums in f64.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn groups_are_products(
        counts in prop::collection::vec(0usize..4, 1..5),
        (depth, width, left_over) in (1usize..12, 1usize..12, 0usize..3),
        (transposed, biased) in any::<(bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let device = Device::default();
        let number = |at: usize| {
            let bits = seed.wrapping_mul(at as u64 * 2 + 1).rotate_left(at as u32) >> 54;
            bits as f32 / 256.0 - 2.0
        };
        let rows = counts.iter().sum::<usize>() + left_over;
        prop_assume!(rows > 0);
        let experts = counts.len();
        let values = |count: usize, from: usize| (from..from + count).map(number).collect::<Vec<_>>();
        let (x, w) = (values(rows * depth, 0), values(experts * depth * width, 1000));
        let bias = values(experts * width, 5000);
        let shape = |dims: [usize; 3]| dims.map(|extent| extent as i64);
        let place = |expert: usize, row: usize, column: usize| {
            let inner = if transposed { column * depth + row } else { row * width + column };
            expert * depth * width + inner
        };
        let stored = if transposed { shape([experts, width, depth]) } else { shape([experts, depth, width]) };
        let mut weight = device.floats(F32, &stored, &w);
        if transposed {
            weight = weight.transposed();
        }
        let x_tensor = device.floats(F32, &[rows as i64, depth as i64], &x);
        let y = device.empty(F32, &[rows as i64, width as i64]);
        let list = counts.iter().map(|&count| count as i64).collect::<Vec<_>>();
        let groups = device.integers(I64, &[experts as i64], &list);
        let mut call = Call::new(x_tensor, weight, groups, y.clone());
        call.bias = biased.then(|| vec![device.floats(F32, &[experts as i64, width as i64], &bias)]);
        device.run(call.v5(&A2));
        let got = device.read_floats(&y);
        let mut row = 0;
        for (expert, &count) in counts.iter().enumerate() {
            for _ in 0..count {
                for column in 0..width {
                    let products = (0..depth).map(|at| {
                        f64::from(x[row * depth + at]) * f64::from(w[place(expert, at, column)])
                    });
                    let bias = if biased { f64::from(bias[expert * width + column]) } else { 0.0 };
                    let expected = products.sum::<f64>() + bias;
                    let got = f64::from(got[row * width + column]);
                    prop_assert!((got - expected).abs() < 1e-4, "{got} for {expected}");
                }
                row += 1;
            }
        }
        prop_assert!(got[row * width..].iter().all(|value| value.is_nan()), "rows of no group");
    }
}
