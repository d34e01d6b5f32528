#!/bin/sh
# SPDX-License-Identifier: MIT
# The visit itself, tried: what `make gpu-visit` packs, with the simulator's plug-in in the place of
# the real one, runs from its folder in an empty environment; what is done is not done again; a
# device that fails, or is not there, is told, and so is what was skipped or does not exist.
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
: >"$dir/out"
"$src/tests/gpu/pack" "$build" "$plugin" "$dir/visit"
[ ! -e "$dir/visit/lib/libcublas.so.13" ] || fail "cuBLAS went along unasked"
CUBLAS_DIR="$build/tests/cudasim/plain" "$src/tests/gpu/pack" "$build" "$plugin" "$dir/visit"
[ -f "$dir/visit/lib/libcublas.so.13" ] || fail "cuBLAS did not go along"

visit CUDASIM_DEVICES=0 "$dir/visit/tests/gpu/run" -q -l "$dir/none"
[ $st = 77 ] || fail "no device: status $st"
visit "$dir/visit/tests/gpu/run" -q -l "$dir/wrong" smoke kcheck-rowz
[ $st = 2 ] && grep -q 'no part or step kcheck-rowz here; there are:.* kcheck-rows .* smoke ' "$dir/out" ||
    fail "a step that does not exist: status $st"
[ ! -s "$dir/wrong/run.log" ] || fail "something ran in spite of a wrong name"
visit "$dir/visit/tests/gpu/run" -q -l "$dir/logs" -t 0
[ $st = 75 ] && grep -q 'not done yet:.* text' "$dir/out" || fail "no time: status $st"
visit CUDASIM_FAIL=lost:200 "$dir/visit/tests/gpu/run" -q -l "$dir/logs" kcheck-rows tiny-decode
[ $st = 1 ] && grep -q 'failed:.* kcheck-rows' "$dir/out" || fail "a lost device: status $st"
# a program of the machine's own, which does not hear SIGTERM
mkdir "$dir/bin"
printf '#!/bin/sh\ntrap "" TERM\nwhile :; do sleep 1; done\n' >"$dir/bin/compute-sanitizer"
chmod +x "$dir/bin/compute-sanitizer"
visit PATH="$dir/bin:$PATH" "$dir/visit/tests/gpu/run" -q -l "$dir/none" -t 1 sanitizer-memcheck
[ $st = 75 ] && grep -q 'needs more than -t 1: sanitizer-memcheck ; give more' "$dir/out" ||
    fail "a step that takes longer than -t: status $st"
# with the library that stands for NVML
ln -s "$build/tests/cudasim/plain/libnvidia-ml.so.1" "$dir/bin/"
visit LD_LIBRARY_PATH="$dir/bin" "$dir/visit/tests/gpu/run" -q -l "$dir/logs"
[ $st = 0 ] || fail "status $st"
command -v compute-sanitizer >/dev/null || tail -n 1 "$dir/out" |
    grep -q '^all that ran is right; skipped: sanitizer-init.* sanitizer-sync' || fail "the last line"
grep -q '"device":"cuda 0: .*, cuBLAS ' "$dir/logs/figures.jsonl" || fail "no cuBLAS"
[ "$(grep -c ' ok ' "$dir/out")" = 16 ] || fail "not all was tried"
[ "$(grep -c '"kind":"decode"' "$dir/logs/figures.jsonl")" = 5 ] || fail "figures"
grep -q '^kcheck-rows: rows .* cases' "$dir/logs/run.log" || fail "what steps say"
grep -q '^decode batch 2 depth 20 .* of the bound' "$dir/out" || fail "the figures in short"
[ "$(find "$dir/logs" -type f | wc -l)" = 4 ] || fail "files: $(ls "$dir/logs")"
grep -q '^early: the same logits' "$dir/logs/run.log" || fail "early or in turn"
grep -q '"joules_per_token":[0-9]' "$dir/logs/figures.jsonl" || fail "energy"
grep -q '"kind":"profile".*"operation":"attn"' "$dir/logs/figures.jsonl" || fail "profile"
visit "$dir/visit/tests/gpu/run" -q -l "$dir/logs"
[ $st = 0 ] && ! grep -q ' ok ' "$dir/out" || fail "done twice: status $st"
rm -r "$dir/visit/zoracd/demo/model"
sed -i '/^text$/d' "$dir/logs/done"
visit "$dir/visit/tests/gpu/run" -q -l "$dir/logs" text
[ $st = 0 ] && tail -n 1 "$dir/out" | grep -q '^all that ran is right; skipped: text ;' ||
    fail "a text that was not compared counts: status $st"
