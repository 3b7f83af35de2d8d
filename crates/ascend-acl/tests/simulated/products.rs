//! Dense products.

use ascend_acl::op;
use ascend_acl::rt::{DeviceBuffer, Stream};
use half::bf16;

use super::machine::{FromF32, beside, device, noise};

#[test]
fn a_product_is_that_of_the_host() {
    let _beside = beside();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let (m, k, n) = (3, 40, 5);
    let x: Vec<bf16> = noise(1, m * k);
    let weight: Vec<bf16> = noise(2, n * k);
    let bias: Vec<bf16> = noise(3, n);
    let x_there = DeviceBuffer::from_slice(&device, &x).unwrap();
    let weight_there = DeviceBuffer::from_slice(&device, &weight).unwrap();
    let bias_there = DeviceBuffer::from_slice(&device, &bias).unwrap();
    let out = DeviceBuffer::<bf16>::new(&device, m * n).unwrap();
    let weight_view = weight_there.tensor(&[n, k]).unwrap().t().unwrap();
    op::addmm(
        &stream,
        &bias_there.tensor(&[n]).unwrap(),
        &x_there.tensor(&[m, k]).unwrap(),
        &weight_view,
        &out.tensor(&[m, n]).unwrap(),
    )
    .unwrap();
    for (at, got) in out.to_vec().unwrap().into_iter().enumerate() {
        let (row, column) = (at / n, at % n);
        let products = (0..k).map(|i| x[row * k + i].to_f32() * weight[column * k + i].to_f32());
        let want = products.sum::<f32>() + FromF32::to_f32(bias[column]);
        assert!((FromF32::to_f32(got) - want).abs() < 0.02 * want.abs().max(1.0), "{got} {want}");
    }
}
