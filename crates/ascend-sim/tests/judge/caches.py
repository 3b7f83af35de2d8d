"""Writes to places that indices name, with torch's own indexing."""

import torch

from vectors import Family


def family():
    f = Family("caches", 24)
    for dtype in ("f16", "bf16"):
        for order in ("tokens", "heads", "blocks"):
            paged(f, dtype, order)
    nd(f)
    update(f)
    copy(f)
    return f


def paged(f, dtype, order):
    tokens, heads, depth, value_depth, blocks, size = 4, 2, 32, 16, 3, 16
    key, value = f.normal(tokens, heads, depth, dtype=dtype), f.normal(tokens, heads, value_depth, dtype=dtype)
    slots = torch.tensor([17, 0, -1, 47])
    inputs, outputs = {"key": key, "value": value, "slots": slots}, {}
    for name, rows in (("key_cache", key), ("value_cache", value)):
        width = rows.shape[-1]
        cache = f.normal(blocks, size, heads, width, dtype=dtype)
        after = cache.clone().reshape(-1, heads, width)
        after[slots[slots >= 0]] = rows[slots >= 0]
        after = after.reshape(cache.shape)
        inputs[name], outputs[name] = (stored(c, order) for c in (cache, after))
    types = dict.fromkeys(("key", "value", "key_cache", "value_cache"), dtype)
    f.add("scatter_pa_kv_cache", f"{order}-{dtype}", inputs, outputs, types, order=order)


def stored(cache, order):
    if order == "tokens":
        return cache
    if order == "heads":
        return cache.permute(0, 2, 1, 3)
    blocks, size, heads, width = cache.shape
    return cache.reshape(blocks, size, heads, width // 16, 16).permute(0, 2, 3, 1, 4)


def nd(f):
    var, indices = f.normal(3, 4, 5, dtype="bf16"), torch.tensor([[[0, 1], [2, 3]], [[1, 0], [2, 0]]])
    updates = f.normal(2, 2, 5, dtype="bf16")
    after = var.clone()
    after[indices[..., 0], indices[..., 1]] = updates
    types = dict.fromkeys(("var", "updates"), "bf16")
    f.add("scatter_nd_update", "rows", {"var": var, "indices": indices, "updates": updates}, {"var": after}, types)


def update(f):
    data, updates = f.normal(3, 2, 6, 4, dtype="f16"), f.normal(3, 2, 2, 4, dtype="f16")
    offsets = torch.tensor([0, 4, 1])
    after = data.clone()
    for batch, offset in enumerate(offsets):
        after[batch, :, offset : offset + 2] = updates[batch]
    types = dict.fromkeys(("data", "updates"), "f16")
    f.add("inplace_scatter_update", "offsets", {"data": data, "indices": offsets, "updates": updates}, {"data": after}, types, axis=-2)
    places = torch.tensor([[2, 3], [0, 1]]).int()
    after = data.clone()
    for (batch, offset), rows in zip(places.tolist(), updates):
        after[batch, :, offset : offset + 2] = rows
    inputs = {"data": data, "indices": places, "updates": updates[:2]}
    f.add("inplace_scatter_update", "named", inputs, {"data": after}, types, axis=2)


def copy(f):
    for dim in (0, 1, -1):
        base, index = f.normal(4, 5, 6), torch.tensor([3, 0])
        source = f.normal(*(2 if at == dim % 3 else extent for at, extent in enumerate(base.shape)))
        after = base.clone().index_copy_(dim, index, source)
        f.add("inplace_index_copy", str(dim), {"self": base, "index": index, "source": source}, {"self": after}, dim=dim)
