"""Write config.json as the installed transformers does, for tests of whoever reads it.

    config_forms.py CHECKPOINT OUT    CHECKPOINT: a gpt-oss folder in the released form, to be saved again

Files are OUT/<version of transformers>-<what>.json.
"""

import sys
import tempfile
from pathlib import Path

import transformers
from transformers import GptOssConfig, GptOssForCausalLM


def main(checkpoint, out):
    def keep(what, saved):
        with tempfile.TemporaryDirectory() as folder:
            saved.save_pretrained(folder)
            text = (Path(folder) / "config.json").read_text()
        (Path(out) / f"{transformers.__version__}-{what}.json").write_text(text)

    # Every default of the class, which are those of the 120b.
    keep("120b", GptOssConfig())
    keep("20b", GptOssConfig(num_hidden_layers=24, num_local_experts=32))
    sizes = dict(hidden_size=64, intermediate_size=32, num_hidden_layers=2, vocab_size=131, sliding_window=8)
    heads = dict(head_dim=16, num_attention_heads=4, num_key_value_heads=2)
    tiny = GptOssConfig(**sizes, **heads, num_local_experts=4, num_experts_per_tok=2, eos_token_id=2, pad_token_id=1)
    keep("tiny", GptOssForCausalLM(tiny).bfloat16())
    keep("saved-again", GptOssForCausalLM.from_pretrained(checkpoint))


if __name__ == "__main__":
    main(*sys.argv[1:])
