"""Golden sets: tiny gpt-oss models, and what transformers computes with them in f32.

    golden.py make OUT --set NAME [--OPTION VALUE ...]   make a set: a committed one, or a variation of it
    golden.py check DIR...                              compute the stored values again, and compare

A set is a folder with checkpoints (`mxfp4`, perhaps `bf16`), `golden.safetensors` and `golden.json`. All
floats are f32. For every prompt P, of T tokens:

    P.tokens i32[T]            P.positions i32[n]: those below are of these positions; of all T without it
    P.logits [n, V]            P.hidden [L + 1, n, H]: the embedding, then the output of each layer
    P.mid [L, n, H]: after attention
    P.router_logits [L, n, E]  P.topk_idx i32[L, n, k], best first, and P.topk_weight [L, n, k]
    P.generated i32[64], greedy; P.gen_top1_logit [64]; P.gen_last_logits [V], which chose the last

and of the model: inv_freq [d / 2]; rope_cos, rope_sin [p, d / 2] at rope_pos i32[p], with the concentration.

Prompts and generated tokens are chosen such that no routing decision and no token is near a tie: an f32
engine has to agree on every one.
"""

import argparse
import json
import sys
from pathlib import Path

# Before torch, which it sets up.
from gpt_oss import distance, generate, load, run  # isort: skip

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import DynamicCache

import golden_weights

# The committed sets differ in every size; each row is what it adds.
SETS = {
    # Dense experts too; no size divides another; hidden smaller than intermediate.
    "dense": dict(
        hidden=32, intermediate=96, layers=3, heads=4, kv_heads=2, head_dim=32, experts=5, top_k=4, vocab=199,
        window=12, prompts=[40, 5], seed=11, bf16=True,
    ),
    # One expert a token, other rotary constants, the configuration as transformers 5 writes it.
    "top1": dict(
        hidden=96, intermediate=32, layers=4, heads=6, kv_heads=3, head_dim=16, experts=6, top_k=1, vocab=131,
        window=8, prompts=[44, 1], seed=12, theta=10000.0, factor=8.0, original=1024, beta_fast=24.0, beta_slow=2.0,
        form=5, shards="plain",
    ),
    # Three experts a token, one kv head, the released head size; hidden equals intermediate.
    "top3": dict(
        hidden=64, intermediate=64, layers=3, heads=5, kv_heads=1, head_dim=64, experts=7, top_k=3, vocab=173,
        window=16, prompts=[48, 17], seed=13, form=5, shards="single",
    ),
    # Past the 4,096 positions of the original context, with the released window.
    "long": dict(
        hidden=32, intermediate=32, layers=4, heads=4, kv_heads=2, head_dim=64, experts=4, top_k=2, vocab=157,
        window=128, prompts=[4200], seed=14, sink=4.0, score=1.1, distinct=14,
        keep=[0, 1, 2, 63, 64, 126, 127, 128, 129, 130, 191, 255, 256, 257, 1023, 1024, 2047, 2048, 3071, 3072]
        + list(range(4088, 4104)) + [4127, 4128, 4159, 4160] + list(range(4192, 4200)),
    ),
}  # fmt: skip
GENERATED = 64
ROPE_POSITIONS = [0, 1, 2, 7, 100, 1000, 4095, 4096, 32768, 131071]
# Least distance between two router logits that decide something, or the two best tokens.
PROMPT_MARGIN = 0.02
GENERATION_MARGIN = 0.003
# Another machine or number of threads sums in another order. Our own engine is allowed more.
MAX_DIFFERENCE, RELATIVE_DIFFERENCE = 1e-4, 5e-6
# Powers in f32 differ in the last bit between versions of torch; angles grow with it.
FREQUENCY_DIFFERENCE = 2.0**-23


