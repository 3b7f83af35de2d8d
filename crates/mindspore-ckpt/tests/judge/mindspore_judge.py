#!/usr/bin/env python3
"""The outside judge: real MindSpore reads what this crate wrote, and writes what it must read.

    mindspore_judge.py load FILE.ckpt EXPECTED.json [FILE.ckpt EXPECTED.json ...]
    mindspore_judge.py save OUT_DIR

`load` loads each file with mindspore.load_checkpoint, with the checksum compared where there is
one, and compares names in order, types, shapes and the SHA-256 of the raw little-endian bytes with

    [{"name": "a", "dtype": "Float32", "shape": [2], "sha256": "..."}]

`save` writes NAME.ckpt with mindspore.save_checkpoint and NAME.json in that form, for every type
that MindSpore saves, those that it refuses to load again included. Text (`append_dict`) has the type "str", its length as the shape,
and the digest of its UTF-32LE bytes.

Exit status: 0 as expected, 1 something differs, 2 wrong usage. Needs mindspore >= 2.3.0 and
numpy < 2 (with numpy 2 MindSpore cannot show bfloat16).
"""

import hashlib
import json
import os
import pathlib
import sys
import tempfile


def usage():
    print(__doc__, file=sys.stderr)
    return 2


def raw_bytes(value):
    """The bytes of a tensor as they are in memory, which is little-endian here."""
    if value.size == 0:
        return b""
    return bytes(value.get_bytes())


def describe(name, value):
    if isinstance(value, str):
        raw = value.encode("utf-32-le")
        dtype, shape = "str", [len(value)]
    else:
        raw = raw_bytes(value)
        dtype, shape = str(value.dtype), list(value.shape)
    return {
        "name": name,
        "dtype": dtype,
        "shape": shape,
        "sha256": hashlib.sha256(raw).hexdigest(),
    }


def short(text):
    return repr(text if len(text) <= 60 else text[:57] + "...")


def differences(found, expected):
    """One line for every difference, in the order of the file."""
    names = [tensor["name"] for tensor in found]
    wanted = [tensor["name"] for tensor in expected]
    for name in wanted:
        if name not in names:
            yield f"{short(name)}: missing"
    for name in names:
        if name not in wanted:
            yield f"{short(name)}: not expected"
    if sorted(names) == sorted(wanted) and names != wanted:
        at = next(i for i, (a, b) in enumerate(zip(names, wanted)) if a != b)
        yield f"tensor {at}: {short(names[at])} in place of {short(wanted[at])}: other order"
    by_name = {tensor["name"]: tensor for tensor in found}
    for tensor in expected:
        got = by_name.get(tensor["name"])
        if got is None:
            continue
        for key in ("dtype", "shape", "sha256"):
            if got[key] != tensor[key]:
                yield f"{short(tensor['name'])}: {key} is {got[key]}, expected {tensor[key]}"


def has_checksum(path):
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 17))
        return file.read(7) == b"crc_num"


def load(pairs):
    import mindspore

    failed = False
    for path, expected_path in pairs:
        expected = json.loads(pathlib.Path(expected_path).read_text(encoding="utf-8"))
        crc = has_checksum(path)
        try:
            loaded = mindspore.load_checkpoint(path, crc_check=crc)
            found = [describe(name, value) for name, value in loaded.items()]
        except Exception as error:  # whatever MindSpore raises, the file did not load
            print(f"{path}: MindSpore does not load it: {error}", file=sys.stderr)
            failed = True
            continue
        lines = list(differences(found, expected))
        for line in lines:
            print(f"{path}: {line}", file=sys.stderr)
        failed = failed or bool(lines)
        if not lines:
            checked = ", checksum compared" if crc else ""
            print(f"{path}: {len(found)} tensors as expected{checked}")
    return 1 if failed else 0


