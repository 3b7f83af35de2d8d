"""Judge whole conversions with tools that share no code with ours.

    convert_judge.py prepare DIR     make the inputs that a conversion starts from
    convert_judge.py check CASES     check what the conversions gave

`prepare` writes, into DIR:
    saved/saved.ckpt   written by MindSpore's own save_checkpoint, with saved/expected.json beside it
    large/             a safetensors directory with one tensor of 600 MiB, to be sliced
    noisy/             dense experts that MXFP4 cannot hold exactly

`check` reads one case a line, `key=value` fields separated by blanks:
    out=DIR source=DIR|FILE.ckpt format=ckpt|safetensors|mindspore-safetensors
    dtype=f32|bf16|f16|keep experts=keep|dequantize|quantize [crc=1] [parts=1] [sliced=1]
    [rule=REGEX=DTYPE] [rename=REGEX=REPLACEMENT] [exact=1]

What must come out is computed here from the source, with numpy and ml_dtypes alone. `.ckpt` files are
loaded by MindSpore, safetensors by the Python package of that name.
"""

import hashlib
import json
import os
import re
import struct
import sys
import traceback
from pathlib import Path

import ml_dtypes
import numpy as np

from make_room import make_room

NUMPY = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
MINDSPORE = {
    "BOOL": "Bool",
    "U8": "UInt8",
    "I8": "Int8",
    "U16": "UInt16",
    "I16": "Int16",
    "U32": "UInt32",
    "I32": "Int32",
    "U64": "UInt64",
    "I64": "Int64",
    "F16": "Float16",
    "BF16": "BFloat16",
    "F32": "Float32",
    "F64": "Float64",
}
OPTION = {"f32": "F32", "bf16": "BF16", "f16": "F16"}
# What the Python recipe that users have today writes into model_config.json.
CONFIG_KEYS = (
    "model_name",
    "model_type",
    "total_params",
    "num_parameters",
    "num_tensors",
    "source_format",
    "target_format",
    "conversion_info",
)
SLICE = 512 * 1024 * 1024
LARGE = (300 * 1024, 1024)
# OCP Microscaling Formats 1.0, E2M1: the eight magnitudes, then the same with the sign bit.
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)


class Wrong(Exception):
    """What came out is not what must come out."""


def need(condition, message):
    if not condition:
        raise Wrong(message)


# The source, and what must come out of it


def safetensors_files(directory):
    files = sorted(Path(directory).glob("*.safetensors"))
    need(files, f"{directory}: no safetensors files")
    return files


def read_safetensors(directory):
    """name -> (safetensors dtype, array over the file), from every file of the directory."""
    tensors = {}
    for path in safetensors_files(directory):
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        body = np.memmap(path, np.uint8, "r", offset=8 + length)
        header.pop("__metadata__", None)
        for name, entry in header.items():
            need(name not in tensors, f"{path}: second tensor {name}")
            begin, end = entry["data_offsets"]
            array = body[begin:end].view(NUMPY[entry["dtype"]]).reshape(entry["shape"])
            tensors[name] = (entry["dtype"], array)
    return tensors


def dequantise(blocks, scales):
    """uint8 [E, R, G, 16] and [E, R, G] -> float32 [E, 32 G, R], the layout of dense checkpoints."""
    codes = np.stack([blocks & 15, blocks >> 4], axis=-1)
    values = E2M1[codes].reshape(*blocks.shape[:-1], 32)
    values = np.ldexp(values, (scales.astype(np.int32) - 127)[..., None])
    experts, rows, groups, _ = blocks.shape
    return np.ascontiguousarray(values.reshape(experts, rows, groups * 32).transpose(0, 2, 1))


def with_dense_experts(tensors):
    dense = {}
    for name, (dtype, array) in tensors.items():
        if name.endswith("_blocks"):
            scales = tensors[name.removesuffix("_blocks") + "_scales"][1]
            # Two significant bits and an exponent in range: exact in bf16.
            dense[name.removesuffix("_blocks")] = ("BF16", dequantise(array, scales))
        elif not name.endswith("_scales"):
            dense[name] = (dtype, array)
    return dense


def expected(case):
    """name -> (safetensors dtype, shape, sha256 of the little-endian bytes)."""
    if case["source"].endswith(".ckpt"):
        tensors = read_expected(case["source"])
    else:
        tensors = read_safetensors(case["source"])
    if case["experts"] == "dequantize":
        tensors = with_dense_experts(tensors)
    facts = {}
    for name, (dtype, array) in tensors.items():
        if dtype in ("F32", "F16", "BF16"):
            dtype = OPTION.get(case["dtype"], dtype)
            if "rule" in case:
                pattern, wanted = case["rule"].rsplit("=", 1)
                if re.search(pattern, name):
                    dtype = OPTION[wanted]
            array = array.astype(NUMPY[dtype])
        if "rename" in case:
            pattern, replacement = case["rename"].rsplit("=", 1)
            name = re.sub(pattern, replacement, name)
        facts[name] = (dtype, tuple(array.shape), digest(array))
    return facts


def digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def read_expected(ckpt):
    entries = json.loads(Path(ckpt).with_name("expected.json").read_text())
    return {
        name: (dtype, np.frombuffer(bytes.fromhex(content), NUMPY[dtype]).reshape(shape))
        for name, dtype, shape, content in entries
    }


# What came out


def load(path, **options):
    """MindSpore's load_checkpoint: name -> (safetensors dtype, shape, sha256), in order."""
    import mindspore

    make_room(2 * path.stat().st_size + (256 << 20))
    by_name = {ours: theirs for theirs, ours in MINDSPORE.items()}
    facts = {}
    for name, parameter in mindspore.load_checkpoint(str(path), **options).items():
        dtype = str(parameter.dtype)
        need(dtype in by_name, f"{path}: {name} is {dtype}")
        array = parameter.asnumpy()
        facts[name] = (by_name[dtype], tuple(parameter.shape), digest(array))
    return facts


def load_ckpt(case, out):
    files = sorted(out.glob("*.ckpt"))
    if case.get("parts"):
        need(len(files) > 1, f"{out}: {len(files)} parts")
        indexes = [path for path in out.glob("*.json") if all(f.name in path.read_text() for f in files)]
        need(indexes, f"{out}: no JSON file names every part")
    else:
        need(len(files) == 1, f"{out}: {len(files)} .ckpt files")
    merged = {}
    for path in files:
        with open(path, "rb") as file:
            file.seek(-17, os.SEEK_END)
            trailer = file.read(7)
        need((trailer == b"crc_num") == bool(case.get("crc")), f"{path}: CRC trailer {trailer!r}")
        facts = load(path, crc_check=bool(case.get("crc")))
        for name in facts:
            need(name not in merged, f"{path}: {name} is in two parts")
        merged.update(facts)
    if case.get("sliced"):
        check_slices(files[0])
    return merged


def check_slices(path):
    """At least one name has several records, and no record holds more than 512 MiB."""
    records = []
    with open(path, "rb") as file:
        size = path.stat().st_size
        while file.tell() < size:
            need(file.read(1) == b"\x0a", f"{path}: no record at {file.tell()}")
            length = varint(file)
            after = file.tell() + length
            need(file.read(1) == b"\x0a", f"{path}: no tag at {file.tell()}")
            records.append((file.read(varint(file)), length))
            file.seek(after)
    names = [name for name, _ in records]
    need(len(set(names)) < len(names), f"{path}: nothing is sliced")
    need(max(length for _, length in records) < SLICE + 4096, f"{path}: a record of over 512 MiB")


def varint(file):
    value = shift = 0
    while True:
        (byte,) = file.read(1)
        value |= (byte & 127) << shift
        if byte < 128:
            return value
        shift += 7


def load_safetensors(out):
    """The safetensors package: name -> (dtype, shape, sha256)."""
    import safetensors

    facts = {}
    for path in safetensors_files(out):
        with safetensors.safe_open(path, framework="np") as file:
            listed = {name: file.get_slice(name) for name in file.keys()}
            shapes = {name: tuple(view.get_shape()) for name, view in listed.items()}
        for name, entry in safetensors.deserialize(path.read_bytes()):
            need(name not in facts, f"{path}: {name} is in two shards")
            need(shapes.get(name) == tuple(entry["shape"]), f"{path}: two shapes of {name}")
            facts[name] = (entry["dtype"], tuple(entry["shape"]), hashlib.sha256(entry["data"]).hexdigest())
    check_index(out, facts)
    return facts


def check_index(out, facts):
    files = safetensors_files(out)
    index = out / "model.safetensors.index.json"
    if not index.exists():
        need(len(files) == 1, f"{out}: {len(files)} shards without an index")
        return
    weight_map = json.loads(index.read_text())["weight_map"]
    need(set(weight_map) == set(facts), f"{index}: other names than the shards")
    need(set(weight_map.values()) == {path.name for path in files}, f"{index}: other shards than the files")


def check_equal(out, got, want):
    missing, extra = sorted(want.keys() - got.keys()), sorted(got.keys() - want.keys())
    need(not missing and not extra, f"{out}: missing {missing[:5]}, unexpected {extra[:5]}")
    for name in want:
        for what, ours, theirs in zip(("dtype", "shape", "sha256"), got[name], want[name]):
            need(ours == theirs, f"{out}: {name}: {what} is {ours}, must be {theirs}")


