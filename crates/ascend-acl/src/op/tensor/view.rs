//! Other views of the same memory.

use std::ops::{Bound, RangeBounds};

use super::{Layout, Tensor, contiguous};
use crate::error::{Error, Result};
use crate::op::dims::{Dims, MOST};
use crate::op::dtype::bits_of;

impl Tensor<'_> {
    /// Two axes exchanged. This is how operators are given transposed weights.
    pub fn transpose(&self, a: usize, b: usize) -> Result<Self> {
        self.axis("transpose", a)?;
        self.axis("transpose", b)?;
        let mut view = *self;
        view.shape.swap(a, b);
        view.strides.swap(a, b);
        Ok(view)
    }

    /// The last two axes exchanged.
    pub fn t(&self) -> Result<Self> {
        match self.rank() {
            rank @ 2.. => self.transpose(rank - 2, rank - 1),
            rank => {
                Err(self.refuse("t", "tensor", format!("of {rank} axes"), "two or more".into()))
            }
        }
    }

    /// The axes in another order.
    pub fn permute(&self, axes: &[usize]) -> Result<Self> {
        let mut seen = [false; MOST];
        let each_once = axes.len() == self.rank()
            && axes
                .iter()
                .all(|&axis| axis < self.rank() && !std::mem::replace(&mut seen[axis], true));
        if !each_once {
            let expected = format!("each axis of 0..{} once", self.rank());
            return Err(self.refuse("permute", "axes", format!("{axes:?}"), expected));
        }
        self.strided("permute")?;
        let mut view = *self;
        view.shape = Dims::collect(axes.iter().map(|&axis| self.shape[axis]));
        view.strides = Dims::collect(axes.iter().map(|&axis| self.strides[axis]));
        Ok(view)
    }

    /// A part of an axis.
    pub fn slice(&self, axis: usize, range: impl RangeBounds<usize>) -> Result<Self> {
        self.step(axis, range, 1)
    }

    /// Every so many indices of a part of an axis.
    ///
    /// ```
    /// # fn even_and_odd(x: ascend_acl::op::Tensor) -> ascend_acl::Result<()> {
    /// let (gate, up) = (x.step(1, 0.., 2)?, x.step(1, 1.., 2)?);
    /// # let _ = (gate, up);
    /// # Ok(())
    /// # }
    /// ```
    pub fn step(&self, axis: usize, range: impl RangeBounds<usize>, step: usize) -> Result<Self> {
        self.strided("slice")?;
        let dim = self.axis("slice", axis)? as usize;
        let start = match range.start_bound() {
            Bound::Included(&at) => Some(at),
            Bound::Excluded(&at) => at.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let end = match range.end_bound() {
            Bound::Included(&at) => at.checked_add(1),
            Bound::Excluded(&at) => Some(at),
            Bound::Unbounded => Some(dim),
        };
        let bounds = start.zip(end).filter(|(start, end)| start <= end && *end <= dim && step > 0);
        let Some((start, end)) = bounds else {
            let got = format!("{:?}..{:?} by {step}", range.start_bound(), range.end_bound());
            return Err(self.refuse("slice", "range", got, format!("a range within 0..{dim}")));
        };
        let mut view = *self;
        view.shape[axis] = (end - start).div_ceil(step) as i64;
        if start < dim {
            view.offset += start as i64 * self.strides[axis];
        }
        // A single index has no next one, and a stride that cannot be counted is never used.
        view.strides[axis] =
            self.strides[axis].saturating_mul(i64::try_from(step).unwrap_or(i64::MAX));
        if view.shape[axis] <= 1 {
            view.strides[axis] = self.strides[axis];
        }
        Ok(view)
    }

    /// One index of an axis, which goes away.
    pub fn select(&self, axis: usize, index: usize) -> Result<Self> {
        let end = index.saturating_add(1);
        let mut view = self.slice(axis, index..end)?;
        view.shape = view.shape.remove(axis);
        view.strides = view.strides.remove(axis);
        Ok(view)
    }

    /// A new axis of length 1.
    pub fn unsqueeze(&self, axis: usize) -> Result<Self> {
        self.strided("unsqueeze")?;
        let inserted = self.shape.insert(axis, 1).zip(self.strides.insert(axis, 1));
        let Some((shape, strides)) = inserted else {
            let got = format!("{axis}, of {} axes", self.rank());
            let expected = format!("at most the number of axes, of which there may be {MOST}");
            return Err(self.refuse("unsqueeze", "axis", got, expected));
        };
        Ok(Self { shape, strides, ..*self })
    }

    /// Another shape of the same elements in the same order.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if the numbers of elements differ, or if the strides do not allow it without a copy: axes that are
    /// merged or cut must lie in memory as one.
    pub fn reshape(&self, shape: &[usize]) -> Result<Self> {
        self.strided("reshape")?;
        let dims: Vec<i64> = shape.iter().filter_map(|&dim| i64::try_from(dim).ok()).collect();
        let elements = shape.iter().try_fold(1_usize, |all, &dim| all.checked_mul(dim));
        let dims = Dims::new(&dims)
            .filter(|dims| dims.len() == shape.len() && elements == Some(self.len()));
        let Some(dims) = dims else {
            let expected = format!("{} elements in up to {MOST} axes", self.len());
            return Err(self.refuse("reshape", "shape", format!("{shape:?}"), expected));
        };
        let strides = if self.is_contiguous() {
            contiguous(&dims)
        } else {
            reshaped(&self.shape, &self.strides, &dims).ok_or_else(|| {
                let got = format!("{shape:?}");
                let expected = format!(
                    "one that strides {:?} of {:?} allow without a copy",
                    self.strides, self.shape
                );
                self.refuse("reshape", "shape", got, expected)
            })?
        };
        Ok(Self { shape: dims, strides, ..*self })
    }

    /// Axes of length 1 repeated, and new ones in front, to this shape.
    pub fn expand(&self, shape: &[usize]) -> Result<Self> {
        self.strided("expand")?;
        let new = shape.len().checked_sub(self.rank()).filter(|_| shape.len() <= MOST);
        let fits = new.is_some_and(|new| {
            shape
                .iter()
                .skip(new)
                .zip(self.shape.iter())
                .all(|(&to, &from)| from == 1 || usize::try_from(from) == Ok(to))
        });
        let dims: Vec<i64> = shape.iter().filter_map(|&dim| i64::try_from(dim).ok()).collect();
        let (Some(new), true, true) = (new, fits, dims.len() == shape.len()) else {
            let expected = format!("{:?}, or longer where that has 1 and in front", self.shape);
            return Err(self.refuse("expand", "shape", format!("{shape:?}"), expected));
        };
        let strides = dims.iter().enumerate().map(|(axis, &dim)| match axis.checked_sub(new) {
            Some(old) if self.shape[old] == dim => self.strides[old],
            _ => 0,
        });
        Ok(Self {
            shape: Dims::collect(dims.iter().copied()),
            strides: Dims::collect(strides),
            ..*self
        })
    }

    /// The same bytes, taken to be a matrix in blocks of 16 rows by 32 bytes (`FRACTAL_NZ`), or a stack of them.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] unless the tensor is contiguous, has two to six axes and elements of 4 to 32
    /// bits, and the memory has room for whole blocks.
    pub fn as_nz(&self) -> Result<Self> {
        let per_block = match bits_of(self.dtype) {
            Some(bits @ (4 | 8 | 16 | 32)) => 256 / bits as i64,
            _ => 0,
        };
        if self.rank() < 2 || self.rank() > MOST - 2 || per_block == 0 || !self.is_contiguous() {
            let got = format!("of shape {:?} and strides {:?}", self.shape, self.strides);
            let expected = "a contiguous one of two to six axes".to_owned();
            return Err(self.refuse("as_nz", "tensor", got, expected));
        }
        let (stack, matrix) = self.shape.split_at(self.rank() - 2);
        let blocks = [
            matrix[1].div_euclid(per_block) + i64::from(matrix[1] % per_block > 0),
            matrix[0].div_euclid(16) + i64::from(matrix[0] % 16 > 0),
            16,
            per_block,
        ];
        let storage = Dims::collect(stack.iter().copied().chain(blocks));
        let elements = storage.iter().try_fold(1_i64, |all, &dim| all.checked_mul(dim));
        if elements.is_none_or(|elements| elements > self.storage) || self.offset != 0 {
            let got = format!("memory for {} elements", self.storage);
            let expected = format!("room for {storage:?}, whole blocks, from its beginning on");
            return Err(self.refuse("as_nz", "tensor", got, expected));
        }
        Ok(Self { layout: Layout::Blocked(storage), ..*self })
    }

    fn axis(&self, operation: &'static str, axis: usize) -> Result<i64> {
        self.shape.get(axis).copied().ok_or_else(|| {
            let expected = format!("one of 0..{}", self.rank());
            self.refuse(operation, "axis", axis.to_string(), expected)
        })
    }

    fn strided(&self, operation: &'static str) -> Result<()> {
        if self.is_nz() {
            let got = "in blocks (FRACTAL_NZ)".to_owned();
            return Err(self.refuse(operation, "tensor", got, "one with strides".to_owned()));
        }
        Ok(())
    }

    #[allow(clippy::unused_self)] // Reads as the others do.
    fn refuse(
        &self,
        operation: &'static str,
        argument: &'static str,
        got: String,
        expected: String,
    ) -> Error {
        Error::Argument { operation, argument, got, expected }
    }
}

/// The strides of another shape, if that can be seen without a copy: runs of old axes that lie in memory as one are cut
/// into runs of new ones.
fn reshaped(shape: &[i64], strides: &[i64], to: &[i64]) -> Option<Dims> {
    let axes: Vec<(i64, i64)> =
        shape.iter().copied().zip(strides.iter().copied()).filter(|(dim, _)| *dim != 1).collect();
    let mut new = Dims::collect(to.iter().map(|_| 1));
    let mut at = to.len();
    let mut end = axes.len();
    while end > 0 {
        let mut begin = end - 1;
        let (mut length, stride) = axes[begin];
        while begin > 0 && axes[begin - 1].1 == axes[begin].1 * axes[begin].0 {
            begin -= 1;
            length *= axes[begin].0;
        }
        let (mut taken, mut step) = (1, stride);
        while taken < length {
            at = at.checked_sub(1)?;
            new[at] = step;
            taken *= to[at];
            step *= to[at];
        }
        if taken != length {
            return None;
        }
        end = begin;
    }
    Some(new)
}
