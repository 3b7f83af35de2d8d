//! Sizes and offsets of structures, and values of enumerations, against the vendor's interface.

use std::mem::{align_of, offset_of, size_of};

use ascend_acl::sys::*;
use ascend_acl::{Ascend, Error, MissingSymbol, Probe};

#[test]
fn structures_are_laid_out_as_in_c() {
    assert_eq!(size_of::<aclrtUtilizationInfo>(), 24);
    assert_eq!(offset_of!(aclrtUtilizationInfo, utilizationExtend), 16);
    assert_eq!(size_of::<aclrtMemUsageInfo>(), 112);
    assert_eq!(offset_of!(aclrtMemUsageInfo, curMemSize), 32);
    assert_eq!(offset_of!(aclrtMemUsageInfo, reserved), 48);
    assert_eq!(size_of::<aclCANNPackageVersion>(), 512);
    assert_eq!(offset_of!(aclCANNPackageVersion, majorVersion), 128);
    assert_eq!(offset_of!(aclCANNPackageVersion, reserved), 384);
    assert_eq!(size_of::<aclrtPtrAttributes>(), 28);
    assert_eq!(offset_of!(aclrtPtrAttributes, pageSize), 8);
    assert_eq!(size_of::<aclrtPhysicalMemProp>(), 32);
    assert_eq!(offset_of!(aclrtPhysicalMemProp, location), 12);
    assert_eq!(offset_of!(aclrtPhysicalMemProp, reserve), 24);
    assert_eq!(size_of::<aclrtMemcpyBatchAttr>(), 32);
    assert_eq!(size_of::<aclrtUuid>(), 16);
    assert_eq!((size_of::<aclrtMallocAttribute>(), align_of::<aclrtMallocAttribute>()), (12, 4));
    assert_eq!(size_of::<aclrtMallocConfig>(), 16);
    assert_eq!(size_of::<aclrtMemUceInfo>(), 128);
    assert_eq!(size_of::<aclrtErrorInfo>(), 8 + 8 + 20 * 128);
    assert_eq!(offset_of!(aclrtErrorInfo, errorType), 4);
    assert_eq!(offset_of!(aclrtErrorInfo, detail), 8);
    assert_eq!((size_of::<HcclRootInfo>(), align_of::<HcclRootInfo>()), (4108, 1));
    assert_eq!(size_of::<HcclSendRecvItem>(), 32);
    assert_eq!(offset_of!(HcclSendRecvItem, count), 16);
    assert_eq!(offset_of!(HcclSendRecvItem, remoteRank), 28);
    assert_eq!(size_of::<dcmi_hbm_info>(), 32);
    assert_eq!(offset_of!(dcmi_hbm_info, memory_usage), 16);
    assert_eq!(offset_of!(dcmi_hbm_info, bandwith_util_rate), 28);
    assert_eq!((size_of::<dcmi_chip_info>(), size_of::<dcmi_chip_info_v2>()), (100, 132));
    assert_eq!(size_of::<dcmi_proc_mem_info>(), 16);
}

#[test]
fn enumerations_are_plain_integers() {
    assert_eq!((size_of::<aclDataType>(), align_of::<aclDataType>()), (4, 4));
    assert_eq!((size_of::<aclrtStream>(), size_of::<bool>()), (8, 1));
    let types = [
        (aclDataType::UNDEFINED, -1),
        (aclDataType::FLOAT, 0),
        (aclDataType::FLOAT16, 1),
        (aclDataType::INT8, 2),
        (aclDataType::INT32, 3),
        (aclDataType::UINT8, 4),
        (aclDataType::INT16, 6),
        (aclDataType::INT64, 9),
        (aclDataType::BOOL, 12),
        (aclDataType::BF16, 27),
        (aclDataType::INT4, 29),
        (aclDataType::FLOAT8_E4M3FN, 36),
        (aclDataType::FLOAT8_E8M0, 37),
        (aclDataType::FLOAT4_E2M1, 40),
    ];
    for (value, number) in types {
        assert_eq!(value.0, number, "{value:?}");
    }
    assert_eq!((aclFormat::ND.0, aclFormat::FRACTAL_NZ.0), (2, 29));
    assert_eq!((aclrtMemAttr::DDR_MEM.0, aclrtMemAttr::HBM_MEM.0), (0, 1));
    assert_eq!(aclrtMemMallocPolicy::TYPE_HIGH_BAND_WIDTH.0, 0x1000);
    // 0 and 1 change places between these two.
    assert_eq!(aclrtEventRecordedStatus::COMPLETE.0, 1);
    assert_eq!(aclrtEventWaitStatus::COMPLETE.0, 0);
    assert_eq!((HcclDataType::BFP16.0, HcclDataType::FP16.0, HcclDataType::FP32.0), (11, 3, 4));
    assert_eq!((HcclReduceOp::MAX.0, HcclResult::E_OOM.0), (2, 24));
    assert_eq!(stream_flag::FAST_LAUNCH | stream_flag::FAST_SYNC, 3);
    assert_eq!((event_flag::TIME_LINE, failure_mode::STOP_ON_FAILURE), (8, 1));
}

#[test]
fn values_have_names_and_need_not_be_known() {
    assert_eq!(aclDataType::BF16.name(), Some("BF16"));
    assert_eq!(format!("{:?} {:?}", aclDataType::INT4, aclDataType(99)), "INT4 aclDataType(99)");
    let sorted = |values: &[(&str, aclFormat)]| values.is_sorted_by_key(|(_, format)| format.0);
    assert!(sorted(aclFormat::VALUES));
    assert_eq!(aclDataType::VALUES.len(), 28);
}

#[test]
fn handles_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Ascend>();
    crosses::<Error>();
    crosses::<MissingSymbol>();
    crosses::<Probe>();
    crosses::<Acl>();
    crosses::<Base>();
    crosses::<Aclnn>();
    crosses::<Hccl>();
    crosses::<Dcmi>();
    crosses::<Operator<aclnnAdd>>();
    // Copies of the handle cost nothing.
    assert_eq!(size_of::<Ascend>(), size_of::<usize>());
}
