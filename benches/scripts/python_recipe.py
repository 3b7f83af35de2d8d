"""The Python way of converting a checkpoint, to measure ours against.

    python benches/scripts/python_recipe.py WEIGHTS_DIR OUT.ckpt

What the well-known recipe does, in our own words: every tensor of every safetensors file becomes a
MindSpore parameter, bf16 widened to f32 through torch, all of it held in memory, then saved, then
loaded back to print what came out. The times of the parts go to standard error.
Needs mindspore, torch, safetensors and numpy < 2.
"""

import glob
import os
import sys
import time

import mindspore as ms
import torch
from safetensors import safe_open


def convert(weights, out):
    parameters = []
    for path in sorted(glob.glob(os.path.join(weights, "*.safetensors"))):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                values = file.get_tensor(name)
                if values.dtype == torch.bfloat16:
                    values = values.to(torch.float32)
                parameters.append({"name": name, "data": ms.Tensor(values.numpy())})
    ms.save_checkpoint(parameters, out)


def main(weights, out):
    start = time.time()
    convert(weights, out)
    saved = time.time()
    loaded = ms.load_checkpoint(out)
    print(len(loaded), "parameters")
    for name in list(loaded)[:5]:
        print(name, tuple(loaded[name].shape))
    print(f"converted in {saved - start:.1f} s, loaded back in {time.time() - saved:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
