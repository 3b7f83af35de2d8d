//! `aclOpExecutor`: repetition, new addresses, destruction.

use super::pointer::{In, Raw};
use crate::runtime::executor::{Among, find};
use crate::runtime::failure::Failure;
use crate::runtime::handles::{dead, handles};
use crate::runtime::init;
use crate::runtime::registry::handle;

export! {
    "nnopbase";

    /// What operators need of a process; `aclInit` does it too. The configuration is not read.
    "8.1" fn aclnnInit(_config_path: In<u8>) {
        init::prepare_operators()
    }

    /// The end of `aclnnInit`.
    "8.1" fn aclnnFinalize() {
        init::end_operators();
        Ok(())
    }

    /// Lets phase two run more than once; the executor is then destroyed by its owner.
    "8.1" fn aclSetAclOpExecutorRepeatable(executor: Raw) {
        some(executor)?;
        find(executor)?.set_repeatable();
        Ok(())
    }

    /// Ends an executor that phase two did not use up.
    "8.1" fn aclDestroyAclOpExecutor(executor: Raw) {
        some(executor)?;
        let gone = handles().executors.remove(handle(executor));
        gone.map(drop).ok_or_else(|| dead("executor", executor))
    }

    /// Moves the tensor `index` of an executor.
    "8.1" fn aclSetTensorAddr(executor: Raw, index: usize, tensor: Raw, address: Raw) {
        set(executor, Among::All, index, tensor, address)
    }

    /// Moves the input `index` of an executor.
    "8.1" fn aclSetInputTensorAddr(executor: Raw, index: usize, tensor: Raw, address: Raw) {
        set(executor, Among::Inputs, index, tensor, address)
    }

    /// Moves the output `index` of an executor.
    "8.1" fn aclSetOutputTensorAddr(executor: Raw, index: usize, tensor: Raw, address: Raw) {
        set(executor, Among::Outputs, index, tensor, address)
    }

    /// Moves a member of the list `ir_index` of an executor.
    "8.1" fn aclSetDynamicTensorAddr(
        executor: Raw, ir_index: usize, relative_index: usize, tensors: Raw, address: Raw,
    ) {
        set_member(executor, Among::All, ir_index, relative_index, tensors, address)
    }

    /// Moves a member of the list `ir_index` among the inputs.
    "8.1" fn aclSetDynamicInputTensorAddr(
        executor: Raw, ir_index: usize, relative_index: usize, tensors: Raw, address: Raw,
    ) {
        set_member(executor, Among::Inputs, ir_index, relative_index, tensors, address)
    }

    /// Moves a member of the list `ir_index` among the outputs.
    "8.1" fn aclSetDynamicOutputTensorAddr(
        executor: Raw, ir_index: usize, relative_index: usize, tensors: Raw, address: Raw,
    ) {
        set_member(executor, Among::Outputs, ir_index, relative_index, tensors, address)
    }
}

fn some(executor: Raw) -> Result<(), Failure> {
    if executor.is_null() {
        return Err(Failure::new(561_103, "executor is null"));
    }
    Ok(())
}

fn set(
    executor: Raw,
    among: Among,
    index: usize,
    tensor: Raw,
    address: Raw,
) -> Result<(), Failure> {
    some(executor)?;
    if tensor.is_null() {
        return Err(Failure::new(561_103, "tensor is null"));
    }
    let tensor = handles().tensor(tensor)?;
    find(executor)?.set_address(among, index, None, handle(address))?;
    tensor.set_address(handle(address));
    Ok(())
}

fn set_member(
    executor: Raw,
    among: Among,
    index: usize,
    relative: usize,
    tensors: Raw,
    address: Raw,
) -> Result<(), Failure> {
    some(executor)?;
    if tensors.is_null() {
        return Err(Failure::new(561_103, "tensors is null"));
    }
    let list = handles().tensor_list(tensors)?;
    find(executor)?.set_address(among, index, Some(relative), handle(address))?;
    if let Some(tensor) = list.get(relative).and_then(|member| handles().tensors.get(*member)) {
        tensor.set_address(handle(address));
    }
    Ok(())
}
