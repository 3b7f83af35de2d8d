//! Rows by index, the largest of a row, sampling.

use ascend_acl::op;
use half::bf16;

use super::Cases;
use super::bench::{Bench, Failure, close, same};

pub(super) const CASES: Cases = &[
    ("embedding", embedding),
    ("rows at indices, index select", select),
    ("columns at indices, gather", gather),
    ("index of the largest", arg_max),
    ("the largest and its index", max),
    ("the k largest", top_k),
    ("sorting", sort),
    ("running sums", cumsum),
    ("draws by weight", multinomial),
    ("filter of the k largest and of probability p", filter),
];

fn embedding(bench: &Bench) -> Result<(), Failure> {
    let table = bench.floats::<bf16>(&[10, 16], 1.0)?;
    let indices = bench.put(&[3_i32, 0, 9, 3])?;
    let out = bench.out::<bf16>(64)?;
    let at = indices.tensor(&[2, 2])?;
    op::embedding(bench.stream, &table.tensor()?, &at, &out.tensor(&[2, 2, 16])?)?;
    let want: Vec<f32> =
        [3, 0, 9, 3].iter().flat_map(|row| table.host[row * 16..][..16].to_vec()).collect();
    close("rows", &out, &want)
}

fn select(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<bf16>(&[6, 8], 1.0)?;
    let indices = bench.put(&[5_i64, 2])?;
    let out = bench.out::<bf16>(16)?;
    let at = indices.tensor(&[2])?;
    op::index_select(bench.stream, &x.tensor()?, 0, &at, &out.tensor(&[2, 8])?)?;
    close("rows", &out, &[&x.host[40..48], &x.host[16..24]].concat())
}

fn gather(bench: &Bench) -> Result<(), Failure> {
    let x = bench.floats::<f32>(&[3, 4], 1.0)?;
    let indices = bench.put(&[3_i64, 1])?;
    let out = bench.out::<f32>(6)?;
    op::gather(bench.stream, &x.tensor()?, 1, &indices.tensor(&[2])?, &out.tensor(&[3, 2])?)?;
    let want: Vec<f32> = x.host.chunks(4).flat_map(|row| [row[3], row[1]]).collect();
    close("columns", &out, &want)
}

/// Rows without two equal numbers.
fn ranked(rows: usize, width: usize) -> Vec<f32> {
    (0..rows * width).map(|at| ((at * 5 + at / width) % width) as f32).collect()
}

fn arg_max(bench: &Bench) -> Result<(), Failure> {
    let x = bench.both::<bf16>(&[3, 11], ranked(3, 11))?;
    let (out, narrow) = (bench.out::<i64>(3)?, bench.out::<i32>(3)?);
    op::arg_max(bench.stream, &x.tensor()?, 1, &out.tensor(&[3])?)?;
    op::arg_max(bench.stream, &x.tensor()?, 1, &narrow.tensor(&[3, 1])?)?;
    let largest = |row: &[f32]| row.iter().position(|x| *x == 10.0).unwrap_or(0) as i64;
    let want: Vec<i64> = x.host.chunks(11).map(largest).collect();
    same("indices", &out, &want)?;
    let want: Vec<i32> = want.into_iter().map(|at| at as i32).collect();
    same("int32 indices", &narrow, &want)
}

fn max(bench: &Bench) -> Result<(), Failure> {
    let x = bench.both::<f32>(&[3, 11], ranked(3, 11))?;
    let (values, indices) = (bench.out::<f32>(3)?, bench.out::<i64>(3)?);
    op::max(bench.stream, &x.tensor()?, 1, &values.tensor(&[3])?, &indices.tensor(&[3])?)?;
    close("values", &values, &[10.0; 3])?;
    let largest = |row: &[f32]| row.iter().position(|x| *x == 10.0).unwrap_or(0) as i64;
    same("indices", &indices, &x.host.chunks(11).map(largest).collect::<Vec<_>>())
}

fn top_k(bench: &Bench) -> Result<(), Failure> {
    let x = bench.both::<f32>(&[2, 13], ranked(2, 13))?;
    let (values, indices) = (bench.out::<f32>(6)?, bench.out::<i64>(6)?);
    let (v, i) = (values.tensor(&[2, 3])?, indices.tensor(&[2, 3])?);
    op::top_k(bench.stream, &x.tensor()?, 1, &v, &i)?;
    close("values", &values, &[12.0, 11.0, 10.0, 12.0, 11.0, 10.0])?;
    let place = |row: &[f32], value: f32| row.iter().position(|x| *x == value).unwrap_or(0) as i64;
    let want: Vec<i64> = x
        .host
        .chunks(13)
        .flat_map(|row| [12.0, 11.0, 10.0].map(|value| place(row, value)))
        .collect();
    same("indices", &indices, &want)
}

fn sort(bench: &Bench) -> Result<(), Failure> {
    let x = bench.both::<f32>(&[7], ranked(1, 7))?;
    let (values, indices) = (bench.out::<f32>(7)?, bench.out::<i64>(7)?);
    let (v, i) = (values.tensor(&[7])?, indices.tensor(&[7])?);
    op::sort(bench.stream, &x.tensor()?, 0, false, &v, &i)?;
    close("values", &values, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    let place = |value: f32| x.host.iter().position(|x| *x == value).unwrap_or(0) as i64;
    same("indices", &indices, &(0..7).map(|value| place(value as f32)).collect::<Vec<_>>())
}

fn cumsum(bench: &Bench) -> Result<(), Failure> {
    let x = bench.put(&[3_i64, 1, 0, 4])?;
    let out = bench.out::<i64>(4)?;
    op::cumsum(bench.stream, &x.tensor(&[4])?, 0, &out.tensor(&[4])?)?;
    same("sums", &out, &[3, 4, 4, 8])
}

fn multinomial(bench: &Bench) -> Result<(), Failure> {
    let weights = bench.both::<f32>(&[4], vec![0.0, 3.0, 0.0, 1.0])?;
    let out = bench.out::<i64>(200)?;
    op::multinomial(bench.stream, &weights.tensor()?, true, (7, 0), &out.tensor(&[200])?)?;
    let drawn = out.to_vec()?;
    let ones = drawn.iter().filter(|index| **index == 1).count();
    let threes = drawn.iter().filter(|index| **index == 3).count();
    // 150 of 200 expected, with a standard deviation of 6.
    if ones + threes == 200 && (114..=186).contains(&ones) {
        return Ok(());
    }
    Err(Failure::Wrong(format!("drew {ones} ones and {threes} threes of 200 at 3 to 1")))
}

fn filter(bench: &Bench) -> Result<(), Failure> {
    let logits = bench.both::<f32>(&[1, 6], vec![1.0, 5.0, 3.0, 4.0, 2.0, 0.0])?;
    let (p, k) = (bench.both::<f32>(&[1], vec![1.0])?, bench.put(&[3_i32])?);
    let out = bench.out::<f32>(6)?;
    let (p, k) = (p.tensor()?, k.tensor(&[1])?);
    let result = out.tensor(&[1, 6])?;
    op::apply_top_k_top_p(bench.stream, &logits.tensor()?, Some(&p), Some(&k), &result)?;
    let none = f32::NEG_INFINITY;
    close("logits", &out, &[none, 5.0, 3.0, 4.0, none, none])
}
