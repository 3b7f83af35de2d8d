//! The tables of `tests/judge` against checksums that `ml_dtypes` and numpy made
//! (`python tests/judge/dtypes.py --checksums`, `ml_dtypes` 0.5.4, numpy 1.26.4).

#[path = "judge/tables.rs"]
mod tables;

/// CRC-32 of each table, in order.
const EXPECTED: [(&str, u32); 27] = [
    ("f16_f32", 0x5308_4938),
    ("f16_bf16", 0x3B01_B24A),
    ("f16_f8_e4m3", 0x1460_6500),
    ("f16_f8_e5m2", 0x2EDB_1882),
    ("bf16_f32", 0xB9B2_4BB2),
    ("bf16_f16", 0xBE77_F3A7),
    ("bf16_f8_e4m3", 0xCBF7_13FE),
    ("bf16_f8_e5m2", 0xEE0D_E81C),
    ("f8_e4m3_f32", 0xC266_6A8C),
    ("f8_e4m3_f16", 0xF41D_43C6),
    ("f8_e4m3_bf16", 0x4223_A7FB),
    ("f8_e4m3_f8_e5m2", 0xCF8F_835A),
    ("f8_e5m2_f32", 0x0788_CEEC),
    ("f8_e5m2_f16", 0x5339_6E5D),
    ("f8_e5m2_bf16", 0x1423_A97B),
    ("f8_e5m2_f8_e4m3", 0xFE9B_9900),
    ("f32_f16", 0xD6A0_B45D),
    ("f32_bf16", 0x0330_541B),
    ("f32_f8_e4m3", 0xEA87_424E),
    ("f32_f8_e5m2", 0x8E97_DC29),
    ("f64_f32", 0x1D84_C16F),
    ("f64_f16", 0xD8EA_E6E2),
    ("f8_e8m0_f32", 0x7199_79BA),
    ("f4_f32", 0x8667_70B6),
    ("mxfp4_f32", 0x6F22_89F0),
    ("mxfp4_bf16", 0xDE55_1565),
    ("mxfp4_f16", 0x6E64_F67A),
];

#[test]
fn tables_are_those_of_ml_dtypes() {
    let tables = tables::all();
    assert_eq!(tables.len(), EXPECTED.len());
    for (table, (name, expected)) in tables.iter().zip(EXPECTED) {
        assert_eq!(table.name, name);
        assert_eq!(crc32fast::hash(&table.bytes), expected, "{name}");
    }
}
