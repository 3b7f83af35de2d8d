"""Filters of logits, and the choice of a token."""

import torch

from vectors import Family, rounded

NONE = float("-inf")


def family():
    f = Family("sampling", 17)
    for dtype in ("f32", "f16", "bf16"):
        # Distinct values: what is kept does not hang on who of equals comes first.
        logits = distinct(f, dtype, 4, 24)
        k = torch.tensor([1, 5, 0, 40], dtype=torch.int32)
        p = rounded(torch.tensor([0.9, 0.5, 0.3, 1.0]), dtype)
        types = {"logits": dtype, "p": dtype, "out": dtype}
        for name, chosen in (("k", {"k": k}), ("p", {"p": p}), ("both", {"k": k, "p": p})):
            out = filtered(logits, chosen.get("k"), chosen.get("p"))
            f.add("apply_top_k_top_p", f"{name}-{dtype}", {"logits": logits, **chosen}, {"out": out}, types)
    for dtype in ("f16", "bf16"):
        sample(f, dtype, False)
        sample(f, dtype, True)
    return f


def distinct(f, dtype, rows, width):
    values = torch.stack([torch.randperm(width, generator=f.random) for _ in range(rows)])
    return rounded(values * 0.25 - 3, dtype)


def filtered(logits, k, p):
    """vLLM's sampler, of which the operator is a fusion."""
    values, order = logits.sort(dim=-1)
    width = logits.shape[1]
    if k is not None:
        for row, count in enumerate(k.tolist()):
            if 0 < count < width:
                values[row, values[row] < values[row, width - count].item()] = NONE
    if p is not None:
        mask = values.softmax(-1).cumsum(-1) <= 1 - p[:, None]
        mask[:, -1] = False
        values[mask] = NONE
    return torch.empty_like(values).scatter_(-1, order, values)


def sample(f, dtype, with_q):
    rows, width = 5, 24
    logits = distinct(f, dtype, rows, width)
    top_k = torch.tensor([4, 30, 8, -1, 1], dtype=torch.int32)
    top_p = rounded(torch.tensor([1.0, 0.5, 0.7, 1.0, 0.2]), dtype)
    q = rounded(torch.empty(rows, width, dtype=torch.float64).exponential_(generator=f.random), "f32")
    kept, tokens = torch.full((rows, width), NONE, dtype=torch.float64), []
    for row in range(rows):
        values, order = logits[row], torch.arange(width)
        by_k = 1 <= top_k[row] <= width
        if by_k or top_p[row] < 1:
            values, order = values.sort(descending=True)
        if by_k:
            values, order = values[: top_k[row]], order[: top_k[row]]
        if top_p[row] < 1:
            probabilities = values.softmax(-1)
            mask = probabilities.cumsum(-1) - probabilities <= top_p[row]
            values, order = values[mask], order[mask]
        kept[row, order] = values
        scores = values.softmax(-1)
        if with_q:
            scores = scores / (q[row, : len(scores)] + 1e-8)
        tokens.append(order[scores.argmax()])
    inputs = {"logits": logits, "top_k": top_k, "top_p": top_p}
    if with_q:
        inputs["q"] = q
    types = {"logits": dtype, "top_p": dtype, "q": "f32", "kept": "f32"}
    outputs = {"token": torch.stack(tokens), "kept": kept}
    f.add("top_k_top_p_sample", f"{dtype}{'-q' * with_q}", inputs, outputs, types)
