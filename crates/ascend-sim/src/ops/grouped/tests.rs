use super::*;
use crate::dtype::DataType::{self, Bf16, E8M0, F4E2M1, F16, F32, I4, I8, I32, I64};
use crate::ops::testing::{A2, Device};
use crate::ops::vectors::{Case, cases};
use crate::profile::Soc;

mod properties;
mod refusals;

const FAMILY: &str = "grouped";
const ON_950: Site = Site { soc: Soc::Ascend950, ..A2 };

/// Arguments of version 5 with one tensor of each, as experts use it.
struct Call {
    x: List,
    weight: List,
    bias: Option<List>,
    scale: Option<List>,
    antiquant_scale: Option<List>,
    antiquant_offset: Option<List>,
    per_token: Option<List>,
    groups: Option<Tensor>,
    split_item: i64,
    group_type: i64,
    list_type: i64,
    act_type: i64,
    quant_group: i64,
    y: List,
}

impl Call {
    fn new(x: Tensor, weight: Tensor, groups: Tensor, y: Tensor) -> Self {
        Self {
            x: vec![x],
            weight: vec![weight],
            bias: None,
            scale: None,
            antiquant_scale: None,
            antiquant_offset: None,
            per_token: None,
            groups: Some(groups),
            split_item: 2,
            group_type: 0,
            list_type: 1,
            act_type: 0,
            quant_group: 0,
            y: vec![y],
        }
    }

    fn v5(self, site: &Site) -> Result<Kernel, Reject> {
        grouped_matmul_v5(
            site,
            self.x,
            self.weight,
            self.bias,
            self.scale,
            None,
            self.antiquant_scale,
            self.antiquant_offset,
            self.per_token,
            self.groups,
            None,
            None,
            None,
            self.split_item,
            self.group_type,
            self.list_type,
            self.act_type,
            Some(vec![16]),
            self.y,
            None,
            None,
        )
    }

    fn nz(self, site: &Site) -> Result<Kernel, Reject> {
        grouped_matmul_weight_nz(
            site,
            self.x,
            self.weight,
            self.bias,
            self.scale,
            None,
            self.antiquant_scale,
            self.antiquant_offset,
            self.per_token,
            self.groups,
            None,
            None,
            None,
            self.split_item,
            self.group_type,
            self.list_type,
            self.act_type,
            None,
            self.quant_group,
            self.y,
            None,
            None,
        )
    }
}

fn call(case: &Case, device: &Device) -> (Call, Tensor) {
    let counts = case.ints("counts");
    let groups = device.integers(I64, &[counts.len() as i64], &counts);
    let y = case.output(device, "y");
    let call = Call::new(case.input(device, "x"), case.input(device, "weight"), groups, y.clone());
    (call, y)
}

fn list(case: &Case, device: &Device, name: &str) -> Option<List> {
    case.optional(device, name).map(|tensor| vec![tensor])
}

/// Counts in each of the three forms.
fn forms(device: &Device, counts: &[i64]) -> [(i64, Tensor); 3] {
    let experts = counts.len() as i64;
    let ends = counts.iter().scan(0, |end, count| {
        *end += count;
        Some(*end)
    });
    let ends = ends.collect::<Vec<_>>();
    let mut pairs = (0..).zip(counts).map(|(expert, &count)| [expert, count]).collect::<Vec<_>>();
    pairs.sort_by_key(|pair| pair[1] == 0);
    [
        (0, device.integers(I64, &[experts], &ends)),
        (1, device.integers(I64, &[experts], counts)),
        (2, device.integers(I64, &[experts, 2], &pairs.concat())),
    ]
}

