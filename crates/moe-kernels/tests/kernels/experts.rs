use half::bf16;
use lowfloat::DType;
use moe_kernels::{
    Error, ExpertMatrix, Experts, ExpertsScratch, Matrix, Rounding, Routing, Swiglu, reference,
    route,
};
use ndarray::{Array2, array, s};

use crate::made::{
    Packed, bits, dense, integers, matrix, numbers, on_any_threads, rows, shaped, to_f64,
};

/// A layer of experts and its weights in f32, `[out, in]`.
#[derive(Clone, Debug)]
struct Layer {
    experts: Experts<Vec<u8>>,
    gate_up: Vec<f32>,
    gate_up_bias: Vec<f32>,
    down: Vec<f32>,
    down_bias: Vec<f32>,
    swiglu: Swiglu,
}

const GPT_OSS: Swiglu = Swiglu { alpha: 1.702, limit: 7.0 };
const COUNT: usize = 5;

impl Layer {
    fn new(
        [hidden, intermediate]: [usize; 2],
        gate_up: (ExpertMatrix<Vec<u8>>, Vec<f32>),
        down: (ExpertMatrix<Vec<u8>>, Vec<f32>),
        biases: impl Fn(usize, u32) -> Vec<f32>,
        swiglu: Swiglu,
    ) -> Self {
        let gate_up_bias = biases(COUNT * 2 * intermediate, 31);
        let down_bias = biases(COUNT * hidden, 32);
        let experts =
            Experts::new(COUNT, gate_up.0, gate_up_bias.clone(), down.0, down_bias.clone(), swiglu);
        let experts = experts.unwrap();
        assert_eq!((experts.count(), experts.hidden()), (COUNT, hidden));
        assert_eq!(experts.intermediate(), intermediate);
        Self { experts, gate_up: gate_up.1, gate_up_bias, down: down.1, down_bias, swiglu }
    }

    /// As MXFP4 checkpoints have it.
    fn packed([hidden, intermediate]: [usize; 2]) -> Self {
        let packed = |rows, cols, seed| {
            let packed = Packed::new(COUNT * rows, cols, seed);
            (ExpertMatrix::RowsOut(packed.matrix()), packed.decoded)
        };
        let gate_up = packed(2 * intermediate, hidden, 33);
        let down = packed(hidden, intermediate, 34);
        Self::new([hidden, intermediate], gate_up, down, numbers, GPT_OSS)
    }

    /// As transformers writes dense checkpoints.
    fn transposed(dtype: DType, [hidden, intermediate]: [usize; 2], swiglu: Swiglu) -> Self {
        let transposed = |outputs: usize, inputs: usize, seed| {
            let values = numbers(COUNT * outputs * inputs, seed);
            let (matrix, values) = dense(dtype, COUNT * inputs, outputs, &values);
            (ExpertMatrix::RowsIn(matrix), transpose(&values, inputs, outputs))
        };
        let gate_up = transposed(2 * intermediate, hidden, 35);
        let down = transposed(hidden, intermediate, 36);
        Self::new([hidden, intermediate], gate_up, down, numbers, swiglu)
    }

    fn run(&self, x: &Array2<f32>, routing: &Routing, rounding: Rounding) -> Array2<f32> {
        self.run_with(x, routing, rounding, &mut ExpertsScratch::default())
    }

    fn run_with(
        &self,
        x: &Array2<f32>,
        routing: &Routing,
        rounding: Rounding,
        scratch: &mut ExpertsScratch,
    ) -> Array2<f32> {
        let mut y = Array2::from_elem(x.dim(), f32::NAN);
        self.experts.forward(x.view(), routing, rounding, scratch, y.view_mut()).unwrap();
        y
    }

