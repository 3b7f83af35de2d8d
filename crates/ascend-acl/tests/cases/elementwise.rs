//! Arithmetic and activations.

use ascend_acl::op::{self, ClippedSwiglu, Scalar, Tensor};
use ascend_acl::rt::{DeviceBuffer, Stream};
use half::{bf16, f16};

use super::Cases;
use super::bench::{Bench, Failure, Float, close};

pub(super) const CASES: Cases = &[
    ("add, f32, broadcast", |bench| binary::<f32>(bench, op::add, |a, b| a + b)),
    ("add, bf16, broadcast", |bench| binary::<bf16>(bench, op::add, |a, b| a + b)),
    ("sub, f16, broadcast", |bench| binary::<f16>(bench, op::sub, |a, b| a - b)),
    ("mul, bf16, broadcast", |bench| binary::<bf16>(bench, op::mul, |a, b| a * b)),
    ("div, f32, broadcast", |bench| binary::<f32>(bench, op::div, |a, b| a / b)),
    ("add with a factor", add_scaled),
    ("arithmetic in place", in_place),
    ("arithmetic with numbers", with_numbers),
    ("arithmetic of integers", integers),
    ("clamp", clamp),
    ("exp", |bench| unary::<f32>(bench, op::exp, f32::exp)),
    ("cos", |bench| unary::<f32>(bench, op::cos, f32::cos)),
    ("sin", |bench| unary::<f32>(bench, op::sin, f32::sin)),
    ("sigmoid, bf16", |bench| unary::<bf16>(bench, op::sigmoid, |x| 1.0 / (1.0 + (-x).exp()))),
    ("silu, f16", |bench| unary::<f16>(bench, op::silu, |x| x / (1.0 + (-x).exp()))),
    ("swish", |bench| {
        let swish: Unary = |stream, x, out| op::swish(stream, x, 1.5, out);
        unary::<f32>(bench, swish, |x| x / (1.0 + (-1.5 * x).exp()))
    }),
    ("swiglu", swiglu),
    ("clipped swiglu, interleaved", |bench| clipped(bench, true, false)),
    ("clipped swiglu, halves", |bench| clipped(bench, false, false)),
    ("clipped swiglu in parts, interleaved", |bench| clipped(bench, true, true)),
    ("clipped swiglu in parts, halves", |bench| clipped(bench, false, true)),
    ("softmax, bf16", |bench| softmax::<bf16>(bench)),
    ("softmax, f32", |bench| softmax::<f32>(bench)),
];

type Unary = fn(&Stream, &Tensor, &Tensor) -> ascend_acl::Result<()>;
type Binary = fn(&Stream, &Tensor, &Tensor, &Tensor) -> ascend_acl::Result<()>;

fn unary<T: Float>(bench: &Bench, call: Unary, want: fn(f32) -> f32) -> Result<(), Failure> {
    let x = bench.floats::<T>(&[5, 33], 3.0)?;
    let out = bench.out::<T>(165)?;
    call(bench.stream, &x.tensor()?, &out.tensor(&[5, 33])?)?;
    let want: Vec<f32> = x.host.iter().map(|x| want(*x)).collect();
    close("result", &out, &want)
}

fn binary<T: Float>(bench: &Bench, call: Binary, want: fn(f32, f32) -> f32) -> Result<(), Failure> {
    let a = bench.floats::<T>(&[4, 1, 6], 2.0)?;
    let b = bench.both::<T>(&[3, 6], (1..=18).map(|x| x as f32 / 4.0).collect())?;
    let out = bench.out::<T>(72)?;
    call(bench.stream, &a.tensor()?, &b.tensor()?, &out.tensor(&[4, 3, 6])?)?;
    let want: Vec<f32> =
        (0..72).map(|at| want(a.host[at / 18 * 6 + at % 6], b.host[at % 18])).collect();
    close("result", &out, &want)
}

fn add_scaled(bench: &Bench) -> Result<(), Failure> {
    let (a, b) = (bench.floats::<f32>(&[40], 2.0)?, bench.floats::<f32>(&[40], 2.0)?);
    let out = bench.out::<f32>(40)?;
    op::add_scaled(bench.stream, &a.tensor()?, &b.tensor()?, -0.5, &out.tensor(&[40])?)?;
    let want: Vec<f32> = a.host.iter().zip(&b.host).map(|(a, b)| a - 0.5 * b).collect();
    close("result", &out, &want)
}

fn in_place(bench: &Bench) -> Result<(), Failure> {
    let (x, y) = (bench.floats::<bf16>(&[2, 20], 2.0)?, bench.floats::<bf16>(&[20], 2.0)?);
    let (there, other) = (x.tensor()?, y.tensor()?);
    op::add_in_place(bench.stream, &there, &other)?;
    op::mul_in_place(bench.stream, &there, &other)?;
    op::scale_in_place(bench.stream, &there, 0.25)?;
    let want: Vec<f32> = (0..40)
        .map(|at| {
            let y = y.host[at % 20];
            let sum = bf16::from_f32(x.host[at] + y).to_f32();
            bf16::from_f32(sum * y).to_f32() * 0.25
        })
        .collect();
    // A last bit of the sum (up to 4), times 2, one of the product (up to 8), times 0.25, and one of the result.
    super::bench::close_within("result", &x.there, &want, 1.0 / 32.0)
}

