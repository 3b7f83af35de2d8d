//! Arithmetic of views, against indices counted by hand, read back through a copy on the device.

use ascend_acl::op::{self, Tensor};
use ascend_acl::rt::{DeviceBuffer, Stream};
use proptest::prelude::*;

use super::machine::{beside, device};

/// A change of a view; numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Change {
    Transpose(usize, usize),
    Slice(usize, usize, usize, usize),
    Select(usize, usize),
    Unsqueeze(usize),
    Merge,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let number = 0_usize..8;
    let change = prop_oneof![
        (number.clone(), number.clone()).prop_map(|(a, b)| Change::Transpose(a, b)),
        (number.clone(), number.clone(), number.clone(), 1_usize..4)
            .prop_map(|(axis, a, b, step)| Change::Slice(axis, a, b, step)),
        (number.clone(), number.clone()).prop_map(|(axis, at)| Change::Select(axis, at)),
        number.prop_map(Change::Unsqueeze),
        Just(Change::Merge),
    ];
    prop::collection::vec(change, 0..6)
}

/// Indices into the buffer, in the order of a shape.
#[derive(Debug, Clone)]
struct Model {
    shape: Vec<usize>,
    indices: Vec<usize>,
}

impl Model {
    fn at(&self, place: &[usize]) -> usize {
        self.indices[place.iter().zip(&self.shape).fold(0, |all, (at, dim)| all * dim + at)]
    }

    /// Another shape, whose places come from places of this one.
    fn map(&self, shape: Vec<usize>, from: impl Fn(&[usize]) -> Vec<usize>) -> Self {
        let len = shape.iter().product();
        let indices = (0..len)
            .map(|mut at| {
                let mut place = vec![0; shape.len()];
                for axis in (0..shape.len()).rev() {
                    place[axis] = at % shape[axis];
                    at /= shape[axis];
                }
                self.at(&from(&place))
            })
            .collect();
        Self { shape, indices }
    }
}

/// One change on both sides; what cannot be done is left out.
fn apply<'a>(change: &Change, view: &Tensor<'a>, model: Model) -> (Tensor<'a>, Model) {
    let rank = view.rank();
    match *change {
        Change::Transpose(a, b) if rank > 0 => {
            let (a, b) = (a % rank, b % rank);
            let mut shape = model.shape.clone();
            shape.swap(a, b);
            let turned = model.map(shape, |place| {
                let mut place = place.to_vec();
                place.swap(a, b);
                place
            });
            (view.transpose(a, b).unwrap(), turned)
        }
        Change::Slice(axis, a, b, step) if rank > 0 => {
            let axis = axis % rank;
            let dim = model.shape[axis];
            let (a, b) = (a % (dim + 1), b % (dim + 1));
            let (start, end) = (a.min(b), a.max(b));
            let mut shape = model.shape.clone();
            shape[axis] = (end - start).div_ceil(step);
            let part = model.map(shape, |place| {
                let mut place = place.to_vec();
                place[axis] = start + place[axis] * step;
                place
            });
            (view.step(axis, start..end, step).unwrap(), part)
        }
        Change::Select(axis, at) if rank > 1 && model.shape[axis % rank] > 0 => {
            let axis = axis % rank;
            let at = at % model.shape[axis];
            let mut shape = model.shape.clone();
            shape.remove(axis);
            let part = model.map(shape, |place| {
                let mut place = place.to_vec();
                place.insert(axis, at);
                place
            });
            (view.select(axis, at).unwrap(), part)
        }
        Change::Unsqueeze(axis) if rank < 7 => {
            let axis = axis % (rank + 1);
            let mut shape = model.shape.clone();
            shape.insert(axis, 1);
            let wider = model.map(shape, |place| {
                let mut place = place.to_vec();
                place.remove(axis);
                place
            });
            (view.unsqueeze(axis).unwrap(), wider)
        }
        Change::Merge => {
            let len = model.indices.len();
            match view.reshape(&[len]) {
                Ok(merged) => (merged, Model { shape: vec![len], indices: model.indices }),
                Err(_) => (*view, model),
            }
        }
        _ => (*view, model),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_view_is_where_it_says(
        shape in prop::collection::vec(1_usize..6, 1..4),
        skipped in 0_usize..9,
        changes in changes(),
    ) {
        let _beside = beside();
        let device = device();
        let stream = Stream::new(&device).unwrap();
        let len: usize = shape.iter().product();
        let numbers: Vec<i32> = (0..(len + skipped) as i32).collect();
        let buffer = DeviceBuffer::from_slice(&device, &numbers).unwrap();
        let mut view = buffer.slice(skipped..).unwrap().tensor(&shape).unwrap();
        let mut model = Model { shape, indices: (skipped..skipped + len).collect() };
        for change in &changes {
            (view, model) = apply(change, &view, model);
            let of_model: Vec<i64> = model.shape.iter().map(|dim| *dim as i64).collect();
            prop_assert_eq!(view.shape(), &of_model[..]);
            prop_assert_eq!(view.len(), model.indices.len());
        }
        if !view.is_empty() {
            let out = DeviceBuffer::<i32>::new(&device, view.len()).unwrap();
            op::copy(&stream, &view, &out.tensor(&model.shape).unwrap()).unwrap();
            let want: Vec<i32> = model.indices.iter().map(|at| *at as i32).collect();
            prop_assert_eq!(out.to_vec().unwrap(), want);
        }
    }

    #[test]
    fn a_shape_that_strides_allow_keeps_the_order(
        dims in prop::collection::vec(1_usize..5, 1..4),
        cut in 1_usize..4,
    ) {
        let _beside = beside();
        let device = device();
        let len: usize = dims.iter().product();
        let buffer = DeviceBuffer::from_slice(&device, &(0..len as i32).collect::<Vec<_>>()).unwrap();
        let whole = buffer.tensor(&[len]).unwrap();
        let shaped = whole.reshape(&dims).unwrap();
        prop_assert!(shaped.is_contiguous());
        let turned = shaped.transpose(0, dims.len() - 1).unwrap();
        // A cut of an axis is always possible.
        let first = turned.dim(0) as usize;
        if first.is_multiple_of(cut) {
            let mut shape: Vec<usize> = turned.shape().iter().map(|dim| *dim as usize).collect();
            shape[0] = first / cut;
            shape.insert(1, cut);
            prop_assert!(turned.reshape(&shape).is_ok());
        }
        prop_assert!(whole.reshape(&[len + 1]).is_err());
        prop_assert!(turned.expand(&[3, 3, 3, 3, 3, 3, 3, 3, 3]).is_err());
    }
}
