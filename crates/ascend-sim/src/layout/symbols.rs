//! Which function is in which library, and since when; the operators have their own table.

use super::since::Since;
use crate::{abi, dcmi, hccl};

/// A group of functions that stay together in every release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// `acl*`, `aclrt*`, `aclmdlRI*`.
    Runtime,
    /// Tensors, scalars, lists and executors.
    Base,
    /// Operators, by the package that has them.
    Math,
    Nn,
    Cv,
    Transformer,
    /// What communicates.
    Collectives,
    /// What makes communicators and asks about them; in hcomm's header from 8.5 on.
    Communicators,
    /// The device management interface of the driver.
    Driver,
}

/// A function that a program can find in some library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    pub(super) name: &'static str,
    pub(super) home: Home,
    pub(super) since: Since,
}

/// Functions that return a text.
const TEXTS: [&str; 3] = ["aclGetRecentErrMsg", "aclrtGetSocName", "HcclGetErrorString"];

/// Functions of the runtime that do not return the status of their call, so that no list of `export!` has them.
const RUNTIME_VALUES: &[&str] = &[
    "aclGetRecentErrMsg",
    "aclrtGetSocName",
    "aclrtGetLastError",
    "aclrtPeekAtLastError",
    "aclrtGetTaskIdFromExceptionInfo",
    "aclrtGetStreamIdFromExceptionInfo",
    "aclrtGetThreadIdFromExceptionInfo",
    "aclrtGetDeviceIdFromExceptionInfo",
    "aclrtGetErrorCodeFromExceptionInfo",
];

/// The same for the metadata of tensors: constructors return the object.
const BASE_VALUES: &[&str] = &[
    "aclCreateTensor",
    "aclCreateTensorList",
    "aclCreateScalar",
    "aclCreateScalarList",
    "aclCreateIntArray",
    "aclCreateFloatArray",
    "aclCreateBoolArray",
];

impl Symbol {
    /// Whether it returns a pointer: its answer where there is nothing behind the library is null.
    pub(super) fn gives_pointer(&self) -> bool {
        self.name.starts_with("aclCreate") || TEXTS.contains(&self.name)
    }
}

/// Every function that the simulator has.
pub(super) fn all() -> Vec<Symbol> {
    let status = abi::EXPORTS.iter().flat_map(|list| list.iter());
    let mut symbols: Vec<Symbol> = status
        .filter_map(|export| {
            let home = match export.library {
                "acl_rt" => Home::Runtime,
                "nnopbase" => Home::Base,
                "math" => Home::Math,
                "nn" => Home::Nn,
                "cv" => Home::Cv,
                "transformer" => Home::Transformer,
                _ => return None,
            };
            Some(Symbol { name: export.name, home, since: Since::named(export.since) })
        })
        .collect();
    for (home, names) in [(Home::Runtime, RUNTIME_VALUES), (Home::Base, BASE_VALUES)] {
        symbols.extend(names.iter().map(|name| Symbol { name, home, since: Since::V8_1 }));
    }
    let others = [
        (Home::Collectives, hccl::COLLECTIVES),
        (Home::Communicators, hccl::COMMUNICATORS),
        (Home::Driver, dcmi::EXPORTS),
    ];
    for (home, list) in others {
        let symbol = |(name, since): &(&'static str, &str)| Symbol {
            name,
            home,
            since: Since::named(since),
        };
        symbols.extend(list.iter().map(symbol));
    }
    symbols.push(Symbol {
        name: "HcclGetErrorString",
        home: Home::Communicators,
        since: Since::V8_1,
    });
    symbols.extend_from_slice(super::operators::all());
    symbols
}
