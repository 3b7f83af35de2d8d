//! Prints name, type, shape and SHA-256 of every tensor of a checkpoint.

use std::error::Error;
use std::io::{self, Read};

use mindspore_ckpt::{Dtype, Entry, Reader};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Prints a JSON list, or compares it with one:
///
/// ```sh
/// cargo run -p mindspore-ckpt --example ckpt_digest -- FILE.ckpt [EXPECTED.json]
/// ```
///
/// The digest is that of the bytes that MindSpore has in memory: little-endian, two bytes for
/// every `BFloat16`, UTF-32 without NULs at its end for text. With a second file the exit status
/// is 1 where the two differ.
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let path = arguments.next().ok_or("usage: ckpt_digest FILE.ckpt [EXPECTED.json]")?;
    let reader = Reader::open(path)?;
    let found = reader
        .entries()
        .iter()
        .map(|entry| describe(&reader, entry))
        .collect::<Result<Vec<Value>, Box<dyn Error>>>()?;
    let Some(expected) = arguments.next() else {
        println!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(());
    };
    let expected: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(expected)?)?;
    for (found, expected) in found.iter().zip(&expected) {
        if found != expected {
            return Err(format!("found {found}, expected {expected}").into());
        }
    }
    if found.len() != expected.len() {
        return Err(format!("{} tensors, expected {}", found.len(), expected.len()).into());
    }
    println!("{} tensors as expected", found.len());
    Ok(())
}

fn describe(reader: &Reader, entry: &Entry) -> Result<Value, Box<dyn Error>> {
    let mut digest = Sha256::new();
    let mut shape = entry.dims().to_vec();
    if entry.dtype() == Dtype::Str {
        let text = reader.read_text(entry)?;
        shape = vec![text.chars().count() as u64];
        text.chars().for_each(|char| digest.update(u32::from(char).to_le_bytes()));
    } else if entry.legacy_bf16() {
        let content = reader.read(entry)?;
        content.chunks_exact(4).for_each(|float| digest.update(&float[2..]));
    } else {
        stream(&mut reader.content(entry), &mut digest)?;
    }
    let hex = |hex: String, byte: &u8| format!("{hex}{byte:02x}");
    let sha256 = digest.finalize().iter().fold(String::new(), hex);
    let dtype = entry.dtype().name();
    Ok(json!({ "name": entry.name(), "dtype": dtype, "shape": shape, "sha256": sha256 }))
}

fn stream(content: &mut impl Read, digest: &mut Sha256) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(()),
            read => digest.update(&buffer[..read]),
        }
    }
}
