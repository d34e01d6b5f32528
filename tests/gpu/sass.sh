#!/bin/sh
# SPDX-License-Identifier: MIT
# What can be proved of the kernels without a GPU: for every architecture in the plug-in, no kernel
# (but a few that are named) keeps anything in local memory, the products stay within their budgets
# of registers, weights come by 16-byte copies that pass the registers, activations by 16-byte
# loads, and the arithmetic is done by tensor cores.
# Usage: sass.sh [FILE]; FILE: the plug-in, or an object or cubin of it. Needs cuobjdump.
set -e
skip() {
    echo "$1"
    exit 77
}
file=${1:-${top_builddir:-.}/kernels/cuda/libzorac-cuda.so}
[ -f "$file" ] || skip "no CUDA plug-in in this build: there is nothing to look at"
tool=${CUOBJDUMP:-cuobjdump}
if ! command -v "$tool" >/dev/null; then
    tool=$(dirname "$(command -v "${NVCC:-nvcc}" || echo ./none)")/cuobjdump
    [ -x "$tool" ] || skip "no cuobjdump (part of the CUDA toolkit): machine code is not looked at"
fi
export PATH="$PATH:$(dirname "$(command -v "$tool")")" # cuobjdump wants nvdisasm
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$tool" -res-usage "$file" >"$tmp/usage" 2>&1
"$tool" -sass "$file" >"$tmp/sass"
# usage: "Fatbin elf code:" ... "arch = sm_86", " Function NAME:", "  REG:116 STACK:0 SHARED:0 LOCAL:0 ..."
# sass:  "arch = sm_86", "Function : NAME", then instructions
awk '
function number(key,   at) {
    at = index($0, key ":")
    return at ? substr($0, at + length(key) + 1) + 0 : 0
}
function kind(name) {
    return name ~ /mm_decode_kernel/ ? "decode" : name ~ /mm_tile_kernel/ ? "tile" : "other"
}
function bad(what) {
    print "FAIL " arch " " name ": " what
    failed++
}
# Budgets: for up to 8 and 16 rows of activations four and two more warps of a scheduler would fit;
# beyond, and for many rows, what local memory does not get is the limit.
function most(name) {
    if (kind(name) != "decode" || name ~ /Li4ELi[12]ELb/) # template arguments: form, type, NT, RG, ...
        return 255
    return name ~ /Li1ELi1ELb/ ? 160 : 192
}
# The range reduction of sine and cosine has a table in local memory; the plain kernels are what is
# used where nothing is fast.
function may_use_local(name) {
    return name ~ /plain_|rope_table/
}
BEGIN { arch = "?" }
FNR == 1 { file++ }
/^arch = / || /^code for sm_/ { arch = $NF }
file == 1 && /Function / { name = $2; sub(/:$/, "", name) }
file == 1 && /REG:/ {
    kernels++
    if (!may_use_local(name) && (number("STACK") > 0 || number("LOCAL") > 0))
        bad("uses local memory: " $0)
    if (number("REG") > most(name))
        bad("has " number("REG") " registers, at most " most(name))
}
file == 2 && /Function : / { name = $NF; where = arch " " name; names[where] = name; archs[arch] }
file == 2 && / (LDL|STL)/ && !may_use_local(name) { bad("spills: " $0) }
file == 2 && /LDGSTS\.E[A-Z0-9.]*\.128/ { copy[where]++ }
file == 2 && /HMMA\.16816\.F32/ { mma[where]++ }
file == 2 && /LDG\.E\.128/ { load[where]++ }
file == 2 && /LDS\.128/ { shared[where]++ }
END {
    for (w in names) {
        split(w, part, " ")
        arch = part[1]
        name = part[2]
        if (kind(name) == "other")
            continue
        products++
        if (!copy[w]) bad("no asynchronous 16-byte copy")
        if (!mma[w]) bad("no HMMA with fp32 sums")
        if (!shared[w]) bad("no 16-byte load from shared memory")
        if (kind(name) == "decode" && !load[w]) bad("no 16-byte load of activations")
    }
    for (a in archs)
        list = list " " a
    printf "%d kernels of%s looked at, %d of them products, %d failures\n", kernels, list, products, failed
    if (products == 0)
        print "FAIL no product among them"
    exit failed > 0 || products == 0
}' "$tmp/usage" "$tmp/sass"
