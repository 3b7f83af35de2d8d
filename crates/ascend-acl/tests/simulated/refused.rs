//! What is refused before the vendor sees it, and how.

use ascend_acl::codes::Class;
use ascend_acl::op::{self, Attention, AttentionLayout, KeysValues, Window};
use ascend_acl::rt::{DeviceBuffer, Stream};
use ascend_acl::sys::aclDataType;
use half::bf16;

use super::machine::{alone, beside, counters, device, reset_counters};

#[test]
fn a_wrong_argument_is_named_and_never_reaches_the_vendor() {
    let _alone = alone();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let (f, b) = (
        DeviceBuffer::<f32>::zeroed(&device, 256).unwrap(),
        DeviceBuffer::<bf16>::zeroed(&device, 256).unwrap(),
    );
    let (i, l) = (
        DeviceBuffer::<i32>::zeroed(&device, 256).unwrap(),
        DeviceBuffer::<i64>::zeroed(&device, 256).unwrap(),
    );
    let t = |shape: &[usize]| f.tensor(shape).unwrap();
    let h = |shape: &[usize]| b.tensor(shape).unwrap();
    reset_counters();
    let says = |result: ascend_acl::Result<()>, words: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.class(), Class::InvalidArgument);
        assert!(error.to_string().contains(words), "{error}");
    };
    let s = &stream;
    says(
        op::mm(s, &t(&[2, 3]), &t(&[4, 5]), &t(&[2, 5])),
        "aclnnMm: weight is of shape [4, 5], expected [3, any]",
    );
    says(
        op::mm(s, &t(&[2, 3]), &t(&[3, 5]), &t(&[2, 4])),
        "out is of shape [2, 4], expected [2, 5]",
    );
    says(
        op::mm(s, &t(&[2, 3]), &h(&[3, 5]), &t(&[2, 5])),
        "weight is of type BF16, expected FLOAT, as x is",
    );
    says(op::addmm(s, &t(&[4]), &t(&[2, 3]), &t(&[3, 5]), &t(&[2, 5])), "bias is of shape [4]");
    says(op::add(s, &t(&[2, 3]), &t(&[4]), &t(&[2, 3])), "broadcasts");
    says(op::softmax(s, &t(&[2, 3]), 2, &t(&[2, 3])), "axis is 2");
    says(
        op::rms_norm(s, &t(&[2, 8]), &t(&[4]), 1e-5, &t(&[2, 8]), &t(&[2, 1])),
        "gamma is of shape [4]",
    );
    says(
        op::rms_norm(s, &h(&[2, 8]), &h(&[8]), 1e-5, &h(&[2, 8]), &h(&[2, 1])),
        "rstd is of type BF16, expected FLOAT",
    );
    let floats = t(&[2]);
    says(op::embedding(s, &t(&[4, 4]), &floats, &t(&[2, 4])), "indices is of type FLOAT");
    let k = op::top_k(s, &t(&[2, 3]), 1, &t(&[2, 4]), &l.tensor(&[2, 4]).unwrap());
    says(k, "values is 4 long, expected at most 3");
    let ints = i.tensor(&[2, 2]).unwrap();
    says(
        op::top_k(s, &t(&[2, 3]), 1, &t(&[2, 2]), &ints),
        "indices is of type INT32, expected INT64",
    );
    let clamp = op::clamp(s, &t(&[2]), None, None, &t(&[2]));
    says(clamp, "absent both");
    let heads = |n: usize| h(&[1, n, 32]);
    says(
        op::rotate_pair(
            s,
            &heads(2),
            &heads(1),
            &h(&[1, 2, 32]),
            &h(&[1, 1, 32]),
            op::RotaryLayout::Tnd,
        ),
        "cos is of shape [1, 2, 32], expected [1, 1, 32]",
    );
    assert_eq!((counters().preparations, counters().launches), (0, 0));
}

#[test]
fn a_window_is_never_lost_in_decoding() {
    let _beside = beside();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let numbers = DeviceBuffer::<bf16>::zeroed(&device, 64 * 64).unwrap();
    let mask = op::causal_mask(&device).unwrap();
    let mask = mask.tensor_of(aclDataType::BOOL, &[2048, 2048]).unwrap();
    let query = numbers.tensor(&[1, 1, 2, 64]).unwrap();
    let keys = numbers.tensor(&[1, 9, 2, 64]).unwrap();
    let attention = Attention {
        queries: &query,
        keys_values: KeysValues::Plain { keys: &keys, values: &keys },
        layout: AttentionLayout::Bsnd,
        kv_heads: 2,
        scale: 1.0,
        window: Window::keys(4),
        mask: Some(&mask),
        query_lengths: &[],
        key_lengths: &[],
        sinks: None,
        log_sum: None,
    };
    let error = attention.launch(&stream, &query).unwrap_err().to_string();
    assert!(error.contains("layout TND"), "{error}");
    let missing = Attention { mask: None, layout: AttentionLayout::Tnd, ..attention };
    assert!(missing.launch(&stream, &query).is_err());
    let wide = Attention { window: Window::everything(), mask: None, ..attention };
    wide.launch(&stream, &query).unwrap();
    assert_eq!((Window::keys(128).pre_tokens(), Window::keys(128).sparse_mode()), (127, 4));
}

#[test]
fn what_the_vendor_refuses_comes_with_its_words() {
    let _beside = beside();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let x = DeviceBuffer::<bf16>::zeroed(&device, 128).unwrap();
    // Heads of 32 are for other chips: only the vendor's check knows.
    let (queries, cos) = (x.tensor(&[1, 2, 32]).unwrap(), x.tensor(&[1, 1, 32]).unwrap());
    let layout = op::RotaryLayout::Tnd;
    let error = op::rotate_pair(&stream, &queries, &queries, &cos, &cos, layout).unwrap_err();
    if std::env::var_os("ASCEND_SIM_SOC").is_none() {
        assert_eq!(error.class(), Class::InvalidArgument);
        assert!(error.to_string().contains("161002"), "{error}");
        assert!(error.to_string().contains("64 or 128"), "{error}");
    }
}
