//! `aclScalar` and the arrays: host values, copied when they are made.

use super::export::call;
use super::pointer::{In, Out, Raw};
use super::tensor::inner_null;
use crate::dtype::DataType;
use crate::runtime::failure::Failure;
use crate::runtime::handles::{dead, handles};
use crate::runtime::registry::{Registry, handle, pointer};
use crate::scalar::Scalar;

/// Copies a value of this type; null for a type that no scalar has.
#[allow(unsafe_code, non_snake_case, reason = "the vendor's name, exported")]
// SAFETY: a program that loads this library wants this symbol in place of the vendor's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn aclCreateScalar(value: In<u8>, data_type: i32) -> Raw {
    let mut made = std::ptr::null_mut();
    call("aclCreateScalar", || {
        let unknown = || Failure::argument(format!("dataType is {data_type}, which no scalar has"));
        let dtype = DataType::of(data_type).ok_or_else(unknown)?;
        let bytes = value.values("value", dtype.bits().div_ceil(8))?;
        let scalar = Scalar::from_bytes(dtype, &bytes).ok_or_else(unknown)?;
        made = pointer(handles().scalars.insert(scalar));
        Ok(())
    });
    made
}

/// A constructor of an array: copies `size` values.
macro_rules! create {
    ($name:ident, $element:ty, $registry:ident) => {
        #[doc = concat!("Copies the values; null only for null with a size. `", stringify!($name), "`")]
        #[allow(unsafe_code, non_snake_case, reason = "the vendor's name, exported")]
        // SAFETY: a program that loads this library wants this symbol in place of the vendor's.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(value: In<$element>, size: u64) -> Raw {
            let mut made = std::ptr::null_mut();
            call(stringify!($name), || {
                let values = value.values("value", size)?;
                made = pointer(handles().$registry.insert(values));
                Ok(())
            });
            made
        }
    };
}

create!(aclCreateIntArray, i64, int_arrays);
create!(aclCreateFloatArray, f32, float_arrays);
// A C `bool` is a byte that is 0 or 1.
create!(aclCreateBoolArray, u8, bool_arrays);

export! {
    "nnopbase";

    /// Ends a scalar; null is fine. A member of a list ends with the list.
    "8.1" fn aclDestroyScalar(scalar: Raw) {
        if scalar.is_null() {
            return Ok(());
        }
        handles().destroy_scalar(handle(scalar))
    }

    /// Ends an array; null is fine.
    "8.1" fn aclDestroyIntArray(array: Raw) {
        destroy(&handles().int_arrays, array)
    }

    /// Ends an array; null is fine.
    "8.1" fn aclDestroyFloatArray(array: Raw) {
        destroy(&handles().float_arrays, array)
    }

    /// Ends an array; null is fine.
    "8.1" fn aclDestroyBoolArray(array: Raw) {
        destroy(&handles().bool_arrays, array)
    }

    /// How many values there are.
    "8.1" fn aclGetIntArraySize(array: Raw, size: Out<u64>) {
        let values = handles().int_array(array)?;
        size.set("size", values.len() as u64).map_err(inner_null)
    }
}

fn destroy<T>(registry: &Registry<T>, array: Raw) -> Result<(), Failure> {
    if array.is_null() || registry.remove(handle(array)).is_some() {
        return Ok(());
    }
    Err(dead("array", array))
}
