//! Names and classes of codes.

use std::collections::HashSet;

use ascend_acl::codes::{ACL, ACLNN, Class, DCMI, Interface, RUNTIME, class, name};

#[test]
fn tables_are_whole_and_unambiguous() {
    assert_eq!((ACL.len(), RUNTIME.len(), ACLNN.len(), DCMI.len()), (69, 144, 27, 21));
    let all: Vec<_> = [ACL, RUNTIME, ACLNN, DCMI].concat();
    assert_eq!(all.iter().map(|(code, _)| code).collect::<HashSet<_>>().len(), all.len());
    assert_eq!(all.iter().map(|(_, name)| name).collect::<HashSet<_>>().len(), all.len());
    for table in [ACL, RUNTIME, ACLNN] {
        assert!(table.is_sorted_by_key(|(code, _)| *code));
    }
}

#[test]
fn codes_have_the_names_of_c() {
    let acl = [
        (100_000, "ACL_ERROR_INVALID_PARAM"),
        (100_002, "ACL_ERROR_REPEAT_INITIALIZE"),
        (100_039, "ACL_ERROR_COMPILING_STUB_MODE"),
        (107_002, "ACL_ERROR_RT_CONTEXT_NULL"),
        (107_027, "ACL_ERROR_RT_STREAM_CAPTURED"),
        (161_002, "ACLNN_ERR_PARAM_INVALID"),
        (207_001, "ACL_ERROR_RT_MEMORY_ALLOCATION"),
        (507_009, "ACL_ERROR_RT_TASK_TYPE_NOT_SUPPORT"),
        (507_035, "ACL_ERROR_RT_VECTOR_CORE_EXCEPTION"),
        (507_916, "ACL_ERROR_RT_CCU_EXCEPTION"),
        (561_112, "ACLNN_ERR_INNER_OPP_KERNEL_PKG_NOT_FOUND"),
    ];
    for (code, expected) in acl {
        assert_eq!(name(Interface::Acl, code), Some(expected));
    }
    assert_eq!(name(Interface::Acl, 0), None);
    assert_eq!(name(Interface::Acl, 9), None);
    let hccl: Vec<_> = (0..26).filter_map(|code| name(Interface::Hccl, code)).collect();
    assert_eq!((hccl.len(), hccl[0], hccl[23]), (24, "HCCL_E_PARA", "HCCL_E_OOM"));
    assert_eq!(name(Interface::Dcmi, -8255), Some("DCMI_ERR_CODE_NOT_SUPPORT"));
}

#[test]
fn codes_have_classes() {
    let cases = [
        (Class::Unavailable, &[100_039, 207_004][..]),
        (Class::InvalidArgument, &[100_000, 107_000, 161_001, 161_002]),
        (Class::NotInitialised, &[100_001, 107_002, 107_003]),
        (Class::OutOfMemory, &[200_000, 207_001, 207_018]),
        (Class::Unsupported, &[200_001, 200_006, 207_000, 507_009, 561_003, 561_112]),
        (Class::Timeout, &[107_019, 107_020, 507_014, 507_017, 507_034, 507_046, 507_047]),
        (
            Class::DeviceFault,
            &[507_010, 507_011, 507_015, 507_018, 507_035, 507_053, 507_054, 507_899],
        ),
        (Class::Capture, &[107_024, 107_027, 107_030, 107_045, 507_903]),
        (Class::Internal, &[500_000, 561_000, 123, -1, i32::MIN, i32::MAX]),
    ];
    for (expected, codes) in cases {
        for &code in codes {
            assert_eq!(class(Interface::Acl, code), expected, "{code}");
        }
    }
    assert_eq!(class(Interface::Hccl, 24), Class::OutOfMemory);
    assert_eq!(class(Interface::Dcmi, -8002), Class::Unavailable);
}
