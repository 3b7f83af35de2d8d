#!/usr/bin/env bash
# Our engine beside llama.cpp on the same weights, in turn, as tokens a second and ratios.
#
#   benches/scripts/beside-llama.sh MODEL_DIR SCRATCH [ROUNDS]
#
# MODEL_DIR is a gpt-oss checkpoint of safetensors (`synthesize MODEL_DIR --preset 20b` makes one of
# the true size), SCRATCH keeps what is made: an environment of Python with llama-cpp-python compiled
# here for this CPU, and the weights as GGUF, as large as MODEL_DIR. One of the two programs is
# in memory at a time, each after its weights were read once. Per round and program:
#   prefill_N   a prompt of 64, 128 and 512 tokens
#   decode_N    32 tokens of each of 1, 2, 4 and 8 sequences together, tokens of all of them
# The table at the end has the medians over the rounds, and the median of the rounds' ratios.
#
#   DENSE=q8_0       attention and head are Q8_0 for llama.cpp (bf16 otherwise)
#   THREADS=N        threads of both (all cores otherwise)
#   CC, CXX          the compiler of llama.cpp; g++ 12 makes Q8_0 crash where the CPU has AMX
#   LLAMA_CPP=N      another version of llama-cpp-python
set -euo pipefail

model=$1
scratch=$2
rounds=${3:-5}
dense=${DENSE:-bf16}
threads=${THREADS:-$(nproc)}
version=${LLAMA_CPP:-0.3.36}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=$scratch/venv-$version/bin/python
gguf=$scratch/$(basename "$model")-$dense.gguf
log=$scratch/beside-llama.$(date +%Y%m%d-%H%M%S).log
mkdir -p "$scratch"

if [ ! -x "$python" ] || ! "$python" -c 'import gguf, llama_cpp'; then
  python3 -m venv "$scratch/venv-$version"
  CMAKE_ARGS="-DGGML_NATIVE=ON -DCMAKE_BUILD_TYPE=Release -DLLAVA_BUILD=OFF ${CMAKE_ARGS:-}" "$python" -m pip install --quiet \
    --no-cache-dir --no-binary llama-cpp-python "llama-cpp-python==$version" gguf numpy
fi
[ -e "$gguf" ] || "$python" "$here/benches/scripts/llama_gguf.py" "$model" "$gguf" --dense "$dense"

# Both print one JSON object of tokens a second on a line.
llama() {
  cat "$gguf" >/dev/null
  "$python" "$here/benches/scripts/llama_time.py" "$gguf" --threads "$threads"
}

ours() {
  local binary=${GENERATE:-$here/target/release/examples/generate} prompt=$scratch/prompt.txt count
  [ -x "$binary" ] || (cd "$here" && cargo build --release --example generate)
  cat "$model"/*.safetensors >/dev/null
  run() { "$binary" --model "$model" --threads "$threads" --check --ignore-eos --json "$@"; }
  {
    for count in 64 128 512; do
      random_tokens 1 "$count" >"$prompt"
      run --tokens-file "$prompt" --max-new 1 | rate "prefill_$count" prefill_tokens_per_s
    done
    for count in 1 2 4 8; do
      random_tokens "$count" 2 >"$prompt"
      run --batch "$prompt" --max-new 33 | rate "decode_$count" decode_tokens_per_s
    done
  } | "$python" -c 'import json, sys; print(json.dumps({k: float(v) for k, v in map(str.split, sys.stdin)}))'
}

# random_tokens LINES COUNT: lines of as many token ids, the same every time.
random_tokens() {
  "$python" - "$model/config.json" "$1" "$2" <<'PYTHON'
import json, random, sys
vocab = json.load(open(sys.argv[1]))["vocab_size"]
draw = random.Random(0)
for _ in range(int(sys.argv[2])):
    print(",".join(str(draw.randrange(vocab)) for _ in range(int(sys.argv[3]))))
PYTHON
}

# rate NAME METRIC: NAME and the metric of what `generate --json` printed.
rate() {
  "$python" -c 'import json, sys; print(sys.argv[1], json.load(sys.stdin)["metrics"][sys.argv[2]])' "$1" "$2"
}

for round in $(seq "$rounds"); do
  # Whoever is first in a round is second in the next.
  [ $((round % 2)) = 1 ] && order="ours llama" || order="llama ours"
  for who in $order; do
    echo "$round $who $("$who")" | tee -a "$log"
  done
done

"$python" - "$log" <<'PYTHON'
import json, statistics, sys
rates = {"ours": {}, "llama": {}}
for line in open(sys.argv[1]):
    round_, who, values = line.split(" ", 2)
    for name, value in json.loads(values).items():
        rates[who].setdefault(name, {})[round_] = value
print(f"{'tokens a second':16}{'ours':>10}{'llama.cpp':>11}{'ratio':>8}{'lowest':>8}{'highest':>8}")
for name, ours in rates["ours"].items():
    llama = rates["llama"][name]
    ratios = [ours[round_] / llama[round_] for round_ in ours]
    medians = statistics.median(ours.values()), statistics.median(llama.values()), statistics.median(ratios)
    print(f"{name:16}{medians[0]:10.2f}{medians[1]:11.2f}{medians[2]:8.2f}{min(ratios):8.2f}{max(ratios):8.2f}")
PYTHON
