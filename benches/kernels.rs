//! Speed of the CPU kernels, in the shapes of gpt-oss-20b.
//!
//! Bytes per second are those of the stored weights, elements per second are multiplications with
//! an addition. `MOE_KERNELS_ARCH` lowers the instruction set.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use half::{bf16, f16};
use lowfloat::DType;
use moe_kernels::{
    Attention, ExpertMatrix, Experts, ExpertsScratch, Heads, KvView, Matrix, Rounding, Span,
    Strips, Swiglu, linear, route,
};
use ndarray::Array2;

const HIDDEN: usize = 2880;
const EXPERTS: usize = 32;
const PER_TOKEN: usize = 4;

fn router(c: &mut Criterion) {
    let mut group = c.benchmark_group("router");
    quick(&mut group);
    for tokens in [1, 512] {
        let logits = activations(tokens, EXPERTS);
        group.throughput(Throughput::Elements(tokens as u64));
        group.bench_function(format!("route/{tokens}"), |b| {
            b.iter(|| route(black_box(logits.view()), PER_TOKEN, Rounding::None));
        });
    }
}

fn linears(c: &mut Criterion) {
    let mut group = c.benchmark_group("linear");
    quick(&mut group);
    // The rows of 512 MiB in bf16, so that weights come from memory, and those of `q_proj`.
    for (rows, tokens) in [(93_206, 1), (93_206, 4), (4096, 16), (4096, 512)] {
        for (name, w) in [("bf16", dense(rows, HIDDEN)), ("mxfp4", packed(rows, HIDDEN))] {
            let x = activations(tokens, HIDDEN);
            let mut y = Array2::zeros((tokens, rows));
            group.throughput(match tokens {
                1 => Throughput::Bytes(w.byte_len() as u64),
                _ => Throughput::Elements((tokens * rows * HIDDEN) as u64),
            });
            group.bench_function(format!("{name}/{rows}x{HIDDEN}/{tokens}"), |b| {
                b.iter(|| linear(black_box(x.view()), &w, None, Rounding::None, y.view_mut()));
            });
        }
    }
}

fn moe(c: &mut Criterion) {
    let mut group = c.benchmark_group("moe");
    quick(&mut group);
    let swiglu = Swiglu { alpha: 1.702, limit: 7.0 };
    let bias = |cols: usize| vec![0.25; EXPERTS * cols];
    let (pairs, all) = (2 * HIDDEN, EXPERTS * HIDDEN);
    let layers = [
        ("mxfp4", ExpertMatrix::RowsOut(packed(2 * all, HIDDEN)), {
            ExpertMatrix::RowsOut(packed(all, HIDDEN))
        }),
        ("bf16", ExpertMatrix::RowsIn(dense(all, pairs)), {
            ExpertMatrix::RowsIn(dense(all, HIDDEN))
        }),
    ];
    for (name, gate_up, down) in layers {
        let bytes = gate_up.matrix().byte_len() + down.matrix().byte_len();
        let experts = Experts::new(EXPERTS, gate_up, bias(pairs), down, bias(HIDDEN), swiglu)
            .expect("the shapes fit");
        let mut scratch = ExpertsScratch::default();
        for tokens in [1, 512] {
            let x = activations(tokens, HIDDEN);
            let mut y = Array2::zeros((tokens, HIDDEN));
            // Another choice every time, as from layer to layer: the experts of the last call
            // would still be in the cache.
            let routings: Vec<_> = (0..8)
                .map(|i| {
                    let logits = activations(8 * tokens, EXPERTS);
                    let part = logits.slice(ndarray::s![i * tokens..(i + 1) * tokens, ..]);
                    route(part, PER_TOKEN, Rounding::None).expect("no NaN")
                })
                .collect();
            group.throughput(match tokens {
                1 => Throughput::Bytes((bytes / EXPERTS * PER_TOKEN) as u64),
                _ => Throughput::Elements((tokens * PER_TOKEN * 3 * HIDDEN * HIDDEN) as u64),
            });
            let mut routing = routings.iter().cycle();
            group.bench_function(format!("{name}/{tokens}"), |b| {
                b.iter(|| {
                    let Some(routing) = routing.next() else { unreachable!() };
                    let (x, y) = (black_box(x.view()), y.view_mut());
                    experts.forward(x, routing, Rounding::None, &mut scratch, y)
                });
            });
        }
    }
}

fn attention(c: &mut Criterion) {
    const CONTEXT: usize = 4096;
    let heads = Heads { query: 64, kv: 8, dim: 64 };
    let sinks = [0.5; 64];
    let kv = activations(CONTEXT, heads.kv * heads.dim);
    let brains: Vec<bf16> = kv.iter().map(|&value| bf16::from_f32(value)).collect();
    let halves: Vec<f16> = kv.iter().map(|&value| f16::from_f32(value)).collect();
    let f32s = kv.as_slice().expect("row-major");
    let mut group = c.benchmark_group("attention");
    quick(&mut group);
    for (window_name, window) in [("full", None), ("window", Some(128))] {
        for tokens in [1, 64] {
            let q = activations(tokens, heads.query * heads.dim);
            let mut out = Array2::zeros(q.dim());
            let rounding = Rounding::None;
            let attention = Attention { heads, scale: 0.125, sinks: &sinks, window, rounding };
            let keys = window.unwrap_or(CONTEXT);
            let products = 2 * tokens * keys * heads.query * heads.dim;
            group.throughput(Throughput::Elements(products as u64));
            for (name, view) in [
                ("f32", KvView::F32(f32s)),
                ("bf16", KvView::Bf16(&brains)),
                ("f16", KvView::F16(&halves)),
            ] {
                let spans = [Span { keys: view, values: view }];
                group.bench_function(format!("{window_name}/{name}/{tokens}"), |b| {
                    b.iter(|| {
                        let q = black_box(q.view());
                        attention.attend(q, CONTEXT - tokens, &spans, 0, out.view_mut())
                    });
                });
            }
        }
    }
}

/// Numbers between -1 and 1.
fn activations(rows: usize, cols: usize) -> Array2<f32> {
    let number = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> 8;
    let values = (0..rows * cols).map(|i| number(i) as f32 / (1 << 23) as f32 - 1.0).collect();
    Array2::from_shape_vec((rows, cols), values).expect("as many as there are")
}

/// bf16 weights.
fn dense(rows: usize, cols: usize) -> Matrix<Vec<u8>> {
    let row = activations(1, cols);
    let row: Vec<u8> = row.iter().flat_map(|&w| bf16::from_f32(w).to_le_bytes()).collect();
    let strips = Strips::new(2 * cols, vec![row.repeat(rows)]);
    strips.and_then(|strips| Matrix::dense(DType::BF16, cols, strips)).expect("whole rows")
}

/// MXFP4 weights.
fn packed(rows: usize, cols: usize) -> Matrix<Vec<u8>> {
    let bytes = |count: usize| (0..count).map(|i| (i.wrapping_mul(2_654_435_761) >> 9) as u8);
    let blocks = Strips::new(cols / 2, vec![bytes(rows * cols / 2).collect()]);
    let scales = bytes(rows * cols / 32).map(|byte| 118 + byte % 5).collect();
    let scales = Strips::new(cols / 32, vec![scales]);
    blocks
        .and_then(|blocks| Matrix::mxfp4(cols, blocks, scales?))
        .expect("whole rows of whole blocks")
}

/// Enough to tell twice as fast from as fast, without taking an hour.
fn quick(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_millis(600));
}

criterion_group!(benches, router, linears, moe, attention);
criterion_main!(benches);
