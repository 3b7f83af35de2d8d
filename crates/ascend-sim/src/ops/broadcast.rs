//! Shapes that meet as numpy's do: aligned at the end, extents of 1 stretched.

use super::check::Check;
use crate::kernel::Reject;
use crate::tensor::Tensor;

/// The shape that two shapes make together, if they do.
pub(super) fn together(a: &[i64], b: &[i64]) -> Option<Vec<i64>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[i64], dim: usize| {
        (dim + shape.len()).checked_sub(rank).map_or(1, |own| shape[own])
    };
    (0..rank)
        .map(|dim| match (extent(a, dim), extent(b, dim)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// A view of the tensor in a shape that it stretches to, if it does: what is repeated has stride 0.
pub(super) fn stretched(tensor: &Tensor, shape: &[i64]) -> Option<Tensor> {
    if together(&tensor.shape, shape)? != shape {
        return None;
    }
    let added = shape.len() - tensor.shape.len();
    let mut strides = vec![0; added];
    for (dim, &stride) in tensor.strides.iter().enumerate() {
        let repeated = tensor.shape[dim] == 1 && shape[added + dim] != 1;
        strides.push(if repeated { 0 } else { stride });
    }
    Some(Tensor { shape: shape.to_vec(), strides, ..tensor.clone() })
}

impl Check {
    /// A view of the tensor in this shape.
    pub(super) fn stretch(
        &self,
        name: &str,
        tensor: &Tensor,
        shape: &[i64],
    ) -> Result<Tensor, Reject> {
        stretched(tensor, shape).ok_or_else(|| {
            let got = format_args!("of shape {:?}", tensor.shape);
            self.reject(name, got, format_args!("one that stretches to {shape:?}"))
        })
    }

    /// Views of two tensors in the shape that they make together.
    pub(super) fn meet(
        &self,
        names: [&str; 2],
        a: &Tensor,
        b: &Tensor,
    ) -> Result<(Tensor, Tensor), Reject> {
        let shape = together(&a.shape, &b.shape).ok_or_else(|| {
            let got = format_args!("of shape {:?}", b.shape);
            let expected = format_args!("one that meets that of {}, {:?}", names[0], a.shape);
            self.reject(names[1], got, expected)
        })?;
        Ok((self.stretch(names[0], a, &shape)?, self.stretch(names[1], b, &shape)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DataType;
    use crate::ops::testing::Device;

    #[test]
    fn shapes_meet_as_those_of_numpy() {
        assert_eq!(together(&[3, 1], &[4]), Some(vec![3, 4]));
        assert_eq!(together(&[], &[2, 2]), Some(vec![2, 2]));
        assert_eq!(together(&[1], &[0]), Some(vec![0]));
        assert_eq!(together(&[3], &[4]), None);
    }

    #[test]
    fn what_is_stretched_repeats() {
        let device = Device::default();
        let tensor = device.integers(DataType::I32, &[2, 1], &[5, 6]);
        let wide = stretched(&tensor, &[2, 2, 3]).unwrap();
        assert_eq!(device.read_integers(&wide), [5, 5, 5, 6, 6, 6, 5, 5, 5, 6, 6, 6]);
        assert_eq!(stretched(&tensor, &[2]), None);
        assert_eq!(stretched(&tensor, &[3, 1]), None);
    }
}
