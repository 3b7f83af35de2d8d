//! What is refused.

use super::*;
use crate::kernel::{INNER_NULL, INVALID_PARAMETER, NO_KERNEL, NO_TILING, NULL_POINTER};
use crate::ops::testing::refused;

/// Two packed sequences of 1 and 2 queries by 5 and 4 keys, four heads of 64 over two.
fn packed(device: &Device) -> Call {
    let tensor = |tokens: i64, heads: i64| device.empty(Bf16, &[tokens, heads, 64]);
    let mut call = Call::new(tensor(3, 4), tensor(9, 2), tensor(9, 2), "TND", 4, tensor(3, 4));
    (call.queries, call.keys) = (Some(vec![1, 3]), Some(vec![5, 9]));
    call.kv_heads = 2;
    call
}

fn paged(device: &Device) -> Call {
    let mut call = packed(device);
    let cache = device.empty(Bf16, &[6, 16, 2 * 64]);
    (call.key, call.value) = (vec![cache.clone()], vec![cache]);
    call.keys = Some(vec![20, 33]);
    call.table = Some(device.integers(I32, &[2, 3], &[0; 6]));
    call.block_size = 16;
    call
}

fn wrong(
    base: fn(&Device) -> Call,
    status: i32,
    names: &[&str],
    change: impl FnOnce(&Device, &mut Call),
) {
    let device = Device::default();
    let mut call = base(&device);
    change(&device, &mut call);
    refused(call.v4(&A2), status, names);
}

#[test]
fn the_chips_of_each_version() {
    let device = Device::default();
    assert!(packed(&device).v4(&A2).is_ok());
    assert!(packed(&device).v5(&ON_950).is_ok());
    refused(packed(&device).v5(&A2), NO_KERNEL, &["aclnnFusedInferAttentionScoreV5", "Ascend950"]);
    for version in [Call::v1 as Version, Call::v2, Call::v3, Call::v4] {
        refused(version(packed(&device), &ON_950), NO_KERNEL, &["the chip is Ascend950"]);
    }
}

#[test]
fn lengths_are_cumulative_where_sequences_are_packed() {
    let cases: [(&[i64], &str); 3] =
        [(&[2, 1], "[2, 1]"), (&[1, 2], "end with 3"), (&[1, 4], "end with 3")];
    for (queries, name) in cases {
        wrong(packed, NO_TILING, &["actualSeqLengths is", name], |_, c| {
            c.queries = Some(queries.to_vec());
        });
    }
    wrong(packed, NO_TILING, &["actualSeqLengths is null"], |_, c| c.queries = None);
    wrong(packed, NO_TILING, &["actualSeqLengthsKv is null"], |_, c| c.keys = None);
    wrong(packed, NO_TILING, &["actualSeqLengthsKv"], |_, c| c.keys = Some(vec![5, 4]));
    wrong(packed, NO_TILING, &["1 lengths", "2"], |_, c| c.keys = Some(vec![9]));
    wrong(paged, NO_TILING, &["actualSeqLengthsKv is null"], |_, c| c.keys = None);
    wrong(paged, NO_TILING, &["actualSeqLengthsKv is 49", "0 to 48"], |_, c| {
        c.keys = Some(vec![20, 49]);
    });
}

#[test]
fn modes_and_masks_of_packed_sequences() {
    for mode in [1, 2] {
        wrong(packed, NO_TILING, &["0, 3 or 4"], |d, c| {
            (c.mode, c.mask) = (mode, Some(triangle(d)));
        });
    }
    wrong(packed, NO_TILING, &["sparseMode is 9"], |_, c| c.mode = 9);
    wrong(packed, NO_TILING, &["attenMask is null"], |_, c| c.mode = 3);
    wrong(packed, NO_TILING, &["attenMask is given"], |d, c| c.mask = Some(triangle(d)));
    wrong(packed, NO_TILING, &["attenMask", "[2048, 2048]"], |d, c| {
        (c.mode, c.mask) = (3, Some(d.empty(Bool, &[1024, 1024])));
    });
    wrong(packed, INVALID_PARAMETER, &["attenMask is F16"], |d, c| {
        (c.mode, c.mask) = (3, Some(d.empty(F16, &[2048, 2048])));
    });
    wrong(packed, NO_TILING, &["preTokens and nextTokens"], |d, c| {
        (c.mode, c.mask, c.before, c.after) = (4, Some(triangle(d)), 3, -4);
    });
    wrong(packed, NO_TILING, &["innerPrecise is 1"], |_, c| c.precise = 1);
}

