use super::*;
use crate::ops::testing::Device;
use crate::tensor::FRACTAL_NZ;

const ALL: [DataType; 18] = [
    DataType::F32,
    DataType::F16,
    DataType::I8,
    DataType::I32,
    DataType::U8,
    DataType::I16,
    DataType::U16,
    DataType::U32,
    DataType::I64,
    DataType::U64,
    DataType::F64,
    DataType::Bool,
    DataType::Bf16,
    DataType::I4,
    DataType::F8E5M2,
    DataType::F8E4M3,
    DataType::E8M0,
    DataType::F4E2M1,
];

#[test]
fn every_type_keeps_small_values() {
    let device = Device::default();
    for dtype in ALL {
        // Powers of two are in every format but the booleans'.
        let values = if dtype == DataType::Bool { [1.0; 3] } else { [1.0, 2.0, 4.0] };
        let tensor = device.floats(dtype, &[3], &values);
        assert_eq!(floats(&device, &tensor).unwrap(), values, "{dtype:?}");
        let whole = values.map(|value| value as i64);
        assert_eq!(integers(&device, &tensor).unwrap(), whole, "{dtype:?}");
        let tensor = device.integers(dtype, &[3], &whole);
        assert_eq!(floats(&device, &tensor).unwrap(), values, "{dtype:?}");
    }
}

#[test]
fn signed_types_keep_their_extremes() {
    let device = Device::default();
    for (dtype, low, high) in [
        (DataType::I4, -8, 7),
        (DataType::I8, -128, 127),
        (DataType::I16, -32768, 32767),
        (DataType::I32, i64::from(i32::MIN), i64::from(i32::MAX)),
        (DataType::I64, i64::MIN, i64::MAX),
        (DataType::U8, 0, 255),
    ] {
        let tensor = device.integers(dtype, &[2], &[low, high]);
        assert_eq!(integers(&device, &tensor).unwrap(), [low, high], "{dtype:?}");
        let tensor = device.floats(dtype, &[2], &[-1e30, 1e30]);
        assert_eq!(integers(&device, &tensor).unwrap(), [low, high], "{dtype:?} saturates");
    }
}

#[test]
fn nearest_even_decides() {
    let device = Device::default();
    let tensor = device.floats(DataType::I8, &[4], &[0.5, 1.5, -0.5, -2.6]);
    assert_eq!(integers(&device, &tensor).unwrap(), [0, 2, 0, -3]);
    // Halfway between two bf16 numbers, above an even and above an odd one.
    let tensor = device.floats(DataType::Bf16, &[2], &[1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0]);
    assert_eq!(floats(&device, &tensor).unwrap(), [1.0, 1.015_625]);
}

#[test]
fn nibbles_keep_their_neighbours() {
    let device = Device::default();
    let whole = device.bytes(DataType::I4, &[6], &[0x21, 0x43, 0x65]);
    assert_eq!(integers(&device, &whole).unwrap(), [1, 2, 3, 4, 5, 6]);
    let middle = Tensor { shape: vec![3], offset: 1, ..whole.clone() };
    assert_eq!(integers(&device, &middle).unwrap(), [2, 3, 4]);
    write_integers(&device, &middle, &[-1, -8, 7]).unwrap();
    assert_eq!(integers(&device, &whole).unwrap(), [1, -1, -8, 7, 5, 6]);
}

#[test]
fn views_are_read_and_written_in_their_order() {
    let device = Device::default();
    let values = (0u8..24).map(f32::from).collect::<Vec<_>>();
    let whole = device.floats(DataType::F16, &[4, 6], &values);
    let turned = Tensor { shape: vec![6, 4], strides: vec![1, 6], ..whole.clone() };
    let expected = (0..24).map(|at| f32::from(at as u8 % 4 * 6 + at as u8 / 4)).collect::<Vec<_>>();
    assert_eq!(floats(&device, &turned).unwrap(), expected);
    assert_eq!(floats_at(&device, &turned, 5, 7).unwrap(), expected[5..12]);
    let odd = Tensor { shape: vec![4, 3], strides: vec![6, 2], offset: 1, ..whole.clone() };
    write_floats(&device, &odd, &[-1.0; 12]).unwrap();
    let after = floats(&device, &whole).unwrap();
    assert!((0..24).all(|at| after[at] == if at % 2 == 1 { -1.0 } else { values[at] }));
    let broadcast = Tensor { shape: vec![3, 2], strides: vec![0, 2], ..whole };
    assert_eq!(floats(&device, &broadcast).unwrap(), [0.0, 2.0, 0.0, 2.0, 0.0, 2.0]);
}

