//! The objects of libnnopbase.

use std::collections::HashSet;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, OnceLock};

use super::executor::Executor;
use super::failure::Failure;
use super::registry::{Kind, Registry, handle, pointer};
use crate::dtype::DataType;
use crate::kernel::Reject;
use crate::scalar::Scalar;
use crate::sync::lock;
use crate::tensor::{ND, Tensor};

/// The live objects.
#[derive(Debug)]
pub(crate) struct Handles {
    pub(crate) tensors: Registry<TensorHandle>,
    /// Handles of the members, in order; 0 where the program gave null.
    pub(crate) tensor_lists: Registry<Vec<u64>>,
    pub(crate) scalars: Registry<Scalar>,
    pub(crate) scalar_lists: Registry<Vec<u64>>,
    pub(crate) int_arrays: Registry<Vec<i64>>,
    pub(crate) float_arrays: Registry<Vec<f32>>,
    pub(crate) bool_arrays: Registry<Vec<u8>>,
    pub(crate) executors: Registry<Executor>,
    /// Tensors and scalars that lists own.
    owned: Mutex<HashSet<u64>>,
}

/// The live objects of the process.
pub(crate) fn handles() -> &'static Handles {
    static HANDLES: OnceLock<Handles> = OnceLock::new();
    HANDLES.get_or_init(|| Handles {
        tensors: Registry::new(Kind::Tensor),
        tensor_lists: Registry::new(Kind::TensorList),
        scalars: Registry::new(Kind::Scalar),
        scalar_lists: Registry::new(Kind::ScalarList),
        int_arrays: Registry::new(Kind::IntArray),
        float_arrays: Registry::new(Kind::FloatArray),
        bool_arrays: Registry::new(Kind::BoolArray),
        executors: Registry::new(Kind::Executor),
        owned: Mutex::default(),
    })
}

/// What `aclCreateTensor` was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    /// An `aclDataType`, perhaps one that no kernel computes with.
    pub(crate) dtype: i32,
    pub(crate) shape: Vec<i64>,
    pub(crate) strides: Vec<i64>,
    pub(crate) offset: i64,
    pub(crate) format: i32,
    pub(crate) storage: Vec<i64>,
    pub(crate) address: u64,
}

impl Described {
    pub(crate) fn new(
        dtype: i32,
        shape: Vec<i64>,
        strides: Option<Vec<i64>>,
        offset: i64,
        format: i32,
        storage: Option<Vec<i64>>,
        address: u64,
    ) -> Self {
        let strides = strides.unwrap_or_else(|| contiguous(&shape));
        let storage = storage.unwrap_or_else(|| shape.clone());
        Self { dtype, shape, strides, offset, format, storage, address }
    }
}

fn contiguous(shape: &[i64]) -> Vec<i64> {
    let mut strides = vec![1_i64; shape.len()];
    for dim in (1..shape.len()).rev() {
        strides[dim - 1] = strides[dim].saturating_mul(shape[dim].max(1));
    }
    strides
}

/// A live `aclTensor`.
#[derive(Debug)]
pub(crate) struct TensorHandle(Mutex<Described>);

impl TensorHandle {
    pub(crate) fn get(&self) -> Described {
        lock(&self.0).clone()
    }

    pub(crate) fn replace(&self, described: Described) {
        *lock(&self.0) = described;
    }

    pub(crate) fn set_address(&self, address: u64) {
        lock(&self.0).address = address;
    }

    /// The view for an operator; one that leaves its storage, or whose data is not aligned to 32 bytes, is refused.
    pub(crate) fn tensor(&self, parameter: &str) -> Result<Tensor, Reject> {
        let Described { dtype, shape, strides, offset, format, storage, address } = self.get();
        let dtype = DataType::of(dtype).ok_or_else(|| {
            Reject::parameter(format!(
                "{parameter} has data type {dtype}, expected one that the device computes with"
            ))
        })?;
        let tensor = Tensor { dtype, shape, strides, offset, format, storage, address };
        check(&tensor).map_err(|why| Reject::parameter(format!("{parameter} {why}")))?;
        Ok(tensor)
    }
}

/// Kernels read in blocks of this many bytes, from addresses that are multiples of it.
const BLOCK: u64 = 32;

