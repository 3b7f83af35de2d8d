"""Rows by index, order, moves, conversions, sequences."""

import torch

from vectors import TORCH, Family

TYPES = ("f32", "f16", "bf16")
WHOLE = {"i64": torch.int64, "i32": torch.int32, "i8": torch.int8}


def family():
    f = Family("indexing", 16)
    for dtype in TYPES:
        tensor = lambda *shape: f.normal(*shape, dtype=dtype)
        select(f, dtype, tensor, {"self": dtype, "out": dtype})
        order(f, dtype, tensor, dtype)
        sums(f, dtype)
    for dtype, kind in WHOLE.items():
        tensor = lambda *shape: f.whole(-100, 100, *shape).to(kind)
        select(f, dtype, tensor, {})
        order(f, dtype, tensor, None)
    moves(f)
    casts(f)
    sequences(f)
    return f


def select(f, dtype, tensor, types):
    for dim, shape in ((0, (5, 3)), (1, (2, 4, 3)), (-1, (2, 3, 4))):
        x = tensor(*shape)
        index = f.whole(0, shape[dim], 6)
        index = index.int() if dim == 1 else index
        out = x.index_select(dim, index)
        f.add("index_select", f"{dim}-{dtype}", {"self": x, "index": index}, {"out": out}, types, dim=dim)


def order(f, dtype, tensor, float_type):
    x = tensor(3, 6, 2)
    types = {"self": float_type, "out": float_type, "values": float_type} if float_type else {}
    for dim in (1, -1):
        for keepdim in (False, True):
            out, indices = x.max(dim, keepdim=keepdim)
            # torch may name any of equal elements: the first, here.
            equal = x == x.amax(dim, keepdim=True)
            indices = equal.int().argmax(dim, keepdim=keepdim)
            outputs = {"out": out, "indices": indices}
            f.add("max", f"{dim}-{keepdim}-{dtype}", {"self": x}, outputs, types, dim=dim, keepdim=keepdim)
        for descending in (False, True):
            values, indices = x.sort(dim=dim, descending=descending, stable=True)
            case, inputs = f"{dim}-{descending}-{dtype}", {"self": x}
            outputs = {"values": values, "indices": indices}
            f.add("sort", case, inputs, outputs, types, dim=dim, descending=descending)
            k = 1 if dim == -1 else 4
            outputs = {name: tensor.narrow(dim, 0, k) for name, tensor in outputs.items()}
            f.add("topk", case, inputs, outputs, types, dim=dim, k=k, largest=descending)


def sums(f, dtype):
    x = f.normal(3, 7, dtype=dtype)
    for dim in (0, 1):
        types = {"self": dtype, "out": dtype}
        f.add("cumsum", f"{dim}-{dtype}", {"self": x}, {"out": x.cumsum(dim)}, types, dim=dim)
    if dtype == "f32":
        n = f.whole(-9, 9, 3, 7).int()
        f.add("cumsum", "i32", {"self": n}, {"out": n.cumsum(1)}, dim=1)


def moves(f):
    x = f.normal(3, 4, 5)
    f.add("permute", "f32", {"self": x}, {"out": x.permute(2, 0, 1)}, dims=[2, 0, -2])
    for dim, start, end, step in ((1, 1, 3, 1), (2, -4, 100, 2), (0, 2, 1, 1)):
        index = [slice(None)] * 3
        index[dim] = slice(start, end, step)
        arguments = {"dim": dim, "start": start, "end": end, "step": step}
        f.add("slice", f"{dim}", {"self": x}, {"out": x[tuple(index)]}, **arguments)
    arguments = {"starts": [1, 0], "ends": [3, 5], "axes": [0, -1], "steps": [1, 3]}
    f.add("slice_v2", "f32", {"self": x}, {"out": x[1:3, :, 0:5:3]}, **arguments)
    n = f.whole(-9, 9, 2, 3).int()
    f.add("repeat", "i32", {"self": n}, {"out": n.repeat(2, 3, 2)}, repeats=[2, 3, 2])
    f.add("expand", "i32", {"self": n[:, :1]}, {"out": n[:, :1].expand(4, 2, 3)}, size=[4, -1, 3])
    second, third = f.normal(3, 1, 5), f.normal(3, 2, 5)
    inputs = {"self": x, "second": second, "third": third}
    f.add("cat", "f32", inputs, {"out": torch.cat((x, second, third), 1)}, dim=-2)
    parts = x.split([1, 0, 3], 1)
    outputs = {f"out{at}": part for at, part in enumerate(parts)}
    f.add("split", "f32", {"self": x}, outputs, sizes=[1, 0, 3], dim=1)


def casts(f):
    x = f.normal(4, 5, scale=20)
    for to in ("f16", "bf16"):
        f.add("cast", f"f32-{to}", {"self": x}, {"out": x}, {"out": to}, tolerance=0)
    for dtype in TYPES:
        y = f.normal(4, 5, dtype=dtype, scale=20)
        for to, kind in WHOLE.items():
            f.add("cast", f"{dtype}-{to}", {"self": y}, {"out": y.to(kind)}, {"self": dtype})
        f.add("cast", f"{dtype}-bool", {"self": y.round()}, {"out": y.round() != 0}, {"self": dtype})
    n = f.whole(-1000, 1000, 4, 5)
    for dtype in TYPES:
        f.add("cast", f"i64-{dtype}", {"self": n}, {"out": n.double()}, {"out": dtype}, tolerance=0)
    f.add("cast", "i64-i8", {"self": n}, {"out": n.to(torch.int8)})
    f.add("cast", "bool-f32", {"self": n > 0}, {"out": (n > 0).double()}, {"out": "f32"})


def sequences(f):
    for dtype in TYPES:
        out = torch.arange(0.5, 4, 0.75, dtype=torch.float64)
        f.add("arange", dtype, {}, {"out": out}, {"out": dtype}, start=0.5, end=4, step=0.75)
        out = torch.arange(5, -6, -2.5, dtype=torch.float64)
        f.add("range", dtype, {}, {"out": out}, {"out": dtype}, start=5, end=-5, step=-2.5)
    f.add("arange", "i64", {}, {"out": torch.arange(3, 20, 4)}, start=3, end=20, step=4)
    f.add("range", "i32", {}, {"out": torch.arange(3, 20, 4).int()}, start=3, end=19, step=4)
