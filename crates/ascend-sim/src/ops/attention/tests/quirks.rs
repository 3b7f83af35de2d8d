//! What the kernels do and nobody would guess.

use super::*;

/// One sequence of one head of 64, `queries` last ones of `keys`; a value is its position, and all scores are equal.
fn mean_of_positions(
    device: &Device,
    layout: &str,
    queries: usize,
    keys: usize,
    change: impl FnOnce(&mut Call),
) -> Vec<f32> {
    let packed = layout == "TND";
    let shape = |tokens: usize| {
        if packed { vec![tokens as i64, 1, 64] } else { vec![1, tokens as i64, 1, 64] }
    };
    let positions = (0..keys * 64).map(|at| (at / 64) as f32).collect::<Vec<_>>();
    let query = device.floats(F16, &shape(queries), &vec![0.0; queries * 64]);
    let key = device.floats(F16, &shape(keys), &vec![0.0; keys * 64]);
    let value = device.floats(F16, &shape(keys), &positions);
    let out = device.empty(F16, &shape(queries));
    let mut call = Call::new(query, key, value, layout, 1, out.clone());
    call.mask = Some(triangle(device));
    (call.queries, call.keys) = (Some(vec![queries as i64]), Some(vec![keys as i64]));
    change(&mut call);
    device.run(call.v4(&A2));
    device.read_floats(&out).into_iter().step_by(64).collect()
}

/// A window of 128 keys is `preTokens` 127: with 128 there are 129.
#[test]
fn a_band_keeps_one_key_more_than_pre_tokens() {
    let device = Device::default();
    for (before, first) in [(127, 172), (128, 171), (0, 299)] {
        let means = mean_of_positions(&device, "TND", 1, 300, |call| {
            (call.mode, call.before, call.after) = (4, before, 0);
        });
        let mean = f64::from(first + 299) / 2.0;
        assert_eq!(f64::from(means[0]), mean, "preTokens {before}: keys {first} to 299");
    }
}

/// With one query for each batch the kernel for single tokens runs, and the window is gone.
#[test]
fn one_query_in_bsnd_sees_every_key_whatever_the_mode_says() {
    let device = Device::default();
    let band = |call: &mut Call| (call.mode, call.before, call.after) = (4, 7, 0);
    assert_eq!(mean_of_positions(&device, "BSND", 1, 100, band), [49.5], "the band is ignored");
    assert_eq!(mean_of_positions(&device, "TND", 1, 100, band), [95.5], "and counts in TND");
    let two = mean_of_positions(&device, "BSND", 2, 100, band);
    assert_eq!(two, [94.5, 95.5], "and with two queries");
}

#[test]
fn corners_from_which_diagonals_are_counted() {
    let device = Device::default();
    let run = |mode: i64, layout: &str| {
        mean_of_positions(&device, layout, 2, 5, |call| {
            (call.mode, call.before, call.after) = (mode, 1, 0);
        })
    };
    assert_eq!(run(2, "BSND"), [0.0, 0.5], "upper left");
    assert_eq!(run(3, "BSND"), [1.5, 2.0], "lower right");
    assert_eq!(run(4, "BSND"), [2.5, 3.5], "a band, lower right");
    assert_eq!(run(3, "TND"), [1.5, 2.0]);
}

/// More queries than keys: those without keys answer zeros, and have an infinite statistic.
#[test]
fn queries_without_keys_answer_zeros() {
    let device = Device::default();
    let lse = device.empty(F32, &[3, 1, 1]);
    let (out_lse, means) = (
        lse.clone(),
        mean_of_positions(&device, "TND", 3, 2, |call| {
            (call.mode, call.lse) = (3, Some(lse.clone()));
        }),
    );
    assert_eq!(means, [0.0, 0.0, 0.5]);
    let lse = device.read_floats(&out_lse);
    assert_eq!((lse[0], lse[1]), (f32::INFINITY, 0.0));
    assert!((lse[2] - 2f32.ln()).abs() < 1e-6);
}