def parameters(mindspore, shape, dtypes):
    """A parameter of every type, with values that need the whole range of small types."""
    import numpy

    count = int(numpy.prod(shape, dtype=numpy.int64))
    out = []
    for dtype in dtypes:
        values = (numpy.arange(count, dtype=numpy.int64) * 37 + 5) % 251
        if str(dtype) == "Bool":
            array = (values % 2 == 0).reshape(shape)
            tensor = mindspore.Tensor(array)
        elif str(dtype) == "BFloat16":
            array = (values.astype(numpy.float32) - 125) / 8
            tensor = mindspore.Tensor(array.reshape(shape), mindspore.float32).astype(dtype)
        else:
            tensor = mindspore.Tensor(values.reshape(shape), mindspore.int64).astype(dtype)
        name = f"tensor.{dtype}.{'x'.join(map(str, shape)) or 'scalar'}"
        out.append({"name": name, "data": tensor})
    return out


def rare_parameters(mindspore):
    """The types that MindSpore saves and does not load, and the packed one."""
    raw = bytes(range(48))
    out = []
    names = "complex64 complex128 float8_e4m3fn float8_e5m2 hifloat8 qint4x2"
    for name, count in zip(names.split(), (6, 3, 48, 48, 48, 48)):
        dtype = getattr(mindspore, name)
        tensor = mindspore.Tensor.convert_bytes_to_tensor(raw, (3, count // 3), dtype)
        out.append({"name": f"rare.{dtype}", "data": mindspore.Tensor(tensor)})
    return out


def save_one(mindspore, out, name, items, text=None, **options):
    path = out / f"{name}.ckpt"
    expected = [describe(item["name"], item["data"]) for item in items]
    for key, value in (text or {}).items():
        if isinstance(value, str):
            expected.append(describe(key, value))
        else:
            expected.append(describe(key, mindspore.Tensor(value)))
    mindspore.save_checkpoint(items, str(path), append_dict=text, **options)
    path.chmod(0o644)
    (out / f"{name}.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
    print(f"{path}: {len(expected)} tensors")


def save(out):
    import mindspore

    out.mkdir(parents=True, exist_ok=True)
    names = (
        "bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 bfloat16"
    )
    dtypes = [getattr(mindspore, name) for name in names.split()]
    matrix = parameters(mindspore, (3, 7), dtypes)
    scalars = parameters(mindspore, (), dtypes)
    vectors = parameters(mindspore, (1,), dtypes)
    for dtype, item in zip(dtypes, matrix):
        save_one(mindspore, out, f"only-{dtype}", [item])
    save_one(mindspore, out, "types", matrix)
    save_one(mindspore, out, "scalars", scalars)
    save_one(mindspore, out, "mixed", matrix + scalars + vectors)
    save_one(mindspore, out, "crc", matrix + scalars, crc_check=True)
    extra = {"epoch": 7, "rate": 0.5, "done": True, "note": "晴れ 🌤 ok", "empty": ""}
    save_one(mindspore, out, "text", matrix[:2], text=extra)
    save_one(mindspore, out, "rare", rare_parameters(mindspore))
    large = mindspore.Tensor(bytes_of_large(), mindspore.uint8)
    save_one(mindspore, out, "sliced", [{"name": "large", "data": large}, *vectors], crc_check=True)
    return 0


def bytes_of_large():
    """One element over the 512 MiB at which MindSpore cuts."""
    import numpy

    return numpy.resize(numpy.arange(251, dtype=numpy.uint8), (512 << 20) + 1)


def main(arguments):
    match arguments:
        case ["load", *files] if files and len(files) % 2 == 0:
            files = [str(pathlib.Path(file).resolve()) for file in files]
            action = lambda: load(list(zip(files[::2], files[1::2])))
        case ["save", out]:
            out = pathlib.Path(out).resolve()
            action = lambda: save(out)
        case _:
            return usage()
    # MindSpore leaves folders of its own in the working directory.
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        try:
            return action()
        finally:
            os.chdir("/")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