def check_papers(out, got):
    """model_config.json, parameter_names.txt and the manifest describe what is there."""
    names = (out / "parameter_names.txt").read_text().splitlines()
    need(names == list(got), f"{out}/parameter_names.txt is not the order of the file")
    config = json.loads((out / "model_config.json").read_text())
    for key in CONFIG_KEYS:
        need(key in config, f"{out}/model_config.json: no {key}")
    for key in ("source_files", "output_file", "framework", "device"):
        need(key in config["conversion_info"], f"{out}/model_config.json: no conversion_info.{key}")
    need(config["num_tensors"] == len(got), f"{out}/model_config.json: num_tensors is {config['num_tensors']}")
    digests = {}
    for path in out.glob("*.json"):
        collect_digests(json.loads(path.read_text()), None, digests)
    for name, (_, _, sha256) in got.items():
        need(digests.get(name) == sha256, f"{out}: manifest says {digests.get(name)} of {name}, it is {sha256}")


def collect_digests(value, key, digests):
    """Finds `{name, sha256}` objects and `name: {sha256}` entries anywhere."""
    if isinstance(value, dict):
        if isinstance(value.get("sha256"), str):
            digests[value.get("name", key)] = value["sha256"]
        for inner_key, inner in value.items():
            collect_digests(inner, inner_key, digests)
    elif isinstance(value, list):
        for inner in value:
            collect_digests(inner, None, digests)


