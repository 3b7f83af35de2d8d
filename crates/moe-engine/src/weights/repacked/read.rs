//! Taking the file's matrices. Nothing in it is trusted.

use std::collections::BTreeMap;
use std::path::Path;

use lowfloat::DType;
use moe_kernels::{CodedParts, Int8Parts, Matrix, Repack, Strips};
use safeshards::{Bytes, Checkpoint};

use super::{FORMAT, VERSION, chain};
use crate::{Error, Result, TensorProblem};

/// What can be done about a file that this crate made.
const AGAIN: &str = "it may be deleted, and is then made again";
/// About one that may be anything.
const OTHER: &str = "give another name, or delete it if it is of no use to you";

/// Puts the file's matrices in the place of those of their names; others stay.
pub(super) fn replace(
    matrices: &mut [(String, &mut Matrix<Bytes>)],
    form: Repack,
    source: &str,
    path: &Path,
) -> Result<()> {
    let mut file = Contents::open(path)?;
    file.check("form", super::name(form))?;
    file.check("source", source)?;
    for (name, matrix) in matrices {
        let found = match form {
            Repack::Coded => coded(&mut file, name, matrix)?,
            Repack::Int8 => int8(&mut file, name, matrix)?,
        };
        if let Some(found) = found {
            **matrix = found;
        }
    }
    match file.tensors.pop_first() {
        Some((name, Tensor { shape, .. })) => {
            Err(file.misfit(&TensorProblem::Unknown { name, shape }))
        }
        None => Ok(()),
    }
}

fn coded(file: &mut Contents, name: &str, stored: &Matrix<Bytes>) -> Result<Option<Matrix<Bytes>>> {
    let count = stored.rows();
    let Some(rows) = file.rows(&format!("{name}.rows"), count)? else { return Ok(None) };
    let table = file.take(&format!("{name}.table"), DType::U8, vec![16])?;
    let ends = file.take(&format!("{name}.ends"), DType::U32, vec![count])?;
    let ends: Vec<u32> = ends.as_chunks().0.iter().map(|end| u32::from_le_bytes(*end)).collect();
    let escapes = ends.last().map_or(0, |end| *end as usize);
    let escapes = file.take(&format!("{name}.escapes"), DType::U8, vec![escapes, 4])?;
    let table = table.first_chunk().copied().unwrap_or_default();
    let matrix = Matrix::coded(stored.cols(), CodedParts { rows, table, escapes, ends });
    matrix.map(Some).map_err(|error| file.wrong(&format!("{name}: {error}"), AGAIN))
}

fn int8(file: &mut Contents, name: &str, stored: &Matrix<Bytes>) -> Result<Option<Matrix<Bytes>>> {
    let Some(codes) = file.rows(&format!("{name}.codes"), stored.rows())? else { return Ok(None) };
    let end = format!("{name}.scales");
    let Some(scales) = file.rows(&end, stored.rows())? else {
        let expected = vec![stored.rows(), stored.cols() / lowfloat::mxfp4::BLOCK];
        return Err(file.misfit(&TensorProblem::Missing { name: end, expected }));
    };
    let matrix = Matrix::int8(stored.cols(), Int8Parts { codes, scales });
    matrix.map(Some).map_err(|error| file.wrong(&format!("{name}: {error}"), AGAIN))
}

/// What nobody has taken yet.
struct Contents<'a> {
    path: &'a Path,
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Tensor>,
}

struct Tensor {
    dtype: DType,
    shape: Vec<usize>,
    bytes: Bytes,
}

impl<'a> Contents<'a> {
    /// A file of this format and version.
    fn open(path: &'a Path) -> Result<Self> {
        let mut contents = Self { path, metadata: BTreeMap::new(), tensors: BTreeMap::new() };
        let unread = |error| Error::RepackFile {
            path: path.to_owned(),
            reason: format!("cannot be read: {}", chain(&error)),
        };
        let map = Bytes::map_file(path).map_err(unread)?;
        // The name is in front of whatever is wrong already.
        let file = Checkpoint::from_bytes("it", map);
        let file = file.map_err(|error| contents.wrong(&error.to_string(), OTHER))?;
        contents.metadata.clone_from(file.metadata());
        match contents.metadata.get("format") {
            Some(format) if format.starts_with(FORMAT) => {}
            format => {
                let found = format.map_or("none", String::as_str);
                let expected = format!("{FORMAT}{VERSION}");
                let reason = format!("expected the format {expected:?}, found {found:?}");
                return Err(contents.wrong(&reason, OTHER));
            }
        }
        contents.check("format", &format!("{FORMAT}{VERSION}"))?;
        for tensor in file.tensors() {
            let (dtype, shape) = (tensor.dtype(), tensor.shape().to_vec());
            let bytes = tensor.to_bytes().map_err(unread)?;
            contents.tensors.insert(tensor.name().to_owned(), Tensor { dtype, shape, bytes });
        }
        Ok(contents)
    }

    fn check(&self, key: &str, expected: &str) -> Result<()> {
        let found = self.metadata.get(key).map_or("none", String::as_str);
        if found == expected {
            return Ok(());
        }
        let of = if key == "source" { "it was made of other weights: " } else { "" };
        Err(self.wrong(&format!("{of}expected the {key} {expected:?}, found {found:?}"), AGAIN))
    }

    /// A tensor of bytes in `count` rows, if there is one of the name.
    fn rows(&mut self, name: &str, count: usize) -> Result<Option<Strips<Bytes>>> {
        let Some(tensor) = self.tensors.get(name) else { return Ok(None) };
        let row_bytes = tensor.bytes.len().checked_div(count).unwrap_or(0);
        let bytes = self.take(name, DType::U8, vec![count, row_bytes])?;
        let rows = Strips::new(row_bytes, vec![bytes]);
        rows.map(Some).map_err(|error| self.wrong(&format!("{name}: {error}"), AGAIN))
    }

    fn take(&mut self, name: &str, dtype: DType, expected: Vec<usize>) -> Result<Bytes> {
        let name = name.to_owned();
        let problem = match self.tensors.remove(&name) {
            None => TensorProblem::Missing { name, expected },
            Some(tensor) if tensor.dtype != dtype => {
                let expected = if dtype == DType::U8 { &[DType::U8] } else { &[DType::U32] };
                TensorProblem::Type { name, dtype: tensor.dtype, expected }
            }
            Some(tensor) if tensor.shape != expected => {
                TensorProblem::Shape { name, shape: tensor.shape, expected }
            }
            Some(tensor) => return Ok(tensor.bytes),
        };
        Err(self.misfit(&problem))
    }

    fn misfit(&self, problem: &TensorProblem) -> Error {
        self.wrong(&format!("tensor {problem}"), AGAIN)
    }

    fn wrong(&self, reason: &str, advice: &str) -> Error {
        Error::RepackFile { path: self.path.to_owned(), reason: format!("{reason}; {advice}") }
    }
}
