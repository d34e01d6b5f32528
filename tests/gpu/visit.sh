#!/bin/sh
# SPDX-License-Identifier: MIT
# The visit itself, tried: what `make gpu-visit` packs, with the simulator's plug-in in the place of
# the real one, runs from its folder in an empty environment; what is done is not done again; a
# device that fails, or is not there, is told.
set -eu
src=$(cd "${top_srcdir:-.}" && pwd)
build=$(cd "${top_builddir:-.}" && pwd)
plugin=$build/tests/cudasim/plain/libzorac-cuda.so
[ -f "$plugin" ] || { echo "no C++ compiler: the CUDA simulator is not built"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/zorac-visit-XXXXXX")
trap 'rm -rf "$dir"' EXIT
fail() {
    echo "FAILED: $*"
    cat "$dir/out"
    exit 1
}
visit() {
    st=0
    env -i PATH="$PATH" TMPDIR="$dir" "$@" >"$dir/out" 2>&1 || st=$?
}
sh "$src/tests/gpu/pack" "$build" "$plugin" "$dir/visit"

visit CUDASIM_DEVICES=0 "$dir/visit/tests/gpu/run" -q -l "$dir/none"
[ $st = 77 ] || fail "no device: status $st"
visit "$dir/visit/tests/gpu/run" -q -l "$dir/logs" -t 0
[ $st = 75 ] && grep -q 'not done yet:.* text' "$dir/out" || fail "no time: status $st"
visit CUDASIM_FAIL=lost:200 "$dir/visit/tests/gpu/run" -q -l "$dir/logs" kcheck-rows tiny-decode
[ $st = 1 ] && grep -q 'failed:.* kcheck-rows' "$dir/out" || fail "a lost device: status $st"
# with the libraries that stand for cuBLAS and NVML
visit LD_LIBRARY_PATH="$build/tests/cudasim/plain" "$dir/visit/tests/gpu/run" -q -l "$dir/logs"
[ $st = 0 ] || fail "status $st"
[ "$(grep -c ' ok ' "$dir/out")" = 15 ] || fail "not all was tried"
[ "$(grep -c '"kind":"decode"' "$dir/logs/figures.jsonl")" = 5 ] || fail "figures"
grep -q '^kcheck-rows: rows .* cases' "$dir/logs/run.log" || fail "what steps say"
grep -q '^decode batch 2 depth 20 .* of the bound' "$dir/out" || fail "the figures in short"
[ "$(find "$dir/logs" -type f | wc -l)" = 4 ] || fail "files: $(ls "$dir/logs")"
grep -q '"joules_per_token":[0-9]' "$dir/logs/figures.jsonl" || fail "energy"
grep -q '"kind":"profile".*"operation":"attn"' "$dir/logs/figures.jsonl" || fail "profile"
visit "$dir/visit/tests/gpu/run" -q -l "$dir/logs"
[ $st = 0 ] && ! grep -q ' ok ' "$dir/out" || fail "done twice: status $st"
