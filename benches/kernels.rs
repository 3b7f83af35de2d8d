//! Speed of the CPU kernels, in the shapes of gpt-oss-20b.
//!
//! ```text
//! cargo bench -p benches --bench kernels
//! cargo bench -p benches --bench kernels -- linear/mxfp4
//! ```
//!
//! A name is `linear/WEIGHTS/ACTIVATIONS/SHAPE/TOKENS`, and so on. Up to 8 tokens are given in GB/s of
//! weights (or of keys and values) that are read, more of them in GFLOP/s, which criterion calls Gelem/s: a
//! multiplication with an addition is two. The first lines say what the machine can do at most: to read memory,
//! and to multiply and add in registers. `MOE_KERNELS_ARCH` lowers the instruction set of the kernels,
//! `RAYON_NUM_THREADS` sets the threads of all.

#![deny(unsafe_code)]

mod ceiling;

use std::cell::LazyCell;
use std::collections::HashSet;
use std::f32::consts::TAU;
use std::hint::black_box;
use std::time::Duration;

use ceiling::{ceiling, measured};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use half::{bf16, f16};
use lowfloat::DType;
use moe_kernels::{
    Attention, CodedParts, ExpertMatrix, Experts, ExpertsScratch, Heads, Int8Parts, KvView, Matrix,
    Repack, Rounding, Routing, Span, Strips, Swiglu, linear, route,
};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, Axis};
use rayon::prelude::*;

const HIDDEN: usize = 2880;
const PER_TOKEN: usize = 4;

/// Rows that are made; a matrix repeats them.
const PATTERN: usize = 256;

/// Matrices, or layers, that take turns where one is no larger than a cache.
const TURNS: usize = 8;

/// Where activations are `f32`, and where they are bf16.
const ROUNDINGS: [(Rounding, &str); 2] = [(Rounding::None, "f32"), (Rounding::Bf16, "bf16")];

/// Routers are small: their weights come from a cache, here as in a model.
fn router(c: &mut Criterion) {
    const EXPERTS: usize = 32;
    let mut group = group(c, "router");
    for tokens in [1, 512] {
        let logits = activations(tokens, EXPERTS, Rounding::None);
        group.throughput(Throughput::BytesDecimal(size_of_val(logits.as_slice().unwrap()) as u64));
        group.bench_function(format!("route/{tokens}"), |b| {
            b.iter(|| route(black_box(logits.view()), PER_TOKEN, Rounding::None).unwrap());
        });
    }
    let pattern = Form::Bf16.weights(PATTERN, HIDDEN);
    let rows: Vec<u8> = (0..EXPERTS)
        .flat_map(|row| {
            let mut values = vec![0.0; HIDDEN];
            pattern.decode_row(row, &mut values).unwrap();
            bf16_bytes(&values)
        })
        .collect();
    let weights = Strips::new(2 * HIDDEN, vec![rows]);
    let weights = Matrix::dense(DType::BF16, HIDDEN, weights.unwrap()).unwrap();
    for (tokens, (rounding, name)) in product(&[1, 512], ROUNDINGS) {
        let x = activations(tokens, HIDDEN, rounding);
        let mut logits = Array2::zeros((tokens, EXPERTS));
        group.throughput(throughput(tokens, weights.byte_len(), tokens * EXPERTS * HIDDEN));
        group.bench_function(format!("bf16/{name}/{EXPERTS}x{HIDDEN}/{tokens}"), |b| {
            b.iter(|| {
                let x = black_box(x.view());
                linear(x, &weights, None, rounding, logits.view_mut()).unwrap();
                route(logits.view(), PER_TOKEN, rounding).unwrap()
            });
        });
    }
}

