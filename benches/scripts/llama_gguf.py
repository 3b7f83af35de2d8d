"""Writes a gpt-oss checkpoint as a GGUF file, so that llama.cpp can run the same weights as we do.

    python benches/scripts/llama_gguf.py WEIGHTS_DIR OUT.gguf [--dense bf16|q8_0]

The experts stay MXFP4, to the bit: GGUF keeps a block of 32 weights as its scale and then 16 bytes, where byte j
has weight j in its low half and weight j + 16 in its high half; the checkpoint has weights 2 j and 2 j + 1 there. Gate
and up rows, interleaved in the checkpoint, become two tensors. Projections of attention, embedding and head are
bf16 as they were, or Q8_0; the rest is f32. Blocks and scales belong together by their names, wherever in the shards
they are. Without a tokenizer.json the vocabulary is a dummy of the right size.

llama.cpp has constants for some of what config.json says: SwiGLU's limit of 7, and YaRN's correction range, which
it rounds to whole dimensions (`truncate: true`). Logits differ a little from ours for that, not speeds.
Needs gguf and numpy.
"""

import argparse
import glob
import json
import os
import struct
from dataclasses import dataclass
from typing import Callable

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

NUMPY = {"BF16": np.dtype("<u2"), "U8": np.dtype("u1"), "F32": np.dtype("<f4")}
DENSE = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
}


def read_shards(folder):
    """Every tensor of the folder's safetensors files by name, as mapped memory; bf16 is u16."""
    tensors = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        data = np.memmap(path, np.uint8, "r", offset=8 + length)
        for name, info in header.items():
            if name != "__metadata__":
                start, end = info["data_offsets"]
                tensors[name] = data[start:end].view(NUMPY[info["dtype"]]).reshape(info["shape"])
    return tensors


@dataclass
class Entry:
    """A tensor of the file to write: `data` makes its bytes when their turn comes."""

    name: str
    shape: tuple  # in weights, slowest first
    type: Type
    data: Callable[[], np.ndarray]


def f32(values):
    return (values.astype(np.uint32) << 16).view(np.float32) if values.dtype == np.uint16 else values


def q8_0(values):
    rows = (values[start : start + 4096] for start in range(0, len(values), 4096))
    return np.concatenate([gguf.quants.quantize(f32(part), Type.Q8_0) for part in rows])


def mxfp4(blocks, scales):
    """[.., rows, blocks, 16] of nibbles and [.., rows, blocks] of scales to [.., rows, blocks * 17]."""
    first, second = blocks[..., :8], blocks[..., 8:]
    out = np.empty((*scales.shape, 17), np.uint8)
    out[..., 0] = scales
    out[..., 1::2] = (first & 0x0F) | (second << 4)
    out[..., 2::2] = (first >> 4) | (second & 0xF0)
    return out.reshape(*scales.shape[:-1], -1)