#[test]
fn blocks_have_sixteen_rows_of_32_bytes() {
    let device = Device::default();
    // 20 x 40 in bf16: three columns of two blocks, of 16 x 16.
    let storage = device.empty(DataType::Bf16, &[3, 2, 16, 16]);
    let matrix =
        Tensor { shape: vec![20, 40], strides: vec![40, 1], format: FRACTAL_NZ, ..storage.clone() };
    let values = (0..800).map(|at| (at / 40 * 3 + at % 40) as f32).collect::<Vec<_>>();
    poison(&device, &storage).unwrap();
    write_floats(&device, &matrix, &values).unwrap();
    assert_eq!(floats(&device, &matrix).unwrap(), values);
    let memory = floats(&device, &storage).unwrap();
    // Row 17, column 33: the third column of blocks, its second block, row 1, element 1.
    assert_eq!(memory[(2 * 2 + 1) * 256 + 16 + 1], values[17 * 40 + 33]);
    assert!(memory[(2 * 2 + 1) * 256 + 16 + 8].is_nan(), "padding is not written");
    let turned = Tensor { shape: vec![40, 20], strides: vec![1, 40], ..matrix };
    let expected = (0..800).map(|at| values[at % 20 * 40 + at / 20]).collect::<Vec<_>>();
    assert_eq!(floats(&device, &turned).unwrap(), expected);
}

#[test]
fn blocks_of_other_widths() {
    let device = Device::default();
    for (dtype, inner) in [(DataType::I8, 32), (DataType::I4, 64)] {
        let storage = device.empty(dtype, &[2, 2, 16, inner]);
        let columns = inner + 2;
        let matrix = Tensor {
            shape: vec![17, columns],
            strides: vec![columns, 1],
            format: FRACTAL_NZ,
            ..storage.clone()
        };
        write_integers(&device, &storage, &vec![0; storage.len()]).unwrap();
        let values = (0..17 * columns).map(|at| at % 7 - 3).collect::<Vec<_>>();
        write_integers(&device, &matrix, &values).unwrap();
        assert_eq!(integers(&device, &matrix).unwrap(), values);
        let last = ((2 + 1) * 16 * inner + 1) as usize;
        assert_eq!(integers(&device, &storage).unwrap()[last], values[values.len() - 1]);
    }
}

#[test]
fn an_access_outside_is_a_fault() {
    let device = Device::default();
    let tensor = device.floats(DataType::F32, &[4], &[0.0; 4]);
    // Up to 32 bytes more may be read, nothing more may be written.
    let longer = Tensor { shape: vec![12], ..tensor.clone() };
    assert!(floats(&device, &longer).is_ok());
    assert!(floats(&device, &Tensor { shape: vec![13], ..tensor }).is_err());
    assert_eq!(write_floats(&device, &longer, &[0.0; 12]).unwrap_err().status, 507_015);
}

#[test]
fn noise_is_for_results_alone() {
    let device = Device::noisy(3);
    let values = (1u8..=100).map(f32::from).collect::<Vec<_>>();
    let tensor = device.empty(DataType::F16, &[100]);
    write_converted(&device, &tensor, &values).unwrap();
    assert_eq!(floats(&device, &tensor).unwrap(), values);
    write_floats(&device, &tensor, &values).unwrap();
    let noisy = floats(&device, &tensor).unwrap();
    assert_ne!(noisy, values);
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= b * 2f32.powi(-10);
    assert!(noisy.iter().zip(&values).all(close));
}

mod random {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_view_is_its_positions(
            shape in proptest::collection::vec(1i64..5, 1..5),
            strides in proptest::collection::vec(0i64..40, 4),
            offset in 0i64..9,
            nibbles: bool,
        ) {
            let device = Device::default();
            let dtype = if nibbles { DataType::I4 } else { DataType::I32 };
            let strides = strides[..shape.len()].to_vec();
            let memory = (0..700).map(|at| at * 5 % 15 - 7).collect::<Vec<_>>();
            let whole = device.integers(dtype, &[700], &memory);
            let view = Tensor { shape: shape.clone(), strides: strides.clone(), offset, ..whole.clone() };
            let mut expected = vec![offset];
            for (&extent, &stride) in shape.iter().zip(&strides) {
                expected = expected
                    .iter()
                    .flat_map(|&at| (0..extent).map(move |index| at + index * stride))
                    .collect();
            }
            let values = expected.iter().map(|&at| memory[at as usize]).collect::<Vec<_>>();
            prop_assert_eq!(integers(&device, &view).unwrap(), values);
            let mut after = memory;
            for &at in &expected {
                after[at as usize] = 2;
            }
            write_integers(&device, &view, &vec![2; expected.len()]).unwrap();
            prop_assert_eq!(integers(&device, &whole).unwrap(), after);
        }
    }
}
