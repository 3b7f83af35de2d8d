//! All other tests on the other instruction sets.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use lowfloat::DType;
use moe_kernels::arch::Level;
use moe_kernels::{Attention, Heads, KvView, Rounding, Span, linear};
use ndarray::Array2;

use crate::made::{bits, dense, matrix, numbers};

const FORCE: &str = "MOE_KERNELS_ARCH";

#[test]
fn every_test_holds_on_every_level() {
    // The processes that this one starts come here too.
    if env::var_os(FORCE).is_some() {
        return;
    }
    for level in Level::available() {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--skip", "levels::every_test"])
            .env(FORCE, level.name())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{level}: {text}");
    }
}

#[test]
fn the_level_is_the_one_asked_for() {
    if let Ok(name) = env::var(FORCE) {
        assert_eq!(Level::current().name(), name);
    } else {
        assert_eq!(Some(Level::current()), Level::available().next());
    }
}

#[test]
fn levels_that_fuse_give_the_same_bits() {
    if env::var_os(FORCE).is_some() {
        println!("result {:08x}", everything());
        return;
    }
    let mut results = BTreeMap::new();
    for level in Level::available().filter(|level| *level != Level::PORTABLE) {
        let name = "levels::levels_that_fuse_give_the_same_bits";
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(FORCE, level.name())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, result) = text.split_once("result ").unwrap();
        results.entry(result[..8].to_owned()).or_insert_with(Vec::new).push(level);
    }
    assert!(results.len() <= 1, "{results:?}");
}

/// A number that depends on every bit of some results.
fn everything() -> u32 {
    let (w, _) = dense(DType::BF16, 50, 77, &numbers(50 * 77, 1));
    let mut y = Array2::zeros((9, 50));
    linear(matrix(9, 77, 2).view(), &w, None, Rounding::None, y.view_mut()).unwrap();
    let heads = Heads { query: 6, kv: 2, dim: 21 };
    let (keys, values) = (numbers(100 * 42, 3), numbers(100 * 42, 4));
    let spans = [Span { keys: KvView::F32(&keys), values: KvView::F32(&values) }];
    let sinks = &[0.1; 6];
    let attention = Attention { heads, scale: 1.3, sinks, window: None, rounding: Rounding::None };
    let mut out = Array2::zeros((20, 126));
    attention.attend(matrix(20, 126, 5).view(), 80, &spans, 0, out.view_mut()).unwrap();
    let all = bits(y.iter().chain(&out));
    all.into_iter().fold(0, |sum: u32, bits| (sum ^ bits).wrapping_mul(0x0100_0193))
}