def check_quantised(case, out):
    """What was packed to MXFP4 has the values of the dense source: all of them where they came from
    MXFP4 (`exact`), and within the step of the format anywhere else."""
    source, packed = read_safetensors(case["source"]), read_safetensors(out)
    experts = {name.removesuffix("_blocks") for name in packed if name.endswith("_blocks")}
    wanted = {name for name in source if re.search(r"experts\.(gate_up|down)_proj$", name)}
    need(experts == wanted and wanted, f"{out}: packed {sorted(experts)}, must pack {sorted(wanted)}")
    dense = with_dense_experts(packed)
    need(dense.keys() == source.keys(), f"{out}: other names than {case['source']}")
    for name, (_, array) in source.items():
        ours = dense[name][1]
        need(ours.shape == array.shape, f"{out}: {name}: shape is {ours.shape}, must be {array.shape}")
        if name not in experts:
            need(digest(ours) == digest(array), f"{out}: {name} changed")
            continue
        array = array.astype(np.float32)
        if case.get("exact"):
            need(np.array_equal(ours, array), f"{out}: {name} lost values that MXFP4 can hold")
        else:
            # The grid below a block's largest magnitude m is never coarser than m / 2 between two
            # points, and what is over the largest point, below m / 4 away from it.
            blocks = (array.shape[0], array.shape[1] // 32, 32, array.shape[2])
            error = np.abs(ours - array).reshape(blocks)
            largest = np.abs(array).reshape(blocks).max(axis=2, keepdims=True)
            worst = float((error - largest / 4).max())
            need(worst <= 0, f"{out}: {name} is off by more than a quarter of a block's largest value")


def check(case):
    out = Path(case["out"])
    if case["experts"] == "quantize":
        check_quantised(case, out)
        return
    want = expected(case)
    if case["format"] == "ckpt":
        got = load_ckpt(case, out)
        check_papers(out, got)
    elif case["format"] == "mindspore-safetensors":
        (path,) = safetensors_files(out)
        got = load(path, format="safetensors")
        check_equal(out, load_safetensors(out), want)
    else:
        need(not case.get("parts") or len(safetensors_files(out)) > 1, f"{out}: one shard")
        got = load_safetensors(out)
    check_equal(out, got, want)


def check_all(cases):
    failures = 0
    lines = Path(cases).read_text().splitlines()
    for line in lines:
        case = dict(field.split("=", 1) for field in line.split())
        label = " ".join(field for field in line.split() if not field.startswith("source="))
        label = label.replace("out=", "").replace(str(Path(cases).parent) + "/", "")
        try:
            check(case)
        except Exception as error:
            failures += 1
            print(f"WRONG {label}\n      {error}", flush=True)
            if not isinstance(error, Wrong):
                traceback.print_exc()
        else:
            print(f"right {label}", flush=True)
    print(f"{len(lines) - failures} of {len(lines)} conversions are right")
    return 1 if failures else 0


# Inputs


def prepare(directory):
    save_with_mindspore(Path(directory) / "saved")
    write_large(Path(directory) / "large")
    write_noisy(Path(directory) / "noisy")
    return 0


def save_with_mindspore(directory):
    """Every dtype and odd shape that save_checkpoint writes and safetensors can hold."""
    import mindspore

    directory.mkdir(parents=True)
    random = np.random.default_rng(7)
    arrays = {
        "model.embed_tokens.weight": ("F32", random.standard_normal((48, 16))),
        "model.layers.0.input_layernorm.weight": ("F16", random.standard_normal(16)),
        "model.layers.0.self_attn.q_proj.weight": ("BF16", random.standard_normal((16, 16))),
        "model.layers.0.mlp.experts.gate_up_proj_blocks": ("U8", random.integers(0, 256, (2, 4, 1, 16))),
        "model.layers.0.mlp.experts.gate_up_proj_scales": ("U8", random.integers(110, 130, (2, 4, 1))),
        "scalar": ("F32", np.float32(0.5)),
        "one": ("F32", np.float32([0.5])),
        "flags": ("BOOL", np.array([True, False, True])),
        "ints.a": ("I8", random.integers(-128, 128, 5)),
        "ints.b": ("I16", random.integers(-(2**15), 2**15, 5)),
        "ints.c": ("I32", random.integers(-(2**31), 2**31, 5)),
        "ints.d": ("I64", random.integers(-(2**63), 2**63 - 1, 5)),
        "ints.e": ("U16", random.integers(0, 2**16, 5)),
        "ints.f": ("U32", random.integers(0, 2**32, 5)),
        "ints.g": ("U64", random.integers(0, 2**63, 5)),
        "double": ("F64", random.standard_normal(3)),
        "名字/with a slash": ("F32", random.standard_normal((2, 1, 3))),
    }
    entries, parameters = [], []
    for name, (dtype, array) in arrays.items():
        array = np.asarray(array).astype(NUMPY[dtype])
        entries.append((name, dtype, array.shape, array.tobytes().hex()))
        if dtype == "BF16":
            tensor = mindspore.Tensor(array.astype(np.float32), dtype=mindspore.bfloat16)
        else:
            tensor = mindspore.Tensor(array)
        parameters.append({"name": name, "data": tensor})
    mindspore.save_checkpoint(parameters, str(directory / "saved.ckpt"))
    (directory / "expected.json").write_text(json.dumps(entries))


def write_large(directory):
    """A tensor of 600 MiB whose every row differs, and a small one after it."""
    directory.mkdir(parents=True)
    rows, columns = LARGE
    header = {
        "model.embed_tokens.weight": {"dtype": "BF16", "shape": LARGE, "data_offsets": [0, rows * columns * 2]},
        "model.norm.weight": {
            "dtype": "BF16",
            "shape": [columns],
            "data_offsets": [rows * columns * 2, (rows + 1) * columns * 2],
        },
    }
    with open(directory / "model.safetensors", "wb") as file:
        file.write(framed(header))
        chunk = 4096
        for row in range(0, rows + 1, chunk):
            count = min(chunk, rows + 1 - row)
            bits = np.arange(row * columns, (row + count) * columns, dtype=np.uint32) * np.uint32(2654435761)
            # Without bit 14 the exponent cannot be all ones: every value is finite.
            ((bits >> np.uint32(16)).astype("<u2") & np.uint16(0xBFFF)).tofile(file)


def write_noisy(directory):
    """Random dense experts, with an all-zero block, tiny blocks and lone outliers among them."""
    directory.mkdir(parents=True)
    random = np.random.default_rng(11)
    layer = "model.layers.0.mlp.experts."
    tensors = {
        layer + "gate_up_proj": random.standard_normal((3, 64, 96)),
        layer + "gate_up_proj_bias": random.standard_normal((3, 96)),
        layer + "down_proj": random.standard_normal((3, 32, 64)),
        layer + "down_proj_bias": random.standard_normal((3, 64)),
    }
    tensors[layer + "gate_up_proj"][0, :32, 0] = 0
    tensors[layer + "gate_up_proj"][1, :, 1] *= 1e-30
    tensors[layer + "down_proj"][:, 5, :] *= 1e4
    header, body = {}, b""
    for name, array in tensors.items():
        content = array.astype(ml_dtypes.bfloat16).tobytes()
        header[name] = {
            "dtype": "BF16",
            "shape": array.shape,
            "data_offsets": [len(body), len(body) + len(content)],
        }
        body += content
    (directory / "model.safetensors").write_bytes(framed(header) + body)


def framed(header):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "prepare":
        return prepare(arguments[1])
    if len(arguments) == 2 and arguments[0] == "check":
        return check_all(arguments[1])
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
