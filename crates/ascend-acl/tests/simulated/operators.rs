//! Every operator against the host.

use ascend_acl::rt::Stream;

use super::machine::{alone, device};
use crate::cases::{self, Bench, Failure};

#[test]
fn every_operator_computes_what_the_host_does() {
    let _alone = alone();
    let device = device();
    let stream = Stream::new(&device).unwrap();
    let (mut wrong, mut left_out) = (Vec::new(), Vec::new());
    for case in cases::all() {
        match (case.run)(&Bench::new(&device, &stream)) {
            Ok(()) => {}
            Err(Failure::Missing(_) | Failure::NotHere(_)) => left_out.push(case.name),
            Err(failure) => wrong.push(format!("{}: {failure}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let expected: &[&str] = match crate::CANN {
        ascend_sim::layout::Cann::V8_3 => &[
            "clipped swiglu, interleaved",
            "clipped swiglu, halves",
            "product, weight in blocks",
            "product with bias, weight in blocks",
            "blocks and back",
            "routing, counts",
            "routing, ends",
            "routing, a range of experts",
            "grouped product, MXFP4",
            "filter of the k largest and of probability p",
        ],
        ascend_sim::layout::Cann::V8_5 => &["grouped product, MXFP4"],
    };
    let expected = if std::env::var_os("ASCEND_SIM_SOC").is_some() { &left_out } else { expected };
    assert_eq!(left_out, expected);
}