fn check(tensor: &Tensor) -> Result<(), String> {
    if !tensor.address.is_multiple_of(BLOCK) {
        let address = tensor.address;
        return Err(format!("has data at {address:#x}, expected an address aligned to 32 bytes"));
    }
    let Tensor { shape, strides, storage, offset, .. } = tensor;
    if shape.iter().chain(storage).any(|extent| *extent < 0) {
        return Err(format!(
            "has shape {shape:?} and storage {storage:?}, expected no negative extent"
        ));
    }
    if *offset < 0 || strides.iter().any(|stride| *stride < 0) {
        return Err(format!("has offset {offset} and strides {strides:?}, expected none below 0"));
    }
    if tensor.format != ND || shape.contains(&0) {
        return Ok(());
    }
    let end = shape.iter().zip(strides).try_fold(*offset, |end, (extent, stride)| {
        (extent - 1).checked_mul(*stride)?.checked_add(end)
    });
    let size = storage.iter().try_fold(1_i64, |size, extent| size.checked_mul(*extent));
    match (end, size) {
        (Some(end), Some(size)) if end < size => Ok(()),
        _ => Err(format!(
            "has shape {shape:?}, strides {strides:?} and offset {offset}, which leave its storage {storage:?}"
        )),
    }
}

/// A handle that is not alive, or not of this kind.
pub(crate) fn dead(argument: &str, raw: *const c_void) -> Failure {
    Failure::new(561_000, format!("{argument} is {}", Kind::describe(raw)))
}

/// The tensor of a handle, for an operator.
pub(crate) fn tensor(member: u64, parameter: &str) -> Result<Tensor, Reject> {
    handles()
        .tensors
        .get(member)
        .ok_or_else(|| {
            let what = Kind::describe(pointer(member));
            Reject::parameter(format!("{parameter} is {what}"))
        })?
        .tensor(parameter)
}

impl Handles {
    pub(crate) fn create_tensor(&self, described: Described) -> u64 {
        self.tensors.insert(TensorHandle(Mutex::new(described)))
    }

    /// The live tensor behind a pointer.
    pub(crate) fn tensor(&self, raw: *const c_void) -> Result<Arc<TensorHandle>, Failure> {
        if raw.is_null() {
            return Err(Failure::new(161_001, "tensor is null"));
        }
        self.tensors.get(handle(raw)).ok_or_else(|| dead("tensor", raw))
    }

    pub(crate) fn tensor_list(&self, raw: *const c_void) -> Result<Arc<Vec<u64>>, Failure> {
        if raw.is_null() {
            return Err(Failure::new(161_001, "tensorList is null"));
        }
        self.tensor_lists.get(handle(raw)).ok_or_else(|| dead("tensorList", raw))
    }

    pub(crate) fn int_array(&self, raw: *const c_void) -> Result<Arc<Vec<i64>>, Failure> {
        if raw.is_null() {
            return Err(Failure::new(161_001, "array is null"));
        }
        self.int_arrays.get(handle(raw)).ok_or_else(|| dead("array", raw))
    }

    pub(crate) fn destroy_tensor(&self, tensor: u64) -> Result<(), Failure> {
        self.refuse_owned(tensor, "tensor")?;
        let gone = self.tensors.remove(tensor);
        gone.map(drop).ok_or_else(|| dead("tensor", pointer(tensor)))
    }

    pub(crate) fn destroy_scalar(&self, scalar: u64) -> Result<(), Failure> {
        self.refuse_owned(scalar, "scalar")?;
        let gone = self.scalars.remove(scalar);
        gone.map(drop).ok_or_else(|| dead("scalar", pointer(scalar)))
    }

    fn refuse_owned(&self, member: u64, argument: &str) -> Result<(), Failure> {
        if lock(&self.owned).contains(&member) {
            let raw = pointer(member);
            let message = format!("{argument} {raw:p} belongs to a list, which destroys it");
            return Err(Failure::new(561_000, message));
        }
        Ok(())
    }

    /// Takes the members over; a null one is kept as such, which operators refuse.
    pub(crate) fn create_tensor_list(&self, members: Vec<u64>) -> Result<u64, Failure> {
        self.own(&members, |member| self.tensors.get(member).is_some())?;
        Ok(self.tensor_lists.insert(members))
    }

