use super::*;
use crate::kernel::{INVALID_PARAMETER, NO_KERNEL};
use crate::ops::testing::{A2, Device, refused};
use crate::ops::vectors::cases;
use crate::profile::Cann;

#[test]
fn filters_as_torch_computes() {
    for case in cases("sampling", "apply_top_k_top_p") {
        let device = Device::default();
        let (logits, out) = (case.input(&device, "logits"), case.output(&device, "out"));
        let (p, k) = (case.optional(&device, "p"), case.optional(&device, "k"));
        device.run(apply_top_k_top_p(&A2, logits, p, k, out.clone()));
        case.check(&device, "out", &out);
    }
}

#[test]
fn samples_as_torch_computes() {
    for case in cases("sampling", "top_k_top_p_sample") {
        let device = Device::default();
        let [logits, k, p] = ["logits", "top_k", "top_p"].map(|name| case.input(&device, name));
        let q = case.optional(&device, "q");
        let (token, kept) = (case.output(&device, "token"), case.output(&device, "kept"));
        let (a, b) = (token.clone(), kept.clone());
        device.run(top_k_top_p_sample(&A2, logits, k, p, q, 1e-8, true, 32, a, b));
        case.check(&device, "token", &token);
        case.check(&device, "kept", &kept);
    }
}

#[test]
fn filtered_logits_are_written_on_request_only() {
    let device = Device::default();
    let logits = device.floats(DataType::F16, &[1, 3], &[1.0, 3.0, 2.0]);
    let k = device.integers(DataType::I32, &[1], &[2]);
    let p = device.floats(DataType::F16, &[1], &[1.0]);
    let (token, kept) = (device.empty(DataType::I64, &[1]), device.empty(DataType::F32, &[1, 3]));
    device.run(top_k_top_p_sample(
        &A2,
        logits,
        k,
        p,
        None,
        1e-8,
        false,
        1,
        token.clone(),
        kept.clone(),
    ));
    assert_eq!(device.read_integers(&token), [1]);
    assert!(device.read_floats(&kept).iter().all(|value| value.is_nan()));
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::default();
    let invalid = INVALID_PARAMETER;
    let x = device.empty(DataType::F16, &[2, 4]);
    let out = device.empty(DataType::I64, &[2, 4]);
    let (p, k) = (device.empty(DataType::F16, &[2]), device.empty(DataType::I32, &[2]));
    let apply = |p: Option<&Tensor>, k: Option<&Tensor>, out: &Tensor| {
        apply_top_k_top_p(&A2, x.clone(), p.cloned(), k.cloned(), out.clone())
    };
    refused(apply(None, None, &x), NULL_POINTER, &["aclnnApplyTopKTopP", "null like k"]);
    refused(apply(Some(&k), Some(&k), &x), invalid, &["p", "I32"]);
    refused(apply(Some(&p), Some(&p), &x), invalid, &["k", "F16"]);
    refused(apply(Some(&p), Some(&k), &out), invalid, &["out", "I64"]);
    let three = device.empty(DataType::F16, &[3]);
    refused(apply(Some(&three), Some(&k), &x), invalid, &["p", "[2]"]);

    let (token, kept) = (device.empty(DataType::I64, &[2]), device.empty(DataType::F32, &[2, 4]));
    let sample = |site: &Site, k: &Tensor, p: &Tensor, q: Option<&Tensor>, guess, kept: &Tensor| {
        let (x, k, p, q) = (x.clone(), k.clone(), p.clone(), q.cloned());
        top_k_top_p_sample(site, x, k, p, q, 1e-8, true, guess, token.clone(), kept.clone())
    };
    let newer = Site { soc: Soc::Ascend950, cann: Cann::V8_5 };
    refused(sample(&newer, &k, &p, None, 1, &kept), NO_KERNEL, &["aclnnTopKTopPSample", "chip"]);
    refused(sample(&A2, &p, &p, None, 1, &kept), invalid, &["topK", "F16"]);
    refused(sample(&A2, &k, &three, None, 1, &kept), invalid, &["topP", "[2]"]);
    refused(sample(&A2, &k, &p, Some(&x), 1, &kept), invalid, &["q", "F16"]);
    refused(sample(&A2, &k, &p, None, 0, &kept), invalid, &["topKGuess is 0"]);
    refused(sample(&A2, &k, &p, None, 1, &x), invalid, &["logitsTopKPSelect", "F16"]);
}
