"""Routing of tokens to experts: written with sorts, one-hot sums and einsum, not step by step as the kernels are."""

import torch

from vectors import Family, rounded

TYPES = ("f32", "f16", "bf16")


def family():
    f = Family("experts", 21)
    for dtype in TYPES:
        for renorm in (0, 1):
            gating(f, dtype, renorm)
        first_gating(f, dtype)
        first_round(f, dtype)
        permuted(f, dtype)
    for norm, groups, kept, mode, bias in ((0, 1, 1, 0, False), (1, 4, 2, 1, True), (1, 4, 3, 0, True), (0, 2, 1, 0, False)):
        grouped_gating(f, norm, groups, kept, mode, bias)
    for drop in (False, True):
        second_init(f, drop)
    for kind in (0, 1, 2):
        for scatter in (0, 1):
            third_init(f, kind, scatter, (0, 8))
            third_init(f, kind, scatter, (2, 6))
    for mode in range(4):
        finalize(f, mode, "bf16", "f32")
        finalize(f, mode, "f32", "f32")
    finalize(f, 2, "f16", "f16")
    kinds(f)
    return f


def distinct(f, rows, experts, dtype):
    """Logits of which no two of a row are equal, in any order."""
    order = torch.stack([torch.randperm(experts, generator=f.random) for _ in range(rows)])
    return rounded(order.double() / 4 - 2, dtype)


def gating(f, dtype, renorm):
    x = distinct(f, 5, 12, dtype)
    finished = torch.tensor([False, True, False, False, False])
    soft = x.softmax(-1)
    index = x.topk(4, -1).indices
    y = soft.gather(-1, index) if renorm == 0 else x.gather(-1, index).softmax(-1)
    experts = torch.where(finished[:, None], 12, index).int()
    types = {"x": dtype, "y": dtype, "softmax": "f32"}
    outputs = {"y": y, "expert_idx": experts}
    if renorm == 0:
        outputs["softmax"] = soft
    f.add("gating_top_k_softmax_v2", f"{renorm}-{dtype}", {"x": x, "finished": finished}, outputs, types, k=4, renorm=renorm)


def first_gating(f, dtype):
    x = distinct(f, 6, 9, dtype).reshape(2, 3, 9)
    y, index = x.softmax(-1).topk(3, -1)
    rows = torch.arange(18).reshape(3, 6).T.reshape(2, 3, 3)
    types = {"x": dtype, "y": dtype}
    f.add("gating_top_k_softmax", dtype, {"x": x}, {"y": y, "expert_idx": index.int(), "row_idx": rows.int()}, types, k=3)