#[test]
fn floats_as_torch() {
    for case in cases(FAMILY, "plain") {
        let device = Device::default();
        for (list_type, groups) in forms(&device, &case.ints("counts")) {
            let (mut call, y) = call(&case, &device);
            if case.flag("transposed") {
                call.weight[0] = call.weight[0].transposed();
            }
            call.bias = list(&case, &device, "bias");
            call.list_type = list_type;
            call.groups = Some(groups);
            device.run(call.v5(&A2));
            case.check(&device, "y", &y);
        }
    }
}

#[test]
fn every_version_gives_the_same() {
    let case =
        cases(FAMILY, "plain").into_iter().find(|case| case.name.contains("bf16-2.0.3.1")).unwrap();
    let device = Device::default();
    let one = |name| vec![case.input(&device, name)];
    let counts = case.ints("counts");
    let [(_, ends), (_, counts_on_device), _] = forms(&device, &counts);
    let ends_on_host = device.read_integers(&ends);
    let (x, w, b) = (one("x"), one("weight"), Some(one("bias")));
    // One matrix after another out of the tensor that holds all.
    let each = |tensor: &Tensor| {
        let inner = tensor.shape[1..].iter().product::<i64>();
        let experts = 0..tensor.shape[0];
        experts
            .map(|expert| Tensor {
                shape: tensor.shape[1..].to_vec(),
                strides: tensor.strides[1..].to_vec(),
                offset: expert * inner,
                ..tensor.clone()
            })
            .collect::<Vec<_>>()
    };
    let (weights, biases) = (each(&w[0]), Some(each(&b.as_ref().unwrap()[0])));
    let run = |make: &dyn Fn(List) -> Result<Kernel, Reject>| {
        let y = case.output(&device, "y");
        device.run(make(vec![y.clone()]));
        case.check(&device, "y", &y);
    };
    run(&|y| {
        let (x, ends) = (x.clone(), Some(ends_on_host.clone()));
        grouped_matmul(&A2, x, weights.clone(), biases.clone(), None, None, None, None, ends, 3, y)
    });
    run(&|y| {
        let (x, w, b, ends) = (x.clone(), w.clone(), b.clone(), Some(ends_on_host.clone()));
        grouped_matmul_v2(&A2, x, w, b, None, None, None, None, ends, 2, 0, y)
    });
    run(&|y| {
        let (x, ends) = (x.clone(), Some(ends.clone()));
        grouped_matmul_v3(
            &A2,
            x,
            weights.clone(),
            biases.clone(),
            None,
            None,
            None,
            None,
            ends,
            3,
            0,
            y,
        )
    });
    run(&|y| {
        let (x, w, b, groups) = (x.clone(), w.clone(), b.clone(), Some(counts_on_device.clone()));
        grouped_matmul_v4(
            &A2, x, w, b, None, None, None, None, None, groups, None, None, None, 2, 0, 1, 0, y,
            None, None,
        )
    });
}

#[test]
fn integers_as_torch() {
    for case in cases(FAMILY, "int8") {
        let device = Device::default();
        let (mut call, y) = call(&case, &device);
        call.bias = list(&case, &device, "bias");
        call.scale = list(&case, &device, "scale");
        call.per_token = list(&case, &device, "per_token");
        device.run(call.v5(&A2));
        case.check(&device, "y", &y);
    }
    for case in cases(FAMILY, "weights") {
        let device = Device::default();
        let (mut call, y) = call(&case, &device);
        call.antiquant_scale = list(&case, &device, "scale");
        call.antiquant_offset = list(&case, &device, "offset");
        device.run(call.v5(&A2));
        case.check(&device, "y", &y);
    }
}

#[test]
fn mxfp4_as_torch() {
    for case in cases(FAMILY, "mx") {
        let device = Device::default();
        let (mut call, y) = call(&case, &device);
        let shape = [2, case.int("depth"), case.int("width")];
        let blocks = call.weight.remove(0);
        call.weight.push(Tensor { address: blocks.address, ..device.empty(F4E2M1, &shape) });
        let scale = case.input(&device, "scale");
        call.antiquant_scale = Some(vec![Tensor { dtype: E8M0, ..scale }]);
        call.bias = list(&case, &device, "bias");
        call.quant_group = 32;
        device.run(call.nz(&ON_950));
        case.check(&device, "y", &y);
    }
}

