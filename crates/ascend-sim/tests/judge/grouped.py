"""Products by groups of rows."""

import torch

from vectors import Family

COUNTS = ([2, 0, 3, 1], [0, 0, 6, 0], [1, 1, 1, 2])


def family():
    f = Family("grouped", 22)
    for dtype, bias_type in (("f32", "f32"), ("f16", "f16"), ("bf16", "f32")):
        for counts in COUNTS:
            plain(f, dtype, bias_type, counts, False)
        plain(f, dtype, bias_type, COUNTS[0], True)
    int8(f, "f16", "f32")
    int8(f, "bf16", "bf16")
    for dtype in ("f16", "bf16"):
        weights(f, dtype, "i8", 1)
        weights(f, dtype, "i4", 1)
        weights(f, dtype, "i4", 4)
        mx(f, dtype)
    return f


def experts_of(counts, rows):
    """The expert of each row, -1 behind the last group."""
    experts = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return torch.cat((experts, torch.full((rows - len(experts),), -1)))


def by_expert(x, w, experts, bias):
    """Rows of no group are NaN: they are left unwritten."""
    out = torch.einsum("rk,rkn->rn", x, w[experts])
    if bias is not None:
        out = out + bias[experts]
    out[experts < 0] = torch.nan
    return out


def plain(f, dtype, bias_type, counts, transposed):
    x, w = f.normal(6, 10, dtype=dtype), f.normal(4, 10, 7, dtype=dtype)
    bias = f.normal(4, 7, dtype=bias_type)
    out = by_expert(x, w, experts_of(counts, 6), bias)
    stored = w.transpose(-1, -2) if transposed else w
    types = dict.fromkeys(("x", "weight", "y"), dtype) | {"bias": bias_type}
    case = f"{dtype}-{'.'.join(map(str, counts))}{'-t' * transposed}"
    f.add("plain", case, {"x": x, "weight": stored, "bias": bias}, {"y": out}, types, counts=counts, transposed=transposed)


def int8(f, dtype, scale_type):
    x, w = f.whole(-128, 128, 6, 40), f.whole(-128, 128, 4, 40, 5)
    bias, scale = f.whole(-(10**8), 10**8, 4, 5), f.normal(4, 5, dtype=scale_type, scale=1e-4)
    per_token = f.normal(6).abs() / 100
    experts = experts_of(COUNTS[0], 6)
    whole = by_expert(x.double(), w.double(), experts, bias.double())
    out = whole * scale[experts] * per_token[:, None]
    inputs = {"x": x.to(torch.int8), "weight": w.to(torch.int8), "bias": bias.int(), "scale": scale, "per_token": per_token}
    types = {"scale": scale_type, "y": dtype}
    f.add("int8", dtype, inputs, {"y": out}, types, counts=COUNTS[0])


def weights(f, dtype, kind, groups):
    low, high = (-128, 128) if kind == "i8" else (-8, 8)
    x, w = f.normal(6, 16, dtype=dtype), f.whole(low, high, 4, 16, 6)
    scale, offset = f.normal(4, groups, 6, dtype=dtype), f.normal(4, 6, dtype=dtype, scale=3)
    if groups > 1:
        offset = torch.zeros_like(offset)
    values = (w + offset[:, None]) * scale.repeat_interleave(16 // groups, 1)
    out = by_expert(x, values, experts_of(COUNTS[2], 6), None)
    inputs = {"x": x, "weight": w.to(torch.int8), "scale": scale if groups > 1 else scale[:, 0]}
    types = {"x": dtype, "weight": kind, "scale": dtype, "offset": dtype, "y": dtype}
    if groups == 1:
        inputs["offset"] = offset
    f.add("weights", f"{dtype}-{kind}-{groups}", inputs, {"y": out}, types, counts=COUNTS[2])


def mx(f, dtype):
    """Weights are stored as 16 rows by 64 columns after each other, codes in i8; scales as powers of two."""
    depth, width = 64, 128
    x, codes = f.normal(6, depth, dtype=dtype), f.whole(0, 16, 2, depth, width)
    table = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6], dtype=torch.double)
    values = table[codes % 8] * torch.where(codes < 8, 1.0, -1.0)
    exponent = f.whole(-4, 3, 2, depth // 32, width)
    bias = f.normal(2, width, dtype=dtype)
    out = by_expert(x, values * (2.0**exponent).repeat_interleave(32, 1), experts_of([4, 1], 6), bias)
    blocks = codes.reshape(2, depth // 16, 16, width // 64, 64).permute(0, 3, 1, 2, 4)
    bytes_ = blocks.reshape(-1, 2)[:, 0] + 16 * blocks.reshape(-1, 2)[:, 1]
    inputs = {"x": x, "weight": bytes_.to(torch.uint8), "scale": (exponent + 127).to(torch.uint8), "bias": bias}
    f.add("mx", dtype, inputs, {"y": out}, {"x": dtype, "bias": dtype, "y": dtype}, counts=[4, 1], depth=depth, width=width)
