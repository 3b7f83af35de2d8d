//! Device memory as operators see it: shape, strides, type.

mod view;

use std::fmt;
use std::sync::Arc;

use super::dims::{Dims, MOST};
use super::dtype::bits_of;
use crate::error::{Error, Result};
use crate::rt::{Block, DeviceBuffer, DeviceSlice, Element};
use crate::sys::{aclDataType, aclFormat};

/// A view of device memory: an element type, a shape, a stride for each axis.
///
/// Making and changing views costs no device work and copies nothing. Axes are counted from 0. The memory is
/// borrowed; see [`rt`](crate::rt) for how it stays alive while streams use it.
///
/// ```
/// use ascend_acl::rt::DeviceBuffer;
///
/// // Queries, keys and values side by side in each row: three views of one buffer.
/// fn split(qkv: &DeviceBuffer<half::bf16>, tokens: usize) -> ascend_acl::Result<()> {
///     let qkv = qkv.tensor(&[tokens, 80, 64])?;
///     let (q, k, v) = (qkv.slice(1, 0..64)?, qkv.slice(1, 64..72)?, qkv.slice(1, 72..80)?);
///     assert_eq!(k.shape(), [tokens as i64, 8, 64]);
///     assert_eq!(v.strides(), [80 * 64, 64, 1]);
///     # let _ = q;
///     Ok(())
/// }
/// ```
///
/// A view does not outlive its buffer:
///
/// ```compile_fail,E0505
/// use ascend_acl::op::{self, Tensor};
/// use ascend_acl::rt::{DeviceBuffer, Stream};
///
/// fn late(stream: &Stream, buffer: DeviceBuffer<f32>) -> ascend_acl::Result<()> {
///     let view = buffer.tensor(&[4])?;
///     drop(buffer);
///     op::zero(stream, &view)
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Tensor<'a> {
    block: &'a Arc<Block>,
    /// Bytes from the beginning of the block to that of the storage.
    base: usize,
    /// Elements in the storage.
    storage: i64,
    dtype: aclDataType,
    layout: Layout,
    shape: Dims,
    strides: Dims,
    /// Elements from the beginning of the storage to the first one.
    offset: i64,
}

/// How elements lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// By the strides.
    Strided,
    /// In blocks of 16 rows by 32 bytes; the shape is that of the storage.
    Blocked(Dims),
}

/// What C is told of a tensor.
pub(super) struct Description {
    pub(super) address: *mut std::ffi::c_void,
    pub(super) offset: i64,
    pub(super) format: aclFormat,
    pub(super) storage: Dims,
}

/// Data must begin at a multiple of so many bytes, the unit in which kernels read.
const ALIGNMENT: usize = 32;

impl<T: Element> DeviceBuffer<T> {
    /// The buffer as a tensor of this shape, row after row; it may be larger.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if it is smaller, or for more than eight axes.
    pub fn tensor(&self, shape: &[usize]) -> Result<Tensor<'_>> {
        self.as_slice().tensor(shape)
    }

    /// The buffer's bytes as a tensor of another element type: int4 (two in a byte, the even one in the low
    /// four bits), fp4, fp8, bool.
    ///
    /// # Errors
    ///
    /// As [`DeviceBuffer::tensor`]; for types without a fixed size.
    pub fn tensor_of(&self, dtype: aclDataType, shape: &[usize]) -> Result<Tensor<'_>> {
        self.as_slice().tensor_of(dtype, shape)
    }
}