/// A sink takes weight and gives nothing.
#[test]
fn a_sink_only_adds_to_the_sum() {
    let device = Device::default();
    let run = |sink: Option<f32>| {
        mean_of_positions(&device, "TND", 1, 3, |call| {
            (call.mask, call.mode) = (None, 0);
            call.sink = sink.map(|sink| device.floats(F16, &[1], &[sink]));
        })
    };
    assert_eq!(run(None), [1.0]);
    assert_eq!(run(Some(0.0)), [0.75], "a fourth key of score 0 without a value");
    assert_eq!(run(Some(-1000.0)), [1.0]);
    assert_eq!(run(Some(1000.0)), [0.0]);
}

/// The fallback of a program that has no sinks: the output times sigmoid of log-sum-exp less the sink.
#[test]
fn sinks_can_be_had_from_the_log_sum() {
    let case =
        &cases(FAMILY, "packed").into_iter().find(|case| case.name.contains("3-f16-sink")).unwrap();
    let device = Device::default();
    let run = |with_sink: bool| {
        let (mut call, out) = call(case, &device, "TND");
        let lse = case.output(&device, "lse");
        (call.mode, call.mask, call.kv_heads) = (3, Some(triangle(&device)), case.int("kv_heads"));
        (call.queries, call.keys) = (Some(case.ints("queries")), Some(case.ints("keys")));
        call.lse = Some(lse.clone());
        if with_sink {
            call.sink = case.optional(&device, "sink");
            device.run(call.v4(&A2));
        } else {
            device.run(call.v3(&A2));
        }
        (device.read_floats(&out), device.read_floats(&lse))
    };
    let sinks = device.read_floats(&case.input(&device, "sink"));
    let ((expected, _), (plain, lse)) = (run(true), run(false));
    for (row, lse) in lse.iter().enumerate() {
        let factor = 1.0 / (1.0 + (sinks[row % sinks.len()] - lse).exp());
        for at in row * 64..(row + 1) * 64 {
            assert!((plain[at] * factor - expected[at]).abs() < 3e-3, "{at}");
        }
    }
}

/// A tensor for statistics that nobody asked for stays as it is.
#[test]
fn an_unwanted_log_sum_is_left_alone() {
    let device = Device::default();
    let [query, key, value] = [(); 3].map(|()| device.floats(F16, &[1, 1, 64], &[1.0; 64]));
    let out = device.empty(F16, &[1, 1, 64]);
    let mut call = Call::new(query, key, value, "TND", 1, out);
    (call.queries, call.keys) = (Some(vec![1]), Some(vec![1]));
    let lse = device.floats(F32, &[1, 1, 1], &[42.0]);
    let (q, k, v, o) = (call.query, call.key, call.value, call.out);
    device.run(fused_infer_attention_score_v2(
        &A2,
        q,
        k,
        v,
        None,
        None,
        Some(vec![1]),
        Some(vec![1]),
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
        1,
        1.0,
        0,
        0,
        "TND".to_owned(),
        1,
        0,
        0,
        0,
        0,
        false,
        0,
        0,
        o,
        Some(lse.clone()),
    ));
    assert_eq!(device.read_floats(&lse), [42.0]);
}

/// Keys beyond the longest sequence, and blocks of nobody, are not read.
#[test]
fn only_named_blocks_are_read() {
    let device = Device::default();
    let cache = device.floats(F16, &[1, 16, 64], &[1.0; 16 * 64]);
    // The memory ends after the first block; the cache says it has a second.
    let cache = Tensor { shape: vec![2, 16, 64], storage: vec![2, 16, 64], ..cache };
    let query = device.floats(F16, &[1, 1, 64], &[1.0; 64]);
    let run = |blocks: &[i64], keys: i64| {
        let out = device.empty(F16, &[1, 1, 64]);
        let mut call =
            Call::new(query.clone(), cache.clone(), cache.clone(), "TND", 1, out.clone());
        call.table = Some(device.integers(I32, &[1, 2], blocks));
        (call.block_size, call.queries, call.keys) = (16, Some(vec![1]), Some(vec![keys]));
        device.try_run(call.v4(&A2)).map(|()| device.read_floats(&out)[0])
    };
    assert_eq!(run(&[0, 7], 16), Ok(1.0));
    assert!(run(&[0, 1], 17).is_err(), "memory that is not there");
    let fault = run(&[0, 7], 17).unwrap_err();
    assert!(fault.message.contains("blockTable has 7, expected 0 to 1"), "{fault:?}");
    assert_eq!(fault.status, 507_015);
}
