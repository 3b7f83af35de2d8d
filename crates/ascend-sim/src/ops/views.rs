//! Other views of the same memory.

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
    }
}
