//! Versions, of the runtime interface and of packages.

use std::ffi::{CStr, c_char};

use super::cstr::{text, text_of_chars};
use crate::library::Ascend;
use crate::sys::{aclCANNPackageName, aclCANNPackageVersion};

/// The version of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Version {
    /// Such as `runtime interface`, `ops-nn`, `driver`.
    pub part: String,
    /// Such as `8.5.0`.
    pub version: String,
}

impl Version {
    pub(super) fn new(part: &str, version: String) -> Self {
        Self { part: part.to_owned(), version }
    }
}

/// Packages that CANN has been made of since 8.5.
const PACKAGES: [&CStr; 8] = [
    c"runtime",
    c"opbase",
    c"ops-math",
    c"ops-nn",
    c"ops-transformer",
    c"hcomm",
    c"hccl",
    c"driver",
];

/// Packages that CANN was made of before.
const PACKAGES_BEFORE_8_5: [(&str, aclCANNPackageName); 3] = [
    ("CANN", aclCANNPackageName::CANN),
    ("runtime", aclCANNPackageName::RUNTIME),
    ("driver", aclCANNPackageName::DRIVER),
];

/// All that answer.
pub(super) fn versions(ascend: Ascend) -> Vec<Version> {
    let mut versions: Vec<_> = interface(ascend).into_iter().collect();
    let packages: Vec<_> = PACKAGES.iter().filter_map(|name| package(ascend, name)).collect();
    if packages.is_empty() {
        let before = PACKAGES_BEFORE_8_5.iter();
        versions.extend(before.filter_map(|&(part, name)| package_before_8_5(ascend, part, name)));
    }
    versions.extend(packages);
    versions
}

fn interface(ascend: Ascend) -> Option<Version> {
    let get = ascend.acl().aclrtGetVersion().ok()?;
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: the three integers can be written to.
    let code = unsafe { get(&raw mut major, &raw mut minor, &raw mut patch) };
    ascend.check("aclrtGetVersion", code).ok()?;
    Some(Version::new("runtime interface", format!("{major}.{minor}.{patch}")))
}

fn package(ascend: Ascend, name: &CStr) -> Option<Version> {
    let get = ascend.acl().aclsysGetVersionStr().ok()?;
    // The vendor's own programs give 128 bytes; twice as many are zeros.
    let mut version = [0_u8; 256];
    // SAFETY: the name is a string, which the function does not change, and the array has room for the
    // version and its end.
    let code = unsafe { get(name.as_ptr().cast_mut(), version.as_mut_ptr().cast::<c_char>()) };
    ascend.check("aclsysGetVersionStr", code).ok()?;
    let version = text(&version);
    (!version.is_empty()).then(|| Version::new(&name.to_string_lossy(), version))
}

fn package_before_8_5(ascend: Ascend, part: &str, name: aclCANNPackageName) -> Option<Version> {
    let get = ascend.acl().aclsysGetCANNVersion().ok()?;
    let mut version = aclCANNPackageVersion {
        version: [0; 128],
        majorVersion: [0; 64],
        minorVersion: [0; 64],
        releaseVersion: [0; 64],
        patchVersion: [0; 64],
        reserved: [0; 128],
    };
    // SAFETY: the structure can be written to.
    let code = unsafe { get(name, &raw mut version) };
    ascend.check("aclsysGetCANNVersion", code).ok()?;
    let version = text_of_chars(&version.version);
    (!version.is_empty()).then(|| Version::new(part, version))
}
