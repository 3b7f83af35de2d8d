"""Let a torch that was built for a GPU run without the libraries of one.

    without_cuda.py TORCH/lib

PyPI has no other torch for Linux on x86-64, and would bring 2 GB of CUDA along. Instead each library that
is missing is made, with functions that do nothing: a program that stays on the CPU calls none that matters.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

# The others name the version of their symbols after themselves.
VERSIONS = {"libnvshmem_host.so.3": "NVSHMEM"}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def wanted(folder):
    """The CUDA libraries that those in the folder need, and the functions they need, by version."""
    libraries, functions = set(), {}
    for library in folder.glob("*.so"):
        libraries |= set(re.findall(r"NEEDED.*\[(lib(?:cu|nccl|nv).*)\]", run("readelf", "-dW", library)))
        for name, version in re.findall(r" U (\w+)(?:@(\S+))?", run("nm", "-D", library)):
            functions.setdefault(version, set()).add(name)
    return libraries, functions


def make(path, functions, version):
    """A library of functions that return 0."""
    with tempfile.TemporaryDirectory() as folder:
        code, versions = Path(folder, "empty.c"), Path(folder, "versions")
        code.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in sorted(functions)))
        versions.write_text(f"{version} {{ global: *; }};\n")
        linked = (f"-Wl,-soname,{path.name}", f"-Wl,--version-script={versions}")
        run("cc", "-shared", "-fPIC", "-w", "-fno-builtin", "-o", path, code, *linked)


def main():
    folder = Path(sys.argv[1])
    libraries, functions = wanted(folder)
    unversioned = functions.get("", set())
    for library in sorted(libraries):
        version = VERSIONS.get(library, library)
        prefix = library.removeprefix("lib").split(".")[0].lower()
        names = functions.get(version) or {name for name in unversioned if name.lower().startswith(prefix)}
        # Nobody asks a version of a library whose functions have none.
        make(folder / library, names, version if version in functions else "")
    print(f"{len(libraries)} libraries of CUDA replaced by empty ones")


if __name__ == "__main__":
    main()
