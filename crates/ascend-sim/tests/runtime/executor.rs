use std::ptr::{null, null_mut};

use super::support::*;
use super::sys::Raw;

fn floats(address: Raw, count: usize) -> Vec<f32> {
    get(address, count * 4)
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

#[test]
fn an_operator_runs_and_its_executor_is_used_up() {
    let _turn = turn();
    let (data, workspace) = (malloc(64), malloc(WORKSPACE));
    put(data, &[1; 64]);
    let zero = Zero::prepare(data, 15);
    assert_eq!((zero.bytes, counters().executors), (16 << 20, 1));
    let executor = zero.executor;
    zero.launch(workspace, null_mut());
    assert_eq!(counters().executors, 0);
    let message = fails!(561_000, aclnnInplaceZero(workspace, 16 << 20, executor, null_mut()));
    assert!(message.contains("Executor that is not alive"), "{message}");
    let mut foreign = 0_u64;
    let message = fails!(
        561_000,
        aclnnInplaceZero(workspace, 16 << 20, (&raw mut foreign).cast(), null_mut())
    );
    assert!(message.contains("no call of this library"), "{message}");
    fails!(561_000, aclDestroyAclOpExecutor(executor));
    ok!(aclrtSynchronizeStream(null_mut()));
    assert_eq!(floats(data, 15), [0.0; 15]);
    assert_eq!(get(at(data, 60), 4), [1; 4]);
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
}

#[test]
fn workspaces_are_checked_and_the_executor_is_gone_all_the_same() {
    let _turn = turn();
    let (data, workspace) = (malloc(64), malloc(WORKSPACE));
    let zero = Zero::prepare(data, 16);
    fails!(161_001, aclnnInplaceZero(null_mut(), zero.bytes, zero.executor, null_mut()));
    fails!(561_000, aclnnInplaceZero(workspace, zero.bytes, zero.executor, null_mut()));
    ok!(aclDestroyTensor(zero.tensor));
    let zero = Zero::prepare(data, 16);
    let message =
        fails!(161_002, aclnnInplaceZero(workspace, zero.bytes - 1, zero.executor, null_mut()));
    assert!(message.contains("expected at least 16777216"), "{message}");
    ok!(aclDestroyTensor(zero.tensor));
    // Unused ones are destroyed by their owner.
    let zero = Zero::prepare(data, 16);
    ok!(aclDestroyAclOpExecutor(zero.executor));
    ok!(aclDestroyTensor(zero.tensor));
    fails!(561_103, aclDestroyAclOpExecutor(null_mut()));
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
}

#[test]
fn a_workspace_is_not_a_place_to_keep_things() {
    let _turn = turn();
    let (data, workspace) = (malloc(64), malloc(WORKSPACE));
    put(at(workspace, 100), &[1; 8]);
    Zero::prepare(data, 16).launch(workspace, null_mut());
    ok!(aclrtSynchronizeStream(null_mut()));
    assert_eq!(get(at(workspace, 100), 8), [0xFF; 8]);
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
}

#[test]
fn a_workspace_beyond_its_allocation_is_a_fault() {
    let _turn = turn();
    let (data, workspace) = (malloc(64), malloc(WORKSPACE - 64));
    Zero::prepare(data, 16).launch(workspace, null_mut());
    let message = fails!(507_015, aclrtSynchronizeStream(null_mut()));
    assert!(message.contains("workspace"), "{message}");
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
}

#[test]
fn arguments_are_checked_by_name() {
    let _turn = turn();
    let data = malloc(64);
    let (mut bytes, mut executor) = (0, null_mut());
    let message = fails!(
        161_001,
        aclnnInplaceZeroGetWorkspaceSize(null_mut(), &raw mut bytes, &raw mut executor)
    );
    assert!(message.contains("self_ref") || message.contains("selfRef"), "{message}");
    let good = tensor(&[4], data);
    fails!(161_001, aclnnInplaceZeroGetWorkspaceSize(good, null_mut(), &raw mut executor));
    fails!(161_001, aclnnInplaceZeroGetWorkspaceSize(good, &raw mut bytes, null_mut()));
    let odd = tensor(&[4], at(data, 4));
    let message =
        fails!(161_002, aclnnInplaceZeroGetWorkspaceSize(odd, &raw mut bytes, &raw mut executor));
    assert!(message.contains("32"), "{message}");
    ok!(aclDestroyTensor(odd));
    fails!(161_002, aclnnInplaceZeroGetWorkspaceSize(odd, &raw mut bytes, &raw mut executor));
    ok!(aclDestroyTensor(good));
    ok!(aclrtFree(data));
    assert_eq!(counters().executors, 0);
}

#[test]
fn metadata_is_kept_when_the_tensor_is_gone_and_data_is_read_late() {
    let _turn = turn();
    let (stream, gate, data, workspace) = (stream(), Gate::new(), malloc(64), malloc(WORKSPACE));
    gate.close(stream);
    Zero::prepare(data, 4).launch(workspace, stream);
    put(data, &[9; 64]);
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(get(data, 20), [[0; 16].as_slice(), &[9; 4]].concat());
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
    ok!(aclrtDestroyStream(stream));
}

#[test]
fn a_repeatable_executor_runs_again_and_elsewhere() {
    let _turn = turn();
    let (first, second, workspace) = (malloc(64), malloc(64), malloc(WORKSPACE));
    put(first, &[1; 64]);
    put(second, &[1; 64]);
    let zero = Zero::prepare(first, 4);
    ok!(aclSetAclOpExecutorRepeatable(zero.executor));
    for _ in 0..2 {
        ok!(aclnnInplaceZero(workspace, zero.bytes, zero.executor, null_mut()));
    }
    fails!(161_002, aclSetTensorAddr(zero.executor, 1, zero.tensor, second));
    fails!(561_103, aclSetTensorAddr(zero.executor, 0, null_mut(), second));
    ok!(aclSetTensorAddr(zero.executor, 0, zero.tensor, second));
    ok!(aclnnInplaceZero(workspace, zero.bytes, zero.executor, null_mut()));
    ok!(aclrtSynchronizeStream(null_mut()));
    assert_eq!(get(second, 20), [[0; 16].as_slice(), &[1; 4]].concat());
    let mut address = null_mut();
    ok!(aclGetRawTensorAddr(zero.tensor, &raw mut address));
    assert_eq!(address, second);
    // What is updated in place is an output, too.
    ok!(aclSetOutputTensorAddr(zero.executor, 0, zero.tensor, first));
    ok!(aclDestroyAclOpExecutor(zero.executor));
    fails!(561_000, aclSetAclOpExecutorRepeatable(zero.executor));
    ok!(aclDestroyTensor(zero.tensor));
    for address in [first, second, workspace] {
        ok!(aclrtFree(address));
    }
}

#[test]
fn members_of_lists_move_too() {
    let _turn = turn();
    let (data, workspace) = (malloc(256), malloc(WORKSPACE));
    for (index, value) in [1_u8, 2, 3].into_iter().enumerate() {
        put(at(data, index * 32), &[value; 32]);
    }
    let members = [tensor(&[8], data), tensor(&[8], at(data, 32))];
    let list = acl!(aclCreateTensorList(members.as_ptr(), 2));
    let out = tensor(&[16], at(data, 96));
    let (mut bytes, mut executor) = (0, null_mut());
    ok!(aclnnCatGetWorkspaceSize(list, 0, out, &raw mut bytes, &raw mut executor));
    ok!(aclSetAclOpExecutorRepeatable(executor));
    ok!(aclnnCat(workspace, bytes, executor, null_mut()));
    ok!(aclrtSynchronizeStream(null_mut()));
    assert_eq!(get(at(data, 96), 64), [[1; 32], [2; 32]].concat());
    ok!(aclSetDynamicInputTensorAddr(executor, 0, 1, list, at(data, 64)));
    fails!(161_002, aclSetDynamicInputTensorAddr(executor, 0, 2, list, data));
    fails!(161_002, aclSetDynamicInputTensorAddr(executor, 1, 0, list, data));
    fails!(161_002, aclSetInputTensorAddr(executor, 0, out, data));
    ok!(aclSetOutputTensorAddr(executor, 0, out, at(data, 160)));
    ok!(aclnnCat(workspace, bytes, executor, null_mut()));
    ok!(aclrtSynchronizeStream(null_mut()));
    assert_eq!(get(at(data, 160), 64), [[1; 32], [3; 32]].concat());
    ok!(aclDestroyAclOpExecutor(executor));
    ok!(aclDestroyTensorList(list));
    ok!(aclDestroyTensor(out));
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
}

#[test]
fn tensors_without_data_are_refused_at_the_launch() {
    let _turn = turn();
    let workspace = malloc(WORKSPACE);
    let tensor = tensor(&[0], null_mut());
    let (mut bytes, mut executor) = (0, null_mut());
    ok!(aclnnInplaceZeroGetWorkspaceSize(tensor, &raw mut bytes, &raw mut executor));
    ok!(aclnnInplaceZero(workspace, bytes, executor, null_mut()));
    ok!(aclrtSynchronizeStream(null_mut()));
    ok!(aclDestroyTensor(tensor));
    ok!(aclrtFree(workspace));
}

#[test]
fn a_stream_of_another_context_is_refused_by_the_launch() {
    let _turn = turn();
    let (data, workspace, stream) = (malloc(64), malloc(WORKSPACE), stream());
    let (mut own, mut other) = (null_mut(), null_mut());
    ok!(aclrtGetCurrentContext(&raw mut own));
    ok!(aclrtCreateContext(&raw mut other, 0));
    let zero = Zero::prepare(data, 4);
    let message = fails!(361_001, aclnnInplaceZero(workspace, zero.bytes, zero.executor, stream));
    assert!(message.contains("107003"), "{message}");
    ok!(aclDestroyTensor(zero.tensor));
    ok!(aclrtDestroyContext(other));
    ok!(aclrtSetCurrentContext(own));
    ok!(aclrtDestroyStream(stream));
    ok!(aclrtFree(data));
    ok!(aclrtFree(workspace));
}

#[test]
fn workspaces_can_have_other_sizes() {
    let name = "executor::workspaces_can_have_other_sizes";
    for size in ["0", "4096", "seed:3"] {
        child(name, &[("ASCEND_SIM_WORKSPACE", size)], || {
            let _turn = turn();
            let data = malloc(64);
            let zero = Zero::prepare(data, 4);
            match std::env::var("ASCEND_SIM_WORKSPACE").unwrap().as_str() {
                "0" => assert_eq!(zero.bytes, 0),
                "4096" => assert_eq!(zero.bytes, 4096),
                _ => assert!((32..=48 << 20).contains(&zero.bytes)),
            }
            if zero.bytes == 0 {
                zero.launch(null_mut(), null_mut());
            } else {
                let workspace = malloc(zero.bytes as usize);
                zero.launch(workspace, null_mut());
                ok!(aclrtSynchronizeStream(null_mut()));
                ok!(aclrtFree(workspace));
            }
            ok!(aclrtSynchronizeStream(null_mut()));
            ok!(aclrtFree(data));
        });
    }
}

fn values(get: impl FnOnce(*mut *mut i64, *mut u64)) -> Vec<i64> {
    let (mut array, mut count) = (null_mut(), 0);
    get(&raw mut array, &raw mut count);
    // SAFETY: the getters give an array of `malloc` with so many values.
    let values = unsafe { std::slice::from_raw_parts(array, count as usize) }.to_vec();
    // SAFETY: as above, and not used any more.
    unsafe { libc::free(array.cast()) };
    values
}

#[test]
fn tensors_tell_what_they_were_made_of() {
    let _turn = turn();
    let data = 0x1000 as Raw;
    let (dims, strides, storage) = ([2, 3], [1, 2], [10]);
    let tensor = acl!(aclCreateTensor(
        dims.as_ptr(),
        2,
        27,
        strides.as_ptr(),
        4,
        2,
        storage.as_ptr(),
        1,
        data
    ));
    assert_eq!(values(|a, n| ok!(aclGetViewShape(tensor, a, n))), dims);
    assert_eq!(values(|a, n| ok!(aclGetViewStrides(tensor, a, n))), strides);
    assert_eq!(values(|a, n| ok!(aclGetStorageShape(tensor, a, n))), storage);
    let (mut offset, mut format, mut dtype, mut address) = (0, 0, 0, null_mut());
    ok!(aclGetViewOffset(tensor, &raw mut offset));
    ok!(aclGetFormat(tensor, &raw mut format));
    ok!(aclGetDataType(tensor, &raw mut dtype));
    ok!(aclGetRawTensorAddr(tensor, &raw mut address));
    assert_eq!((offset, format, dtype, address), (4, 2, 27, data));
    ok!(aclInitTensor(tensor, dims.as_ptr(), 1, 0, null(), 0, 2, null(), 0, null_mut()));
    assert_eq!(values(|a, n| ok!(aclGetViewStrides(tensor, a, n))), [1]);
    fails!(161_001, aclGetViewOffset(null_mut(), &raw mut offset));
    fails!(161_001, aclGetViewOffset(tensor, null_mut()));
    ok!(aclDestroyTensor(tensor));
    ok!(aclDestroyTensor(null_mut()));
    fails!(561_000, aclDestroyTensor(tensor));
    fails!(561_000, aclGetViewOffset(tensor, &raw mut offset));
    assert!(acl!(aclCreateTensor(null(), 2, 0, null(), 0, 2, null(), 0, data)).is_null());
    assert!(message().contains("viewDims is null"));
}

#[test]
fn lists_own_their_members() {
    let _turn = turn();
    let members = [tensor(&[1], null_mut()), tensor(&[2], null_mut())];
    let list = acl!(aclCreateTensorList(members.as_ptr(), 2));
    let mut size = 0;
    ok!(aclGetTensorListSize(list, &raw mut size));
    assert_eq!(size, 2);
    fails!(561_000, aclDestroyTensor(members[0]));
    assert!(acl!(aclCreateTensorList(members.as_ptr(), 2)).is_null());
    ok!(aclDestroyTensorList(list));
    assert_eq!(counters().tensors, 0);
    fails!(561_000, aclDestroyTensorList(list));
    ok!(aclDestroyTensorList(null_mut()));
}

#[test]
fn scalars_and_arrays_are_copied() {
    let _turn = turn();
    let value = 1.5_f32;
    let scalars = [
        acl!(aclCreateScalar((&raw const value).cast(), 0)),
        acl!(aclCreateScalar((&raw const value).cast(), 0)),
    ];
    assert!(acl!(aclCreateScalar((&raw const value).cast(), 13)).is_null());
    assert!(acl!(aclCreateScalar(null(), 0)).is_null());
    let list = acl!(aclCreateScalarList(scalars.as_ptr(), 2));
    fails!(561_000, aclDestroyScalar(scalars[1]));
    assert_eq!((counters().scalars, counters().lists), (2, 1));
    ok!(aclDestroyScalarList(list));
    let ints = acl!(aclCreateIntArray([1, 2, 3].as_ptr(), 3));
    let none = acl!(aclCreateIntArray(null(), 0));
    let floats = acl!(aclCreateFloatArray([1.0].as_ptr(), 1));
    let bools = acl!(aclCreateBoolArray([true].as_ptr(), 1));
    let mut size = 0;
    ok!(aclGetIntArraySize(ints, &raw mut size));
    assert_eq!(size, 3);
    ok!(aclGetIntArraySize(none, &raw mut size));
    assert_eq!((size, counters().arrays), (0, 4));
    assert!(acl!(aclCreateIntArray(null(), 3)).is_null());
    assert!(acl!(aclCreateIntArray([1].as_ptr(), u64::MAX)).is_null());
    fails!(561_000, aclDestroyFloatArray(ints));
    ok!(aclDestroyIntArray(ints));
    ok!(aclDestroyIntArray(none));
    ok!(aclDestroyFloatArray(floats));
    ok!(aclDestroyBoolArray(bools));
    ok!(aclDestroyIntArray(null_mut()));
}
