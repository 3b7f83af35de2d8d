"""Compares the tables of the example `dump_tables` with ml_dtypes and numpy.

    dtypes.py DIRECTORY      exit 1 and say where, if any table differs or is missing
    dtypes.py --checksums    print what tests/tables.rs expects, from ml_dtypes and numpy alone

Needs `numpy` and `ml_dtypes` (with the 4-bit and e8m0 types, 0.5 or later).
"""

import pathlib
import sys
import zlib

import ml_dtypes
import numpy as np

TYPES = {
    "f64": np.dtype(np.float64),
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f8_e4m3": np.dtype(ml_dtypes.float8_e4m3fn),
    "f8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
}
SMALL = ["f16", "bf16", "f8_e4m3", "f8_e5m2"]
QUIET = {"f32": 0x7FC00000, "f16": 0x7E00, "bf16": 0x7FC0, "f8_e4m3": 0x7F, "f8_e5m2": 0x7E}


def raw(values):
    """The bit patterns of an array."""
    return values.view({1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}[values.itemsize])


def canonical(values, name):
    """Bit patterns, NaNs replaced by the quiet NaN of their sign."""
    bits = raw(values).copy()
    sign = bits.dtype.type(1 << (8 * bits.itemsize - 1))
    nan = np.isnan(values)
    bits[nan] = (bits[nan] & sign) | bits.dtype.type(QUIET[name])
    return bits


def f32_patterns():
    upper = np.arange(1 << 16, dtype=np.uint32)[:, None, None] << 16
    top = np.arange(8, dtype=np.uint32)[None, :, None] << 13
    low = np.array([0, 1, 0x0FFF, 0x1000, 0x1001, 0x1FFF], np.uint32)[None, None, :]
    return (upper | top | low).ravel()


def f64_patterns():
    bits = f32_patterns()[::16]
    bits = bits[bits & 0x7F800000 != 0x7F800000]
    wide = raw(bits.view(np.float32).astype(np.float64))
    tie = 1 << 28
    offsets = np.array([0, 1, tie - 1, tie, tie + 1], np.uint64)
    return (wide[:, None] + offsets[None, :]).ravel()


def cast(bits, source, target):
    return canonical(bits.view(TYPES[source]).astype(TYPES[target]), target)


def mxfp4(target):
    """The codes 0 to 15, twice, under each scale."""
    codes = np.tile(np.arange(16, dtype=np.uint8), 2).view(ml_dtypes.float4_e2m1fn)
    scales = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e8m0fnu)
    # Exact: two significant bits and a power of two.
    exact = codes.astype(np.float64)[None, :] * scales.astype(np.float64)[:, None]
    values = np.where(np.isnan(exact), np.nan, exact).ravel()
    # ml_dtypes rounds f64 by way of f32, which holds these values exactly.
    values = values.astype(np.float32).astype(TYPES[target]) if target == "bf16" else values.astype(TYPES[target])
    bits = canonical(values, target)
    bits[np.isnan(values)] = QUIET[target]
    return bits


def tables():
    for source in SMALL:
        size = TYPES[source].itemsize
        bits = np.arange(1 << (8 * size), dtype=np.uint8 if size == 1 else np.uint16)
        for target in ["f32", *SMALL]:
            if source != target:
                yield f"{source}_{target}", cast(bits, source, target)
    for target in SMALL:
        yield f"f32_{target}", cast(f32_patterns(), "f32", target)
    for target in ["f32", "f16"]:
        yield f"f64_{target}", cast(f64_patterns(), "f64", target)
    scales = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e8m0fnu)
    yield "f8_e8m0_f32", canonical(scales.astype(np.float32), "f32") & np.uint32(0x7FFFFFFF)
    codes = np.arange(16, dtype=np.uint8).view(ml_dtypes.float4_e2m1fn)
    yield "f4_f32", raw(codes.astype(np.float32))
    for target in ["f32", "bf16", "f16"]:
        yield f"mxfp4_{target}", mxfp4(target)


def compare(directory):
    wrong = 0
    count = 0
    for name, expected in tables():
        count += 1
        path = directory / f"{name}.bin"
        if not path.exists():
            print(f"{name}: missing")
            wrong += 1
            continue
        got = np.fromfile(path, expected.dtype)
        if got.shape != expected.shape:
            print(f"{name}: {got.size} elements, expected {expected.size}")
            wrong += 1
            continue
        different = np.flatnonzero(got != expected)
        if different.size:
            at = different[0]
            print(f"{name}: {different.size} differ, first [{at}]: {got[at]:#x}, expected {expected[at]:#x}")
            wrong += 1
    print(f"{count} tables, {wrong} wrong")
    return 1 if wrong or not count else 0


def main():
    np.seterr(all="ignore")
    if sys.argv[1:] == ["--checksums"]:
        for name, bits in tables():
            crc = f"{zlib.crc32(bits.tobytes()):08X}"
            print(f'    ("{name}", 0x{crc[:4]}_{crc[4:]}),')
        return 0
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    return compare(pathlib.Path(sys.argv[1]))


sys.exit(main())
