//! Which functions the loaded libraries have.

use crate::library::Ascend;
use crate::sys::{self, Acl, Base, Library, Signature, Sizes};

/// An operator, and whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OperatorStatus {
    /// Its name.
    pub name: &'static str,
    /// The library that has it from CANN 8.5 on.
    pub library: Library,
    /// First CANN release known to have it.
    pub since: &'static str,
    /// Whether both phases are in one of the loaded libraries.
    pub available: bool,
}

/// A function that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FunctionStatus {
    /// Its name.
    pub name: &'static str,
    /// The library that would have it.
    pub library: Library,
    /// First CANN release known to have it.
    pub since: &'static str,
}

pub(crate) fn operators(ascend: Ascend) -> Vec<OperatorStatus> {
    let status = |[_, execute]: &'static [Signature; 2]| OperatorStatus {
        name: execute.name,
        library: execute.library,
        since: execute.since,
        available: ascend.aclnn().has(execute.name),
    };
    sys::Aclnn::signatures().map(status).collect()
}

/// Functions of the runtime and of the base that the loaded libraries lack. Collectives and telemetry are
/// not loaded for this.
pub(super) fn missing(ascend: Ascend) -> Vec<FunctionStatus> {
    let (acl, base, sizes) = (ascend.acl(), ascend.base(), &ascend.aclnn().sizes);
    let acl = Acl::SIGNATURES.iter().filter(|function| !acl.has(function.name));
    let base = Base::SIGNATURES.iter().filter(|function| !base.has(function.name));
    let sizes = Sizes::SIGNATURES.iter().filter(|function| !sizes.has(function.name));
    let status = |function: &'static Signature| FunctionStatus {
        name: function.name,
        library: function.library,
        since: function.since,
    };
    acl.chain(base).chain(sizes).map(status).collect()
}
