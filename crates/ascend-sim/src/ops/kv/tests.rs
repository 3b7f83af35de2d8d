use super::*;
use crate::dtype::DataType::{self, Bf16, F16, F32, I8, I32, I64};
use crate::kernel::{INVALID_PARAMETER, Kernel, NO_KERNEL, Reject};
use crate::ops::testing::{A2, Device, refused};
use crate::ops::vectors::cases;
use crate::profile::{Site, Soc};
use crate::tensor::{FRACTAL_NZ, Tensor};

const FAMILY: &str = "caches";
const ON_950: Site = Site { soc: Soc::Ascend950, ..A2 };

#[test]
fn pages_as_torch() {
    for case in cases(FAMILY, "scatter_pa_kv_cache") {
        for blocked in [false, true] {
            let device = Device::default();
            let [key, value, slots, mut key_cache, mut value_cache] =
                ["key", "value", "slots", "key_cache", "value_cache"]
                    .map(|name| case.input(&device, name));
            let (mode, scatter) = match case.text("order").as_str() {
                "tokens" => (None, None),
                "heads" => (Some("Norm".to_owned()), Some("NHSD".to_owned())),
                _ => (Some("PA_NZ".to_owned()), Some("None".to_owned())),
            };
            if blocked && mode.as_deref() == Some("PA_NZ") {
                // Tagged or not, five dimensions are what they are.
                (key_cache.format, value_cache.format) = (FRACTAL_NZ, FRACTAL_NZ);
            }
            let (k, v) = (key_cache.clone(), value_cache.clone());
            device.run(scatter_pa_kv_cache(
                &A2, key, k, slots, value, v, None, None, None, mode, scatter, None, None,
            ));
            let plain = |cache: Tensor| Tensor { format: crate::tensor::ND, ..cache };
            case.check(&device, "key_cache", &plain(key_cache));
            case.check(&device, "value_cache", &plain(value_cache));
        }
    }
}

#[test]
fn scatters_as_torch() {
    for case in cases(FAMILY, "scatter_nd_update") {
        let device = Device::default();
        let [var, indices, updates] =
            ["var", "indices", "updates"].map(|name| case.input(&device, name));
        device.run(scatter_nd_update(&A2, var.clone(), indices, updates));
        case.check(&device, "var", &var);
    }
    for case in cases(FAMILY, "inplace_scatter_update") {
        let device = Device::default();
        let [data, indices, updates] =
            ["data", "indices", "updates"].map(|name| case.input(&device, name));
        device.run(inplace_scatter_update(&A2, data.clone(), indices, updates, case.int("axis")));
        case.check(&device, "data", &data);
    }
    for case in cases(FAMILY, "inplace_index_copy") {
        let device = Device::default();
        let [base, index, source] =
            ["self", "index", "source"].map(|name| case.input(&device, name));
        device.run(inplace_index_copy(&A2, base.clone(), case.int("dim"), index, source));
        case.check(&device, "self", &base);
    }
}

/// Keys that are a view of a fused product are written as they are seen.
#[test]
fn rows_may_be_views() {
    let device = Device::default();
    let fused = device.floats(F16, &[1, 48], &(0..48).map(|at| at as f32).collect::<Vec<_>>());
    let view = |first: i64| Tensor {
        shape: vec![1, 1, 16],
        strides: vec![48, 16, 1],
        offset: first,
        ..fused.clone()
    };
    let cache = || device.floats(F16, &[1, 2, 1, 16], &[0.0; 32]);
    let (key_cache, value_cache) = (cache(), cache());
    let slots = device.integers(I32, &[1], &[1]);
    device.run(scatter_pa_kv_cache(
        &A2,
        view(16),
        key_cache.clone(),
        slots,
        view(32),
        value_cache.clone(),
        None,
        None,
        None,
        None,
        None,
        None,
        None,
    ));
    assert_eq!(
        device.read_floats(&key_cache)[16..],
        (16..32).map(|at| at as f32).collect::<Vec<_>>()
    );
    assert_eq!(device.read_floats(&value_cache)[16], 32.0);
}

fn pages(
    site: &Site,
    dtype: DataType,
    slot: i64,
    change: impl FnOnce(&Device, &mut [Tensor; 2], &mut Option<String>, &mut Option<Tensor>),
) -> (Device, Result<Kernel, Reject>) {
    let device = Device::default();
    let mut targets = [device.empty(dtype, &[2, 4, 1, 32]), device.empty(dtype, &[2, 4, 1, 32])];
    let (mut scatter, mut lens) = (None, None);
    change(&device, &mut targets, &mut scatter, &mut lens);
    let rows = || device.floats(dtype, &[1, 1, 32], &[1.0; 32]);
    let slots = device.integers(I64, &[1], &[slot]);
    let [key_cache, value_cache] = targets;
    let kernel = scatter_pa_kv_cache(
        site,
        rows(),
        key_cache,
        slots,
        rows(),
        value_cache,
        lens,
        None,
        None,
        None,
        scatter,
        None,
        None,
    );
    (device, kernel)
}

