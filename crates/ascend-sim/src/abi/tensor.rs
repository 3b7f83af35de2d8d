//! `aclTensor`: creation, getters, destruction.

use super::export::call;
use super::pointer::{In, Out, Raw, allocate_values};
use crate::runtime::failure::Failure;
use crate::runtime::handles::{Described, handles};
use crate::runtime::registry::{handle, pointer};

/// The metadata of a tensor from the parameters that `aclCreateTensor` and `aclInitTensor` share.
#[allow(clippy::too_many_arguments, reason = "the parameters of the C function")]
fn describe(
    view_dims: In<i64>,
    view_dims_num: u64,
    data_type: i32,
    stride: In<i64>,
    offset: i64,
    format: i32,
    storage_dims: In<i64>,
    storage_dims_num: u64,
    data: Raw,
) -> Result<Described, Failure> {
    let shape = view_dims.values("viewDims", view_dims_num)?;
    let strides =
        if stride.is_null() { None } else { Some(stride.values("stride", view_dims_num)?) };
    let storage = if storage_dims.is_null() {
        None
    } else {
        Some(storage_dims.values("storageDims", storage_dims_num)?)
    };
    Ok(Described::new(data_type, shape, strides, offset, format, storage, handle(data)))
}

/// Creates a tensor; strides default to those of a contiguous view, the storage to the view. Null only for null
/// `viewDims` with dimensions.
#[allow(unsafe_code, non_snake_case, reason = "the vendor's name, exported")]
#[allow(clippy::too_many_arguments, reason = "the parameters of the C function")]
// SAFETY: a program that loads this library wants this symbol in place of the vendor's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn aclCreateTensor(
    view_dims: In<i64>,
    view_dims_num: u64,
    data_type: i32,
    stride: In<i64>,
    offset: i64,
    format: i32,
    storage_dims: In<i64>,
    storage_dims_num: u64,
    data: Raw,
) -> Raw {
    let mut made = std::ptr::null_mut();
    call("aclCreateTensor", || {
        let described = describe(
            view_dims,
            view_dims_num,
            data_type,
            stride,
            offset,
            format,
            storage_dims,
            storage_dims_num,
            data,
        )?;
        made = pointer(handles().create_tensor(described));
        Ok(())
    });
    made
}

export! {
    "nnopbase";

    /// Ends a tensor; null is fine. A member of a list ends with the list.
    "8.1" fn aclDestroyTensor(tensor: Raw) {
        if tensor.is_null() {
            return Ok(());
        }
        handles().destroy_tensor(handle(tensor))
    }

    /// Gives a tensor other metadata and data.
    "8.1" fn aclInitTensor(
        tensor: Raw, view_dims: In<i64>, view_dims_num: u64, data_type: i32, stride: In<i64>,
        offset: i64, format: i32, storage_dims: In<i64>, storage_dims_num: u64, data: Raw,
    ) {
        let described = describe(
            view_dims, view_dims_num, data_type, stride, offset, format, storage_dims,
            storage_dims_num, data,
        )?;
        handles().tensor(tensor)?.replace(described);
        Ok(())
    }

    /// The shape, in an array of `malloc`; the vendor's is of C++ `new[]`.
    "8.1" fn aclGetViewShape(tensor: Raw, view_dims: Out<*mut i64>, view_dims_num: Out<u64>) {
        let tensor = handles().tensor(tensor)?.get();
        give(&tensor.shape, "viewDims", view_dims, view_dims_num)
    }

    /// The shape of the storage, in an array of `malloc`.
    "8.1" fn aclGetStorageShape(
        tensor: Raw, storage_dims: Out<*mut i64>, storage_dims_num: Out<u64>,
    ) {
        let tensor = handles().tensor(tensor)?.get();
        give(&tensor.storage, "storageDims", storage_dims, storage_dims_num)
    }

    /// The strides in elements, in an array of `malloc`.
    "8.1" fn aclGetViewStrides(tensor: Raw, strides: Out<*mut i64>, strides_num: Out<u64>) {
        let tensor = handles().tensor(tensor)?.get();
        give(&tensor.strides, "stridesValue", strides, strides_num)
    }

    /// The offset in elements.
    "8.1" fn aclGetViewOffset(tensor: Raw, offset: Out<i64>) {
        offset.set("offset", handles().tensor(tensor)?.get().offset).map_err(inner_null)
    }

    /// The format.
    "8.1" fn aclGetFormat(tensor: Raw, format: Out<i32>) {
        format.set("format", handles().tensor(tensor)?.get().format).map_err(inner_null)
    }

    /// The element type.
    "8.1" fn aclGetDataType(tensor: Raw, data_type: Out<i32>) {
        data_type.set("dataType", handles().tensor(tensor)?.get().dtype).map_err(inner_null)
    }

    /// The device address.
    "8.1" fn aclGetRawTensorAddr(tensor: Raw, address: Out<Raw>) {
        let tensor = handles().tensor(tensor)?.get();
        address.set("addr", pointer(tensor.address)).map_err(inner_null)
    }
}

fn give(
    values: &[i64],
    argument: &str,
    array: Out<*mut i64>,
    count: Out<u64>,
) -> Result<(), Failure> {
    array.check(argument).map_err(inner_null)?;
    count.check("the count").map_err(inner_null)?;
    array.set(argument, allocate_values(values)?)?;
    count.set("the count", values.len() as u64)
}

/// A null pointer, as libnnopbase calls it.
pub(super) fn inner_null(failure: Failure) -> Failure {
    Failure { status: 161_001, ..failure }
}
