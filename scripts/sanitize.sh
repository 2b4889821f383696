#!/bin/sh
# Build the native core without Python under g++'s sanitizers, and put it under random models and requests.
#
#     sh scripts/sanitize.sh [MODELS [SENTENCES [FIRST_SEED]]]
#
# Ends with another code than 0 where one of them finds something. Each run of 300 models takes about a minute.
set -eu

models=${1:-300}
sentences=${2:-10000}
seed=${3:-0}
native=$(cd "$(dirname "$0")/../native" && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

for sanitizers in address,undefined thread; do
    echo "endash: building with -fsanitize=$sanitizers" >&2
    cmake -S "$native" -B "$build/$sanitizers" -DENDASH_SANITIZE="$sanitizers" > "$build/log"
    cmake --build "$build/$sanitizers" --parallel 2 > "$build/log" || { cat "$build/log" >&2; exit 1; }
    "$build/$sanitizers/fuzz" "$models" "$seed"
    "$build/$sanitizers/fuzz" sentences "$sentences"
done
