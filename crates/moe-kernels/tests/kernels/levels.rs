//! All other tests on the other instruction sets.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use lowfloat::{DType, bf16};
use moe_kernels::arch::Level;
use moe_kernels::{Attention, Heads, KvView, Repack, Rounding, Span, linear};
use ndarray::{Array2, Axis};

use crate::made::{Packed, bits, dense, matrix, numbers};

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
        // On some CPUs AVX-512 without products of bf16 is faster.
        let best = Level::available()
            .find(|level| *level == Level::current() || level.name() != "avx512bf16");
        assert_eq!(Some(Level::current()), best);
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
    let mut ys = y.clone();
    let packed = Packed::new(50, 160, 6).matrix();
    let (w, _) = dense(DType::BF16, 50, 160, &numbers(50 * 160, 7));
    let coded = w.repacked(Repack::Coded).unwrap().unwrap();
    let int8 = w.repacked(Repack::Int8).unwrap().unwrap();
    for (w, integers) in [(packed, true), (w, false), (coded, false), (int8, false)] {
        for tokens in [1, 3, 9] {
            let x = matrix(tokens, 160, 8).mapv(|x| bf16::from_f32(x).to_f32());
            for rounding in [Rounding::None, Rounding::Bf16] {
                // Where there are no products of bf16, integers take their place.
                if integers && rounding == Rounding::Bf16 {
                    continue;
                }
                let mut y = Array2::zeros((tokens, 50));
                linear(x.view(), &w, None, rounding, y.view_mut()).unwrap();
                ys.append(Axis(0), y.view()).unwrap();
            }
        }
    }
    let heads = Heads { query: 6, kv: 2, dim: 21 };
    let (keys, values) = (numbers(100 * 42, 3), numbers(100 * 42, 4));
    let spans = [Span { keys: KvView::F32(&keys), values: KvView::F32(&values), len: 100 }];
    let sinks = &[0.1; 6];
    let attention = Attention { heads, scale: 1.3, sinks, window: None, rounding: Rounding::None };
    let mut out = Array2::zeros((20, 126));
    attention.attend(matrix(20, 126, 5).view(), 80, &spans, 0, out.view_mut()).unwrap();
    let all = bits(ys.iter().chain(&out));
    all.into_iter().fold(0, |sum: u32, bits| (sum ^ bits).wrapping_mul(0x0100_0193))
}
