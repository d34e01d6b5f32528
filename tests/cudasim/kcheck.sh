#!/bin/sh
# SPDX-License-Identifier: MIT
# Every CUDA operation against the reference, on the simulator: threads in order, then at random and
# each thing as late as somebody waits for it, then with the memory checker between all loads and stores. CASES: multiply-adds up to which a
# case is tried (more of them: CASES=1e8 make check TESTS=tests/cudasim/kcheck.sh).
set -eu
cd "${top_builddir:-.}"
plain=$PWD/tests/cudasim/plain race=$PWD/tests/cudasim/race
[ -f "$plain/libzorac-cuda.so" ] || { echo "no C++ compiler: the CUDA simulator is not built"; exit 77; }

ZORAC_PLUGINS=$plain tests/kcheck/kcheck --cuda --limit="${CASES:-2e5}"
CUDASIM_SEED=1 CUDASIM_LATE=1 ZORAC_PLUGINS=$plain tests/kcheck/kcheck --cuda --limit="${CASES:-3e4}"
[ -f "$race/libzorac-cuda.so" ] || exit 0
ZORAC_PLUGINS=$race tests/kcheck/kcheck --cuda --limit="${CASES:-1e4}"
