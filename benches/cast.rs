//! Conversions of slices and MXFP4 blocks, beside `memcpy` and the `half` crate.
//!
//! ```text
//! cargo bench -p benches --bench cast
//! cargo bench -p benches --bench cast -- cast/256MiB      # against memory bandwidth
//! cargo bench -p benches --bench cast -- mxfp4
//! ```
//!
//! Throughput of `cast` counts bytes read and written, as that of a `memcpy` must; that of `mxfp4`
//! counts the dense side. Ratios only mean something within one run on an idle machine.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use half::slice::HalfFloatSliceExt;
use lowfloat::arch::Level;
use lowfloat::mxfp4::{BLOCK, Matrix};
use lowfloat::{DType, bf16, cast_bytes, f16, mxfp4, on_level, parallel};
use rayon::prelude::*;

const PAIRS: [(DType, DType); 12] = [
    (DType::BF16, DType::F32),
    (DType::F16, DType::F32),
    (DType::F32, DType::BF16),
    (DType::F32, DType::F16),
    (DType::BF16, DType::F16),
    (DType::F16, DType::BF16),
    (DType::F8E4M3, DType::F32),
    (DType::F8E4M3, DType::BF16),
    (DType::F32, DType::F8E4M3),
    (DType::BF16, DType::F8E4M3),
    (DType::F64, DType::F32),
    (DType::F32, DType::F64),
];

fn size(dtype: DType) -> usize {
    dtype.size().expect("whole bytes")
}

/// Two allocations, of the wider side's size each, filled with ordinary values of any type.
fn buffers(bytes: usize) -> (Vec<u64>, Vec<u64>) {
    // bf16 and f16 near 1, f32 of those, f64 near 1; no subnormals, no NaNs.
    let word = |i: usize| 0x3F80_3F81_3C01_3C80 ^ ((i as u64 & 0x3F) * 0x0001_0003_0005_0007);
    ((0..bytes / 8).map(word).collect(), vec![0; bytes / 8])
}

/// The `half` crate's conversion of whole slices, where it has one.
fn half_crate(from: DType, src: &[u8], to: DType, dst: &mut [u8]) -> bool {
    match (from, to) {
        (DType::BF16, DType::F32) => {
            let src: &[bf16] = bytemuck::cast_slice(src);
            src.convert_to_f32_slice(bytemuck::cast_slice_mut(dst));
        }
        (DType::F16, DType::F32) => {
            let src: &[f16] = bytemuck::cast_slice(src);
            src.convert_to_f32_slice(bytemuck::cast_slice_mut(dst));
        }
        (DType::F32, DType::BF16) => {
            let dst: &mut [bf16] = bytemuck::cast_slice_mut(dst);
            dst.convert_from_f32_slice(bytemuck::cast_slice(src));
        }
        (DType::F32, DType::F16) => {
            let dst: &mut [f16] = bytemuck::cast_slice_mut(dst);
            dst.convert_from_f32_slice(bytemuck::cast_slice(src));
        }
        _ => return false,
    }
    true
}

/// Data in the second-level cache: how fast the instructions are.
fn cast_in_l2(c: &mut Criterion) {
    const ELEMENTS: usize = 32 << 10;
    let (src, mut dst) = buffers(ELEMENTS * 8);
    let (src, dst): (&[u8], &mut [u8]) =
        (bytemuck::cast_slice(&src), bytemuck::cast_slice_mut(&mut dst));
    let mut group = c.benchmark_group("cast/L2");
    quick(&mut group);
    group.throughput(Throughput::Bytes(2 * 4 * ELEMENTS as u64));
    group.bench_function("memcpy", |b| {
        b.iter(|| black_box(&mut dst[..4 * ELEMENTS]).copy_from_slice(&src[..4 * ELEMENTS]));
    });
    for (from, to) in PAIRS {
        let (src, dst) = (&src[..ELEMENTS * size(from)], &mut dst[..ELEMENTS * size(to)]);
        group.throughput(Throughput::Bytes((src.len() + dst.len()) as u64));
        for level in Level::available() {
            group.bench_function(format!("{from}-{to}/{level}"), |b| {
                b.iter(|| on_level::cast_bytes(level, from, src, to, black_box(dst)));
            });
        }
        if half_crate(from, src, to, dst) {
            group.bench_function(format!("{from}-{to}/half"), |b| {
                b.iter(|| half_crate(from, src, to, black_box(dst)));
            });
        }
    }
}

