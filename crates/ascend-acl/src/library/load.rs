//! Loading a set: runtime, then `libnnopbase`, then operators, each needing the symbols of those before.

use std::sync::OnceLock;

use super::Loaded;
use super::attempt::Attempt;
use super::handle::{Handle, Handles};
use super::place::Place;
use crate::error::{Error, Part, Result};
use crate::sys::{Acl, Aclnn, Base, aclrtGetVersion};

/// The runtime: from 8.5 on, where the older one is still there for old programs, and before.
const RUNTIME: [&str; 2] = ["libacl_rt.so", "libascendcl.so"];
const BASE: &str = "libnnopbase.so";
/// Operators from 8.5 on, in the vendor's own order of search. Custom operators, which come before all
/// others there, are left out: they may have the name of a known operator and other parameters.
const OPERATORS: [&str; 5] = [
    "libopapi_math.so",
    "libopapi_nn.so",
    "libopapi_cv.so",
    "libopapi_transformer.so",
    "libopapi_legacy.so",
];
/// Operators before 8.5. `libaclnn_math.so` and its like have operators of the same names, whose
/// executors fail with 561000, so they are not for us.
const OPERATORS_BEFORE_8_5: &str = "libopapi.so";

/// What the functions of a stub library return, `ACL_ERROR_COMPILING_STUB_MODE`.
const STUB: i32 = 100_039;

/// The set in the first place that has a runtime.
pub(super) fn load(places: &[Place]) -> Result<Loaded> {
    let mut attempts = Vec::new();
    for place in places {
        if let Some(runtime) = runtime(place, &mut attempts)? {
            return complete(place, runtime, attempts);
        }
    }
    Err(Error::NotFound { part: Part::Runtime, attempts })
}

fn runtime(place: &Place, attempts: &mut Vec<Attempt>) -> Result<Option<Handle>> {
    for soname in RUNTIME {
        let file = place.library(soname);
        let opened = Handle::open_apart(soname, &file).and_then(|apart| {
            if is_stub(&apart) { Ok(None) } else { Handle::open(soname, &file).map(Some) }
        });
        match opened {
            Ok(Some(handle)) => return Ok(Some(handle)),
            Ok(None) => return Err(Error::Stub { library: file }),
            Err(problem) => attempts.push(Attempt { library: file, problem }),
        }
        if !place.lacks(soname) {
            break;
        }
    }
    Ok(None)
}

/// Whether the library is of those that programs are linked with where CANN is not installed
/// ("devlib"). Its functions do nothing.
fn is_stub(runtime: &Handle) -> bool {
    // SAFETY: the type is that of this function.
    let Some(version) = (unsafe { runtime.function::<aclrtGetVersion>("aclrtGetVersion") }) else {
        return false;
    };
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: the three integers can be written to; the function needs no device and no `aclInit`.
    let code = unsafe { version(&raw mut major, &raw mut minor, &raw mut patch) };
    code == STUB
}

fn complete(place: &Place, runtime: Handle, mut attempts: Vec<Attempt>) -> Result<Loaded> {
    let runtime = Vec::leak(vec![runtime]);
    let Some(base) = open(place, BASE, &mut attempts) else {
        return Err(Error::NotFound { part: Part::Base, attempts });
    };
    let base = Vec::leak(vec![base]);
    let operators = operators(place, &mut attempts)?;
    Ok(Loaded {
        origin: place.origin,
        folder: place.folder.clone(),
        libraries: vec![runtime, base, operators],
        attempts,
        acl: Acl::new(runtime),
        base: Base::new(base),
        aclnn: Aclnn::new(operators),
        hccl: OnceLock::new(),
        dcmi: OnceLock::new(),
    })
}

/// The split libraries, of which some may be absent, or else the one that came before them; never both.
fn operators(place: &Place, attempts: &mut Vec<Attempt>) -> Result<Handles> {
    let mut handles = Vec::new();
    for soname in OPERATORS {
        if let Some(handle) = open(place, soname, attempts) {
            handles.push(handle);
        } else if !place.lacks(soname) {
            return Err(Error::NotFound { part: Part::Operators, attempts: attempts.clone() });
        }
    }
    if handles.is_empty() {
        handles.extend(open(place, OPERATORS_BEFORE_8_5, attempts));
    }
    if handles.is_empty() {
        return Err(Error::NotFound { part: Part::Operators, attempts: attempts.clone() });
    }
    Ok(Vec::leak(handles))
}

fn open(place: &Place, soname: &'static str, attempts: &mut Vec<Attempt>) -> Option<Handle> {
    let file = place.library(soname);
    match Handle::open(soname, &file) {
        Ok(handle) => Some(handle),
        Err(problem) => {
            attempts.push(Attempt { library: file, problem });
            None
        }
    }
}
