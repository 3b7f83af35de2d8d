//! The libraries of a release, and what each exports.

use super::since::Since;
use super::symbols::{Home, Symbol, all};
use crate::profile::Cann;

/// A library of the vendor's, by what it exports.
#[derive(Clone, Debug)]
pub(super) struct Library {
    pub(super) soname: &'static str,
    /// Functions that are the simulator's.
    pub(super) symbols: Vec<Symbol>,
    /// Functions that are there and do not work.
    pub(super) traps: &'static [&'static str],
}

/// A rule: a library, what it has, and up to which release's functions.
type Rule = (&'static str, &'static [Home], Since);

const OPERATORS: &[Home] = &[Home::Math, Home::Nn, Home::Cv, Home::Transformer];

/// Up to 8.3: one library of operators.
const V8_3: &[Rule] = &[
    ("libascendcl.so", &[Home::Runtime], Since::V8_3),
    ("libnnopbase.so", &[Home::Base], Since::V8_3),
    ("libopapi.so", OPERATORS, Since::V8_3),
    ("libaclnn_math.so", &[], Since::V8_3),
    ("libhccl.so", &[Home::Collectives, Home::Communicators], Since::V8_3),
    ("libdcmi.so", &[Home::Driver], Since::V8_3),
];

/// From 8.5 on: a library for each package of operators, communicators apart from collectives. What is deprecated is still
/// there: `libascendcl` with all of the runtime, `libopapi` with the operators that it had before it was split.
const V8_5: &[Rule] = &[
    ("libacl_rt.so", &[Home::Runtime], Since::Head),
    ("libascendcl.so", &[Home::Runtime], Since::Head),
    ("libnnopbase.so", &[Home::Base], Since::Head),
    ("libopapi_math.so", &[Home::Math], Since::Head),
    ("libopapi_nn.so", &[Home::Nn], Since::Head),
    ("libopapi_cv.so", &[Home::Cv], Since::Head),
    ("libopapi_transformer.so", &[Home::Transformer], Since::Head),
    ("libopapi_legacy.so", &[], Since::Head),
    ("libopapi.so", OPERATORS, Since::V8_3),
    ("libhccl.so", &[Home::Collectives], Since::Head),
    ("libhcomm.so", &[Home::Communicators], Since::Head),
    ("libdcmi.so", &[Home::Driver], Since::Head),
];

/// `aclnnMul` of this library answers [`TRAPPED`]: <https://github.com/huggingface/candle/pull/9> tells of it on hardware.
const TRAP: (&str, &[&str]) = ("libaclnn_math.so", &["aclnnMulGetWorkspaceSize", "aclnnMul"]);
/// `ACLNN_ERR_INNER`.
pub(super) const TRAPPED: i32 = 561_000;

/// The libraries of a layout.
pub(super) fn libraries(cann: Cann) -> Vec<Library> {
    let rules = match cann {
        Cann::V8_3 => V8_3,
        Cann::V8_5 => V8_5,
    };
    let symbols = all();
    let library = |(soname, homes, newest): &Rule| Library {
        soname,
        symbols: symbols
            .iter()
            .filter(|symbol| homes.contains(&symbol.home) && symbol.since <= *newest)
            .copied()
            .collect(),
        traps: if *soname == TRAP.0 { TRAP.1 } else { &[] },
    };
    rules.iter().map(library).collect()
}
