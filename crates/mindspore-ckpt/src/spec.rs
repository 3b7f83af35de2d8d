//! What a tensor is called and how large it is.

use crate::{Dtype, Error, Place, Result};

/// The longest name that MindSpore loads, in characters.
pub const MAX_NAME_CHARS: usize = 1024;

/// The largest dimension that MindSpore loads: 2^31 - 1.
pub const MAX_DIM: u64 = (1 << 31) - 1;

/// The most dimensions that this crate reads or writes. MindSpore 2.0.0 loads at most 32.
pub const MAX_RANK: usize = 1024;

/// A file is at most this long: offsets are signed in every operating system.
pub(crate) const MAX_BYTES: u64 = i64::MAX as u64;

/// The name, the type and the shape of a tensor.
///
/// A scalar has no dimensions. For [`Dtype::Str`] there is one: the number of characters.
///
/// ```
/// use mindspore_ckpt::{Dtype, TensorSpec};
///
/// let spec = TensorSpec::new("model.norm.weight", Dtype::BFloat16, [2880])?;
/// assert_eq!(spec.byte_len()?, 5760);
/// assert!(TensorSpec::new("", Dtype::Int8, [1]).is_err());
/// assert!(TensorSpec::new("empty", Dtype::Int8, [0]).is_err());
/// # Ok::<(), mindspore_ckpt::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorSpec {
    /// The parameter's name, 1 to 1,024 characters of any kind.
    pub name: String,
    /// The type of the elements.
    pub dtype: Dtype,
    /// The shape, outermost first; empty for a scalar.
    pub dims: Vec<u64>,
}

impl TensorSpec {
    /// Describes a tensor that every MindSpore version in question can hold.
    ///
    /// # Errors
    ///
    /// An empty name or one over [`MAX_NAME_CHARS`]; a dimension over [`MAX_DIM`]; more than
    /// [`MAX_RANK`] dimensions; more than 2^63 - 1 bytes; and the shape `[0]`, which MindSpore
    /// loads as a scalar of garbage.
    pub fn new(name: impl Into<String>, dtype: Dtype, dims: impl Into<Vec<u64>>) -> Result<Self> {
        let spec = Self { name: name.into(), dtype, dims: dims.into() };
        spec.validate()?;
        Ok(spec)
    }

    /// Bytes of the content.
    ///
    /// # Errors
    ///
    /// More than 2^63 - 1 bytes.
    pub fn byte_len(&self) -> Result<u64> {
        byte_len(self.dtype, &self.dims).ok_or_else(|| Error::ShapeTooLarge {
            place: self.place(),
            dtype: self.dtype,
            dims: self.dims.clone(),
        })
    }

    /// Checks what [`new`](Self::new) checks, and returns the bytes of the content.
    pub(crate) fn validate(&self) -> Result<u64> {
        check_name(&self.name, || self.place())?;
        check_rank(self.dims.len(), || self.place())?;
        for (axis, &dim) in self.dims.iter().enumerate() {
            check_dim(axis, i64::try_from(dim).unwrap_or(i64::MAX), || self.place())?;
        }
        if self.dims == [0] {
            return Err(Error::EmptyVector { place: self.place() });
        }
        self.byte_len()
    }

    fn place(&self) -> Place {
        Place::tensor(&self.name)
    }
}

/// Bytes of a shape; `None` over [`MAX_BYTES`].
pub(crate) fn byte_len(dtype: Dtype, dims: &[u64]) -> Option<u64> {
    if dims.contains(&0) {
        return Some(0);
    }
    dims.iter()
        .try_fold(dtype.item_size(), |bytes, &dim| bytes.checked_mul(dim))
        .filter(|&bytes| bytes <= MAX_BYTES)
}

pub(crate) fn check_name(name: &str, place: impl Fn() -> Place) -> Result<()> {
    if name.is_empty() {
        return Err(Error::MissingName { place: Place { tensor: None, ..place() } });
    }
    let chars = name.chars().count();
    if chars > MAX_NAME_CHARS {
        let place = Place { tensor: None, ..place() };
        return Err(Error::NameTooLong { place, chars: chars as u64 });
    }
    Ok(())
}

pub(crate) fn check_rank(rank: usize, place: impl Fn() -> Place) -> Result<()> {
    if rank > MAX_RANK { Err(Error::RankTooLarge { place: place() }) } else { Ok(()) }
}

pub(crate) fn check_dim(axis: usize, dim: i64, place: impl Fn() -> Place) -> Result<u64> {
    match u64::try_from(dim) {
        Ok(dim) if dim <= MAX_DIM => Ok(dim),
        _ => Err(Error::DimOutOfRange { place: place(), axis, dim }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_in_characters() {
        assert!(TensorSpec::new("ü".repeat(1024), Dtype::Bool, []).is_ok());
        let error = TensorSpec::new("ü".repeat(1025), Dtype::Bool, []).unwrap_err();
        assert!(matches!(error, Error::NameTooLong { chars: 1025, .. }), "{error}");
        assert!(TensorSpec::new("\0", Dtype::Bool, []).is_ok());
    }

    #[test]
    fn shapes_end_where_mindspore_ends() {
        assert!(TensorSpec::new("a", Dtype::Int8, [MAX_DIM]).is_ok());
        for dim in [MAX_DIM + 1, u64::MAX] {
            let error = TensorSpec::new("a", Dtype::Int8, [3, dim]).unwrap_err();
            assert!(matches!(error, Error::DimOutOfRange { axis: 1, .. }), "{error}");
        }
        assert!(matches!(
            TensorSpec::new("a", Dtype::Int8, [MAX_DIM; 3]),
            Err(Error::ShapeTooLarge { .. })
        ));
        assert!(matches!(
            TensorSpec::new("a", Dtype::Int8, vec![1; MAX_RANK + 1]),
            Err(Error::RankTooLarge { .. })
        ));
        // Zero elements are zero bytes, whatever stands beside the zero.
        let spec = TensorSpec::new("a", Dtype::Int8, [MAX_DIM, MAX_DIM, MAX_DIM, 0]).unwrap();
        assert_eq!(spec.byte_len().unwrap(), 0);
        assert_eq!(TensorSpec::new("a", Dtype::Float64, []).unwrap().byte_len().unwrap(), 8);
    }
}
