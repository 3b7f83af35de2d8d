//! What operators take, `aclnn/acl_meta.h`: tensors, lists, scalars, arrays, executors.

use std::ffi::{c_char, c_void};

use super::enums::{aclDataType, aclFormat};
use super::table::functions;
use super::types::{
    aclBoolArray, aclFloatArray, aclIntArray, aclOpExecutor, aclScalar, aclScalarList, aclTensor,
    aclTensorList, aclnnStatus,
};

functions! {
    /// Arguments of operators, from `libnnopbase.so`.
    Base {
        /// Describes a tensor: strides and offset in elements, strides null for contiguous, data on
        /// the device. The shapes are copied.
        Base "8.1" fn aclCreateTensor(
            viewDims: *const i64, viewDimsNum: u64, dataType: aclDataType, stride: *const i64,
            offset: i64, format: aclFormat, storageDims: *const i64, storageDimsNum: u64,
            tensorData: *mut c_void,
        ) -> *mut aclTensor;
        /// Destroys a description; null is fine.
        Base "8.1" fn aclDestroyTensor(tensor: *const aclTensor) -> aclnnStatus;
        /// Makes a list, which owns its tensors from then on.
        Base "8.1" fn aclCreateTensorList(
            value: *const *const aclTensor, size: u64,
        ) -> *mut aclTensorList;
        /// Destroys a list and its tensors.
        Base "8.1" fn aclDestroyTensorList(array: *const aclTensorList) -> aclnnStatus;
        /// Makes a scalar with a copy of the value.
        Base "8.1" fn aclCreateScalar(value: *mut c_void, dataType: aclDataType) -> *mut aclScalar;
        /// Destroys a scalar.
        Base "8.1" fn aclDestroyScalar(scalar: *const aclScalar) -> aclnnStatus;
        /// Makes a list, which owns its scalars from then on.
        Base "8.1" fn aclCreateScalarList(
            value: *const *const aclScalar, size: u64,
        ) -> *mut aclScalarList;
        /// Destroys a list and its scalars.
        Base "8.1" fn aclDestroyScalarList(array: *const aclScalarList) -> aclnnStatus;
        /// Makes a host array with a copy of the values.
        Base "8.1" fn aclCreateIntArray(value: *const i64, size: u64) -> *mut aclIntArray;
        /// Destroys an array.
        Base "8.1" fn aclDestroyIntArray(array: *const aclIntArray) -> aclnnStatus;
        /// Makes a host array with a copy of the values.
        Base "8.1" fn aclCreateFloatArray(value: *const f32, size: u64) -> *mut aclFloatArray;
        /// Destroys an array.
        Base "8.1" fn aclDestroyFloatArray(array: *const aclFloatArray) -> aclnnStatus;
        /// Makes a host array with a copy of the values.
        Base "8.1" fn aclCreateBoolArray(value: *const bool, size: u64) -> *mut aclBoolArray;
        /// Destroys an array.
        Base "8.1" fn aclDestroyBoolArray(array: *const aclBoolArray) -> aclnnStatus;
        /// Shape of the view, in memory that C++ must free with `delete[]`.
        Base "8.1" fn aclGetViewShape(
            tensor: *const aclTensor, viewDims: *mut *mut i64, viewDimsNum: *mut u64,
        ) -> aclnnStatus;
        /// Shape of the storage, in memory that C++ must free with `delete[]`.
        Base "8.1" fn aclGetStorageShape(
            tensor: *const aclTensor, storageDims: *mut *mut i64, storageDimsNum: *mut u64,
        ) -> aclnnStatus;
        /// Strides, in memory that C++ must free with `delete[]`.
        Base "8.1" fn aclGetViewStrides(
            tensor: *const aclTensor, stridesValue: *mut *mut i64, stridesNum: *mut u64,
        ) -> aclnnStatus;
        /// Offset in elements.
        Base "8.1" fn aclGetViewOffset(tensor: *const aclTensor, offset: *mut i64) -> aclnnStatus;
        /// Format of the view.
        Base "8.1" fn aclGetFormat(tensor: *const aclTensor, format: *mut aclFormat) -> aclnnStatus;
        /// Element type.
        Base "8.1" fn aclGetDataType(
            tensor: *const aclTensor, dataType: *mut aclDataType,
        ) -> aclnnStatus;
        /// Address of the data.
        Base "8.1" fn aclGetRawTensorAddr(
            tensor: *const aclTensor, addr: *mut *mut c_void,
        ) -> aclnnStatus;
        /// Length of an array.
        Base "8.1" fn aclGetIntArraySize(array: *const aclIntArray, size: *mut u64) -> aclnnStatus;
        /// Length of a list.
        Base "8.1" fn aclGetTensorListSize(
            tensorList: *const aclTensorList, size: *mut u64,
        ) -> aclnnStatus;
        /// Describes another tensor with the same object.
        Base "8.1" fn aclInitTensor(
            tensor: *mut aclTensor, viewDims: *const i64, viewDimsNum: u64, dataType: aclDataType,
            stride: *const i64, offset: i64, format: aclFormat, storageDims: *const i64,
            storageDimsNum: u64, tensorDataAddr: *mut c_void,
        ) -> aclnnStatus;
        /// Gives an argument of a repeatable executor another address.
        Base "8.1" fn aclSetTensorAddr(
            executor: *mut aclOpExecutor, index: usize, tensor: *mut aclTensor, addr: *mut c_void,
        ) -> aclnnStatus;
        /// Gives a member of a list argument another address.
        Base "8.1" fn aclSetDynamicTensorAddr(
            executor: *mut aclOpExecutor, irIndex: usize, relativeIndex: usize,
            tensors: *mut aclTensorList, addr: *mut c_void,
        ) -> aclnnStatus;
        /// Gives an input of a repeatable executor another address.
        Base "8.1" fn aclSetInputTensorAddr(
            executor: *mut aclOpExecutor, index: usize, tensor: *mut aclTensor, addr: *mut c_void,
        ) -> aclnnStatus;
        /// Gives an output of a repeatable executor another address.
        Base "8.1" fn aclSetOutputTensorAddr(
            executor: *mut aclOpExecutor, index: usize, tensor: *mut aclTensor, addr: *mut c_void,
        ) -> aclnnStatus;
        /// Gives a member of an input list another address.
        Base "8.1" fn aclSetDynamicInputTensorAddr(
            executor: *mut aclOpExecutor, irIndex: usize, relativeIndex: usize,
            tensors: *mut aclTensorList, addr: *mut c_void,
        ) -> aclnnStatus;
        /// Gives a member of an output list another address.
        Base "8.1" fn aclSetDynamicOutputTensorAddr(
            executor: *mut aclOpExecutor, irIndex: usize, relativeIndex: usize,
            tensors: *mut aclTensorList, addr: *mut c_void,
        ) -> aclnnStatus;
        /// Lets an executor run more than once; the caller destroys it then.
        Base "8.1" fn aclSetAclOpExecutorRepeatable(executor: *mut aclOpExecutor) -> aclnnStatus;
        /// Destroys an executor that never ran, or a repeatable one.
        Base "8.1" fn aclDestroyAclOpExecutor(executor: *mut aclOpExecutor) -> aclnnStatus;
        /// Starts the operators' library, which `aclInit` does too.
        Base "8.1" fn aclnnInit(configPath: *const c_char) -> aclnnStatus;
        /// Ends the operators' library.
        Base "8.1" fn aclnnFinalize() -> aclnnStatus;
    }
}
