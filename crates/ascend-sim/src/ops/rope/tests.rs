use super::*;
use crate::dtype::DataType::{self, Bf16, F16, F32, I32, I64};
use crate::kernel::{INVALID_PARAMETER, Kernel, NO_TILING, Reject};
use crate::ops::testing::{A2, Device, refused};
use crate::ops::vectors::cases;
use crate::profile::{Site, Soc};
use proptest::prelude::*;

const FAMILY: &str = "rotary";
const ON_950: Site = Site { soc: Soc::Ascend950, ..A2 };

#[test]
fn queries_and_keys_as_torch() {
    for case in cases(FAMILY, "apply") {
        let device = Device::default();
        let [query, key, cos, sin] =
            ["query", "key", "cos", "sin"].map(|name| case.input(&device, name));
        let layout = case.int("layout");
        device.run(apply_rotary_pos_emb(&A2, query.clone(), key.clone(), cos, sin, layout));
        case.check(&device, "query", &query);
        case.check(&device, "key", &key);
        let [query, key, cos, sin] =
            ["query", "key", "cos", "sin"].map(|name| case.input(&device, name));
        let (q, k) = (query.clone(), key.clone());
        device.run(apply_rotary_pos_emb_v2(&A2, q, k, cos, sin, layout, "half".to_owned()));
        case.check(&device, "query", &query);
        case.check(&device, "key", &key);
    }
}

#[test]
fn single_tensors_as_torch() {
    for case in cases(FAMILY, "single") {
        let device = Device::default();
        let [x, cos, sin] = ["x", "cos", "sin"].map(|name| case.input(&device, name));
        let mode = case.int("mode");
        let out = case.output(&device, "out");
        device.run(rotary_position_embedding(
            &ON_950,
            x.clone(),
            cos.clone(),
            sin.clone(),
            mode,
            out.clone(),
        ));
        case.check(&device, "out", &out);
        if mode > 1 {
            refused(
                rotary_position_embedding(&A2, x, cos, sin, mode, out),
                NO_TILING,
                &["mode is"],
            );
            continue;
        }
        // The matrix that rotates gives the same.
        let width = x.shape[3] as usize;
        let mut matrix = vec![0.0; width * width];
        for pair in 0..width / 2 {
            let (a, b) =
                if mode == 0 { (pair, pair + width / 2) } else { (2 * pair, 2 * pair + 1) };
            (matrix[b * width + a], matrix[a * width + b]) = (-1.0, 1.0);
        }
        let matrix = device.floats(x.dtype, &[width as i64; 2], &matrix);
        let out = case.output(&device, "out");
        device.run(rotary_position_embedding_v2(&A2, x, cos, sin, mode, Some(matrix), out.clone()));
        case.check(&device, "out", &out);
    }
}

#[test]
fn positions_as_torch() {
    for case in cases(FAMILY, "cached") {
        let device = Device::default();
        let [positions, query, key, table] =
            ["positions", "query", "key", "table"].map(|name| case.input(&device, name));
        let (query_out, key_out) =
            (case.output(&device, "query_out"), case.output(&device, "key_out"));
        device.run(rope_with_sin_cos_cache(
            &A2,
            positions,
            query,
            key,
            table,
            Some(case.ints("sections")),
            case.int("size"),
            case.flag("neox"),
            query_out.clone(),
            key_out.clone(),
        ));
        case.check(&device, "query_out", &query_out);
        case.check(&device, "key_out", &key_out);
    }
}

/// Heads of a fused product, rotated where they lie.
#[test]
fn views_are_rotated_in_place() {
    let device = Device::default();
    let fused =
        device.floats(F16, &[2, 3 * 64], &(0..384).map(|at| at as f32 / 64.0).collect::<Vec<_>>());
    let view = |first: i64, heads: i64| crate::tensor::Tensor {
        shape: vec![2, heads, 64],
        strides: vec![192, 64, 1],
        offset: first * 64,
        ..fused.clone()
    };
    let (query, key) = (view(0, 1), view(1, 1));
    let table = |value: f32| device.floats(F16, &[2, 1, 64], &[value; 128]);
    let before = device.read_floats(&fused);
    device.run(apply_rotary_pos_emb(&A2, query, key, table(0.0), table(1.0), 4));
    let after = device.read_floats(&fused);
    assert_eq!(after[0], -before[32]);
    assert_eq!(after[64 + 32], before[64]);
    assert_eq!(after[128..192], before[128..192], "values stay");
}

fn apply(
    site: &Site,
    dtype: DataType,
    width: i64,
    layout: i64,
    mode: &str,
) -> Result<Kernel, Reject> {
    let device = Device::default();
    let tensor = |heads: i64| device.empty(dtype, &[2, 3, heads, width]);
    apply_rotary_pos_emb_v2(
        site,
        tensor(4),
        tensor(2),
        tensor(1),
        tensor(1),
        layout,
        mode.to_owned(),
    )
}

