# Sourced by the judge steps: sets `python` to an interpreter with the outside judges in it.
# `judging=model` means transformers instead of MindSpore, `judging=harmony` openai-harmony, each in an
# environment of its own.
# shellcheck shell=bash source=.ci/env.sh
source .ci/env.sh

requirements=$root/.ci/judges/requirements${judging:+-$judging}.txt

# The versions that have a wheel of the pinned MindSpore are 3.10 to 3.12; transformers 5 needs 3.11.
interpreter() {
  local candidate least=${judging:+11}
  for candidate in python3.11 python3.12 python3.10 python3 "$HOME"/.pyenv/versions/3.1[0-2].*/bin/python; do
    if "$candidate" -c 'import sys, venv, ensurepip
sys.exit(not '"${least:-10}"' <= sys.version_info[1] <= 12)' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  return 1
}

# complete PYTHON: whether the pinned versions are installed and the judges can be imported.
complete() {
  "$1" - "$requirements" <<'PY'
import importlib, importlib.metadata, re, sys

pinned = dict(re.findall(r"^([\w-]+)==(\S+)", open(sys.argv[1]).read(), re.M))
for name, version in pinned.items():
    if importlib.metadata.version(name) != version:
        sys.exit(f"{name} is not {version}")
for name in {"mindspore", "ml_dtypes", "numpy", "openai_harmony", "safetensors", "torch", "transformers"} & pinned.keys():
    importlib.import_module(name)
PY
}

# install PYTHON: the pinned versions.
install() {
  if [ "${judging:-}" != model ]; then
    "$1" -m pip install --quiet --no-compile --disable-pip-version-check -r "$requirements"
    return
  fi
  "$1" -m pip install --quiet --no-compile --disable-pip-version-check --no-deps -r "$requirements"
  local site
  site=$("$1" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  need cc gcc
  "$1" "$root/.ci/judges/without_cuda.py" "$site/torch/lib"
}

environment=$cache/judges${judging:+-$judging}
python=$environment/bin/python
if ! { [ -x "$python" ] && complete "$python" 2>/dev/null; }; then
  base=$(interpreter) || {
    install_with_apt python3.11 python3.11-venv
    base=$(interpreter)
  }
  echo "making the judges' environment with $("$base" --version): $environment"
  rm -rf "$environment"
  mkdir -p "$cache"
  "$base" -m venv "$environment"
  install "$python"
  if ! complete "$python"; then
    install_with_apt libgomp1 libnuma1
    complete "$python"
  fi
fi
"$python" -m pip list --format freeze 2>/dev/null | grep -iE '^(mindspore|ml.dtypes|numpy|openai.harmony|protobuf|safetensors|torch|transformers)=' | paste -sd' '
