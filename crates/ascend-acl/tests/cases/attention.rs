//! Attention.

use ascend_acl::op::{self, Attention, AttentionLayout, KeysValues, Window};
use ascend_acl::sys::aclDataType;
use half::bf16;

use super::Cases;
use super::bench::{Bench, Both, Failure, close};

pub(super) const CASES: Cases = &[
    ("attention, paged, sinks, window", |bench| paged(bench, Window::keys(4), true)),
    ("attention, paged, sinks, causal", |bench| paged(bench, Window::causal(), true)),
    ("attention, paged, no sinks", |bench| paged(bench, Window::causal(), false)),
    ("attention, plain keys, window", plain),
    ("attention, everything seen", everything),
    ("attention, sinks made up for", made_up_for),
];

const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const SIZE: usize = 64;

/// One sequence: queries are its last tokens. The output, and the logarithm of the sum of exponentials.
fn attend(
    queries: &[f32],
    keys: &[f32],
    values: &[f32],
    window: Option<usize>,
    sinks: Option<&[f32]>,
) -> (Vec<f32>, Vec<f32>) {
    let (q_row, kv_row) = (HEADS * SIZE, KV_HEADS * SIZE);
    let (tokens, length) = (queries.len() / q_row, keys.len() / kv_row);
    let mut out = vec![0.0; queries.len()];
    let mut sums = Vec::new();
    for token in 0..tokens {
        let position = length - tokens + token;
        // A window of 0 sees everything.
        let seen = match window {
            None => 0..position + 1,
            Some(0) => 0..length,
            Some(window) => (position + 1).saturating_sub(window)..position + 1,
        };
        for head in 0..HEADS {
            let at = token * q_row + head * SIZE;
            let query = &queries[at..][..SIZE];
            let row = |all: &[f32], key: usize| -> Vec<f32> {
                all[key * kv_row + head / (HEADS / KV_HEADS) * SIZE..][..SIZE].to_vec()
            };
            let score = |key: usize| {
                let key = row(keys, key);
                query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>() * SCALE as f32
            };
            let weights: Vec<f32> = seen.clone().map(|key| score(key).exp()).collect();
            let sum: f32 = weights.iter().sum();
            sums.push(sum.ln());
            let sum = sum + sinks.map_or(0.0, |sinks| sinks[head].exp());
            for (key, weight) in seen.clone().zip(weights) {
                let value = row(values, key);
                let out = out[at..][..SIZE].iter_mut();
                out.zip(value).for_each(|(out, value)| *out += weight / sum * value);
            }
        }
    }
    (out, sums)
}

const SCALE: f64 = 0.125;

/// Two sequences with paged keys.
struct Paged {
    queries: Both<bf16>,
    keys: Both<bf16>,
    values: Both<bf16>,
    blocks: ascend_acl::rt::DeviceBuffer<i32>,
    table: [[usize; 2]; 2],
}

const BLOCK: usize = 16;
const QUERIES: [usize; 2] = [3, 1];
const KEYS: [usize; 2] = [20, 7];

impl Paged {
    fn new(bench: &Bench) -> Result<Self, Failure> {
        let row = KV_HEADS * SIZE;
        let table = [[2, 0], [1, 3]];
        let flat: Vec<i32> = table.iter().flatten().map(|block| *block as i32).collect();
        Ok(Self {
            queries: bench.floats(&[4, HEADS, SIZE], 1.0)?,
            keys: bench.floats(&[4, BLOCK, row], 1.0)?,
            values: bench.floats(&[4, BLOCK, row], 1.0)?,
            blocks: bench.put(&flat)?,
            table,
        })
    }

    /// The first rows of a sequence.
    fn rows(&self, cache: &[f32], sequence: usize) -> Vec<f32> {
        let row = KV_HEADS * SIZE;
        let place = |at: usize| self.table[sequence][at / BLOCK] * BLOCK + at % BLOCK;
        (0..KEYS[sequence]).flat_map(|at| cache[place(at) * row..][..row].to_vec()).collect()
    }

    fn want(&self, window: Option<usize>, sinks: Option<&[f32]>) -> (Vec<f32>, Vec<f32>) {
        let mut all = (Vec::new(), Vec::new());
        let mut first = 0;
        for (sequence, queries) in QUERIES.into_iter().enumerate() {
            let q = &self.queries.host[first * HEADS * SIZE..][..queries * HEADS * SIZE];
            let (k, v) =
                (self.rows(&self.keys.host, sequence), self.rows(&self.values.host, sequence));
            let (out, sums) = attend(q, &k, &v, window, sinks);
            all.0.extend(out);
            all.1.extend(sums);
            first += queries;
        }
        all
    }
}

