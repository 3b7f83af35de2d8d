use std::path::Path;

use lowfloat::DType;

use crate::{Tensor, Tensors, safetensors};

/// `golden.safetensors`.
pub(super) struct File {
    pub(super) place: String,
    tensors: Tensors,
}

impl File {
    pub(super) fn read(path: &Path) -> Self {
        Self { place: path.display().to_string(), tensors: safetensors::read(path) }
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.place))
    }

    pub(super) fn shape(&self, name: &str) -> &[usize] {
        &self.tensor(name).shape
    }

    fn words(&self, name: &str, dtype: DType) -> impl Iterator<Item = [u8; 4]> {
        let tensor = self.tensor(name);
        assert_eq!(tensor.dtype, dtype, "{}: {name}: element type", self.place);
        tensor.bytes.chunks_exact(4).map(|word| word.try_into().expect("four bytes"))
    }

    pub(super) fn f32s(&self, name: &str) -> Vec<f32> {
        self.words(name, DType::F32).map(f32::from_le_bytes).collect()
    }

    pub(super) fn u32s(&self, name: &str) -> Vec<u32> {
        let words = self.words(name, DType::I32).map(i32::from_le_bytes);
        words.map(|word| u32::try_from(word).expect("no negative number")).collect()
    }
}
