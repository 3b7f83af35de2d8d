//! A set of libraries that lacks half of its functions. A process has one set, so this is one test.

mod make;

use std::thread;

use ascend_acl::codes::{Class, Interface};
use ascend_acl::sys::HcclResult;
use ascend_acl::{Ascend, Error, Part};

const RUNTIME: &str = r#"
    #include <stddef.h>
    static __thread const char *message;
    int aclrtGetVersion(int *a, int *b, int *c) { *a = 1; *b = 2; *c = 3; return 0; }
    int aclrtSetDevice(int id) { message = "EE1001: no such device \n"; return 107001; }
    int aclrtResetDevice(int id) { message = "\xff wrong"; return 507015; }
    int aclrtFree(void *p) { return 12345; }
    const char *aclGetRecentErrMsg(void) { const char *m = message; message = NULL; return m; }
"#;
/// The first phase only: the trap that binding phase by phase would fall into.
const MATH: &str = "
    int aclnnMulGetWorkspaceSize(void *a, void *b, void *c, unsigned long *w, void **e) { return 1; }
    int aclnnExp(void *w, unsigned long n, void *e, void *s) { return 2; }
";
const NN: &str = "
    int aclnnMulGetWorkspaceSize(void *a, void *b, void *c, unsigned long *w, void **e)
    { *w = 77; return 3; }
    int aclnnMul(void *w, unsigned long n, void *e, void *s) { return 4; }
";

#[test]
fn half_a_set() {
    let folder = tempfile::tempdir().unwrap();
    if make::library(folder.path(), "libacl_rt.so", RUNTIME).is_none() {
        return;
    }
    // Both are there from 8.5 on; the newer one is taken, and `libopapi.so` is left alone.
    make::library(folder.path(), "libascendcl.so", "int aclInit(const char *p) { return 0; }");
    make::library(folder.path(), "libopapi.so", "int aclnnCat(void) { return 0; }").unwrap();
    make::library(folder.path(), "libnnopbase.so", make::EMPTY).unwrap();
    make::library(folder.path(), "libopapi_math.so", MATH).unwrap();
    make::library(folder.path(), "libopapi_nn.so", NN).unwrap();

    let ascend = Ascend::load_from(folder.path()).unwrap();
    let sonames: Vec<_> = ascend.libraries().into_iter().map(|library| library.soname).collect();
    let expected = ["libacl_rt.so", "libnnopbase.so", "libopapi_math.so", "libopapi_nn.so"];
    assert_eq!(sonames, expected);
    let absent: Vec<_> = ascend.attempts().iter().filter_map(|a| a.library.file_name()).collect();
    assert_eq!(absent, ["libopapi_cv.so", "libopapi_transformer.so", "libopapi_legacy.so"]);

    one_set_for_the_process(ascend, folder.path());
    missing_functions_are_errors(ascend);
    failures_carry_the_message_of_the_thread(ascend);
    both_phases_come_from_one_library(ascend);
    probing_half_a_set(folder.path());
}

fn one_set_for_the_process(ascend: Ascend, folder: &std::path::Path) {
    let again = Ascend::load_from(folder.join("..").join(folder.file_name().unwrap())).unwrap();
    assert!(std::ptr::eq(again.acl(), ascend.acl()));
    assert!(std::ptr::eq(Ascend::load().unwrap().acl(), ascend.acl()));
    let other = tempfile::tempdir().unwrap();
    let error = Ascend::load_from(other.path()).unwrap_err();
    assert!(matches!(&error, Error::OtherFolder { .. }), "{error}");
    assert!(error.to_string().contains("one process can have one set"), "{error}");
}

fn missing_functions_are_errors(ascend: Ascend) {
    let acl = ascend.acl();
    assert!(acl.has("aclrtSetDevice") && !acl.has("aclInit") && !acl.has("aclnnMul"));
    for _ in 0..2 {
        let missing = acl.aclrtMemcpyBatch().unwrap_err();
        assert_eq!(missing.signature().name, "aclrtMemcpyBatch");
        let text = missing.to_string();
        assert!(text.contains("since 8.5") && text.contains("libacl_rt.so"), "{text}");
        assert_eq!(Error::from(missing).class(), Class::Unsupported);
    }
    let error = ascend.hccl().unwrap_err();
    assert!(matches!(error, Error::NotFound { part: Part::Collectives, .. }), "{error}");
    assert!(ascend.dcmi().is_err() || std::path::Path::new("/usr/local/dcmi").exists());
}

