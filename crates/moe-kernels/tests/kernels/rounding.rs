use half::{bf16, f16};
use moe_kernels::Rounding;

/// Every upper half of an f32, with lower halves below, at and above the middle.
fn values() -> Vec<f32> {
    let lows = [0, 1, 0x0FFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001, 0xFFFF];
    let high = 0..=u16::MAX;
    high.flat_map(|high| lows.map(|low| f32::from_bits(u32::from(high) << 16 | low))).collect()
}

#[test]
fn slices_and_single_values_round_as_in_half() {
    let values = values();
    let expected = |rounding, value: f32| match rounding {
        Rounding::None => value,
        Rounding::Bf16 => bf16::from_f32(value).to_f32(),
        Rounding::F16 => f16::from_f32(value).to_f32(),
    };
    for rounding in [Rounding::None, Rounding::Bf16, Rounding::F16] {
        // An odd length, so that there is a last chunk that is not full.
        let mut rounded = values[..values.len() - 3].to_vec();
        rounding.apply(&mut rounded);
        for (value, rounded) in values.iter().zip(rounded) {
            let expected = expected(rounding, *value);
            assert_eq!(rounded.to_bits(), expected.to_bits(), "{rounding:?} {value:e}");
            assert_eq!(rounding.round(*value).to_bits(), expected.to_bits(), "{value:e}");
        }
    }
}
