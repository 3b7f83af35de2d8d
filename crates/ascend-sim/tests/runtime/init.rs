use super::support::*;
use super::sys::Counters;

#[test]
fn init_is_once_and_finalize_is_once() {
    child("init::init_is_once_and_finalize_is_once", &[], || {
        assert!(fails!(100_001, aclFinalize()).contains("aclInit was not called"));
        ok!(aclInit(std::ptr::null()));
        fails!(100_002, aclInit(std::ptr::null()));
        ok!(aclFinalize());
        fails!(100_037, aclFinalize());
        ok!(aclInit(c"".as_ptr()));
    });
}

#[test]
fn references_count_the_inits() {
    child("init::references_count_the_inits", &[], || {
        ok!(aclInit(std::ptr::null()));
        fails!(100_002, aclInit(std::ptr::null()));
        let mut left = 9;
        ok!(aclFinalizeReference(&raw mut left));
        assert_eq!(left, 1);
        ok!(aclFinalizeReference(&raw mut left));
        assert_eq!(left, 0);
        fails!(100_037, aclFinalizeReference(&raw mut left));
    });
}

#[test]
fn operators_want_aclinit_and_a_device() {
    child("init::operators_want_aclinit_and_a_device", &[], || {
        let (mut bytes, mut executor) = (0, std::ptr::null_mut());
        // No kernel runs, so any address does.
        let tensor = tensor(&[4], 64 as super::sys::Raw);
        let message = fails!(
            561_002,
            aclnnInplaceZeroGetWorkspaceSize(tensor, &raw mut bytes, &raw mut executor)
        );
        assert!(
            message.starts_with("EZ9999") && message.contains("tiling function null"),
            "{message}"
        );
        ok!(aclInit(std::ptr::null()));
        let message = fails!(
            361_001,
            aclnnInplaceZeroGetWorkspaceSize(tensor, &raw mut bytes, &raw mut executor)
        );
        assert!(message.contains("107002"), "{message}");
        ok!(aclFinalize());
        ok!(aclrtSetDevice(0));
        fails!(
            561_002,
            aclnnInplaceZeroGetWorkspaceSize(tensor, &raw mut bytes, &raw mut executor)
        );
        ok!(aclnnInit(std::ptr::null()));
        ok!(aclnnInplaceZeroGetWorkspaceSize(tensor, &raw mut bytes, &raw mut executor));
        ok!(aclnnFinalize());
        fails!(
            561_002,
            aclnnInplaceZeroGetWorkspaceSize(tensor, &raw mut bytes, &raw mut executor)
        );
        ok!(aclDestroyAclOpExecutor(executor));
        ok!(aclDestroyTensor(tensor));
    });
}

#[test]
fn finalize_names_what_is_left() {
    child("init::finalize_names_what_is_left", &[], || {
        ok!(aclInit(std::ptr::null()));
        ok!(aclrtSetDevice(0));
        let left = tensor(&[4], std::ptr::null_mut());
        let memory = malloc(100);
        let _stream = stream();
        ok!(aclFinalize());
        let message = message();
        for part in ["1 tensors", "1 streams", "2097152 bytes of device memory"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(counters().streams, 1);
        ok!(aclrtFree(memory));
        ok!(aclDestroyTensor(left));
        ok!(aclrtResetDevice(0));
        assert_eq!(counters(), Counters { allocations: 1, ..Counters::default() });
    });
}

#[test]
fn wrong_variables_are_refused_by_name() {
    let variables = [("ASCEND_SIM_SOC", "Ascend310P")];
    child("init::wrong_variables_are_refused_by_name", &variables, || {
        let message = fails!(100_000, aclInit(std::ptr::null()));
        assert!(message.contains("ASCEND_SIM_SOC is \"Ascend310P\""), "{message}");
        fails!(100_000, aclrtSetDevice(0));
    });
}

#[test]
fn a_configuration_that_is_no_file_is_refused() {
    child("init::a_configuration_that_is_no_file_is_refused", &[], || {
        fails!(100_003, aclInit(c"/nowhere/acl.json".as_ptr()));
    });
}

#[test]
fn messages_are_taken_once_and_belong_to_their_thread() {
    let _turn = turn();
    assert_eq!(acl!(aclrtMalloc(std::ptr::null_mut(), 4, 0)), 100_000);
    std::thread::spawn(|| assert_eq!(message(), "")).join().unwrap();
    let text = message();
    assert!(
        text.starts_with("EE1001: aclrtMalloc: [100000 ACL_ERROR_INVALID_PARAM] devPtr"),
        "{text}"
    );
    assert_eq!(message(), "");
    assert_eq!(acl!(aclrtPeekAtLastError(0)), 100_000);
    assert_eq!(acl!(aclrtGetLastError(0)), 100_000);
    assert_eq!(acl!(aclrtGetLastError(0)), 0);
}
