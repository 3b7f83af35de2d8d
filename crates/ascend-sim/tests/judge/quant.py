"""Products with quantised operands, and the quantisation of rows."""

import numpy as np
import torch

from vectors import Family, rounded


def family():
    f = Family("quant", 15)
    for dtype in ("f16", "bf16"):
        for bits in ("i8", "i4"):
            for transposed in (False, True):
                restored(f, dtype, bits, "tensor", transposed)
                restored(f, dtype, bits, "column", transposed)
                restored(f, dtype, bits, "group", transposed)
        for smooth in (False, True):
            rows(f, dtype, smooth)
        integers(f, f"{dtype}-tokens", "i8", dtype, "f32", True, None)
        integers(f, f"{dtype}-tokens-bias", "i8", dtype, "f32", True, "f32")
        integers(f, f"{dtype}-tokens-i4", "i4", dtype, "f32", True, "i32")
    integers(f, "f16-packed", "i8", "f16", "i64", False, "i32")
    integers(f, "f16-packed-i4", "i4", "f16", "i64", False, None)
    integers(f, "bf16-column", "i8", "bf16", "bf16", False, "bf16")
    integers(f, "i8", "i8", "i8", "i64", False, "i32", offset=True)
    integers(f, "i32", "i8", "i32", "f32", False, "i32")
    return f


def restored(f, dtype, bits, mode, transposed):
    m, k, n = 3, 72, 10
    limit = 8 if bits == "i4" else 128
    w = f.whole(-limit, limit, k, n)
    x = f.normal(m, k, dtype=dtype)
    groups = {"tensor": (1,), "column": (n,), "group": (-(-k // 32), n)}[mode]
    scale = rounded(f.normal(*groups).abs() / limit + 0.01, dtype)
    offset = rounded(f.whole(-3, 4, *groups), dtype)
    full_scale, full_offset = scale, offset
    if mode == "group":
        full_scale, full_offset = (t.repeat_interleave(32, 0)[:k] for t in (scale, offset))
    bias_type = "f32" if dtype == "bf16" else dtype
    bias = f.normal(n, dtype=bias_type)
    inputs = {"x": x, "weight": (w.T if transposed else w).to(torch.int8), "scale": scale, "bias": bias}
    weight = w * full_scale
    if mode != "tensor":
        inputs["offset"] = offset
        weight = (w + full_offset) * full_scale
    types = {"x": dtype, "weight": bits, "scale": dtype, "offset": dtype, "bias": bias_type, "y": dtype}
    case = f"{dtype}-{bits}-{mode}{'-t' * transposed}"
    group_size = 32 if mode == "group" else 0
    arguments = {"group_size": group_size, "transposed": transposed}
    f.add("weight_quant", case, inputs, {"y": x @ weight + bias}, types, **arguments)


def rows(f, dtype, smooth):
    x = f.normal(4, 33, dtype=dtype, scale=3)
    inputs, scaled = {"x": x}, x
    if smooth:
        inputs["smooth"] = rounded(f.normal(33).abs() + 0.5, dtype)
        scaled = x * inputs["smooth"]
    # In f32, as a quotient near a half would fall elsewhere.
    scaled = scaled.float()
    scale = scaled.abs().amax(-1) / np.float32(127)
    y = torch.round(scaled / scale[:, None]).to(torch.int8)
    types = {"x": dtype, "smooth": dtype, "scale": "f32"}
    f.add("dynamic_quant", f"{dtype}{'-smooth' * smooth}", inputs, {"y": y, "scale": scale}, types)


def integers(f, case, bits, out_type, scale_type, tokens, bias_type, offset=False):
    m, k, n = 3, 24, 6
    limit = 8 if bits == "i4" else 128
    x1, x2 = f.whole(-limit, limit, m, k), f.whole(-limit, limit, k, n)
    inputs = {"x1": x1.to(torch.int8), "x2": x2.to(torch.int8)}
    types = {"x1": bits, "x2": bits, "out": out_type}
    total = (x1 @ x2).double()
    scale = rounded((f.normal(n).abs() + 0.5) / (limit * limit), "bf16")
    if scale_type == "i64":
        # The bits of an f32 in the low half.
        inputs["scale"] = torch.from_numpy(scale.numpy().astype(np.float32).view(np.uint32).astype(np.int64))
    else:
        inputs["scale"], types["scale"] = scale, scale_type
    if bias_type == "i32":
        inputs["bias"] = f.whole(-500, 500, n).int()
        total = total + inputs["bias"]
    out = total if out_type == "i32" else total * scale
    if tokens:
        inputs["token_scale"], types["token_scale"] = f.normal(m).abs() + 0.5, "f32"
        inputs["token_scale"] = rounded(inputs["token_scale"], "f32")
        out = out * inputs["token_scale"][:, None]
    if bias_type not in (None, "i32"):
        inputs["bias"], types["bias"] = f.normal(n, dtype=bias_type), bias_type
        out = out + inputs["bias"]
    if offset:
        inputs["offset"], types["offset"] = f.normal(n), "f32"
        out = torch.round(out * 1.0 + inputs["offset"]).clamp(-128, 127)
    if out_type in ("i8", "i32"):
        out = out.to(torch.int8 if out_type == "i8" else torch.int32)
        types.pop("out")
    f.add("quant_matmul", case, inputs, {"out": out}, types)
