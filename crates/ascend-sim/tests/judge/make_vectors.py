"""Make tests/vectors anew: what numpy and torch say the operators compute.

    make_vectors.py            write every family
    make_vectors.py --check    only say which files would change

Runs in an environment with the torch and numpy of .ci/judges/requirements-model.txt.
"""

import importlib
import sys

from vectors import FOLDER

FAMILIES = (
    "elementwise", "norm", "activation", "matmul", "quant", "indexing", "sampling",
    "experts", "grouped", "rotary", "caches", "attention",
)


def main(check=False):
    changed = []
    for name in FAMILIES:
        path = FOLDER / f"{name}.safetensors"
        before = path.read_bytes() if path.exists() else b""
        importlib.import_module(name).family().write()
        if path.read_bytes() != before:
            changed.append(name)
            if check:
                path.write_bytes(before)
    print("changed:", *changed)
    sys.exit(bool(check and changed))


if __name__ == "__main__":
    main("--check" in sys.argv[1:])
