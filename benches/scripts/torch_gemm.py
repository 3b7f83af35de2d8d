"""Times torch's product of activations with weights, beside `cargo bench -p benches --bench kernels -- linear`.

    python benches/scripts/torch_gemm.py [--threads N] [--rows 4096] [--columns 2880] [--repeat 20]

Prints the versions and threads, then a line for each type (bf16, f32) and number of tokens (1, 16, 64, 512): GFLOP/s
of torch.nn.functional.linear, a multiplication with an addition being two, and GB/s of the weights. Each is from
the median of the repetitions. Eight matrices take turns, so that a call finds its own in no cache of less than some
100 MB, as in a model. Needs torch.
"""

import argparse
import os
import statistics
import time

import torch

TOKENS = (1, 16, 64, 512)
TURNS = 8


def seconds(weights, x, repeat):
    """Of a product with one of the weights after another: the median."""
    times = []
    with torch.inference_mode():
        for turn in range(len(weights) + repeat):
            start = time.perf_counter()
            torch.nn.functional.linear(x, weights[turn % len(weights)])
            times.append(time.perf_counter() - start)
    return statistics.median(times[-repeat:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rows", type=int, default=4096)
    parser.add_argument("--columns", type=int, default=2880)
    parser.add_argument("--repeat", type=int, default=20)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    capability = torch.backends.cpu.get_cpu_capability()
    onednn = "with" if torch.backends.mkldnn.is_available() else "without"
    print(f"torch {torch.__version__}, {onednn} oneDNN, {capability}, {torch.get_num_threads()} threads")
    for name, dtype in (("bf16", torch.bfloat16), ("f32", torch.float32)):
        size = args.rows * args.columns * dtype.itemsize
        weights = [
            torch.randn(args.rows, args.columns).mul_(args.columns**-0.5).to(dtype)
            for _ in range(TURNS)
        ]
        for tokens in TOKENS:
            x = torch.randn(tokens, args.columns).to(dtype)
            time_taken = seconds(weights, x, args.repeat)
            rate = 2 * tokens * args.rows * args.columns / time_taken / 1e9
            print(
                f"{name}/{args.rows}x{args.columns}/{tokens}: {rate:.1f} GFLOP/s, "
                f"{size / time_taken / 1e9:.1f} GB/s of weights, {time_taken * 1e3:.3f} ms"
            )


if __name__ == "__main__":
    main()