def grouped_gating(f, norm, groups, kept, mode, biased):
    x = distinct(f, 5, 16, "f32")
    normed = x.sigmoid() if norm == 1 else x.softmax(-1)
    bias = f.normal(16) / 8 if biased else torch.zeros(16)
    score = normed + bias
    by_group = score.reshape(5, groups, -1)
    worth = by_group.topk(2, -1).values.sum(-1) if mode == 1 else by_group.amax(-1)
    best = torch.zeros_like(worth).scatter(-1, worth.topk(kept, -1).indices, 1)
    score = torch.where(best.repeat_interleave(16 // groups, -1) == 1, score, -torch.inf)
    index = score.topk(3, -1).indices
    y = normed.gather(-1, index)
    renorm = 1 if norm == 0 and groups == 2 else 0
    if norm == 1 or renorm:
        y = y / (y.sum(-1, keepdim=True) + 1e-20)
    inputs = {"x": x, "bias": bias} if biased else {"x": x}
    f.add(
        "gating_top_k", f"{norm}-{groups}-{kept}-{mode}", inputs,
        {"y": y * 2.5, "expert_idx": index.int(), "out": normed}, {},
        k=3, k_group=kept, group_count=groups, mode=mode, renorm=renorm, norm_type=norm, factor=2.5, eps=1e-20,
    )


def choices(f, rows, k, experts):
    return torch.stack([torch.randperm(experts, generator=f.random)[:k] for _ in range(rows)])


def first_round(f, dtype):
    """aclnnMoeInitRouting and aclnnMoeFinalizeRouting: a round through the identity gives weighted tokens back."""
    rows, k, experts, width = 4, 3, 5, 8
    x, expert = f.normal(rows, width, dtype=dtype), choices(f, rows, k, experts)
    row_idx = torch.arange(rows * k).reshape(k, rows).T
    by_expert, order = expert.flatten().sort(stable=True)
    sorted_rows = row_idx.flatten()[order]
    back = torch.empty(rows * k, dtype=torch.long).scatter(0, sorted_rows, torch.arange(rows * k))
    expanded = x[sorted_rows % rows]
    types = dict.fromkeys(("x", "expanded_x"), dtype)
    f.add(
        "init_routing", dtype, {"x": x, "row_idx": row_idx.int(), "expert_idx": expert.int()},
        {"expanded_x": expanded, "expanded_row_idx": back.int(), "expanded_expert_idx": by_expert.int()}, types,
        active_num=rows,
    )
    scales, bias = f.normal(rows, k, dtype=dtype), f.normal(experts, width, dtype=dtype)
    x1, x2 = f.normal(rows, width, dtype=dtype), f.normal(rows, width, dtype=dtype)
    answers = x[:, None] + bias[expert]
    out = x1 + x2 + torch.einsum("rk,rkw->rw", scales, answers)
    types = dict.fromkeys(("expanded_x", "x1", "x2", "bias", "scales", "out"), dtype)
    inputs = {"expanded_x": expanded, "x1": x1, "x2": x2, "bias": bias, "scales": scales}
    f.add(
        "finalize_routing", dtype, inputs | {"expanded_row_idx": back.int(), "expert_idx": expert.int()}, {"out": out}, types
    )


def second_init(f, drop):
    rows, k, experts, width, capacity = 6, 2, 4, 5, 2
    x, expert = f.normal(rows, width, dtype="bf16"), choices(f, rows, k, experts)
    flat = expert.flatten()
    hot = torch.nn.functional.one_hot(flat, experts)
    counts = hot.sum(0)
    rank = ((hot.cumsum(0) - 1) * hot).sum(1)
    if drop:
        place = torch.where(rank < capacity, flat * capacity + rank, -1)
        expanded = torch.zeros(experts * capacity, width, dtype=torch.double)
        kept = place >= 0
        expanded[place[kept]] = x.repeat_interleave(k, 0)[kept]
        expanded = expanded.reshape(experts, capacity, width)
        outputs = {"before_capacity": counts.int()}
    else:
        place = (counts.cumsum(0) - counts)[flat] + rank
        expanded = torch.zeros(rows * k, width, dtype=torch.double)
        expanded[place] = x.repeat_interleave(k, 0)
        outputs = {"tokens": counts.cumsum(0).int()}
    types = dict.fromkeys(("x", "expanded_x"), "bf16")
    f.add(
        "init_routing_v2", "drop" if drop else "all", {"x": x, "expert_idx": expert.int()},
        {"expanded_x": expanded, "expanded_row_idx": place.int(), **outputs}, types,
        capacity=capacity if drop else 0, experts=experts, mode=int(drop), flag=0 if drop else 1,
    )


def third_init(f, kind, scatter, span):
    """Outputs have all rows; those of experts elsewhere are NaN, or with scatter indices -1."""
    rows, k, experts, width = 5, 3, 8, 4
    start, end = span
    x, expert = f.normal(rows, width, dtype="f16"), choices(f, rows, k, experts)
    flat = expert.flatten()
    here = (flat >= start) & (flat < end)
    order = torch.where(here, flat, experts).sort(stable=True).indices[: int(here.sum())]
    expanded = torch.full((rows * k, width), torch.nan, dtype=torch.double)
    expanded[: len(order)] = x[order // k]
    index = torch.full((rows * k,), -1)
    if scatter:
        index[: len(order)] = order
    else:
        index[order] = torch.arange(len(order))
    counts = torch.bincount(flat, minlength=experts)[start:end]
    if kind == 0:
        tokens = counts.cumsum(0)
    elif kind == 1:
        tokens = counts
    else:
        pairs = torch.stack((torch.arange(start, end), counts), 1)[counts > 0]
        tokens = torch.zeros(experts, 2, dtype=torch.long)
        tokens[: len(pairs)] = pairs
    types = dict.fromkeys(("x", "expanded_x"), "f16")
    f.add(
        "init_routing_v3", f"{kind}-{scatter}-{start}-{end}", {"x": x, "expert_idx": expert.int()},
        {"expanded_x": expanded, "expanded_row_idx": index.int(), "tokens": tokens}, types,
        experts=experts, kind=kind, scatter=scatter, range=list(span),
    )


def finalize(f, mode, dtype, scale_type):
    rows, k, experts, width, capacity = 4, 3, 6, 8, 2
    expert = choices(f, rows, k, experts)
    scales, bias = f.normal(rows, k, dtype=scale_type), f.normal(experts, width, dtype=dtype)
    x1 = f.normal(rows, width, dtype=dtype)
    if mode % 2:
        expanded = f.normal(experts, capacity, width, dtype=dtype)
        place = torch.randperm(experts * capacity, generator=f.random).reshape(rows, k)
        place[1, 2] = place[3, 0] = -1
        padded = torch.cat((expanded.reshape(-1, width), torch.zeros(1, width, dtype=torch.double)))
        answers = padded[place]
    else:
        expanded = f.normal(rows * k, width, dtype=dtype)
        place = torch.randperm(rows * k, generator=f.random).reshape(rows, k)
        answers = expanded[place]
    out = x1 + torch.einsum("rk,rkw->rw", scales, answers + bias[expert])
    stored = (place.T if mode < 2 else place).flatten()
    types = dict.fromkeys(("expanded_x", "x1", "bias", "out"), dtype) | {"scales": scale_type}
    inputs = {"expanded_x": expanded, "x1": x1, "bias": bias, "scales": scales}
    f.add(
        "finalize_routing_v2", f"{mode}-{dtype}", inputs | {"expanded_row_idx": stored.int(), "expert_idx": expert.int()},
        {"out": out}, types, mode=mode,
    )


def kinds(f):
    """Experts 4 and 5 answer nothing, 6 the token itself, 7 a mixture."""
    rows, k, width = 5, 3, 4
    expert = torch.tensor([[0, 4, 6], [7, 1, 2], [5, 4, 3], [6, 7, 0], [1, 2, 3]])
    place = torch.randperm(rows * k, generator=f.random)
    expanded, x = f.normal(rows * k, width), f.normal(rows, width)
    scales, a1, a2, v = f.normal(rows, k), f.normal(1, width), f.normal(1, width), f.normal(1, width)
    answers = expanded[place].reshape(rows, k, width).clone()
    answers[(expert == 4) | (expert == 5)] = 0
    tokens = x[:, None].expand(rows, k, width)
    answers[expert == 6] = tokens[expert == 6]
    answers[expert == 7] = (a1 * tokens + a2 * v)[expert == 7]
    out = torch.einsum("rk,rkw->rw", scales, answers)
    inputs = {"expanded_x": expanded, "x": x, "scales": scales, "a1": a1, "a2": a2, "v": v}
    f.add(
        "finalize_routing_v3", "kinds", inputs | {"expanded_row_idx": place.int(), "expert_idx": expert.int()},
        {"out": out}, zero=[4, 6], copy=[6, 7], constant=[7, 8],
    )


def permuted(f, dtype):
    rows, k, width = 5, 3, 6
    x, expert = f.normal(rows, width, dtype=dtype), choices(f, rows, k, 7)
    order = expert.flatten().argsort(stable=True)
    back = order.argsort()
    types = dict.fromkeys(("tokens", "permuted"), dtype)
    for kept in (0, 7, -4):
        count = rows * k if kept == 0 else kept % (rows * k)
        outputs = {"permuted": x[order // k][:count], "sorted_indices": back.int()}
        f.add("token_permute", f"{kept}-{dtype}", {"tokens": x, "indices": expert}, outputs, types, kept=kept)
    rows_out, probs = f.normal(rows * k, width, dtype=dtype), f.normal(rows, k, dtype=dtype)
    out = torch.einsum("rk,rkw->rw", probs, rows_out[back].reshape(rows, k, width))
    types = dict.fromkeys(("permuted", "probs", "out"), dtype)
    inputs = {"permuted": rows_out, "sorted_indices": back.int(), "probs": probs}
    f.add("token_unpermute", dtype, inputs, {"out": out}, types)
