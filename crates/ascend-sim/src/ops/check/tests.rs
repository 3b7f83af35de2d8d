use super::*;
use crate::ops::testing::{A2, Device};

const CHECK: Check = Check { operator: "aclnnTest", soc: Soc::Ascend910B3, cann: Cann::V8_5 };

#[test]
fn sound_tensors_pass() {
    let device = Device::default();
    let tensor = device.empty(DataType::F16, &[3, 4]);
    let check = Check::new(&A2, "aclnnTest");
    check.output("x", &tensor).unwrap();
    check.input("x", &Tensor { strides: vec![0, 1], ..tensor.clone() }).unwrap();
    check.input("x", &Tensor { address: 0, shape: vec![0, 4], ..tensor }).unwrap();
    assert_eq!(check.dim("dim", -1, 3), Ok(2));
    assert_eq!(check.dim("dim", 0, 0), Ok(0));
}

#[test]
fn each_fault_is_named() {
    let device = Device::default();
    let good = device.empty(DataType::F16, &[3, 4]);
    let cases: [(Tensor, i32, &str); 9] = [
        (Tensor { address: 0, ..good.clone() }, NULL_POINTER, "without data"),
        (Tensor { address: good.address + 16, ..good.clone() }, INVALID_PARAMETER, "aligned"),
        (Tensor { offset: 1, ..good.clone() }, INVALID_PARAMETER, "offset 1"),
        (Tensor { offset: -1, ..good.clone() }, INVALID_PARAMETER, "offset -1"),
        (Tensor { strides: vec![5, 1], ..good.clone() }, INVALID_PARAMETER, "inside its storage"),
        (Tensor { strides: vec![i64::MAX, 1], ..good.clone() }, INVALID_PARAMETER, "storage"),
        (Tensor { strides: vec![-4, 1], ..good.clone() }, INVALID_PARAMETER, "negative"),
        (Tensor { shape: vec![-3, 4], ..good.clone() }, INVALID_PARAMETER, "extents"),
        (Tensor { format: FRACTAL_NZ, ..good.clone() }, INVALID_PARAMETER, "format 29"),
    ];
    for (tensor, status, text) in cases {
        let reject = CHECK.input("x", &tensor).unwrap_err();
        assert_eq!(reject.status, status, "{reject:?}");
        assert!(reject.message.starts_with("aclnnTest: x is "), "{reject:?}");
        assert!(reject.message.contains(text), "{reject:?}");
    }
    let nine = Tensor { shape: vec![1; 9], strides: vec![1; 9], ..good.clone() };
    assert!(CHECK.input("x", &nine).unwrap_err().message.contains("at most 8"));
    let repeated = Tensor { strides: vec![0, 1], ..good.clone() };
    assert!(CHECK.output("x", &repeated).unwrap_err().message.contains("place of its own"));
    assert!(CHECK.dtype("x", &good, &[DataType::F32]).unwrap_err().message.contains("[F32]"));
    assert!(CHECK.shape("x", &good, &[4, 3]).unwrap_err().message.contains("[4, 3]"));
    assert!(CHECK.rank("x", &good, 3..=4).unwrap_err().message.contains("3 to 4"));
    assert!(CHECK.dim("dim", 2, 2).unwrap_err().message.contains("[-2, 1]"));
    assert_eq!(CHECK.chip(&[Soc::Ascend950]).unwrap_err().status, NO_KERNEL);
}
