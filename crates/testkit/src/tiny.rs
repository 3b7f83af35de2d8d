//! Small gpt-oss checkpoints on disk, with the truth about every tensor.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ckpt_convert::Synthetic;
use ckpt_convert::presets::gpt_oss::{
    ExpertFormat, Shape, TensorDesc, config_json, generation_config_json, shard_file_name, shards,
};
use lowfloat::DType;
use serde_json::Value;
use tempfile::TempDir;

use crate::{original, safetensors};

/// A tensor in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The element type.
    pub dtype: DType,
    /// The shape, outermost dimension first.
    pub shape: Vec<usize>,
    /// The elements, little-endian and row-major.
    pub bytes: Vec<u8>,
}

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// How tensors are spread over files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharding {
    /// Three shards that cut layers, numbered from 0, and an index; one file in the original layout.
    Released,
    /// `model.safetensors` alone, without an index.
    Single,
    /// One file a tensor, and an index.
    PerTensor,
}

/// Whose names the tensors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The hub's: `model.layers.0.self_attn.q_proj.weight`.
    Hf,
    /// That of the release's `original/` folder: `block.0.attn.qkv.weight`, q, k and v in one.
    Original,
}

/// A checkpoint directory, removed when this is dropped unless it was built [in](TinyBuilder::build_in)
/// a place of the caller's.
#[derive(Debug)]
pub struct Tiny {
    path: PathBuf,
    // Held for its `Drop`.
    _dir: Option<TempDir>,
    shape: Shape,
    tensors: Tensors,
    files: Vec<PathBuf>,
}

impl Tiny {
    /// A builder set to [`Shape::tiny`] as released: MXFP4 experts, three shards, the hub's names.
    pub fn builder() -> TinyBuilder {
        TinyBuilder {
            shape: Shape::tiny(),
            experts: ExpertFormat::Mxfp4,
            seed: 0,
            sharding: Sharding::Released,
            layout: Layout::Hf,
        }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The shape of the model.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Every tensor as it stands in the files.
    #[must_use]
    pub fn tensors(&self) -> &Tensors {
        &self.tensors
    }

    /// One tensor.
    ///
    /// # Panics
    ///
    /// When there is none of this name.
    #[must_use]
    #[track_caller]
    pub fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("no tensor {name}"))
    }

    /// The `*.safetensors` files, in the order of their numbers.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Bytes of all tensors.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.tensors.values().map(|tensor| tensor.bytes.len() as u64).sum()
    }
}

/// What a [`Tiny`] shall be.
#[derive(Clone, Debug)]
#[must_use]
pub struct TinyBuilder {
    shape: Shape,
    experts: ExpertFormat,
    seed: u64,
    sharding: Sharding,
    layout: Layout,
}

impl TinyBuilder {
    /// Another model; all of it is held in memory.
    pub fn shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// How the experts are stored.
    pub fn experts(self, experts: ExpertFormat) -> Self {
        Self { experts, ..self }
    }

    /// Other values.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// How tensors are spread over files.
    pub fn sharding(self, sharding: Sharding) -> Self {
        Self { sharding, ..self }
    }

    /// Whose names the tensors have.
    pub fn layout(self, layout: Layout) -> Self {
        Self { layout, ..self }
    }

    /// Writes the checkpoint to a temporary directory.
    ///
    /// # Panics
    ///
    /// When it cannot be written, or for dense experts in the original layout, which has none.
    #[must_use]
    pub fn build(self) -> Tiny {
        let dir = TempDir::new().expect("a temporary directory");
        let path = dir.path().to_owned();
        Tiny { _dir: Some(dir), ..self.build_in(path) }
    }

