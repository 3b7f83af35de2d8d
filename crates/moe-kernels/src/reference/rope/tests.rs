//! Against numbers of transformers, and by hand.

use super::{PI, YarnScaling, inverse_frequencies, ramp_ends, rotate};
use crate::Error;

const GPT_OSS: YarnScaling = YarnScaling {
    head_dim: 64,
    theta: 150_000.0,
    factor: 32.0,
    beta_fast: 32.0,
    beta_slow: 1.0,
    original_context: 4096,
    truncate: false,
};

/// transformers 4.57.6, torch 2.12.1, `ATEN_CPU_CAPABILITY=default`.
#[test]
fn frequencies_are_those_of_transformers_to_the_last_bit() {
    let bits = |yarn: &YarnScaling| -> Vec<u32> {
        inverse_frequencies(yarn).unwrap().iter().map(|f| f.to_bits()).collect()
    };
    #[rustfmt::skip]
    let released = [
        0x3F80_0000, 0x3F30_6535, 0x3EF3_16A2, 0x3EA7_7FAA, 0x3E66_D3FA, 0x3E1F_0CFD, 0x3DDB_2F9E,
        0x3D97_0764, 0x3D50_2194, 0x3D01_DDD5, 0x3C9E_6470, 0x3C3D_EC94, 0x3BDE_A840, 0x3B7C_FE14,
        0x3B09_3803, 0x3A89_F778, 0x39EF_543C, 0x3907_99B9, 0x3820_ADC6, 0x37DD_6DFC, 0x3798_9328,
        0x3752_42FA, 0x3710_E12C, 0x36C7_A82B, 0x3689_928C, 0x363D_9647, 0x3602_A245, 0x35B4_0668,
        0x3578_1728, 0x352A_F200, 0x34EB_93EB, 0x34A2_52D3,
    ];
    assert_eq!(bits(&GPT_OSS), released);

    // The ramp from 8 to 18 differs inside only.
    #[rustfmt::skip]
    let ramp = [
        0x3D01_84C3, 0x3C9F_57A3, 0x3C41_3409, 0x3BE5_E413, 0x3B85_59E6, 0x3B15_3E49, 0x3A9E_170A,
        0x3A18_4ABA, 0x396F_0548,
    ];
    let truncated = bits(&YarnScaling { truncate: true, ..GPT_OSS });
    assert_eq!(truncated, [&released[..9], &ramp, &released[18..]].concat());

    // Here it matters that the base is an f32, and that the ramp is taken from 1 twice.
    let delicate = YarnScaling {
        head_dim: 16,
        theta: 144_048.617,
        factor: 1.5,
        beta_fast: 24.0,
        beta_slow: 2.0,
        original_context: 1024,
        truncate: false,
    };
    #[rustfmt::skip]
    let expected = [
        0x3F80_0000, 0x3E67_FFC7, 0x3D34_861A, 0x3BFE_0C96, 0x3AE6_3B2F, 0x39D0_A56E, 0x38BD_15BC,
        0x37AB_5B87,
    ];
    assert_eq!(bits(&delicate), expected);
}

#[test]
fn the_ramp_of_gpt_oss() {
    let (low, high) = ramp_ends(&GPT_OSS);
    assert!((low - 8.092_779).abs() < 1e-6 && (high - 17.398_025).abs() < 1e-6);
    assert_eq!(ramp_ends(&YarnScaling { truncate: true, ..GPT_OSS }), (8.0, 18.0));
}

#[test]
fn frequencies_are_kept_before_the_ramp_and_divided_after_it() {
    let scaled = inverse_frequencies(&GPT_OSS).unwrap();
    let plain = inverse_frequencies(&YarnScaling { factor: 1.0, ..GPT_OSS }).unwrap();
    for (i, (scaled, plain)) in scaled.iter().zip(&plain).enumerate() {
        let ratio = plain / scaled;
        match i {
            0..=8 => assert!((ratio - 1.0).abs() < 1e-6, "{i}: {ratio}"),
            18.. => assert!((ratio - 32.0).abs() < 1e-4, "{i}: {ratio}"),
            _ => assert!(ratio > 1.001 && ratio < 31.9, "{i}: {ratio}"),
        }
    }
}

#[test]
fn a_ramp_without_length_stays_finite() {
    // Both ends at dimension 0, where 0 / 0 would be.
    let beta = 4096.0 / (2.0 * PI);
    let yarn = YarnScaling { beta_fast: beta, beta_slow: beta, ..GPT_OSS };
    assert!(inverse_frequencies(&yarn).unwrap().iter().all(|f| f.is_finite()));
}

#[test]
fn heads_that_are_not_pairs_are_refused() {
    let refused = |head_dim| {
        let expected = "an even number above 0";
        let error = Error::Count { argument: "head_dim", expected, found: head_dim };
        assert_eq!(inverse_frequencies(&YarnScaling { head_dim, ..GPT_OSS }), Err(error));
    };
    refused(15);
    refused(0);
    let length = |argument, expected, found| Error::Length { argument, expected, found };
    let cut = length("x of the reference rotate", 8, 6);
    assert_eq!(rotate(&[0.0; 6], &[1.0; 2], &[0.0; 2]), Err(cut));
    let sines = length("sin of the reference rotate", 2, 1);
    assert_eq!(rotate(&[0.0; 4], &[1.0; 2], &[0.0; 1]), Err(sines));
}
