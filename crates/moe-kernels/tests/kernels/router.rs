use moe_kernels::{Error, Rounding, reference, route};
use ndarray::{Array2, array};
use proptest::prelude::*;

/// Logits of few values, so that there are ties, zeros of both signs and large distances.
fn logit() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => (-4..4i32).prop_map(|i| i as f32 / 2.0),
        2 => -30f32..30.0,
        1 => Just(-0.0f32),
        1 => Just(f32::NEG_INFINITY),
        1 => Just(-1000.0),
        1 => Just(1000.0),
    ]
}

fn logits() -> impl Strategy<Value = (Array2<f32>, usize)> {
    (1..5usize, 1..40usize).prop_flat_map(|(tokens, experts)| {
        let values = proptest::collection::vec(logit(), tokens * experts);
        let logits =
            values.prop_map(move |v| Array2::from_shape_vec((tokens, experts), v).unwrap());
        (logits, 1..=experts)
    })
}

proptest! {
    #[test]
    fn it_is_the_reference((logits, k) in logits()) {
        let largest = |row: ndarray::ArrayView1<'_, f32>| row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        prop_assume!(logits.outer_iter().all(|row| largest(row).is_finite()));
        let routing = route(logits.view(), k, Rounding::None).unwrap();
        prop_assert_eq!(routing.experts.dim(), (logits.nrows(), k));
        for (t, row) in logits.outer_iter().enumerate() {
            let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
            let choices = reference::route(&row, k).unwrap();
            let mut total = 0.0;
            for (slot, choice) in choices.iter().enumerate() {
                prop_assert_eq!(routing.experts[[t, slot]] as usize, choice.expert);
                let weight = f64::from(routing.weights[[t, slot]]);
                prop_assert!((weight - choice.weight).abs() <= 1e-7 * choice.weight + 1e-45);
                total += weight;
            }
            prop_assert!((total - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_token_is_routed_alone_as_in_a_batch((logits, k) in logits()) {
        let alone: Vec<_> = logits
            .outer_iter()
            .map(|row| route(row.insert_axis(ndarray::Axis(0)), k, Rounding::None))
            .collect();
        match route(logits.view(), k, Rounding::None) {
            Ok(routing) => {
                for (t, alone) in alone.into_iter().enumerate() {
                    let alone = alone.unwrap();
                    prop_assert_eq!(alone.experts.row(0), routing.experts.row(t));
                    prop_assert_eq!(alone.weights.row(0), routing.weights.row(t));
                }
            }
            Err(_) => prop_assert!(alone.iter().any(Result::is_err)),
        }
    }

    #[test]
    fn a_nan_is_refused_with_its_place((mut logits, k) in logits(), t in 0..5usize, e in 0..40usize) {
        // Earlier rows must not be refused for another reason.
        logits.mapv_inplace(|value| value.max(-1e6));
        let (row, expert) = (t % logits.nrows(), e % logits.ncols());
        logits[[row, expert]] = f32::NAN;
        match route(logits.view(), k, Rounding::None) {
            Err(Error::Logit { row: r, expert: e, value }) => {
                prop_assert_eq!((r, e), (row, expert));
                prop_assert!(value.is_nan());
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn no_expert_and_too_many_are_refused((logits, _) in logits(), more in 1..5usize) {
        for k in [0, logits.ncols() + more] {
            let expected = Error::ExpertsPerToken { k, experts: logits.ncols() };
            prop_assert_eq!(route(logits.view(), k, Rounding::None), Err(expected));
        }
    }
}

#[test]
fn equal_logits_go_to_the_lowest_index() {
    let logits = array![[1.0, 3.0, 2.0, 3.0], [-0.0, 0.0, -0.0, 0.0], [5.0, 5.0, 5.0, 5.0]];
    let routing = route(logits.view(), 3, Rounding::None).unwrap();
    assert_eq!(routing.experts, array![[1, 3, 2], [0, 1, 2], [0, 1, 2]]);
}

#[test]
fn weights_are_rounded_only_in_bf16() {
    let logits = array![[0.3, 0.1, 0.2]];
    let exact = route(logits.view(), 3, Rounding::None).unwrap().weights;
    let f16 = route(logits.view(), 3, Rounding::F16).unwrap().weights;
    assert_eq!(f16, exact);
    let bf16 = route(logits.view(), 3, Rounding::Bf16).unwrap().weights;
    assert_eq!(bf16, exact.mapv(|value| Rounding::Bf16.round(value)));
    assert_ne!(bf16, exact);
}

#[test]
fn a_softmax_that_does_not_exist_is_refused() {
    for (value, expert) in [(f32::INFINITY, 2), (f32::NEG_INFINITY, 0)] {
        let mut logits = array![[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]];
        logits.row_mut(1).fill(f32::NEG_INFINITY);
        logits[[1, expert]] = value;
        let error = route(logits.view(), 1, Rounding::None).unwrap_err();
        assert_eq!(error, Error::Logit { row: 1, expert, value });
    }
    // Minus infinity is an expert that is never taken, as long as there is another.
    let routing = route(array![[f32::NEG_INFINITY, 0.0]].view(), 2, Rounding::None).unwrap();
    assert_eq!(routing.weights, array![[1.0, 0.0]]);
}
