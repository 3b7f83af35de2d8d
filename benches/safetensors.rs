//! Opening checkpoints, parsing headers, and the two ways to a tensor's bytes.
//!
//! ```sh
//! cargo bench -p benches --bench safetensors
//! ```

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::ops::Range;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use safeshards::{
    Bytes, Checkpoint, DType, OpenOptions, ShardIndex, ShardLayout, TensorSpec, shard_file_name,
};
use safetensors::SafeTensors;

/// As many layers as make 459 tensors of the released gpt-oss-20b: 19 each, and 3 more.
const LAYERS: usize = 24;

/// Bytes read by position or through a mapping.
const READ: usize = 64 << 20;

/// The tensors of gpt-oss-20b, with `scale` in place of every 32nd of an extent.
fn specs(scale: usize) -> Vec<TensorSpec> {
    let (hidden, blocks) = (90 * scale, [90, 16]);
    let mut specs = vec![
        TensorSpec::new("lm_head.weight", DType::BF16, [201_088, hidden]),
        TensorSpec::new("model.embed_tokens.weight", DType::BF16, [201_088, hidden]),
        TensorSpec::new("model.norm.weight", DType::BF16, [hidden]),
    ];
    for layer in 0..LAYERS {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let mut bf16 = |part: &str, shape: &[usize]| {
            specs.push(TensorSpec::new(name(part), DType::BF16, shape));
        };
        bf16("input_layernorm.weight", &[hidden]);
        bf16("post_attention_layernorm.weight", &[hidden]);
        bf16("self_attn.sinks", &[64]);
        for (part, out) in [("q", 4096), ("k", 512), ("v", 512)] {
            bf16(&format!("self_attn.{part}_proj.weight"), &[out, hidden]);
            bf16(&format!("self_attn.{part}_proj.bias"), &[out]);
        }
        bf16("self_attn.o_proj.weight", &[hidden, 4096]);
        bf16("self_attn.o_proj.bias", &[hidden]);
        bf16("mlp.router.weight", &[32, hidden]);
        bf16("mlp.router.bias", &[32]);
        for (part, out) in [("gate_up", 2 * hidden), ("down", hidden)] {
            bf16(&format!("mlp.experts.{part}_proj_bias"), &[32, out]);
        }
        for (part, out) in [("gate_up", 2 * hidden), ("down", hidden)] {
            let (scales, blocks) = ([32, out, 90], [32, out, blocks[0], blocks[1]]);
            let part = |kind| name(&format!("mlp.experts.{part}_proj_{kind}"));
            specs.push(TensorSpec::new(part("blocks"), DType::U8, blocks));
            specs.push(TensorSpec::new(part("scales"), DType::U8, scales));
        }
    }
    specs
}

/// Three shards of true shapes whose bodies are holes: 13.8 GB that take no disk.
fn sparse(dir: &Path) {
    let specs = specs(32);
    assert_eq!(specs.len(), 459);
    let third = specs.len() / 3;
    let mut index = ShardIndex::default();
    for shard in 0..3 {
        let range: Range<usize> = shard * third..(shard + 1) * third;
        let specs = &specs[range];
        let layout = ShardLayout::new(specs, &[("format".into(), "pt".into())].into()).unwrap();
        let name = shard_file_name(shard, 3);
        let mut file = File::create(dir.join(&name)).unwrap();
        file.write_all(layout.header()).unwrap();
        file.set_len(layout.total_len()).unwrap();
        index.weight_map.extend(specs.iter().map(|spec| (spec.name.clone(), name.clone())));
    }
    index.write(dir.join(safeshards::INDEX_FILE_NAME)).unwrap();
}

/// A file in memory with as many tensors as gpt-oss-20b, all of them empty.
fn empty_tensors() -> Vec<u8> {
    let mut specs = specs(32);
    for spec in &mut specs {
        spec.shape.push(0);
    }
    ShardLayout::new(&specs, &[("format".into(), "pt".into())].into()).unwrap().header().to_vec()
}

fn open(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    sparse(dir.path());
    let mut group = c.benchmark_group("safetensors");
    group.bench_function("open/459 tensors, 3 shards", |b| {
        b.iter(|| Checkpoint::open(black_box(dir.path())).unwrap().len());
    });
    group.finish();
}

fn header(c: &mut Criterion) {
    let file = empty_tensors();
    let shared = Bytes::from(file.clone());
    let mut group = c.benchmark_group("safetensors");
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("header/safeshards", |b| {
        b.iter_batched(
            || shared.clone(),
            |file| Checkpoint::from_bytes("header", file).unwrap().len(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("header/safetensors", |b| {
        b.iter(|| SafeTensors::deserialize(black_box(&file)).unwrap().len());
    });
    group.finish();
}

/// Both ways touch every byte of a file that is in the page cache.
fn bytes(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let spec = TensorSpec::new("t", DType::U8, [READ]);
    let layout = ShardLayout::new(&[spec], &[].into()).unwrap();
    fs::write(&path, [layout.header(), &vec![1; READ]].concat()).unwrap();

    let mut group = c.benchmark_group("safetensors");
    group.throughput(Throughput::Bytes(READ as u64)).sample_size(20);
    let mut buffer = vec![0; READ];
    let unmapped = OpenOptions::new().mmap(false).open(&path).unwrap();
    group.bench_function("64 MiB/read_at", |b| {
        b.iter(|| unmapped.tensor("t").unwrap().read_at(0, black_box(&mut buffer)).unwrap());
    });
    let mapped = Checkpoint::open(&path).unwrap();
    group.bench_function("64 MiB/copy from a mapping in use", |b| {
        let bytes = mapped.tensor("t").unwrap().bytes().unwrap();
        b.iter(|| black_box(&mut buffer).copy_from_slice(bytes));
    });
    group.bench_function("64 MiB/copy from a new mapping", |b| {
        b.iter_batched(
            || Checkpoint::open(&path).unwrap(),
            |checkpoint| {
                let bytes = checkpoint.tensor("t").unwrap().bytes().unwrap();
                black_box(&mut buffer).copy_from_slice(bytes);
                checkpoint
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, open, header, bytes);
criterion_main!(benches);