    /// Takes the members over.
    pub(crate) fn create_scalar_list(&self, members: Vec<u64>) -> Result<u64, Failure> {
        self.own(&members, |member| self.scalars.get(member).is_some())?;
        Ok(self.scalar_lists.insert(members))
    }

    fn own(&self, members: &[u64], alive: impl Fn(u64) -> bool) -> Result<(), Failure> {
        let mut owned = lock(&self.owned);
        let mut seen = HashSet::new();
        for (index, member) in members.iter().enumerate().filter(|(_, member)| **member != 0) {
            if !alive(*member) {
                return Err(dead(&format!("value[{index}]"), pointer(*member)));
            }
            if owned.contains(member) || !seen.insert(*member) {
                let raw = pointer(*member);
                let message = format!("value[{index}] is {raw:p}, which belongs to a list already");
                return Err(Failure::new(561_000, message));
            }
        }
        owned.extend(seen);
        Ok(())
    }

    pub(crate) fn destroy_tensor_list(&self, list: u64) -> Result<(), Failure> {
        let members = self.tensor_lists.remove(list).ok_or_else(|| dead("array", pointer(list)))?;
        let mut owned = lock(&self.owned);
        for member in members.iter() {
            owned.remove(member);
            self.tensors.remove(*member);
        }
        Ok(())
    }

    pub(crate) fn destroy_scalar_list(&self, list: u64) -> Result<(), Failure> {
        let members = self.scalar_lists.remove(list).ok_or_else(|| dead("array", pointer(list)))?;
        let mut owned = lock(&self.owned);
        for member in members.iter() {
            owned.remove(member);
            self.scalars.remove(*member);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(shape: &[i64]) -> Described {
        Described::new(0, shape.to_vec(), None, 0, ND, None, 0x1000)
    }

    #[test]
    fn what_is_not_given_is_contiguous() {
        let tensor = described(&[2, 3, 4]);
        assert_eq!(tensor.strides, [12, 4, 1]);
        assert_eq!(tensor.storage, [2, 3, 4]);
    }

    fn refused(change: impl Fn(&mut Described)) -> String {
        let mut tensor = described(&[2, 3]);
        change(&mut tensor);
        let handle = TensorHandle(Mutex::new(tensor));
        handle.tensor("x").unwrap_err().message
    }

    #[test]
    fn views_that_kernels_cannot_follow_are_refused() {
        assert!(refused(|tensor| tensor.address = 0x1010).contains("aligned"));
        assert!(refused(|tensor| tensor.offset = 1).contains("leave its storage"));
        assert!(refused(|tensor| tensor.strides = vec![4, 1]).contains("leave its storage"));
        assert!(refused(|tensor| tensor.shape[0] = -1).contains("negative"));
        assert!(refused(|tensor| tensor.offset = -1).contains("below 0"));
        assert!(refused(|tensor| tensor.dtype = 13).contains("data type 13"));
        assert!(refused(|tensor| tensor.strides = vec![i64::MAX, 1]).contains("leave"));
    }

    #[test]
    fn a_list_owns_its_members() {
        let handles = handles();
        let (a, b) =
            (handles.create_tensor(described(&[1])), handles.create_tensor(described(&[1])));
        let list = handles.create_tensor_list(vec![a, b]).unwrap();
        assert_eq!(handles.destroy_tensor(a).unwrap_err().status, 561_000);
        assert!(handles.create_tensor_list(vec![a]).unwrap_err().message.contains("already"));
        handles.destroy_tensor_list(list).unwrap();
        assert!(handles.tensors.get(a).is_none());
        assert_eq!(handles.destroy_tensor_list(list).unwrap_err().status, 561_000);
    }

    #[test]
    fn a_tensor_is_in_one_list_once() {
        let handles = handles();
        let a = handles.create_tensor(described(&[1]));
        assert!(handles.create_tensor_list(vec![a, a]).is_err());
        handles.destroy_tensor(a).unwrap();
        assert!(handles.create_tensor_list(vec![a]).unwrap_err().message.contains("not alive"));
    }
}
