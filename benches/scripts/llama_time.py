"""Times llama.cpp on a GGUF file, through the low-level API of llama-cpp-python.

    python benches/scripts/llama_time.py MODEL.gguf [--threads N] [--no-repack] [--repeat N]

Prints one JSON object of tokens a second: `prefill_64`, `prefill_128` and `prefill_512` (one call, from an empty
cache, logits of the last token), and `decode_1`, `decode_2`, `decode_4`, `decode_8` (32 steps of as many sequences
from an empty cache, a token each a step, all sequences together). Tokens are random, the same in every run. With
--repeat each figure is the median of as many. Nothing is measured before a first prefill has touched the weights.
Needs llama-cpp-python.
"""

import argparse
import ctypes
import json
import os
import random
import statistics
import time

import llama_cpp as llama

PREFILL = (64, 128, 512)
SEQUENCES = (1, 2, 4, 8)
STEPS = 32


class Timed:
    def __init__(self, path, threads, repack):
        quiet = llama.llama_log_callback(lambda level, text, data: None)
        llama.llama_log_set(quiet, ctypes.c_void_p())
        self.quiet = quiet  # called as long as the library is there
        llama.llama_backend_init()
        options = llama.llama_model_default_params()
        options.use_extra_bufts = repack
        self.model = llama.llama_model_load_from_file(path.encode(), options)
        if not self.model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        options = llama.llama_context_default_params()
        options.n_ctx = 2048
        options.n_batch = options.n_ubatch = max(PREFILL)
        options.n_seq_max = max(SEQUENCES)
        options.kv_unified = True
        options.n_threads = options.n_threads_batch = threads
        self.context = llama.llama_init_from_model(self.model, options)
        self.batch = llama.llama_batch_init(max(PREFILL), 0, 1)
        self.vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))
        self.random = random.Random(0)

    def step(self, places, wanted):
        """One call on a random token for each (sequence, position), logits where wanted(index)."""
        batch = self.batch
        batch.n_tokens = len(places)
        for index, (sequence, position) in enumerate(places):
            batch.token[index] = self.random.randrange(self.vocab)
            batch.pos[index] = position
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = sequence
            batch.logits[index] = wanted(index)
        if status := llama.llama_decode(self.context, batch):
            raise SystemExit(f"llama_decode: {status}")
        llama.llama_synchronize(self.context)

    def clear(self):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)

    def prefill(self, tokens):
        self.clear()
        start = time.perf_counter()
        self.step([(0, position) for position in range(tokens)], lambda index: index == tokens - 1)
        return tokens / (time.perf_counter() - start)

    def decode(self, sequences):
        self.clear()
        start = time.perf_counter()
        for position in range(STEPS):
            self.step([(sequence, position) for sequence in range(sequences)], lambda _: True)
        return sequences * STEPS / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL.gguf")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--no-repack", action="store_true", help="leave the weights as they are in the file")
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()

    timed = Timed(args.model, args.threads, not args.no_repack)
    timed.prefill(64)
    rates = {}
    for tokens in PREFILL:
        rates[f"prefill_{tokens}"] = statistics.median(timed.prefill(tokens) for _ in range(args.repeat))
    for count in SEQUENCES:
        rates[f"decode_{count}"] = statistics.median(timed.decode(count) for _ in range(args.repeat))
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