#[test]
fn rotations_have_limits() {
    assert!(apply(&A2, Bf16, 64, 1, "half").is_ok());
    assert!(apply(&A2, Bf16, 128, 1, "half").is_ok());
    refused(apply(&A2, Bf16, 96, 1, "half"), INVALID_PARAMETER, &["64 or 128"]);
    for layout in [0, 2, 3, 5] {
        refused(apply(&A2, Bf16, 64, layout, "half"), NO_TILING, &["layout is"]);
    }
    refused(apply(&A2, Bf16, 64, 4, "half"), INVALID_PARAMETER, &["queryRef is of 4 dimensions"]);
    refused(
        apply(&A2, Bf16, 64, 1, "interleave"),
        INVALID_PARAMETER,
        &["rotaryMode is \"interleave\""],
    );
    assert!(apply(&ON_950, Bf16, 96, 1, "interleave").is_ok());
    assert!(apply(&ON_950, Bf16, 96, 1, "quarter").is_ok());
    refused(apply(&ON_950, Bf16, 98, 1, "quarter"), INVALID_PARAMETER, &["divisible by 4"]);
    refused(apply(&A2, I32, 64, 1, "half"), INVALID_PARAMETER, &["queryRef is I32"]);
    let device = Device::default();
    let [query, key] = [(); 2].map(|()| device.empty(F16, &[3, 2, 64]));
    let (cos, sin) = (device.empty(F32, &[3, 1, 64]), device.empty(F16, &[3, 1, 64]));
    refused(
        apply_rotary_pos_emb(&A2, query.clone(), key.clone(), cos, sin.clone(), 4),
        INVALID_PARAMETER,
        &["cos is F32", "queryRef"],
    );
    let cos = device.empty(F16, &[3, 1, 32]);
    let sin_half = device.empty(F16, &[3, 1, 32]);
    refused(
        apply_rotary_pos_emb(&A2, query, key, cos, sin_half, 4),
        INVALID_PARAMETER,
        &["cos is of shape [3, 1, 32]", "[3, 1, 64]"],
    );
}

#[test]
fn positions_have_limits() {
    let device = Device::default();
    let run = |positions: &[i64], sections: Option<Vec<i64>>, size: i64, table: i64| {
        let shape = if sections.is_some() { vec![3, 2] } else { vec![2] };
        let values = (0..shape.iter().product::<i64>()).map(|at| positions[at as usize % 2]);
        let positions = device.integers(I64, &shape, &values.collect::<Vec<_>>());
        let rows = || device.empty(F16, &[2, 128]);
        let table = device.empty(F16, &[4, table]);
        rope_with_sin_cos_cache(
            &A2,
            positions,
            rows(),
            rows(),
            table,
            sections,
            size,
            true,
            rows(),
            rows(),
        )
    };
    device.run(run(&[0, 3], None, 64, 64));
    refused(run(&[0, 3], None, 48, 32), NO_TILING, &["headSize is 48"]);
    refused(run(&[0, 3], None, 32, 64), NO_TILING, &["cosSinCache", "at most 32"]);
    refused(run(&[0, 3], Some(vec![8, 8, 16]), 64, 64), NO_TILING, &["mropeSection"]);
    let fault = device.try_run(run(&[0, 4], None, 64, 64)).unwrap_err();
    assert!(fault.message.contains("positions has 4, expected 0 to 3"), "{fault:?}");
}

proptest! {
    #[test]
    fn rotations_keep_lengths(seed in any::<u64>(), interleaved in any::<bool>()) {
        let device = Device::default();
        let number = |at: u64| {
            (seed.wrapping_mul(at * 2 + 1).rotate_left(at as u32) >> 40) as f64 / f64::from(1 << 24)
        };
        let (tokens, width) = (3, 64);
        let x = (0..tokens * width).map(|at| number(at as u64) as f32 * 4.0 - 2.0).collect::<Vec<_>>();
        let place = |at: usize| if interleaved { at / 2 } else { at % (width / 2) };
        let angle = |token: usize, at: usize| number(900 + (token * 64 + place(at)) as u64) * 6.3;
        let table = |of: fn(f64) -> f64| {
            let values = (0..tokens * width).map(|at| of(angle(at / width, at % width)) as f32);
            device.floats(F32, &[1, tokens as i64, 1, width as i64], &values.collect::<Vec<_>>())
        };
        let shape = [1, tokens as i64, 1, width as i64];
        let out = device.empty(F32, &shape);
        let mode = i64::from(interleaved);
        device.run(rotary_position_embedding(
            &A2, device.floats(F32, &shape, &x), table(f64::cos), table(f64::sin), mode, out.clone(),
        ));
        let got = device.read_floats(&out);
        for token in 0..tokens {
            for pair in 0..width / 2 {
                let (a, b) = if interleaved { (2 * pair, 2 * pair + 1) } else { (pair, pair + width / 2) };
                let (a, b) = (token * width + a, token * width + b);
                let (sin, cos) = angle(token, a - token * width).sin_cos();
                let (xa, xb) = (f64::from(x[a]), f64::from(x[b]));
                prop_assert!((f64::from(got[a]) - (xa * cos - xb * sin)).abs() < 1e-5);
                prop_assert!((f64::from(got[b]) - (xb * cos + xa * sin)).abs() < 1e-5);
            }
        }
    }
}
