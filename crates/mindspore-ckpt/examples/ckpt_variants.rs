//! Writes a checkpoint of every kind and, beside each, what MindSpore must read from it.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use mindspore_ckpt::schema::{Checkpoint, Message, Payload, TensorProto, Value};
use mindspore_ckpt::{DEFAULT_SLICE_BYTES, Dtype, LayoutOptions, Summary, TensorSpec, Writer};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// Writes `NAME.ckpt` and `NAME.json` for every variant into a folder:
///
/// ```sh
/// cargo run -p mindspore-ckpt --example ckpt_variants -- OUT_DIR [--large]
/// ```
///
/// `--large` adds a tensor of more than 512 MiB, which MindSpore's own slices hold. The JSON is
/// what `tests/judge/mindspore_judge.py load` takes.
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("usage: ckpt_variants OUT_DIR [--large]")?);
    std::fs::create_dir_all(&dir)?;

    let plain = LayoutOptions::default();
    for (name, dtype) in [
        ("f32", Dtype::Float32),
        ("f64", Dtype::Float64),
        ("f16", Dtype::Float16),
        ("bf16", Dtype::BFloat16),
        ("uint8", Dtype::UInt8),
    ] {
        let mut variant = Variant::create(&dir, name, plain)?;
        variant.tensor("model.embed_tokens.weight", dtype, &[17, 8])?;
        variant.tensor("model.norm.weight", dtype, &[8])?;
        variant.tensor("one", dtype, &[1])?;
        variant.tensor("deep", dtype, &[2, 1, 3, 1, 5])?;
        variant.finish()?;
    }
    every_type(Variant::create(&dir, "types", plain)?, &[3, 5])?;
    every_type(Variant::create(&dir, "scalars", plain)?, &[])?;
    every_type(Variant::create(&dir, "empty", plain)?, &[0, 5])?;
    every_type(Variant::create(&dir, "crc", LayoutOptions { crc: true, ..plain })?, &[4, 4])?;
    every_type(
        Variant::create(&dir, "sliced", LayoutOptions { slice_bytes: 24, ..plain })?,
        &[7, 11],
    )?;
    let sliced_crc = LayoutOptions { slice_bytes: 1, crc: true };
    every_type(Variant::create(&dir, "sliced-crc", sliced_crc)?, &[2, 3])?;
    names(Variant::create(&dir, "names", plain)?)?;
    text(Variant::create(&dir, "text", plain)?)?;
    legacy_bf16(&dir)?;
    like_a_trailer(Variant::create(&dir, "like-a-trailer", plain)?)?;
    if arguments.next().is_some_and(|flag| flag == "--large") {
        let mut variant = Variant::create(&dir, "large", LayoutOptions { crc: true, ..plain })?;
        variant.tensor("before", Dtype::Float32, &[3])?;
        variant.tensor("large", Dtype::BFloat16, &[DEFAULT_SLICE_BYTES / 2 + 1])?;
        variant.tensor("after", Dtype::Float32, &[3])?;
        variant.finish()?;
    }
    Ok(())
}

fn every_type(mut variant: Variant, dims: &[u64]) -> Result<(), Box<dyn Error>> {
    for dtype in [
        Dtype::Bool,
        Dtype::Int8,
        Dtype::Int16,
        Dtype::Int32,
        Dtype::Int64,
        Dtype::UInt8,
        Dtype::UInt16,
        Dtype::UInt32,
        Dtype::UInt64,
        Dtype::Float16,
        Dtype::Float32,
        Dtype::Float64,
        Dtype::BFloat16,
    ] {
        variant.tensor(&format!("tensor.{dtype}"), dtype, dims)?;
    }
    variant.finish()
}

fn names(mut variant: Variant) -> Result<(), Box<dyn Error>> {
    let longest = "é".repeat(1024);
    for name in ["a/b", "nul\0inside", "权重.0", " spaces ", "random_op", &longest] {
        variant.tensor(name, Dtype::Int16, &[3])?;
    }
    variant.finish()
}

fn text(mut variant: Variant) -> Result<(), Box<dyn Error>> {
    for (name, text) in [("epoch", "7"), ("empty", ""), ("wide", "晴れ 🌤 ok")] {
        variant.writer.write_text(name, text)?;
        let content: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        variant.expect(name, "str", &[text.chars().count() as u64], &Sha256::digest(content));
    }
    variant.tensor("tensor", Dtype::Int16, &[3])?;
    variant.finish()
}

