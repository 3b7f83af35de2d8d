# Sourced by the judge steps: sets `python` to an interpreter with the outside judges in it.
# shellcheck shell=bash source=.ci/env.sh
source .ci/env.sh

# The versions that have a wheel of the pinned MindSpore are 3.10 to 3.12.
interpreter() {
  local candidate
  for candidate in python3.11 python3.12 python3.10 python3 "$HOME"/.pyenv/versions/3.1[0-2].*/bin/python; do
    if "$candidate" -c 'import sys, venv, ensurepip
sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  return 1
}

# complete PYTHON: whether the pinned versions are installed and MindSpore can be imported.
complete() {
  "$1" - "$root/.ci/judges/requirements.txt" <<'PY'
import importlib.metadata, re, sys

for line in open(sys.argv[1]):
    match = re.match(r"([\w-]+)==(\S+)", line)
    if match and importlib.metadata.version(match[1]) != match[2]:
        sys.exit(f"{match[1]} is not {match[2]}")
import mindspore, ml_dtypes, numpy, safetensors
PY
}

environment=$cache/judges
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
  "$python" -m pip install --quiet --disable-pip-version-check -r "$root/.ci/judges/requirements.txt"
  if ! complete "$python"; then
    install_with_apt libgomp1 libnuma1
    complete "$python"
  fi
fi
"$python" -m pip list --format freeze 2>/dev/null | grep -iE '^(mindspore|ml.dtypes|numpy|protobuf|safetensors)=' | paste -sd' '