#[test]
fn caches_have_limits() {
    assert!(pages(&A2, F16, 7, |_, _, _, _| {}).1.is_ok());
    refused(pages(&A2, F32, 7, |_, _, _, _| {}).1, INVALID_PARAMETER, &["key is F32"]);
    assert!(pages(&ON_950, F32, 7, |_, _, _, _| {}).1.is_ok());
    let wrong = pages(&A2, F16, 7, |d, c, _, _| c[0] = d.empty(F16, &[2, 4, 2, 32])).1;
    refused(wrong, INVALID_PARAMETER, &["keyCacheRef", "[2, 4, 1, 32]"]);
    let wrong = pages(&A2, F16, 7, |d, c, _, _| c[1] = d.empty(Bf16, &[2, 4, 1, 32])).1;
    refused(wrong, INVALID_PARAMETER, &["valueCacheRef is Bf16"]);
    for mode in ["Alibi", "Rope", "Omni", "Nct"] {
        refused(
            pages(&A2, F16, 7, |_, _, s, _| *s = Some(mode.to_owned())).1,
            NO_KERNEL,
            &["not simulated"],
        );
    }
    refused(
        pages(&A2, F16, 7, |_, _, s, _| *s = Some("Some".to_owned())).1,
        INVALID_PARAMETER,
        &["\"Some\""],
    );
    let compressed = pages(&A2, F16, 7, |d, _, _, l| *l = Some(d.empty(I64, &[1]))).1;
    refused(compressed, NO_KERNEL, &["compressed"]);
    let device = Device::default();
    let (key, cache) = (device.empty(I8, &[1, 1, 32]), device.empty(I8, &[2, 4, 1, 32]));
    let slots = device.empty(I32, &[1]);
    refused(
        scatter_pa_cache(&A2, key.clone(), cache.clone(), slots.clone(), None, None, None, None),
        NO_KERNEL,
        &["Ascend910B3"],
    );
    assert!(scatter_pa_cache(&ON_950, key, cache, slots, None, None, None, None).is_ok());
}

#[test]
fn slots_beyond_the_cache_are_faults_and_below_zero_nothing() {
    let (device, kernel) = pages(&A2, F16, 8, |_, _, _, _| {});
    let fault = device.try_run(kernel).unwrap_err();
    assert_eq!(fault.status, 507_035);
    assert!(fault.message.contains("slotMapping has 8, expected 0 to 7"), "{fault:?}");
    let (device, kernel) = pages(&A2, F16, -1, |_, _, _, _| {});
    device.run(kernel);
}

#[test]
fn scatters_have_limits() {
    let device = Device::default();
    let data = device.empty(F16, &[2, 3, 4]);
    let update = |indices: &[i64], updates: &[i64], axis: i64| {
        let values = vec![0; indices.iter().product::<i64>() as usize];
        let indices = device.integers(I64, indices, &values);
        inplace_scatter_update(&A2, data.clone(), indices, device.empty(F16, updates), axis)
    };
    assert!(update(&[2], &[2, 1, 4], 1).is_ok());
    refused(update(&[2], &[2, 3, 4], 0), INVALID_PARAMETER, &["axis is 0"]);
    refused(update(&[2], &[2, 3, 4], -3), INVALID_PARAMETER, &["axis is -3"]);
    refused(update(&[2, 3], &[2, 1, 4], 1), INVALID_PARAMETER, &["batch and offset"]);
    refused(update(&[2], &[2, 4, 4], 1), INVALID_PARAMETER, &["no larger than data"]);
    refused(update(&[2], &[2, 1, 3], 1), INVALID_PARAMETER, &["updates is of shape [2, 1, 3]"]);
    let late = device.integers(I64, &[2], &[0, 3]);
    let fault = device.try_run(inplace_scatter_update(
        &A2,
        data.clone(),
        late,
        device.empty(F16, &[2, 1, 4]),
        1,
    ));
    assert!(fault.unwrap_err().message.contains("indices has 3, expected 0 to 2"));

    let nd = |indices: &[i64], updates: &[i64], dtype: DataType| {
        scatter_nd_update(
            &A2,
            data.clone(),
            device.empty(dtype, indices),
            device.empty(F16, updates),
        )
    };
    assert!(nd(&[5, 1], &[5, 3, 4], I32).is_ok());
    refused(nd(&[5], &[5, 3, 4], I32), INVALID_PARAMETER, &["indices is of 1 dimensions"]);
    refused(nd(&[5, 4], &[5], I32), INVALID_PARAMETER, &["a last dimension of 1 to 3"]);
    refused(nd(&[5, 2], &[5, 3], I32), INVALID_PARAMETER, &["updates", "[5, 4]"]);
    refused(nd(&[5, 1], &[5, 3, 4], F32), INVALID_PARAMETER, &["indices is F32"]);
    let beyond = device.integers(I32, &[1, 1], &[2]);
    let fault =
        device.try_run(scatter_nd_update(&A2, data.clone(), beyond, device.empty(F16, &[1, 3, 4])));
    assert!(fault.unwrap_err().message.contains("indices has 2, expected 0 to 1"));

    let copy = |index: i64, source: &[i64]| {
        let index = device.integers(I32, &[1], &[index]);
        inplace_index_copy(&A2, data.clone(), -1, index, device.empty(F16, source))
    };
    device.run(copy(3, &[2, 3, 1]));
    refused(copy(3, &[2, 3, 2]), INVALID_PARAMETER, &["source", "[2, 3, 1]"]);
    assert!(device.try_run(copy(4, &[2, 3, 1])).unwrap_err().message.contains("index has 4"));
}
