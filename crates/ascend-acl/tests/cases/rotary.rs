//! Rotary positions and caches.

use ascend_acl::op::{self, RotaryLayout, RotaryMode};
use half::bf16;

use super::Cases;
use super::bench::{Bench, Both, Failure, close};

pub(super) const CASES: Cases = &[
    ("rotation of queries and keys", |bench| pair(bench, false)),
    ("rotation of queries and keys, second version", |bench| pair(bench, true)),
    ("rotation of one tensor", one),
    ("keys and values into pages", pages),
    ("rows at indices", scattered),
    ("copies at indices", index_copy),
];

const TOKENS: usize = 5;
const SIZE: usize = 64;

/// Cosines and sines of whole heads, each half twice.
fn table(bench: &Bench) -> Result<(Both<bf16>, Both<bf16>), Failure> {
    let angle = |at: usize| (at / SIZE) as f32 / 10_f32.powf((at % (SIZE / 2)) as f32 / 16.0);
    let numbers = |f: fn(f32) -> f32| (0..TOKENS * SIZE).map(|at| f(angle(at))).collect();
    let shape = [TOKENS, 1, SIZE];
    Ok((bench.both(&shape, numbers(f32::cos))?, bench.both(&shape, numbers(f32::sin))?))
}

fn rotated(x: &[f32], heads: usize, cos: &[f32], sin: &[f32]) -> Vec<f32> {
    let half = SIZE / 2;
    (0..x.len())
        .map(|at| {
            let (token, i) = (at / (heads * SIZE), at % SIZE);
            let other = if i < half { -x[at + half] } else { x[at - half] };
            x[at] * cos[token * SIZE + i] + other * sin[token * SIZE + i]
        })
        .collect()
}

fn pair(bench: &Bench, second: bool) -> Result<(), Failure> {
    let (cos, sin) = table(bench)?;
    // Queries, keys and values beside each other, as one product gives them.
    let all = bench.floats::<bf16>(&[TOKENS, 6, SIZE], 1.0)?;
    let (queries, keys) = (all.tensor()?.slice(1, ..4)?, all.tensor()?.slice(1, 4..5)?);
    let (cos_there, sin_there) = (cos.tensor()?, sin.tensor()?);
    let layout = RotaryLayout::Tnd;
    if second {
        let tables = (&cos_there, &sin_there);
        op::rotate_pair_with(bench.stream, &queries, &keys, tables, layout, RotaryMode::Half)?;
    } else {
        op::rotate_pair(bench.stream, &queries, &keys, &cos_there, &sin_there, layout)?;
    }
    let turned = rotated(&all.host, 6, &cos.host, &sin.host);
    let want: Vec<f32> = (0..turned.len())
        .map(|at| if at / SIZE % 6 < 5 { turned[at] } else { all.host[at] })
        .collect();
    close("queries, keys and values", &all.there, &want)
}

fn one(bench: &Bench) -> Result<(), Failure> {
    let (cos, sin) = table(bench)?;
    let x = bench.floats::<bf16>(&[TOKENS, 3, SIZE], 1.0)?;
    let out = bench.out::<bf16>(TOKENS * 3 * SIZE)?;
    let result = out.tensor(&[TOKENS, 3, SIZE])?;
    let (x_there, cos_there, sin_there) = (x.tensor()?, cos.tensor()?, sin.tensor()?);
    op::rotate(bench.stream, &x_there, &cos_there, &sin_there, RotaryMode::Half, &result)?;
    close("result", &out, &rotated(&x.host, 3, &cos.host, &sin.host))
}

fn pages(bench: &Bench) -> Result<(), Failure> {
    let (heads, blocks, size) = (2, 3, 16);
    let row = heads * SIZE;
    let both = bench.floats::<bf16>(&[4, 2 * heads, SIZE], 1.0)?;
    let (keys, values) = (both.tensor()?.slice(1, ..heads)?, both.tensor()?.slice(1, heads..)?);
    let empty = || bench.both::<bf16>(&[blocks, size, heads, SIZE], vec![0.0; blocks * size * row]);
    let (key_cache, value_cache) = (empty()?, empty()?);
    let slots = [40_i32, -1, 3, 17];
    let slots_there = bench.put(&slots)?;
    let caches = (&key_cache.tensor()?, &value_cache.tensor()?);
    op::scatter_kv(bench.stream, (&keys, &values), caches, &slots_there.tensor(&[4])?)?;
    for (what, first, cache) in [("keys", 0, &key_cache), ("values", row, &value_cache)] {
        let mut want = vec![0.0; blocks * size * row];
        for (token, slot) in slots.iter().enumerate().filter(|(_, slot)| **slot >= 0) {
            let from = &both.host[token * 2 * row + first..][..row];
            want[slot.cast_unsigned() as usize * row..][..row].copy_from_slice(from);
        }
        close(what, &cache.there, &want)?;
    }
    Ok(())
}

fn scattered(bench: &Bench) -> Result<(), Failure> {
    let (x, updates) = (bench.floats::<bf16>(&[6, 8], 1.0)?, bench.floats::<bf16>(&[2, 8], 1.0)?);
    let indices = bench.put(&[4_i64, 1])?;
    let at = indices.tensor(&[2, 1])?;
    op::scatter_nd(bench.stream, &x.tensor()?, &at, &updates.tensor()?)?;
    let mut want = x.host.clone();
    want[32..40].copy_from_slice(&updates.host[..8]);
    want[8..16].copy_from_slice(&updates.host[8..]);
    close("rows", &x.there, &want)
}

fn index_copy(bench: &Bench) -> Result<(), Failure> {
    let (x, source) = (bench.floats::<bf16>(&[6, 8], 1.0)?, bench.floats::<bf16>(&[2, 8], 1.0)?);
    let indices = bench.put(&[5_i64, 0])?;
    op::index_copy(bench.stream, &x.tensor()?, 0, &indices.tensor(&[2])?, &source.tensor()?)?;
    let mut want = x.host.clone();
    want[40..48].copy_from_slice(&source.host[..8]);
    want[..8].copy_from_slice(&source.host[8..]);
    close("rows", &x.there, &want)
}