def entries(tensors, layers, dense):
    """What the file holds, in its order. Small tensors are f32."""
    used = set()

    def take(name):
        used.add(name)
        return tensors[name]

    def small(name, source, part=slice(None)):
        values = take(source)[..., part]
        return Entry(name, values.shape, Type.F32, lambda: f32(values))

    def matrix(name, source):
        values = take(source)
        if dense == "q8_0":
            return Entry(name, values.shape, Type.Q8_0, lambda: q8_0(values))
        return Entry(name, values.shape, Type.BF16, lambda: values)

    def experts(name, source, rows=slice(None)):
        blocks, scales = take(f"{source}_blocks")[:, rows], take(f"{source}_scales")[:, rows]
        shape = (*scales.shape[:-1], scales.shape[-1] * 32)
        return Entry(name, shape, Type.MXFP4, lambda: mxfp4(blocks, scales))

    yield matrix("token_embd.weight", "model.embed_tokens.weight")
    yield matrix("output.weight", "lm_head.weight")
    yield small("output_norm.weight", "model.norm.weight")
    for layer in range(layers):
        here, there = f"model.layers.{layer}", f"blk.{layer}"
        yield small(f"{there}.attn_norm.weight", f"{here}.input_layernorm.weight")
        yield small(f"{there}.post_attention_norm.weight", f"{here}.post_attention_layernorm.weight")
        yield small(f"{there}.attn_sinks.weight", f"{here}.self_attn.sinks")
        for source, name in DENSE.items():
            yield matrix(f"{there}.{name}.weight", f"{here}.{source}.weight")
            yield small(f"{there}.{name}.bias", f"{here}.{source}.bias")
        yield small(f"{there}.ffn_gate_inp.weight", f"{here}.mlp.router.weight")
        yield small(f"{there}.ffn_gate_inp.bias", f"{here}.mlp.router.bias")
        gate_up, down = f"{here}.mlp.experts.gate_up_proj", f"{here}.mlp.experts.down_proj"
        for name, source, part in (
            ("ffn_gate_exps", gate_up, slice(0, None, 2)),
            ("ffn_up_exps", gate_up, slice(1, None, 2)),
            ("ffn_down_exps", down, slice(None)),
        ):
            yield experts(f"{there}.{name}.weight", source, part)
            yield small(f"{there}.{name}.bias", f"{source}_bias", part)
    if left := sorted(set(tensors) - used):
        raise SystemExit(f"tensors with no place in the file: {left}")


def add_config(writer, config):
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_expert_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_sliding_window(config["sliding_window"])
    writer.add_expert_count(config["num_local_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_rope_freq_base(config["rope_theta"])
    rope = config["rope_scaling"]
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(rope["factor"])
    writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    writer.add_rope_scaling_yarn_beta_fast(rope["beta_fast"])
    writer.add_rope_scaling_yarn_beta_slow(rope["beta_slow"])


def add_vocabulary(writer, folder, config):
    count = config["vocab_size"]
    tokens, kinds = [f"[{index}]" for index in range(count)], [gguf.TokenType.NORMAL] * count
    merges = ["[0] [1]"]  # llama.cpp wants some
    path = os.path.join(folder, "tokenizer.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            tokenizer = json.load(file)
        kinds = [gguf.TokenType.UNUSED] * count
        for token, index in tokenizer["model"]["vocab"].items():
            tokens[index], kinds[index] = token, gguf.TokenType.NORMAL
        for token in tokenizer["added_tokens"]:
            tokens[token["id"]], kinds[token["id"]] = token["content"], gguf.TokenType.CONTROL
        merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in tokenizer["model"]["merges"]]
    eos = config["eos_token_id"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-4o")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(eos if isinstance(eos, int) else eos[0])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", metavar="WEIGHTS_DIR")
    parser.add_argument("out", metavar="OUT.gguf")
    parser.add_argument("--dense", choices=["bf16", "q8_0"], default="bf16")
    args = parser.parse_args()

    with open(os.path.join(args.folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    listed = list(entries(read_shards(args.folder), config["num_hidden_layers"], args.dense))

    partial = f"{args.out}.partial"
    writer = gguf.GGUFWriter(partial, "gpt-oss")
    writer.add_name(os.path.basename(os.path.abspath(args.folder)))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_MXFP4_MOE)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_config(writer, config)
    add_vocabulary(writer, args.folder, config)
    for entry in listed:
        block, block_bytes = gguf.GGML_QUANT_SIZES[entry.type]
        nbytes = int(np.prod(entry.shape)) // block * block_bytes
        writer.add_tensor_info(entry.name, entry.shape, np.dtype(np.float32), nbytes, raw_dtype=entry.type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for entry in listed:
        writer.write_tensor_data(np.ascontiguousarray(entry.data()))
    writer.close()
    os.replace(partial, args.out)
    print(f"{args.out}: {len(listed)} tensors, {os.path.getsize(args.out)} bytes")


if __name__ == "__main__":
    main()
