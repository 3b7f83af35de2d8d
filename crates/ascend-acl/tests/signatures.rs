//! The table of prototypes: how many, how C spells them, and some lines of it as they must be.

use std::collections::HashSet;

use ascend_acl::sys::{self, Aclnn, Library, c_type, signatures};

#[test]
fn every_function_is_there_once() {
    assert_eq!(sys::Acl::SIGNATURES.len(), 115);
    assert_eq!(sys::Base::SIGNATURES.len(), 34);
    assert_eq!(Aclnn::signatures().count(), 106);
    assert_eq!(sys::Hccl::SIGNATURES.len(), 27);
    let names: Vec<_> = signatures().map(|signature| signature.name).collect();
    assert_eq!(names.len(), 115 + 34 + 2 * 106 + 3 + 27 + sys::Dcmi::SIGNATURES.len());
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
}

/// The digest is of the table as it was when a program compared it with the vendor's headers. Where it
/// differs, the table has to be compared again.
#[test]
fn the_table_is_the_one_that_was_compared() {
    let mut lines: Vec<_> = signatures().map(|one| one.prototype() + "\n").collect();
    lines.sort();
    // FNV-1a, 64 bits: https://datatracker.ietf.org/doc/html/rfc9923
    let digest = lines.concat().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    assert_eq!(digest, 0x00de_283b_e4c0_5a3c, "{digest:#x}");
}

#[test]
fn prototypes_are_spelled_as_in_c() {
    let expected = [
        "aclError aclFinalize(void);",
        "const char *aclGetRecentErrMsg(void);",
        "aclError aclrtMalloc(void **devPtr, size_t size, aclrtMemMallocPolicy policy);",
        "aclError aclrtMemcpyAsync(void *dst, size_t destMax, const void *src, size_t count, \
         aclrtMemcpyKind kind, aclrtStream stream);",
        "aclError aclrtLaunchCallback(aclrtCallback fn, void *userData, aclrtCallbackBlockType \
         blockType, aclrtStream stream);",
        "aclTensor *aclCreateTensor(const int64_t *viewDims, uint64_t viewDimsNum, aclDataType \
         dataType, const int64_t *stride, int64_t offset, aclFormat format, const int64_t \
         *storageDims, uint64_t storageDimsNum, void *tensorData);",
        "aclTensorList *aclCreateTensorList(const aclTensor *const *value, uint64_t size);",
        "aclnnStatus aclnnAddmmGetWorkspaceSize(const aclTensor *self, const aclTensor *mat1, const \
         aclTensor *mat2, const aclScalar *beta, const aclScalar *alpha, aclTensor *out, int8_t \
         cubeMathType, uint64_t *workspaceSize, aclOpExecutor **executor);",
        "aclnnStatus aclnnAddmm(void *workspace, uint64_t workspaceSize, aclOpExecutor *executor, \
         aclrtStream stream);",
        "aclnnStatus aclnnApplyRotaryPosEmbV2GetWorkspaceSize(aclTensor *queryRef, aclTensor \
         *keyRef, const aclTensor *cos, const aclTensor *sin, int64_t layout, char *rotaryMode, \
         uint64_t *workspaceSize, aclOpExecutor **executor);",
        "aclnnStatus aclnnWeightQuantBatchMatmulV3GetWorkspaceSize(const aclTensor *x, const \
         aclTensor *weight, const aclTensor *antiquantScale, const aclTensor \
         *antiquantOffsetOptional, const aclTensor *quantScaleOptional, const aclTensor \
         *quantOffsetOptional, const aclTensor *biasOptional, int antiquantGroupSize, int \
         innerPrecise, const aclTensor *y, uint64_t *workspaceSize, aclOpExecutor **executor);",
        "HcclResult HcclAllReduce(void *sendBuf, void *recvBuf, uint64_t count, HcclDataType \
         dataType, HcclReduceOp op, HcclComm comm, aclrtStream stream);",
        "int dcmi_get_device_hbm_info(int card_id, int device_id, struct dcmi_hbm_info *hbm_info);",
        "int dcmi_get_device_frequency(int card_id, int device_id, enum dcmi_freq_type input_type, \
         unsigned int *frequency);",
    ];
    let all: HashSet<_> = signatures().map(sys::Signature::prototype).collect();
    for line in expected {
        assert!(all.contains(line), "{line}");
    }
}

#[test]
fn the_longest_operator_has_its_parameters_in_order() {
    let name = "aclnnFusedInferAttentionScoreV4GetWorkspaceSize";
    let signature = signatures().find(|signature| signature.name == name).unwrap();
    let names: Vec<_> = signature.params().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 47);
    let places = [
        (0, "query"),
        (14, "blockTableOptional"),
        (28, "learnableSinkOptional"),
        (29, "numHeads"),
        (30, "scaleValue"),
        (33, "inputLayout"),
        (42, "queryQuantMode"),
        (43, "attentionOut"),
        (46, "executor"),
    ];
    for (at, name) in places {
        assert_eq!(names[at], name);
    }
    assert_eq!((signature.library, signature.since), (Library::Transformer, "8.3"));
}

#[test]
fn rust_types_have_c_spellings() {
    let cases = [
        ("*const *mut c_char", "char *const *"),
        ("*const *const *mut c_void", "void *const *const *"),
        ("*mut usize", "size_t *"),
        ("bool", "bool"),
        ("f64", "double"),
        ("()", "void"),
        ("*mut dcmi_proc_mem_info", "struct dcmi_proc_mem_info *"),
        ("c_uint", "unsigned int"),
        ("aclrtStream", "aclrtStream"),
    ];
    for (rust, c) in cases {
        assert_eq!(c_type(rust), c);
    }
    // A Rust spelling that nobody translated would show.
    let rust = ["u8", "u32", "u64", "i8", "i32", "i64", "usize", "f32", "f64", "c_int", "c_void"];
    for signature in signatures() {
        let types = signature.params().map(|(_, c)| c).chain([signature.returns()]);
        for word in types.flat_map(|c| c.split([' ', '*']).map(str::to_owned).collect::<Vec<_>>()) {
            assert!(!rust.contains(&&*word), "{}: {word}", signature.name);
        }
    }
}

#[test]
fn libraries_and_releases_are_known_ones() {
    for signature in signatures() {
        assert!(["8.1", "8.3", "8.5", "9.0", "head"].contains(&signature.since), "{signature:?}");
        let library = match signature.name {
            name if name.starts_with("aclnn") && !name.ends_with("aclnnInit") => {
                ["libopapi_math.so", "libopapi_nn.so", "libopapi_transformer.so", "libnnopbase.so"]
                    .contains(&signature.library.soname())
            }
            name if name.starts_with("Hccl") => {
                signature.library.soname_before_8_5() == "libhccl.so"
            }
            name if name.starts_with("dcmi") => signature.library == Library::Telemetry,
            name if name.starts_with("aclrt") || name.starts_with("aclmdlRI") => {
                signature.library == Library::Runtime
            }
            _ => true,
        };
        assert!(library, "{signature:?}");
    }
}