#[test]
fn a_mask_that_is_no_triangle_is_a_fault() {
    let device = Device::default();
    let mut call = packed(&device);
    (call.mode, call.mask) = (3, Some(device.bytes(I8, &[2048, 2048], &vec![0; 2048 * 2048])));
    let fault = device.try_run(call.v4(&A2)).unwrap_err();
    assert!(fault.message.contains("attenMask has 0 at [0, 1]"), "{fault:?}");
}

#[test]
fn shapes_have_limits() {
    let empty = |d: &Device, heads, depth| d.empty(Bf16, &[3, heads, depth]);
    wrong(packed, NO_TILING, &["numHeads is 0"], |_, c| c.heads = 0);
    wrong(packed, NO_TILING, &["numKeyValueHeads is 3"], |_, c| c.kv_heads = 3);
    wrong(packed, NO_TILING, &["query is of shape [3, 5, 64]"], |d, c| c.query = empty(d, 5, 64));
    wrong(packed, NO_TILING, &["rows of 64 or 128"], |d, c| {
        (c.query, c.out) = (empty(d, 4, 32), empty(d, 4, 32));
        let tensor = || vec![d.empty(Bf16, &[9, 2, 32])];
        (c.key, c.value) = (tensor(), tensor());
    });
    wrong(packed, NO_TILING, &["attentionOut is of shape [3, 4, 128]"], |d, c| {
        c.out = empty(d, 4, 128);
    });
    wrong(packed, NO_TILING, &["inputLayout is \"SBH\""], |_, c| "SBH".clone_into(&mut c.layout));
    wrong(packed, NO_TILING, &["softmaxLse", "[3, 4, 1]"], |d, c| {
        c.lse = Some(d.empty(F32, &[2, 4, 1]));
    });
    wrong(packed, INVALID_PARAMETER, &["query is of shape", "contiguous"], |d, c| {
        c.query = Tensor {
            strides: vec![512, 64, 1],
            storage: vec![3, 512],
            ..d.empty(Bf16, &[3, 4, 64])
        };
    });
    let types: [(DataType, i32, &str); 3] = [
        (F32, INVALID_PARAMETER, "query is F32"),
        (I8, NO_KERNEL, "not simulated"),
        (F16, INVALID_PARAMETER, "attentionOut is Bf16"),
    ];
    for (dtype, status, name) in types {
        wrong(packed, status, &[name], |d, c| c.query = d.empty(dtype, &[3, 4, 64]));
    }
}

#[test]
fn sinks_have_limits() {
    let sink =
        |dtype, heads| move |d: &Device, c: &mut Call| c.sink = Some(d.empty(dtype, &[heads]));
    let device = Device::default();
    let mut call = packed(&device);
    sink(Bf16, 4)(&device, &mut call);
    assert!(call.v4(&A2).is_ok());
    wrong(packed, INVALID_PARAMETER, &["learnableSinkOptional is F32"], sink(F32, 4));
    wrong(packed, INVALID_PARAMETER, &["learnableSinkOptional is F16", "query"], sink(F16, 4));
    wrong(packed, NO_TILING, &["learnableSinkOptional", "[4]"], sink(Bf16, 2));
    let narrow = || device.empty(F16, &[1, 2, 4, 32]);
    let mut call = Call::new(narrow(), narrow(), narrow(), "BSND", 4, narrow());
    call.sink = Some(device.empty(F16, &[4]));
    refused(call.v4(&A2), NO_TILING, &["beside values of 32", "64 or 128"]);
    wrong(packed, NO_KERNEL, &["pseShiftOptional"], |d, c| {
        c.pse = Some(d.empty(Bf16, &[1, 4, 8, 16]));
    });
}

