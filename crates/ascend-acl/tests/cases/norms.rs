//! Norms.

use ascend_acl::op::{self, AddRmsNormOut};
use half::bf16;

use super::Cases;
use super::bench::{Bench, Failure, Float, close};

pub(super) const CASES: Cases = &[
    ("rms norm, f32", |bench| rms_norm::<f32>(bench)),
    ("rms norm, bf16", |bench| rms_norm::<bf16>(bench)),
    ("add and rms norm, bf16", |bench| add_rms_norm(bench, false)),
    ("add and rms norm with cast", |bench| add_rms_norm(bench, true)),
    ("add and rms norm in place", in_place),
];

const EPSILON: f64 = 1e-5;
const WIDTH: usize = 96;
const ROWS: usize = 3;

/// The norm of each row, and what rows are multiplied with.
fn norm(x: &[f32], gamma: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let rstd: Vec<f32> = x
        .chunks(WIDTH)
        .map(|row| {
            let square = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / WIDTH as f64;
            (square + EPSILON).sqrt().recip() as f32
        })
        .collect();
    let y = (0..x.len()).map(|at| x[at] * rstd[at / WIDTH] * gamma[at % WIDTH]).collect();
    (y, rstd)
}

fn rms_norm<T: Float>(bench: &Bench) -> Result<(), Failure> {
    let (x, gamma) = (bench.floats::<T>(&[ROWS, WIDTH], 2.0)?, bench.floats::<T>(&[WIDTH], 1.0)?);
    let (y, rstd) = (bench.out::<T>(ROWS * WIDTH)?, bench.out::<f32>(ROWS)?);
    let (out, of_rows) = (y.tensor(&[ROWS, WIDTH])?, rstd.tensor(&[ROWS, 1])?);
    op::rms_norm(bench.stream, &x.tensor()?, &gamma.tensor()?, EPSILON, &out, &of_rows)?;
    let (want, want_rstd) = norm(&x.host, &gamma.host);
    close("norm", &y, &want)?;
    close("rstd", &rstd, &want_rstd)
}

fn add_rms_norm(bench: &Bench, with_cast: bool) -> Result<(), Failure> {
    let shape = [ROWS, WIDTH];
    let (a, b) = (bench.floats::<bf16>(&shape, 2.0)?, bench.floats::<bf16>(&shape, 2.0)?);
    let gamma = bench.floats::<bf16>(&[WIDTH], 1.0)?;
    let (y, sum) = (bench.out::<bf16>(ROWS * WIDTH)?, bench.out::<bf16>(ROWS * WIDTH)?);
    let (rstd, wide) = (bench.out::<f32>(ROWS)?, bench.out::<f32>(ROWS * WIDTH)?);
    let out = AddRmsNormOut {
        y: &y.tensor(&shape)?,
        rstd: &rstd.tensor(&[ROWS, 1])?,
        sum: &sum.tensor(&shape)?,
    };
    let (left, right, gamma_there) = (a.tensor()?, b.tensor()?, gamma.tensor()?);
    let want_sum: Vec<f32> = a.host.iter().zip(&b.host).map(|(a, b)| a + b).collect();
    let (want, _) = norm(&want_sum, &gamma.host);
    if with_cast {
        let cast = wide.tensor(&shape)?;
        op::add_rms_norm_cast(bench.stream, &left, &right, &gamma_there, EPSILON, &cast, out)?;
        super::bench::close_within("wide norm", &wide, &want, bf16::TOLERANCE)?;
    } else {
        op::add_rms_norm(bench.stream, &left, &right, &gamma_there, EPSILON, out)?;
    }
    close("sum", &sum, &want_sum)?;
    close("norm", &y, &want)
}

fn in_place(bench: &Bench) -> Result<(), Failure> {
    let shape = [ROWS, WIDTH];
    let (a, b) = (bench.floats::<bf16>(&shape, 2.0)?, bench.floats::<bf16>(&shape, 2.0)?);
    let gamma = bench.floats::<bf16>(&[WIDTH], 1.0)?;
    let rstd = bench.out::<f32>(ROWS)?;
    let of_rows = rstd.tensor(&[ROWS, 1])?;
    let (left, right, gamma_there) = (a.tensor()?, b.tensor()?, gamma.tensor()?);
    op::add_rms_norm_in_place(bench.stream, &left, &right, &gamma_there, EPSILON, &of_rows)?;
    let sum: Vec<f32> = a.host.iter().zip(&b.host).map(|(a, b)| a + b).collect();
    let (want, _) = norm(&sum, &gamma.host);
    close("sum", &b.there, &sum)?;
    close("norm", &a.there, &want)
}
