"""Rotary embedding, as matrices of rotations."""

import torch

from vectors import Family

TYPES = ("f32", "f16", "bf16")


def family():
    f = Family("rotary", 23)
    for dtype in TYPES:
        apply(f, dtype, 1, (2, 3), 4, 2, 64)
        apply(f, dtype, 4, (3,), 4, 1, 128)
        for mode in range(4):
            single(f, dtype, mode)
        for neox in (False, True):
            cached(f, dtype, neox, 64, 64)
            cached(f, dtype, neox, 64, 32)
    sections(f)
    return f


def turner(mode, width):
    """The matrix that rotates a row (x @ matrix), and the one that sorts it first."""
    turn, order = torch.zeros(width, width, dtype=torch.double), torch.eye(width, dtype=torch.double)
    if mode == "interleave":
        pairs = [(2 * i, 2 * i + 1) for i in range(width // 2)]
    elif mode == "quarter":
        quarter = width // 4
        pairs = [(i, i + quarter) for i in range(quarter)] + [(i + 2 * quarter, i + 3 * quarter) for i in range(quarter)]
    else:
        pairs = [(i, i + width // 2) for i in range(width // 2)]
    for a, b in pairs:
        turn[b, a], turn[a, b] = -1, 1
    if mode == "interleave-half":
        places = list(range(0, width, 2)) + list(range(1, width, 2))
        order = torch.zeros(width, width, dtype=torch.double)
        order[places, range(width)] = 1
    return order, turn


def rotate(x, cos, sin, mode):
    order, turn = turner(mode, x.shape[-1])
    x = x @ order
    return x * cos + x @ turn * sin


def apply(f, dtype, layout, leading, heads, kv_heads, width):
    query, key = f.normal(*leading, heads, width, dtype=dtype), f.normal(*leading, kv_heads, width, dtype=dtype)
    cos, sin = f.normal(*leading, 1, width, dtype=dtype), f.normal(*leading, 1, width, dtype=dtype)
    outputs = {name: rotate(x, cos, sin, "half") for name, x in (("query", query), ("key", key))}
    types = dict.fromkeys(("query", "key", "cos", "sin"), dtype)
    inputs = {"query": query, "key": key, "cos": cos, "sin": sin}
    f.add("apply", f"{layout}-{dtype}", inputs, outputs, types, layout=layout)


def single(f, dtype, mode):
    name = ("half", "interleave", "quarter", "interleave-half")[mode]
    x, cos, sin = f.normal(2, 3, 2, 16, dtype=dtype), f.normal(1, 3, 1, 16, dtype=dtype), f.normal(1, 3, 1, 16, dtype=dtype)
    types = dict.fromkeys(("x", "cos", "sin", "out"), dtype)
    f.add("single", f"{name}-{dtype}", {"x": x, "cos": cos, "sin": sin}, {"out": rotate(x, cos, sin, name)}, types, mode=mode)


def cached(f, dtype, neox, size, turned):
    tokens, table = 4, f.normal(9, turned, dtype=dtype)
    positions = torch.tensor([8, 0, 3, 3])
    cos, sin = (half[positions] for half in table.chunk(2, -1))
    add_cached(f, f"{dtype}-{neox}-{turned}", dtype, neox, size, turned, tokens, table, positions, cos, sin, None)


def sections(f):
    tokens, table = 4, f.normal(9, 64, dtype="bf16")
    positions = torch.tensor([[1, 2, 3, 4], [8, 7, 6, 5], [0, 0, 1, 1]])
    split = [8, 12, 12]
    halves = table.chunk(2, -1)
    cos, sin = (torch.cat([part[positions[i]] for i, part in enumerate(half.split(split, -1))], -1) for half in halves)
    add_cached(f, "sections", "bf16", True, 64, 64, tokens, table, positions, cos, sin, split)


def add_cached(f, case, dtype, neox, size, turned, tokens, table, positions, cos, sin, split):
    both = (lambda h: torch.cat((h, h), -1)) if neox else (lambda h: h.repeat_interleave(2, -1))
    inputs, outputs = {"table": table, "positions": positions}, {}
    for name, heads in (("query", 3), ("key", 1)):
        x = f.normal(tokens, heads, size, dtype=dtype)
        first = rotate(x[..., :turned], both(cos)[:, None], both(sin)[:, None], "half" if neox else "interleave")
        inputs[name] = x.reshape(tokens, -1)
        outputs[f"{name}_out"] = torch.cat((first, x[..., turned:]), -1).reshape(tokens, -1)
    types = dict.fromkeys(("table", "query", "key", "query_out", "key_out"), dtype)
    f.add("cached", case, inputs, outputs, types, neox=neox, size=size, sections=split or [])
