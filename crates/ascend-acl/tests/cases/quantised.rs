//! Products with weights of few bits.

use ascend_acl::op::{self, WeightQuantMatmul};
use ascend_acl::sys::aclDataType;
use half::bf16;

use super::Cases;
use super::bench::{Bench, Failure, close, same};
use super::products::multiply;

pub(super) const CASES: Cases = &[
    ("product, int8 weight by column, with offset and bias", int8),
    ("product, int4 weight by groups", int4),
    ("packing of int4", pack),
    ("quantised rows", rows),
    ("product, int8 by int8", int8_by_int8),
];

/// int4 in pairs, the even one in the low four bits.
pub(super) fn nibbles(values: &[i8]) -> Vec<u8> {
    values
        .chunks(2)
        .map(|pair| (pair[0].cast_unsigned() & 15) | (pair[1].cast_unsigned() & 15) << 4)
        .collect()
}

impl Bench<'_> {
    /// Integers from −`limit` to `limit` − 1.
    pub(super) fn small(&self, len: usize, limit: i64) -> Vec<i8> {
        let number = || (self.draw().cast_signed() % (2 * limit) - limit) as i8;
        (0..len).map(|_| number()).collect()
    }
}

fn int8(bench: &Bench) -> Result<(), Failure> {
    let (m, k, n) = (4, 64, 32);
    let x = bench.floats::<bf16>(&[m, k], 1.0)?;
    let weight = bench.small(k * n, 128);
    let there = bench.put(&weight)?;
    let scale = bench.both::<bf16>(&[n], (0..n).map(|at| (at + 1) as f32 / 4096.0).collect())?;
    let offset = bench.both::<bf16>(&[n], (0..n).map(|at| at as f32 - 8.0).collect())?;
    let bias = bench.floats::<f32>(&[n], 1.0)?;
    let out = bench.out::<bf16>(m * n)?;
    let call = WeightQuantMatmul {
        x: &x.tensor()?,
        weight: &there.tensor(&[k, n])?,
        scale: &scale.tensor()?,
        offset: Some(&offset.tensor()?),
        bias: Some(&bias.tensor()?),
        group: None,
    };
    call.launch(bench.stream, &out.tensor(&[m, n])?)?;
    let real: Vec<f32> = weight
        .iter()
        .enumerate()
        .map(|(at, q)| (f32::from(*q) + offset.host[at % n]) * scale.host[at % n])
        .collect();
    let mut want = multiply(&x.host, &real, (m, k, n));
    want.iter_mut().enumerate().for_each(|(at, want)| *want += bias.host[at % n]);
    close("product", &out, &want)
}

fn int4(bench: &Bench) -> Result<(), Failure> {
    let (m, k, n, group) = (3, 128, 64, 32);
    let x = bench.floats::<bf16>(&[m, k], 1.0)?;
    let weight = bench.small(k * n, 8);
    let there = bench.put(&nibbles(&weight))?;
    let scale = bench.floats::<bf16>(&[k / group, n], 0.1)?;
    let out = bench.out::<bf16>(m * n)?;
    let call = WeightQuantMatmul {
        x: &x.tensor()?,
        weight: &there.tensor_of(aclDataType::INT4, &[k, n])?,
        scale: &scale.tensor()?,
        offset: None,
        bias: None,
        group: Some(group),
    };
    call.launch(bench.stream, &out.tensor(&[m, n])?)?;
    let real: Vec<f32> = weight
        .iter()
        .enumerate()
        .map(|(at, q)| f32::from(*q) * scale.host[at / n / group * n + at % n])
        .collect();
    close("product", &out, &multiply(&x.host, &real, (m, k, n)))
}

fn pack(bench: &Bench) -> Result<(), Failure> {
    let (k, n) = (16, 64);
    let values = bench.small(k * n, 8);
    let wide: Vec<i32> = values.iter().map(|value| i32::from(*value)).collect();
    let (there, out) = (bench.put(&wide)?, bench.out::<u8>(k * n / 2)?);
    let packed = out.tensor_of(aclDataType::INT4, &[k, n])?;
    op::pack_int4(bench.stream, &there.tensor(&[k, n])?, &packed)?;
    same("nibbles", &out, &nibbles(&values))
}

fn rows(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<bf16>(&[3, 32], 4.0)?;
    let (out, scales) = (bench.out::<i8>(96)?, bench.out::<f32>(3)?);
    op::dynamic_quant(bench.stream, &x.tensor()?, &out.tensor(&[3, 32])?, &scales.tensor(&[3])?)?;
    let want: Vec<f32> = x
        .host
        .chunks(32)
        .map(|row| row.iter().fold(0_f32, |a, x| a.max(x.abs())) / 127.0)
        .collect();
    close("scales", &scales, &want)?;
    let got = out.to_vec()?;
    let far =
        (0..96).find(|&at| (f32::from(got[at]) * want[at / 32] - x.host[at]).abs() > want[at / 32]);
    far.map_or(Ok(()), |at| Err(Failure::Wrong(format!("element {at} is {} steps", got[at]))))
}

fn int8_by_int8(bench: &Bench) -> Result<(), Failure> {
    let (m, k, n) = (4, 64, 32);
    let (x, weight) = (bench.small(m * k, 128), bench.small(k * n, 128));
    let (x_there, weight_there) = (bench.put(&x)?, bench.put(&weight)?);
    let scale = bench.both::<f32>(&[n], (0..n).map(|at| (at + 1) as f32 * 1e-5).collect())?;
    let by_row = bench.both::<f32>(&[m], vec![0.5, 1.0, 1.5, 2.0])?;
    let out = bench.out::<bf16>(m * n)?;
    op::quant_matmul(
        bench.stream,
        &x_there.tensor(&[m, k])?,
        &weight_there.tensor(&[k, n])?,
        &scale.tensor()?,
        Some(&by_row.tensor()?),
        &out.tensor(&[m, n])?,
    )?;
    let wide = |values: &[i8]| values.iter().map(|value| f32::from(*value)).collect::<Vec<_>>();
    let mut want = multiply(&wide(&x), &wide(&weight), (m, k, n));
    let scaled = want.iter_mut().enumerate();
    scaled.for_each(|(at, want)| *want *= scale.host[at % n] * by_row.host[at / n]);
    close("product", &out, &want)
}