fn failures_carry_the_message_of_the_thread(ascend: Ascend) {
    let set = ascend.acl().aclrtSetDevice().unwrap();
    // SAFETY: the function was made above, and takes an integer.
    let code = unsafe { set(9) };
    // The message is the thread's own: another one finds none, and takes nothing from this one.
    thread::scope(|scope| scope.spawn(|| assert_eq!(ascend.recent_message(), None)).join())
        .unwrap();
    let Error::Call(failure) = ascend.check("aclrtSetDevice", code).unwrap_err() else { panic!() };
    assert_eq!((failure.call, failure.code), ("aclrtSetDevice", 107_001));
    assert_eq!(failure.name(), Some("ACL_ERROR_RT_INVALID_DEVICEID"));
    assert_eq!(failure.class(), Class::InvalidArgument);
    assert_eq!(failure.message.as_deref(), Some("EE1001: no such device"));
    assert_eq!(
        failure.to_string(),
        "aclrtSetDevice: 107001 (ACL_ERROR_RT_INVALID_DEVICEID): EE1001: no such device"
    );

    let reset = ascend.acl().aclrtResetDevice().unwrap();
    // SAFETY: as above.
    let code = unsafe { reset(0) };
    let error = ascend.check("aclrtResetDevice", code).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::DeviceFault, Some(507_015)));
    assert!(error.to_string().contains("must be dropped: \u{FFFD} wrong"), "{error}");

    let free = ascend.acl().aclrtFree().unwrap();
    // SAFETY: as above.
    let code = unsafe { free(std::ptr::null_mut()) };
    let error = ascend.check("aclrtFree", code).unwrap_err();
    assert_eq!(error.to_string(), "aclrtFree: 12345 (a code without a name)");
    let error = ascend.check_hccl("HcclBarrier", HcclResult::E_TIMEOUT).unwrap_err();
    assert_eq!(error.to_string(), "HcclBarrier: 9 (HCCL_E_TIMEOUT)");
    let Error::Call(failure) = ascend.check_dcmi("dcmi_init", -8255).unwrap_err() else { panic!() };
    assert_eq!((failure.interface, failure.class()), (Interface::Dcmi, Class::Unsupported));
    assert!(ascend.check("aclInit", 0).is_ok());
}

fn both_phases_come_from_one_library(ascend: Ascend) {
    let aclnn = ascend.aclnn();
    assert!(aclnn.has("aclnnMul") && !aclnn.has("aclnnExp") && !aclnn.has("aclnnCat"));
    let mul = aclnn.elementwise.aclnnMul().unwrap();
    let (mut workspace, mut executor) = (0, std::ptr::null_mut());
    let null = std::ptr::null();
    // SAFETY: the function was made above; it writes to the workspace size only.
    let code = unsafe {
        (mul.prepare)(null, null, null.cast_mut(), &raw mut workspace, &raw mut executor)
    };
    assert_eq!((code, workspace), (3, 77));
    // SAFETY: as above; it does nothing.
    let code =
        unsafe { (mul.execute)(std::ptr::null_mut(), workspace, executor, std::ptr::null_mut()) };
    assert_eq!(code, 4);
    let missing = aclnn.elementwise.aclnnExp().unwrap_err();
    assert_eq!(missing.signature().name, "aclnnExpGetWorkspaceSize");
}

fn probing_half_a_set(folder: &std::path::Path) {
    let probe = ascend_acl::probe_folder(folder);
    assert!(!probe.usable && !probe.simulated && probe.devices.is_empty());
    assert!(probe.problems.iter().any(|line| line.contains("aclInit")), "{:?}", probe.problems);
    let there: Vec<_> =
        probe.operators.iter().filter(|op| op.available).map(|op| op.name).collect();
    assert_eq!(there, ["aclnnMul"]);
    assert!(probe.missing_functions.iter().any(|function| function.name == "aclrtMalloc"));
    assert!(probe.steps.iter().all(|step| step.uses.is_none()));
    assert_eq!(
        (&*probe.versions[0].part, &*probe.versions[0].version),
        ("runtime interface", "1.2.3")
    );
}