fn with_numbers(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<f32>(&[30], 2.0)?;
    let out = bench.out::<f32>(30)?;
    let result = out.tensor(&[30])?;
    op::add_scalar(bench.stream, &x.tensor()?, 1.5, &result)?;
    let want: Vec<f32> = x.host.iter().map(|x| x + 1.5).collect();
    close("sum", &out, &want)?;
    op::mul_scalar(bench.stream, &x.tensor()?, -2.0, &result)?;
    let want: Vec<f32> = x.host.iter().map(|x| x * -2.0).collect();
    close("product", &out, &want)
}

fn integers(bench: &Bench) -> Result<(), Failure> {
    let (a, b) = (bench.put(&[5_i32, -7, 40])?, bench.put(&[2_i32, 3, -4])?);
    let out = bench.out::<i32>(3)?;
    let view = |buffer: &DeviceBuffer<i32>| buffer.tensor(&[3]).map(|_| ());
    view(&a)?;
    op::add(bench.stream, &a.tensor(&[3])?, &b.tensor(&[3])?, &out.tensor(&[3])?)?;
    super::bench::same("sum", &out, &[7, -4, 36])?;
    op::mul_scalar(bench.stream, &a.tensor(&[3])?, 3_i64, &out.tensor(&[3])?)?;
    super::bench::same("product", &out, &[15, -21, 120])
}

fn clamp(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<f32>(&[50], 3.0)?;
    let out = bench.out::<f32>(50)?;
    let (low, high) = (Scalar::from(-1.0), Scalar::from(2.0));
    for (low, high) in [(Some(low), Some(high)), (Some(low), None), (None, Some(high))] {
        op::clamp(bench.stream, &x.tensor()?, low, high, &out.tensor(&[50])?)?;
        let limited = |x: f32| {
            let x = if low.is_some() { x.max(-1.0) } else { x };
            if high.is_some() { x.min(2.0) } else { x }
        };
        let want: Vec<f32> = x.host.iter().map(|x| limited(*x)).collect();
        close("result", &out, &want)?;
    }
    Ok(())
}

fn swiglu(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<bf16>(&[3, 32], 3.0)?;
    let out = bench.out::<bf16>(48)?;
    op::swiglu(bench.stream, &x.tensor()?, 1, &out.tensor(&[3, 16])?)?;
    let want: Vec<f32> = (0..48)
        .map(|at| {
            let (gate, up) = (x.host[at / 16 * 32 + at % 16], x.host[at / 16 * 32 + 16 + at % 16]);
            gate / (1.0 + (-gate).exp()) * up
        })
        .collect();
    close("result", &out, &want)
}

fn clipped(bench: &Bench, interleaved: bool, in_parts: bool) -> Result<(), Failure> {
    let x = bench.floats::<bf16>(&[3, 64], 4.0)?;
    let out = bench.out::<bf16>(96)?;
    let unit = ClippedSwiglu { alpha: 1.702, limit: 3.0, bias: 1.0, interleaved };
    let result = out.tensor(&[3, 32])?;
    if in_parts {
        let (a, b) = (bench.out::<bf16>(96)?, bench.out::<bf16>(96)?);
        let scratch = [&a.tensor(&[3, 32])?, &b.tensor(&[3, 32])?];
        unit.launch_in_parts(bench.stream, &x.tensor()?, 1, scratch, &result)?;
    } else {
        unit.launch(bench.stream, &x.tensor()?, None, 1, &result)?;
    }
    let want: Vec<f32> = (0..96)
        .map(|at| {
            let row = &x.host[at / 32 * 64..][..64];
            let column = at % 32;
            let (gate, up) = if interleaved {
                (row[2 * column], row[2 * column + 1])
            } else {
                (row[column], row[32 + column])
            };
            let (gate, up) = (gate.min(3.0), up.clamp(-3.0, 3.0));
            gate / (1.0 + (-1.702 * gate).exp()) * (up + 1.0)
        })
        .collect();
    // In parts every step rounds. An error of one and a half last bits of the exponent, which goes to 6.8, is 5 % of
    // the result; four more roundings are 3 %.
    let tolerance = if in_parts { 0.08 } else { bf16::TOLERANCE };
    super::bench::close_within("result", &out, &want, tolerance)
}

fn softmax<T: Float>(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<T>(&[4, 17], 4.0)?;
    let (out, log) = (bench.out::<T>(68)?, bench.out::<T>(68)?);
    op::softmax(bench.stream, &x.tensor()?, 1, &out.tensor(&[4, 17])?)?;
    op::log_softmax(bench.stream, &x.tensor()?, 1, &log.tensor(&[4, 17])?)?;
    let sums: Vec<f32> = x.host.chunks(17).map(|row| row.iter().map(|x| x.exp()).sum()).collect();
    let want: Vec<f32> = (0..68).map(|at| x.host[at].exp() / sums[at / 17]).collect();
    close("softmax", &out, &want)?;
    let want: Vec<f32> = (0..68).map(|at| x.host[at] - sums[at / 17].ln()).collect();
    close("its logarithm", &log, &want)
}
