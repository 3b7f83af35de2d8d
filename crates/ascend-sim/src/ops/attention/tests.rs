use std::sync::LazyLock;

use super::*;
use crate::dtype::DataType::{self, Bf16, Bool, F16, F32, I8, I32};
use crate::kernel::{Kernel, Reject};
use crate::ops::testing::{A2, Device};
use crate::ops::vectors::{Case, cases};
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

mod call;
mod properties;
mod quirks;
mod refusals;

use self::call::{Call, Version};

const FAMILY: &str = "attention";
const ON_950: Site = Site { soc: Soc::Ascend950, ..A2 };

/// The mask of modes 2, 3 and 4.
fn triangle(device: &Device) -> Tensor {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut bytes = vec![0; 2048 * 2048];
        for (row, bytes) in bytes.chunks_exact_mut(2048).enumerate() {
            bytes[row + 1..].fill(1);
        }
        bytes
    });
    device.bytes(Bool, &[2048, 2048], &BYTES)
}

fn call(case: &Case, device: &Device, layout: &str) -> (Call, Tensor) {
    let out = case.output(device, "out");
    let [query, key, value] = ["query", "key", "value"].map(|name| case.input(device, name));
    let call = Call::new(query, key, value, layout, case.int("heads"), out.clone());
    (call, out)
}

#[test]
fn batches_as_torch_in_every_version() {
    let versions: [(Version, &Site); 5] =
        [(Call::v1, &A2), (Call::v2, &A2), (Call::v3, &A2), (Call::v4, &A2), (Call::v5, &ON_950)];
    for case in cases(FAMILY, "batched") {
        for (version, site) in versions {
            let device = Device::default();
            let (mut call, out) = call(&case, &device, &case.text("layout"));
            let lse = case.output(&device, "lse");
            call.kv_heads = case.int("kv_heads");
            (call.queries, call.keys) = (Some(case.ints("queries")), Some(case.ints("keys")));
            call.lse = Some(lse.clone());
            device.run(version(call, site));
            case.check(&device, "out", &out);
            case.check(&device, "lse", &lse);
        }
    }
}

#[test]
fn packed_sequences_as_torch() {
    for case in cases(FAMILY, "packed") {
        for site in [&A2, &ON_950] {
            let device = Device::default();
            let (mut call, out) = call(&case, &device, "TND");
            let lse = case.output(&device, "lse");
            call.mode = case.int("mode");
            call.mask = (call.mode != 0).then(|| triangle(&device));
            (call.before, call.after) = (case.int("before"), 0);
            call.kv_heads = case.int("kv_heads");
            (call.queries, call.keys) = (Some(case.ints("queries")), Some(case.ints("keys")));
            call.sink = case.optional(&device, "sink");
            call.lse = Some(lse.clone());
            device.run(if site.soc == Soc::Ascend950 { call.v5(site) } else { call.v4(site) });
            case.check(&device, "out", &out);
            case.check(&device, "lse", &lse);
        }
    }
}

#[test]
fn pages_as_torch() {
    for case in cases(FAMILY, "paged") {
        let device = Device::default();
        let (mut call, out) = call(&case, &device, "TND");
        (call.mode, call.mask) = (4, Some(triangle(&device)));
        (call.before, call.after) = (case.int("before"), 0);
        call.kv_heads = case.int("kv_heads");
        call.scale = case.float("scale");
        (call.queries, call.keys) = (Some(case.ints("queries")), Some(case.ints("keys")));
        call.table = Some(case.input(&device, "table"));
        call.block_size = case.int("block_size");
        device.run(call.v4(&A2));
        case.check(&device, "out", &out);
    }
}

#[test]
fn full_masks_as_torch() {
    for case in cases(FAMILY, "masked") {
        let device = Device::default();
        let (mut call, out) = call(&case, &device, "BNSD");
        let lse = case.output(&device, "lse");
        call.mask = Some(case.input(&device, "mask"));
        (call.mode, call.before, call.after) =
            (case.int("mode"), case.int("before"), case.int("after"));
        call.scale = case.float("scale");
        call.lse = Some(lse.clone());
        device.run(call.v4(&A2));
        case.check(&device, "out", &out);
        case.check(&device, "lse", &lse);
    }
}

#[test]
fn training_as_torch() {
    for case in cases(FAMILY, "training") {
        let device = Device::default();
        let [max, sum, out] = ["max", "sum", "out"].map(|name| case.output(&device, name));
        let input = |name| case.input(&device, name);
        device.run(flash_attention_score_v3(
            &A2,
            input("query"),
            input("key"),
            input("value"),
            None,
            None,
            None,
            Some(input("mask")),
            Some(input("sink")),
            None,
            None,
            None,
            0.25,
            1.0,
            65_536,
            65_536,
            case.int("heads"),
            case.text("layout"),
            0,
            1,
            1,
            max.clone(),
            sum.clone(),
            None,
            out.clone(),
        ));
        for (name, tensor) in [("max", &max), ("sum", &sum), ("out", &out)] {
            case.check(&device, name, tensor);
        }
    }
    for case in cases(FAMILY, "var_len") {
        let device = Device::default();
        let [max, sum, out] = ["max", "sum", "out"].map(|name| case.output(&device, name));
        let input = |name| case.input(&device, name);
        device.run(flash_attention_var_len_score_v3(
            &A2,
            input("query"),
            None,
            input("key"),
            None,
            input("value"),
            None,
            None,
            None,
            Some(triangle(&device)),
            None,
            Some(case.ints("queries")),
            Some(case.ints("keys")),
            None,
            None,
            0.25,
            1.0,
            65_536,
            0,
            case.int("heads"),
            "TND".to_owned(),
            0,
            3,
            1,
            max.clone(),
            sum.clone(),
            None,
            out.clone(),
        ));
        for (name, tensor) in [("max", &max), ("sum", &sum), ("out", &out)] {
            case.check(&device, name, tensor);
        }
    }
}

#[test]
fn prompts_and_single_tokens_are_parts_of_the_whole() {
    let device = Device::default();
    let values =
        |count: usize| (0..count).map(|at| (at * 37 % 101) as f32 / 50.0 - 1.0).collect::<Vec<_>>();
    let tensor =
        |tokens: i64| device.floats(F16, &[2, tokens, 2 * 32], &values(2 * tokens as usize * 64));
    for queries in [1, 3] {
        let (query, key, value) = (tensor(queries), tensor(5), tensor(5));
        let [whole, part] = [(); 2].map(|()| device.empty(F16, &[2, queries, 64]));
        let mut call =
            Call::new(query.clone(), key.clone(), value.clone(), "BSH", 2, whole.clone());
        call.keys = Some(vec![4, 5]);
        device.run(call.v3(&A2));
        let layout = "BSH".to_owned();
        device.run(if queries == 1 {
            incre_flash_attention_v4(
                &A2,
                query,
                vec![key],
                vec![value],
                None,
                None,
                Some(vec![4, 5]),
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                2,
                0.125,
                layout,
                0,
                0,
                0,
                part.clone(),
            )
        } else {
            prompt_flash_attention_v3(
                &A2,
                query,
                key,
                value,
                None,
                None,
                None,
                Some(vec![4, 5]),
                None,
                None,
                None,
                None,
                None,
                2,
                0.125,
                0,
                0,
                layout,
                0,
                0,
                0,
                part.clone(),
            )
        });
        assert_eq!(device.read_floats(&whole), device.read_floats(&part));
    }
}
