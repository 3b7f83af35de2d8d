//! Every operator of the crate against a plain computation on the host, for tests on the simulator and for
//! `device_check` on a real device.

// The tests and the example each use their own part.
#![allow(dead_code, unreachable_pub)]
// Small indices become numbers of any type, results that must be exact are compared so, and matrices have
// the sizes m, k, n.
#![allow(clippy::cast_possible_wrap, clippy::float_cmp, clippy::many_single_char_names)]

mod attention;
mod bench;
mod elementwise;
mod experts;
mod indexing;
mod moving;
mod norms;
mod products;
mod quantised;
mod rotary;
mod runtime;

pub use bench::{Bench, Failure};

/// What is checked: a name, and what computes on both sides and compares.
pub struct Case {
    pub name: &'static str,
    pub run: fn(&Bench<'_>) -> Result<(), Failure>,
}

/// Every case, by subject.
pub fn all() -> Vec<Case> {
    let subjects = [
        runtime::CASES,
        elementwise::CASES,
        norms::CASES,
        products::CASES,
        quantised::CASES,
        experts::CASES,
        rotary::CASES,
        attention::CASES,
        indexing::CASES,
        moving::CASES,
    ];
    let cases = subjects.into_iter().flatten();
    cases.map(|&(name, run)| Case { name, run }).collect()
}

/// The cases of one subject.
type Cases = &'static [(&'static str, fn(&Bench<'_>) -> Result<(), Failure>)];
