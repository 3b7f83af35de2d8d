use std::ffi::CStr;

use super::support::*;

#[test]
fn the_chip_tells_what_it_is() {
    let _turn = turn();
    let name = acl!(aclrtGetSocName());
    // SAFETY: a static C string.
    assert_eq!(unsafe { CStr::from_ptr(name) }, c"Ascend910B3");
    let mut value = 0_i64;
    for (info, expected) in [(0, 20), (1, 40), (2, 192 << 20)] {
        ok!(aclGetDeviceCapability(0, info, &raw mut value));
        assert_eq!(value, expected);
    }
    fails!(107_001, aclGetDeviceCapability(1, 0, &raw mut value));
    fails!(100_000, aclGetDeviceCapability(0, 3, &raw mut value));
    ok!(aclrtGetDeviceInfo(0, 201, &raw mut value));
    assert_eq!(value, 40);
    ok!(aclrtGetDeviceInfo(0, 301, &raw mut value));
    assert!(value > 60 << 30);
    fails!(107_000, aclrtGetDeviceInfo(0, 9999, &raw mut value));
    let (mut mode, mut can) = (0, 0);
    ok!(aclrtGetRunMode(&raw mut mode));
    assert_eq!(mode, 1);
    ok!(aclGetCannAttribute(1, &raw mut can));
    assert_eq!(can, 1);
    fails!(100_000, aclGetCannAttribute(3, &raw mut can));
    ok!(aclrtCheckArchCompatibility(c"Ascend910B1".as_ptr(), &raw mut can));
    assert_eq!(can, 1);
    ok!(aclrtCheckArchCompatibility(c"Ascend310P".as_ptr(), &raw mut can));
    assert_eq!(can, 0);
    let mut uuid = [0; 16];
    ok!(aclrtDeviceGetUuid(0, &raw mut uuid));
    assert!(uuid.starts_with(b"ascend-sim"));
}

#[test]
fn versions_are_those_of_the_layout() {
    for release in ["8.3", "8.5"] {
        let variables = [("ASCEND_SIM_CANN", release)];
        child("telemetry::versions_are_those_of_the_layout", &variables, || {
            let old = std::env::var("ASCEND_SIM_CANN").unwrap() == "8.3";
            let (mut major, mut minor, mut patch) = (0, 0, 0);
            ok!(aclrtGetVersion(&raw mut major, &raw mut minor, &raw mut patch));
            assert_eq!((major, minor, patch), (8, if old { 3 } else { 5 }, 0));
            let mut number = 0;
            ok!(aclsysGetVersionNum(c"runtime".as_ptr(), &raw mut number));
            assert_eq!(number, if old { 80_300_000 } else { 80_500_000 });
            let mut text = [0x55; 128];
            ok!(aclsysGetVersionStr(c"runtime".as_ptr(), text.as_mut_ptr()));
            // SAFETY: the call wrote a C string.
            let text = unsafe { CStr::from_ptr(text.as_ptr()) };
            assert_eq!(text, if old { c"8.3.RC1" } else { c"8.5.0" });
            let mut package = [9_u8; 512];
            ok!(aclsysGetCANNVersion(0, &raw mut package));
            assert!(package.starts_with(text.to_bytes_with_nul()));
            assert_eq!(package[128], b'8');
            fails!(100_000, aclsysGetCANNVersion(8, &raw mut package));
            fails!(100_000, aclsysGetVersionNum(std::ptr::null(), &raw mut number));
        });
    }
}

/// An `aclrtUtilizationInfo`: four numbers and a pointer.
#[repr(align(8))]
struct Rates([i32; 6]);

#[test]
fn use_is_measured() {
    let _turn = turn();
    let data = malloc(3 << 20);
    let (mut usage, mut count) = ([0_u64; 14], 0);
    ok!(aclrtGetMemUsageInfo(0, &raw mut usage, 1, &raw mut count));
    assert_eq!(count, 1);
    assert_eq!(usage[4], 4 << 20);
    assert!(usage[5] >= usage[4]);
    fails!(107_000, aclrtGetMemUsageInfo(0, &raw mut usage, 0, &raw mut count));
    let mut rates = Rates([9; 6]);
    let place = (&raw mut rates).cast();
    ok!(aclrtGetDeviceUtilizationRate(0, place));
    assert!((0..=100).contains(&rates.0[0]));
    assert_eq!(rates.0[3], -1);
    fails!(107_001, aclrtGetDeviceUtilizationRate(5, place));
    let odd = fails!(100_000, aclrtGetDeviceUtilizationRate(0, place.wrapping_byte_add(2)));
    assert!(odd.contains("expected a multiple of 8"), "{odd}");
    ok!(aclrtFree(data));
}

#[test]
fn options_are_kept() {
    let _turn = turn();
    let mut value = 0;
    fails!(107_021, aclrtGetSysParamOpt(0, &raw mut value));
    ok!(aclrtSetSysParamOpt(0, 1));
    ok!(aclrtGetSysParamOpt(0, &raw mut value));
    assert_eq!(value, 1);
    fails!(107_000, aclrtSetSysParamOpt(4, 1));
}

#[test]
fn there_may_be_no_device() {
    let variables = [("ASCEND_SIM_DEVICES", "0")];
    child("telemetry::there_may_be_no_device", &variables, || {
        ok!(aclInit(std::ptr::null()));
        let mut count = 9;
        ok!(aclrtGetDeviceCount(&raw mut count));
        assert_eq!(count, 0);
        fails!(107_001, aclrtSetDevice(0));
    });
}