fn paged(bench: &Bench, window: Window, has_sinks: bool) -> Result<(), Failure> {
    let paged = Paged::new(bench)?;
    let sinks = bench.floats::<bf16>(&[HEADS], 2.0)?;
    let mask = op::causal_mask(bench.device)?;
    let (out, sums) = (bench.out::<bf16>(4 * HEADS * SIZE)?, bench.out::<f32>(4 * HEADS)?);
    let sinks_there = sinks.tensor()?;
    let attention = Attention {
        queries: &paged.queries.tensor()?,
        keys_values: KeysValues::Paged {
            keys: &paged.keys.tensor()?,
            values: &paged.values.tensor()?,
            blocks: &paged.blocks.tensor(&[2, 2])?,
            block_size: BLOCK,
        },
        layout: AttentionLayout::Tnd,
        kv_heads: KV_HEADS,
        scale: SCALE,
        window,
        mask: Some(&mask.tensor_of(aclDataType::BOOL, &[2048, 2048])?),
        query_lengths: &[3, 4],
        key_lengths: &[20, 7],
        sinks: has_sinks.then_some(&sinks_there),
        log_sum: Some(&sums.tensor(&[4, HEADS, 1])?),
    };
    attention.launch(bench.stream, &out.tensor(&[4, HEADS, SIZE])?)?;
    let keys = (window != Window::causal()).then_some(4);
    let (want, _) = paged.want(keys, has_sinks.then_some(&sinks.host));
    close("attention", &out, &want)
}

fn plain(bench: &Bench) -> Result<(), Failure> {
    let (tokens, length) = (2, 9);
    let queries = bench.floats::<bf16>(&[tokens, HEADS, SIZE], 1.0)?;
    let keys = bench.floats::<bf16>(&[length, KV_HEADS, SIZE], 1.0)?;
    let values = bench.floats::<bf16>(&[length, KV_HEADS, SIZE], 1.0)?;
    let mask = op::causal_mask(bench.device)?;
    let out = bench.out::<bf16>(tokens * HEADS * SIZE)?;
    let attention = Attention {
        queries: &queries.tensor()?,
        keys_values: KeysValues::Plain { keys: &keys.tensor()?, values: &values.tensor()? },
        layout: AttentionLayout::Tnd,
        kv_heads: KV_HEADS,
        scale: SCALE,
        window: Window::keys(3),
        mask: Some(&mask.tensor_of(aclDataType::BOOL, &[2048, 2048])?),
        query_lengths: &[2],
        key_lengths: &[9],
        sinks: None,
        log_sum: None,
    };
    attention.launch(bench.stream, &out.tensor(&[tokens, HEADS, SIZE])?)?;
    let (want, _) = attend(&queries.host, &keys.host, &values.host, Some(3), None);
    close("attention", &out, &want)
}

fn everything(bench: &Bench) -> Result<(), Failure> {
    let tokens = 3;
    let queries = bench.floats::<bf16>(&[1, tokens, HEADS, SIZE], 1.0)?;
    let keys = bench.floats::<bf16>(&[1, tokens, KV_HEADS, SIZE], 1.0)?;
    let values = bench.floats::<bf16>(&[1, tokens, KV_HEADS, SIZE], 1.0)?;
    let out = bench.out::<bf16>(tokens * HEADS * SIZE)?;
    let attention = Attention {
        queries: &queries.tensor()?,
        keys_values: KeysValues::Plain { keys: &keys.tensor()?, values: &values.tensor()? },
        layout: AttentionLayout::Bsnd,
        kv_heads: KV_HEADS,
        scale: SCALE,
        window: Window::everything(),
        mask: None,
        query_lengths: &[],
        key_lengths: &[],
        sinks: None,
        log_sum: None,
    };
    attention.launch(bench.stream, &out.tensor(&[1, tokens, HEADS, SIZE])?)?;
    let (want, _) = attend(&queries.host, &keys.host, &values.host, Some(0), None);
    close("attention", &out, &want)
}

/// The third version and a factor, in place of the fourth.
fn made_up_for(bench: &Bench) -> Result<(), Failure> {
    let paged = Paged::new(bench)?;
    let sinks = bench.floats::<f32>(&[HEADS], 2.0)?;
    let mask = op::causal_mask(bench.device)?;
    let (out, sums) = (bench.out::<bf16>(4 * HEADS * SIZE)?, bench.out::<f32>(4 * HEADS)?);
    let gate = bench.out::<bf16>(4 * HEADS)?;
    let (result, log_sum) = (out.tensor(&[4, HEADS, SIZE])?, sums.tensor(&[4, HEADS, 1])?);
    let attention = Attention {
        queries: &paged.queries.tensor()?,
        keys_values: KeysValues::Paged {
            keys: &paged.keys.tensor()?,
            values: &paged.values.tensor()?,
            blocks: &paged.blocks.tensor(&[2, 2])?,
            block_size: BLOCK,
        },
        layout: AttentionLayout::Tnd,
        kv_heads: KV_HEADS,
        scale: SCALE,
        window: Window::keys(4),
        mask: Some(&mask.tensor_of(aclDataType::BOOL, &[2048, 2048])?),
        query_lengths: &[3, 4],
        key_lengths: &[20, 7],
        sinks: None,
        log_sum: Some(&log_sum),
    };
    attention.launch(bench.stream, &result)?;
    let (_, want_sums) = paged.want(Some(4), None);
    close("logarithm of the sum", &sums, &want_sums)?;
    let gate = gate.tensor(&[4, HEADS, 1])?;
    Attention::add_sinks(bench.stream, &result, &log_sum, &sinks.tensor()?, &gate)?;
    let (want, _) = paged.want(Some(4), Some(&sinks.host));
    close("attention", &out, &want)
}