/// Data in memory: how much of its bandwidth is used.
fn cast_in_memory(c: &mut Criterion) {
    const BYTES: usize = 256 << 20;
    let (src, mut dst) = buffers(BYTES);
    let (src, dst): (&[u8], &mut [u8]) =
        (bytemuck::cast_slice(&src), bytemuck::cast_slice_mut(&mut dst));
    let mut group = c.benchmark_group("cast/256MiB");
    quick(&mut group);
    group.throughput(Throughput::Bytes(2 * BYTES as u64));
    group.bench_function("memcpy", |b| b.iter(|| black_box(&mut *dst).copy_from_slice(src)));
    // In pieces like ours, and one piece a thread, which the C library copies around the caches.
    for (name, piece) in
        [("1MiB", 1 << 20), ("thread", BYTES.div_ceil(rayon::current_num_threads()))]
    {
        group.bench_function(format!("memcpy/parallel/{name}"), |b| {
            b.iter(|| {
                black_box(&mut *dst)
                    .par_chunks_mut(piece)
                    .zip(src.par_chunks(piece))
                    .for_each(|(dst, src)| dst.copy_from_slice(src));
            });
        });
    }
    for (from, to) in PAIRS {
        let elements = BYTES / size(from).max(size(to));
        let (src, dst) = (&src[..elements * size(from)], &mut dst[..elements * size(to)]);
        group.throughput(Throughput::Bytes((src.len() + dst.len()) as u64));
        group.bench_function(format!("{from}-{to}/one"), |b| {
            b.iter(|| cast_bytes(from, src, to, black_box(dst)));
        });
        group.bench_function(format!("{from}-{to}/parallel"), |b| {
            b.iter(|| parallel::cast_bytes(from, src, to, black_box(dst)));
        });
        if half_crate(from, src, to, dst) {
            group.bench_function(format!("{from}-{to}/half"), |b| {
                b.iter(|| half_crate(from, src, to, black_box(dst)));
            });
        }
    }
}

/// One expert of gpt-oss, `gate_up_proj`: 5760 outputs of 2880 inputs.
fn blocks(c: &mut Criterion) {
    const ROWS: usize = 5760;
    const COLUMNS: usize = 2880;
    const ELEMENTS: usize = ROWS * COLUMNS;
    let blocks: Vec<u8> =
        (0..ELEMENTS / 2).map(|i| (i.wrapping_mul(2_654_435_761) >> 9) as u8).collect();
    let scales: Vec<u8> = (0..ELEMENTS / BLOCK).map(|i| 118 + (i % 5) as u8).collect();
    let mut dst = vec![0u8; 4 * ELEMENTS];
    let matrix = Matrix { blocks: &blocks, scales: &scales, rows: ROWS, columns: COLUMNS };
    let mut group = c.benchmark_group("mxfp4");
    quick(&mut group);
    for to in [DType::BF16, DType::F16, DType::F32] {
        let dst = &mut dst[..ELEMENTS * size(to)];
        group.throughput(Throughput::Bytes(dst.len() as u64));
        for level in Level::available() {
            group.bench_function(format!("dequantize/{to}/{level}"), |b| {
                b.iter(|| on_level::dequantize_bytes(level, &blocks, &scales, to, black_box(dst)));
            });
            group.bench_function(format!("transposed/{to}/{level}"), |b| {
                b.iter(|| {
                    let dst = black_box(&mut *dst);
                    on_level::dequantize_transposed(level, matrix, 0..COLUMNS, to, dst, ROWS)
                });
            });
        }
        group.bench_function(format!("dequantize/{to}/parallel"), |b| {
            b.iter(|| parallel::dequantize_bytes(&blocks, &scales, to, black_box(dst)));
        });
        group.bench_function(format!("transposed/{to}/parallel"), |b| {
            b.iter(|| {
                let dst = black_box(&mut *dst);
                parallel::dequantize_transposed(matrix, 0..COLUMNS, to, dst, ROWS)
            });
        });
    }
    quantize(&mut group, &blocks, &scales);
}

fn quantize(group: &mut BenchmarkGroup<'_, WallTime>, blocks: &[u8], scales: &[u8]) {
    const ELEMENTS: usize = 1 << 20;
    let mut exact = vec![0f32; ELEMENTS];
    mxfp4::dequantize(&blocks[..ELEMENTS / 2], &scales[..ELEMENTS / BLOCK], &mut exact)
        .expect("lengths fit");
    // Off the codes, so that both scales are tried.
    let rounded: Vec<f32> = exact
        .iter()
        .enumerate()
        .map(|(i, value)| value * (1.0 + (i % 97) as f32 / 300.0))
        .collect();
    let (mut blocks, mut scales) = (vec![0; ELEMENTS / 2], vec![0; ELEMENTS / BLOCK]);
    group.throughput(Throughput::Bytes(4 * ELEMENTS as u64));
    for (name, src) in [("exact", &exact), ("rounded", &rounded)] {
        let src: &[u8] = bytemuck::cast_slice(src);
        for level in Level::available() {
            group.bench_function(format!("quantize/{name}/{level}"), |b| {
                b.iter(|| {
                    let blocks = black_box(&mut *blocks);
                    on_level::quantize_bytes(level, DType::F32, src, blocks, &mut scales)
                });
            });
        }
    }
}

/// Enough to tell twice as fast from as fast, without taking an hour.
fn quick(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_millis(600));
}

criterion_group!(benches, cast_in_l2, cast_in_memory, blocks);
criterion_main!(benches);