def configuration(o):
    """config.json with the keys of the release, or those that transformers 5 writes."""
    rope = {
        "beta_fast": o.beta_fast,
        "beta_slow": o.beta_slow,
        "factor": o.factor,
        "original_max_position_embeddings": o.original,
        "rope_type": "yarn",
        "truncate": False,
    }
    values = {
        "architectures": ["GptOssForCausalLM"],
        "attention_bias": True,
        "attention_dropout": 0.0,
        "eos_token_id": 2,
        "head_dim": o.head_dim,
        "hidden_act": "silu",
        "hidden_size": o.hidden,
        "initializer_range": 0.02,
        "intermediate_size": o.intermediate,
        "layer_types": ["full_attention" if i % 2 else "sliding_attention" for i in range(o.layers)],
        "max_position_embeddings": 131072,
        "model_type": "gpt_oss",
        "num_attention_heads": o.heads,
        "num_experts_per_tok": o.top_k,
        "num_hidden_layers": o.layers,
        "num_key_value_heads": o.kv_heads,
        "num_local_experts": o.experts,
        "output_router_logits": False,
        "pad_token_id": 1,
        "rms_norm_eps": 1e-05,
        "router_aux_loss_coef": 0.9,
        "sliding_window": o.window,
        "swiglu_limit": 7.0,
        "tie_word_embeddings": False,
        "use_cache": True,
        "vocab_size": o.vocab,
    }
    if o.form == 4:
        theta = int(o.theta) if o.theta == int(o.theta) else o.theta
        values |= {"experts_per_token": o.top_k, "initial_context_length": o.original}
        values |= {"rope_scaling": rope, "rope_theta": theta, "transformers_version": "4.55.0.dev0"}
    else:
        values |= {"bos_token_id": None, "dtype": "bfloat16", "router_aux_loss_coef": 0.001, "swiglu_alpha": 1.702}
        values |= {"rope_parameters": rope | {"rope_theta": o.theta}, "transformers_version": "5.23.0"}
    return dict(sorted(values.items()))


QUANTIZATION = {
    "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"],
    "quant_method": "mxfp4",
}


def order_margin(seen, top_k):
    """Per position, how near the chosen experts are to another choice or order, over all layers."""
    best = seen["router_logits"].sort(-1, descending=True).values[..., : top_k + 1]
    return (best[..., :-1] - best[..., 1:]).amin((0, 2))


def choice_margin(seen, top_k):
    """The same for the choice alone."""
    best = seen["router_logits"].sort(-1, descending=True).values
    return (best[..., top_k - 1] - best[..., top_k]).amin(0)


def choose_prompt(model, rng, tokens, length, cache):
    """Adds random tokens, none of them routed near a tie, to `tokens` and to the cache that holds them."""
    top_k, vocab = model.config.num_experts_per_tok, model.config.vocab_size
    while len(tokens) < length:
        offer = rng.integers(vocab, size=min(8, length - len(tokens))).tolist()
        good = order_margin(run(model, offer, cache), top_k) > 2 * PROMPT_MARGIN
        tokens = tokens + offer[: int(good.int().cumprod(0).sum())]
        cache.crop(len(tokens))
    return tokens


def clear_answer(model, first, cache, distinct):
    """Whether the greedy continuation from the logits `first` stays away from ties and does not loop."""
    top_k, logits, ids = model.config.num_experts_per_tok, first, []
    while len(ids) < GENERATED:
        best = logits.topk(2).values
        ids.append(int(logits.argmax()))
        seen = run(model, ids[-1:], cache)
        if best[0] - best[1] < 2 * GENERATION_MARGIN or choice_margin(seen, top_k) < 2 * GENERATION_MARGIN:
            return False
        logits = seen["logits"][-1]
    return len(set(ids)) >= distinct


def answer(model, tokens):
    """The greedy continuation, the logits that chose it, and how clear its decisions are."""
    ids = generate(model, tokens, GENERATED)
    seen = run(model, tokens + ids[:-1])
    logits = seen["logits"][-GENERATED:]
    # transformers with its cache and without it agree.
    assert logits.argmax(-1).tolist() == ids
    best = logits.topk(2).values
    top_k = model.config.num_experts_per_tok
    margins = {
        "gen_router_margin": float(choice_margin(seen, top_k)[-GENERATED:].min()),
        "gen_top2_margin": float((best[:, 0] - best[:, 1]).min()),
    }
    return ids, logits, margins


def measure(model, tokens, positions=None):
    """What is stored of a prompt, but for the generated part."""
    seen = run(model, tokens)
    if positions is not None:
        kept = torch.tensor(positions)
        seen = {name: value.index_select(value.dim() - 2, kept) for name, value in seen.items()}
    return seen


def rope(model):
    """The rotary tables."""
    embedding = model.model.rotary_emb
    positions = torch.tensor([ROPE_POSITIONS])
    cos, sin = embedding(torch.zeros(1), positions)
    return {
        "inv_freq": embedding.inv_freq,
        "rope_pos": positions[0].int(),
        "rope_cos": cos[0],
        "rope_sin": sin[0],
    }


