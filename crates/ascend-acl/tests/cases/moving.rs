//! Copies.

use ascend_acl::op;
use half::bf16;

use super::Cases;
use super::bench::{Bench, Failure, close, same};

pub(super) const CASES: Cases = &[
    ("cast", cast),
    ("copy between views", copy),
    ("one after another", cat),
    ("axes in another order", permute),
    ("parts", split),
    ("every second", slice),
    ("repeated", expand),
    ("fill and zero", fill),
    ("numbers in a row", arange),
];

fn cast(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<f32>(&[40], 3.0)?;
    let (narrow, whole) = (bench.out::<bf16>(40)?, bench.put(&[1_i32, -5, 7])?);
    op::cast(bench.stream, &x.tensor()?, &narrow.tensor(&[40])?)?;
    close("bf16", &narrow, &x.host)?;
    let wide = bench.out::<i64>(3)?;
    op::cast(bench.stream, &whole.tensor(&[3])?, &wide.tensor(&[3])?)?;
    same("int64", &wide, &[1, -5, 7])
}

fn copy(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<bf16>(&[4, 6], 1.0)?;
    let out = bench.both::<bf16>(&[6, 8], vec![0.0; 48])?;
    // The transpose, into every second column.
    let to = out.tensor()?.step(1, .., 2)?;
    op::copy(bench.stream, &x.tensor()?.t()?, &to)?;
    let want: Vec<f32> = (0..48)
        .map(|at| {
            let (row, column) = (at / 8, at % 8);
            if column % 2 == 0 { x.host[column / 2 * 6 + row] } else { 0.0 }
        })
        .collect();
    close("copy", &out.there, &want)
}

fn cat(bench: &Bench) -> Result<(), Failure> {
    let (a, b) = (bench.floats::<f32>(&[2, 3], 1.0)?, bench.floats::<f32>(&[2, 2], 1.0)?);
    let out = bench.out::<f32>(10)?;
    op::cat(bench.stream, &[&a.tensor()?, &b.tensor()?], 1, &out.tensor(&[2, 5])?)?;
    let rows = a.host.chunks(3).zip(b.host.chunks(2));
    let want: Vec<f32> = rows.flat_map(|(a, b)| [a, b].concat()).collect();
    close("rows", &out, &want)
}

fn permute(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<f32>(&[2, 3, 4], 1.0)?;
    let out = bench.out::<f32>(24)?;
    op::permute(bench.stream, &x.tensor()?, &[2, 0, 1], &out.tensor(&[4, 2, 3])?)?;
    let want: Vec<f32> = (0..24)
        .map(|at| {
            let (i, j, k) = (at / 6, at / 3 % 2, at % 3);
            x.host[j * 12 + k * 4 + i]
        })
        .collect();
    close("result", &out, &want)
}

fn split(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<f32>(&[2, 5], 1.0)?;
    let (a, b) = (bench.out::<f32>(4)?, bench.out::<f32>(6)?);
    let parts = [&a.tensor(&[2, 2])?, &b.tensor(&[2, 3])?];
    op::split(bench.stream, &x.tensor()?, 1, &parts)?;
    let want: Vec<f32> = x.host.chunks(5).flat_map(|row| row[..2].to_vec()).collect();
    close("first part", &a, &want)?;
    let want: Vec<f32> = x.host.chunks(5).flat_map(|row| row[2..].to_vec()).collect();
    close("second part", &b, &want)
}

fn slice(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<f32>(&[10], 1.0)?;
    let out = bench.out::<f32>(4)?;
    op::slice(bench.stream, &x.tensor()?, 0, 1..9, 2, &out.tensor(&[4])?)?;
    close("result", &out, &[x.host[1], x.host[3], x.host[5], x.host[7]])
}

fn expand(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<f32>(&[3, 1], 1.0)?;
    let out = bench.out::<f32>(12)?;
    op::expand(bench.stream, &x.tensor()?, &out.tensor(&[3, 4])?)?;
    let want: Vec<f32> = x.host.iter().flat_map(|x| [*x; 4]).collect();
    close("result", &out, &want)
}

fn fill(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<bf16>(&[4, 4], 1.0)?;
    op::fill(bench.stream, &x.tensor()?, 2.5)?;
    op::zero(bench.stream, &x.tensor()?.slice(0, 1..3)?)?;
    let want: Vec<f32> = (0..16).map(|at| if (4..12).contains(&at) { 0.0 } else { 2.5 }).collect();
    close("result", &x.there, &want)
}

fn arange(bench: &Bench) -> Result<(), Failure> {
    let out = bench.out::<i64>(5)?;
    op::arange(bench.stream, 3, 2, &out.tensor(&[5])?)?;
    same("numbers", &out, &[3, 5, 7, 9, 11])
}
