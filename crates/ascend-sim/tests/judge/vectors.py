"""The files of cases that the operators of the simulator are tested with.

A family is a safetensors file, written here without any package but numpy. Each entry of its metadata is a case: the
name, and a JSON object with the arguments that are not tensors, `operator` among them. Tensors are named `case/in.x` and
`case/out.y`. They hold values; `types` says what the device has them in: {"x": "bf16"}.
Inputs are kept in f32, exact in the type of the device; outputs are computed in f64 and kept in f32, or in an integer type.
"""

import json
import struct
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).resolve().parent.parent / "vectors"
CODES = {"float32": "F32", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "uint8": "U8", "bool": "BOOL"}
TORCH = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def rounded(values, dtype):
    """Values as a tensor of this type has them, in f64."""
    return torch.as_tensor(values, dtype=torch.float64).to(TORCH[dtype]).to(torch.float64)


class Family:
    """Cases of one file."""

    def __init__(self, name, seed):
        self.name = name
        self.random = torch.Generator().manual_seed(seed)
        self.cases, self.tensors = {}, {}

    def normal(self, *shape, dtype="f32", scale=1.0):
        """Random values that are exact in the type."""
        return rounded(torch.randn(*shape, generator=self.random, dtype=torch.float64) * scale, dtype)

    def whole(self, low, high, *shape):
        """Random integers in [low, high)."""
        return torch.randint(low, high, shape, generator=self.random)

    def add(self, operator, case, inputs, outputs, types=None, **arguments):
        """A case. `types` names the type on the device of inputs and outputs that are floats, or packed integers."""
        name = f"{operator}-{case}"
        assert name not in self.cases, name
        for argument, tensor in inputs.items():
            dtype = (types or {}).get(argument)
            if dtype in TORCH:
                exact = torch.equal(torch.nan_to_num(tensor.double()), torch.nan_to_num(rounded(tensor, dtype)))
                assert exact, f"{name}: {argument} is not exact in {dtype}"
        self.cases[name] = {"operator": operator, "types": types or {}, **arguments}
        for side, tensors in (("in", inputs), ("out", outputs)):
            for argument, tensor in tensors.items():
                array = torch.as_tensor(tensor).detach().contiguous().numpy()
                if array.dtype == np.float64:
                    array = array.astype(np.float32)
                self.tensors[f"{name}/{side}.{argument}"] = array

    def write(self):
        header = {"__metadata__": {name: json.dumps(case) for name, case in sorted(self.cases.items())}}
        body = b""
        # Wider elements first: every tensor lies aligned.
        for name, array in sorted(self.tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
            data = array.tobytes()
            header[name] = {
                "dtype": CODES[array.dtype.name],
                "shape": list(array.shape),
                "data_offsets": [len(body), len(body) + len(data)],
            }
            body += data
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        path = FOLDER / f"{self.name}.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text + body)
        return path