def make(o):
    """A set in o.out."""
    out = Path(o.out)
    rng = np.random.default_rng(o.seed)
    tensors = golden_weights.make(o, rng)
    dense = configuration(o)
    golden_weights.store(tensors, out / "mxfp4", dense | {"quantization_config": QUANTIZATION}, o.shards)
    if o.bf16:
        golden_weights.store(golden_weights.unpacked(tensors), out / "bf16", dense, "plain")
    model = load(out / "mxfp4")

    stored = rope(model)
    texts, answers, report = [], [], {}
    for number, length in enumerate(o.prompts):
        tokens, trials = search(model, rng, length, o.distinct)
        ids, logits, margins = answer(model, tokens)
        seen = measure(model, tokens, o.keep)
        p = f"p{number}."
        stored |= {p + name: value for name, value in seen.items()}
        stored |= {p + "tokens": torch.tensor(tokens).int(), p + "generated": torch.tensor(ids).int()}
        if o.keep:
            stored[p + "positions"] = torch.tensor(o.keep).int()
        stored |= {p + "gen_top1_logit": logits.amax(-1), p + "gen_last_logits": logits[-1]}
        texts.append(tokens)
        answers.append(ids)
        report[f"p{number}"] = describe(model, tokens) | margins | {"trials": trials, "gen_unique": len(set(ids))}
        assert min(margins.values()) > GENERATION_MARGIN
        assert report[f"p{number}"]["prompt_router_margin"] > PROMPT_MARGIN
        print(f"{out.name} {p[:-1]}: {report[f'p{number}']}", flush=True)

    save_file({name: value.contiguous() for name, value in stored.items()}, out / "golden.safetensors")
    notes = {
        "prompts": texts,
        "generated": answers,
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
        "options": {name: value for name, value in vars(o).items() if name not in ("out", "command", "set")},
        "rope_attention_factor": model.model.rotary_emb.attention_scaling,
        "report": report,
    }
    (out / "golden.json").write_text(json.dumps(notes) + "\n")


def search(model, rng, length, distinct):
    """A prompt whose continuation is clear: the last tokens of one are changed until it is."""
    # Without a configuration the cache keeps every position, so it can be cut.
    cache = DynamicCache()
    kept = choose_prompt(model, rng, [], max(length - 8, 0), cache)
    for trial in range(1, 2000):
        tokens = choose_prompt(model, rng, kept, length - 1, cache)
        tokens = tokens + [int(rng.integers(model.config.vocab_size))]
        seen = run(model, tokens[-1:], cache)
        clear = order_margin(seen, model.config.num_experts_per_tok) > 2 * PROMPT_MARGIN
        clear = clear and clear_answer(model, seen["logits"][-1], cache, distinct)
        cache.crop(len(kept))
        if clear:
            return tokens, trial
    raise SystemExit("error: no prompt has a clear continuation; try another seed")


@torch.no_grad()
def describe(model, tokens):
    """How much of the model a prompt shows."""
    clamped, sinks = [], []

    def experts_enter(module, arguments, keywords):
        hidden = arguments[0].reshape(-1, module.hidden_size)
        chosen = keywords["router_indices"]
        for slot in range(chosen.shape[1]):
            weight, bias = module.gate_up_proj[chosen[:, slot]], module.gate_up_proj_bias[chosen[:, slot]]
            both = torch.einsum("th,thi->ti", hidden, weight) + bias
            gate, up = both[:, ::2], both[:, 1::2]
            clamped.append([float((part).float().mean()) for part in (gate > 7, up > 7, up < -7)])

    def attention_leaves(_module, _arguments, output):
        sinks.append(float(1 - output[1].sum(-1).mean()))

    hooks = []
    for layer in model.model.layers:
        hooks.append(layer.mlp.experts.register_forward_pre_hook(experts_enter, with_kwargs=True))
        hooks.append(layer.self_attn.register_forward_hook(attention_leaves))
    # The weights of every position at once are too much for a long prompt.
    part = tokens[:256]
    model(torch.tensor([part]))
    for hook in hooks:
        hook.remove()
    seen = run(model, tokens)
    top_k = model.config.num_experts_per_tok
    return {
        "tokens": len(tokens),
        "prompt_router_margin": float(order_margin(seen, top_k).min()),
        "logits_rms": float(seen["logits"].pow(2).mean().sqrt()),
        "logits_absmax": float(seen["logits"].abs().max()),
        "hidden_rms": [round(float(h.pow(2).mean().sqrt()), 3) for h in seen["hidden"]],
        "clamped_gate_up_down": [round(float(v), 4) for v in np.mean(clamped, 0)],
        "sink_share": float(np.mean(sinks)),
    }


