//! Arguments of operators, and how C gets them.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

use super::tensor::Tensor;
use crate::error::{Error, Result};
use crate::library::Ascend;
use crate::rt::{Block, Stream};
use crate::sys::{aclDataType, aclIntArray, aclScalar, aclTensor, aclTensorList};

/// A number that an operator takes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Scalar {
    /// For tensors of floats.
    Float(f32),
    /// For tensors of integers.
    Int(i64),
}

impl From<f32> for Scalar {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

impl From<i64> for Scalar {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// What was made for one call of an operator: destroyed after the second phase, which has copied what it needs.
pub(super) struct Operands<'s, 'a> {
    stream: &'s Stream,
    operator: &'static str,
    objects: Vec<Object>,
    /// The memory that the operator uses.
    pub(super) used: Vec<&'a Arc<Block>>,
}

/// An object that C made.
enum Object {
    Tensor(*mut aclTensor),
    List(*mut aclTensorList),
    Scalar(*mut aclScalar),
    Ints(*mut aclIntArray),
}

/// Something that becomes an argument of C.
pub(super) trait Argument<'a> {
    /// The type that C takes; pointers are to objects that the operands own, or null.
    type Raw: Copy;

    fn raw(self, operands: &mut Operands<'_, 'a>) -> Result<Self::Raw>;
}

/// Several tensors as one argument.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'t, 'a>(pub(super) &'t [&'t Tensor<'a>]);

impl<'s, 'a> Operands<'s, 'a> {
    pub(super) fn new(stream: &'s Stream, operator: &'static str) -> Self {
        Self { stream, operator, objects: Vec::with_capacity(8), used: Vec::with_capacity(8) }
    }

    /// An argument as C takes it.
    pub(super) fn raw<A: Argument<'a>>(&mut self, argument: A) -> Result<A::Raw> {
        argument.raw(self)
    }

    fn ascend(&self) -> Ascend {
        self.stream.ascend()
    }

    fn create_tensor(&mut self, tensor: &Tensor<'a>) -> Result<*mut aclTensor> {
        self.stream.same_device(self.operator, "a tensor", &tensor.block().device)?;
        let create = self.ascend().base().aclCreateTensor()?;
        let description = tensor.describe();
        let (shape, strides) = (tensor.shape(), tensor.strides());
        let storage = &*description.storage;
        // SAFETY: the three arrays have the lengths that are given and are copied; the address belongs to a block
        // that the stream keeps until the operator is over, and is not followed before.
        let created = unsafe {
            create(
                shape.as_ptr(),
                shape.len() as u64,
                tensor.dtype(),
                strides.as_ptr(),
                description.offset,
                description.format,
                storage.as_ptr(),
                storage.len() as u64,
                description.address,
            )
        };
        if created.is_null() {
            return Err(self.null("aclCreateTensor"));
        }
        self.used.push(tensor.block());
        Ok(created)
    }

    fn null(&self, call: &'static str) -> Error {
        Error::Null { call, message: self.ascend().recent_message() }
    }
}

impl<'a> Argument<'a> for &Tensor<'a> {
    type Raw = *mut aclTensor;

    fn raw(self, operands: &mut Operands<'_, 'a>) -> Result<Self::Raw> {
        let tensor = operands.create_tensor(self)?;
        operands.objects.push(Object::Tensor(tensor));
        Ok(tensor)
    }
}

impl<'a> Argument<'a> for List<'_, 'a> {
    type Raw = *mut aclTensorList;

    fn raw(self, operands: &mut Operands<'_, 'a>) -> Result<Self::Raw> {
        let create = operands.ascend().base().aclCreateTensorList()?;
        let first = operands.objects.len();
        let mut members: Vec<*const aclTensor> = Vec::with_capacity(self.0.len());
        for tensor in self.0 {
            members.push(tensor.raw(operands)?);
        }
        // SAFETY: the array has the length that is given and is copied; its tensors are alive.
        let list = unsafe { create(members.as_ptr(), members.len() as u64) };
        if list.is_null() {
            return Err(operands.null("aclCreateTensorList"));
        }
        // The list owns its members from now on.
        operands.objects.truncate(first);
        operands.objects.push(Object::List(list));
        Ok(list)
    }
}

