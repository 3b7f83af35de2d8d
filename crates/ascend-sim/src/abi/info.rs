//! Init, versions, errors.

use std::ffi::c_char;

use super::pointer::{Out, Text};
use crate::profile::{Cann, Soc};
use crate::runtime::config::machine;
use crate::runtime::device::{device, of};
use crate::runtime::failure::{self, Failure};
use crate::runtime::init;

/// An `aclCANNPackageVersion`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct PackageVersion {
    version: [u8; 128],
    major: [u8; 64],
    minor: [u8; 64],
    release: [u8; 64],
    patch: [u8; 64],
    reserved: [u8; 128],
}

/// The beginning of an `aclrtErrorInfo`; the detail behind it is not written.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct ErrorInfo {
    try_repair: u8,
    has_detail: u8,
    reserved: [u8; 2],
    /// `ACL_RT_NO_ERROR` 0, `ACL_RT_ERROR_OTHERS` 0xFFFF.
    error_type: u32,
}

/// The last message of the calling thread, which is forgotten with this; null if there is none. Good until the next
/// call on the thread.
#[allow(unsafe_code, non_snake_case, reason = "the vendor's name, exported")]
// SAFETY: a program that loads this library wants this symbol in place of the vendor's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn aclGetRecentErrMsg() -> *const c_char {
    failure::take_recent()
}

/// The name of the chip, such as `Ascend910B3`.
#[allow(unsafe_code, non_snake_case, reason = "the vendor's name, exported")]
// SAFETY: as above.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn aclrtGetSocName() -> *const c_char {
    machine().soc_name.as_ptr()
}

/// The last status of the thread that was not 0, which is forgotten with this.
#[allow(unsafe_code, non_snake_case, reason = "the vendor's name, exported")]
// SAFETY: as above.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn aclrtGetLastError(_level: i32) -> i32 {
    failure::last(true)
}

/// The last status of the thread that was not 0.
#[allow(unsafe_code, non_snake_case, reason = "the vendor's name, exported")]
// SAFETY: as above.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn aclrtPeekAtLastError(_level: i32) -> i32 {
    failure::last(false)
}