    fn reference(&self, x: &[f32], experts: &[u32], weights: &[f32]) -> Vec<f64> {
        let (alpha, limit) = (f64::from(self.swiglu.alpha), f64::from(self.swiglu.limit));
        let expert = |e: usize| reference::Expert {
            gate_up: of_expert(&self.gate_up, e),
            gate_up_bias: of_expert(&self.gate_up_bias, e),
            down: of_expert(&self.down, e),
            down_bias: of_expert(&self.down_bias, e),
            swiglu: reference::Swiglu { alpha, limit },
        };
        let all: Vec<_> = (0..COUNT).map(expert).collect();
        let choices = experts.iter().zip(weights).map(|(expert, weight)| reference::Choice {
            expert: *expert as usize,
            weight: f64::from(*weight),
        });
        reference::mixture(&to_f64(x), &choices.collect::<Vec<_>>(), &all).unwrap()
    }
}

fn of_expert(all: &[f32], expert: usize) -> &[f32] {
    all.chunks_exact(all.len() / COUNT).nth(expert).unwrap()
}

/// Of every expert, `[inputs, outputs]` to `[outputs, inputs]`.
fn transpose(values: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    let experts = values.chunks_exact(inputs * outputs);
    experts
        .flat_map(|of_one| {
            (0..outputs).flat_map(move |o| (0..inputs).map(move |i| of_one[i * outputs + o]))
        })
        .collect()
}

fn routing(tokens: usize, k: usize) -> Routing {
    route(matrix(tokens, COUNT, 37).view(), k, Rounding::None).unwrap()
}

/// Both layouts; more outputs than a task computes, and fewer.
fn layers() -> Vec<(String, Layer)> {
    let mut layers = Vec::new();
    for shape in [[64, 32], [96, 64], [160, 96]] {
        layers.push((format!("MXFP4 {shape:?}"), Layer::packed(shape)));
    }
    for (dtype, shape) in [(DType::BF16, [48, 520]), (DType::F32, [1030, 9]), (DType::F16, [7, 3])]
    {
        layers.push((format!("{dtype} {shape:?}"), Layer::transposed(dtype, shape, GPT_OSS)));
    }
    layers
}

#[test]
fn it_is_the_reference_in_both_layouts() {
    for (name, layer) in layers() {
        for (tokens, k) in [(1, 4), (2, 1), (9, 3), (20, 5)] {
            let x = matrix(tokens, layer.experts.hidden(), 38);
            let routing = routing(tokens, k);
            let y = layer.run(&x, &routing, Rounding::None);
            for (t, y) in y.outer_iter().enumerate() {
                let (experts, weights) = (routing.experts.row(t), routing.weights.row(t));
                let (experts, weights) = (experts.to_slice().unwrap(), weights.to_slice().unwrap());
                let expected = layer.reference(x.row(t).to_slice().unwrap(), experts, weights);
                let size = expected.iter().fold(1.0, |size, value| value.abs().max(size));
                for (y, expected) in y.iter().zip(expected) {
                    let distance = (f64::from(*y) - expected).abs();
                    assert!(distance < 3e-6 * size, "{name}: {y}, not {expected} (of {size})");
                }
            }
        }
    }
}

#[test]
fn a_token_does_not_depend_on_its_batch_or_the_threads() {
    for (name, layer) in layers() {
        let x = matrix(19, layer.experts.hidden(), 39);
        let routing = routing(19, 3);
        let all = on_any_threads(|| layer.run(&x, &routing, Rounding::None));
        let some = |from: usize, to: usize| {
            let routing = Routing {
                experts: routing.experts.slice(s![from..to, ..]).to_owned(),
                weights: routing.weights.slice(s![from..to, ..]).to_owned(),
            };
            layer.run(&x.slice(s![from..to, ..]).to_owned(), &routing, Rounding::None)
        };
        for (t, _) in rows(&x) {
            assert_eq!(bits(&some(t, t + 1)), bits(all.row(t)), "{name}, token {t}");
        }
        assert_eq!(bits(&some(2, 15)), bits(all.slice(s![2..15, ..])), "{name}");
    }
}

