//! Taking tensors by name, and remembering all that is wrong with them.

use std::path::{Path, PathBuf};

use lowfloat::DType;
use moe_kernels::{Matrix, Strips};
use safeshards::Bytes;

use super::container::{Container, Stored};
use super::pieces::{joined, row_range, whole_rows};
use super::{FLOATS, LinearWeights};
use crate::{Error, Result, TensorProblem};

/// The tensors that nobody has taken yet.
///
/// Every method gives `None` for a tensor that is not as expected; [`finish`](Self::finish) then tells
/// of all of them at once.
pub(super) struct Gather {
    path: PathBuf,
    container: Container,
    problems: Vec<TensorProblem>,
}

impl Gather {
    pub(super) fn new(path: &Path, container: Container) -> Self {
        Self { path: path.to_owned(), container, problems: Vec::new() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.container.0.contains_key(name)
    }

    /// The tensor, if it is there and is as expected.
    pub(super) fn take(
        &mut self,
        name: &str,
        expected: &[usize],
        types: &'static [DType],
    ) -> Option<Stored> {
        let expected = expected.to_vec();
        let name = name.to_owned();
        let Some(stored) = self.container.0.remove(&name) else {
            self.problems.push(TensorProblem::Missing { name, expected });
            return None;
        };
        if !types.contains(&stored.dtype) {
            let dtype = stored.dtype;
            self.problems.push(TensorProblem::Type { name, dtype, expected: types });
            return None;
        }
        if stored.shape != expected {
            self.problems.push(TensorProblem::Shape { name, shape: stored.shape, expected });
            return None;
        }
        Some(stored)
    }

    /// A small tensor as f32.
    pub(super) fn vector(&mut self, name: &str, shape: &[usize]) -> Result<Option<Vec<f32>>> {
        let Some(stored) = self.take(name, shape, FLOATS) else { return Ok(None) };
        let bytes = joined(&stored.pieces);
        let mut values = vec![0.0; shape.iter().product()];
        // One row of everything: the kernels know how to read every type.
        let row = Strips::new(bytes.len(), vec![Bytes::from(bytes)])?;
        Matrix::dense(stored.dtype, values.len(), row)?.decode_row(0, &mut values)?;
        Ok(Some(values))
    }

    /// `[rows, cols]`.
    pub(super) fn matrix(
        &mut self,
        name: &str,
        rows: usize,
        cols: usize,
    ) -> Result<Option<Matrix<Bytes>>> {
        match self.take(name, &[rows, cols], FLOATS) {
            Some(stored) => dense(&stored, cols).map(Some),
            None => Ok(None),
        }
    }

    /// A matrix and its bias: `{name}.weight` and `{name}.bias`.
    pub(super) fn linear(
        &mut self,
        name: &str,
        rows: usize,
        cols: usize,
    ) -> Result<Option<LinearWeights>> {
        let weight = self.matrix(&format!("{name}.weight"), rows, cols)?;
        let bias = self.vector(&format!("{name}.bias"), &[rows])?;
        Ok(weight.zip(bias).map(|(weight, bias)| LinearWeights { weight, bias: Some(bias) }))
    }

    /// Matrices that are stored as one, below each other.
    pub(super) fn stacked<const N: usize>(
        &mut self,
        name: &str,
        rows: [usize; N],
        cols: usize,
    ) -> Result<Option<[LinearWeights; N]>> {
        let all = rows.iter().sum();
        let weight = self.take(&format!("{name}.weight"), &[all, cols], FLOATS);
        let bias = self.vector(&format!("{name}.bias"), &[all])?;
        let Some((weight, bias)) = weight.zip(bias) else { return Ok(None) };
        let row_bytes = row_bytes(weight.dtype, cols);
        let pieces = whole_rows(&weight.pieces, row_bytes);
        let mut first = 0;
        let mut parts = Vec::with_capacity(N);
        for rows in rows {
            let part = row_range(&pieces, first * row_bytes, (first + rows) * row_bytes);
            let weight = Matrix::dense(weight.dtype, cols, Strips::new(row_bytes, part)?)?;
            let bias = bias.get(first..first + rows).unwrap_or_default().to_vec();
            parts.push(LinearWeights { weight, bias: Some(bias) });
            first += rows;
        }
        Ok(parts.try_into().ok())
    }

    /// An error if anything was wrong or is left over.
    pub(super) fn finish(mut self) -> Result<()> {
        let left = std::mem::take(&mut self.container.0).into_iter();
        let left = left.map(|(name, stored)| TensorProblem::Unknown { name, shape: stored.shape });
        self.problems.extend(left);
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Error::Tensors { path: self.path, problems: self.problems })
    }
}

/// Rows of floats over the stored bytes.
pub(super) fn dense(stored: &Stored, cols: usize) -> Result<Matrix<Bytes>> {
    let strips = strips(stored, row_bytes(stored.dtype, cols))?;
    Ok(Matrix::dense(stored.dtype, cols, strips)?)
}

/// Rows of bytes.
pub(super) fn strips(stored: &Stored, row_bytes: usize) -> Result<Strips<Bytes>> {
    Ok(Strips::new(row_bytes, whole_rows(&stored.pieces, row_bytes))?)
}

fn row_bytes(dtype: DType, cols: usize) -> usize {
    dtype.bytes_for(cols as u64).unwrap_or_default() as usize
}
