"""Gated units."""

import torch

from vectors import Family

TYPES = ("f32", "f16", "bf16")


def family():
    f = Family("activation", 13)
    for dtype in TYPES:
        types = {"x": dtype, "out": dtype}
        for dim, shape in ((-1, (3, 8)), (1, (2, 6, 3)), (0, (4, 5))):
            x = f.normal(*shape, dtype=dtype, scale=2)
            gate, up = x.chunk(2, dim)
            out = torch.nn.functional.silu(gate) * up
            f.add("swi_glu", f"{dim}-{dtype}", {"x": x}, {"out": out}, types, dim=dim)
            x = f.normal(*shape, dtype=dtype, scale=6)
            for interleaved in (False, True):
                clipped(f, f"{dim}-{interleaved}-{dtype}", x, None, types, dim, interleaved)
        x = f.normal(7, 10, dtype=dtype, scale=6)
        clipped(f, f"groups-{dtype}", x, torch.tensor([2, 0, 3]), types, -1, True)
    return f


def clipped(f, case, x, groups, types, dim, interleaved):
    """gpt-oss: transformers' GptOssExperts._apply_gate, with its constants as arguments."""
    alpha, limit, bias = 1.702, 7.0, 1.0
    if interleaved:
        dims = x.movedim(dim, -1)
        gate, up = dims[..., ::2].movedim(-1, dim), dims[..., 1::2].movedim(-1, dim)
    else:
        gate, up = x.chunk(2, dim)
    gate, up = gate.clamp(max=limit), up.clamp(-limit, limit)
    out = (up + bias) * gate * torch.sigmoid(alpha * gate)
    inputs = {"x": x}
    if groups is not None:
        inputs["group_index"] = groups
        out[int(groups.sum()):] = float("nan")
    arguments = {"alpha": alpha, "limit": limit, "bias": bias, "dim": dim, "interleaved": interleaved}
    f.add("clipped_swiglu", case, inputs, {"out": out}, types, **arguments)
