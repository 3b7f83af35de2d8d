//! `aclTensorList` and `aclScalarList`: they own their members.

use super::export::call;
use super::pointer::{In, Out, Raw};
use super::tensor::inner_null;
use crate::runtime::handles::handles;
use crate::runtime::registry::{handle, pointer};

fn members(value: In<Raw>, size: u64) -> Result<Vec<u64>, crate::runtime::failure::Failure> {
    Ok(value.values("value", size)?.into_iter().map(|member| handle(member)).collect())
}

/// Makes a list that owns its members from now on; null if a member is no live tensor, or belongs to a list.
#[allow(unsafe_code, non_snake_case, reason = "the vendor's name, exported")]
// SAFETY: a program that loads this library wants this symbol in place of the vendor's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn aclCreateTensorList(value: In<Raw>, size: u64) -> Raw {
    let mut made = std::ptr::null_mut();
    call("aclCreateTensorList", || {
        made = pointer(handles().create_tensor_list(members(value, size)?)?);
        Ok(())
    });
    made
}

/// Makes a list that owns its members from now on; null if a member is no live scalar, or belongs to a list.
#[allow(unsafe_code, non_snake_case, reason = "the vendor's name, exported")]
// SAFETY: as above.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn aclCreateScalarList(value: In<Raw>, size: u64) -> Raw {
    let mut made = std::ptr::null_mut();
    call("aclCreateScalarList", || {
        made = pointer(handles().create_scalar_list(members(value, size)?)?);
        Ok(())
    });
    made
}

export! {
    "nnopbase";

    /// Ends a list and its members; null is fine.
    "8.1" fn aclDestroyTensorList(array: Raw) {
        if array.is_null() {
            return Ok(());
        }
        handles().destroy_tensor_list(handle(array))
    }

    /// Ends a list and its members; null is fine.
    "8.1" fn aclDestroyScalarList(array: Raw) {
        if array.is_null() {
            return Ok(());
        }
        handles().destroy_scalar_list(handle(array))
    }

    /// How many members there are.
    "8.1" fn aclGetTensorListSize(list: Raw, size: Out<u64>) {
        let list = handles().tensor_list(list)?;
        size.set("size", list.len() as u64).map_err(inner_null)
    }
}
