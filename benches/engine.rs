//! Speed of the engine, on a model of gpt-oss-20b's widths with two layers, eight experts and a small
//! vocabulary: 460 MB of random weights in a temporary folder.
//!
//! ```text
//! cargo bench -p benches --bench engine
//! cargo bench -p benches --bench engine -- decode/bf16
//! ```
//!
//! `decode/PRECISION/DENSE/SEQUENCES` is a step of a token for each sequence, in GB/s of the weights that are
//! read. `prefill/PRECISION/TOKENS` is a prompt into an empty session, in GFLOP/s, which criterion calls
//! Gelem/s: two for every weight and token, without attention's products of queries, keys and values. The
//! first lines say what the machine can do at most.

#![deny(unsafe_code)]

mod ceiling;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use ceiling::{ceiling, measured};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use moe_engine::{Feed, Model, Options, Precision, Repack, Session, Usage};
use tempfile::TempDir;
use testkit::{Shape, Tiny};

/// `F16` computes as `F32` does, but for the cache.
const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::Bf16];

/// Forms of the dense weights.
const DENSE: [(&str, Option<Repack>); 3] =
    [("stored", None), ("coded", Some(Repack::Coded)), ("int8", Some(Repack::Int8))];

fn engine(c: &mut Criterion) {
    let shape = if measured() {
        // A head that is to the layers as that of the whole model is.
        Shape { layers: 2, experts: 8, vocab: 12_288, ..Shape::b20() }
    } else {
        Shape::tiny()
    };
    let dir = TempDir::new().expect("a temporary folder");
    drop(Tiny::builder().shape(shape.clone()).build_in(dir.path()));
    decode(c, dir.path());
    prefill(c, dir.path(), &shape);
}

fn decode(c: &mut Criterion, folder: &Path) {
    let mut group = group(c, "decode");
    for precision in PRECISIONS {
        for (name, dense) in DENSE {
            let options = Options { precision, dense, ..Options::default() };
            let model = Model::open(folder, &options).expect("a model");
            for sequences in [1, 2, 4, 8] {
                let mut decoding = Decoding::new(&model, sequences);
                group.throughput(Throughput::BytesDecimal(decoding.weight_bytes()));
                group.bench_function(format!("{precision}/{name}/{sequences}"), |b| {
                    b.iter(|| decoding.step());
                });
            }
        }
    }
}

/// Sequences that go on from the same prompt.
struct Decoding<'a> {
    model: &'a Model,
    sessions: Vec<Session>,
    step: usize,
}

impl<'a> Decoding<'a> {
    const PROMPT: usize = 32;
    /// Steps until the tokens are the same again.
    const STEPS: usize = 16;

    fn new(model: &'a Model, sequences: usize) -> Self {
        let mut session = model.session().expect("a session");
        let prompt = tokens(model, 0, Self::PROMPT);
        model.evaluate(&mut session, &prompt).expect("logits");
        let sessions = (0..sequences).map(|_| session.fork()).collect();
        Self { model, sessions, step: 0 }
    }

    /// A token for each sequence, which is forgotten again.
    fn step(&mut self) -> Usage {
        let first = Self::PROMPT + self.step * self.sessions.len();
        self.step = (self.step + 1) % Self::STEPS;
        let tokens = tokens(self.model, first, self.sessions.len());
        let feeds = self.sessions.iter_mut().zip(tokens.chunks(1));
        let mut feeds: Vec<_> = feeds.map(|(session, token)| Feed::new(session, token)).collect();
        let usage = self.model.forward(black_box(&mut feeds), &mut ()).expect("a step");
        for session in &mut self.sessions {
            self.model.truncate(session, Self::PROMPT).expect("no longer than it is");
        }
        usage
    }

    /// The mean of all steps.
    fn weight_bytes(&mut self) -> u64 {
        // The first use of dense weights gives them their form.
        self.step();
        self.step = 0;
        let bytes: u64 = (0..Self::STEPS).map(|_| self.step().weight_bytes).sum();
        bytes / Self::STEPS as u64
    }
}

fn prefill(c: &mut Criterion, folder: &Path, shape: &Shape) {
    let mut group = group(c, "prefill");
    for precision in PRECISIONS {
        let options = Options { precision, ..Options::default() };
        let model = Model::open(folder, &options).expect("a model");
        for count in [64, 128, 512] {
            group.throughput(Throughput::Elements(flop(shape, count)));
            group.bench_function(format!("{precision}/{count}"), |b| {
                let prompt = tokens(&model, 0, count);
                b.iter(|| {
                    let mut session = model.session().expect("a session");
                    model.evaluate(&mut session, black_box(&prompt)).expect("logits")
                });
            });
        }
    }
}

/// Multiplications and additions with the weights that the tokens of a prompt use, the head but once.
fn flop(shape: &Shape, tokens: usize) -> u64 {
    let (query, kv) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
    let attention = shape.hidden * (2 * query + 2 * kv);
    let expert = 3 * shape.hidden * shape.intermediate;
    let experts = shape.hidden * shape.experts + shape.experts_per_token * expert;
    let layers = tokens * shape.layers * (attention + experts);
    2 * (layers + shape.vocab * shape.hidden) as u64
}

/// Tokens that look random, the same in every run.
fn tokens(model: &Model, first: usize, count: usize) -> Vec<u32> {
    let token = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> 7;
    (first..first + count).map(|i| token(i) % model.config().vocab as u32).collect()
}

/// Enough to tell twice as fast from as fast, without taking an hour.
fn group<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.sample_size(10);
    group.sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_millis(600));
    group
}

criterion_group!(benches, ceiling, engine);
criterion_main!(benches);