#[test]
fn scratch_of_other_calls_does_not_matter() {
    let (layer, other) = (Layer::packed([64, 32]), Layer::packed([96, 64]));
    let mut scratch = ExpertsScratch::default();
    for tokens in [1, 9, 3, 0, 1, 20] {
        let (x, routing) = (matrix(tokens, 64, 40), routing(tokens, 2));
        let expected = layer.run(&x, &routing, Rounding::None);
        let found = layer.run_with(&x, &routing, Rounding::None, &mut scratch);
        assert_eq!(bits(&found), bits(&expected));
        other.run_with(&matrix(tokens, 96, 41), &routing, Rounding::None, &mut scratch);
    }
}

#[test]
fn only_chosen_experts_are_touched_and_weights_are_summed_in_slot_order() {
    let mut layer = Layer::transposed(DType::F32, [8, 4], GPT_OSS);
    let x = matrix(2, 8, 42);
    let routing =
        Routing { experts: array![[2, 0], [3, 3]], weights: array![[0.6, 0.4], [0.5, 0.5]] };
    let expected = layer.run(&x, &routing, Rounding::None);
    // Experts 1 and 4 are NaN; token 1 has one expert twice.
    for unused in [1, 4] {
        let bias = &mut layer.down_bias[unused * 8..(unused + 1) * 8];
        bias.fill(f32::NAN);
    }
    let rebuilt = rebuild(&layer, layer.down_bias.clone());
    assert_eq!(bits(&rebuilt.run(&x, &routing, Rounding::None)), bits(&expected));
    let once = Routing { experts: array![[3]], weights: array![[1.0]] };
    let once = layer.run(&x.slice(s![1.., ..]).to_owned(), &once, Rounding::None);
    assert_eq!(bits(expected.row(1)), bits(&once));
}

/// The layer with another bias of `down`.
fn rebuild(layer: &Layer, down_bias: Vec<f32>) -> Layer {
    let (hidden, intermediate) = (layer.experts.hidden(), layer.experts.intermediate());
    let experts = Experts::new(
        COUNT,
        rows_in(&layer.gate_up, hidden, 2 * intermediate),
        layer.gate_up_bias.clone(),
        rows_in(&layer.down, intermediate, hidden),
        down_bias.clone(),
        layer.swiglu,
    );
    Layer { experts: experts.unwrap(), down_bias, ..layer.clone() }
}

/// `[outputs, inputs]` as a matrix of rows that are inputs.
fn rows_in(values: &[f32], inputs: usize, outputs: usize) -> ExpertMatrix<Vec<u8>> {
    let values = transpose(values, outputs, inputs);
    ExpertMatrix::RowsIn(dense(DType::F32, COUNT * inputs, outputs, &values).0)
}

#[test]
fn both_layouts_agree() {
    let packed = Layer::packed([64, 96]);
    let dense = Experts::new(
        COUNT,
        rows_in(&packed.gate_up, 64, 192),
        packed.gate_up_bias.clone(),
        rows_in(&packed.down, 96, 64),
        packed.down_bias.clone(),
        GPT_OSS,
    );
    let dense = Layer { experts: dense.unwrap(), ..packed.clone() };
    let (x, routing) = (matrix(6, 64, 43), routing(6, 4));
    let distance =
        packed.run(&x, &routing, Rounding::None) - dense.run(&x, &routing, Rounding::None);
    assert!(distance.iter().all(|distance| distance.abs() < 1e-3));
}

/// Integers everywhere and sigmoids of ½: only what is rounded on purpose is rounded.
fn exact_layer(hidden: usize, intermediate: usize) -> Layer {
    let half = Swiglu { alpha: 0.0, limit: 7.0 };
    let of_integers = |outputs: usize, inputs: usize, seed| {
        let values = integers(COUNT * outputs * inputs, seed);
        let (matrix, values) = dense(DType::BF16, COUNT * outputs, inputs, &values);
        (ExpertMatrix::RowsOut(matrix), values)
    };
    let gate_up = of_integers(2 * intermediate, hidden, 44);
    let down = of_integers(hidden, intermediate, 45);
    // Eighths, so that they matter where products of bf16 are coarse.
    let biases =
        |count, seed| numbers(count, seed).iter().map(|v| (v * 16.0).round() / 8.0).collect();
    Layer::new([hidden, intermediate], gate_up, down, biases, half)
}

