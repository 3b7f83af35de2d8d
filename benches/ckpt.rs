//! MindSpore checkpoints: laying out, writing, opening and summing a file of gpt-oss-20b's shapes.
//!
//! ```sh
//! cargo bench -p benches --bench ckpt
//! ```

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mindspore_ckpt::{
    Dtype, Layout, LayoutOptions, Reader, TensorSpec, VerifyOptions, Writer, verify,
};

criterion_main!(benches);
criterion_group!(benches, ckpt);

/// Bytes of the file that is summed: more than every cache, less than every memory.
const SUMMED: u64 = 256 << 20;

fn ckpt(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ckpt");
    let specs = gpt_oss_20b();
    let options = LayoutOptions::default();
    let layout = Layout::new(&specs, options).expect("the specs are valid");

    group.bench_function("layout of 459 tensors", |bencher| {
        bencher.iter(|| Layout::new(black_box(&specs), options));
    });

    group.bench_function("headers of 459 tensors to a sink", |bencher| {
        // The shapes are real and the elements none, so that only this crate's work is measured.
        let empty: Vec<TensorSpec> = specs.iter().map(without_elements).collect();
        bencher.iter(|| {
            let mut writer = Writer::new(io::sink());
            for spec in &empty {
                writer.write_tensor(spec.clone(), &[]).expect("a sink takes everything");
            }
            writer.finish()
        });
    });

    let block = vec![0x5a; 1 << 20];
    group.throughput(Throughput::Bytes(SUMMED));
    group.bench_function("256 MiB to a sink, with a CRC", |bencher| {
        bencher.iter(|| write_blocks(io::sink(), &block, LayoutOptions { crc: true, ..options }));
    });

    let dir = tempfile::tempdir().expect("a folder for temporary files");
    let path = dir.path().join("sparse.ckpt");
    write_sparse(&path, &layout).expect("a sparse file takes little room");
    group.throughput(Throughput::Elements(specs.len() as u64));
    group.bench_function("open 459 tensors, 13.8 GB (sparse)", |bencher| {
        bencher.iter(|| Reader::open(&path));
    });

    let path = dir.path().join("summed.ckpt");
    let file = File::create(&path).expect("room for 256 MiB");
    write_blocks(file, &block, LayoutOptions { crc: true, ..options });
    group.throughput(Throughput::Bytes(SUMMED));
    group.bench_function("verify the CRC of 256 MiB (cached)", |bencher| {
        bencher.iter(|| verify(&path, &VerifyOptions::default()));
    });
    group.finish();
}

fn write_blocks(out: impl Write, block: &[u8], options: LayoutOptions) {
    let mut writer = Writer::with_options(out, options);
    let spec = TensorSpec::new("large", Dtype::UInt8, [SUMMED]).expect("a valid spec");
    let mut tensor = writer.tensor(spec).expect("the header is written");
    for _ in 0..SUMMED / block.len() as u64 {
        tensor.write_all(block).expect("room for the content");
    }
    tensor.finish().expect("all bytes are there");
    writer.finish().expect("the trailer is written");
}

/// The headers where they belong, holes between them.
fn write_sparse(path: &Path, layout: &Layout) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.set_len(layout.total_len())?;
    for record in layout.records() {
        file.seek(SeekFrom::Start(record.offset))?;
        file.write_all(&record.header)?;
    }
    Ok(())
}

fn without_elements(spec: &TensorSpec) -> TensorSpec {
    let dims = [&[0, 0], spec.dims.as_slice()].concat();
    TensorSpec { dims, ..spec.clone() }
}

/// The tensors of the released checkpoint: 459, 13,761,264,768 bytes.
fn gpt_oss_20b() -> Vec<TensorSpec> {
    let mut specs = Vec::with_capacity(459);
    let mut add = |name: String, dtype, dims: &[u64]| {
        specs.push(TensorSpec::new(name, dtype, dims).expect("a valid spec"));
    };
    for layer in 0..24 {
        let layer = format!("model.layers.{layer}");
        for (name, dtype, dims) in [
            ("input_layernorm.weight", Dtype::BFloat16, &[2880][..]),
            ("post_attention_layernorm.weight", Dtype::BFloat16, &[2880]),
            ("self_attn.q_proj.weight", Dtype::BFloat16, &[4096, 2880]),
            ("self_attn.q_proj.bias", Dtype::BFloat16, &[4096]),
            ("self_attn.k_proj.weight", Dtype::BFloat16, &[512, 2880]),
            ("self_attn.k_proj.bias", Dtype::BFloat16, &[512]),
            ("self_attn.v_proj.weight", Dtype::BFloat16, &[512, 2880]),
            ("self_attn.v_proj.bias", Dtype::BFloat16, &[512]),
            ("self_attn.o_proj.weight", Dtype::BFloat16, &[2880, 4096]),
            ("self_attn.o_proj.bias", Dtype::BFloat16, &[2880]),
            ("self_attn.sinks", Dtype::BFloat16, &[64]),
            ("mlp.router.weight", Dtype::BFloat16, &[32, 2880]),
            ("mlp.router.bias", Dtype::BFloat16, &[32]),
            ("mlp.experts.gate_up_proj_blocks", Dtype::UInt8, &[32, 5760, 90, 16]),
            ("mlp.experts.gate_up_proj_scales", Dtype::UInt8, &[32, 5760, 90]),
            ("mlp.experts.gate_up_proj_bias", Dtype::BFloat16, &[32, 5760]),
            ("mlp.experts.down_proj_blocks", Dtype::UInt8, &[32, 2880, 90, 16]),
            ("mlp.experts.down_proj_scales", Dtype::UInt8, &[32, 2880, 90]),
            ("mlp.experts.down_proj_bias", Dtype::BFloat16, &[32, 2880]),
        ] {
            add(format!("{layer}.{name}"), dtype, dims);
        }
    }
    for (name, dims) in [
        ("model.embed_tokens.weight", &[201_088, 2880][..]),
        ("model.norm.weight", &[2880]),
        ("lm_head.weight", &[201_088, 2880]),
    ] {
        add(name.to_owned(), Dtype::BFloat16, dims);
    }
    specs
}
