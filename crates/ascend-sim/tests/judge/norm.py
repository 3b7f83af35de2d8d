"""Norms and softmax."""

import torch

from vectors import Family, rounded

TYPES = ("f32", "f16", "bf16")


def family():
    f = Family("norm", 12)
    for dtype in TYPES:
        norm(f, dtype, (3, 20), 1, dtype)
        norm(f, dtype, (2, 2, 3, 4), 2, dtype)
        sum_norm(f, dtype)
        soft(f, dtype)
    norm(f, "bf16", (3, 20), 1, "f32")
    return f


def rms(x, gamma, epsilon):
    dims = tuple(range(-gamma.dim(), 0))
    rstd = (x.square().mean(dims, keepdim=True) + epsilon).rsqrt()
    return x * rstd * gamma, rstd


def norm(f, dtype, shape, trailing, gamma_type):
    x, gamma = f.normal(*shape, dtype=dtype, scale=3), f.normal(*shape[-trailing:], dtype=gamma_type)
    epsilon = 1e-5
    y, rstd = rms(x, gamma, epsilon)
    types = {"x": dtype, "gamma": gamma_type, "y": dtype, "rstd": "f32"}
    case = f"{dtype}-{gamma_type}-{trailing}"
    f.add("rms_norm", case, {"x": x, "gamma": gamma}, {"y": y, "rstd": rstd}, types, epsilon=epsilon)


def sum_norm(f, dtype):
    x1, x2, gamma = (f.normal(*shape, dtype=dtype) for shape in ((2, 3, 24), (2, 3, 24), (24,)))
    epsilon = 1e-6
    y, rstd = rms(x1 + x2, gamma, epsilon)
    types = {"x1": dtype, "x2": dtype, "gamma": dtype, "y": dtype, "rstd": "f32", "x": dtype}
    inputs = {"x1": x1, "x2": x2, "gamma": gamma}
    f.add("add_rms_norm", dtype, inputs, {"y": y, "rstd": rstd, "x": x1 + x2}, types, epsilon=epsilon)


def soft(f, dtype):
    types = {"self": dtype, "out": dtype}
    x = f.normal(3, 4, 5, dtype=dtype, scale=4)
    x[0, 0, 0] = rounded(torch.tensor(-60.0), dtype)
    for dim in (0, 1, -1):
        case, inputs = f"{dim}-{dtype}", {"self": x}
        f.add("softmax", case, inputs, {"out": x.softmax(dim)}, types, dim=dim)
        f.add("log_softmax", case, inputs, {"out": x.log_softmax(dim)}, types, dim=dim)