impl<'a> Argument<'a> for &[i64] {
    type Raw = *mut aclIntArray;

    fn raw(self, operands: &mut Operands<'_, 'a>) -> Result<Self::Raw> {
        let create = operands.ascend().base().aclCreateIntArray()?;
        // SAFETY: the array has the length that is given and is copied.
        let array = unsafe { create(self.as_ptr(), self.len() as u64) };
        if array.is_null() {
            return Err(operands.null("aclCreateIntArray"));
        }
        operands.objects.push(Object::Ints(array));
        Ok(array)
    }
}

impl<'a> Argument<'a> for Scalar {
    type Raw = *mut aclScalar;

    fn raw(self, operands: &mut Operands<'_, 'a>) -> Result<Self::Raw> {
        let create = operands.ascend().base().aclCreateScalar()?;
        let (mut float, mut int) = (0.0_f32, 0_i64);
        let (value, dtype): (*mut c_void, _) = match self {
            Self::Float(value) => {
                float = value;
                ((&raw mut float).cast(), aclDataType::FLOAT)
            }
            Self::Int(value) => {
                int = value;
                ((&raw mut int).cast(), aclDataType::INT64)
            }
        };
        // SAFETY: the pointer is to a number of the type that is given, which is copied.
        let scalar = unsafe { create(value, dtype) };
        let _ = (float, int);
        if scalar.is_null() {
            return Err(operands.null("aclCreateScalar"));
        }
        operands.objects.push(Object::Scalar(scalar));
        Ok(scalar)
    }
}

impl<'a> Argument<'a> for Option<&Tensor<'a>> {
    type Raw = *mut aclTensor;

    fn raw(self, operands: &mut Operands<'_, 'a>) -> Result<Self::Raw> {
        self.map_or(Ok(ptr::null_mut()), |tensor| tensor.raw(operands))
    }
}

impl<'a> Argument<'a> for Option<List<'_, 'a>> {
    type Raw = *mut aclTensorList;

    fn raw(self, operands: &mut Operands<'_, 'a>) -> Result<Self::Raw> {
        self.map_or(Ok(ptr::null_mut()), |list| list.raw(operands))
    }
}

impl<'a> Argument<'a> for Option<&[i64]> {
    type Raw = *mut aclIntArray;

    fn raw(self, operands: &mut Operands<'_, 'a>) -> Result<Self::Raw> {
        self.map_or(Ok(ptr::null_mut()), |ints| ints.raw(operands))
    }
}

impl<'a> Argument<'a> for &'static CStr {
    type Raw = *mut c_char;

    fn raw(self, _operands: &mut Operands<'_, 'a>) -> Result<Self::Raw> {
        Ok(self.as_ptr().cast_mut())
    }
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl<'a> Argument<'a> for $type {
            type Raw = Self;

            fn raw(self, _operands: &mut Operands<'_, 'a>) -> Result<Self> {
                Ok(self)
            }
        }
    )*};
}

plain!(i8, c_int, i64, f64, bool, aclDataType);

impl Drop for Operands<'_, '_> {
    fn drop(&mut self) {
        for object in self.objects.drain(..) {
            if let Err(error) = object.destroy(self.stream.ascend()) {
                crate::rt::record_failure(error);
            }
        }
    }
}

impl Object {
    fn destroy(self, ascend: Ascend) -> Result<()> {
        let base = ascend.base();
        match self {
            Self::Tensor(tensor) => {
                let destroy = base.aclDestroyTensor()?;
                // SAFETY: the object is alive and nobody's but ours; operators have copied what they need.
                ascend.check("aclDestroyTensor", unsafe { destroy(tensor) })
            }
            Self::List(list) => {
                let destroy = base.aclDestroyTensorList()?;
                // SAFETY: as above; its members are not destroyed apart.
                ascend.check("aclDestroyTensorList", unsafe { destroy(list) })
            }
            Self::Scalar(scalar) => {
                let destroy = base.aclDestroyScalar()?;
                // SAFETY: as above.
                ascend.check("aclDestroyScalar", unsafe { destroy(scalar) })
            }
            Self::Ints(array) => {
                let destroy = base.aclDestroyIntArray()?;
                // SAFETY: as above.
                ascend.check("aclDestroyIntArray", unsafe { destroy(array) })
            }
        }
    }
}
