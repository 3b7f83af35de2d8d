//! What the functions promise beside the values: errors, lengths, untouched destinations, types.
#![allow(clippy::float_cmp)]

use std::mem::MaybeUninit;

use lowfloat::{
    CastError, DType, E2M1, E8M0, F8E4M3, F8E5M2, Mxfp4Error, bf16, can_cast, cast, cast_bytes,
    cast_saturating, cast_uninit, f16,
};

const FLOATS: [DType; 6] =
    [DType::F64, DType::F32, DType::F16, DType::BF16, DType::F8E4M3, DType::F8E5M2];

#[test]
fn can_cast_tells_what_cast_bytes_does() {
    for from in DType::ALL {
        for to in DType::ALL {
            let expected = from == to || (FLOATS.contains(&from) && FLOATS.contains(&to));
            assert_eq!(can_cast(from, to), expected, "{from} {to}");
            // 16 elements of each fill whole bytes.
            let src = vec![0; usize::try_from(from.bytes_for(16).unwrap()).unwrap()];
            let mut dst = vec![0xAA; usize::try_from(to.bytes_for(16).unwrap()).unwrap()];
            let result = cast_bytes(from, &src, to, &mut dst);
            if expected {
                assert_eq!(result, Ok(()));
                assert!(dst.iter().all(|byte| *byte == 0));
            } else {
                assert_eq!(result, Err(CastError::Unsupported { from, to }));
                assert!(dst.iter().all(|byte| *byte == 0xAA));
            }
        }
    }
}

#[test]
fn wrong_lengths_leave_the_destination_alone() {
    let mut dst = [0xAA; 16];
    let (from, to) = (DType::BF16, DType::F32);
    let error = cast_bytes(from, &[0; 8], to, &mut dst[..15]).unwrap_err();
    assert_eq!(error, CastError::Length { from, to, expected: 16, actual: 15 });
    assert_eq!(error.to_string(), "destination of BF16 to F32: expected length 16, got 15");
    let error = cast_bytes(from, &[0; 7], to, &mut dst).unwrap_err();
    assert_eq!(error, CastError::Ragged { from, bytes: 7 });
    let error = cast_bytes(DType::F6E2M3, &[0; 3], DType::F6E2M3, &mut dst).unwrap_err();
    let f6 = DType::F6E2M3;
    assert_eq!(error, CastError::Length { from: f6, to: f6, expected: 3, actual: 16 });
    assert_eq!(dst, [0xAA; 16]);

    let mut dst = [7f32; 3];
    let error = cast(&[bf16::ONE; 2], &mut dst).unwrap_err();
    assert_eq!(error, CastError::Length { from, to, expected: 2, actual: 3 });
    assert_eq!(
        cast_saturating(&dst, &mut [F8E4M3::ONE; 2]).map_err(|e| e.to_string()),
        Err("destination of F32 to F8_E4M3: expected length 3, got 2".into())
    );
    assert!(cast_uninit(&dst, &mut [MaybeUninit::<f16>::uninit(); 4]).is_err());
    assert_eq!(dst, [7.0; 3]);
}

#[test]
fn uninitialised_memory_is_filled() {
    let src: Vec<f32> = (0..1000u16).map(f32::from).collect();
    let mut dst = vec![MaybeUninit::<f16>::uninit(); 1000];
    let values = cast_uninit(&src, &mut dst).unwrap();
    assert!(values.iter().zip(&src).all(|(got, want)| got.to_f32() == *want));
    let mut same = vec![MaybeUninit::<f32>::uninit(); 1000];
    assert_eq!(cast_uninit(&src, &mut same).unwrap(), src);
    assert_eq!(cast_uninit::<f32, f64>(&[], &mut []).unwrap(), []);
}

#[test]
fn single_values_are_those_of_slices() {
    let mut state = 1u32;
    for _ in 0..10_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let value = f32::from_bits(state);
        let (mut e4m3, mut e5m2) = ([F8E4M3::ZERO], [F8E5M2::ZERO]);
        cast(&[value], &mut e4m3).unwrap();
        cast(&[value], &mut e5m2).unwrap();
        assert_eq!(e4m3[0].to_bits(), F8E4M3::from_f32(value).to_bits());
        assert_eq!(e5m2[0].to_bits(), F8E5M2::from_f32(value).to_bits());
        cast_saturating(&[value], &mut e4m3).unwrap();
        cast_saturating(&[value], &mut e5m2).unwrap();
        assert_eq!(e4m3[0].to_bits(), F8E4M3::from_f32_saturating(value).to_bits());
        assert_eq!(e5m2[0].to_bits(), F8E5M2::from_f32_saturating(value).to_bits());
    }
}

#[test]
fn constants_are_what_they_say() {
    assert_eq!((F8E4M3::ONE.to_f32(), F8E5M2::ONE.to_f32(), E2M1::ONE.to_f32()), (1.0, 1.0, 1.0));
    assert_eq!((F8E4M3::MIN.to_f32(), F8E5M2::MAX.to_f32()), (-448.0, 57344.0));
    assert_eq!(F8E4M3::MIN_POSITIVE.to_f32(), 2f32.powi(-6));
    assert_eq!(F8E5M2::MIN_POSITIVE.to_f32(), 2f32.powi(-14));
    assert_eq!(F8E4M3::MIN_POSITIVE_SUBNORMAL.to_f32(), 2f32.powi(-9));
    assert_eq!(F8E5M2::MIN_POSITIVE_SUBNORMAL.to_f32(), 2f32.powi(-16));
    assert!(F8E4M3::NAN.is_nan() && F8E5M2::NAN.is_nan() && E8M0::NAN.is_nan());
    assert!(!F8E5M2::INFINITY.is_nan() && !F8E5M2::INFINITY.is_finite());
    assert_eq!(F8E5M2::NEG_INFINITY.to_f32(), f32::NEG_INFINITY);
    for bits in 0..=255 {
        let (e4m3, e5m2) = (F8E4M3::from_bits(bits), F8E5M2::from_bits(bits));
        assert_eq!(e4m3.is_nan(), e4m3.to_f32().is_nan());
        assert_eq!(e5m2.is_nan(), e5m2.to_f32().is_nan());
        assert_eq!(e4m3.is_finite(), e4m3.to_f32().is_finite());
        assert_eq!(e5m2.is_finite(), e5m2.to_f32().is_finite());
        let scale = E8M0::from_bits(bits);
        assert_eq!(scale.exponent().and_then(E8M0::from_exponent), (bits < 255).then_some(scale));
    }
    assert_eq!((E8M0::from_exponent(-128), E8M0::from_exponent(128)), (None, None));
    assert_eq!(E2M1::from_f32(f32::NAN).to_f32(), 6.0);
    assert_eq!(format!("{} {:?} {}", F8E4M3::MAX, E8M0::MIN, E2M1::MIN), "448 2^-127 -6");
    assert!(F8E4M3::ONE < F8E4M3::MAX && E2M1::MIN < E2M1::ZERO);
}

#[test]
fn errors_name_what_and_where() {
    let error = Mxfp4Error::Columns { start: 60, end: 65, columns: 64 };
    assert_eq!(error.to_string(), "MXFP4 columns 60..65 are not inside a matrix of 64 columns");
}
