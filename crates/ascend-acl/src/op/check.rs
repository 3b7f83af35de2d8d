//! Checks of arguments before the vendor sees them.

use super::dims::Dims;
use super::tensor::Tensor;
use crate::error::{Error, Result};
use crate::sys::aclDataType;

/// The checks of one operator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check(pub(super) &'static str);

impl Check {
    /// Says what is wrong with an argument.
    pub(super) fn refuse(
        self,
        argument: &'static str,
        got: impl Into<String>,
        expected: impl Into<String>,
    ) -> Error {
        let (got, expected) = (got.into(), expected.into());
        Error::Argument { operation: self.0, argument, got, expected }
    }

    pub(super) fn require(
        self,
        holds: bool,
        argument: &'static str,
        got: impl FnOnce() -> String,
        expected: impl FnOnce() -> String,
    ) -> Result<()> {
        if holds { Ok(()) } else { Err(self.refuse(argument, got(), expected())) }
    }

    pub(super) fn rank(self, argument: &'static str, tensor: &Tensor, rank: usize) -> Result<()> {
        self.require(
            tensor.rank() == rank,
            argument,
            || format!("of shape {:?}", tensor.shape()),
            || format!("{rank} axes"),
        )
    }

    /// The tensor has this shape; −1 stands for any length.
    pub(super) fn shape(
        self,
        argument: &'static str,
        tensor: &Tensor,
        shape: &[i64],
    ) -> Result<()> {
        let fits = tensor.rank() == shape.len()
            && tensor.shape().iter().zip(shape).all(|(got, want)| *want == -1 || got == want);
        let spelt =
            || shape.iter().map(|dim| if *dim == -1 { "any".into() } else { dim.to_string() });
        self.require(
            fits,
            argument,
            || format!("of shape {:?}", tensor.shape()),
            || format!("[{}]", spelt().collect::<Vec<String>>().join(", ")),
        )
    }

    pub(super) fn dtype(
        self,
        argument: &'static str,
        tensor: &Tensor,
        allowed: &[aclDataType],
    ) -> Result<()> {
        self.require(
            allowed.contains(&tensor.dtype()),
            argument,
            || format!("of type {:?}", tensor.dtype()),
            || match allowed {
                [one] => format!("{one:?}"),
                several => format!("one of {several:?}"),
            },
        )
    }

    /// The types of several tensors are that of the first.
    pub(super) fn same_dtype(self, tensors: &[(&'static str, &Tensor)]) -> Result<()> {
        let Some(((first, like), others)) = tensors.split_first() else { return Ok(()) };
        for (argument, tensor) in others {
            self.require(
                tensor.dtype() == like.dtype(),
                argument,
                || format!("of type {:?}", tensor.dtype()),
                || format!("{:?}, as {first} is", like.dtype()),
            )?;
        }
        Ok(())
    }

    /// The shapes of several tensors are that of the first.
    pub(super) fn same_shape(self, tensors: &[(&'static str, &Tensor)]) -> Result<()> {
        let Some(((_, like), others)) = tensors.split_first() else { return Ok(()) };
        others.iter().try_for_each(|(argument, tensor)| self.shape(argument, tensor, like.shape()))
    }

    /// `out` has the shape that `a` and `b` broadcast to.
    pub(super) fn broadcast(
        self,
        (first, a): (&'static str, &Tensor),
        (second, b): (&'static str, &Tensor),
        out: &Tensor,
    ) -> Result<()> {
        let rank = a.rank().max(b.rank());
        let dim = |tensor: &Tensor, axis: usize| {
            axis.checked_sub(rank - tensor.rank()).map_or(1, |axis| tensor.dim(axis))
        };
        let mut shape = Dims::collect((0..rank).map(|_| 0));
        for (axis, slot) in shape.iter_mut().enumerate() {
            *slot = match (dim(a, axis), dim(b, axis)) {
                (left, right) if left == right || right == 1 => left,
                (1, right) => right,
                _ => {
                    let got = format!("of shape {:?}", b.shape());
                    let expected = format!("one that broadcasts with {:?} of {first}", a.shape());
                    return Err(self.refuse(second, got, expected));
                }
            };
        }
        self.shape("out", out, &shape)
    }

    /// A tensor without gaps, for operators that do not look at strides.
    pub(super) fn contiguous(self, argument: &'static str, tensor: &Tensor) -> Result<()> {
        self.require(
            tensor.is_contiguous() && !tensor.is_nz(),
            argument,
            || format!("with strides {:?} for shape {:?}", tensor.strides(), tensor.shape()),
            || "a contiguous tensor".to_owned(),
        )
    }

    /// An axis, counted from 0.
    pub(super) fn axis(self, argument: &'static str, axis: usize, tensor: &Tensor) -> Result<i64> {
        let expected = || format!("one of the axes of {:?}", tensor.shape());
        self.require(axis < tensor.rank(), argument, || axis.to_string(), expected)?;
        // At most eight axes.
        Ok(axis as i64)
    }

    /// A tensor in the common format.
    pub(super) fn plain(self, argument: &'static str, tensor: &Tensor) -> Result<()> {
        self.require(
            !tensor.is_nz(),
            argument,
            || "in blocks (FRACTAL_NZ)".to_owned(),
            || "the common format (ND)".to_owned(),
        )
    }
}
