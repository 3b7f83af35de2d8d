//! The small files beside converted weights: what the model is, and what was made of it.

use std::fs;

use lowfloat::DType;
use serde_json::{Value, json};

use crate::manifest::{MANIFEST, Manifest};
use crate::presets::gpt_oss::Shape;
use crate::{Error, Experts, Policy, Result, SideFile, Source, SourceKind, stem_for};

/// The model's own files that go along unchanged, where they are beside the source.
const COMPANIONS: [&str; 9] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
];

/// The files that go beside the result of a conversion:
///
/// - `model_config.json`: what was converted into what, with the counts;
/// - `parameter_names.txt`: one name a line, in file order;
/// - the model's `config.json`, changed where the experts' form or the type changed, and its
///   tokenizer and generation files unchanged.
///
/// # Errors
/// When a file beside the source cannot be read.
pub fn side_files(source: &Source, policy: &Policy, manifest: &Manifest) -> Result<Vec<SideFile>> {
    let names = manifest.tensors.iter().map(|tensor| tensor.name.clone() + "\n");
    let mut files = vec![
        json_file("model_config.json", &model_config(source, manifest)),
        SideFile {
            name: "parameter_names.txt".to_owned(),
            bytes: names.collect::<String>().into_bytes(),
        },
    ];
    let mut companions = COMPANIONS.to_vec();
    if let Some(config) = source.config() {
        let adapted = adapted_config(config.clone(), policy, manifest);
        if adapted == *config && source.folder().is_some() {
            // To the byte, spaces and number spelling included.
            companions.push("config.json");
        } else {
            files.push(json_file("config.json", &adapted));
        }
    }
    let Some(folder) = source.folder() else { return Ok(files) };
    for name in companions {
        let path = folder.join(name);
        match fs::read(&path) {
            Ok(bytes) => files.push(SideFile { name: name.to_owned(), bytes }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("read", path)(error)),
        }
    }
    Ok(files)
}

/// True for the files that come with a model and are passed on.
pub(crate) fn is_of_the_model(name: &str) -> bool {
    name == "config.json" || COMPANIONS.contains(&name)
}

fn model_config(source: &Source, manifest: &Manifest) -> Value {
    let config = source.config();
    let named = config.and_then(|config| config.get("model_type")?.as_str());
    // The configuration in `original/` names no type.
    let gpt_oss = config.and_then(Shape::from_config).map(|_| "gpt_oss");
    let output = match manifest.files.as_slice() {
        [one] => json!(one.name),
        several => several.iter().map(|file| file.name.as_str()).collect(),
    };
    let target = match manifest.format.as_str() {
        "ckpt" => "mindspore_ckpt",
        other => other,
    };
    let mut types = serde_json::Map::new();
    for tensor in &manifest.tensors {
        let bytes = types.get(tensor.dtype.name()).and_then(Value::as_u64).unwrap_or(0);
        types.insert(tensor.dtype.name().to_owned(), json!(bytes + tensor.bytes));
    }
    json!({
        "model_name": stem_for(source).replace('_', "-"),
        "model_type": named.or(gpt_oss).unwrap_or("unknown"),
        "total_params": short_count(manifest.parameters),
        "num_parameters": manifest.parameters,
        "num_tensors": manifest.tensors.len(),
        "source_format": match source.kind() {
            SourceKind::MindSpore => "mindspore_ckpt",
            SourceKind::Safetensors | SourceKind::Synthetic => "safetensors",
        },
        "target_format": target,
        "conversion_info": {
            "source_files": manifest.source_files,
            "output_file": output,
            "framework": "MindSpore",
            "device": "Ascend NPU",
            "converter": concat!("ckpt-convert ", env!("CARGO_PKG_VERSION")),
            "policy": manifest.policy,
            "manifest": MANIFEST,
        },
        "total_bytes": manifest.files.iter().map(|file| file.bytes).sum::<u64>(),
        "bytes_by_dtype": types,
    })
}

/// `config.json` as readers of the result need it: with or without the quantisation, and the type.
fn adapted_config(mut config: Value, policy: &Policy, manifest: &Manifest) -> Value {
    let Some(fields) = config.as_object_mut() else { return config };
    let ends = |end: &str| manifest.tensors.iter().any(|tensor| tensor.name.ends_with(end));
    match policy.experts {
        Experts::Keep => {}
        Experts::Dequantize => {
            if !ends("_blocks") && !ends(".blocks") {
                fields.remove("quantization_config");
            }
        }
        Experts::Quantize => {
            fields.insert(
                "quantization_config".to_owned(),
                json!({
                    "modules_to_not_convert": [
                        "model.layers.*.self_attn",
                        "model.layers.*.mlp.router",
                        "model.embed_tokens",
                        "lm_head",
                    ],
                    "quant_method": "mxfp4",
                }),
            );
        }
    }
    let floats =
        manifest.tensors.iter().map(|tensor| tensor.dtype).filter(|dtype| dtype.is_float());
    let most = floats.max_by_key(|&dtype| {
        manifest
            .tensors
            .iter()
            .filter(|tensor| tensor.dtype == dtype)
            .map(|tensor| tensor.bytes)
            .sum::<u64>()
    });
    let torch = match most {
        Some(DType::F32) => "float32",
        Some(DType::F16) => "float16",
        Some(DType::BF16) => "bfloat16",
        _ => return config,
    };
    // Left out, the released files mean bf16; transformers 5 spells the key without the prefix.
    let key = if fields.contains_key("dtype") { "dtype" } else { "torch_dtype" };
    if fields.contains_key(key) || torch != "bfloat16" || policy.experts == Experts::Dequantize {
        fields.insert(key.to_owned(), json!(torch));
    }
    config
}

/// `20.91B`, as model cards write it.
fn short_count(count: u64) -> String {
    let count = count as f64;
    match count {
        1e9.. => format!("{:.2}B", count / 1e9),
        1e6.. => format!("{:.2}M", count / 1e6),
        1e3.. => format!("{:.2}K", count / 1e3),
        _ => format!("{count}"),
    }
}

fn json_file(name: &str, value: &Value) -> SideFile {
    // Serialising a tree of strings and numbers into memory cannot fail.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    SideFile { name: name.to_owned(), bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_as_model_cards_write_them() {
        assert_eq!(short_count(20_914_757_184), "20.91B");
        assert_eq!(short_count(236_544), "236.54K");
        assert_eq!(short_count(12), "12");
    }
}