impl<'a, T: Element> DeviceSlice<'a, T> {
    /// [`DeviceBuffer::tensor`] of a part of a buffer.
    pub fn tensor(&self, shape: &[usize]) -> Result<Tensor<'a>> {
        self.tensor_of(T::DTYPE, shape)
    }

    /// [`DeviceBuffer::tensor_of`] of a part of a buffer.
    pub fn tensor_of(&self, dtype: aclDataType, shape: &[usize]) -> Result<Tensor<'a>> {
        let refuse = |got: String, expected: String| Error::Argument {
            operation: "tensor",
            argument: "shape",
            got,
            expected,
        };
        let bits = bits_of(dtype).ok_or_else(|| Error::Argument {
            operation: "tensor",
            argument: "dtype",
            got: format!("{dtype:?}"),
            expected: "a type with a fixed size".to_owned(),
        })?;
        let room = self.bytes() * 8 / bits;
        let elements = shape.iter().try_fold(1_usize, |all, &dim| all.checked_mul(dim));
        let fits = elements.is_some_and(|elements| elements <= room);
        let dims: Vec<i64> = shape.iter().filter_map(|&dim| i64::try_from(dim).ok()).collect();
        let dims = Dims::new(&dims).filter(|dims| fits && dims.len() == shape.len());
        let Some(shape) = dims else {
            let expected = format!("up to {MOST} axes and {room} elements of type {dtype:?}");
            return Err(refuse(format!("{shape:?}"), expected));
        };
        // A buffer is no larger than memory, so its elements can be counted in i64.
        let storage = i64::try_from(room).unwrap_or(i64::MAX);
        let strides = contiguous(&shape);
        let (block, base) = (self.block(), self.offset());
        Ok(Tensor {
            block,
            base,
            storage,
            dtype,
            layout: Layout::Strided,
            shape,
            strides,
            offset: 0,
        })
    }
}

fn contiguous(shape: &[i64]) -> Dims {
    let mut strides = Dims::collect(shape.iter().map(|_| 1));
    let mut stride = 1_i64;
    for (slot, dim) in strides.iter_mut().zip(shape).rev() {
        *slot = stride;
        stride = stride.saturating_mul((*dim).max(1));
    }
    strides
}

impl<'a> Tensor<'a> {
    /// The element type.
    #[must_use]
    pub fn dtype(&self) -> aclDataType {
        self.dtype
    }

    /// The length of each axis.
    #[must_use]
    pub fn shape(&self) -> &[i64] {
        &self.shape
    }

    /// The length of an axis; 1 for one that is not there.
    #[must_use]
    pub fn dim(&self, axis: usize) -> i64 {
        self.shape.get(axis).copied().unwrap_or(1)
    }

    /// Elements from one index of each axis to the next.
    #[must_use]
    pub fn strides(&self) -> &[i64] {
        &self.strides
    }

    /// How many axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// How many elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().map(|&dim| dim as usize).product()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// Whether row follows on row without gaps.
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        let natural = contiguous(&self.shape);
        let mut axes = self.shape.iter().zip(self.strides.iter().zip(natural.iter()));
        self.is_empty() || axes.all(|(&dim, (stride, natural))| dim == 1 || stride == natural)
    }

    /// Whether it lies in blocks (`FRACTAL_NZ`).
    #[must_use]
    pub fn is_nz(&self) -> bool {
        self.layout != Layout::Strided
    }

    pub(super) fn block(&self) -> &'a Arc<Block> {
        self.block
    }

    /// The address of the first element, as far as it can be aligned, and what is left.
    pub(super) fn describe(&self) -> Description {
        let format = if self.is_nz() { aclFormat::FRACTAL_NZ } else { aclFormat::ND };
        if let Layout::Blocked(storage) = self.layout {
            let address = self.block.address.at(self.base);
            return Description { address, offset: 0, format, storage };
        }
        // Sizes are powers of two from 4 bits up, so a unit of alignment holds whole elements.
        let bits = bits_of(self.dtype).unwrap_or(8);
        let skipped = self.offset as usize * bits / 8;
        let aligned = (self.base + skipped) / ALIGNMENT * ALIGNMENT;
        let begin = aligned.max(self.base / ALIGNMENT * ALIGNMENT);
        let before = (begin as i64 - self.base as i64) * 8 / bits as i64;
        let storage = Dims::collect([self.storage - before]);
        Description {
            address: self.block.address.at(begin),
            offset: self.offset - before,
            format,
            storage,
        }
    }
}

impl fmt::Debug for Tensor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tensor")
            .field("dtype", &self.dtype)
            .field("shape", &self.shape)
            .field("strides", &self.strides)
            .field("is_nz", &self.is_nz())
            .finish_non_exhaustive()
    }
}