/// Matrices of experts without rows are never read: here they are not even there.
#[test]
fn experts_without_rows_are_not_touched() {
    let device = Device::default();
    let x = device.floats(F16, &[2, 32], &[0.5; 64]);
    let mut weight = device.floats(F16, &[1, 32, 1], &[2.0; 32]);
    weight.shape[0] = 3;
    weight.storage[0] = 3;
    let y = device.empty(F16, &[2, 1]);
    let groups = device.integers(I64, &[3], &[1, 0, 0]);
    device.run(Call::new(x.clone(), weight.clone(), groups, y.clone()).v5(&A2));
    let got = device.read_floats(&y);
    assert_eq!(got[0], 32.0);
    assert!(got[1].is_nan(), "a row of no group is not written");
    let groups = device.integers(I64, &[3], &[0, 0, 1]);
    assert!(device.try_run(Call::new(x, weight, groups, y).v5(&A2)).is_err(), "beyond the memory");
}

/// Blocks are what `aclnnGroupedMatmulWeightNz` reads, whatever the format of the tensor says.
#[test]
fn rows_given_as_blocks_are_read_as_blocks() {
    let device = Device::default();
    let values = (0..32 * 32).map(|at| (at % 61) as f32).collect::<Vec<_>>();
    let weight = device.floats(F16, &[1, 32, 32], &values);
    let mut x = vec![0.0; 32];
    x[1] = 1.0;
    let x = device.floats(F16, &[1, 32], &x);
    let y = device.empty(F16, &[1, 32]);
    let groups = || device.integers(I64, &[1], &[1]);
    device.run(Call::new(x.clone(), weight.clone(), groups(), y.clone()).v5(&A2));
    assert_eq!(device.read_floats(&y), values[32..64], "row 1");
    device.run(Call::new(x, weight, groups(), y.clone()).nz(&A2));
    let got = device.read_floats(&y);
    assert_eq!(got[..16], values[16..32], "row 1 of the first block");
    assert_eq!(got[16..], values[512 + 16..512 + 32], "row 1 of the block beside it");
}

#[test]
fn separate_products_and_joined_ones() {
    let device = Device::default();
    let x = [device.floats(F32, &[1, 2], &[1.0, 2.0]), device.floats(F32, &[2, 1], &[3.0, 4.0])];
    let w = [
        device.floats(F32, &[2, 2], &[1.0, 0.0, 0.0, 1.0]),
        device.floats(F32, &[1, 3], &[1.0, 10.0, 100.0]),
    ];
    let y = [device.empty(F32, &[1, 2]), device.empty(F32, &[2, 3])];
    let run = |x: &[Tensor], w: &[Tensor], y: &[Tensor], split, kind| {
        let mut call = Call::new(x[0].clone(), w[0].clone(), y[0].clone(), y[0].clone());
        (call.x, call.weight, call.y) = (x.to_vec(), w.to_vec(), y.to_vec());
        (call.groups, call.split_item, call.group_type) = (None, split, kind);
        call.v5(&ON_950)
    };
    device.run(run(&x, &w, &y, 0, -1));
    assert_eq!(device.read_floats(&y[0]), [1.0, 2.0]);
    assert_eq!(device.read_floats(&y[1]), [3.0, 30.0, 300.0, 4.0, 40.0, 400.0]);
    let w = [device.floats(F32, &[2, 1], &[1.0, 10.0]), device.floats(F32, &[1, 1], &[5.0])];
    let joined = device.empty(F32, &[3, 1]);
    device.run(run(&x, &w, std::slice::from_ref(&joined), 3, 0));
    assert_eq!(device.read_floats(&joined), [21.0, 15.0, 20.0]);
}
