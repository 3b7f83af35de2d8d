"""Judge what our engine computes with transformers.

    model_judge.py whole CHECKPOINT OURS TOKENS     transformers loads the folder itself and runs it
    model_judge.py layers CHECKPOINT OURS TOKENS    one layer after the other, for models that do not fit

OURS is what the example `logits` wrote with --hidden in f32, TOKENS the file of ids it was given.

`whole` is the loader of transformers and everything after it, and works with transformers 4 and 5. `layers` gives
each layer our own input: with the random weights of a large synthetic model two experts can be as good as equal, and
a difference in the last bit would change all that follows.
"""

import sys
from pathlib import Path

# Before torch, which it sets up.
from gpt_oss import Checkpoint, config, distance  # isort: skip

import torch
import transformers
from safetensors import safe_open
from transformers import GptOssForCausalLM
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssModel, GptOssRMSNorm, GptOssRotaryEmbedding

MAX_DIFFERENCE, RELATIVE_DIFFERENCE = 2e-4, 1e-5
# Rows of the head held at once: 190 MB at the width of the 20b.
ROWS = 16384


class Verdict:
    """Collects distances, and complains about those that are too large."""

    def __init__(self, what):
        self.what, self.worst, self.failed = what, [0.0, 0.0], False

    def compare(self, name, reference, ours, largest=MAX_DIFFERENCE):
        if not (torch.isfinite(reference).all() and torch.isfinite(ours).all()):
            raise SystemExit(f"error: {self.what}: {name} is not finite")
        found = distance(reference, ours)
        self.worst = list(map(max, self.worst, found))
        if found[0] > largest or found[1] > RELATIVE_DIFFERENCE:
            print(f"error: {self.what}: {name} differs by {found[0]:.1e}, relative {found[1]:.1e}", file=sys.stderr)
            self.failed = True

    def pronounce(self):
        if self.failed:
            raise SystemExit(1)
        print(f"{self.what}: within {self.worst[0]:.1e}, relative {self.worst[1]:.1e}")


@torch.no_grad()
def whole(folder, ours, tokens):
    """The model as transformers opens it."""
    model = GptOssForCausalLM.from_pretrained(folder, attn_implementation="eager").float().eval()
    outputs = []

    def leaving(_module, _arguments, output):
        outputs.append((output[0] if isinstance(output, tuple) else output)[0])

    model.model.embed_tokens.register_forward_hook(leaving)
    for layer in model.model.layers:
        layer.register_forward_hook(leaving)
    logits = model(torch.tensor([tokens])).logits[0]
    verdict = Verdict(f"transformers {transformers.__version__}, {Path(folder).name}")
    hidden = ours.get_tensor("hidden")
    if len(hidden) != len(outputs):
        raise SystemExit(f"error: {folder}: {len(hidden)} hidden states, not {len(outputs)}")
    for layer, output in enumerate(outputs):
        verdict.compare(f"hidden {layer}", output, hidden[layer])
    verdict.compare("logits", logits, ours.get_tensor("logits"))
    verdict.pronounce()


@torch.no_grad()
def layers(folder, ours, tokens):
    """Embedding, each layer from our input to it, head."""
    checkpoint, settings = Checkpoint(folder), config(folder)
    hidden = ours.get_tensor("hidden")
    verdict = Verdict(f"transformers {transformers.__version__}, {Path(folder).name}, {len(tokens)} tokens")

    embedding = checkpoint.rows("model.embed_tokens.weight")
    rows = torch.stack([embedding[token : token + 1][0] for token in tokens])
    if not torch.equal(rows.float(), hidden[0]):
        raise SystemExit(f"error: {folder}: hidden 0 is not the embedding")

    kinds = settings.layer_types
    if len(hidden) != len(kinds) + 1:
        raise SystemExit(f"error: {folder}: {len(hidden)} hidden states, not {len(kinds) + 1}")
    for index, kind in enumerate(kinds):
        settings.num_hidden_layers, settings.layer_types = 1, [kind]
        output = one_layer(settings, checkpoint.layer(index))(inputs_embeds=hidden[index][None]).last_hidden_state[0]
        verdict.compare(f"hidden {index + 1}", output, hidden[index + 1], largest=float("inf"))
        # What the layer adds, too: the residual stream is most of its output.
        verdict.compare(f"layer {index}", output - hidden[index], hidden[index + 1] - hidden[index])

    norm = GptOssRMSNorm(settings.hidden_size, settings.rms_norm_eps)
    norm.load_state_dict({"weight": checkpoint.dense("model.norm.weight")})
    normed = norm(hidden[-1])
    head, logits = checkpoint.rows("lm_head.weight"), ours.get_slice("logits")
    if logits.get_shape() != [len(tokens), settings.vocab_size]:
        raise SystemExit(f"error: {folder}: logits of shape {logits.get_shape()}")
    for start in range(0, settings.vocab_size, ROWS):
        end = min(start + ROWS, settings.vocab_size)
        verdict.compare(f"logits {start}..{end}", normed @ head[start:end].float().T, logits[:, start:end])
    verdict.pronounce()


def one_layer(settings, state):
    """The model of transformers, masks and rotary embedding and all, cut down to a single layer."""
    with torch.device("meta"):
        model = GptOssModel(settings)
    model.layers[0].load_state_dict(state, assign=True)
    model.rotary_emb = GptOssRotaryEmbedding(settings)
    model.norm = torch.nn.Identity()
    return model.eval()


def main(command, folder, ours, tokens):
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    ids = [int(word) for word in Path(tokens).read_text().replace(",", " ").split()]
    with safe_open(ours, framework="pt") as file:
        {"whole": whole, "layers": layers}[command](folder, file, ids)


if __name__ == "__main__":
    main(*sys.argv[1:])