fn linears(c: &mut Criterion) {
    // Those of 512 MiB in bf16, and those of `q_proj`: weights come from memory.
    let (many, few) = if measured() { (364 * PATTERN, 16 * PATTERN) } else { (PATTERN, PATTERN) };
    let mut group = group(c, "linear");
    for form in Form::ALL {
        for (rows, turns, tokens) in [(many, 1, &[1, 2, 4, 8][..]), (few, TURNS, &[16, 64, 512])] {
            let bytes = form.bytes(rows, HIDDEN);
            let weights = LazyCell::new(|| vec![form.weights(rows, HIDDEN); turns]);
            for (tokens, (rounding, activation)) in product(tokens, ROUNDINGS) {
                let name = form.name();
                group.throughput(throughput(tokens, bytes, tokens * rows * HIDDEN));
                let name = format!("{name}/{activation}/{rows}x{HIDDEN}/{tokens}");
                group.bench_function(name, |b| {
                    let x = activations(tokens, HIDDEN, rounding);
                    let mut y = Array2::zeros((tokens, rows));
                    let mut weights = weights.iter().cycle();
                    b.iter(|| {
                        let (x, weights) = (black_box(x.view()), weights.next().unwrap());
                        linear(x, weights, None, rounding, y.view_mut()).unwrap();
                    });
                });
            }
        }
    }
    peer(&mut group, "matrixmultiply", few, matrixmultiply);
    peer(&mut group, "faer", few, faer);
}

/// The product of another library, of activations with the weights' transpose, all in `f32`.
fn peer(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    rows: usize,
    product: impl Fn(&Array2<f32>, &Array2<f32>, &mut Array2<f32>),
) {
    for tokens in [16, 64, 512] {
        group.throughput(throughput(tokens, 4 * rows * HIDDEN, tokens * rows * HIDDEN));
        group.bench_function(format!("{name}/f32/{rows}x{HIDDEN}/{tokens}"), |b| {
            let x = activations(tokens, HIDDEN, Rounding::None);
            let weights = vec![activations(rows, HIDDEN, Rounding::None); TURNS];
            let mut weights = weights.iter().cycle();
            let mut y = Array2::zeros((tokens, rows));
            b.iter(|| product(black_box(&x), weights.next().unwrap(), &mut y));
        });
    }
}

/// The product of ndarray, a part of the rows on each thread.
fn matrixmultiply(x: &Array2<f32>, weights: &Array2<f32>, y: &mut Array2<f32>) {
    let part = weights.nrows().div_ceil(rayon::current_num_threads());
    let parts = weights.axis_chunks_iter(Axis(0), part);
    let parts: Vec<_> = parts.zip(y.axis_chunks_iter_mut(Axis(1), part)).collect();
    parts.into_par_iter().for_each(|(weights, mut y)| {
        general_mat_mul(1.0, x, &weights.t(), 0.0, &mut y);
    });
}

/// The product of faer, which is that of gemm and of its successor on x86-64.
fn faer(x: &Array2<f32>, weights: &Array2<f32>, y: &mut Array2<f32>) {
    let (tokens, outputs) = y.dim();
    let x = MatRef::from_row_major_slice(x.as_slice().unwrap(), tokens, HIDDEN);
    let weights = MatRef::from_row_major_slice(weights.as_slice().unwrap(), outputs, HIDDEN);
    let y = MatMut::from_row_major_slice_mut(y.as_slice_mut().unwrap(), tokens, outputs);
    matmul(y, Accum::Replace, x, weights.transpose(), 1.0, Par::rayon(0));
}

/// Experts in the layouts that checkpoints have; what is repacked is in that of MXFP4.
fn moe(c: &mut Criterion) {
    let count = if measured() { 32 } else { PER_TOKEN };
    let mut group = group(c, "moe");
    for form in Form::ALL {
        let expert = form.bytes(count * 3 * HIDDEN, HIDDEN) / count;
        let experts = LazyCell::new(|| experts(form, count));
        let tokens = match form {
            Form::Mxfp4 => &[1, 8, 64, 512][..],
            _ => &[1, 8, 64],
        };
        for (tokens, (rounding, activation)) in product(tokens, ROUNDINGS) {
            let routings = routings(tokens, count, rounding);
            let chosen = |routing: &Routing| routing.experts.iter().collect::<HashSet<_>>().len();
            let bytes = expert * routings.iter().map(chosen).sum::<usize>() / routings.len();
            let products = tokens * PER_TOKEN * 3 * HIDDEN * HIDDEN;
            group.throughput(throughput(tokens, bytes, products));
            group.bench_function(format!("{}/{activation}/{tokens}", form.name()), |b| {
                let x = activations(tokens, HIDDEN, rounding);
                let mut y = Array2::zeros((tokens, HIDDEN));
                let mut scratch = ExpertsScratch::default();
                let experts = LazyCell::force(&experts);
                let mut routings = routings.iter().cycle();
                b.iter(|| {
                    let routing = routings.next().unwrap();
                    let (x, y) = (black_box(x.view()), y.view_mut());
                    experts.forward(x, routing, rounding, &mut scratch, y).unwrap();
                });
            });
        }
    }
}

