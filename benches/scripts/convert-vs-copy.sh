#!/usr/bin/env bash
# A conversion beside the plain ways of copying the same bytes, in turn, as ratios.
#
#   benches/scripts/convert-vs-copy.sh WEIGHTS_DIR SCRATCH_DIR [PAIRS] [CONVERT_OPTION...]
#
# Each round runs, from the same state of the page cache (WEIGHTS_DIR read once beforehand):
#   convert   the conversion, data synced before the rename, without reading back
#   cp        cp of as many bytes, then sync
#   dd        dd bs=8M oflag=direct of as many bytes, then sync
# and prints seconds and ratios; the last lines are the medians of the ratios. SCRATCH_DIR needs
# room for two copies and a shard, and must be on the disk to measure. With COLD=1 the page cache
# is dropped before each run (needs root).
set -euo pipefail

weights=$1
scratch=$2
pairs=${3:-5}
shift $(($# < 3 ? $# : 3))
options=("${@:---dtype=keep}")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=${CONVERT:-$here/target/release/examples/convert}
[ -x "$binary" ] || (cd "$here" && cargo build --release --example convert)
out=$scratch/convert-vs-copy.out
copy=$scratch/convert-vs-copy.copy
rest=$scratch/convert-vs-copy.rest
trap 'rm -rf "$out" "$copy" "$rest"' EXIT

warm() {
  if [ "${COLD:-0}" = 1 ]; then
    sync
    echo 3 >/proc/sys/vm/drop_caches
  else
    cat "$1"/*.safetensors >/dev/null
    [ ! -e "$rest" ] || cat "$rest" >/dev/null
  fi
}

now() { date +%s.%N; }
since() { echo "$(now) $1" | awk '{printf "%.2f", $1 - $2}'; }

# Bytes to copy: those of the result, from a file that has as many.
"$binary" "$weights" "$out" "${options[@]}" --no-verify --force >/dev/null 2>&1
bytes=0
for file in "$out"/*.ckpt "$out"/*.safetensors; do
  [ ! -e "$file" ] || bytes=$((bytes + $(stat -c %s "$file")))
done
rm -rf "$out"
echo "$bytes bytes, convert ${options[*]}, $pairs rounds, COLD=${COLD:-0}"

# What to copy: files, again where need be, and part of one, until there are as many bytes as the
# result has. The part is cut beforehand, so that it is copied as the others are.
parts=()
left=$bytes
while [ "$left" -gt 0 ]; do
  for file in "$weights"/*.safetensors; do
    [ "$left" -gt 0 ] || break
    size=$(stat -c %s "$file")
    if [ "$size" -gt "$left" ]; then
      cp "$file" "$rest"
      truncate --size="$left" "$rest"
      sync
      file=$rest size=$left
    fi
    parts+=("$file")
    left=$((left - size))
  done
done

copy_with() {
  local part
  mkdir -p "$copy"
  for part in "${!parts[@]}"; do "$1" "${parts[$part]}" "$copy/$part"; done
  sync
}
by_cp() { cp "$1" "$2"; }
by_dd() { dd if="$1" of="$2" bs=8M oflag=direct status=none; }

for round in $(seq "$pairs"); do
  warm "$weights"
  start=$(now)
  "$binary" "$weights" "$out" "${options[@]}" --no-verify --force >/dev/null 2>&1
  convert=$(since "$start")
  rm -rf "$out"

  warm "$weights"
  start=$(now)
  copy_with by_cp
  cp_seconds=$(since "$start")
  rm -rf "$copy"

  warm "$weights"
  start=$(now)
  copy_with by_dd
  dd_seconds=$(since "$start")
  rm -rf "$copy"
  echo "round $round: convert $convert s, cp+sync $cp_seconds s, dd direct $dd_seconds s" \
    "$(echo "$convert $cp_seconds $dd_seconds" | awk '{printf "ratios %.3f %.3f", $1 / $2, $1 / $3}')"
done | tee "$scratch/convert-vs-copy.log"

median() { sort -n | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
echo "median convert / cp+sync: $(awk '{print $(NF - 1)}' "$scratch/convert-vs-copy.log" | median)"
echo "median convert / dd direct: $(awk '{print $NF}' "$scratch/convert-vs-copy.log" | median)"
rm -f "$scratch/convert-vs-copy.log"
