//! All 2^32 f32 to each narrower format at every level. Minutes:
//!
//! ```text
//! cargo test --release -p lowfloat --test all_f32 -- --ignored
//! ```

mod reference;

use std::thread;

use lowfloat::arch::Level;
use lowfloat::{DType, on_level};
use reference::{SMALL, Small};

/// f32 patterns at a time.
const PIECE: u32 = 1 << 16;

#[test]
#[ignore = "minutes, in a release build"]
fn every_f32_to_every_format() {
    let threads = thread::available_parallelism().map_or(1, |n| n.get() as u32);
    for format in SMALL {
        thread::scope(|scope| {
            for thread in 0..threads {
                scope.spawn(move || {
                    for piece in (thread..=u32::MAX / PIECE).step_by(threads as usize) {
                        check(format, piece * PIECE, false);
                        if format.sign == 0x80 {
                            check(format, piece * PIECE, true);
                        }
                    }
                });
            }
        });
    }
}

fn check(format: Small, first: u32, saturate: bool) {
    let magnitudes = format.magnitudes();
    let src: Vec<u8> = (0..PIECE).flat_map(|i| (first + i).to_le_bytes()).collect();
    let size = format.dtype.size().unwrap();
    let mut expected = vec![0; PIECE as usize * size];
    fill(format, &magnitudes, first, saturate, &mut expected);
    for level in Level::available() {
        let cast = if saturate { on_level::cast_bytes_saturating } else { on_level::cast_bytes };
        let mut dst = vec![0; expected.len()];
        cast(level, DType::F32, &src, format.dtype, &mut dst).unwrap();
        assert!(dst == expected, "f32 {first:#x}.. to {} on {level}", format.dtype);
    }
}

/// What f32 patterns from `first` on become, found by halving runs until both ends agree: rounding
/// keeps the order, so that all between equal ends is equal to them.
fn fill(format: Small, magnitudes: &[f64], first: u32, saturate: bool, out: &mut [u8]) {
    let size = format.dtype.size().unwrap();
    let convert = |bits: u32| {
        let value = f32::from_bits(bits);
        if value.is_nan() {
            return format.nan(bits >> 31 == 1, reference::f32_payload(bits));
        }
        format.nearest(magnitudes, f64::from(value), saturate)
    };
    let count = out.len() / size;
    let last = first + (count - 1) as u32;
    let (low, high) = (convert(first), convert(last));
    if low == high {
        for element in out.chunks_mut(size) {
            element.copy_from_slice(&low.to_le_bytes()[..size]);
        }
    } else {
        let (left, right) = out.split_at_mut(count / 2 * size);
        fill(format, magnitudes, first, saturate, left);
        fill(format, magnitudes, first + (count / 2) as u32, saturate, right);
    }
}