/// The last tensor ends like a checksum trailer, which the writer has to make up for.
fn like_a_trailer(mut variant: Variant) -> Result<(), Box<dyn Error>> {
    let content = *b"some bytes and crc_num0123456789";
    let dims = [content.len() as u64];
    variant.writer.write_tensor(TensorSpec::new("last", Dtype::UInt8, dims)?, &content)?;
    variant.expect("last", Dtype::UInt8.name(), &dims, &Sha256::digest(content));
    variant.finish()
}

/// `BFloat16` stored as four-byte floats, which this crate reads but does not write.
fn legacy_bf16(dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut noise = Noise(7);
    let mut floats = vec![0; 4 * 15];
    noise.fill(&mut floats);
    // Rounding would carry here; MindSpore cuts.
    floats[..4].copy_from_slice(&0x4000_ffff_u32.to_le_bytes());
    let record = |name: &str, dims: &[i64], content: &[u8]| Value {
        tag: name.to_owned(),
        payload: Some(Payload::Tensor(TensorProto {
            dims: dims.to_vec(),
            tensor_type: Dtype::BFloat16.name().to_owned(),
            tensor_content: content.to_vec(),
        })),
    };
    let value = vec![
        record("whole", &[3, 5], &floats),
        record("sliced", &[3, 5], &floats[..7]),
        record("sliced", &[3, 5], &floats[7..]),
        record("scalar", &[], &floats[..4]),
        record("old scalar", &[0], &floats[..4]),
    ];
    let upper: Vec<u8> = floats.chunks_exact(4).flat_map(|float| [float[2], float[3]]).collect();
    let expected = vec![
        expectation("whole", "BFloat16", &[3, 5], &Sha256::digest(&upper)),
        expectation("sliced", "BFloat16", &[3, 5], &Sha256::digest(&upper)),
        expectation("scalar", "BFloat16", &[], &Sha256::digest(&upper[..2])),
        expectation("old scalar", "BFloat16", &[], &Sha256::digest(&upper[..2])),
    ];
    let path = dir.join("legacy-bf16.ckpt");
    std::fs::write(&path, Checkpoint { value }.encode_to_vec())?;
    write_expectations(&path, &expected)
}

/// A file being written, and what is expected of it.
struct Variant {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
    expected: Vec<Json>,
    noise: Noise,
}

impl Variant {
    fn create(dir: &Path, name: &str, options: LayoutOptions) -> Result<Self, Box<dyn Error>> {
        let path = dir.join(name).with_extension("ckpt");
        let writer = Writer::with_options(BufWriter::new(File::create(&path)?), options);
        Ok(Self { path, writer, expected: Vec::new(), noise: Noise(0x9e37_79b9_7f4a_7c15) })
    }

    fn tensor(&mut self, name: &str, dtype: Dtype, dims: &[u64]) -> Result<(), Box<dyn Error>> {
        let spec = TensorSpec::new(name, dtype, dims)?;
        let mut left = spec.byte_len()?;
        let mut tensor = self.writer.tensor(spec)?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        while left > 0 {
            let len = buffer.len().min(usize::try_from(left)?);
            let part = &mut buffer[..len];
            self.noise.fill(part);
            if dtype == Dtype::Bool {
                for byte in part.iter_mut() {
                    *byte &= 1;
                }
            }
            digest.update(&*part);
            tensor.write_all(part)?;
            left -= len as u64;
        }
        tensor.finish()?;
        self.expect(name, dtype.name(), dims, &digest.finalize());
        Ok(())
    }

    fn expect(&mut self, name: &str, dtype: &str, dims: &[u64], digest: &[u8]) {
        self.expected.push(expectation(name, dtype, dims, digest));
    }

    fn finish(self) -> Result<(), Box<dyn Error>> {
        let (file, Summary { bytes, tensors, .. }) = self.writer.finish()?;
        file.into_inner()?.sync_all()?;
        println!("{}: {tensors} tensors, {bytes} bytes", self.path.display());
        write_expectations(&self.path, &self.expected)
    }
}

fn expectation(name: &str, dtype: &str, dims: &[u64], digest: &[u8]) -> Json {
    let sha256 = digest.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    json!({ "name": name, "dtype": dtype, "shape": dims, "sha256": sha256 })
}

fn write_expectations(ckpt: &Path, expected: &[Json]) -> Result<(), Box<dyn Error>> {
    let json = serde_json::to_string_pretty(expected)?;
    Ok(std::fs::write(ckpt.with_extension("json"), json + "\n")?)
}

/// Marsaglia's xorshift64: the same bytes everywhere, with no library.
struct Noise(u64);

impl Noise {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
    }
}
