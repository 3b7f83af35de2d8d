"""Arithmetic, clamps and functions of one argument."""

import torch

from vectors import Family

TYPES = ("f32", "f16", "bf16")


def family():
    f = Family("elementwise", 11)
    for dtype in TYPES:
        binary(f, dtype)
        unary(f, dtype)
        clamps(f, dtype)
    integers(f)
    promoted(f)
    return f


def binary(f, dtype):
    types = {"self": dtype, "other": dtype, "out": dtype}
    for shape, a, b in (
        ("same", (3, 5), (3, 5)),
        ("row", (2, 3, 4), (4,)),
        ("column", (3, 1), (1, 4)),
    ):
        x, y = f.normal(*a, dtype=dtype), f.normal(*b, dtype=dtype)
        case, inputs = f"{shape}-{dtype}", {"self": x, "other": y}
        f.add("add", case, inputs, {"out": x + 0.5 * y}, types, alpha=0.5)
        f.add("sub", case, inputs, {"out": torch.sub(x, y, alpha=2)}, types, alpha=2)
        f.add("mul", case, inputs, {"out": x * y}, types)
        # Away from zero, where a quotient would dwarf the others.
        y = y.abs().clamp(min=0.5)
        f.add("div", case, {"self": x, "other": y}, {"out": x / y}, types, tolerance=0)
    x = f.normal(4, 3, dtype=dtype)
    f.add("adds", dtype, {"self": x}, {"out": x + 1.5 * 0.25}, types, other=1.5, alpha=0.25)
    f.add("muls", dtype, {"self": x}, {"out": x * 0.125}, types, other=0.125)
    f.add("muls", f"whole-{dtype}", {"self": x}, {"out": x * 3}, types, other=3)


def unary(f, dtype):
    types = {"self": dtype, "out": dtype}
    x = f.normal(5, 7, dtype=dtype, scale=4)
    for name in ("sigmoid", "exp", "cos", "sin"):
        f.add(name, dtype, {"self": x}, {"out": getattr(torch, name)(x)}, types)
    silu = torch.nn.functional.silu
    f.add("silu", dtype, {"self": x}, {"out": silu(x)}, types)
    f.add("swish", f"one-{dtype}", {"self": x}, {"out": silu(x)}, types)
    beta = 1.702
    f.add("swish", f"beta-{dtype}", {"self": x}, {"out": x * torch.sigmoid(beta * x)}, types, beta=beta)


def clamps(f, dtype):
    types = {"self": dtype, "out": dtype}
    x = f.normal(4, 6, dtype=dtype, scale=3)
    x[0, 0], x[1, 1], x[2, 2] = float("inf"), float("-inf"), float("nan")
    f.add("clamp", dtype, {"self": x}, {"out": x.clamp(-1.5, 2)}, types, min=-1.5, max=2)
    f.add("clamp_min", dtype, {"self": x}, {"out": x.clamp(min=-0.5)}, types, min=-0.5)
    f.add("clamp_max", dtype, {"self": x}, {"out": x.clamp(max=0.5)}, types, max=0.5)


def integers(f):
    for dtype, torch_type in (("i32", torch.int32), ("i64", torch.int64), ("i8", torch.int8)):
        x, y = f.whole(-100, 100, 3, 4).to(torch_type), f.whole(-100, 100, 4).to(torch_type)
        inputs = {"self": x, "other": y}
        f.add("add", dtype, inputs, {"out": torch.add(x, y, alpha=3)}, alpha=3)
        f.add("sub", dtype, inputs, {"out": torch.sub(x, y, alpha=2)}, alpha=2)
        f.add("mul", dtype, inputs, {"out": x * y})
        f.add("muls", dtype, {"self": x}, {"out": x * 3}, other=3)
        f.add("clamp", dtype, {"self": x}, {"out": x.clamp(-7, 30)}, min=-7, max=30)
    x, y = f.whole(-9, 9, 3, 4), f.whole(1, 9, 4)
    f.add("div", "i64", {"self": x, "other": y}, {"out": x.double() / y}, {"out": "f32"})


def promoted(f):
    x, y = f.normal(3, 4, dtype="bf16"), f.normal(3, 4)
    types = {"self": "bf16", "other": "f32", "out": "f32"}
    f.add("add", "promoted", {"self": x, "other": y}, {"out": x + y}, types, alpha=1, promoted=True)
    n = f.whole(-9, 9, 3, 4).int()
    types = {"self": "bf16", "out": "f16"}
    f.add("mul", "promoted", {"self": x, "other": n}, {"out": x * n}, types, promoted=True)
    f.add("muls", "promoted", {"self": n}, {"out": n.double() * 0.5}, {"out": "f32"}, other=0.5, promoted=True)