#[test]
fn bf16_rounds_where_transformers_does() {
    let layer = exact_layer(40, 24);
    // Halves, so that gates are within the clamps and beyond.
    let x = shaped(12, 40, integers(12 * 40, 46)).mapv(|value| value / 16.0);
    let mut routing = routing(12, 3);
    routing.weights.mapv_inplace(|weight| Rounding::Bf16.round(weight));
    let found = layer.run(&x, &routing, Rounding::Bf16);
    let round = |value: f64| bf16::from_f64(value).to_f64();
    let product =
        |row: &[f32], x: &[f64]| -> f64 { row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum() };
    for t in 0..12 {
        let x = to_f64(x.row(t).as_slice().unwrap());
        let mut y = vec![0.0; 40];
        for (expert, weight) in routing.experts.row(t).iter().zip(routing.weights.row(t)) {
            let of = |all| of_expert(all, *expert as usize);
            let sums = of(&layer.gate_up).chunks_exact(40).zip(of(&layer.gate_up_bias));
            let u = sums.map(|(row, bias)| round(round(product(row, &x)) + f64::from(*bias)));
            let u: Vec<f64> = u.collect();
            let activation = |pair: &[f64]| {
                let (gate, up) = (pair[0].min(7.0), pair[1].clamp(-7.0, 7.0));
                round(round(up + 1.0) * round(gate * 0.5))
            };
            let h: Vec<f64> = u.chunks_exact(2).map(activation).collect();
            let rows = of(&layer.down).chunks_exact(24).zip(of(&layer.down_bias));
            for (y, (row, bias)) in y.iter_mut().zip(rows) {
                let result = round(round(product(row, &h)) + f64::from(*bias));
                *y = round(*y + round(result * f64::from(*weight)));
            }
        }
        assert_eq!(to_f64(found.row(t).as_slice().unwrap()), y, "token {t}");
    }
}

#[test]
fn f16_rounds_activations_only() {
    let layer = exact_layer(40, 24);
    let x = shaped(12, 40, numbers(12 * 40, 47)).mapv(|value| (value * 4096.0).round() / 4096.0);
    let routing = routing(12, 3);
    let found = layer.run(&x, &routing, Rounding::F16);
    let exact = layer.run(&x, &routing, Rounding::None);
    let mut largest = 0f64;
    for t in 0..12 {
        let x = to_f64(x.row(t).as_slice().unwrap());
        let mut y = vec![0.0; 40];
        for (expert, weight) in routing.experts.row(t).iter().zip(routing.weights.row(t)) {
            let of = |all| of_expert(all, *expert as usize);
            let u = reference::linear(&x, of(&layer.gate_up), Some(of(&layer.gate_up_bias)));
            let swiglu = reference::Swiglu { alpha: 0.0, limit: 7.0 };
            let h = reference::swiglu(&u.unwrap(), swiglu).unwrap();
            let h: Vec<f64> = h.iter().map(|h| half::f16::from_f64(*h).to_f64()).collect();
            let out = reference::linear(&h, of(&layer.down), Some(of(&layer.down_bias))).unwrap();
            y.iter_mut().zip(out).for_each(|(y, out)| *y += f64::from(*weight) * out);
        }
        for (i, y) in y.iter().enumerate() {
            let distance = (f64::from(found[[t, i]]) - y).abs();
            assert!(distance < 2e-5, "token {t}: {}, not {y}", found[[t, i]]);
            largest = largest.max((f64::from(exact[[t, i]]) - y).abs());
        }
    }
    assert!(largest > 1e-3, "the data cannot tell whether activations are rounded");
}

