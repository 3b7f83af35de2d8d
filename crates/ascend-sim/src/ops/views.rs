//! Other views of the same memory.

use crate::dtype::DataType;
use crate::tensor::Tensor;

impl Tensor {
    /// This dimension last, the others in their order.
    pub(super) fn with_last(&self, dim: usize) -> Self {
        let mut view = self.clone();
        if dim < view.shape.len() {
            let extent = view.shape.remove(dim);
            view.shape.push(extent);
            let stride = view.strides.remove(dim);
            view.strides.push(stride);
        }
        view
    }

    /// The last two dimensions exchanged.
    pub(super) fn transposed(&self) -> Self {
        let mut view = self.clone();
        let rank = view.shape.len();
        if rank >= 2 {
            view.shape.swap(rank - 2, rank - 1);
            view.strides.swap(rank - 2, rank - 1);
        }
        view
    }

    /// The last dimension steps over rows of memory: a matrix seen transposed.
    pub(super) fn exchanged(&self) -> bool {
        let rank = self.shape.len();
        rank >= 2 && self.strides[rank - 2] == 1 && self.strides[rank - 1] != 1
    }

    /// Row after row without gaps, dimensions of one index aside.
    pub(super) fn contiguous(&self) -> bool {
        let mut next = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&extent, &stride)| {
            let fits = extent == 1 || stride == next;
            next *= extent.max(1);
            fits
        })
    }

    /// A dimension of one index more, before `dim`.
    pub(super) fn unsqueezed(&self, dim: usize) -> Self {
        let mut view = self.clone();
        view.shape.insert(dim, 1);
        view.strides.insert(dim, 1);
        view
    }

    /// I32 elements that hold eight I4 each, as those; the lowest four bits are the first.
    pub(super) fn unpacked(&self) -> Self {
        let dim = self.shape.len() - if self.exchanged() { 2 } else { 1 };
        let mut view = Self { dtype: DataType::I4, offset: self.offset * 8, ..self.clone() };
        view.shape[dim] *= 8;
        for (at, stride) in view.strides.iter_mut().enumerate() {
            if at != dim {
                *stride *= 8;
            }
        }
        if let Some(last) = view.storage.last_mut() {
            *last *= 8;
        }
        view
    }

    /// The dimensions in this order, which names each once.
    pub(super) fn permuted(&self, order: &[usize]) -> Self {
        let mut view = self.clone();
        view.shape = order.iter().map(|&dim| self.shape[dim]).collect();
        view.strides = order.iter().map(|&dim| self.strides[dim]).collect();
        view
    }

    /// `count` indices of a dimension, from `start` on, every `step`th.
    pub(super) fn narrowed(&self, dim: usize, start: i64, count: i64, step: i64) -> Self {
        let mut view = self.clone();
        view.offset += start * self.strides[dim];
        view.shape[dim] = count;
        view.strides[dim] *= step;
        view
    }
}

#[cfg(test)]
mod tests {
    use crate::dtype::DataType;
    use crate::ops::testing::Device;

    #[test]
    fn views_show_the_same_memory() {
        let device = Device::default();
        let tensor = device.integers(DataType::I8, &[2, 3], &[1, 2, 3, 4, 5, 6]);
        assert_eq!(device.read_integers(&tensor.transposed()), [1, 4, 2, 5, 3, 6]);
        assert_eq!(device.read_integers(&tensor.with_last(0)), [1, 4, 2, 5, 3, 6]);
        assert_eq!(device.read_integers(&tensor.permuted(&[1, 0])), [1, 4, 2, 5, 3, 6]);
        assert_eq!(device.read_integers(&tensor.narrowed(1, 0, 2, 2)), [1, 3, 4, 6]);
        assert_eq!(device.read_integers(&tensor.narrowed(0, 1, 1, 1)), [4, 5, 6]);
        assert!(tensor.contiguous() && !tensor.exchanged());
        assert!(!tensor.transposed().contiguous() && tensor.transposed().exchanged());
        assert_eq!(tensor.unsqueezed(1).shape, [2, 1, 3]);
    }

    #[test]
    fn eight_nibbles_are_in_an_integer() {
        let device = Device::default();
        let packed = device.integers(DataType::I32, &[2, 1], &[0x7654_3210, -1]);
        let nibbles = packed.unpacked();
        assert_eq!(nibbles.shape, [2, 8]);
        let expected = [0, 1, 2, 3, 4, 5, 6, 7, -1, -1, -1, -1, -1, -1, -1, -1];
        assert_eq!(device.read_integers(&nibbles), expected);
        let packed = device.integers(DataType::I32, &[2, 2], &[0x7654_3210, 0, -1, 0]);
        let turned = packed.transposed().unpacked();
        assert_eq!(turned.shape, [16, 2]);
        assert_eq!(device.read_integers(&turned)[..6], [0, -1, 1, -1, 2, -1]);
    }
}
