"""gpt-oss checkpoints as transformers runs them in f32, and what happens inside.

Shared by golden.py and model_judge.py. Dense weights come from the files by the arithmetic of this module,
not by transformers' own loader, so that either can judge the other.
"""

import json
import os
from pathlib import Path

# Plain code on every processor, so that values differ little between machines: set before torch is loaded.
os.environ.setdefault("ATEN_CPU_CAPABILITY", "default")
os.environ.setdefault("MKL_CBWR", "COMPATIBLE")

import torch
import torch.nn.functional as F
from safetensors import safe_open
from transformers import DynamicCache, GptOssConfig, GptOssForCausalLM

# OCP Microscaling Formats 1.0, E2M1: the eight magnitudes, then the same with the sign bit.
E2M1 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], dtype=torch.float32)
# The same: E8M0 scales are powers of two with this bias.
SCALE_BIAS = 127


def config(folder):
    """The configuration of a checkpoint, for transformers 4: it ignores what transformers 5 renamed."""
    values = json.loads((Path(folder) / "config.json").read_text())
    values.pop("quantization_config", None)
    rope = values.pop("rope_parameters", None)
    if rope is not None:
        values["rope_theta"] = rope.pop("rope_theta")
        values["rope_scaling"] = rope
    # Hard-wired in transformers 4.
    if values.get("swiglu_limit", 7.0) != 7.0 or values.get("swiglu_alpha", 1.702) != 1.702:
        raise SystemExit(f"error: {folder}: transformers 4 knows no other swiglu_limit or swiglu_alpha")
    result = GptOssConfig(**values)
    result._attn_implementation = "eager"
    return result


class Checkpoint:
    """The tensors of a folder of safetensors files, read one by one."""

    def __init__(self, folder):
        self.files = {}
        for path in sorted(Path(folder).glob("*.safetensors")):
            file = safe_open(path, framework="pt")
            for name in file.keys():
                if name in self.files:
                    raise SystemExit(f"error: {folder}: {name} stands in two files")
                self.files[name] = file

    def raw(self, name):
        """As it stands in the file."""
        return self.files[name].get_tensor(name)

    def rows(self, name):
        """A lazy slice over a tensor, to be indexed."""
        return self.files[name].get_slice(name)

    def names(self):
        """As transformers names the parameters: packed experts under the dense name."""
        return {name.removesuffix("_blocks") for name in self.files if not name.endswith("_scales")}

    def dense(self, name):
        """In f32, in the layout of transformers; experts are unpacked and turned to [expert, in, out]."""
        if name in self.files:
            return self.raw(name).float()
        blocks, scales = self.raw(name + "_blocks"), self.raw(name + "_scales")
        experts, rows, groups = scales.shape
        unpacked = torch.empty(experts, 32 * groups, rows)
        # One by one: the codes of all experts at once are gigabytes.
        for expert in range(experts):
            unpacked[expert] = dequantise(blocks[expert], scales[expert]).T
        return unpacked

    def layer(self, index):
        """The state of one decoder layer."""
        prefix = f"model.layers.{index}."
        return {n.removeprefix(prefix): self.dense(n) for n in self.names() if n.startswith(prefix)}


def dequantise(blocks, scales):
    """[..., rows, groups, 16] blocks and [..., rows, groups] scales to [..., rows, 32 * groups] values."""
    codes = torch.stack((blocks & 15, blocks >> 4), dim=-1).flatten(-2).long()
    values = torch.ldexp(E2M1[codes], scales.int().unsqueeze(-1) - SCALE_BIAS)
    return values.flatten(-2)


def load(folder):
    """The model in f32, with eager attention."""
    checkpoint = Checkpoint(folder)
    model = GptOssForCausalLM(config(folder))
    model.load_state_dict({name: checkpoint.dense(name) for name in checkpoint.names()})
    return model.eval()


@torch.no_grad()
def run(model, tokens, cache=None):
    """One forward pass of one sequence and everything on the way, without the batch dimension.

    hidden is [L + 1, T, H], the embedding first, the last before the final norm; mid is [L, T, H], after
    attention; router_logits is [L, T, E]; topk_idx and topk_weight are [L, T, k], best first.
    """
    seen = {"hidden": [], "mid": [], "router_logits": [], "topk_idx": [], "topk_weight": []}

    def entering(_module, arguments):
        seen["hidden"].append(arguments[0][0].clone())

    def leaving(_module, _arguments, output):
        seen["hidden"].append((output[0] if isinstance(output, tuple) else output)[0].clone())

    def between(_module, arguments):
        seen["mid"].append(arguments[0][0].clone())

    def routed(module, arguments, output):
        scores, indices = output
        hidden = arguments[0].reshape(-1, module.hidden_dim)
        seen["router_logits"].append(F.linear(hidden, module.weight, module.bias))
        seen["topk_idx"].append(indices.int())
        seen["topk_weight"].append(scores.gather(1, indices))

    layers = model.model.layers
    hooks = [layers[0].register_forward_pre_hook(entering)]
    for layer in layers:
        hooks.append(layer.register_forward_hook(leaving))
        hooks.append(layer.post_attention_layernorm.register_forward_pre_hook(between))
        hooks.append(layer.mlp.router.register_forward_hook(routed))
    try:
        logits = model(torch.tensor([tokens]), past_key_values=cache, use_cache=cache is not None).logits[0]
    finally:
        for hook in hooks:
            hook.remove()
    return {"logits": logits} | {name: torch.stack(values) for name, values in seen.items()}


@torch.no_grad()
def generate(model, tokens, count):
    """Greedy continuation through transformers' own cache; nothing stops it."""
    cache = DynamicCache(config=model.config)
    ids = []
    step = list(tokens)
    for _ in range(count):
        logits = model(torch.tensor([step]), past_key_values=cache, use_cache=True).logits[0, -1]
        step = [int(logits.argmax())]
        ids += step
    return ids


def distance(reference, other):
    """Largest absolute and relative root-mean-square difference."""
    reference, other = torch.as_tensor(reference).double(), torch.as_tensor(other).double()
    if reference.shape != other.shape:
        raise SystemExit(f"error: shapes differ: {tuple(reference.shape)} and {tuple(other.shape)}")
    difference = reference - other
    relative = difference.pow(2).mean().sqrt() / reference.pow(2).mean().sqrt()
    return float(difference.abs().max()), float(relative)