#[test]
fn pages_have_limits() {
    let device = Device::default();
    assert!(paged(&device).v4(&A2).is_ok());
    wrong(paged, NO_TILING, &["key is of shape", "3 dimensions"], |d, c| {
        let cache = d.empty(Bf16, &[6, 16, 2, 64]);
        (c.key, c.value) = (vec![cache.clone()], vec![cache]);
    });
    wrong(paged, NO_TILING, &["key is of shape [6, 16, 128]"], |_, c| c.block_size = 32);
    wrong(paged, NO_TILING, &["blockSize is 24", "a multiple of 16"], |d, c| {
        let cache = d.empty(Bf16, &[6, 24, 128]);
        (c.key, c.value, c.block_size) = (vec![cache.clone()], vec![cache], 24);
    });
    wrong(paged, INVALID_PARAMETER, &["blockTable is F16"], |d, c| {
        c.table = Some(d.empty(F16, &[2, 3]));
    });
    wrong(paged, NO_TILING, &["blockTable is of shape [3, 3]"], |d, c| {
        c.table = Some(d.empty(I32, &[3, 3]));
    });
    wrong(paged, NO_TILING, &["actualSeqLengthsKv is 33", "0 to 32"], |d, c| {
        c.table = Some(d.empty(I32, &[2, 2]));
    });
    wrong(paged, NO_TILING, &["value is of shape", "the shape of key"], |d, c| {
        c.value = vec![d.empty(Bf16, &[7, 16, 128])];
    });
}

#[test]
fn older_operators_have_limits() {
    let device = Device::default();
    let tensor = || device.empty(F16, &[1, 3, 4, 64]);
    let tnd = "TND".to_owned();
    refused(
        prompt_flash_attention_v3(
            &A2,
            tensor(),
            tensor(),
            tensor(),
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            4,
            1.0,
            0,
            0,
            tnd,
            4,
            0,
            0,
            tensor(),
        ),
        NO_KERNEL,
        &["inputLayout is \"TND\"", "not simulated"],
    );
    refused(
        incre_flash_attention_v4(
            &A2,
            tensor(),
            vec![tensor()],
            vec![tensor()],
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            4,
            1.0,
            "BSND".to_owned(),
            4,
            0,
            0,
            tensor(),
        ),
        NO_TILING,
        &["one token for each batch"],
    );
}

#[test]
fn training_has_limits() {
    let device = Device::default();
    let tensor = || device.empty(F16, &[1, 3, 4, 64]);
    let statistic = || device.empty(F32, &[1, 4, 3, 8]);
    let training = |layout: &str, keep: f64, pse_type: i64| {
        flash_attention_score_v3(
            &A2,
            tensor(),
            tensor(),
            tensor(),
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            1.0,
            keep,
            9,
            9,
            4,
            layout.to_owned(),
            0,
            0,
            pse_type,
            statistic(),
            statistic(),
            None,
            tensor(),
        )
    };
    assert!(training("BSND", 1.0, 1).is_ok());
    refused(training("TND", 1.0, 1), INNER_NULL, &["inputLayout is \"TND\""]);
    refused(training("BSND", 0.9, 1), NO_KERNEL, &["dropMaskOptional"]);
    refused(training("BSND", 1.0, 0), NO_TILING, &["pseType is 0"]);
    let tensor = || device.empty(F16, &[3, 4, 64]);
    let lengths = || Some(vec![3]);
    refused(
        flash_attention_var_len_score_v3(
            &A2,
            tensor(),
            None,
            tensor(),
            None,
            tensor(),
            None,
            None,
            None,
            None,
            None,
            lengths(),
            lengths(),
            None,
            None,
            1.0,
            1.0,
            9,
            9,
            4,
            "TND".to_owned(),
            0,
            0,
            1,
            statistic(),
            statistic(),
            None,
            tensor(),
        ),
        NULL_POINTER,
        &["attenMaskOptional is null"],
    );
}

#[test]
fn a_wanted_log_sum_needs_a_place() {
    let device = Device::default();
    let call = packed(&device);
    let (q, k, v, o) = (call.query, call.key, call.value, call.out);
    let missing = fused_infer_attention_score_v2(
        &A2,
        q,
        k,
        v,
        None,
        None,
        Some(vec![1, 3]),
        Some(vec![5, 9]),
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        4,
        1.0,
        0,
        0,
        "TND".to_owned(),
        2,
        0,
        0,
        0,
        0,
        true,
        0,
        0,
        o,
        None,
    );
    refused(missing, NULL_POINTER, &["softmaxLse is null"]);
}
