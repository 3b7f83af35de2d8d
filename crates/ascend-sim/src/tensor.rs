//! What an `aclTensor` describes.

use crate::dtype::DataType;

/// `ACL_FORMAT_ND`: rows as they come.
pub(crate) const ND: i32 = 2;
/// `ACL_FORMAT_FRACTAL_NZ`: blocks of 16 rows by 32 bytes, column of blocks by column of blocks.
pub(crate) const FRACTAL_NZ: i32 = 29;

/// A view of device memory: metadata by value, as a kernel keeps it after the handle is destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tensor {
    pub(crate) dtype: DataType,
    /// Extent of each dimension of the view.
    pub(crate) shape: Vec<i64>,
    /// Elements from one index to the next, a dimension each.
    pub(crate) strides: Vec<i64>,
    /// Elements from `address` to the first of the view.
    pub(crate) offset: i64,
    /// An `aclFormat`, [`ND`] or [`FRACTAL_NZ`] mostly.
    pub(crate) format: i32,
    /// Extents of the memory behind the view.
    pub(crate) storage: Vec<i64>,
    /// The device address, 0 for a tensor that only has a shape.
    pub(crate) address: u64,
}

impl Tensor {
    /// Elements of the view.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product::<i64>().max(0) as usize
    }
}