export! {
    "acl_rt";

    /// Begins. The configuration file is not read, but must exist if it is given.
    "8.1" fn aclInit(config_path: Text) {
        if let Some(path) = config_path.get().filter(|path| !path.is_empty())
            && !std::path::Path::new(&path).is_file()
        {
            return Err(Failure::new(100_003, format!("configPath is {path}, which is no file")));
        }
        init::initialise()
    }

    /// Ends; what is still alive is the recent message afterwards.
    "8.1" fn aclFinalize() {
        init::finalise()
    }

    /// Takes one `aclInit` back.
    "8.5" fn aclFinalizeReference(ref_count: Out<u64>) {
        let left = init::finalise_reference()?;
        ref_count.set_if_wanted(left);
        Ok(())
    }

    /// The version of the interface; the same for every release here.
    "8.1" fn aclrtGetVersion(major: Out<i32>, minor: Out<i32>, patch: Out<i32>) {
        let (.., version) = release();
        major.set("majorVersion", version[0])?;
        minor.set("minorVersion", version[1])?;
        patch.set("patchVersion", version[2])
    }

    /// The version of a package; all have that of the layout.
    "8.1" fn aclsysGetCANNVersion(name: i32, version: Out<PackageVersion>) {
        if !(0..=7).contains(&name) {
            return Err(Failure::argument(format!("name is {name}, expected a package, 0 to 7")));
        }
        let (text, parts, _) = release();
        version.set("version", PackageVersion {
            version: fixed(text),
            major: fixed(parts[0]),
            minor: fixed(parts[1]),
            release: fixed(parts[2]),
            patch: fixed(""),
            reserved: [0; 128],
        })
    }

    /// The version of a package as text, into an array of 128.
    "8.5" fn aclsysGetVersionStr(package: Text, version: Out<u8>) {
        if package.get().is_none() {
            return Err(Failure::null("pkgName"));
        }
        version.set_all("versionStr", &fixed::<128>(release().0))
    }

    /// The version of a package as a number: major, minor and patch of 2, 2 and 3 digits, and 2 more.
    "8.5" fn aclsysGetVersionNum(package: Text, version: Out<i32>) {
        if package.get().is_none() {
            return Err(Failure::null("pkgName"));
        }
        let [major, minor, patch] = release().2;
        version.set("versionNum", major * 10_000_000 + minor * 100_000 + patch * 1000)
    }

    /// 1: the program runs on the host.
    "8.1" fn aclrtGetRunMode(run_mode: Out<i32>) {
        run_mode.set("runMode", 1)
    }

    /// Whether the chip has infinities (0) and bf16 (1), and whether operators are compiled when they run (2).
    "8.1" fn aclGetCannAttribute(attribute: i32, value: Out<i32>) {
        let has = match attribute {
            0 | 1 => 1,
            2 => 0,
            _ => {
                let message = format!("cannAttr is {attribute}, expected 0 to 2");
                return Err(Failure::argument(message));
            }
        };
        value.set("value", has)
    }

    /// Cores of the cubes (0), of the vectors (1), bytes of the second cache (2).
    "8.1" fn aclGetDeviceCapability(device_id: u32, info: i32, value: Out<i64>) {
        of(device_id)?;
        let (cube, vector, cache) = cores();
        let found = match info {
            0 => cube,
            1 => vector,
            2 => cache,
            _ => {
                let message = format!("deviceInfo is {info}, expected 0 to 2");
                return Err(Failure::argument(message));
            }
        };
        value.set("value", found)
    }

    /// What happened to a device: no error, or that it is lost.
    "8.5" fn aclrtGetErrorVerbose(device_id: i32, error_info: Out<ErrorInfo>) {
        let error_type = if device(device_id)?.is_lost() { 0xFFFF } else { 0 };
        error_info.set("errorInfo", ErrorInfo {
            try_repair: 0,
            has_detail: 0,
            reserved: [0; 2],
            error_type,
        })
    }

    /// Whether binaries for a chip run on this one: those of the same family do.
    "8.5" fn aclrtCheckArchCompatibility(soc_version: Text, can_compatible: Out<i32>) {
        let name = soc_version.get().ok_or_else(|| Failure::null("socVersion"))?;
        let family = match machine().soc {
            Soc::Ascend910B3 | Soc::Ascend910B4 | Soc::Ascend910_93 => ["Ascend910B", "Ascend910_93"],
            Soc::Ascend950 => ["Ascend950", "Ascend950"],
        };
        let same = family.iter().any(|prefix| name.starts_with(prefix));
        can_compatible.set("canCompatible", same.into())
    }

    /// Ignored: profiling and dumps have nothing to look at here. Kept so that `aclrtGetSysParamOpt` gives it back.
    "8.1" fn aclrtSetSysParamOpt(option: i32, value: i64) {
        super::options::set(None, option, value)
    }

    /// The value that was set; 107021 if none was.
    "8.1" fn aclrtGetSysParamOpt(option: i32, value: Out<i64>) {
        value.set("value", super::options::get(None, option)?)
    }

    /// As `aclrtSetSysParamOpt`, for the current context.
    "8.1" fn aclrtCtxSetSysParamOpt(option: i32, value: i64) {
        let context = crate::runtime::thread::usable_context()?;
        super::options::set(Some(context.handle), option, value)
    }

    /// As `aclrtGetSysParamOpt`, for the current context.
    "8.1" fn aclrtCtxGetSysParamOpt(option: i32, value: Out<i64>) {
        let context = crate::runtime::thread::usable_context()?;
        value.set("value", super::options::get(Some(context.handle), option)?)
    }
}

/// Version of the layout: text, its parts, its numbers.
fn release() -> (&'static str, [&'static str; 3], [i32; 3]) {
    match machine().cann {
        Cann::V8_3 => ("8.3.RC1", ["8", "3", "RC1"], [8, 3, 0]),
        Cann::V8_5 => ("8.5.0", ["8", "5", "0"], [8, 5, 0]),
    }
}

/// Cube cores, vector cores and bytes of the second cache, from the vendor's platform files as third parties quote
/// them; the 910C is taken at its largest.
pub(crate) fn cores() -> (i64, i64, i64) {
    const MIB: i64 = 1 << 20;
    match machine().soc {
        Soc::Ascend910B3 => (20, 40, 192 * MIB),
        Soc::Ascend910B4 => (20, 40, 96 * MIB),
        Soc::Ascend910_93 => (24, 48, 192 * MIB),
        Soc::Ascend950 => (32, 64, 128 * MIB),
    }
}

fn fixed<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let count = text.len().min(N - 1);
    bytes[..count].copy_from_slice(&text.as_bytes()[..count]);
    bytes
}
