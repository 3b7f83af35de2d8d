//! Dense products.

use ascend_acl::op;
use half::{bf16, f16};

use super::Cases;
use super::bench::{Bench, Failure, Float, close};

pub(super) const CASES: Cases = &[
    ("product, f32", |bench| product::<f32>(bench, false)),
    ("product, bf16, weight transposed", |bench| product::<bf16>(bench, true)),
    ("product, f16, weight transposed", |bench| product::<f16>(bench, true)),
    ("product with bias, bf16", with_bias),
    ("products of stacks", stacks),
    ("product, weight in blocks", |bench| in_blocks(bench, false)),
    ("product with bias, weight in blocks", |bench| in_blocks(bench, true)),
    ("blocks and back", back),
];

/// `[m, k]` by `[k, n]`.
pub(super) fn multiply(x: &[f32], weight: &[f32], (m, k, n): (usize, usize, usize)) -> Vec<f32> {
    let mut out = vec![0.0; m * n];
    for (row, out) in out.chunks_mut(n).enumerate() {
        for (i, weights) in weight.chunks(n).enumerate() {
            let x = x[row * k + i];
            out.iter_mut().zip(weights).for_each(|(out, weight)| *out += x * weight);
        }
    }
    out
}

/// A matrix `[rows, columns]` as `[columns, rows]`.
pub(super) fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..x.len()).map(|at| x[at % rows * columns + at / rows]).collect()
}

fn product<T: Float>(bench: &Bench, transpose: bool) -> Result<(), Failure> {
    let (m, k, n) = (5, 48, 33);
    let x = bench.floats::<T>(&[m, k], 1.0)?;
    let shape = if transpose { [n, k] } else { [k, n] };
    let weight = bench.floats::<T>(&shape, 1.0)?;
    let out = bench.out::<T>(m * n)?;
    let view = if transpose { weight.tensor()?.t()? } else { weight.tensor()? };
    op::mm(bench.stream, &x.tensor()?, &view, &out.tensor(&[m, n])?)?;
    let host = if transpose { transposed(&weight.host, n, k) } else { weight.host.clone() };
    close("product", &out, &multiply(&x.host, &host, (m, k, n)))
}

fn with_bias(bench: &Bench) -> Result<(), Failure> {
    let (m, k, n) = (3, 64, 40);
    let (x, weight) = (bench.floats::<bf16>(&[m, k], 1.0)?, bench.floats::<bf16>(&[k, n], 1.0)?);
    let bias = bench.floats::<bf16>(&[n], 4.0)?;
    let out = bench.out::<bf16>(m * n)?;
    let (x_there, w, b) = (x.tensor()?, weight.tensor()?, bias.tensor()?);
    op::addmm(bench.stream, &b, &x_there, &w, &out.tensor(&[m, n])?)?;
    let mut want = multiply(&x.host, &weight.host, (m, k, n));
    want.iter_mut().enumerate().for_each(|(at, want)| *want += bias.host[at % n]);
    close("product", &out, &want)
}

fn stacks(bench: &Bench) -> Result<(), Failure> {
    let (m, k, n) = (4, 24, 10);
    let (x, y) = (bench.floats::<f16>(&[2, m, k], 1.0)?, bench.floats::<f16>(&[2, k, n], 1.0)?);
    let out = bench.out::<f16>(2 * m * n)?;
    op::batch_matmul(bench.stream, &x.tensor()?, &y.tensor()?, &out.tensor(&[2, m, n])?)?;
    let pairs = x.host.chunks(m * k).zip(y.host.chunks(k * n));
    let want: Vec<f32> = pairs.flat_map(|(x, y)| multiply(x, y, (m, k, n))).collect();
    close("product", &out, &want)
}

fn in_blocks(bench: &Bench, has_bias: bool) -> Result<(), Failure> {
    // Whole blocks of 16 by 16.
    let (m, k, n) = (3, 32, 48);
    let (x, weight) = (bench.floats::<bf16>(&[m, k], 1.0)?, bench.floats::<bf16>(&[k, n], 1.0)?);
    let bias = bench.floats::<bf16>(&[n], 1.0)?;
    let out = bench.out::<bf16>(m * n)?;
    op::to_blocks(bench.stream, &weight.tensor()?)?;
    let (x_there, blocks, result) = (x.tensor()?, weight.tensor()?.as_nz()?, out.tensor(&[m, n])?);
    let mut want = multiply(&x.host, &weight.host, (m, k, n));
    if has_bias {
        op::addmm(bench.stream, &bias.tensor()?, &x_there, &blocks, &result)?;
        want.iter_mut().enumerate().for_each(|(at, want)| *want += bias.host[at % n]);
    } else {
        op::mm(bench.stream, &x_there, &blocks, &result)?;
    }
    close("product", &out, &want)
}

fn back(bench: &Bench) -> Result<(), Failure> {
    let (k, n) = (20, 40);
    let weight = bench.floats::<bf16>(&[k, n], 1.0)?;
    // Room for whole blocks: 32 rows, 48 columns.
    let (blocks, rows) = (bench.out::<bf16>(32 * 48)?, bench.out::<bf16>(k * n)?);
    let in_blocks = blocks.tensor(&[k, n])?.as_nz()?;
    op::convert_format(bench.stream, &weight.tensor()?, &in_blocks)?;
    op::convert_format(bench.stream, &in_blocks, &rows.tensor(&[k, n])?)?;
    close("weight", &rows, &weight.host)
}
