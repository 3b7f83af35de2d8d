"""Products of matrices."""

import torch

from vectors import Family

TYPES = ("f32", "f16", "bf16")


def family():
    f = Family("matmul", 14)
    for dtype in TYPES:
        for transposed in (False, True):
            product(f, dtype, (3, 20), (20, 9), transposed)
            product(f, dtype, (2, 3, 10), (2, 10, 4), transposed)
            product(f, dtype, (2, 3, 10), (1, 10, 4), transposed)
            added(f, dtype, (9,), transposed, 1, 1)
        product(f, dtype, (10,), (10, 6), False)
        product(f, dtype, (3, 10), (10,), False)
        product(f, dtype, (10,), (10,), False)
        product(f, dtype, (2, 1, 3, 5), (3, 5, 4), False)
        added(f, dtype, (4, 1), False, 0.5, 2)
        added(f, dtype, (4, 9), False, 0, -1)
    return f


def product(f, dtype, x_shape, w_shape, transposed):
    x, w = f.normal(*x_shape, dtype=dtype), f.normal(*w_shape, dtype=dtype)
    case = f"{dtype}-{'x'.join(map(str, x_shape))}-{'x'.join(map(str, w_shape))}{'-t' * transposed}"
    stored = w.transpose(-1, -2) if transposed else w
    types = dict.fromkeys(("self", "mat2", "out"), dtype)
    f.add("matmul", case, {"self": x, "mat2": stored}, {"out": x @ w}, types, transposed=transposed)


def added(f, dtype, shape, transposed, beta, alpha):
    x, w = f.normal(4, 20, dtype=dtype), f.normal(20, 9, dtype=dtype)
    bias = f.normal(*shape, dtype=dtype)
    out = torch.addmm(bias, x, w, beta=beta, alpha=alpha)
    stored = w.T if transposed else w
    types = dict.fromkeys(("self", "mat1", "mat2", "out"), dtype)
    inputs = {"self": bias, "mat1": x, "mat2": stored}
    case = f"{dtype}-{len(shape)}-{beta}{'-t' * transposed}"
    f.add("addmm", case, inputs, {"out": out}, types, transposed=transposed, beta=beta, alpha=alpha)