#[test]
fn no_token_and_no_expert_are_no_work() {
    let layer = Layer::packed([64, 32]);
    let none = Routing { experts: Array2::zeros((0, 2)), weights: Array2::zeros((0, 2)) };
    assert_eq!(layer.run(&Array2::zeros((0, 64)), &none, Rounding::None).dim(), (0, 64));
    let none = Routing { experts: Array2::zeros((3, 0)), weights: Array2::zeros((3, 0)) };
    let y = layer.run(&matrix(3, 64, 48), &none, Rounding::None);
    assert_eq!(y, Array2::zeros((3, 64)));
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let layer = Layer::packed([64, 32]);
    let refused = |x: (usize, usize), routing: &Routing, y: (usize, usize)| {
        let (x, mut y) = (Array2::zeros(x), Array2::zeros(y));
        let scratch = &mut ExpertsScratch::default();
        layer.experts.forward(x.view(), routing, Rounding::None, scratch, y.view_mut()).unwrap_err()
    };
    let shape = |argument, expected, found| Error::Shape { argument, expected, found };
    let good = routing(2, 2);
    assert_eq!(refused((2, 63), &good, (2, 64)), shape("x of experts", [2, 64], [2, 63]));
    assert_eq!(refused((2, 64), &good, (1, 64)), shape("y of experts", [2, 64], [1, 64]));
    let name = "experts of the routing";
    assert_eq!(refused((3, 64), &good, (3, 64)), shape(name, [3, 2], [2, 2]));
    let uneven = Routing { weights: Array2::zeros((2, 1)), ..good.clone() };
    assert_eq!(refused((2, 64), &uneven, (2, 64)), shape("weights of the routing", [2, 2], [2, 1]));
    let mut beyond = good;
    beyond.experts[[1, 1]] = 5;
    assert_eq!(
        refused((2, 64), &beyond, (2, 64)),
        Error::NoSuchExpert { row: 1, slot: 1, expert: 5, experts: 5 }
    );
}

#[test]
fn weights_that_do_not_fit_each_other_are_refused_by_name() {
    let rows_out = |rows, cols| {
        ExpertMatrix::RowsOut(dense(DType::F32, rows, cols, &vec![0.0; rows * cols]).0)
    };
    let new = |count, gate_up, gate_up_bias: usize, down, down_bias: usize| {
        let (gate_up_bias, down_bias) = (vec![0.0; gate_up_bias], vec![0.0; down_bias]);
        Experts::new(count, gate_up, gate_up_bias, down, down_bias, GPT_OSS)
            .map(|_| ())
            .unwrap_err()
    };
    let shape = |argument, expected, found| Error::Shape { argument, expected, found };
    // Two experts, hidden size 3, intermediate size 4.
    assert_eq!(
        new(2, rows_out(16, 4), 16, rows_out(6, 4), 6),
        shape("weights of gate_up", [16, 3], [16, 4])
    );
    assert_eq!(
        new(2, rows_out(16, 3), 16, rows_out(6, 3), 6),
        shape("weights of down", [6, 4], [6, 3])
    );
    let wrong_way = ExpertMatrix::RowsIn(dense(DType::F32, 6, 4, &[0.0; 24]).0);
    assert_eq!(new(2, rows_out(16, 3), 16, wrong_way, 6), shape("weights of down", [8, 3], [6, 4]));
    for (count, gate_up_bias, down_bias, name) in [
        (2, 14, 6, "bias of gate_up"),
        (2, 0, 6, "bias of gate_up"),
        (0, 16, 6, "bias of gate_up"),
        (2, 16, 7, "bias of down"),
        (2, 16, 0, "bias of down"),
    ] {
        match new(count, rows_out(16, 3), gate_up_bias, rows_out(6, 4), down_bias) {
            Error::Count { argument, .. } => assert_eq!(argument, name),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn weights_may_be_shared_by_many_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Experts<Vec<u8>>>();
    shared::<Matrix<&[u8]>>();
    shared::<ExpertsScratch>();
}
