"""Attention with whole matrices of scores: masks are added, sinks are a column more."""

import torch

from vectors import Family

TYPES = ("f16", "bf16")


def family():
    f = Family("attention", 25)
    for dtype in TYPES:
        for layout in ("BSH", "BSND", "BNSD", "BNSD_BSND", "BSND_BNSD") if dtype == "bf16" else ("BSND",):
            batched(f, dtype, layout)
        for mode in (0, 3, 4):
            packed(f, dtype, mode, False)
            packed(f, dtype, mode, True)
        for order in ("tokens", "heads", "blocks") if dtype == "bf16" else ("tokens",):
            paged(f, dtype, order)
    masked(f)
    for layout in ("BSH", "SBH", "BSND", "BNSD"):
        training(f, layout)
    var_len(f)
    return f


def attend(q, k, v, scale, hidden=None, sink=None):
    """[heads, queries, D]; keys may have fewer heads. Output, log-sum-exp, largest score, sum of exponentials."""
    k, v = (x.repeat_interleave(q.shape[0] // x.shape[0], 0) for x in (k, v))
    scores = q @ k.transpose(-1, -2) * scale
    if hidden is not None:
        scores = scores.masked_fill(hidden, -torch.inf)
    largest = scores.amax(-1, keepdim=True)
    if sink is not None:
        scores = torch.cat((scores, sink[:, None, None].expand(-1, q.shape[1], 1)), -1)
    lse = scores.logsumexp(-1, keepdim=True)
    weights = scores.softmax(-1)[..., : k.shape[1]]
    empty = largest.isinf()
    out = torch.where(empty, 0, weights.nan_to_num() @ v)
    return out, torch.where(empty, torch.inf, lse), largest, (lse - largest).exp()


def band(queries, keys, before, after):
    """True where a key is not seen; diagonals end in the lower right corner."""
    distance = torch.arange(keys)[None] - torch.arange(queries)[:, None] - (keys - queries)
    return (distance < -before) | (distance > after)


def to_layout(x, layout):
    """From [batch, heads, tokens, D]."""
    if layout == "BNSD":
        return x
    x = x.permute(2, 0, 1, 3) if layout == "SBH" else x.permute(0, 2, 1, 3)
    return x.flatten(2) if layout in ("BSH", "SBH") else x


def batched(f, dtype, layout):
    batch, heads, kv_heads, queries, keys, depth = 2, 4, 2, 3, 5, 64
    q = f.normal(batch, heads, queries, depth, dtype=dtype)
    k, v = (f.normal(batch, kv_heads, keys, depth, dtype=dtype) for _ in range(2))
    of_q, of_k = [2, 3], [5, 4]
    out, lse = torch.zeros_like(q), torch.full((batch, heads, queries, 1), torch.inf)
    for b in range(batch):
        out[b, :, : of_q[b]], lse[b, :, : of_q[b]], *_ = attend(q[b, :, : of_q[b]], k[b, :, : of_k[b]], v[b, :, : of_k[b]], 0.125)
    source, *target = layout.split("_")
    inputs = {name: to_layout(x, source) for name, x in (("query", q), ("key", k), ("value", v))}
    types = dict.fromkeys(("query", "key", "value", "out"), dtype) | {"lse": "f32"}
    f.add(
        "batched", f"{layout}-{dtype}", inputs, {"out": to_layout(out, target[0] if target else source), "lse": lse}, types,
        layout=layout, heads=heads, kv_heads=kv_heads, queries=of_q, keys=of_k,
    )


def packed(f, dtype, mode, with_sink):
    heads, kv_heads, depth, before = 4, 2, 64, 3
    of_q, of_k = [2, 0, 4], [6, 3, 4]
    q = f.normal(sum(of_q), heads, depth, dtype=dtype)
    k, v = (f.normal(sum(of_k), kv_heads, depth, dtype=dtype) for _ in range(2))
    sink = f.normal(heads, dtype=dtype, scale=2) if with_sink else None
    outs, lses = [], []
    for one_q, one_k, one_v in zip(q.split(of_q), k.split(of_k), v.split(of_k)):
        hidden = {0: None, 3: band(len(one_q), len(one_k), 10**6, 0), 4: band(len(one_q), len(one_k), before, 0)}[mode]
        if len(one_q):
            out, lse, *_ = attend(*(x.transpose(0, 1) for x in (one_q, one_k, one_v)), 0.125, hidden, sink)
            outs.append(out.transpose(0, 1))
            lses.append(lse.transpose(0, 1))
    inputs = {"query": q, "key": k, "value": v} | ({"sink": sink} if with_sink else {})
    types = dict.fromkeys(("query", "key", "value", "out", "sink"), dtype) | {"lse": "f32"}
    f.add(
        "packed", f"{mode}-{dtype}{'-sink' * with_sink}", inputs, {"out": torch.cat(outs), "lse": torch.cat(lses)}, types,
        mode=mode, before=before, heads=heads, kv_heads=kv_heads,
        queries=torch.tensor(of_q).cumsum(0).tolist(), keys=torch.tensor(of_k).cumsum(0).tolist(),
    )


def paged(f, dtype, order):
    heads, kv_heads, depth, size = 4, 2, 64, 16
    of_q, of_k, table = [1, 2], [21, 33], torch.tensor([[3, 1, 0], [4, 0, 2]]).int()
    q = f.normal(sum(of_q), heads, depth, dtype=dtype)
    key, value = (f.normal(5, size, kv_heads, depth, dtype=dtype) for _ in range(2))
    outs = []
    for b, one_q in enumerate(q.split(of_q)):
        k, v = (c[table[b].long()].flatten(0, 1)[: of_k[b]].transpose(0, 1) for c in (key, value))
        outs.append(attend(one_q.transpose(0, 1), k, v, 0.2, band(of_q[b], of_k[b], 7, 0))[0].transpose(0, 1))
    inputs = {"query": q, "table": table, "key": stored(key, order), "value": stored(value, order)}
    types = dict.fromkeys(("query", "key", "value", "out"), dtype)
    f.add(
        "paged", f"{order}-{dtype}", inputs, {"out": torch.cat(outs)}, types,
        heads=heads, kv_heads=kv_heads, block_size=size, queries=[1, 3], keys=of_k, before=7, scale=0.2,
    )


def stored(cache, order):
    blocks, size, heads, width = cache.shape
    if order == "tokens":
        return cache.reshape(blocks, size, heads * width)
    if order == "heads":
        return cache.permute(0, 2, 1, 3)
    return cache.reshape(blocks, size, heads, width // 16, 16).permute(0, 2, 3, 1, 4)


def masked(f):
    """A mask for every query and key, in modes 0 (with diagonals from the upper left corner) and 1."""
    batch, heads, queries, keys, depth = 2, 2, 3, 6, 32
    q = f.normal(batch, heads, queries, depth, dtype="bf16")
    k, v = (f.normal(batch, heads, keys, depth, dtype="bf16") for _ in range(2))
    mask = f.whole(0, 3, batch, queries, keys) == 0
    mask[1, 2] = True
    distance = torch.arange(keys)[None] - torch.arange(queries)[:, None]
    for mode in (0, 1):
        hidden = mask | ((distance < -1) | (distance > 2)) if mode == 0 else mask
        results = [attend(q[b], k[b], v[b], 0.3, hidden[b]) for b in range(batch)]
        out, lse = (torch.stack([result[at] for result in results]) for at in (0, 1))
        inputs = {"query": q, "key": k, "value": v, "mask": mask}
        types = dict.fromkeys(("query", "key", "value", "out"), "bf16") | {"lse": "f32"}
        f.add("masked", str(mode), inputs, {"out": out, "lse": lse}, types, mode=mode, heads=heads, before=1, after=2, scale=0.3)


def training(f, layout):
    batch, heads, kv_heads, queries, keys, depth = 2, 4, 2, 3, 4, 16
    q = f.normal(batch, heads, queries, depth)
    k, v = (f.normal(batch, kv_heads, keys, depth) for _ in range(2))
    sink, hidden = f.normal(heads), band(queries, keys, 10**6, 0)
    results = [attend(q[b], k[b], v[b], 0.25, hidden, sink) for b in range(batch)]
    out, largest, total = (torch.stack([result[at] for result in results]) for at in (0, 2, 3))
    inputs = {name: to_layout(x, layout) for name, x in (("query", q), ("key", k), ("value", v))}
    outputs = {"out": to_layout(out, layout), "max": largest.expand(-1, -1, -1, 8), "sum": total.expand(-1, -1, -1, 8)}
    f.add("training", layout, inputs | {"sink": sink, "mask": hidden}, outputs, layout=layout, heads=heads)


def var_len(f):
    heads, depth, of_q, of_k = 2, 16, [2, 3], [4, 3]
    q = f.normal(sum(of_q), heads, depth, dtype="bf16")
    k, v = (f.normal(sum(of_k), heads, depth, dtype="bf16") for _ in range(2))
    results = [
        attend(*(x.transpose(0, 1) for x in one), 0.25, band(len(one[0]), len(one[1]), 10**6, 0))
        for one in zip(q.split(of_q), k.split(of_k), v.split(of_k))
    ]
    out, largest, total = (torch.cat([result[at].transpose(0, 1) for result in results]) for at in (0, 2, 3))
    types = dict.fromkeys(("query", "key", "value", "out"), "bf16") | {"max": "f32", "sum": "f32"}
    outputs = {"out": out, "max": largest.expand(-1, -1, 8), "sum": total.expand(-1, -1, 8)}
    f.add("var_len", "causal", {"query": q, "key": k, "value": v}, outputs, types, heads=heads, queries=[2, 5], keys=[4, 7])
