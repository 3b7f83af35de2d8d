# Sourced by every step: where things are, and how to get what the machine lacks.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# What is worth keeping between runs and clones: the audit tool, the Python environment.
# shellcheck disable=SC2034 # read by the steps
cache=${ASCEND_MOE_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ascend-moe-ci}
# shellcheck disable=SC2034 # read by the steps
target=${CARGO_TARGET_DIR:-$root/target}

export CARGO_NET_RETRY=${CARGO_NET_RETRY:-5}
# A judge must not leave files in the checkout: `cargo package` refuses an unclean one. What Python compiles
# goes into a tree of its own, and only what is imported: pip would compile all of torch, so it is told not to.
export PYTHONPYCACHEPREFIX=$cache/pycache
if [ -n "${CI:-}" ]; then
  export CARGO_INCREMENTAL=0
fi

# A directory of this step alone, removed when the step ends, however it ends.
scratch() {
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/ascend-moe-ci.XXXXXX")
  trap 'chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT
}

# install_with_apt PACKAGE...
install_with_apt() {
  echo "installing $* with apt"
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "error: this step needs $*, and only root on Debian can install it here" >&2
    return 1
  fi
  local log
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  if ! { apt-get update -q && apt-get install -y -q --no-install-recommends "$@"; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# need COMMAND PACKAGE: the command, by apt when it is missing.
need() {
  command -v "$1" >/dev/null || install_with_apt "$2"
}

# The names of the crates that are published.
publishable() {
  grep -L '^publish *= *false' crates/*/Cargo.toml | sed 's|crates/\(.*\)/Cargo.toml|\1|'
}

# package FOLDER [OPTION...]: every publishable crate, as crates.io would get it, in FOLDER/package. The folder has to be a
# new one: packages that are not published yet are served to each other from there, each version once.
package() {
  local folder=$1 crate selected=() dirty=()
  shift
  for crate in $(publishable); do selected+=(-p "$crate"); done
  # Uncommitted files make a package differ from its commit: fine while working, never in CI.
  if [ -z "${CI:-}" ]; then dirty=(--allow-dirty); fi
  cargo package --locked --no-verify --target-dir "$folder" "${dirty[@]}" "${selected[@]}" "$@"
}