    /// Writes the checkpoint to a directory, which is made if there is none and is left alone later.
    ///
    /// # Panics
    ///
    /// As [`build`](Self::build) does.
    #[must_use]
    pub fn build_in(self, path: impl Into<PathBuf>) -> Tiny {
        let path = path.into();
        fs::create_dir_all(&path).expect("the directory");
        let (tensors, groups) = match self.layout {
            Layout::Hf => self.hub(),
            Layout::Original => self.original(),
        };
        let write = |name: &str, text: &str| fs::write(path.join(name), text).expect(name);
        match self.layout {
            Layout::Hf => {
                write("config.json", &config_json(&self.shape, self.experts));
                write("generation_config.json", &generation_config_json(&self.shape));
            }
            Layout::Original => {
                write("config.json", &original::config_json(&self.shape).to_string());
                write("dtypes.json", &original::dtypes_json(&tensors).to_string());
            }
        }
        let single = groups.len() == 1 && self.sharding != Sharding::PerTensor;
        let mut files = Vec::new();
        let mut weight_map = Vec::new();
        for (k, names) in groups.iter().enumerate() {
            let file = if single {
                "model.safetensors".to_owned()
            } else {
                shard_file_name(k, groups.len())
            };
            let held = names.iter().map(|name| (name.clone(), tensors[name].clone())).collect();
            // The released files carry no metadata.
            safetensors::write(&path.join(&file), &held, None);
            weight_map.extend(names.iter().map(|name| (name, file.clone())));
            files.push(path.join(file));
        }
        let tiny = Tiny { path: path.clone(), _dir: None, shape: self.shape, tensors, files };
        if !single {
            write("model.safetensors.index.json", &index_json(tiny.total_bytes(), &weight_map));
        }
        tiny
    }

    /// The tensors and, in order, the names in each file.
    fn hub(&self) -> (Tensors, Vec<Vec<String>>) {
        let model = Synthetic::new(self.shape.clone(), self.experts, self.seed);
        let descs = model.tensors();
        let groups = match self.sharding {
            Sharding::Released => shards(&self.shape, self.experts),
            Sharding::Single => vec![(0..descs.len()).collect()],
            Sharding::PerTensor => (0..descs.len()).map(|index| vec![index]).collect(),
        };
        let names = |group: Vec<usize>| group.iter().map(|&i| descs[i].name.clone()).collect();
        let tensors =
            descs.iter().enumerate().map(|(i, desc)| (desc.name.clone(), read(&model, i, desc)));
        (tensors.collect(), groups.into_iter().map(names).collect())
    }

    fn original(&self) -> (Tensors, Vec<Vec<String>>) {
        assert_eq!(self.experts, ExpertFormat::Mxfp4, "the original layout has no dense experts");
        let model = Synthetic::new(self.shape.clone(), self.experts, self.seed);
        let mut tensors = Tensors::new();
        for (index, desc) in model.tensors().iter().enumerate() {
            original::insert(&mut tensors, &desc.name, read(&model, index, desc));
        }
        let names = tensors.keys().cloned();
        let groups = match self.sharding {
            Sharding::Released | Sharding::Single => vec![names.collect()],
            Sharding::PerTensor => names.map(|name| vec![name]).collect(),
        };
        (tensors, groups)
    }
}

fn read(model: &Synthetic, index: usize, desc: &TensorDesc) -> Tensor {
    let mut bytes = vec![0; usize::try_from(desc.bytes()).expect("a tensor that fits in memory")];
    model.fill(index, 0, &mut bytes);
    Tensor { dtype: desc.dtype, shape: desc.shape.clone(), bytes }
}

/// As Python's `json.dumps` writes it, without indentation, which is what the release has.
fn index_json(total_size: u64, weight_map: &[(&String, String)]) -> String {
    let entry = |(name, file): &(&String, String)| {
        format!("{}: {}", Value::from(name.as_str()), Value::from(file.as_str()))
    };
    let entries: Vec<String> = weight_map.iter().map(entry).collect();
    let entries = entries.join(", ");
    format!("{{\"metadata\": {{\"total_size\": {total_size}}}, \"weight_map\": {{{entries}}}}}")
}

#[cfg(test)]
mod tests;
