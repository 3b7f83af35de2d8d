"""Random gpt-oss weights in which every rule of the model shows, and the files they are stored in."""

import json
import math
import re

# Before torch, which it sets up.
from gpt_oss import E2M1, SCALE_BIAS, dequantise  # isort: skip

import numpy as np
import torch
from safetensors.torch import save_file

# Gate and up are drawn with this deviation: each passes the limit of 7 in four cases of a hundred.
GATE_DEVIATION = 4.0
GATE_BIAS = 1.0
# The root mean square of silu-like(gate) * (up + 1) for such values, measured.
ACTIVATION = 10.4
LOGITS = 2.5


def make(options, rng):
    """Tensors by name, as released: bf16, experts as MXFP4 blocks and scales."""
    o = options
    tensors = {}

    def bf16(name, *shape, deviation=1.0, mean=0.0):
        values = rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation) + np.float32(mean)
        tensors[name] = torch.from_numpy(values).bfloat16()

    def norm(name):
        tensors[name] = torch.from_numpy(rng.uniform(0.5, 1.5, o.hidden).astype(np.float32)).bfloat16()

    def experts(name, rows, columns, deviation):
        values = rng.standard_normal((o.experts, rows, columns), dtype=np.float32)
        # Blocks of different size, so that a wrong scale shows. The mean square of the factors is 7 / 4.
        spread = 2.0 ** rng.integers(-1, 2, (o.experts, rows, columns // 32)).repeat(32, axis=-1)
        values = torch.from_numpy((values * spread * (deviation / math.sqrt(7 / 4))).astype(np.float32))
        tensors[name + "_blocks"], tensors[name + "_scales"] = quantise(values)

    width, kv_width = o.heads * o.head_dim, o.kv_heads * o.head_dim
    # A normed state has a root mean square a little over 1, because of the norm's own weights.
    unit = 1 / math.sqrt(o.hidden * (1 + 1 / 12))
    for layer in range(o.layers):
        p = f"model.layers.{layer}."
        norm(p + "input_layernorm.weight")
        for part, rows in (("q", width), ("k", kv_width), ("v", kv_width)):
            bf16(f"{p}self_attn.{part}_proj.weight", rows, o.hidden, deviation=unit * o.score)
            bf16(f"{p}self_attn.{part}_proj.bias", rows, deviation=0.4 * o.score)
        bf16(p + "self_attn.o_proj.weight", o.hidden, width, deviation=1.2 / math.sqrt(width))
        bf16(p + "self_attn.o_proj.bias", o.hidden, deviation=0.3)
        bf16(p + "self_attn.sinks", o.heads, deviation=1.0, mean=o.sink)
        norm(p + "post_attention_layernorm.weight")
        bf16(p + "mlp.router.weight", o.experts, o.hidden, deviation=2.0 * unit)
        bf16(p + "mlp.router.bias", o.experts, deviation=1.0)
        gate = math.sqrt(GATE_DEVIATION**2 - GATE_BIAS**2) * unit
        experts(p + "mlp.experts.gate_up_proj", 2 * o.intermediate, o.hidden, gate)
        bf16(p + "mlp.experts.gate_up_proj_bias", o.experts, 2 * o.intermediate, deviation=GATE_BIAS)
        experts(p + "mlp.experts.down_proj", o.hidden, o.intermediate, 1.2 / ACTIVATION / math.sqrt(o.intermediate))
        bf16(p + "mlp.experts.down_proj_bias", o.experts, o.hidden, deviation=0.6)
    bf16("model.embed_tokens.weight", o.vocab, o.hidden)
    # Rows so small that the epsilon of the first norm counts.
    tensors["model.embed_tokens.weight"][::8] *= 0.01
    norm("model.norm.weight")
    bf16("lm_head.weight", o.vocab, o.hidden, deviation=LOGITS * unit)
    return tensors


def quantise(values):
    """[..., 32 * groups] values to blocks and scales, as OCP Microscaling Formats 1.0 section 6.3 does."""
    groups = values.unflatten(-1, (-1, 32))
    # 2 is the largest exponent of E2M1.
    exponents = torch.frexp(groups.abs().amax(-1)).exponent - 1 - 2
    scaled = torch.ldexp(groups.abs(), -exponents.unsqueeze(-1))
    codes = (scaled.unsqueeze(-1) - E2M1[:8]).abs().argmin(-1) + 8 * (groups < 0)
    pairs = codes.unflatten(-1, (16, 2)).to(torch.uint8)
    return pairs[..., 0] | pairs[..., 1] << 4, (exponents + SCALE_BIAS).to(torch.uint8)


def unpacked(tensors):
    """The same model with dense bf16 experts, which hold MXFP4 values exactly."""
    dense = {}
    for name, tensor in tensors.items():
        if name.endswith("_blocks"):
            base = name.removesuffix("_blocks")
            values = dequantise(tensor, tensors[base + "_scales"]).transpose(1, 2).contiguous()
            dense[base] = values.bfloat16()
            assert torch.equal(dense[base].float(), values)
        elif not name.endswith("_scales"):
            dense[name] = tensor
    return dense


def store(tensors, folder, configuration, shards):
    """Writes a checkpoint. shards: `released` (numbered from 0, cut inside a layer), `plain` or `single`."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(configuration, indent=2) + "\n")
    groups = split(tensors, shards)
    if shards == "single":
        files = ["model.safetensors"]
    else:
        # As released: the first has number 0, and the last its own number as the count.
        first = 0 if shards == "released" else 1
        last = len(groups) - 1 + first
        files = [f"model-{first + i:05}-of-{last:05}.safetensors" for i in range(len(groups))]
    for file, names in zip(files, groups):
        save_file({name: tensors[name] for name in names}, folder / file, metadata={"format": "pt"})
    if shards != "single":
        places = {name: file for file, names in zip(files, groups) for name in names}
        total = sum(tensor.nbytes for tensor in tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(places.items()))}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def split(tensors, shards):
    """Which tensors stand in which file."""
    ends = [name for name in tensors if not name.startswith("model.layers.")]
    body = sorted(set(tensors) - set(ends), key=released_order)
    if shards == "single":
        return [body + ends]
    if shards == "plain":
        half = len(body) // 2
        return [body[:half], body[half:] + ends]
    # The experts of layer 1 in three files: biases, one projection, the other.
    first = body.index("model.layers.1.mlp.experts.gate_up_proj_blocks")
    second = body.index("model.layers.1.mlp.experts.down_proj_blocks")
    return [body[:first], body[first:second], body[second:], ends]


def released_order(name):
    """Layers in string order, attention before experts, and biases before what they belong to."""
    layer, rest = re.match(r"model\.layers\.(\d+)\.(.*)", name).groups()
    parts = ["input_layernorm", "self_attn", "mlp.router", "mlp.experts.gate_up", "mlp.experts.down", "post"]
    return layer, [rest.startswith(part) for part in parts].index(True), rest