fn experts(form: Form, count: usize) -> Experts<Vec<u8>> {
    let hidden = count * HIDDEN;
    let (gate_up, down) = match form {
        Form::Bf16 => (
            ExpertMatrix::RowsIn(form.weights(hidden, 2 * HIDDEN)),
            ExpertMatrix::RowsIn(form.weights(hidden, HIDDEN)),
        ),
        _ => (
            ExpertMatrix::RowsOut(form.weights(2 * hidden, HIDDEN)),
            ExpertMatrix::RowsOut(form.weights(hidden, HIDDEN)),
        ),
    };
    let (gate_up_bias, down_bias) = (vec![0.25; 2 * hidden], vec![0.25; hidden]);
    let swiglu = Swiglu { alpha: 1.702, limit: 7.0 };
    Experts::new(count, gate_up, gate_up_bias, down, down_bias, swiglu).unwrap()
}

/// Choices that take turns: the experts of the last call would still be in the cache.
fn routings(tokens: usize, experts: usize, rounding: Rounding) -> Vec<Routing> {
    let logits = activations(TURNS * tokens, experts, rounding);
    let parts = logits.axis_chunks_iter(Axis(0), tokens);
    parts.map(|logits| route(logits, PER_TOKEN, rounding).unwrap()).collect()
}

fn attention(c: &mut Criterion) {
    const CONTEXT: usize = 4096;
    let heads = Heads { query: 64, kv: 8, dim: 64 };
    let width = heads.kv * heads.dim;
    // Keys and values of layer after layer.
    let kv = activations(2 * TURNS * CONTEXT, width, Rounding::None);
    let brains: Vec<bf16> = kv.iter().map(|&value| bf16::from_f32(value)).collect();
    let halves: Vec<f16> = kv.iter().map(|&value| f16::from_f32(value)).collect();
    let f32s = kv.as_slice().unwrap();
    let part = |i: usize| i * CONTEXT * width..(i + 1) * CONTEXT * width;
    let mut group = group(c, "attention");
    for (window_name, window) in [("full", None), ("window", Some(128))] {
        for tokens in [1, 64] {
            let keys = window.unwrap_or(CONTEXT);
            for (name, rounding, size) in
                [("f32", Rounding::None, 4), ("bf16", Rounding::Bf16, 2), ("f16", Rounding::F16, 2)]
            {
                let products = 2 * tokens * keys * heads.query * heads.dim;
                group.throughput(throughput(tokens, 2 * keys * width * size, products));
                let view = |i| match rounding {
                    Rounding::Bf16 => KvView::Bf16(&brains[part(i)]),
                    Rounding::F16 => KvView::F16(&halves[part(i)]),
                    Rounding::None => KvView::F32(&f32s[part(i)]),
                };
                group.bench_function(format!("{window_name}/{name}/{tokens}"), |b| {
                    let q = activations(tokens, heads.query * heads.dim, rounding);
                    let mut out = Array2::zeros(q.dim());
                    let sinks = [0.5; 64];
                    let scale = 0.125;
                    let attention = Attention { heads, scale, sinks: &sinks, window, rounding };
                    let mut layers = (0..TURNS).cycle();
                    b.iter(|| {
                        let layer = 2 * layers.next().unwrap();
                        let (keys, values) = (view(layer), view(layer + 1));
                        let spans = [Span { keys, values, len: CONTEXT }];
                        let (q, out) = (black_box(q.view()), out.view_mut());
                        attention.attend(q, CONTEXT - tokens, &spans, 0, out).unwrap();
                    });
                });
            }
        }
    }
}

/// How weights are stored.
#[derive(Clone, Copy)]
enum Form {
    Bf16,
    Mxfp4,
    Coded,
    Int8,
}

impl Form {
    const ALL: [Self; 4] = [Self::Bf16, Self::Mxfp4, Self::Coded, Self::Int8];

    fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::Mxfp4 => "mxfp4",
            Self::Coded => "coded",
            Self::Int8 => "int8",
        }
    }

    /// Bytes of so many weights.
    fn bytes(self, rows: usize, cols: usize) -> usize {
        self.weights(PATTERN, cols).byte_len() * (rows / PATTERN)
    }

    /// Weights `[rows, cols]`, normally distributed but for MXFP4, in which any code is as frequent as
    /// another.
    fn weights(self, rows: usize, cols: usize) -> Matrix<Vec<u8>> {
        let copies = rows / PATTERN;
        assert_eq!(copies * PATTERN, rows, "rows are whole patterns");
        let strips = |row_bytes, bytes: Vec<u8>| Strips::new(row_bytes, vec![bytes]).unwrap();
        let repeated = |strips: &Strips<Vec<u8>>| {
            let bytes = strips.pieces().concat().repeat(copies);
            Strips::new(strips.row_bytes(), vec![bytes]).unwrap()
        };
        let dense = || {
            let mut values = activations(PATTERN, cols, Rounding::None);
            values *= 1.0 / (cols as f32).sqrt();
            strips(2 * cols, bf16_bytes(values.as_slice().unwrap()))
        };
        let repacked = |repack| {
            let matrix = Matrix::dense(DType::BF16, cols, dense()).unwrap();
            matrix.repacked(repack).unwrap().expect("weights that can be repacked")
        };
        match self {
            Self::Bf16 => Matrix::dense(DType::BF16, cols, repeated(&dense())),
            Self::Mxfp4 => {
                let mut random = Random(1);
                let mut bytes = |count| (0..count).map(|_| random.next() as u8).collect();
                let blocks = strips(cols / 2, bytes(PATTERN * cols / 2));
                let scales: Vec<u8> = bytes(PATTERN * cols / 32);
                let scales = scales.iter().map(|byte| 118 + byte % 5).collect();
                Matrix::mxfp4(cols, repeated(&blocks), repeated(&strips(cols / 32, scales)))
            }
            Self::Coded => {
                let matrix = repacked(Repack::Coded);
                let CodedParts { rows, table, escapes, ends } = matrix.coded_parts().unwrap();
                let total = ends.last().copied().unwrap_or(0);
                let ends = (0..copies as u32)
                    .flat_map(|copy| ends.iter().map(move |end| copy * total + end))
                    .collect();
                let (rows, escapes) = (repeated(rows), escapes.repeat(copies));
                Matrix::coded(cols, CodedParts { rows, table: *table, escapes, ends })
            }
            Self::Int8 => {
                let matrix = repacked(Repack::Int8);
                let Int8Parts { codes, scales } = matrix.int8_parts().unwrap();
                let (codes, scales) = (repeated(codes), repeated(scales));
                Matrix::int8(cols, Int8Parts { codes, scales })
            }
        }
        .unwrap()
    }
}

/// Values of a standard normal distribution, bf16 ones where the kernels expect such.
fn activations(rows: usize, cols: usize, rounding: Rounding) -> Array2<f32> {
    let mut random = Random(0);
    let mut values = Vec::with_capacity((rows * cols).next_multiple_of(2));
    while values.len() < rows * cols {
        // Box and Muller's transformation; neither number is 0.
        let mut number = || ((random.next() >> 40) as f32 + 0.5) / (1 << 24) as f32;
        let (radius, angle) = ((-2.0 * number().ln()).sqrt(), TAU * number());
        values.extend([radius * angle.cos(), radius * angle.sin()]);
    }
    values.truncate(rows * cols);
    rounding.apply(&mut values);
    Array2::from_shape_vec((rows, cols), values).unwrap()
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

fn bf16_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|&value| bf16::from_f32(value).to_le_bytes()).collect()
}

/// Every one of `tokens` with every one of `others`.
fn product<T: Copy, const N: usize>(
    tokens: &[usize],
    others: [T; N],
) -> impl Iterator<Item = (usize, T)> {
    tokens.iter().flat_map(move |&tokens| others.map(|other| (tokens, other)))
}

/// Bytes where few tokens wait for the memory, else multiplications and additions.
fn throughput(tokens: usize, bytes: usize, products: usize) -> Throughput {
    if tokens <= 8 {
        Throughput::BytesDecimal(bytes as u64)
    } else {
        Throughput::Elements(2 * products as u64)
    }
}

/// Enough to tell twice as fast from as fast, without taking an hour.
fn group<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.sample_size(10);
    group.sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_millis(600));
    group
}

criterion_group!(benches, ceiling, router, linears, moe, attention);
criterion_main!(benches);