def check(folder):
    """Whether transformers computes again what is stored."""
    stored = load_file(folder / "golden.safetensors")
    prompts = sorted({name.split(".")[0] for name in stored if "." in name})
    worst = (0.0, 0.0)
    for form in ("mxfp4", "bf16"):
        if not (folder / form).is_dir():
            continue
        model = load(folder / form)
        again = rope(model)
        for p in prompts:
            tokens = stored[f"{p}.tokens"].tolist()
            positions = stored.get(f"{p}.positions")
            seen = measure(model, tokens, None if positions is None else positions.tolist())
            ids, logits, _ = answer(model, tokens)
            seen |= {"generated": torch.tensor(ids).int(), "gen_top1_logit": logits.amax(-1)}
            seen |= {"gen_last_logits": logits[-1]}
            again |= {f"{p}.{name}": value for name, value in seen.items()}
        inputs = {name for name in stored if name.endswith((".tokens", ".positions"))}
        if set(again) | inputs != set(stored):
            raise SystemExit(f"error: {folder}: other tensors than expected: {set(again) ^ set(stored) - inputs}")
        for name, value in again.items():
            what = f"{folder}: {form}: {name}"
            if value.dtype == torch.int32:
                if not torch.equal(stored[name], value):
                    raise SystemExit(f"error: {what} differs")
            elif name == "inv_freq" or name.startswith("rope_"):
                angles = stored["rope_pos"].unsqueeze(1) * stored["inv_freq"]
                allowed = FREQUENCY_DIFFERENCE * (1 if name == "inv_freq" else 1 + angles)
                if not ((stored[name] - value).abs() <= allowed).all():
                    raise SystemExit(f"error: {what} differs")
            else:
                found = distance(stored[name], value)
                if not (found[0] <= MAX_DIFFERENCE and found[1] <= RELATIVE_DIFFERENCE):
                    raise SystemExit(f"error: {what} differs by {found[0]:.1e}, relative {found[1]:.1e}")
                worst = tuple(map(max, worst, found))
    print(f"{folder.name}: as stored, within {worst[0]:.1e}, relative {worst[1]:.1e}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="compute the stored values again, and compare")
    checking.add_argument("folders", nargs="+", type=Path)
    making = commands.add_parser("make", help="make a set")
    making.add_argument("out")
    making.add_argument("--set", choices=SETS, default="dense", help="where other options come from")
    sizes = ("hidden", "intermediate", "layers", "heads", "kv-heads", "head-dim", "experts", "top-k", "vocab", "window")
    for size in (*sizes, "seed"):
        making.add_argument(f"--{size}", type=int)
    making.add_argument("--prompts", type=int, nargs="+", metavar="TOKENS", help="lengths of the prompts")
    making.add_argument("--keep", type=int, nargs="*", metavar="POSITION", help="keep values of these only")
    making.add_argument("--theta", type=float, help="base of the rotary frequencies (150000)")
    making.add_argument("--factor", type=float, help="of YaRN (32)")
    making.add_argument("--original", type=int, help="positions before YaRN (4096)")
    making.add_argument("--beta-fast", type=float, help="of YaRN (32)")
    making.add_argument("--beta-slow", type=float, help="of YaRN (1)")
    making.add_argument("--form", type=int, choices=(4, 5), help="config.json of which transformers (4)")
    making.add_argument("--shards", choices=("released", "plain", "single"), help="of the mxfp4 checkpoint (released)")
    making.add_argument("--bf16", action="store_true", default=None, help="store dense experts too")
    making.add_argument("--sink", type=float, help="mean of the sinks (1)")
    making.add_argument("--score", type=float, help="size of queries and keys (1)")
    making.add_argument("--distinct", type=int, help="least different tokens in an answer (24): a loop tests little")
    result = parser.parse_args()
    if result.command == "make":
        defaults = dict(
            theta=150000.0, factor=32.0, original=4096, beta_fast=32.0, beta_slow=1.0, form=4, shards="released",
            bf16=False, sink=1.0, score=1.0, distinct=24,
            keep=None,
        )  # fmt: skip
        for name, value in (defaults | SETS[result.set]).items():
            if getattr(result, name) is None:
                setattr(result, name, value)
    return result


def main():
    o = arguments()
    transformers.utils.logging.set_verbosity_error()
    if o.command == "check":
        for folder in o.folders:
            check(folder)
    else:
        make(o)


if __name__ == "__main__":
    sys.exit(main())
