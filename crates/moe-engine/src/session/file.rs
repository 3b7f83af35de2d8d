//! Sessions in files.
//!
//! A safetensors file with `tokens` (I64), and for layer N `layers.N.keys` and `layers.N.values`
//! (`[positions kept, width]`, in the type of the precision); the metadata say of which model it is, and have
//! the CRC-32 of all these bytes in this order.

use std::collections::BTreeMap;
use std::path::Path;

use lowfloat::DType;
use safeshards::{Checkpoint, ShardWriter, TensorSpec, WriterOptions};

use super::Session;
use crate::backend::Backend;
use crate::{Error, Model, Result};

const FORMAT: &str = "moe-engine session 1";

pub(super) fn save<B: Backend>(model: &Model<B>, session: &Session<B>, path: &Path) -> Result<()> {
    let dtype = model.precision().kv_dtype();
    let width = model.config.kv_width();
    let mut metadata = BTreeMap::from([
        ("format".to_owned(), FORMAT.to_owned()),
        ("model".to_owned(), format!("{:016x}", model.fingerprint)),
        ("evaluated".to_owned(), session.evaluated.to_string()),
    ]);
    let tokens: Vec<u8> =
        session.tokens.iter().flat_map(|&id| i64::from(id).to_le_bytes()).collect();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&tokens);
    let mut contents = BTreeMap::from([("tokens".to_owned(), tokens)]);
    let mut specs = vec![TensorSpec::new("tokens", DType::I64, [session.len()])];
    for layer in 0..model.config.layers.len() {
        let (keys, values, first) = model.backend.export(&session.cache, layer)?;
        metadata.insert(format!("layers.{layer}.first"), first.to_string());
        let rows = model.backend.cache_len(&session.cache).saturating_sub(first);
        for (part, bytes) in [("keys", keys), ("values", values)] {
            let name = format!("layers.{layer}.{part}");
            specs.push(TensorSpec::new(&name, dtype, [rows, width]));
            crc.update(&bytes);
            contents.insert(name, bytes);
        }
    }
    metadata.insert("crc32".to_owned(), format!("{:08x}", crc.finalize()));
    let options = WriterOptions::new().metadata(metadata).overwrite(true);
    let mut writer = ShardWriter::create_file(path, &specs, options)?;
    while let Some(spec) = writer.next_tensor() {
        let name = spec.name.clone();
        let bytes = contents.remove(&name).unwrap_or_default();
        writer.write_tensor(&name, &mut bytes.as_slice())?;
    }
    writer.finish()?;
    Ok(())
}

pub(super) fn load<B: Backend>(model: &Model<B>, path: &Path) -> Result<Session<B>> {
    let wrong =
        |reason: &str| Error::SessionFile { path: path.to_owned(), reason: reason.to_owned() };
    let file = Checkpoint::open(path)?;
    let metadata = |name: &str| file.metadata().get(name).map(String::as_str);
    if metadata("format") != Some(FORMAT) {
        return Err(wrong("is no saved session"));
    }
    if metadata("model") != Some(format!("{:016x}", model.fingerprint).as_str()) {
        return Err(wrong("is of another model or precision"));
    }
    let number = |name: &str| metadata(name).and_then(|text| text.parse::<usize>().ok());
    let mut session = model.session()?;
    let tokens = file.tensor("tokens")?.to_bytes()?;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&tokens);
    let vocab = model.config.vocab;
    for (index, &id) in tokens.as_chunks().0.iter().enumerate() {
        let id = i64::from_le_bytes(id);
        let known = u32::try_from(id).ok().filter(|&id| (id as usize) < vocab);
        session.tokens.push(known.ok_or_else(|| {
            wrong(&format!("token {index} is {id}, expected an id below {vocab}"))
        })?);
    }
    let evaluated = number("evaluated").filter(|&evaluated| evaluated <= session.tokens.len());
    session.evaluated = evaluated.ok_or_else(|| wrong("does not say how far it is computed"))?;
    for layer in 0..model.config.layers.len() {
        let keys = file.tensor(&format!("layers.{layer}.keys"))?.to_bytes()?;
        let values = file.tensor(&format!("layers.{layer}.values"))?.to_bytes()?;
        crc.update(&keys);
        crc.update(&values);
        let fits = match number(&format!("layers.{layer}.first")) {
            Some(first) => {
                let (cache, len) = (&mut session.cache, session.evaluated);
                model.backend.import(cache, layer, &keys, &values, first, len)?
            }
            None => false,
        };
        if !fits {
            return Err(wrong(&format!(
                "the keys and values of layer {layer} do not fit the tokens"
            )));
        }
    }
    if metadata("crc32") != Some(format!("{:08x}", crc.finalize()).as_str()) {
        return Err(wrong("is damaged: its checksum is not that of its contents"));
    }
    Ok(session)
}
